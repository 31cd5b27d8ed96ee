/**
 * The statistics of pools that a store must have after the operations that it was given, under the
 * meanings of Xen's `xl tmem-list -l`. They start again when a store is rebuilt.
 */
import { emptyStats, type PoolInfo, type PoolStats } from '../../../emulator/store/pool-table.js';
import { Result } from '../../../emulator/store/results.js';
import type { Model, ModelPool } from './model.js';

const POOLS_MAX = 64;

export class Statistics {
  readonly #pools: PoolStats[] = Array.from({ length: POOLS_MAX }, emptyStats);
  /** Of numbers that no pool has. */
  readonly #nobody = emptyStats();

  of(pool: number): PoolStats {
    return this.#pools[pool] ?? this.#nobody;
  }

  begin(pool: number): void {
    this.#pools[pool] = emptyStats();
  }

  restart(model: Model): void {
    for (const [id, { objects }] of model.pools) {
      this.begin(id);
      this.of(id).objectsMax = objects.size;
    }
  }

  /** `pool`: what it is after the put; undefined where there is none. */
  put(id: number, result: number, isDuplicate: boolean, pool: ModelPool | undefined): void {
    if (pool === undefined) return;
    const stats = this.of(id);
    stats.puts += 1;
    if (result === Result.ENOMEM) stats.putsNoMemory += 1;
    if (result === Result.ENOSPC) stats.duplicatesFlushed += 1;
    if (result !== Result.SUCCESS) return;
    stats.putsGood += 1;
    if (isDuplicate) stats.duplicatesReplaced += 1;
    stats.pagesMax = Math.max(stats.pagesMax, pool.pages);
    stats.objectsMax = Math.max(stats.objectsMax, pool.objects.size);
  }

  get(id: number, result: number): void {
    const stats = this.of(id);
    stats.gets += 1;
    if (result === Result.SUCCESS) stats.getsFound += 1;
  }

  flush(id: number, isFound: boolean): void {
    const stats = this.of(id);
    stats.flushes += 1;
    if (isFound) stats.flushesFound += 1;
  }

  flushObject(id: number, isFound: boolean): void {
    const stats = this.of(id);
    stats.objectFlushes += 1;
    if (isFound) stats.objectFlushesFound += 1;
  }

  /** What a store says of its pools that is not so, in words; undefined when all is. */
  difference(infos: readonly PoolInfo[], model: Model): string | undefined {
    if (infos.length !== model.pools.size) {
      return `the store has ${infos.length} pools, the model ${model.pools.size}`;
    }
    for (const info of infos) {
      const pool = model.pools.get(info.id);
      if (pool === undefined) return `the store has pool ${info.id}`;
      const { persistent, pages, objects } = pool;
      const expected = {
        id: info.id,
        persistent,
        shared: false,
        ...this.of(info.id),
        pages,
        objects: objects.size,
      };
      for (const [name, value] of Object.entries(expected)) {
        const seen = info[name as keyof PoolInfo];
        if (seen !== value) return `${name} of pool ${info.id} is ${seen}, expecting ${value}`;
      }
    }
    return undefined;
  }
}
