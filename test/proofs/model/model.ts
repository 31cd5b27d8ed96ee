/**
 * What tmem is, as plain as can be: pools of objects of pages, with Xen's results (PROTOCOL.md
 * section 6). Whatever is checked against a model is checked against this one.
 *
 * What a store may choose is told to the model: that it refuses a put, and that it drops a page of
 * an ephemeral pool. Objects, indices and pages are whole numbers here, from 0 on; what they stand
 * for is the caller's.
 */
import { Result } from '../../../emulator/store/results.js';

/** No page. */
export const NONE = -1;

const POOLS_MAX = 64;

/** Pages by index. */
type ModelObject = Map<number, number>;

export interface ModelPool {
  readonly persistent: boolean;
  /** Those that have pages. */
  readonly objects: Map<number, ModelObject>;
  pages: number;
}

export class Model {
  readonly pools = new Map<number, ModelPool>();
  /** What the last get found. */
  got = NONE;

  /** Pages of all pools. */
  get pages(): number {
    let pages = 0;
    for (const pool of this.pools.values()) pages += pool.pages;
    return pages;
  }

  /** Objects of all pools. */
  get objects(): number {
    let objects = 0;
    for (const pool of this.pools.values()) objects += pool.objects.size;
    return objects;
  }

  /** Pages that may vanish. */
  get ephemeralPages(): number {
    let pages = 0;
    for (const pool of this.pools.values()) if (!pool.persistent) pages += pool.pages;
    return pages;
  }

  /** The page, or NONE; looking changes nothing. */
  peek(pool: number, object: number, index: number): number {
    return this.pools.get(pool)?.objects.get(object)?.get(index) ?? NONE;
  }

  /**
   * The version is 1; no page size, no precompressed pages, no reserved bits; not both of 1 and 2.
   */
  newPool(flags: number): number {
    const isWrong = flags >>> 24 !== 1 || (flags & 0xff_fff4) !== 0 || (flags & 3) === 3;
    if (isWrong || this.pools.size === POOLS_MAX) return Result.EPERM;
    let id = 0;
    while (this.pools.has(id)) id += 1;
    this.pools.set(id, { persistent: (flags & 1) === 1, objects: new Map(), pages: 0 });
    return id;
  }

  destroyPool(pool: number): number {
    return this.pools.delete(pool) ? Result.SUCCESS : Result.MISS;
  }

  /** A put that is refused leaves no older page. */
  put(id: number, object: number, index: number, page: number, isRefused = false): number {
    const pool = this.pools.get(id);
    if (pool === undefined) return Result.ENODEV;
    if (isRefused) return this.drop(id, object, index) ? Result.ENOSPC : Result.ENOMEM;
    let pages = pool.objects.get(object);
    if (pages === undefined) {
      pages = new Map();
      pool.objects.set(object, pages);
    }
    const before = pages.size;
    pages.set(index, page);
    pool.pages += pages.size - before;
    return Result.SUCCESS;
  }

  /** `got` has the page, which only a persistent pool keeps. */
  get(id: number, object: number, index: number): number {
    this.got = NONE;
    const pool = this.pools.get(id);
    if (pool === undefined) return Result.ENODEV;
    const page = pool.objects.get(object)?.get(index);
    if (page === undefined) return Result.MISS;
    this.got = page;
    if (!pool.persistent) this.drop(id, object, index);
    return Result.SUCCESS;
  }

  flushPage(id: number, object: number, index: number): number {
    if (!this.pools.has(id)) return Result.ENODEV;
    this.drop(id, object, index);
    return Result.SUCCESS;
  }

  flushObject(id: number, object: number): number {
    const pool = this.pools.get(id);
    if (pool === undefined) return Result.ENODEV;
    pool.pages -= pool.objects.get(object)?.size ?? 0;
    pool.objects.delete(object);
    return Result.SUCCESS;
  }

  /** The page is gone, of whatever pool. @returns whether it was there */
  drop(id: number, object: number, index: number): boolean {
    const pool = this.pools.get(id);
    const pages = pool?.objects.get(object);
    if (pool === undefined || pages?.delete(index) !== true) return false;
    pool.pages -= 1;
    if (pages.size === 0) pool.objects.delete(object);
    return true;
  }

  reset(): void {
    this.pools.clear();
  }
}
