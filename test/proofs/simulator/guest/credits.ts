/**
 * The module's credits, as in guest-kmod/credit.c, and the bytes of slots.
 *
 * A slot is the guest's from the take to the put that names it. A slot that is granted while it is
 * the guest's already, or holds a page of its, is a Problem.
 */
import type { Geometry } from '../../../../emulator/protocol/geometry.js';
import { PAGE_BYTES } from '../../../../emulator/protocol/layout.js';
import { headerOffset } from '../../../../emulator/testing/index.js';
import type { SharedRegion } from '../../../../emulator/transport/region.js';
import { type Act, type Scheduler, SpinLock, STEP } from '../scheduler.js';
import { Problem } from '../trace.js';

/** Words of a page that carry its value: first, last, and two within. */
const SAMPLES = [0, 341, 682, PAGE_BYTES / 4 - 1] as const;

export class Credits {
  readonly #region: SharedRegion;
  readonly #scheduler: Scheduler;
  readonly #geometry: Geometry;
  readonly #lock: SpinLock;
  readonly #staged: boolean;
  readonly #hand: number[] = [];
  readonly #inHand: Uint8Array;
  readonly #held: Uint8Array;
  #head = 0;

  constructor(region: SharedRegion, scheduler: Scheduler, geometry: Geometry, staged: boolean) {
    this.#staged = staged;
    this.#region = region;
    this.#scheduler = scheduler;
    this.#geometry = geometry;
    this.#lock = new SpinLock(scheduler);
    this.#inHand = new Uint8Array(geometry.slotCount);
    this.#held = new Uint8Array(geometry.slotCount);
  }

  #check(slot: number, where: string): void {
    const why =
      slot >= this.#geometry.slotCount
        ? 'is out of range'
        : this.#held[slot] === 1
          ? 'holds a page'
          : this.#inHand[slot] === 1
            ? 'is in the hand'
            : '';
    if (why !== '') throw new Problem(`slot ${slot} is granted ${where} and ${why}`);
  }

  *#fromRing(): Act<number> {
    const tail = this.#region.load(headerOffset('credit_tail'));
    yield STEP;
    const { creditEntries, creditOffset } = this.#geometry;
    if ((tail - this.#head) >>> 0 > creditEntries) {
      throw new Problem(`credit_tail is ${tail}, credit_head ${this.#head}`);
    }
    if (this.#head === tail) return -1;
    const slot = this.#region.load(creditOffset + (this.#head & (creditEntries - 1)) * 4);
    yield STEP;
    this.#head = (this.#head + 1) >>> 0;
    this.#region.store(headerOffset('credit_head'), this.#head);
    this.#check(slot, 'in the ring');
    this.#inHand[slot] = 1;
    return slot;
  }

  /** tmem_credit_try(). @returns the slot, or -1 */
  *take(): Act<number> {
    yield* this.#lock.take();
    const slot = this.#hand.pop() ?? (yield* this.#fromRing());
    this.#lock.drop();
    if (slot !== -1) this.#scheduler.note('credit', slot);
    return slot;
  }

  /** tmem_credit_claim(). */
  *claim(slot: number): Act {
    yield* this.#lock.take();
    this.#check(slot, 'by an answer');
    this.#inHand[slot] = 1;
    this.#lock.drop();
  }

  /** tmem_credit_return(). */
  *giveBack(slot: number): Act {
    yield* this.#lock.take();
    if (this.#inHand[slot] !== 1) throw new Problem(`slot ${slot} is given back, but not ours`);
    this.#held[slot] = 0;
    this.#hand.push(slot);
    this.#lock.drop();
  }

  /** tmem_credit_spend(). Queue lock held. */
  *spend(slot: number): Act {
    yield* this.#lock.take();
    this.#inHand[slot] = 0;
    this.#lock.drop();
  }

  /** tmem_credit_hold(). */
  hold(slot: number): void {
    if (!this.#staged) this.#held[slot] = 1;
  }

  /** tmem_credit_release(). */
  release(slot: number): void {
    this.#held[slot] = 0;
  }

  get slotCount(): number {
    return this.#geometry.slotCount;
  }

  /** All slots that the guest may fill: those in the hand and those in the ring. */
  slots(): number[] {
    const { creditEntries, creditOffset } = this.#geometry;
    const slots = [...this.#hand];
    const tail = this.#region.load(headerOffset('credit_tail'));
    for (let at = this.#head; at !== tail; at = (at + 1) >>> 0) {
      slots.push(this.#region.load(creditOffset + (at & (creditEntries - 1)) * 4));
    }
    return slots.sort((a, b) => a - b);
  }

  // --- Bytes -------------------------------------------------------------------------------------

  #word(slot: number, sample: number): number {
    return ((this.#geometry.slotPage + slot) * PAGE_BYTES) / 4 + sample;
  }

  /** Copies a page with that value into a slot. */
  *fill(slot: number, value: number): Act {
    for (const sample of SAMPLES) {
      this.#region.words[this.#word(slot, sample)] = value;
      yield STEP;
    }
    this.#scheduler.note('fill', slot, value);
  }

  /** Copies a page out of a slot. @returns its value */
  *copy(slot: number): Act<number> {
    const seen: number[] = [];
    for (const sample of SAMPLES) {
      seen.push(this.#region.words[this.#word(slot, sample)]!);
      yield STEP;
    }
    const value = seen[0]!;
    this.#scheduler.note('copy', slot, value);
    if (seen.every((one) => one === value)) return value;
    throw new Problem(`a page in slot ${slot} is of several: ${seen.join(', ')}`);
  }
}
