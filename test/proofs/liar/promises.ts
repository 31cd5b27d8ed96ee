/**
 * The credit ring as a lying host shows it: the session's promises, and false ones among them.
 *
 * Knows which slots the session has promised and the guest has not put since, whatever else the
 * guest believes to have. Owns no memory.
 */
import type { Geometry } from '../../../emulator/protocol/geometry.js';
import { HEADER, wordsOf } from '../../../emulator/protocol/layout.js';
import { ABOUT, type Liar, lies } from './lies.js';
import type { Tally } from './tally.js';

const header = wordsOf(HEADER);

/** Room that stays in the ring for honest grants. */
const RING_SHARE = 1 / 2;
/** What a slot is. */
const PROMISED = 1;
const SHOWN = 2;

export interface PromisesOptions {
  /** The guest's region. */
  readonly words: Int32Array;
  readonly geometry: Geometry;
  readonly liar: Liar;
  readonly tally: Tally;
}

export class Promises {
  /** Grants that a life of the guest's gets to see; the rest is kept back. */
  most = Number.POSITIVE_INFINITY;
  /** Entries in the ring before the first honest one of the next life that name no slot. */
  nonsense = 0;
  readonly #options: PromisesOptions;
  readonly #words: Int32Array;
  readonly #state: Uint8Array;
  /** Grants of the session's seen, entries shown. */
  #seen = 0;
  #tail = 0;
  #draws = 0;

  constructor(options: PromisesOptions) {
    this.#options = options;
    this.#words = options.words;
    this.#state = new Uint8Array(options.geometry.slotCount);
  }

  /** Another life begins, or none. */
  forget(): void {
    this.#state.fill(0);
    this.#seen = 0;
    this.#tail = 0;
    for (let entry = 0; entry < this.nonsense; entry += 1) this.#show(-1);
    this.#publish();
  }

  /** The guest puts the slot. @returns whether the session had promised it */
  take(slot: number): boolean {
    if ((this.#state[slot] ?? 0) === 0) return false;
    this.#state[slot] = 0;
    return true;
  }

  /** The slot is the guest's with the answer to a get. */
  give(slot: number): void {
    this.#state[slot] = SHOWN;
  }

  /** Promises once more whatever was shown and not put since. */
  again(): void {
    for (const [slot, state] of this.#state.entries()) if (state === SHOWN) this.#show(slot);
    this.#publish();
  }

  /** Shows what the session has granted in its own ring, with lies. @returns what amends them */
  turn(own: Int32Array, share: number): (() => void) | undefined {
    const { creditOffset, creditEntries } = this.#options.geometry;
    const tail = own[header.credit_tail]! >>> 0;
    const before = this.#tail;
    while (this.#seen !== tail) {
      this.#lie(share);
      const slot = own[creditOffset / 4 + (this.#seen & (creditEntries - 1))]!;
      this.#state[slot] = PROMISED;
      if (this.#seen < this.most) {
        this.#state[slot] = SHOWN;
        this.#show(slot);
      }
      this.#seen = (this.#seen + 1) >>> 0;
    }
    // What the session would see of an honest guest: it has taken all.
    own[header.credit_head] = tail;
    this.#lie(share);
    if (this.#tail === before) return undefined;
    this.#publish();
    const random = this.#options.liar.about(ABOUT.credit, -1, this.#tail);
    if (!lies(random, share / 4)) return undefined;
    this.#options.tally.count('creditTail');
    const lie = this.#options.liar.creditTail(random, this.#tail, creditEntries);
    Atomics.store(this.#words, header.credit_tail, lie | 0);
    return () => this.#publish();
  }

  #publish(): void {
    Atomics.store(this.#words, header.credit_tail, this.#tail | 0);
  }

  #show(slot: number): void {
    const { creditOffset, creditEntries } = this.#options.geometry;
    this.#words[creditOffset / 4 + (this.#tail & (creditEntries - 1))] = slot;
    this.#tail = (this.#tail + 1) >>> 0;
  }

  /**
   * Promises a slot that is not the guest's to have, or one that it has already. The latter also
   * gives back one that the guest has taken for a lie.
   */
  #lie(share: number): void {
    if (share === 0) return;
    this.#draws += 1;
    const { geometry, liar, tally } = this.#options;
    const random = liar.about(ABOUT.credit, this.#draws);
    const waiting = (this.#tail - Atomics.load(this.#words, header.credit_head)) >>> 0;
    if (waiting > geometry.creditEntries * RING_SHARE || !lies(random, share / 8)) return;
    tally.count('credit');
    this.#show(random.oneIn(2) ? liar.credit(random) : this.#anyShown(random.next()));
  }

  /** The next shown slot from `start` on, if it is not far. */
  #anyShown(start: number): number {
    const { slotCount } = this.#options.geometry;
    for (let step = 0; step < 64; step += 1) {
      const slot = (start + step) % slotCount;
      if (this.#state[slot] === SHOWN) return slot;
    }
    return start % slotCount;
  }
}
