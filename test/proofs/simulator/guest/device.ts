/**
 * The module's device: attaching, queues, sleeping and waking. The same steps in the same order as
 * guest-kmod/transport_ivshmem.c and queue.c, with a yield between any two looks at memory that
 * somebody else may write.
 *
 * Every word of the host's is read once and checked. What no correct host writes is a Problem here,
 * where the module would only count it. The machine owns the device and drops it as a whole.
 */
import type { Geometry } from '../../../../emulator/protocol/geometry.js';
import {
  Command,
  GuestState,
  HostState,
  PAGE_BYTES,
  PROTOCOL_VERSION,
  REPLY,
  wordsOf,
} from '../../../../emulator/protocol/layout.js';
import {
  FakeGuest,
  type HeaderField,
  type RawDescriptor,
} from '../../../../emulator/testing/index.js';
import type { SharedRegion } from '../../../../emulator/transport/region.js';
import type { Plan } from '../plan.js';
import { type Act, MS, type Scheduler, SpinLock, STEP, type Task } from '../scheduler.js';
import { Problem } from '../trace.js';
import { Credits } from './credits.js';
import { Orphans } from './orphans.js';

const replyWords = wordsOf(REPLY);
/** A sleeper looks by itself this often. */
const SLEEP_SLICE = 100 * MS;
const ATTACH_TIMEOUT = 5000 * MS;
const LOOK_PAUSE_MAX = 100 * MS;
/** Wait for ever. */
export const FOR_EVER = Number.POSITIVE_INFINITY;
/**
 * Why a descriptor was not posted: there is no place, or somebody has yet to read the last reply.
 */
const FULL = -1;
const BUSY = -2;
const BUSY_PAUSE = MS / 10;

/** One who waits for an answer, asleep or about to be. */
export interface Waiter {
  readonly task: Task;
  readonly sequence: number;
  woken: boolean;
  /** When the host was done with what it waits for. */
  coveredAt: number | undefined;
}

export interface Answer {
  readonly result: number;
  readonly slot: number;
  /** Of a link: the page's value, where one came with it. */
  readonly value: number;
}

export class Queue {
  readonly number: number;
  readonly lock: SpinLock;
  /** Places whose reply is yet to be read. */
  readonly busy: Uint8Array;
  /** Gets that were given up, by sequence: their places are busy until they are collected. */
  readonly orphans = new Set<number>();
  /** Of a link: the value of the page that came with a place's reply. */
  readonly into: Int32Array;
  /** Of a link: replies whose pages were taken. */
  delivered = 0;
  waiters: Waiter[] = [];
  tail = 0;
  sleepCount = 0;
  sleepers = 0;
  stalled = false;
  /** Tails that the host has not reached, and when their doorbell had been seen to. */
  kicks: { readonly tail: number; readonly at: number }[] = [];

  constructor(number: number, entries: number, scheduler: Scheduler) {
    this.number = number;
    this.lock = new SpinLock(scheduler);
    this.busy = new Uint8Array(entries);
    this.into = new Int32Array(entries);
  }
}

export interface DeviceOptions {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly region: SharedRegion;
  readonly epoch: number;
  /** Where things are in the region: the host's geometry, or of a link the guest's own. */
  readonly geometry: Geometry;
  /** The host's doorbell; of a link, its thread. */
  readonly ring: () => void;
  /** Somebody slept a whole slice over an answer that was there. */
  readonly overslept: (queue: number, waiter: Waiter) => void;
}

export class Device {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly epoch: number;
  readonly queues: Queue[] = [];
  readonly credits: Credits;
  readonly orphans: Orphans;
  /** Slots only carry pages over (struct tmem_transport). */
  readonly staged: boolean;
  features = 0;
  hostEpoch = 0;
  attached = false;
  readonly #options: DeviceOptions;
  readonly #words: FakeGuest;
  #rungFor = 0;
  /** Since when who waits for an answer. */
  readonly #waits = new Map<Task, number>();

