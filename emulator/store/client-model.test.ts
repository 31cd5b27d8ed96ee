/**
 * Random operations on a client against a plain map, thousands of them, with the counts checked
 * after each: all slots are free, promised or used, none is in two places, and the quota is what
 * they sum to.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parsePolicy } from '../policy/put-policy.js';
import { PoolFlag } from '../protocol/layout.js';
import { objectId, TmemClient } from './client.js';
import { PageQuota } from './quota.js';
import { SlotState } from './slot-table.js';

const SLOTS = 24;
const POOLS = 3;

const key = {
  pool: fc.nat(POOLS),
  object: fc.nat(4),
  index: fc.oneof(fc.nat(4), fc.constantFrom(0x7fff_ffff, 0x8000_0000, 0xffff_ffff)),
};
const operation = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('put' as const), ...key }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('get' as const), ...key }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('flush' as const), ...key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flushObject' as const), ...key }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('newPool' as const), keep: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('destroy' as const), pool: key.pool }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('quota' as const), pages: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'promise' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'rebuild' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('policy' as const),
      name: fc.constantFrom('accept', 'refuse-every=3', 'refuse-duplicates'),
    }),
  },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

interface ModelPool {
  readonly keep: boolean;
  /** Slot by `object/index`. */
  readonly pages: Map<string, number>;
}

class Pair {
  readonly state = new ArrayBuffer(TmemClient.stateBytes(SLOTS));
  quota = new PageQuota();
  client = new TmemClient({ slotCount: SLOTS, state: this.state, quota: this.quota });
  readonly pools = new Map<number, ModelPool>();
  readonly promised = new Set<number>();

  run(step: Operation): void {
    switch (step.kind) {
      case 'put':
        this.#put(step.pool, step.object, step.index);
        break;
      case 'get':
        this.#get(step.pool, step.object, step.index);
        break;
      case 'flush': {
        const result = this.client.flushPage(step.pool, objectId(step.object), step.index);
        expect(result).toBe(this.pools.has(step.pool) ? 1 : -19);
        this.pools.get(step.pool)?.pages.delete(`${step.object}/${step.index}`);
        break;
      }
      case 'flushObject':
        this.#flushObject(step.pool, step.object);
        break;
      case 'newPool':
        this.#newPool(step.keep);
        break;
      case 'destroy': {
        const was = this.pools.delete(step.pool);
        expect(this.client.destroyPool(step.pool)).toBe(was ? 1 : 0);
        break;
      }
      case 'quota':
        this.quota.limit = step.pages;
        break;
      case 'promise':
        this.#grant();
        break;
      case 'rebuild':
        this.#rebuild();
        break;
      case 'policy':
        this.client.policy = parsePolicy(step.name);
        break;
    }
  }

  /** A promise may cost ephemeral pages, and only those. @returns a slot or -1 */
  #grant(): number {
    const before = this.client.freeSlots;
    const room = this.quota.taken < this.quota.limit;
    const slot = this.client.grant();
    if (before > 0 && room) expect(slot).not.toBe(-1);
    for (const { keep, pages } of this.pools.values()) {
      for (const [page, place] of pages) {
        const gone = this.client.slots.state(place) !== SlotState.USED;
        if (!keep && (gone || place === slot)) pages.delete(page);
        else expect(gone).toBe(false);
      }
    }
    if (slot === -1) return -1;
    expect(this.promised.has(slot)).toBe(false);
    this.promised.add(slot);
    return slot;
  }

  #put(id: number, object: number, index: number): void {
    const [held] = this.promised;
    const slot = held ?? this.#grant();
    if (slot === -1) return;
    this.promised.delete(slot);
    const model = this.pools.get(id);
    const page = `${object}/${index}`;
    const duplicate = model?.pages.has(page) === true;
    const policy = this.client.policy.name;
    const result = this.client.put(id, objectId(object), index, slot);
    if (model === undefined) expect(result).toBe(-19);
    else if (result === 1) model.pages.set(page, slot);
    else {
      expect(result).toBe(duplicate ? -28 : -12);
      expect(policy).not.toBe('accept');
      model.pages.delete(page);
    }
    if (policy === 'refuse-duplicates' && model !== undefined)
      expect(result === 1).toBe(!duplicate);
  }

  #get(id: number, object: number, index: number): void {
    const model = this.pools.get(id);
    const page = `${object}/${index}`;
    const slot = model?.pages.get(page);
    const result = this.client.get(id, objectId(object), index);
    expect(result).toBe(model === undefined ? -19 : slot === undefined ? 0 : 1);
    expect(this.client.gotSlot).toBe(slot ?? -1);
    expect(this.client.gotExclusive).toBe(slot !== undefined && model?.keep === false);
    if (!this.client.gotExclusive) return;
    model?.pages.delete(page);
    this.promised.add(slot!);
  }

  #flushObject(id: number, object: number): void {
    const model = this.pools.get(id);
    const result = this.client.flushObject(id, objectId(object));
    expect(result).toBe(model === undefined ? -19 : 1);
    for (const page of [...(model?.pages.keys() ?? [])]) {
      if (page.startsWith(`${object}/`)) model?.pages.delete(page);
    }
  }

  #newPool(keep: boolean): void {
    if (this.pools.size === POOLS) return;
    let id = 0;
    while (this.pools.has(id)) id += 1;
    const flags = (keep ? PoolFlag.PERSIST : 0) | (1 << 24);
    expect(this.client.newPool(flags, new Int32Array(4))).toBe(id);
    this.pools.set(id, { keep, pages: new Map() });
  }

  #rebuild(): void {
    this.quota = new PageQuota(this.quota.limit);
    const { policy } = this.client;
    this.client = new TmemClient({
      slotCount: SLOTS,
      state: this.state,
      quota: this.quota,
      policy,
    });
    this.promised.clear();
  }

  check(): void {
    const { client } = this;
    const used = [...this.pools.values()].flatMap((pool) => [...pool.pages.values()]);
    expect(new Set([...used, ...this.promised]).size).toBe(used.length + this.promised.size);
    expect(client.usedSlots).toBe(used.length);
    expect(client.grantedSlots).toBe(this.promised.size);
    expect(client.freeSlots).toBe(SLOTS - used.length - this.promised.size);
    expect(this.quota.taken).toBe(used.length + this.promised.size);
    for (const slot of used) expect(client.slots.state(slot)).toBe(SlotState.USED);
    for (const slot of this.promised) expect(client.slots.state(slot)).toBe(SlotState.GRANTED);
    expect(
      client
        .pools()
        .map(({ id, persistent, pages, objects }) => ({ id, persistent, pages, objects })),
    ).toEqual(
      [...this.pools]
        .sort(([a], [b]) => a - b)
        .map(([id, { keep, pages }]) => ({
          id,
          persistent: keep,
          pages: pages.size,
          objects: new Set([...pages.keys()].map((page) => page.split('/')[0])).size,
        })),
    );
  }
}

it('answers as a map does, and no slot is ever lost or in two places', () => {
  const operations = fc.array(operation, { size: 'max', minLength: 50, maxLength: 300 });
  fc.assert(
    fc.property(operations, (steps) => {
      const pair = new Pair();
      pair.run({ kind: 'newPool', keep: true });
      pair.run({ kind: 'newPool', keep: false });
      for (const step of steps) {
        pair.run(step);
        pair.check();
      }
    }),
    { numRuns: 60 },
  );
}, 60_000);
