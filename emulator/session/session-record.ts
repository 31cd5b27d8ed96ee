/**
 * A session's own record: what the next store needs to go on where this one died.
 *
 * 32-bit words in memory that outlives the process and that no guest sees. Single writer. Each word
 * is true by itself; what must be true together is said at the methods. A word of the shared region
 * is never read back instead: a guest could have written it.
 */
import { QUEUE_COUNT_MAX } from '../protocol/geometry.js';

const WORD = {
  hostEpoch: 0,
  /** 0: no guest is served, and whatever pages are there are nobody's. */
  guestEpoch: 1,
  guestFeatures: 2,
  fault: 3,
  creditTail: 4,
  sleepCount: 5,
  refuse: 6,
  /** Queue of the operation under way, plus one; 0 for none. */
  queue: 7,
  /** Its place in the queue. */
  sequence: 8,
  /** The last grant: slot plus one, and the lowest bits of the credit tail that it was made at. */
  grant: 9,
  /** Of the store's thread: the system's number, and turns of its loop. */
  thread: 10,
  turns: 11,
  heads: 16,
} as const;

const WORDS = WORD.heads + QUEUE_COUNT_MAX;
/** A region has at most 2^20 slots, of 4 KiB in 4 GiB. */
const GRANT_SLOT_BITS = 21;
const GRANT_SLOT_MASK = 2 ** GRANT_SLOT_BITS - 1;
const COUNTERS_MAX = 32;

export class SessionRecord {
  static readonly bytes = WORDS * 4 + COUNTERS_MAX * 8;
  readonly #words: Int32Array;
  /** Counters that go on; exact but for the operation under way. */
  readonly counters: Float64Array;

  /** `memory` is zeroed, or an earlier session's; `offset` in bytes, a multiple of eight. */
  constructor(memory: ArrayBuffer = new ArrayBuffer(SessionRecord.bytes), offset = 0) {
    this.#words = new Int32Array(memory, offset, WORDS);
    this.counters = new Float64Array(memory, offset + WORDS * 4, COUNTERS_MAX);
  }

  #set(word: number, value: number): void {
    Atomics.store(this.#words, word, value | 0);
  }

  get hostEpoch(): number {
    return this.#words[WORD.hostEpoch]! >>> 0;
  }

  set hostEpoch(epoch: number) {
    this.#set(WORD.hostEpoch, epoch);
  }

  get guestEpoch(): number {
    return this.#words[WORD.guestEpoch]! >>> 0;
  }

  set guestEpoch(epoch: number) {
    this.#set(WORD.guestEpoch, epoch);
  }

  get guestFeatures(): number {
    return this.#words[WORD.guestFeatures]!;
  }

  set guestFeatures(features: number) {
    this.#words[WORD.guestFeatures] = features;
  }

  /** The fault that the guest was cut off for; 0 for none. */
  get fault(): number {
    return this.#words[WORD.fault]!;
  }

  set fault(fault: number) {
    this.#set(WORD.fault, fault);
  }

  get refuse(): boolean {
    return this.#words[WORD.refuse] !== 0;
  }

  set refuse(refuse: boolean) {
    this.#words[WORD.refuse] = refuse ? 1 : 0;
  }

  get sleepCount(): number {
    return this.#words[WORD.sleepCount]! >>> 0;
  }

  set sleepCount(count: number) {
    this.#words[WORD.sleepCount] = count;
  }

  /** The system's number of the thread that serves; 0 before one does. */
  get thread(): number {
    return this.#words[WORD.thread]!;
  }

  set thread(thread: number) {
    this.#set(WORD.thread, thread);
  }

  /** Turns that the serving thread has made: says that it lives. */
  get turns(): number {
    return Atomics.load(this.#words, WORD.turns);
  }

  countTurn(): void {
    this.#words[WORD.turns]! += 1;
  }

  // --- Queues -----------------------------------------------------------------------------------

  /** Operations of a queue that are done, replies written. */
  head(queue: number): number {
    return this.#words[WORD.heads + queue]! >>> 0;
  }

  /** The operation before `head` is done. */
  setHead(queue: number, head: number): void {
    this.#set(WORD.heads + queue, head);
  }

  /**
   * The operation at `sequence` begins. Its first effect must be an atomic store, which these words
   * then come before.
   */
  beginOperation(queue: number, sequence: number): void {
    this.#words[WORD.queue] = queue + 1;
    this.#words[WORD.sequence] = sequence;
  }

  /** Queue of an operation that began and is not done; -1 for none. */
  get unfinishedQueue(): number {
    const queue = this.#words[WORD.queue]! - 1;
    if (queue < 0 || queue >= QUEUE_COUNT_MAX) return -1;
    return this.#words[WORD.sequence]! >>> 0 === this.head(queue) ? queue : -1;
  }

  /** No guest is served from here on: whatever was under way is void. */
  clear(): void {
    this.guestEpoch = 0;
    this.#words[WORD.queue] = 0;
    this.#words[WORD.grant] = 0;
    this.#words.fill(0, WORD.heads);
    this.#set(WORD.creditTail, 0);
  }

  // --- Credits ----------------------------------------------------------------------------------

  get creditTail(): number {
    return this.#words[WORD.creditTail]! >>> 0;
  }

  /** The slot is about to be promised as the ring's entry at `creditTail`. */
  beginGrant(slot: number): void {
    const tail = this.creditTail << GRANT_SLOT_BITS;
    this.#set(WORD.grant, tail | (slot + 1));
  }

  /** It is promised: the ring has one more. */
  endGrant(): void {
    this.#set(WORD.creditTail, this.creditTail + 1);
  }

  /** A slot that was promised, maybe, but stands in no counted entry of the ring; -1 for none. */
  get uncountedGrant(): number {
    const grant = this.#words[WORD.grant]!;
    const slot = (grant & GRANT_SLOT_MASK) - 1;
    const tail = this.creditTail << GRANT_SLOT_BITS;
    return slot >= 0 && ((grant ^ tail) & ~GRANT_SLOT_MASK) === 0 ? slot : -1;
  }
}
