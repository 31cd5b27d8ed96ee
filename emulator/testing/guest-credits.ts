/**
 * The slots that a guest may fill: those in its hand, then those in the credit ring (PROTOCOL.md
 * section 7). Checks each slot that it is given, and never has one twice.
 */
import type { SharedRegion } from '../transport/region.js';
import { FakeGuestError } from './guest-error.js';
import { type GuestHeader, headerOffset } from './guest-header.js';

/** Taken from the ring at a time; the rest stays there. */
const HAND_MAX = 32;

export class GuestCredits {
  readonly #region: SharedRegion;
  readonly #header: GuestHeader;
  readonly #hand = new Set<number>();
  #head = 0;

  /** The ring's `credit_head` must be 0. */
  constructor(region: SharedRegion, header: GuestHeader) {
    this.#region = region;
    this.#header = header;
  }

  get count(): number {
    return this.#hand.size + this.#waiting();
  }

  #waiting(): number {
    const waiting = (this.#region.load(headerOffset('credit_tail')) - this.#head) >>> 0;
    if (waiting <= this.#header.creditEntries) return waiting;
    throw new FakeGuestError('GUEST_HOST_BUG', `${waiting} credits in a ring that holds fewer`);
  }

  /** A slot to fill, or -1. */
  take(): number {
    if (this.#hand.size === 0) this.#refill();
    for (const slot of this.#hand) {
      this.#hand.delete(slot);
      return slot;
    }
    return -1;
  }

  /** Takes a slot that came with an answer into the hand. */
  add(slot: number): void {
    if (slot < this.#header.slotCount && !this.#hand.has(slot)) {
      this.#hand.add(slot);
      return;
    }
    throw new FakeGuestError('GUEST_HOST_BUG', `slot ${slot} was granted: out of range, or twice`);
  }

  #refill(): void {
    const count = Math.min(this.#waiting(), HAND_MAX);
    const { creditOffset, creditEntries } = this.#header;
    for (let taken = 0; taken < count; taken += 1) {
      this.add(this.#region.load(creditOffset + (this.#head & (creditEntries - 1)) * 4));
      this.#head = (this.#head + 1) >>> 0;
    }
    this.#region.store(headerOffset('credit_head'), this.#head);
  }
}