  constructor(options: DeviceOptions) {
    this.#options = options;
    this.plan = options.plan;
    this.scheduler = options.scheduler;
    this.epoch = options.epoch;
    this.#words = new FakeGuest({ region: options.region });
    this.staged = this.plan.link;
    this.orphans = new Orphans(this, this.#words);
    this.credits = new Credits(options.region, this.scheduler, options.geometry, this.staged);
  }

  // --- Words ------------------------------------------------------------------------------------

  peek(field: HeaderField): number {
    return this.#words.peekHeader(field);
  }

  poke(field: HeaderField, value: number): void {
    this.#words.pokeHeader(field, value);
  }

  head(queue: Queue): number {
    return this.#words.peek(this.#words.queueOffset(queue.number, 'head'));
  }

  #setSleep(queue: Queue): void {
    this.#words.poke(this.#words.queueOffset(queue.number, 'guest_sleep'), queue.sleepCount);
  }

  // --- Life -------------------------------------------------------------------------------------

  /** tmem_region_lay_out() and tmem_attach(). @returns false when the host did not answer */
  *attach(): Act<boolean> {
    const { queueCount, queueEntries } = this.#words.probe();
    yield STEP;
    this.poke('guest_state', GuestState.DETACHED);
    yield STEP;
    for (let number = 0; number < queueCount; number += 1) {
      this.queues.push(new Queue(number, queueEntries, this.scheduler));
      this.#words.poke(this.#words.queueOffset(number, 'tail'), 0);
      yield STEP;
      this.#words.poke(this.#words.queueOffset(number, 'guest_sleep'), 0);
      yield STEP;
    }
    this.poke('credit_head', 0);
    yield STEP;
    this.hostEpoch = this.peek('host_epoch');
    yield STEP;
    this.features = this.peek('features') & this.plan.features;
    // What the host would say in its WELCOME.
    if (this.staged && this.plan.policy !== 'accept') this.features = 0;
    yield STEP;
    this.poke('guest_version', PROTOCOL_VERSION);
    yield STEP;
    this.poke('guest_features', this.features);
    yield STEP;
    this.poke('guest_peer', 1);
    yield STEP;
    this.poke('guest_epoch', this.epoch);
    yield STEP;
    this.poke('guest_state', GuestState.ATTACHED);
    yield STEP;
    this.#options.ring();
    this.attached = yield* this.#waitSession(() => this.peek('session_epoch') === this.epoch);
    if (this.attached) this.scheduler.note('attached', this.epoch, this.features);
    else this.poke('guest_state', GuestState.DETACHED);
    return this.attached;
  }

