/**
 * A guest in this process and a store in its own, through the shared memory of a real server: what
 * the callers of each key saw is recorded and judged, while stores are killed and others take over.
 *
 * Several operations of one key are under way at once, each in a queue of its own choice, so that
 * there is no order between them but that of their begins and ends. A page is read when its answer
 * is, before a slot that came free after that can be filled again: slots are taken from the ring
 * first. The guest owns its mapping; the server owns the rest.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { ringEventFd } from '../../../emulator/native/libc.js';
import { Command, HostState, REPLY_SLOT_GRANTED } from '../../../emulator/protocol/layout.js';
import type { TmemServer } from '../../../emulator/session/server.js';
import { objectId } from '../../../emulator/store/client.js';
import { Result } from '../../../emulator/store/results.js';
import { FakeGuest, type IvshmemClient } from '../../../emulator/testing/index.js';
import { SharedRegion } from '../../../emulator/transport/region.js';
import { KEPT, KeyHistory, NOTHING, type Operation, REFUSED } from '../history/linearizable.js';
import type { Random } from '../random.js';
import { Pages } from './page.js';

const VERSION = 1 << 24;
/** Operations of one key until none of them is under way: the judge knows 16 apart. */
const BURST_MAX = 8;
const SILENCE_MS_MAX = 20_000;
const OIDS = [objectId(3), objectId(0, 0, 0, 0, 0, -1)];
const INDICES = [0, 1, 2, 3, 4, 5, 6, 0xffff_ffff];
/** As many as a round may use. */
const HAND_MAX = 64;

interface Key {
  readonly pool: number;
  readonly oid: Int32Array;
  readonly index: number;
  readonly history: KeyHistory;
  readonly name: string;
  /** Operations since none was under way. */
  burst: number;
}

interface Posted {
  readonly key: Key;
  readonly operation: Operation;
  readonly sequence: number;
}

export interface RemoteOptions {
  readonly server: TmemServer;
  readonly client: IvshmemClient;
  readonly random: Random;
}

export class RemoteRings implements Disposable {
  readonly #random: Random;
  readonly #region: SharedRegion;
  readonly #guest: FakeGuest;
  readonly #posted: Posted[][] = [];
  readonly #hand: number[] = [];
  #pages: Pages | undefined;
  #keys: Key[] = [];
  #puts = 0;
  #epoch = 0;
  #heardAt = performance.now();
  done = 0;
  readonly problems: string[] = [];

