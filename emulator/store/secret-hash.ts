/**
 * Hashes keys that a guest chooses, with tables that no guest knows: simple tabulation hashing
 * (Pătraşcu and Thorup, "The power of simple tabulation hashing", 2011), under which linear probing
 * takes a constant number of steps whatever the keys are.
 *
 * With a fixed hash a guest can choose keys that all fall into one place of a table, so that each
 * operation walks over all those before it: 40,000 such objects kept a store for 20 s at their end.
 * Hashes are never stored, so each instance has tables of its own.
 */
import { randomFillSync } from 'node:crypto';

const BYTES_A_WORD = 4;

export type FillTables = (tables: Int32Array) => unknown;

export class SecretHash {
  readonly #tables: Int32Array;

  /**
   * For keys of up to `words` 32-bit words. `fill` fills the tables: only a simulation, which must
   * do the same again, has them filled with what can be known.
   */
  constructor(words: number, fill: FillTables = randomFillSync) {
    this.#tables = new Int32Array(words * BYTES_A_WORD * 256);
    fill(this.#tables);
  }

  /** The share of the key's word number `place`; a key's hash is the XOR of its words' shares. */
  of(place: number, word: number): number {
    const tables = this.#tables;
    const at = place << 10;
    return (
      tables[at | (word & 255)]! ^
      tables[at | 256 | ((word >>> 8) & 255)]! ^
      tables[at | 512 | ((word >>> 16) & 255)]! ^
      tables[at | 768 | (word >>> 24)]!
    );
  }
}
