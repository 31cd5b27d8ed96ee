/**
 * The slot table: what each 4 KiB slot of one guest's region holds. It is the truth of the store;
 * the page index and the object lists are derived from it and can be rebuilt.
 *
 * A record is four 32-bit words: state, object, index, version. The state word is written last,
 * by one atomic store, so that a record read after a crash is either whole or not there. Of two
 * USED records of one page, which a crash within a duplicate put can leave, the one whose version
 * follows the other's holds. The caller owns the memory (`words`); it may be a mapped file that
 * outlives the process.
 */

export const SlotState = {
  /** The host's, empty. */
  FREE: 0,
  /** The guest may fill it: a credit. */
  GRANTED: 1,
  /** Holds a page. */
  USED: 2,
} as const;

const RECORD_WORDS = 4;

export class SlotTable {
  readonly count: number;
  readonly #words: Int32Array;

  /** Bytes of memory that a table of `count` slots needs. */
  static bytesFor(count: number): number {
    return count * RECORD_WORDS * 4;
  }

  constructor(words: Int32Array, count: number) {
    if (words.length < count * RECORD_WORDS) throw new RangeError('slot table: memory too small');
    this.#words = words;
    this.count = count;
  }

  state(slot: number): number {
    return Atomics.load(this.#words, slot * RECORD_WORDS);
  }

  object(slot: number): number {
    return this.#words[slot * RECORD_WORDS + 1]!;
  }

  /** Index of the page within its object, 0 to 2^32-1. */
  index(slot: number): number {
    return this.#words[slot * RECORD_WORDS + 2]! >>> 0;
  }

  /** Of two slots that hold the same page: whether the one replaces the other. */
  isNewer(slot: number, other: number): boolean {
    return ((this.#version(slot) - this.#version(other)) | 0) > 0;
  }

  #version(slot: number): number {
    return this.#words[slot * RECORD_WORDS + 3]!;
  }

  setState(slot: number, state: number): void {
    Atomics.store(this.#words, slot * RECORD_WORDS, state);
  }

  /**
   * Makes `slot` hold page `index` of `object`, in place of the slot `replaced` (-1 for none): the
   * commit of a put.
   */
  commit(slot: number, object: number, index: number, replaced: number): void {
    const at = slot * RECORD_WORDS;
    this.#words[at + 1] = object;
    this.#words[at + 2] = index | 0;
    this.#words[at + 3] = replaced === -1 ? 0 : this.#version(replaced) + 1;
    Atomics.store(this.#words, at, SlotState.USED);
  }
}
