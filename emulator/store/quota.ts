/**
 * A bound on the pages that a store may hold, shared by all its clients.
 *
 * A page counts from the moment a slot is promised to it (a credit) until it is flushed. Lowering
 * the limit drops no page by itself: it stops new promises until enough pages have gone,
 * ephemeral ones to make room for a promise.
 */
import { TmemError } from '../errors.js';

/** What a quota must be. */
export const QUOTA = 'a whole number from 0 up, or Infinity for none';

export function isQuota(pages: unknown): boolean {
  return pages === Number.POSITIVE_INFINITY || (Number.isSafeInteger(pages) && Number(pages) >= 0);
}

/** @throws TmemError (OPTION_INVALID) */
export function checkQuota(pages: number): number {
  if (isQuota(pages)) return pages;
  throw new TmemError('OPTION_INVALID', `a quota of ${pages} pages: it must be ${QUOTA}`);
}

export class PageQuota {
  #limit: number;
  #taken = 0;

  /**
   * `limit` in pages, a whole number from 0 up; Infinity for none but memory itself.
   * @throws TmemError (OPTION_INVALID)
   */
  constructor(limit = Number.POSITIVE_INFINITY) {
    this.#limit = checkQuota(limit);
  }

  get limit(): number {
    return this.#limit;
  }

  set limit(pages: number) {
    this.#limit = checkQuota(pages);
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