  constructor({ server, client, random }: RemoteOptions) {
    this.#random = random;
    this.#region = SharedRegion.map(client.memoryFd, server.regionBytes);
    this.#guest = new FakeGuest({
      region: this.#region,
      peer: client.peer,
      ring: () => ringEventFd(client.hostEventFd),
    });
  }

  [Symbol.dispose](): void {
    this.#region[Symbol.dispose]();
  }

  /** Another life of the guest: whatever was under way is of the old one. */
  async attach(): Promise<void> {
    this.#epoch += 1;
    this.#guest.announce(this.#epoch);
    const { header } = this.#guest;
    this.#pages ??= new Pages(this.#region, header.slotPage);
    this.#posted.length = 0;
    for (let queue = 0; queue < header.queueCount; queue += 1) this.#posted.push([]);
    this.#hand.length = 0;
    await this.#until('attached', () => this.#guest.peekHeader('session_epoch') === this.#epoch);
    this.#keys = [];
    for (const flags of [VERSION | 1, VERSION]) {
      const sequence = this.#guest.post(0, { command: Command.NEW_POOL, flags });
      const headAt = this.#guest.queueOffset(0, 'head');
      await this.#until('answered', () => this.#guest.peek(headAt) === sequence + 1);
      const pool = this.#guest.waitReply(0, sequence).result;
      for (const [object, oid] of OIDS.entries()) {
        for (const index of INDICES) {
          const history = new KeyHistory({ ephemeral: flags === VERSION });
          const name = `${pool}/${object}/${index}`;
          this.#keys.push({ pool, oid, index, history, name, burst: 0 });
        }
      }
    }
  }

  async #until(what: string, done: () => boolean): Promise<void> {
    const deadline = performance.now() + SILENCE_MS_MAX;
    while (!done()) {
      if (this.#guest.peekHeader('host_state') === HostState.FAULTED) {
        throw new Error(`cut off: fault ${this.#guest.peekHeader('fault')}`);
      }
      if (performance.now() > deadline) throw new Error(`not ${what} in ${SILENCE_MS_MAX} ms`);
      await turn();
    }
  }

  /** One round: takes slots, reads answers, posts some more. */
  round(): void {
    this.#takeSlots();
    this.#collect();
    for (let some = this.#random.below(64); some > 0; some -= 1) this.#postAny();
    if (performance.now() - this.#heardAt > SILENCE_MS_MAX) {
      throw new Error(`no operation was answered in ${SILENCE_MS_MAX} ms`);
    }
  }

  /** Waits for all answers. */
  async settle(): Promise<void> {
    await this.#until('answered', () => {
      this.#collect();
      return this.#posted.every((queue) => queue.length === 0);
    });
  }

  /** Reads every page once more. */
  async readAll(): Promise<void> {
    for (const key of this.#keys) {
      this.#post(key, 'get', { command: Command.GET_PAGE });
      await this.settle();
    }
  }

  #takeSlots(): void {
    while (this.#hand.length < HAND_MAX) {
      const slot = this.#guest.takeCredit();
      if (slot === -1) return;
      this.#hand.push(slot);
    }
  }

  #postAny(): void {
    const key = this.#random.pick(this.#keys);
    if (key.history.open === 0) key.burst = 0;
    if (key.burst === BURST_MAX) return;
    key.burst += 1;
    const dice = this.#random.below(16);
    if (dice < 6 && this.#put(key)) return;
    if (dice < 13) this.#post(key, 'get', { command: Command.GET_PAGE });
    else this.#post(key, 'flush', { command: Command.FLUSH_PAGE });
  }

  /** False when the guest may not put now. */
  #put(key: Key): boolean {
    const isUp = this.#guest.peekHeader('host_state') === HostState.READY;
    const slot = isUp ? this.#hand.pop() : undefined;
    if (slot === undefined) return false;
    this.#puts += 1;
    this.#pages!.fill(slot, this.#puts);
    this.#post(key, 'put', { command: Command.PUT_PAGE, slot }, this.#puts);
    return true;
  }

  /**
   * Posts an operation in a queue that has room for it: no wait may keep the server from working.
   */
  #post(
    key: Key,
    kind: Operation['kind'],
    words: { command: number; slot?: number },
    value: number = NOTHING,
  ): void {
    const { queueCount, queueEntries } = this.#guest.header;
    const { pool, oid, index } = key;
    let queue = this.#random.below(queueCount);
    while (this.#posted[queue]!.length >= queueEntries) queue = (queue + 1) % queueCount;
    const operation = key.history.begin(kind, value);
    const sequence = this.#guest.post(queue, { ...words, pool, oid, index });
    this.#posted[queue]!.push({ key, operation, sequence });
  }

  #collect(): void {
    for (const [queue, posted] of this.#posted.entries()) {
      const head = this.#guest.peek(this.#guest.queueOffset(queue, 'head'));
      let count = 0;
      while (count < posted.length && ((head - posted[count]!.sequence - 1) | 0) >= 0) {
        this.#end(queue, posted[count]!);
        count += 1;
      }
      if (count === 0) continue;
      posted.splice(0, count);
      this.done += count;
      this.#heardAt = performance.now();
    }
  }

  #end(queue: number, { key, operation, sequence }: Posted): void {
    const { result, slot } = this.#guest.waitReply(queue, sequence);
    let seen = NOTHING;
    if (operation.kind === 'put') seen = result === Result.SUCCESS ? KEPT : REFUSED;
    else if (operation.kind === 'get' && result === Result.SUCCESS) {
      const place = (slot & ~REPLY_SLOT_GRANTED) >>> 0;
      seen = this.#pages!.read(place);
      if ((slot & REPLY_SLOT_GRANTED) !== 0) this.#guest.addCredit(place);
    }
    const isKnown = [Result.SUCCESS, Result.MISS, Result.ENOMEM, Result.ENOSPC].includes(
      result as never,
    );
    if (!isKnown) this.problems.push(`key ${key.name}: ${operation.kind} gave ${result}`);
    if (key.history.end(operation, seen)) return;
    this.problems.push(`key ${key.name}: ${operation.kind} saw ${seen}, which nothing explains`);
    key.history.forget();
  }
}
