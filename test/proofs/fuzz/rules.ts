/**
 * What PROTOCOL.md says that a host does with the words that stand in a region: the expected
 * outcome of each call of a session, kept in plain maps and derived from nothing of the session's.
 *
 * Holds for words that stay as they are during a call. Which slots are granted, and which ephemeral
 * pages go for them, is the host's choice: `take` learns it, and says whether it may be.
 */
import type { Geometry } from '../../../emulator/protocol/geometry.js';
import {
  Command,
  DESCRIPTOR,
  Fault,
  GuestState,
  HEADER,
  QUEUE_CONTROL,
  wordsOf,
} from '../../../emulator/protocol/layout.js';
import { POOL_COUNT_MAX } from '../../../emulator/store/pool-table.js';
import { SlotState } from '../../../emulator/store/slot-table.js';

const header = wordsOf(HEADER);
const queueControl = wordsOf(QUEUE_CONTROL);
const descriptor = wordsOf(DESCRIPTOR);

export interface ExpectedReply {
  readonly queue: number;
  readonly sequence: number;
  readonly result: number;
  /** Of a get that hit; -1 otherwise. */
  readonly slot: number;
  /** The slot is the guest's with it. */
  readonly granted: boolean;
}

export interface Expected {
  /** What `serve` gives. */
  served: number;
  /** What the guest is cut off for; 0: it is not. */
  fault: number;
  /** Another life of the guest's begins, or one ends. */
  begins: boolean;
  /** Vectors that the guest hears, in order. */
  readonly rings: number[];
  readonly replies: ExpectedReply[];
}

interface Pages {
  readonly pool: number;
  readonly slots: Map<number, number>;
}

interface Place {
  readonly key: string;
  readonly index: number;
}

/** The result of a NEW_POOL with such flags, were there room; section 6. */
function poolVerdict(flags: number): number {
  const isSpecVersion = flags >>> 24 === 1;
  const isPlain = (flags & 0x00ff_fff4) === 0;
  return isSpecVersion && isPlain && (flags & 3) !== 3 ? 1 : -1;
}

export class Rules {
  readonly #words: Int32Array;
  readonly #geometry: Geometry;
  readonly #refusesDuplicates: boolean;
  /** Whether each pool that there is is persistent. */
  readonly #pools = new Map<number, boolean>();
  readonly #objects = new Map<string, Pages>();
  readonly #places: (Place | undefined)[];
  readonly states: Uint8Array;
  readonly heads: Uint32Array;
  /** For which sleep of each queue's the guest was rung. */
  readonly #rung: Uint32Array;
  epoch = 0;
  creditTail = 0;
  fault = 0;
  granted = 0;
  used = 0;

  constructor(words: Int32Array, geometry: Geometry, refusesDuplicates: boolean) {
    this.#words = words;
    this.#geometry = geometry;
    this.#refusesDuplicates = refusesDuplicates;
    this.#places = new Array(geometry.slotCount).fill(undefined);
    this.states = new Uint8Array(geometry.slotCount);
    this.heads = new Uint32Array(geometry.queueCount);
    this.#rung = new Uint32Array(geometry.queueCount);
  }

  /** Another machine is there, or a life has ended. */
  forget(): void {
    this.#pools.clear();
    this.#objects.clear();
    this.#places.fill(undefined);
    this.states.fill(SlotState.FREE);
    this.heads.fill(0);
    this.#rung.fill(0);
    this.epoch = 0;
    this.creditTail = 0;
    this.fault = 0;
    this.granted = 0;
    this.used = 0;
  }

  // --- One call ---------------------------------------------------------------------------------

