/**
 * One guest's tmem: its pools, objects and pages, in Xen's sense of a client.
 *
 * Single writer: one thread calls it, so there are no locks. A page's bytes lie in a slot of the
 * guest's arena and are never touched here; a put is committed by one store to the slot table,
 * which is the truth. The page index, the object lists and the free list are derived from it. The
 * caller owns the state memory and must keep it until the client is dropped.
 */
import { acceptAll, type PutPolicy } from '../policy/put-policy.js';
import { Journal } from './journal.js';
import { OBJECT_ID_WORDS, type ObjectId, ObjectTable } from './object-table.js';
import { PageIndex } from './page-index.js';
import { type PoolInfo, type PoolStats, PoolTable } from './pool-table.js';
import { PageQuota } from './quota.js';
import { Result } from './results.js';
import type { FillTables } from './secret-hash.js';
import { SlotState, SlotTable } from './slot-table.js';

const OBJECT_COUNT_MAX = 65536;

export interface ClientOptions {
  /** Slots of the guest's arena, from 1. */
  readonly slotCount: number;
  /** Zeroed, or left by an earlier client of the same size, which is then carried on. */
  readonly state?: ArrayBuffer;
  readonly quota?: PageQuota;
  readonly policy?: PutPolicy;
  /**
   * Slots promised by an earlier client are still with the guest; default: they are taken back.
   */
  readonly keepGranted?: boolean;
  /** Fills the tables of hashes; default: with what no guest knows (secret-hash.ts). */
  readonly fillTables?: FillTables;
}

function objectCapacity(slotCount: number): number {
  return Math.min(slotCount, OBJECT_COUNT_MAX);
}

export class TmemClient {
  readonly slots: SlotTable;
  policy: PutPolicy;
  /** After a get that hit: the slot that holds the page. */
  gotSlot = -1;
  /** After a get that hit: the page left the store with it and the caller now owns the slot. */
  gotExclusive = false;

  readonly #quota: PageQuota;
  readonly #journal: Journal;
  readonly #pools: PoolTable;
  readonly #objects: ObjectTable;
  readonly #pages: PageIndex;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #free: Int32Array;
  #freeCount = 0;
  #grantedCount = 0;
  #clockHand = 0;
  #ephemeralPages = 0;
  #redoing = false;

  /** Bytes of state memory for a client of `slotCount` slots. */
  static stateBytes(slotCount: number): number {
    const objects = ObjectTable.bytesFor(objectCapacity(slotCount));
    return Journal.bytes + PoolTable.bytes + objects + SlotTable.bytesFor(slotCount);
  }

  constructor(options: ClientOptions) {
    const { slotCount } = options;
    const state = options.state ?? new ArrayBuffer(TmemClient.stateBytes(slotCount));
    const capacity = objectCapacity(slotCount);
    const objectsAt = Journal.bytes + PoolTable.bytes;
    const slotsAt = objectsAt + ObjectTable.bytesFor(capacity);
    this.#quota = options.quota ?? new PageQuota();
    this.policy = options.policy ?? acceptAll;
    this.#journal = new Journal(new Int32Array(state, 0, Journal.bytes / 4));
    this.#pools = new PoolTable(new Int32Array(state, Journal.bytes, PoolTable.bytes / 4));
    const objectWords = ObjectTable.bytesFor(capacity) / 4;
    const objectRecords = new Int32Array(state, objectsAt, objectWords);
    this.#objects = new ObjectTable(objectRecords, capacity, options.fillTables);
    this.slots = new SlotTable(new Int32Array(state, slotsAt, slotCount * 4), slotCount);
    this.#pages = new PageIndex(this.slots, options.fillTables);
    this.#next = new Int32Array(slotCount);
    this.#previous = new Int32Array(slotCount);
    this.#free = new Int32Array(slotCount);
    this.#rebuild(options.keepGranted ?? false);
  }

