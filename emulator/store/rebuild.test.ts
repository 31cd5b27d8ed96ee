/**
 * A store that is built anew over the state of an earlier one, whole or cut short at any
 * instruction.
 *
 * Each operation runs with its stores to the state recorded. Between two atomic stores the plain
 * ones may have happened in part, so every subset of them is tried. Each torn state must rebuild
 * to what was before the operation or to what is after it: never to a mixture, never with a slot
 * lost.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parsePolicy } from '../policy/put-policy.js';
import { PoolFlag } from '../protocol/layout.js';
import { objectId, TmemClient } from './client.js';
import { PageQuota } from './quota.js';
import { SlotState } from './slot-table.js';

const SLOTS = 8;
const PERSISTENT = PoolFlag.PERSIST | (1 << 24);
const EPHEMERAL = 1 << 24;
const OBJECTS = [objectId(1), objectId(2, 3), objectId(4, 5, 6, 7, 8, 9)];
const INDICES = [0, 1, 0xffff_ffff];

interface Store {
  readonly state: ArrayBuffer;
  readonly client: TmemClient;
}

/** Pool 0 persistent with three pages in two objects, pool 1 ephemeral with one. */
function filled(policy = 'accept'): Store {
  const state = new ArrayBuffer(TmemClient.stateBytes(SLOTS));
  const client = new TmemClient({ slotCount: SLOTS, state, policy: parsePolicy(policy) });
  client.newPool(PERSISTENT, new Int32Array(4));
  client.newPool(EPHEMERAL, new Int32Array(4));
  client.put(0, OBJECTS[0]!, 0, client.grant());
  client.put(0, OBJECTS[0]!, 1, client.grant());
  client.put(0, OBJECTS[1]!, 0, client.grant());
  client.put(1, OBJECTS[0]!, 0, client.grant());
  return { state, client };
}

function rebuilt(state: ArrayBuffer): TmemClient {
  const quota = new PageQuota();
  const client = new TmemClient({ slotCount: SLOTS, state: state.slice(0), quota });
  expect(quota.taken).toBe(client.usedSlots);
  return client;
}

/** Which slot holds each page, as gets answer. Ephemeral pages leave the client that is asked. */
function contents(client: TmemClient): string[] {
  const seen: string[] = [];
  for (let pool = 0; pool < 3; pool += 1) {
    for (const [object, oid] of OBJECTS.entries()) {
      for (const index of INDICES) {
        const result = client.get(pool, oid, index);
        if (result === -19) continue;
        if (result === 1) seen.push(`pool ${pool} object ${object} ${index}: ${client.gotSlot}`);
      }
    }
  }
  return [...seen, `pools ${client.pools().map((pool) => pool.id)}`];
}

/** Free, granted and used slots are all slots; counts of pools are those of the pages found. */
function checkWhole(client: TmemClient): void {
  expect(client.freeSlots + client.usedSlots).toBe(SLOTS);
  expect(client.grantedSlots).toBe(0);
  const states = Array.from({ length: SLOTS }, (_, slot) => client.slots.state(slot));
  expect(states.filter((state) => state === SlotState.USED)).toHaveLength(client.usedSlots);
  const pools = client.pools();
  expect(pools.reduce((sum, pool) => sum + pool.pages, 0)).toBe(client.usedSlots);
  for (const { id, pages, objects } of pools) {
    const found = OBJECTS.map((oid) => countPages(client, id, oid));
    expect(found.reduce((sum, count) => sum + count, 0)).toBe(pages);
    expect(found.filter((count) => count > 0)).toHaveLength(objects);
  }
  const emptied = rebuilt(stateOf(client));
  for (const { id } of pools) for (const oid of OBJECTS) emptied.flushObject(id, oid);
  for (const pool of emptied.pools()) expect(pool).toMatchObject({ pages: 0, objects: 0 });
  expect(emptied.freeSlots).toBe(SLOTS);
}

/** Pages of an object, without taking any. */
function countPages(client: TmemClient, pool: number, oid: Int32Array): number {
  const flushed = rebuilt(stateOf(client));
  const before = flushed.usedSlots;
  flushed.flushObject(pool, oid);
  return before - flushed.usedSlots;
}

const states = new WeakMap<TmemClient, ArrayBuffer>();
function stateOf(client: TmemClient): ArrayBuffer {
  return states.get(client)!;
}

