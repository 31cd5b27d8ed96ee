/**
 * A guest chooses the keys of its pages, and with them how far the host must walk in its tables:
 * no choice of keys makes an operation, or the end of a pool, cost more than what it holds.
 */
import { afterEach, expect, it, vi } from 'vitest';
import { objectId, TmemClient } from './client.js';
import { ObjectTable } from './object-table.js';
import { PageIndex } from './page-index.js';
import { SecretHash } from './secret-hash.js';
import { SlotTable } from './slot-table.js';

const PERSISTENT = (1 << 24) | 1;
const UUID = new Int32Array(4);
const COUNT = 4096;

afterEach(() => {
  vi.restoreAllMocks();
});

/** Keys as an attacker or a file system would choose them. */
const rows: [string, (key: number) => number][] = [
  ['a row', (key) => key],
  ['of the same low bits', (key) => key << 20],
  ['of the same low half', (key) => (key << 16) | 0x1234],
  ['of the same bits in the middle', (key) => (key & 0x3f) | ((key >>> 6) << 26)],
];

it('has a hash that no guest can know', () => {
  const one = new SecretHash(2);
  const other = new SecretHash(2);
  const differ = Array.from({ length: 64 }, (_, word) => one.of(1, word) !== other.of(1, word));
  expect(differ.filter(Boolean).length).toBeGreaterThan(60);
  const words = Array.from({ length: 64 }, (_, bit) => one.of(bit >> 5, 1 << (bit & 31)));
  expect(new Set(words).size).toBeGreaterThan(60);
});

it.each(rows)('finds each page in a few steps: indexes %s', (_name, indexOf) => {
  let looks = 0;
  class CountingSlots extends SlotTable {
    override index(slot: number): number {
      looks += 1;
      return super.index(slot);
    }
  }
  const slots = new CountingSlots(new Int32Array(SlotTable.bytesFor(COUNT) / 4), COUNT);
  const pages = new PageIndex(slots);
  for (let key = 0; key < COUNT; key += 1) {
    slots.commit(key, 7, indexOf(key), 0);
    pages.set(7, indexOf(key) >>> 0, key);
  }
  looks = 0;
  for (let key = 0; key < COUNT; key += 1) expect(pages.find(7, indexOf(key) >>> 0)).toBe(key);
  expect(looks).toBeLessThan(4 * COUNT);
});

it.each(rows)('drops each object in a few steps: ids %s', (_name, word) => {
  const store = new TmemClient({ slotCount: COUNT });
  store.newPool(PERSISTENT, UUID);
  for (let key = 0; key < COUNT; key += 1) {
    expect(store.put(0, objectId(0, 0, 0, 0, 0, word(key)), 0, store.grant())).toBe(1);
  }
  const hashed = vi.spyOn(SecretHash.prototype, 'of');
  store.reset();
  expect(store.freeSlots).toBe(COUNT);
  // Seven words an object: its own, and those of its neighbours in the table.
  expect(hashed.mock.calls.length).toBeGreaterThanOrEqual(7 * COUNT);
  expect(hashed.mock.calls.length).toBeLessThan(7 * 6 * COUNT);
});

it('ends a pool without a walk over the objects of others', () => {
  const store = new TmemClient({ slotCount: COUNT });
  store.newPool(PERSISTENT, UUID);
  for (let key = 0; key < COUNT; key += 1) store.put(0, objectId(key), 0, store.grant());
  const looked = vi.spyOn(ObjectTable.prototype, 'poolOf');
  for (let round = 0; round < 100; round += 1) {
    expect(store.destroyPool(store.newPool(PERSISTENT, UUID))).toBe(1);
  }
  expect(looked.mock.calls.length).toBeLessThan(100);
  expect(store.usedSlots).toBe(COUNT);
});
