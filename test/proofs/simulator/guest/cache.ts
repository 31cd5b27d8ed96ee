/**
 * The module's ephemeral pools, as in guest-kmod/ephemeral.c, pending.c and frontend_cleancache.c:
 * one file system, whose pages may vanish but never be old ones.
 *
 * The filter of what may be there is exact here: as many puts as gets that hit, by page and object.
 */
import { Command, REPLY_SLOT_GRANTED } from '../../../../emulator/protocol/layout.js';
import { type Act, MS, SECOND, SpinLock, STEP, type Task } from '../scheduler.js';
import { Problem } from '../trace.js';
import type { Device, Queue } from './device.js';
import {
  DRAIN_PAUSE,
  describe,
  destroyPool,
  newPool,
  type PageKey,
  queueOf,
  takePage,
  type Unanswered,
} from './operations.js';

/** Fewer than the module's, so that it is met. */
const PENDING_MAX = 6;
const DRAIN_TIMEOUT = 2 * SECOND;

export const MISS = 0;

interface Pending {
  readonly key: PageKey;
  readonly object: boolean;
}

type State = 'off' | 'live' | 'void';

export class Cache {
  readonly #device: Device;
  readonly #lock: SpinLock;
  /** A pool's coming and going. */
  readonly #mutex: SpinLock;
  pool = -1;
  #state: State = 'off';
  #life = 0;
  #counts = new Map<string, number>();
  #pendings: Pending[] = [];
  #queued = false;
  #worker: Task | undefined;
  /** A pool of its may be left with the host. */
  leaks = false;

  constructor(device: Device) {
    this.#device = device;
    this.#lock = new SpinLock(device.scheduler);
    this.#mutex = new SpinLock(device.scheduler);
  }

  // --- present.c ---------------------------------------------------------------------------------

