/**
 * One life of a store's: random operations on a TmemClient, each answer compared with the model's,
 * and its slots, counts and statistics with what the operations so far make them.
 *
 * What the store chooses freely is read off and held against the rules: which slot it promises, and
 * which ephemeral page it gives up for that. Hardly anything is allocated for an operation.
 */
import { acceptAll, type PutRequest } from '../../../emulator/policy/put-policy.js';
import { TmemClient } from '../../../emulator/store/client.js';
import { PageQuota } from '../../../emulator/store/quota.js';
import { Result } from '../../../emulator/store/results.js';
import { SlotState } from '../../../emulator/store/slot-table.js';
import type { Random } from '../random.js';
import { Model, NONE } from './model.js';
import { diceOf, Op, OperationLog } from './store-log.js';
import type { Shape } from './store-shape.js';
import { Statistics } from './store-statistics.js';

const OBJECTS_MAX = 65_536;
/** Operations between two looks at everything, which cost a look at each slot. */
const LOOK_EVERY_MIN = 256;
const FLAGS = [0x100_0001, 0x100_0001, 0x100_0000, 0x100_0000, 0x100_0002];
const BAD_FLAGS = [1, 0x200_0001, 0x100_0003, 0x100_0004, 0x100_0010, 0x100_0100, 0x180_0000];
/** For keys of at most seven words (secret-hash.ts). */
const HASH_WORDS = 7 * 1024;
const UUID = new Int32Array(4);

export class StoreLife {
  readonly #random: Random;
  readonly #shape: Shape;
  readonly #dice: Uint8Array;
  readonly #model = new Model();
  readonly #statistics = new Statistics();
  readonly #log = new OperationLog();
  /** What all clients' hashes are made of, so that a seed gives the same collisions again. */
  readonly #hashes: Int32Array;
  readonly #state: ArrayBuffer;
  #quota = new PageQuota();
  #client: TmemClient;
  /** Slots that the guest has; only the first `#heldCount`. */
  readonly #held: Int32Array;
  #heldCount = 0;
  /** What each slot must be, and the key of its page. */
  readonly #states: Uint8Array;
  readonly #pools: Int32Array;
  readonly #objects: Int32Array;
  readonly #indices: Float64Array;
  /** What the policy was asked last, and its answer. */
  #asked: PutRequest | undefined;
  #admits = true;

  constructor(shape: Shape, random: Random) {
    this.#shape = shape;
    this.#random = random;
    this.#dice = diceOf(shape.weights);
    this.#hashes = Int32Array.from({ length: HASH_WORDS }, () => random.next() & shape.hashMask);
    this.#state = new ArrayBuffer(TmemClient.stateBytes(shape.slots));
    this.#held = new Int32Array(shape.slots);
    this.#states = new Uint8Array(shape.slots);
    this.#pools = new Int32Array(shape.slots);
    this.#objects = new Int32Array(shape.slots);
    this.#indices = new Float64Array(shape.slots);
    this.#client = this.#build(false);
  }

  #build(keepGranted: boolean): TmemClient {
    const policy = {
      ...acceptAll,
      admits: (request: PutRequest): boolean => {
        this.#asked = request;
        return this.#admits;
      },
    };
    return new TmemClient({
      slotCount: this.#shape.slots,
      state: this.#state,
      quota: this.#quota,
      policy,
      keepGranted,
      fillTables: (tables) => tables.set(this.#hashes.subarray(0, tables.length)),
    });
  }

  /**
   * Runs so many operations, then looks at everything once more and ends the life.
   * @throws Divergence
   */
  run(operations: number): void {
    const { fill, slots } = this.#shape;
    const lookEvery = Math.max(LOOK_EVERY_MIN, slots * 2);
    for (let at = 0; at < operations; at += 1) {
      if (at < 2) this.#newPool(FLAGS[at * 2]!);
      else if (at < fill) this.#put(0, at, 0);
      else this.#step();
      this.#checkCounts();
      if (at % lookEvery === 0) this.#checkAll();
    }
    this.#checkAll();
    this.#end();
  }

