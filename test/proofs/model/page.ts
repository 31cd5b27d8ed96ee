/**
 * Pages that say which put they are of: one number in each word.
 */
import { PAGE_BYTES } from '../../../emulator/protocol/layout.js';
import type { SharedRegion } from '../../../emulator/transport/region.js';

const PAGE_WORDS = PAGE_BYTES / 4;
/** What a page is that holds more than one number. */
export const TORN = -2;

/** The slots of a region, for a guest. */
export class Pages {
  readonly #words: Int32Array;
  readonly #bytes: Buffer;
  readonly #first: number;

  /** `slotPage`: the region's page that is slot 0. */
  constructor(region: SharedRegion, slotPage: number) {
    this.#words = region.words;
    this.#bytes = Buffer.from(region.memory);
    this.#first = slotPage;
  }

  fill(slot: number, number: number): void {
    const at = (this.#first + slot) * PAGE_WORDS;
    this.#words.fill(number, at, at + PAGE_WORDS);
  }

  /** The number that the whole page holds, or TORN. */
  read(slot: number): number {
    const from = (this.#first + slot) * PAGE_BYTES;
    const to = from + PAGE_BYTES;
    const bytes = this.#bytes;
    const isWhole = bytes.compare(bytes, from + 4, to, from, to - 4) === 0;
    return isWhole ? this.#words[from / 4]! : TORN;
  }
}