  /** What `serve` is to do now. It is done, as far as these rules are concerned. */
  expect(): Expected {
    const expected: Expected = { served: 0, fault: 0, begins: false, rings: [], replies: [] };
    if (this.fault !== 0) return expected;
    const words = this.#words;
    const attached = words[header.guest_state] === GuestState.ATTACHED;
    const asked = attached ? words[header.guest_epoch]! >>> 0 : 0;
    if (asked !== this.epoch) {
      this.forget();
      this.epoch = asked;
      expected.served = 1;
      expected.begins = true;
      return expected;
    }
    if (asked === 0) return expected;
    for (let queue = 0; queue < this.heads.length; queue += 1) {
      this.#expectQueue(queue, expected);
      if (expected.fault !== 0) return this.#cutOff(expected);
    }
    const ahead = (this.creditTail - words[header.credit_head]!) >>> 0;
    if (ahead > this.#geometry.creditEntries) expected.fault = Fault.CREDIT_RANGE;
    return expected.fault === 0 ? expected : this.#cutOff(expected);
  }

  #cutOff(expected: Expected): Expected {
    const { heads, epoch, creditTail } = this;
    const kept = heads.slice();
    this.forget();
    heads.set(kept);
    this.epoch = epoch;
    this.creditTail = creditTail;
    this.fault = expected.fault;
    for (let queue = 0; queue < heads.length; queue += 1) expected.rings.push(queue);
    return expected;
  }

  /** Another store took over: it rings for each sleep once more. */
  forgetRings(): void {
    this.#rung.fill(0);
  }

  #queueWord(queue: number, word: number): number {
    return (this.#geometry.queueOffset + queue * this.#geometry.queueStride) / 4 + word;
  }

  #expectQueue(queue: number, expected: Expected): void {
    const { queueEntries, descriptorOffset } = this.#geometry;
    const tail = this.#words[this.#queueWord(queue, queueControl.tail)]! >>> 0;
    const waiting = (tail - this.heads[queue]!) >>> 0;
    if (waiting > queueEntries) {
      expected.fault = Fault.TAIL_RANGE;
      return;
    }
    for (let count = 0; count < waiting; count += 1) {
      const sequence = this.heads[queue]!;
      const place = (sequence & (queueEntries - 1)) * DESCRIPTOR.bytes;
      const at = this.#queueWord(queue, (descriptorOffset + place) / 4);
      const fault = this.#expectOne(queue, sequence, at, expected);
      if (fault !== 0) {
        expected.fault = fault;
        return;
      }
      this.heads[queue] = sequence + 1;
      expected.served += 1;
    }
    const sleep = this.#words[this.#queueWord(queue, queueControl.guest_sleep)]! >>> 0;
    if (waiting === 0 || (sleep & 1) === 0 || sleep === this.#rung[queue]) return;
    this.#rung[queue] = sleep;
    expected.rings.push(queue);
  }

  #expectOne(queue: number, sequence: number, at: number, expected: Expected): number {
    const words = this.#words;
    if (words[at + descriptor.sequence]! >>> 0 !== sequence) return Fault.SEQUENCE;
    if (words[at + descriptor.epoch]! >>> 0 !== this.epoch) return Fault.EPOCH;
    const pool = words[at + descriptor.pool]!;
    const command = words[at + descriptor.command]!;
    if (command === Command.PUT_PAGE) {
      const slot = words[at + descriptor.slot]!;
      const holds = slot >= 0 && slot < this.states.length;
      if (!holds || this.states[slot] !== SlotState.GRANTED) return Fault.SLOT;
    }
    if (command === Command.GET_PAGE && this.#pools.has(pool)) {
      expected.replies.push(this.#get(queue, sequence, at, pool));
      return 0;
    }
    const result = this.#execute(command, pool, at);
    expected.replies.push({ queue, sequence, result, slot: -1, granted: false });
    return 0;
  }