  /** The client, to which another operation of the guest's comes. */
  get #begun(): TmemClient {
    this.#client.begin();
    return this.#client;
  }

  #same(what: string, seen: number, expected: number): void {
    if (seen !== expected) this.#log.diverge(`${what} is ${seen}, the model has ${expected}`);
  }

  #step(): void {
    const random = this.#random;
    const { pools, objects, indices, slots } = this.#shape;
    const operation = this.#dice[random.next() >>> 16]!;
    const slot = random.below(slots);
    // Every other key is one that is there, in a store that is full.
    const isThere = this.#states[slot] === SlotState.USED && random.oneIn(2);
    const pool = isThere ? this.#pools[slot]! : pools[random.below(pools.length)]!;
    const object = isThere ? this.#objects[slot]! : random.below(objects.length);
    const index = isThere ? this.#indices[slot]! : indices[random.below(indices.length)]!;
    switch (operation) {
      case Op.PUT:
        this.#put(pool, object, index);
        break;
      case Op.GET:
        this.#get(pool, object, index);
        break;
      case Op.FLUSH_PAGE:
        this.#flushPage(pool, object, index);
        break;
      case Op.FLUSH_OBJECT:
        this.#flushObject(pool, object);
        break;
      case Op.NEW_POOL:
        this.#newPool(random.pick(random.oneIn(4) ? BAD_FLAGS : FLAGS));
        break;
      case Op.DESTROY_POOL:
        this.#destroyPool(pool);
        break;
      case Op.GRANT:
        this.#grant(!random.oneIn(4));
        break;
      case Op.RECLAIM:
        this.#reclaim();
        break;
      case Op.QUOTA:
        this.#changeQuota();
        break;
      case Op.RESTART:
        this.#restart(!random.oneIn(4));
        break;
      case Op.RESET:
        this.#reset();
        break;
    }
  }

  // --- Slots ------------------------------------------------------------------------------------

  #free(slot: number): void {
    this.#states[slot] = SlotState.FREE;
  }

  #hold(slot: number): void {
    this.#states[slot] = SlotState.GRANTED;
    this.#held[this.#heldCount] = slot;
    this.#heldCount += 1;
  }

  /** A slot that the guest has, whose it is no more; NONE when it has none. */
  #takeHeld(): number {
    if (this.#heldCount === 0) return NONE;
    const at = this.#random.below(this.#heldCount);
    const slot = this.#held[at]!;
    this.#heldCount -= 1;
    this.#held[at] = this.#held[this.#heldCount]!;
    return slot;
  }

  /**
   * A slot is promised when there is one, within the quota, at the cost of ephemeral pages only.
   */
  #grant(mayEvict: boolean): number {
    const client = this.#client;
    const { taken, limit } = this.#quota;
    const evictable = mayEvict ? this.#model.ephemeralPages : 0;
    let evictions = 0;
    if (client.freeSlots === 0 && evictable > 0) evictions += 1;
    const room = client.freeSlots + evictions > 0;
    if (room && taken - evictions >= limit && evictable > evictions) evictions += 1;
    const granted = room && taken - evictions < limit;
    const slot = client.grant(mayEvict);
    this.#log.add(Op.GRANT, mayEvict ? 1 : 0, 0, 0, slot, 0);
    if ((slot !== NONE) !== granted) {
      this.#log.diverge(granted ? 'no slot was promised, and there is room' : 'too many slots');
    }
    this.#takeEvicted(slot, evictions);
    if (slot === NONE) return NONE;
    if (this.#states[slot] !== SlotState.FREE) this.#log.diverge(`slot ${slot} is not free`);
    this.#hold(slot);
    return slot;
  }

  /** Has the model drop what the store did, which is likely to be the page of slot `likely`. */
  #takeEvicted(likely: number, evictions: number): void {
    let left = evictions - (this.#noteEvicted(likely) ? 1 : 0);
    for (let slot = 0; left > 0 && slot < this.#states.length; slot += 1) {
      if (this.#noteEvicted(slot)) left -= 1;
    }
    this.#same('evicted pages that are missing', left, 0);
  }

  /** Whether the page that was in `slot` is gone. */
  #noteEvicted(slot: number): boolean {
    if (slot === NONE || this.#states[slot] !== SlotState.USED) return false;
    if (this.#client.slots.state(slot) === SlotState.USED) return false;
    const pool = this.#pools[slot]!;
    if (this.#model.pools.get(pool)?.persistent) this.#log.diverge(`pool ${pool} lost a page`);
    this.#model.drop(pool, this.#objects[slot]!, this.#indices[slot]!);
    this.#statistics.of(pool).evicted += 1;
    this.#free(slot);
    return true;
  }

  #reclaim(): void {
    const slot = this.#takeHeld();
    if (slot === NONE) return;
    this.#log.add(Op.RECLAIM, 0, 0, 0, slot, 0);
    this.#client.reclaim(slot);
    this.#free(slot);
  }

  #changeQuota(): void {
    const limit = this.#random.oneIn(3)
      ? Number.POSITIVE_INFINITY
      : this.#random.below(this.#shape.slots + 2);
    this.#log.add(Op.QUOTA, limit, 0, 0, 0, 0);
    this.#quota.limit = limit;
  }

  // --- Pools ------------------------------------------------------------------------------------

  #newPool(flags: number): void {
    const result = this.#begun.newPool(flags, UUID);
    this.#log.add(Op.NEW_POOL, flags, 0, 0, 0, result);
    this.#same('NEW_POOL', result, this.#model.newPool(flags));
    if (result >= 0) this.#statistics.begin(result);
  }

  #destroyPool(pool: number): void {
    for (const pages of this.#model.pools.get(pool)?.objects.values() ?? []) this.#freePages(pages);
    const result = this.#begun.destroyPool(pool);
    this.#log.add(Op.DESTROY_POOL, pool, 0, 0, 0, result);
    this.#same('DESTROY_POOL', result, this.#model.destroyPool(pool));
  }

  /** The slots of these pages are free. */
  #freePages(pages: Map<number, number> | undefined): void {
    for (const slot of pages?.values() ?? []) this.#free(slot);
  }

  // --- Pages ------------------------------------------------------------------------------------

  #put(pool: number, object: number, index: number): void {
    if (this.#random.oneIn(64)) {
      this.#putWrongSlot(pool, object, index);
      return;
    }
    let slot = this.#takeHeld();
    if (slot === NONE && this.#grant(true) !== NONE) slot = this.#takeHeld();
    if (slot === NONE) return;
    const model = this.#model;
    const { refuses, objects } = this.#shape;
    const old = model.peek(pool, object, index);
    const isNew = model.pools.get(pool)?.objects.has(object) === false;
    this.#admits = refuses === 0 || !this.#random.oneIn(refuses);
    const refused = !this.#admits || (isNew && model.objects === OBJECTS_MAX);
    this.#asked = undefined;
    const result = this.#begun.put(pool, objects[object]!, index, slot);
    this.#log.add(Op.PUT, pool, object, index, slot, result);
    this.#same('PUT_PAGE', result, model.put(pool, object, index, slot, refused));
    this.#checkPolicy(pool, index, old !== NONE);
    if (old !== NONE && result !== Result.ENODEV) this.#free(old);
    this.#free(slot);
    if (result === Result.SUCCESS) {
      this.#states[slot] = SlotState.USED;
      this.#pools[slot] = pool;
      this.#objects[slot] = object;
      this.#indices[slot] = index;
    }
    this.#statistics.put(pool, result, old !== NONE, model.pools.get(pool));
  }

  /** A slot that is not the guest's to put: nothing happens. */
  #putWrongSlot(pool: number, object: number, index: number): void {
    const wrong = [-1, this.#shape.slots, 0x7fff_ffff, -0x8000_0000];
    const slot = this.#random.oneIn(2)
      ? this.#random.pick(wrong)
      : this.#random.below(this.#shape.slots);
    if (this.#states[slot] === SlotState.GRANTED) return;
    const result = this.#begun.put(pool, this.#shape.objects[object]!, index, slot);
    this.#log.add(Op.PUT, pool, object, index, slot, result);
    this.#same('PUT_PAGE of a slot that is not granted', result, Result.EFAULT);
  }

  #checkPolicy(pool: number, index: number, duplicate: boolean): void {
    if (!this.#model.pools.has(pool)) return;
    const asked = this.#asked;
    if (asked?.pool === pool && asked.index === index && asked.duplicate === duplicate) return;
    this.#log.diverge(`the policy was asked ${JSON.stringify(asked)}`);
  }

  #get(pool: number, object: number, index: number): void {
    const model = this.#model;
    const client = this.#begun;
    const result = client.get(pool, this.#shape.objects[object]!, index);
    this.#log.add(Op.GET, pool, object, index, client.gotSlot, result);
    this.#same('GET_PAGE', result, model.get(pool, object, index));
    this.#same('the slot of the page', client.gotSlot, model.got);
    const isTaken = model.got !== NONE && model.pools.get(pool)?.persistent === false;
    if (client.gotExclusive !== isTaken) this.#log.diverge('a get takes no page of swap, or must');
    if (isTaken) this.#hold(model.got);
    this.#statistics.get(pool, result);
  }

  #flushPage(pool: number, object: number, index: number): void {
    const old = this.#model.peek(pool, object, index);
    const result = this.#begun.flushPage(pool, this.#shape.objects[object]!, index);
    this.#log.add(Op.FLUSH_PAGE, pool, object, index, old, result);
    this.#same('FLUSH_PAGE', result, this.#model.flushPage(pool, object, index));
    if (old !== NONE) this.#free(old);
    this.#statistics.flush(pool, old !== NONE);
  }

  #flushObject(pool: number, object: number): void {
    const pages = this.#model.pools.get(pool)?.objects.get(object);
    this.#freePages(pages);
    const result = this.#begun.flushObject(pool, this.#shape.objects[object]!);
    this.#log.add(Op.FLUSH_OBJECT, pool, object, 0, 0, result);
    this.#same('FLUSH_OBJECT', result, this.#model.flushObject(pool, object));
    this.#statistics.flushObject(pool, pages !== undefined);
  }

  // --- Lives ------------------------------------------------------------------------------------

  /**
   * Another client goes on from the state. Where the promised slots stay with the guest, one before
   * it has carried out the last operation once more, as if its answer had not been given.
   */
  #restart(keepGranted: boolean): void {
    if (keepGranted) this.#repeat();
    this.#quota = new PageQuota(this.#quota.limit);
    this.#client = this.#build(keepGranted);
    this.#log.add(Op.RESTART, keepGranted ? 1 : 0, 0, 0, 0, 0);
    this.#statistics.restart(this.#model);
    if (!keepGranted) {
      for (let at = 0; at < this.#heldCount; at += 1) this.#free(this.#held[at]!);
      this.#heldCount = 0;
    }
    this.#checkAll();
  }

  #repeat(): void {
    const [operation, pool, object, index, slot, result] = this.#log.last;
    const client = this.#build(true);
    const oid = this.#shape.objects[object]!;
    const again = client.redo(() => {
      switch (operation) {
        case Op.PUT:
          return result === Result.EFAULT ? result : client.put(pool, oid, index, slot);
        case Op.GET:
          return client.get(pool, oid, index);
        case Op.FLUSH_PAGE:
          return client.flushPage(pool, oid, index);
        case Op.FLUSH_OBJECT:
          return client.flushObject(pool, oid);
        case Op.NEW_POOL:
          return client.newPool(pool, UUID);
        case Op.DESTROY_POOL:
          return client.destroyPool(pool);
        default:
          return result;
      }
    });
    // That the page was there cannot be seen any more.
    const expected = result === Result.ENOSPC ? Result.ENOMEM : result;
    this.#same('the result, redone,', again, expected);
    if (operation === Op.GET) this.#same('the slot, redone,', client.gotSlot, slot);
  }

  #reset(): void {
    this.#log.add(Op.RESET, 0, 0, 0, 0, 0);
    this.#client.reset();
    this.#model.reset();
    this.#states.fill(SlotState.FREE);
    this.#heldCount = 0;
    this.#checkAll();
    this.#newPool(FLAGS[0]!);
  }

  /** Every page is still there, once; when all is dropped, every slot is free. */
  #end(): void {
    const pools = [...this.#model.pools].map(([id, { objects }]) => ({ id, objects }));
    for (const { id, objects } of pools) {
      const keys = [...objects].flatMap(([object, pages]) =>
        [...pages.keys()].map((index) => ({ object, index })),
      );
      for (const { object, index } of keys) this.#get(id, object, index);
    }
    this.#checkCounts();
    this.#reset();
    this.#same('free slots in the end', this.#client.freeSlots, this.#shape.slots);
  }

  // --- What must hold ---------------------------------------------------------------------------

  #checkCounts(): void {
    const client = this.#client;
    const used = this.#model.pages;
    const held = this.#heldCount;
    this.#same('the count of used slots', client.usedSlots, used);
    this.#same('the count of promised slots', client.grantedSlots, held);
    this.#same('the count of free slots', client.freeSlots, this.#shape.slots - used - held);
    this.#same('what is taken of the quota', this.#quota.taken, used + held);
  }

  /** The state of every slot, and the statistics of every pool. */
  #checkAll(): void {
    const { slots } = this.#client;
    for (let slot = 0; slot < slots.count; slot += 1) {
      this.#same(`the state of slot ${slot}`, slots.state(slot), this.#states[slot]!);
    }
    const difference = this.#statistics.difference(this.#client.pools(), this.#model);
    if (difference !== undefined) this.#log.diverge(difference);
  }
}
