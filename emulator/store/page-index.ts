/**
 * The page index: finds the slot that holds page (object, index).
 *
 * Derived from the slot table, in the heap: open addressing with linear probing over slot
 * numbers, at most half full, 8 bytes a slot. Keys are read from the slot table, never stored
 * twice.
 */
import { type FillTables, SecretHash } from './secret-hash.js';
import type { SlotTable } from './slot-table.js';

export class PageIndex {
  readonly #slots: SlotTable;
  readonly #buckets: Int32Array;
  readonly #mask: number;
  readonly #hash: SecretHash;

  constructor(slots: SlotTable, fillTables?: FillTables) {
    this.#slots = slots;
    this.#hash = new SecretHash(2, fillTables);
    const buckets = 2 ** Math.ceil(Math.log2(Math.max(2, slots.count * 2)));
    this.#buckets = new Int32Array(buckets);
    this.#mask = buckets - 1;
  }

  #hashPage(object: number, index: number): number {
    return this.#hash.of(0, object) ^ this.#hash.of(1, index);
  }

  #bucketOf(object: number, index: number): number {
    const slots = this.#slots;
    let bucket = this.#hashPage(object, index) & this.#mask;
    for (;;) {
      const slot = this.#buckets[bucket]! - 1;
      if (slot === -1 || (slots.index(slot) === index && slots.object(slot) === object))
        return bucket;
      bucket = (bucket + 1) & this.#mask;
    }
  }

  /** The slot that holds the page, or -1. */
  find(object: number, index: number): number {
    return this.#buckets[this.#bucketOf(object, index)]! - 1;
  }

  /** Points page (object, index) at `slot`, in place of the slot it had, if any. */
  set(object: number, index: number, slot: number): void {
    this.#buckets[this.#bucketOf(object, index)] = slot + 1;
  }

  /** Forgets a page that is there. The slot's record must still name it. */
  remove(object: number, index: number): void {
    const buckets = this.#buckets;
    const mask = this.#mask;
    let hole = this.#bucketOf(object, index);
    let probe = (hole + 1) & mask;
    while (buckets[probe] !== 0) {
      const slot = buckets[probe]! - 1;
      const home = this.#hashPage(this.#slots.object(slot), this.#slots.index(slot)) & mask;
      if (((probe - home) & mask) >= ((probe - hole) & mask)) {
        buckets[hole] = slot + 1;
        hole = probe;
      }
      probe = (probe + 1) & mask;
    }
    buckets[hole] = 0;
  }
}