  /** Derives index, lists and counts from the slot table; finishes whatever a crash cut short. */
  #rebuild(keepGranted: boolean): void {
    for (let slot = this.slots.count - 1; slot >= 0; slot -= 1) {
      const state = this.slots.state(slot);
      if (state === SlotState.USED && this.#adopt(slot)) continue;
      if (state === SlotState.GRANTED && keepGranted) {
        this.#grantedCount += 1;
        this.#quota.take();
        continue;
      }
      this.slots.setState(slot, SlotState.FREE);
      this.#free[this.#freeCount] = slot;
      this.#freeCount += 1;
    }
    for (let object = 0; object < this.#objects.capacity; object += 1) {
      const empty = this.#objects.pageCounts[object] === 0;
      if (empty && this.#objects.poolOf(object) !== -1) this.#objects.remove(object);
    }
  }

  #adopt(slot: number): boolean {
    const object = this.slots.object(slot);
    const pool = object >= 0 && object < this.#objects.capacity ? this.#objects.poolOf(object) : -1;
    if (!this.#pools.isLive(pool)) return false;
    const index = this.slots.index(slot);
    const rival = this.#pages.find(object, index);
    if (rival !== -1 && !this.slots.isNewer(slot, rival)) return false;
    if (rival !== -1) this.#dropSlot(rival, object);
    else if (this.#objects.pageCounts[object] === 0) this.#countObject(pool, 1);
    this.#link(slot, object, index);
    this.#quota.take();
    return true;
  }

  // --- Slots and credits ------------------------------------------------------------------------

  get freeSlots(): number {
    return this.#freeCount;
  }

  get grantedSlots(): number {
    return this.#grantedCount;
  }

  get usedSlots(): number {
    return this.slots.count - this.#freeCount - this.#grantedCount;
  }

  /**
   * Promises an empty slot to the guest: the most recently freed one, so that few slots stay in
   * use. Evicts an ephemeral page if that is what it takes and `mayEvict`. Returns the slot, or
   * -1 when quota and memory give none. `before` hears of the slot just before it is promised.
   */
  grant(mayEvict = true, before?: (slot: number) => void): number {
    if (this.#freeCount === 0 && !(mayEvict && this.#evict())) return -1;
    if (!this.#quota.tryTake()) {
      if (!(mayEvict && this.#evict() && this.#quota.tryTake())) return -1;
    }
    this.#freeCount -= 1;
    const slot = this.#free[this.#freeCount]!;
    before?.(slot);
    this.slots.setState(slot, SlotState.GRANTED);
    this.#grantedCount += 1;
    return slot;
  }

  /** Takes a promised slot back: a put that was refused, or a guest that is gone. */
  reclaim(slot: number): void {
    this.#grantedCount -= 1;
    this.#freeSlot(slot);
  }

  #freeSlot(slot: number): void {
    this.slots.setState(slot, SlotState.FREE);
    this.#free[this.#freeCount] = slot;
    this.#freeCount += 1;
    this.#quota.release();
  }

  /** Drops every page, pool and credit: the guest's life ended. */
  reset(): void {
    for (const pool of [...this.#pools.live()]) this.destroyPool(pool);
    for (let slot = 0; slot < this.slots.count; slot += 1) {
      if (this.slots.state(slot) === SlotState.GRANTED) this.reclaim(slot);
    }
  }

  // --- Operations that a crash cut short --------------------------------------------------------

  /** Another operation of the guest's begins: what comes until the next one is part of it. */
  begin(): void {
    this.#journal.begin();
  }

  /**
   * Runs, once more and before anything else, the operation that was under way when the client
   * before this one died: its effect is as if it had run once, and so is its result.
   */
  redo<T>(operation: () => T): T {
    this.#redoing = true;
    try {
      return operation();
    } finally {
      this.#redoing = false;
    }
  }

  /** A put of a slot that is not granted: it was carried out before, or refused, or is a lie. */
  #redonePut(pool: number, oid: ObjectId, index: number, slot: number): number {
    if (!this.#pools.isLive(pool)) return Result.ENODEV;
    const there = this.#find(pool, oid, index);
    if (this.slots.state(slot) === SlotState.USED) {
      return there === slot ? Result.SUCCESS : Result.EFAULT;
    }
    if (there === -1) return Result.ENOMEM;
    this.#dropPage(there);
    return Result.ENOSPC;
  }

  // --- Pools ------------------------------------------------------------------------------------

  /**
   * NEW_POOL. `flags` as in Xen's tmem.h with the spec version in the top byte; `uuid` four words.
   * @returns the pool's id from 0, or EPERM
   */
  newPool(flags: number, uuid: Int32Array): number {
    const { serial } = this.#journal;
    const made = this.#redoing ? this.#pools.madeBy(serial) : -1;
    return made === -1 ? this.#pools.create(flags, uuid, serial) : made;
  }

  /** DESTROY_POOL: drops all its pages; puts to it fail from now on. 1, or 0 for no such pool. */
  destroyPool(pool: number): number {
    const { serial } = this.#journal;
    if (this.#redoing && this.#pools.wasDestroyedBy(pool, serial)) return Result.SUCCESS;
    if (!this.#pools.isLive(pool)) return Result.MISS;
    this.#pools.remove(pool, serial);
    const objects = this.#objects;
    for (let object = objects.firstOf(pool); object !== -1; object = objects.firstOf(pool)) {
      this.#dropObject(object, pool);
    }
    return Result.SUCCESS;
  }

  pools(): PoolInfo[] {
    return [...this.#pools.live()].map((pool) => this.#pools.info(pool));
  }

  // --- Pages ------------------------------------------------------------------------------------

  /**
   * PUT_PAGE of the bytes in `slot`, which must be GRANTED and is the store's again, whatever the
   * result: it either becomes the page's place or is free.
   * @returns 1; EFAULT (slot not granted: nothing changed); ENODEV; ENOMEM; ENOSPC (the page was
   *   there, the put failed, the old page is gone)
   */
  put(pool: number, oid: ObjectId, index: number, slot: number): number {
    if (!(slot >= 0 && slot < this.slots.count)) return Result.EFAULT;
    if (this.slots.state(slot) !== SlotState.GRANTED) {
      return this.#redoing ? this.#redonePut(pool, oid, index, slot) : Result.EFAULT;
    }
    if (!this.#pools.isLive(pool)) {
      this.reclaim(slot);
      return Result.ENODEV;
    }
    const stats = this.#pools.stats(pool);
    stats.puts += 1;
    let object = this.#objects.find(pool, oid);
    const old = object === -1 ? -1 : this.#pages.find(object, index);
    const duplicate = old !== -1;
    if (!this.policy.admits({ pool, index, duplicate })) return this.#refuse(stats, slot, old);
    if (object === -1) {
      object = this.#objects.create(pool, oid);
      if (object === -1) return this.#refuse(stats, slot, old);
      this.#countObject(pool, 1);
    }
    this.#store(object, index, slot, old, stats);
    return Result.SUCCESS;
  }

  #store(object: number, index: number, slot: number, old: number, stats: PoolStats): void {
    this.slots.commit(slot, object, index, old);
    this.#grantedCount -= 1;
    this.#link(slot, object, index);
    if (old !== -1) {
      this.#dropSlot(old, object);
      stats.duplicatesReplaced += 1;
    }
    stats.putsGood += 1;
    if (stats.pages > stats.pagesMax) stats.pagesMax = stats.pages;
  }

  #refuse(stats: PoolStats, slot: number, old: number): number {
    this.reclaim(slot);
    if (old === -1) {
      stats.putsNoMemory += 1;
      return Result.ENOMEM;
    }
    stats.duplicatesFlushed += 1;
    this.#dropPage(old);
    return Result.ENOSPC;
  }

  /**
   * GET_PAGE. On a hit `gotSlot` names the slot. A persistent pool keeps the page; from an
   * ephemeral (private) pool it is gone and `gotExclusive` says that the slot is the caller's, as
   * a credit.
   * @returns 1 hit, 0 miss, ENODEV
   */
  get(pool: number, oid: ObjectId, index: number): number {
    this.gotSlot = -1;
    this.gotExclusive = false;
    if (!this.#pools.isLive(pool)) return Result.ENODEV;
    const stats = this.#pools.stats(pool);
    stats.gets += 1;
    const slot = this.#find(pool, oid, index);
    if (slot === -1) return this.#redoing ? this.#redoneGet() : Result.MISS;
    stats.getsFound += 1;
    this.gotSlot = slot;
    if (!this.#pools.isPersistent(pool)) {
      this.gotExclusive = true;
      this.#journal.take(slot);
      this.#unlinkPage(slot);
      this.slots.setState(slot, SlotState.GRANTED);
      this.#grantedCount += 1;
    }
    return Result.SUCCESS;
  }

  /** The page is in the slot that this get took, if it came so far; nobody has got it since. */
  #redoneGet(): number {
    const slot = this.#journal.taken;
    if (slot === -1 || this.slots.state(slot) !== SlotState.GRANTED) return Result.MISS;
    this.gotSlot = slot;
    this.gotExclusive = true;
    return Result.SUCCESS;
  }

  /** FLUSH_PAGE: 1 whether or not the page was there (Xen's answer), ENODEV. */
  flushPage(pool: number, oid: ObjectId, index: number): number {
    if (!this.#pools.isLive(pool)) return Result.ENODEV;
    const stats = this.#pools.stats(pool);
    stats.flushes += 1;
    const slot = this.#find(pool, oid, index);
    if (slot !== -1) {
      stats.flushesFound += 1;
      this.#dropPage(slot);
    }
    return Result.SUCCESS;
  }

  /** FLUSH_OBJECT: drops all pages of an object. 1 whether or not it was there, ENODEV. */
  flushObject(pool: number, oid: ObjectId): number {
    if (!this.#pools.isLive(pool)) return Result.ENODEV;
    const stats = this.#pools.stats(pool);
    stats.objectFlushes += 1;
    const object = this.#objects.find(pool, oid);
    if (object !== -1) {
      stats.objectFlushesFound += 1;
      this.#dropObject(object, pool);
    }
    return Result.SUCCESS;
  }

  #find(pool: number, oid: ObjectId, index: number): number {
    const object = this.#objects.find(pool, oid);
    return object === -1 ? -1 : this.#pages.find(object, index);
  }

  // --- Lists ------------------------------------------------------------------------------------

  #link(slot: number, object: number, index: number): void {
    this.#pages.set(object, index, slot);
    const first = this.#objects.firstSlots[object]!;
    this.#next[slot] = first;
    this.#previous[slot] = -1;
    if (first !== -1) this.#previous[first] = slot;
    this.#objects.firstSlots[object] = slot;
    this.#objects.pageCounts[object]! += 1;
    this.#countPages(this.#objects.poolOf(object), 1);
  }

  /** Takes a slot off its object's list and frees it; the page index is the caller's business. */
  #dropSlot(slot: number, object: number): void {
    this.#unlinkSlot(slot, object);
    this.#freeSlot(slot);
  }

  #unlinkSlot(slot: number, object: number): void {
    const next = this.#next[slot]!;
    const previous = this.#previous[slot]!;
    if (next !== -1) this.#previous[next] = previous;
    if (previous === -1) this.#objects.firstSlots[object] = next;
    else this.#next[previous] = next;
    this.#objects.pageCounts[object]! -= 1;
    this.#countPages(this.#objects.poolOf(object), -1);
  }

  #dropPage(slot: number): void {
    this.#unlinkPage(slot);
    this.#freeSlot(slot);
  }

  /** Forgets the page in `slot`, and its object when that was its last page. */
  #unlinkPage(slot: number): void {
    const object = this.slots.object(slot);
    this.#pages.remove(object, this.slots.index(slot));
    this.#unlinkSlot(slot, object);
    if (this.#objects.pageCounts[object] !== 0) return;
    this.#countObject(this.#objects.poolOf(object), -1);
    this.#objects.remove(object);
  }

  #dropObject(object: number, pool: number): void {
    let slot = this.#objects.firstSlots[object]!;
    this.#countPages(pool, -this.#objects.pageCounts[object]!);
    this.#countObject(pool, -1);
    this.#objects.remove(object);
    while (slot !== -1) {
      this.#pages.remove(object, this.slots.index(slot));
      this.#freeSlot(slot);
      slot = this.#next[slot]!;
    }
  }

  #countPages(pool: number, change: number): void {
    this.#pools.stats(pool).pages += change;
    if (!this.#pools.isPersistent(pool)) this.#ephemeralPages += change;
  }

  #countObject(pool: number, change: number): void {
    const stats = this.#pools.stats(pool);
    stats.objects += change;
    if (stats.objects > stats.objectsMax) stats.objectsMax = stats.objects;
  }

  /**
   * Frees one ephemeral page, in the order of a clock hand over the slots; false when there is
   * none.
   */
  #evict(): boolean {
    if (this.#ephemeralPages === 0) return false;
    for (let step = 0; step < this.slots.count; step += 1) {
      const slot = this.#clockHand;
      this.#clockHand = slot + 1 === this.slots.count ? 0 : slot + 1;
      if (this.slots.state(slot) !== SlotState.USED) continue;
      const pool = this.#objects.poolOf(this.slots.object(slot));
      if (this.#pools.isPersistent(pool)) continue;
      this.#pools.stats(pool).evicted += 1;
      this.#dropPage(slot);
      return true;
    }
    return false;
  }
}

/** A fresh object id from up to six 32-bit words, least significant first. */
export function objectId(...words: number[]): ObjectId {
  const oid = new Int32Array(OBJECT_ID_WORDS);
  oid.set(words.map((word) => word | 0));
  return oid;
}