  #execute(command: number, pool: number, at: number): number {
    const words = this.#words;
    const index = words[at + descriptor.index]! >>> 0;
    switch (command) {
      case Command.CONTROL:
        return -95;
      case Command.NEW_POOL:
        return this.#newPool(words[at + descriptor.flags]!);
      case Command.DESTROY_POOL:
        return this.#destroyPool(pool);
      case Command.PUT_PAGE:
        return this.#put(pool, this.#key(pool, at), index, words[at + descriptor.slot]!);
      case Command.GET_PAGE:
        return -19;
      case Command.FLUSH_PAGE:
        return this.#pools.has(pool) ? this.#flush(this.#key(pool, at), index) : -19;
      case Command.FLUSH_OBJECT:
        return this.#pools.has(pool) ? this.#flushObject(this.#key(pool, at)) : -19;
      default:
        return -38;
    }
  }

  // --- Operations -------------------------------------------------------------------------------

  #key(pool: number, at: number): string {
    const words = this.#words;
    const oid = at + descriptor.oid;
    const low = `${pool} ${words[oid]} ${words[oid + 1]}`;
    return `${low} ${words[oid + 2]} ${words[oid + 3]} ${words[oid + 4]} ${words[oid + 5]}`;
  }

  #newPool(flags: number): number {
    if (poolVerdict(flags) === -1) return -1;
    for (let pool = 0; pool < POOL_COUNT_MAX; pool += 1) {
      if (this.#pools.has(pool)) continue;
      this.#pools.set(pool, (flags & 1) !== 0);
      return pool;
    }
    return -1;
  }

  #destroyPool(pool: number): number {
    if (!this.#pools.delete(pool)) return 0;
    for (const [key, object] of this.#objects) if (object.pool === pool) this.#flushObject(key);
    return 1;
  }

  #put(pool: number, key: string, index: number, slot: number): number {
    if (!this.#pools.has(pool)) {
      this.#free(slot);
      return -19;
    }
    const old = this.#objects.get(key)?.slots.get(index);
    if (old !== undefined) {
      this.#flush(key, index);
      if (this.#refusesDuplicates) {
        this.#free(slot);
        return -28;
      }
    }
    let object = this.#objects.get(key);
    if (object === undefined) {
      object = { pool, slots: new Map() };
      this.#objects.set(key, object);
    }
    object.slots.set(index, slot);
    this.#places[slot] = { key, index };
    this.states[slot] = SlotState.USED;
    this.granted -= 1;
    this.used += 1;
    return 1;
  }

  #get(queue: number, sequence: number, at: number, pool: number): ExpectedReply {
    const key = this.#key(pool, at);
    const index = this.#words[at + descriptor.index]! >>> 0;
    const slot = this.#objects.get(key)?.slots.get(index) ?? -1;
    const granted = slot !== -1 && this.#pools.get(pool) === false;
    if (granted) {
      this.#flush(key, index);
      this.states[slot] = SlotState.GRANTED;
      this.granted += 1;
    }
    return { queue, sequence, result: slot === -1 ? 0 : 1, slot, granted };
  }

  #flush(key: string, index: number): number {
    const object = this.#objects.get(key);
    const slot = object?.slots.get(index);
    if (object === undefined || slot === undefined) return 1;
    object.slots.delete(index);
    if (object.slots.size === 0) this.#objects.delete(key);
    this.#free(slot);
    return 1;
  }

  #flushObject(key: string): number {
    for (const slot of this.#objects.get(key)?.slots.values() ?? []) this.#free(slot);
    this.#objects.delete(key);
    return 1;
  }

  #free(slot: number): void {
    if (this.states[slot] === SlotState.USED) this.used -= 1;
    else this.granted -= 1;
    this.states[slot] = SlotState.FREE;
    this.#places[slot] = undefined;
  }

  // --- What the host chose ----------------------------------------------------------------------

  /** The host granted `slot`. @returns why it may not */
  take(slot: number): string | undefined {
    if (!(slot >= 0 && slot < this.states.length)) return `slot ${slot} was granted: out of range`;
    if (this.states[slot] === SlotState.GRANTED) return `slot ${slot} was granted twice`;
    if (this.states[slot] === SlotState.USED) {
      const lost = this.evict(slot);
      if (lost !== undefined) return lost;
    }
    this.states[slot] = SlotState.GRANTED;
    this.granted += 1;
    return undefined;
  }

  /** The host dropped the page in `slot`. @returns why it may not */
  evict(slot: number): string | undefined {
    const place = this.#places[slot];
    if (place === undefined) return `slot ${slot} holds a page that was never put`;
    const pool = this.#objects.get(place.key)?.pool ?? -1;
    if (this.#pools.get(pool) !== false)
      return `the host dropped ${place.key}, page ${place.index}`;
    this.#flush(place.key, place.index);
    return undefined;
  }

  get isServed(): boolean {
    return this.epoch !== 0 && this.fault === 0;
  }
}
