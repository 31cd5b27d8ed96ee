/**
 * The object table: numbers the objects (pool id and 192-bit object id) that hold pages.
 *
 * A record is eight 32-bit words: pool id plus one (0: the record is free), the six words of the
 * object id, one spare. The first word is written last, atomically, when an object is made and
 * first when it goes. The bucket table that finds an object by its key is derived: open
 * addressing with linear probing, at most half full. The caller owns the record memory.
 */

import { type FillTables, SecretHash } from './secret-hash.js';

/** A 192-bit object id as six 32-bit words, least significant first. */
export type ObjectId = Int32Array;

export const OBJECT_ID_WORDS = 6;
const RECORD_WORDS = 8;

export class ObjectTable {
  readonly capacity: number;
  /** Pages that each object holds; kept by the client. */
  readonly pageCounts: Int32Array;
  /** First slot of each object's page list, or -1; kept by the client. */
  readonly firstSlots: Int32Array;
  readonly #words: Int32Array;
  readonly #buckets: Int32Array;
  readonly #mask: number;
  readonly #hash: SecretHash;
  readonly #free: Int32Array;
  /** A list of each pool's objects, so that a pool's end costs no more than what it holds. */
  readonly #firsts = new Map<number, number>();
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  #freeCount = 0;
  #last = 0;

  static bytesFor(capacity: number): number {
    return capacity * RECORD_WORDS * 4;
  }

  constructor(words: Int32Array, capacity: number, fillTables?: FillTables) {
    if (words.length < capacity * RECORD_WORDS) throw new RangeError('object table: too small');
    this.#hash = new SecretHash(1 + OBJECT_ID_WORDS, fillTables);
    this.#words = words;
    this.capacity = capacity;
    this.pageCounts = new Int32Array(capacity);
    this.firstSlots = new Int32Array(capacity).fill(-1);
    const buckets = 2 ** Math.ceil(Math.log2(capacity * 2));
    this.#buckets = new Int32Array(buckets);
    this.#mask = buckets - 1;
    this.#free = new Int32Array(capacity);
    this.#next = new Int32Array(capacity);
    this.#previous = new Int32Array(capacity);
    this.#rebuild();
  }

  #rebuild(): void {
    const seen = new Int32Array(OBJECT_ID_WORDS);
    for (let object = this.capacity - 1; object >= 0; object -= 1) {
      const pool = this.poolOf(object);
      if (pool === -1) this.#free[this.#freeCount++] = object;
      else this.#enter(object, pool, this.readId(object, seen));
    }
  }

  /** Makes an object known: to those who look for its key, and among its pool's. */
  #enter(object: number, pool: number, oid: ObjectId): void {
    this.#buckets[this.#emptyBucket(pool, oid)] = object + 1;
    const first = this.firstOf(pool);
    this.#next[object] = first;
    this.#previous[object] = -1;
    if (first !== -1) this.#previous[first] = object;
    this.#firsts.set(pool, object);
  }

  #leavePool(object: number, pool: number): void {
    const next = this.#next[object]!;
    const previous = this.#previous[object]!;
    if (next !== -1) this.#previous[next] = previous;
    if (previous !== -1) this.#next[previous] = next;
    else if (next !== -1) this.#firsts.set(pool, next);
    else this.#firsts.delete(pool);
  }

  /** One of a pool's objects, or -1 when it has none. */
  firstOf(pool: number): number {
    return this.#firsts.get(pool) ?? -1;
  }

  /** Objects that exist. */
  get size(): number {
    return this.capacity - this.#freeCount;
  }

  /** Pool of an object, or -1 when the number is free. */
  poolOf(object: number): number {
    return Atomics.load(this.#words, object * RECORD_WORDS) - 1;
  }

  /** Copies an object's id into `into` and returns it. */
  readId(object: number, into: ObjectId): ObjectId {
    const at = object * RECORD_WORDS + 1;
    for (let word = 0; word < OBJECT_ID_WORDS; word += 1) into[word] = this.#words[at + word]!;
    return into;
  }

  #hashKey(pool: number, oid: ObjectId): number {
    let hash = this.#hash.of(OBJECT_ID_WORDS, pool);
    for (let word = 0; word < OBJECT_ID_WORDS; word += 1) hash ^= this.#hash.of(word, oid[word]!);
    return hash;
  }

  #matches(object: number, pool: number, oid: ObjectId): boolean {
    const at = object * RECORD_WORDS;
    const words = this.#words;
    return (
      words[at] === pool + 1 &&
      words[at + 1] === oid[0] &&
      words[at + 2] === oid[1] &&
      words[at + 3] === oid[2] &&
      words[at + 4] === oid[3] &&
      words[at + 5] === oid[4] &&
      words[at + 6] === oid[5]
    );
  }

  /** The object's number, or -1. Runs of operations on one object take the short way. */
  find(pool: number, oid: ObjectId): number {
    if (this.#matches(this.#last, pool, oid)) return this.#last;
    let bucket = this.#hashKey(pool, oid) & this.#mask;
    for (;;) {
      const object = this.#buckets[bucket]! - 1;
      if (object === -1) return -1;
      if (this.#matches(object, pool, oid)) {
        this.#last = object;
        return object;
      }
      bucket = (bucket + 1) & this.#mask;
    }
  }

  #emptyBucket(pool: number, oid: ObjectId): number {
    let bucket = this.#hashKey(pool, oid) & this.#mask;
    while (this.#buckets[bucket] !== 0) bucket = (bucket + 1) & this.#mask;
    return bucket;
  }

  /** Makes an object that does not exist yet; -1 when the table is full. */
  create(pool: number, oid: ObjectId): number {
    if (this.#freeCount === 0) return -1;
    this.#freeCount -= 1;
    const object = this.#free[this.#freeCount]!;
    const at = object * RECORD_WORDS;
    for (let word = 0; word < OBJECT_ID_WORDS; word += 1) this.#words[at + 1 + word] = oid[word]!;
    Atomics.store(this.#words, at, pool + 1);
    this.#enter(object, pool, oid);
    this.pageCounts[object] = 0;
    this.firstSlots[object] = -1;
    return object;
  }

  /** Frees an object's number. Its pages must be freed too, before the number is used again. */
  remove(object: number): void {
    const pool = this.poolOf(object);
    const oid = this.readId(object, new Int32Array(OBJECT_ID_WORDS));
    Atomics.store(this.#words, object * RECORD_WORDS, 0);
    this.#removeBucket(pool, oid, object);
    this.#leavePool(object, pool);
    this.#free[this.#freeCount] = object;
    this.#freeCount += 1;
  }

  /** Backward-shift deletion: no tombstones, so a probe stays short for ever. */
  #removeBucket(pool: number, oid: ObjectId, object: number): void {
    const buckets = this.#buckets;
    const mask = this.#mask;
    let hole = this.#hashKey(pool, oid) & mask;
    while (buckets[hole] !== object + 1) hole = (hole + 1) & mask;
    const other = new Int32Array(OBJECT_ID_WORDS);
    let probe = (hole + 1) & mask;
    while (buckets[probe] !== 0) {
      const candidate = buckets[probe]! - 1;
      const home = this.#hashKey(this.poolOf(candidate), this.readId(candidate, other)) & mask;
      if (((probe - home) & mask) >= ((probe - hole) & mask)) {
        buckets[hole] = candidate + 1;
        hole = probe;
      }
      probe = (probe + 1) & mask;
    }
    buckets[hole] = 0;
  }
}
