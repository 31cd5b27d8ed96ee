/**
 * A bound on the pages that a store may hold, shared by all its clients.
 *
 * A page counts from the moment a slot is promised to it (a credit) until it is flushed. Lowering
 * the limit drops no page by itself: it stops new promises until enough pages have gone,
 * ephemeral ones to make room for a promise.
 */
export class PageQuota {
  #limit: number;
  #taken = 0;

  /** `limit` in pages, 0 or more; Infinity for none but memory itself. */
  constructor(limit = Number.POSITIVE_INFINITY) {
    this.#limit = limit;
  }

  get limit(): number {
    return this.#limit;
  }

  set limit(pages: number) {
    if (!(pages >= 0)) throw new RangeError(`quota of ${pages} pages: it must be 0 or more`);
    this.#limit = pages;
  }

  /** Pages stored or promised. */
  get taken(): number {
    return this.#taken;
  }

  /** Takes one page of the quota; false when none is left. */
  tryTake(): boolean {
    if (this.#taken >= this.#limit) return false;
    this.#taken += 1;
    return true;
  }

  /** Counts a page that is already stored, even beyond the limit. */
  take(): void {
    this.#taken += 1;
  }

  release(): void {
    this.#taken -= 1;
  }
}