/** Copies of the state before and after each atomic store that `run` makes, in order. */
function record(state: ArrayBuffer, run: () => unknown): ArrayBuffer[] {
  const copies = [state.slice(0)];
  const store = Atomics.store;
  vi.spyOn(Atomics, 'store').mockImplementation(((words: Int32Array, at: number, value: number) => {
    copies.push(state.slice(0));
    const stored = store(words, at, value);
    copies.push(state.slice(0));
    return stored;
  }) as typeof Atomics.store);
  run();
  vi.restoreAllMocks();
  copies.push(state.slice(0));
  return copies;
}

/** Every state in which a crash may leave the words that differ between two copies. */
function* tornStates(from: ArrayBuffer, to: ArrayBuffer): Generator<ArrayBuffer> {
  const [before, after] = [new Int32Array(from), new Int32Array(to)];
  const changed = [...before.keys()].filter((word) => before[word] !== after[word]);
  expect(changed.length).toBeLessThanOrEqual(10);
  for (let subset = 0; subset < 2 ** changed.length; subset += 1) {
    const torn = before.slice();
    for (const [bit, word] of changed.entries()) {
      if ((subset & (1 << bit)) !== 0) torn[word] = after[word]!;
    }
    yield torn.buffer;
  }
}

afterEach(() => vi.restoreAllMocks());

function fresh(state: ArrayBuffer): TmemClient {
  const copy = state.slice(0);
  const client = new TmemClient({ slotCount: SLOTS, state: copy });
  states.set(client, copy);
  return client;
}

/** Runs `operation` on a store, crashes it at every point, and checks what rebuilds. */
function crashEverywhere(store: Store, operation: (client: TmemClient) => number): number {
  const old = contents(fresh(store.state));
  const copies = record(store.state, () => operation(store.client));
  const next = contents(fresh(store.state));
  let tried = 0;
  for (let step = 1; step < copies.length; step += 1) {
    for (const torn of tornStates(copies[step - 1]!, copies[step]!)) {
      const client = fresh(torn);
      checkWhole(client);
      const seen = contents(client);
      expect([old, next]).toContainEqual(seen);
      expect(worksOn(fresh(torn))).toBe(SLOTS);
      tried += 1;
    }
  }
  return tried;
}

/** Fills a store to the last slot and empties it: how many slots it had. */
function worksOn(client: TmemClient): number {
  client.reset();
  client.newPool(PERSISTENT, new Int32Array(4));
  for (let index = 0; ; index += 1) {
    const slot = client.grant();
    if (slot === -1) return index === client.usedSlots ? index : -1;
    expect(client.put(0, OBJECTS[index % 3]!, index, slot)).toBe(1);
  }
}

/**
 * Slots that are in use, by the state words alone: two for a page whose duplicate put was cut
 * short.
 */
function usedIn(state: ArrayBuffer): number {
  const slots = new Int32Array(state).subarray(-SLOTS * 4);
  return slots.filter((word, at) => at % 4 === 0 && word === SlotState.USED).length;
}

