/**
 * What the tables alone do not tell whoever must finish an operation that a crash cut short: which
 * one it was, and the slot that it took out of an ephemeral pool.
 *
 * Four 32-bit words in memory of the caller's, which outlives a crash: the number of the operation
 * under way or the last one, the slot that was taken and by which operation, one spare. The numbers
 * are what tells a trace of this operation from those of all before it.
 */
const SERIAL = 0;
const TAKEN_SLOT = 1;
const TAKEN_BY = 2;
const WORDS = 4;

export class Journal {
  static readonly bytes = WORDS * 4;
  readonly #words: Int32Array;

  constructor(words: Int32Array) {
    if (words.length < WORDS) throw new RangeError('journal: memory too small');
    this.#words = words;
  }

  /** The operation's number; 0 before the first. */
  get serial(): number {
    return this.#words[SERIAL]!;
  }

  /** Another operation begins. Nothing that it does may come before this. */
  begin(): void {
    // 0 is what no operation has.
    Atomics.store(this.#words, SERIAL, (this.#words[SERIAL]! + 1) | 0 || 1);
  }

  /** The operation is about to take this slot out of the store. */
  take(slot: number): void {
    this.#words[TAKEN_SLOT] = slot;
    Atomics.store(this.#words, TAKEN_BY, this.serial);
  }

  /** The slot that this very operation was about to take; -1 for none. */
  get taken(): number {
    return this.#words[TAKEN_BY] === this.serial && this.serial !== 0
      ? this.#words[TAKEN_SLOT]!
      : -1;
  }
}
