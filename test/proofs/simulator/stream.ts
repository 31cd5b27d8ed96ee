/**
 * A stream of bytes between the two ends of a link: in order, in pieces, each late by its own
 * delay. While faults are on, pieces may be lost or damaged, as they are not by a virtio-serial
 * port, but by a store that dies with what it has read.
 */
import type { Plan } from './plan.js';
import type { Scheduler } from './scheduler.js';

export interface StreamOptions {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly faults: { readonly on: boolean };
  /** Something has arrived. */
  readonly arrived: () => void;
}

export class ByteStream {
  readonly #options: StreamOptions;
  /** What has arrived and was not read. */
  #pieces: Uint8Array[] = [];
  /** When the last piece arrives: none overtakes another. */
  #lastAt = 0;
  #onTheWay = 0;
  /** Pieces of a stream that was closed are dropped. */
  #life = 0;

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#pieces.length === 0;
  }

  /** Whether all that was sent was read. */
  get isQuiet(): boolean {
    return this.isEmpty && this.#onTheWay === 0;
  }

  /** Another machine's stream begins. */
  reset(): void {
    this.#pieces = [];
    this.#life += 1;
  }

  send(bytes: Uint8Array): void {
    const { random } = this.#options.scheduler;
    for (let at = 0; at < bytes.length; ) {
      const length = random.oneIn(4) ? 1 + random.below(200) : bytes.length;
      this.#sendPiece(bytes.slice(at, at + length));
      at += length;
    }
  }

  #sendPiece(bytes: Uint8Array): void {
    const { scheduler, plan, arrived } = this.#options;
    const piece = this.#damage(bytes);
    const { now } = scheduler;
    this.#lastAt = Math.max(this.#lastAt, now + scheduler.spread(1, plan.bellDelayMax));
    const life = this.#life;
    this.#onTheWay += 1;
    scheduler.after(this.#lastAt - now, () => {
      this.#onTheWay -= 1;
      if (life !== this.#life || piece.length === 0) return;
      this.#pieces.push(piece);
      arrived();
    });
  }

  /** What arrives of a piece. */
  #damage(bytes: Uint8Array): Uint8Array {
    const { scheduler, plan, faults } = this.#options;
    const { random } = scheduler;
    if (!faults.on || plan.damageOneIn === 0 || !random.oneIn(plan.damageOneIn)) return bytes;
    scheduler.note('damaged', bytes.length);
    if (random.oneIn(3)) return bytes.subarray(0, random.below(bytes.length));
    if (random.oneIn(2)) return bytes.subarray(random.below(bytes.length));
    bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
    return bytes;
  }

  /** Moves what has arrived, as much as there is room for. @returns bytes */
  read(into: Uint8Array): number {
    let count = 0;
    while (this.#pieces.length > 0 && count < into.length) {
      const piece = this.#pieces[0]!;
      const part = piece.subarray(0, into.length - count);
      into.set(part, count);
      count += part.length;
      if (part.length === piece.length) this.#pieces.shift();
      else this.#pieces[0] = piece.subarray(part.length);
    }
    return count;
  }
}