  /** Looks for what the host says of this life, ever less often. @returns false: it did not */
  *#waitSession(says: () => boolean, timeout = ATTACH_TIMEOUT): Act<boolean> {
    const task = this.scheduler.current!;
    const end = this.scheduler.now + timeout;
    this.#waits.set(task, this.scheduler.now);
    let pause = MS;
    while (!says() && this.scheduler.now < end) {
      yield this.scheduler.now + pause;
      pause = Math.min(2 * pause, LOOK_PAUSE_MAX);
    }
    this.#waits.delete(task);
    return says();
  }

  /** tmem_ivshmem_remove(), and a look at whether the host lets go. */
  *detach(): Act {
    this.attached = false;
    this.poke('guest_state', GuestState.DETACHED);
    yield STEP;
    this.#options.ring();
    yield* this.#waitSession(() => this.peek('session_epoch') !== this.epoch, FOR_EVER);
  }

  /** tmem_accepts_puts(). */
  *acceptsPuts(): Act<boolean> {
    const isReady = this.peek('host_state') === HostState.READY;
    yield STEP;
    if (!isReady) return false;
    const refuses = this.peek('refuse') !== 0;
    yield STEP;
    return !refuses && this.peek('host_epoch') === this.hostEpoch;
  }

  // --- Posting -----------------------------------------------------------------------------------

  /** tmem_queue_kick(): wakes a sleeping host, once for each time that it said it would sleep. */
  *kick(): Act {
    if (this.staged) {
      this.#options.ring();
      return;
    }
    const sleep = this.peek('host_sleep');
    yield STEP;
    if ((sleep & 1) === 0) return;
    const rung = this.#rungFor;
    yield STEP;
    if (rung === sleep || this.#rungFor !== rung) return;
    this.#rungFor = sleep;
    this.scheduler.note('ring', sleep);
    this.#options.ring();
  }

  /** tmem_queue_head(). */
  #checkedHead(queue: Queue): number {
    const head = this.head(queue);
    if ((queue.tail - head) >>> 0 <= queue.busy.length) return head;
    throw new Problem(`head ${head} of queue ${queue.number}, whose tail is ${queue.tail}`);
  }

  /** tmem_queue_push(). @returns the descriptor's sequence, FULL or BUSY */
  *#push(queue: Queue, descriptor: RawDescriptor, wait: boolean): Act<number> {
    yield* queue.lock.take();
    const { tail } = queue;
    const entries = queue.busy.length;
    const place = tail & (entries - 1);
    const isFull = (tail - this.#checkedHead(queue)) >>> 0 >= entries;
    yield STEP;
    const orphan = (tail - entries) >>> 0;
    if (!isFull && queue.orphans.has(orphan)) yield* this.orphans.take(queue, orphan);
    if (isFull || queue.busy[place] === 1) {
      queue.lock.drop();
      this.scheduler.note('full', queue.number);
      return isFull ? FULL : BUSY;
    }
    if (descriptor.command === Command.PUT_PAGE) yield* this.credits.spend(descriptor.slot!);
    this.#words.writeDescriptor(queue.number, tail, { ...descriptor, epoch: this.epoch });
    yield STEP;
    if (wait) queue.busy[place] = 1;
    queue.tail = tail + 1;
    this.#words.poke(this.#words.queueOffset(queue.number, 'tail'), tail + 1);
    this.scheduler.note('post', queue.number, tail, descriptor.command);
    if (descriptor.slot !== undefined) this.scheduler.note('postSlot', descriptor.slot);
    queue.lock.drop();
    yield STEP;
    yield* this.kick();
    queue.kicks.push({ tail: tail + 1, at: this.scheduler.now });
    return tail;
  }

  /** tmem_queue_post(). @returns the descriptor's sequence, or -1 when the queue has no room */
  *post(queue: Queue, descriptor: RawDescriptor, wait: boolean): Act<number> {
    return Math.max(-1, yield* this.#push(queue, descriptor, wait));
  }

  /** tmem_queue_post_by(). @returns the descriptor's sequence, or -1 when the time is up */
  *postBy(queue: Queue, descriptor: RawDescriptor, wait: boolean, end: number): Act<number> {
    for (;;) {
      const sequence = yield* this.#push(queue, descriptor, wait);
      if (sequence >= 0) return sequence;
      if (this.scheduler.now > end) return -1;
      if (sequence === BUSY) yield this.scheduler.now + BUSY_PAUSE;
      else yield* this.waitRoom(queue, this.left(end));
    }
  }

  /** tmem_left(). */
  left(end: number): number {
    return Math.max(0, end - this.scheduler.now);
  }

  // --- Waiting -----------------------------------------------------------------------------------

  answered(queue: Queue, sequence: number): boolean {
    return ((this.#checkedHead(queue) - sequence) | 0) > 0;
  }

  /** tmem_queue_arm(). */
  *#arm(queue: Queue): Act {
    yield* queue.lock.take();
    queue.sleepCount = (queue.sleepCount + 2) | 1;
    yield STEP;
    this.#setSleep(queue);
    yield STEP;
    queue.lock.drop();
  }

  *#countSleeper(queue: Queue, change: number): Act {
    yield* queue.lock.take();
    queue.sleepers += change;
    if (queue.sleepers === 0) {
      queue.sleepCount = (queue.sleepCount + 1) & ~1;
      yield STEP;
      this.#setSleep(queue);
    }
    yield STEP;
    queue.lock.drop();
  }

  /** tmem_queue_wait(). @returns false when the time is up */
  *wait(queue: Queue, sequence: number, timeout: number): Act<boolean> {
    const end = this.scheduler.now + timeout;
    for (let look = 0; look < this.plan.guestLooks; look += 1) {
      if (this.answered(queue, sequence)) return true;
      yield STEP;
    }
    if (this.answered(queue, sequence)) return true;
    yield* this.#countSleeper(queue, 1);
    const task = this.scheduler.current!;
    this.#waits.set(task, this.scheduler.now);
    let inTime = true;
    for (;;) {
      const waiter: Waiter = { task, sequence, woken: false, coveredAt: undefined };
      queue.waiters.push(waiter);
      yield* this.#arm(queue);
      inTime = this.scheduler.now <= end;
      const answered = this.answered(queue, sequence);
      if (!answered && inTime) {
        yield STEP;
        yield* this.kick();
        yield* this.#sleep(queue, waiter, end);
      }
      queue.waiters = queue.waiters.filter((one) => one !== waiter);
      if (answered || !inTime) {
        this.#waits.delete(task);
        yield* this.#countSleeper(queue, -1);
        return answered;
      }
    }
  }

  *#sleep(queue: Queue, waiter: Waiter, end: number): Act {
    const until = this.scheduler.now + Math.min(SLEEP_SLICE, this.left(end) + 1);
    while (!waiter.woken && this.scheduler.now < until) yield until;
    if (!waiter.woken) this.#options.overslept(queue.number, waiter);
  }

  /** tmem_queue_wait_room(). */
  waitRoom(queue: Queue, timeout: number): Act<boolean> {
    return this.wait(queue, (queue.tail - queue.busy.length) | 0, timeout);
  }

  /** tmem_queue_reap(). */
  *reap(queue: Queue, sequence: number): Act<Answer> {
    const at = this.#words.replyOffset(queue.number, sequence);
    const read = (word: number): number => this.#words.peek(at + word * 4);
    const echo = read(replyWords.sequence);
    yield STEP;
    const epoch = read(replyWords.epoch);
    yield STEP;
    const result = read(replyWords.result) | 0;
    yield STEP;
    const slot = read(replyWords.slot);
    yield STEP;
    yield* this.abandon(queue, sequence);
    queue.stalled = false;
    this.scheduler.note('reply', queue.number, sequence, result);
    const value = queue.into[sequence & (queue.busy.length - 1)]!;
    if (echo === sequence && epoch === this.hostEpoch) return { result, slot, value };
    const seen = `sequence ${echo} and host life ${epoch}`;
    throw new Problem(`the reply to ${sequence} of queue ${queue.number} has ${seen}`);
  }

  /** Gives up a reply. */
  *abandon(queue: Queue, sequence: number): Act {
    yield* queue.lock.take();
    queue.busy[sequence & (queue.busy.length - 1)] = 0;
    queue.lock.drop();
  }

  /** tmem_credit_take(). @returns the slot, or -1 */
  *takeCredit(): Act<number> {
    const slot = yield* this.credits.take();
    if (slot !== -1) return slot;
    yield* this.orphans.takeAll();
    return yield* this.credits.take();
  }

  /** tmem_queue_is_stalled(). */
  *isStalled(queue: Queue): Act<boolean> {
    if (!queue.stalled) return false;
    yield STEP;
    if (!this.answered(queue, (queue.tail - 1) | 0)) return true;
    yield STEP;
    queue.stalled = false;
    return false;
  }

  /** The host's interrupt. */
  interrupt(number: number): void {
    const queue = this.queues[number];
    if (queue === undefined) return;
    for (const waiter of queue.waiters) {
      waiter.woken = true;
      this.scheduler.wake(waiter.task);
    }
  }

  /** tmem_queue_deliver(): the link has written replies; their pages go to those who wait. */
  deliver(): void {
    if (!this.attached) return;
    for (const queue of this.queues) {
      const head = this.head(queue);
      if (head === queue.delivered) continue;
      for (let at = queue.delivered; at !== head; at = (at + 1) >>> 0) this.#deliverOne(queue, at);
      queue.delivered = head;
      this.interrupt(queue.number);
    }
  }

  #deliverOne(queue: Queue, sequence: number): void {
    const at = this.#words.replyOffset(queue.number, sequence);
    const result = this.#words.peek(at + replyWords.result * 4) | 0;
    const slot = this.#words.peek(at + replyWords.slot * 4);
    const hasPage = result === 1 && slot < this.#options.geometry.slotCount;
    const page = (this.#options.geometry.slotPage + slot) * PAGE_BYTES;
    queue.into[sequence & (queue.busy.length - 1)] = hasPage ? this.#words.peek(page) : 0;
  }

  /** Since when the longest wait lasts; Infinity: nobody waits. */
  get waitingSince(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.#waits.values());
  }

  /** The host has looked at every queue: what is answered now is so for good. */
  noteServed(): void {
    for (const queue of this.queues) {
      if (queue.waiters.length === 0 && queue.kicks.length === 0) continue;
      const head = this.head(queue);
      queue.kicks = queue.kicks.filter(({ tail }) => tail > head);
      for (const waiter of queue.waiters) {
        if (((head - waiter.sequence) | 0) > 0) waiter.coveredAt ??= this.scheduler.now;
      }
    }
  }
}
