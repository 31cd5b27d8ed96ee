/**
 * The pools of one client: flags, uuid and counters of each.
 *
 * A pool's record (eight 32-bit words: live, flags, four of uuid, the operations that made and that
 * destroyed it) lies in memory of the caller's; its first word is written last, when a pool is made
 * and when it is destroyed. The counters are in the heap and start again when a store is rebuilt.
 */
import { PoolFlag, TMEM_SPEC_VERSION } from '../protocol/layout.js';
import { Result } from './results.js';

/** Xen allows 16 pools a domain; Linux has up to 32 swap types, each with a pool here. */
export const POOL_COUNT_MAX = 64;

const RECORD_WORDS = 8;
const MADE_BY = 6;
const DESTROYED_BY = 7;

/** What `xl tmem-list -l` counts for a pool, under Xen's meanings. */
export interface PoolStats {
  pages: number;
  pagesMax: number;
  objects: number;
  objectsMax: number;
  putsGood: number;
  puts: number;
  putsNoMemory: number;
  duplicatesReplaced: number;
  duplicatesFlushed: number;
  getsFound: number;
  gets: number;
  flushesFound: number;
  flushes: number;
  objectFlushesFound: number;
  objectFlushes: number;
  evicted: number;
}

export interface PoolInfo extends Readonly<PoolStats> {
  readonly id: number;
  readonly persistent: boolean;
  readonly shared: boolean;
}

export function emptyStats(): PoolStats {
  return {
    pages: 0,
    pagesMax: 0,
    objects: 0,
    objectsMax: 0,
    putsGood: 0,
    puts: 0,
    putsNoMemory: 0,
    duplicatesReplaced: 0,
    duplicatesFlushed: 0,
    getsFound: 0,
    gets: 0,
    flushesFound: 0,
    flushes: 0,
    objectFlushesFound: 0,
    objectFlushes: 0,
    evicted: 0,
  };
}

/** Why Xen would refuse these NEW_POOL flags; SUCCESS when it would not. */
export function checkPoolFlags(flags: number): number {
  const version = (flags >>> PoolFlag.VERSION_SHIFT) & PoolFlag.VERSION_MASK;
  const pageSize = (flags >>> PoolFlag.PAGESIZE_SHIFT) & PoolFlag.PAGESIZE_MASK;
  const persistent = (flags & PoolFlag.PERSIST) !== 0;
  const shared = (flags & PoolFlag.SHARED) !== 0;
  if (version !== TMEM_SPEC_VERSION || pageSize !== 0) return Result.EPERM;
  if ((flags & (PoolFlag.PRECOMPRESSED | PoolFlag.RESERVED_BITS)) !== 0) return Result.EPERM;
  return persistent && shared ? Result.EPERM : Result.SUCCESS;
}

export class PoolTable {
  readonly #words: Int32Array;
  readonly #stats: PoolStats[] = Array.from({ length: POOL_COUNT_MAX }, emptyStats);

  static readonly bytes = POOL_COUNT_MAX * RECORD_WORDS * 4;

  constructor(words: Int32Array) {
    if (words.length < POOL_COUNT_MAX * RECORD_WORDS) throw new RangeError('pool table: too small');
    this.#words = words;
  }

  /** Whether `pool`, any 32-bit number, names a pool that exists. Negative numbers do not. */
  isLive(pool: number): boolean {
    return (
      pool >= 0 && pool < POOL_COUNT_MAX && Atomics.load(this.#words, pool * RECORD_WORDS) === 1
    );
  }

  isPersistent(pool: number): boolean {
    return (this.#words[pool * RECORD_WORDS + 1]! & PoolFlag.PERSIST) !== 0;
  }

  stats(pool: number): PoolStats {
    return this.#stats[pool]!;
  }

  /**
   * Makes a pool and returns its id, or EPERM. A shared pool is made private, as Xen does for a
   * client that is not authorised: no client is, since sharing is not offered. `serial` is the
   * operation's (journal.ts).
   */
  create(flags: number, uuid: Int32Array, serial: number): number {
    const verdict = checkPoolFlags(flags);
    if (verdict !== Result.SUCCESS) return verdict;
    for (let pool = 0; pool < POOL_COUNT_MAX; pool += 1) {
      if (this.isLive(pool)) continue;
      const at = pool * RECORD_WORDS;
      this.#words[at + 1] = flags & ~PoolFlag.SHARED;
      for (let word = 0; word < 4; word += 1) this.#words[at + 2 + word] = uuid[word] ?? 0;
      this.#words[at + MADE_BY] = serial;
      Atomics.store(this.#words, at, 1);
      this.#stats[pool] = emptyStats();
      return pool;
    }
    return Result.EPERM;
  }

  remove(pool: number, serial: number): void {
    this.#words[pool * RECORD_WORDS + DESTROYED_BY] = serial;
    Atomics.store(this.#words, pool * RECORD_WORDS, 0);
  }

  /** The live pool that operation `serial` made, or -1. */
  madeBy(serial: number): number {
    for (const pool of this.live()) {
      if (this.#words[pool * RECORD_WORDS + MADE_BY] === serial) return pool;
    }
    return -1;
  }

  /** Whether `pool`, any 32-bit number, is gone and operation `serial` destroyed it. */
  wasDestroyedBy(pool: number, serial: number): boolean {
    const inRange = pool >= 0 && pool < POOL_COUNT_MAX;
    if (!inRange || this.isLive(pool)) return false;
    return this.#words[pool * RECORD_WORDS + DESTROYED_BY] === serial;
  }

  *live(): Generator<number> {
    for (let pool = 0; pool < POOL_COUNT_MAX; pool += 1) if (this.isLive(pool)) yield pool;
  }

  info(pool: number): PoolInfo {
    const shared = (this.#words[pool * RECORD_WORDS + 1]! & PoolFlag.SHARED) !== 0;
    return { id: pool, persistent: this.isPersistent(pool), shared, ...this.stats(pool) };
  }
}