  #counters(key: PageKey): [page: string, object: string] {
    return [`${key.object}/${key.index}`, `${key.object}`];
  }

  #maybe(key: PageKey, object: boolean): boolean {
    return (this.#counts.get(this.#counters(key)[object ? 1 : 0]) ?? 0) !== 0;
  }

  #count(key: PageKey, change: number): void {
    for (const name of this.#counters(key)) {
      this.#counts.set(name, (this.#counts.get(name) ?? 0) + change);
    }
  }

  // --- pending.c ---------------------------------------------------------------------------------

  #isPending(key: PageKey, object: boolean): boolean {
    return this.#pendings.some(
      (one) =>
        one.key.object === key.object && (one.object || (!object && one.key.index === key.index)),
    );
  }

  // --- ephemeral.c -------------------------------------------------------------------------------

  /** tmem_ephemeral_queue(). */
  #queue(key: PageKey): Queue {
    return queueOf(this.#device, { ...key, index: 0 });
  }

  *#fill(value: number): Act<number> {
    const { credits } = this.#device;
    const slot = (yield* this.#device.acceptsPuts()) ? yield* this.#device.takeCredit() : -1;
    if (slot !== -1) yield* credits.fill(slot, value);
    return slot;
  }

  *#post(key: PageKey, slot: number): Act<boolean> {
    const queue = this.#queue(key);
    if (yield* this.#device.isStalled(queue)) return false;
    const descriptor = { ...describe(Command.PUT_PAGE, key), slot };
    return (yield* this.#device.post(queue, descriptor, false)) !== -1;
  }

  *#flush(key: PageKey, object: boolean): Act<boolean> {
    const command = object ? Command.FLUSH_OBJECT : Command.FLUSH_PAGE;
    const descriptor = describe(command, object ? { ...key, index: 0 } : key);
    return (yield* this.#device.post(this.#queue(key), descriptor, false)) !== -1;
  }

  /** tmem_ephemeral_answer(). @returns a value, MISS, or what was not answered in time */
  *#answer(queue: Queue, sequence: number): Act<number | Unanswered> {
    const device = this.#device;
    if (!(yield* device.wait(queue, sequence, device.plan.putTimeout))) {
      queue.stalled = true;
      yield* device.orphans.add(queue, sequence);
      return { queue, sequence };
    }
    const { result, slot, value } = yield* device.reap(queue, sequence);
    if (result === 0) return MISS;
    if (result !== 1) throw new Problem(`a get from a pool that is there: ${result}`);
    if (device.staged) return value;
    if (slot < REPLY_SLOT_GRANTED) throw new Problem(`an ephemeral page's slot ${slot} stays`);
    return yield* takePage(device, slot);
  }

  // --- frontend_cleancache.c ---------------------------------------------------------------------

  #queueWork(): void {
    this.#queued = true;
    if (this.#worker !== undefined) this.#device.scheduler.wake(this.#worker);
  }

  #key(object: number, index: number): PageKey {
    return { pool: this.pool, object, index };
  }

  /** tmem_cleancache_drop(). Lock held. */
  *#drop(key: PageKey, object: boolean): Act {
    if (!this.#maybe(key, object) || this.#isPending(key, object)) return;
    if (yield* this.#flush(key, object)) return;
    this.#device.scheduler.note('pending', key.object, key.index);
    if (this.#pendings.length < PENDING_MAX) this.#pendings.push({ key, object });
    else {
      this.#state = 'void';
      this.#pendings = [];
      this.#device.scheduler.note('void', this.pool);
    }
    this.#queueWork();
  }

  /** tmem_cleancache_put(). */
  *put(object: number, index: number, value: number): Act {
    const slot = yield* this.#fill(value);
    let filled = slot !== -1;
    yield* this.#lock.take();
    if (this.#state === 'live') {
      const key = this.#key(object, index);
      if (filled && !this.#isPending(key, false) && (yield* this.#post(key, slot))) {
        this.#count(key, 1);
        filled = false;
      } else {
        yield* this.#drop(key, false);
      }
    }
    this.#lock.drop();
    if (filled) yield* this.#device.credits.giveBack(slot);
  }

  /** tmem_cleancache_invalidate(). */
  *invalidate(object: number, index: number, whole: boolean): Act {
    yield* this.#lock.take();
    if (this.#state === 'live') yield* this.#drop(this.#key(object, index), whole);
    this.#lock.drop();
  }

  /** tmem_cleancache_ask(). @returns the sequence, -1 for a miss, -2 when the queue is full */
  *#ask(key: PageKey, hurry: boolean): Act<number> {
    const device = this.#device;
    if (!this.#maybe(key, false) || this.#isPending(key, false)) return -1;
    const queue = this.#queue(key);
    const stalled = yield* device.isStalled(queue);
    const sequence = stalled
      ? -1
      : yield* device.post(queue, describe(Command.GET_PAGE, key), true);
    if (sequence !== -1) return sequence;
    if (!stalled && !hurry) return -2;
    yield* this.#drop(key, false);
    return -1;
  }

  /** tmem_cleancache_get(). @returns the page's value, MISS, or what was not answered in time */
  *get(object: number, index: number): Act<number | Unanswered> {
    const device = this.#device;
    const end = device.scheduler.now + device.plan.putTimeout;
    for (;;) {
      yield* this.#lock.take();
      const life = this.#life;
      const key = this.#key(object, index);
      const hurry = device.scheduler.now > end;
      const sequence = this.#state === 'live' ? yield* this.#ask(key, hurry) : -1;
      this.#lock.drop();
      if (sequence === -1) return MISS;
      const queue = this.#queue(key);
      if (sequence === -2) {
        yield* device.waitRoom(queue, device.plan.putTimeout);
        yield device.scheduler.now + MS / 10;
        continue;
      }
      const value = yield* this.#answer(queue, sequence);
      if (typeof value === 'number' && value !== MISS) {
        yield* this.#lock.take();
        if (this.#state === 'live' && this.#life === life) this.#count(key, -1);
        this.#lock.drop();
      }
      return value;
    }
  }

  /** tmem_filesystem_close(). @returns false when the host is silent */
  *#close(): Act<boolean> {
    const device = this.#device;
    if (this.pool < 0) return true;
    for (const queue of device.queues) {
      if (!(yield* device.wait(queue, (queue.tail - 1) | 0, DRAIN_TIMEOUT))) return false;
    }
    if ((yield* destroyPool(device, this.pool)) < 0) this.leaks = true;
    this.pool = -1;
    return true;
  }

  /** tmem_filesystem_open(). */
  *open(): Act<boolean> {
    const pool = yield* newPool(this.#device, 0);
    if (pool < 0) {
      this.leaks = true;
      return false;
    }
    this.#counts.clear();
    yield* this.#lock.take();
    this.#life += 1;
    this.pool = pool;
    this.#state = 'live';
    this.#lock.drop();
    return true;
  }

  /** tmem_cleancache_invalidate_fs(). */
  *off(): Act {
    yield* this.#mutex.take();
    yield* this.#lock.take();
    this.#state = 'off';
    this.#pendings = [];
    this.#lock.drop();
    if (!(yield* this.#close())) this.leaks = true;
    this.#mutex.drop();
  }

  /** Whether its worker has nothing left to do. */
  get isDrained(): boolean {
    return !this.#queued;
  }

  *#postPending(): Act<boolean> {
    for (;;) {
      yield* this.#lock.take();
      const pending = this.#pendings[0];
      const posted = pending !== undefined && (yield* this.#flush(pending.key, pending.object));
      if (posted) this.#pendings.shift();
      this.#lock.drop();
      if (!posted) return pending !== undefined;
    }
  }

  *#remake(): Act<boolean> {
    yield* this.#mutex.take();
    const left = this.#state === 'void' && !((yield* this.#close()) && (yield* this.open()));
    this.#mutex.drop();
    return left;
  }

  /** tmem_cleancache_mend(), and the kernel's worker that runs it. */
  *work(): Act {
    const { scheduler } = this.#device;
    this.#worker = scheduler.current!;
    for (;;) {
      while (!this.#queued) yield Number.POSITIVE_INFINITY;
      yield STEP;
      const pending = yield* this.#postPending();
      if (yield* this.#remake()) yield scheduler.now + SECOND;
      else if (pending || this.#pendings.length > 0) yield scheduler.now + DRAIN_PAUSE;
      else this.#queued = this.#state === 'void';
    }
  }
}