describe('a rebuilt store', () => {
  it('has the same pages in the same slots', () => {
    const { state, client } = filled();
    client.put(0, OBJECTS[1]!, 0xffff_ffff, client.grant());
    client.flushPage(0, OBJECTS[0]!, 1);
    const used = client.usedSlots;
    const again = rebuilt(state);
    expect(again.usedSlots).toBe(used);
    expect(again.freeSlots).toBe(SLOTS - used);
    const slotsOf = contents(again);
    expect(slotsOf).toEqual(contents(client));
    expect(slotsOf).toHaveLength(5);
  });

  it('takes promised slots back: the promise was to a guest that must ask again', () => {
    const { state, client } = filled();
    client.grant();
    expect(rebuilt(state).grantedSlots).toBe(0);
    expect(rebuilt(state).freeSlots).toBe(SLOTS - 4);
  });

  it.each([
    ['below', 0],
    ['above', 1],
  ])('goes on where it stopped: a newer page in a slot %s the old one wins', (_where, index) => {
    const { state, client } = filled();
    // The freed slot is the next one granted: one that the rebuilding looks at last, or first.
    client.flushPage(0, OBJECTS[index]!, 0);
    const next = new TmemClient({ slotCount: SLOTS, state });
    const slot = next.grant();
    const kept = OBJECTS[1 - index]!;
    const copies = record(state, () => next.put(0, kept, 0, slot));
    const both = copies.filter((copy) => usedIn(copy) === 4);
    expect(both.length).toBeGreaterThan(0);
    for (const copy of both) {
      const again = fresh(copy);
      again.get(0, kept, 0);
      expect(again.gotSlot).toBe(slot);
    }
  });

  it('a page that was put 2^31 puts before its duplicate loses against it', () => {
    const { state, client } = filled();
    const words = new Int32Array(state).subarray(-SLOTS * 4);
    client.get(0, OBJECTS[0]!, 1);
    // The pages of a store that has run for a day: one of long ago, one of now.
    words[client.gotSlot * 4 + 3] = -100;
    client.get(0, OBJECTS[0]!, 0);
    words[client.gotSlot * 4 + 3] = 0x7fff_ffff;
    const next = new TmemClient({ slotCount: SLOTS, state });
    const slot = next.grant();
    const copies = record(state, () => next.put(0, OBJECTS[0]!, 1, slot));
    const both = copies.filter((copy) => usedIn(copy) === 5);
    expect(both.length).toBeGreaterThan(0);
    for (const copy of both) {
      const again = fresh(copy);
      again.get(0, OBJECTS[0]!, 1);
      expect(again.gotSlot).toBe(slot);
    }
  });

  it('is empty over zeroed memory', () => {
    const client = rebuilt(new ArrayBuffer(TmemClient.stateBytes(SLOTS)));
    expect(client.freeSlots).toBe(SLOTS);
    expect(client.pools()).toEqual([]);
  });

  it('takes no record that names an object out of range', () => {
    const { state } = filled();
    const words = new Int32Array(state);
    for (const object of [-1, SLOTS, 0x7fff_ffff]) {
      const at = words.length - SLOTS * 4 + 4 * 3;
      words.set([SlotState.USED, object, 0, 99], at);
      checkWhole(fresh(state));
    }
  });
});

describe('a crash at any store of', () => {
  const operations: [string, (client: TmemClient) => number][] = [
    ['grant', (client) => client.grant()],
    ['a put to a new object', (client) => client.put(0, OBJECTS[2]!, 0, client.grant())],
    ['a put to an object that is there', (client) => client.put(0, OBJECTS[1]!, 1, client.grant())],
    ['a duplicate put', (client) => client.put(0, OBJECTS[0]!, 0, client.grant())],
    ['a duplicate put of a lone page', (client) => client.put(0, OBJECTS[1]!, 0, client.grant())],
    ['a duplicate put, ephemeral', (client) => client.put(1, OBJECTS[0]!, 0, client.grant())],
    ['flush of a page', (client) => client.flushPage(0, OBJECTS[0]!, 1)],
    ['flush of the last page of an object', (client) => client.flushPage(0, OBJECTS[1]!, 0)],
    ['flush of an object', (client) => client.flushObject(0, OBJECTS[0]!)],
    ['destroy of a pool', (client) => client.destroyPool(0)],
    ['destroy of an ephemeral pool', (client) => client.destroyPool(1)],
    ['a new pool', (client) => client.newPool(PERSISTENT, Int32Array.of(1, 2, 3, 4))],
    ['an exclusive get', (client) => client.get(1, OBJECTS[0]!, 0)],
  ];

  it.each(operations)('%s leaves the old state or the new', (_name, operation) => {
    expect(crashEverywhere(filled(), operation)).toBeGreaterThan(2);
  });

  it('a duplicate put into a lower slot leaves the old state or the new', () => {
    const store = filled();
    store.client.flushPage(0, OBJECTS[0]!, 0);
    crashEverywhere(store, (client) => client.put(0, OBJECTS[1]!, 0, client.grant()));
  });

  it('a duplicate put that is refused leaves the old state or the new', () => {
    const store = filled('refuse-duplicates');
    const tried = crashEverywhere(store, (client) => client.put(0, OBJECTS[0]!, 0, client.grant()));
    expect(tried).toBeGreaterThan(2);
    expect(store.client.get(0, OBJECTS[0]!, 0)).toBe(0);
  });

  it('an eviction leaves the old state or the new', () => {
    const store = filled();
    const { client } = store;
    for (const oid of OBJECTS) {
      for (const index of INDICES)
        if (client.freeSlots > 0) client.put(0, oid, index, client.grant());
    }
    while (client.freeSlots > 0) client.grant();
    expect(crashEverywhere(store, (full) => full.grant())).toBeGreaterThan(2);
    expect(client.pools()[1]).toMatchObject({ evicted: 1, pages: 0 });
  });
});
