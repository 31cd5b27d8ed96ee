/**
 * What a tmem client answers: PROTOCOL.md section 6 and DESIGN.md section 3, sentence by sentence.
 */
import { describe, expect, it } from 'vitest';
import { parsePolicy } from '../policy/put-policy.js';
import { PoolFlag } from '../protocol/layout.js';
import { objectId, TmemClient } from './client.js';
import { PageQuota } from './quota.js';
import { SlotState } from './slot-table.js';

const PERSISTENT = PoolFlag.PERSIST | (1 << 24);
const EPHEMERAL = 1 << 24;
const OID = objectId(0xabc);
const UUID = new Int32Array(4);

/** A client with pool 0 persistent and pool 1 ephemeral. */
function client(slotCount = 8, options: { quota?: PageQuota; policy?: string } = {}): TmemClient {
  const { quota, policy = 'accept' } = options;
  const made = new TmemClient({
    slotCount,
    policy: parsePolicy(policy),
    ...(quota === undefined ? {} : { quota }),
  });
  expect(made.newPool(PERSISTENT, UUID)).toBe(0);
  expect(made.newPool(EPHEMERAL, UUID)).toBe(1);
  return made;
}

describe('put', () => {
  it('makes the granted slot the place of the page', () => {
    const store = client();
    const slot = store.grant();
    expect(store.slots.state(slot)).toBe(SlotState.GRANTED);
    expect(store.put(0, OID, 5, slot)).toBe(1);
    expect(store.slots.state(slot)).toBe(SlotState.USED);
    expect(store.get(0, OID, 5)).toBe(1);
    expect(store.gotSlot).toBe(slot);
  });

  it('of a page that is there replaces it: the old slot is free', () => {
    const store = client();
    const old = store.grant();
    store.put(0, OID, 5, old);
    const fresh = store.grant();
    expect(store.put(0, OID, 5, fresh)).toBe(1);
    store.get(0, OID, 5);
    expect(store.gotSlot).toBe(fresh);
    expect(store.slots.state(old)).toBe(SlotState.FREE);
    expect(store.usedSlots).toBe(1);
    expect(store.pools()[0]).toMatchObject({ pages: 1, duplicatesReplaced: 1, putsGood: 2 });
  });

  it('of a page that is there, refused, is ENOSPC and the old page is gone', () => {
    const store = client(8, { policy: 'refuse-duplicates' });
    store.put(0, OID, 5, store.grant());
    expect(store.put(0, OID, 5, store.grant())).toBe(-28);
    expect(store.get(0, OID, 5)).toBe(0);
    expect(store.freeSlots).toBe(8);
    expect(store.pools()[0]).toMatchObject({ pages: 0, objects: 0, duplicatesFlushed: 1 });
  });

  it('of a page that is not there, refused, is ENOMEM and gives the slot back', () => {
    const store = client(8, { policy: 'refuse-every=1' });
    expect(store.put(0, OID, 5, store.grant())).toBe(-12);
    expect(store.freeSlots).toBe(8);
    expect(store.pools()[0]).toMatchObject({ puts: 1, putsNoMemory: 1, putsGood: 0, objects: 0 });
  });

  it('to no pool is ENODEV and gives the slot back', () => {
    const store = client();
    expect(store.put(2, OID, 0, store.grant())).toBe(-19);
    expect(store.put(-1, OID, 0, store.grant())).toBe(-19);
    expect(store.freeSlots).toBe(8);
  });
});

describe('a put that cannot be', () => {
  it('of a slot that is not granted is EFAULT and changes nothing', () => {
    const store = client();
    const used = store.grant();
    store.put(0, OID, 1, used);
    const before = store.pools();
    const free = used === 0 ? 1 : 0;
    for (const slot of [-1, 8, 0x7fff_ffff, Number.NaN, used, free]) {
      expect(store.put(0, OID, 1, slot), `slot ${slot}`).toBe(-14);
    }
    expect(store.pools()).toEqual(before);
    expect([store.usedSlots, store.freeSlots, store.grantedSlots]).toEqual([1, 7, 0]);
  });

  it('never runs out of objects while it has a slot', () => {
    const store = client(300);
    for (let id = 0; id < 300; id += 1) {
      expect(store.put(0, objectId(id, id), 0, store.grant())).toBe(1);
    }
    expect(store.grant()).toBe(-1);
    for (let id = 0; id < 300; id += 1) expect(store.get(0, objectId(id, id), 0)).toBe(1);
  });

  it('is refused, the pages there kept, beyond 65536 objects', () => {
    const store = client(65540);
    for (let id = 0; id < 65536; id += 1) store.put(0, objectId(id), 0, store.grant());
    expect(store.put(0, objectId(65536), 0, store.grant())).toBe(-12);
    expect(store.put(0, objectId(3), 1, store.grant())).toBe(1);
    expect(store.get(0, objectId(0), 0)).toBe(1);
  });
});

describe('get', () => {
  it('from a persistent pool leaves the page', () => {
    const store = client();
    store.put(0, OID, 0, store.grant());
    for (let times = 0; times < 3; times += 1) {
      expect(store.get(0, OID, 0)).toBe(1);
      expect(store.gotExclusive).toBe(false);
    }
    expect(store.usedSlots).toBe(1);
  });

  it('from an ephemeral pool takes the page and hands the slot over as a credit', () => {
    const store = client();
    const slot = store.grant();
    store.put(1, OID, 0, slot);
    expect(store.get(1, OID, 0)).toBe(1);
    expect(store.gotSlot).toBe(slot);
    expect(store.gotExclusive).toBe(true);
    expect(store.slots.state(slot)).toBe(SlotState.GRANTED);
    expect([store.usedSlots, store.grantedSlots]).toEqual([0, 1]);
    expect(store.get(1, OID, 0)).toBe(0);
    expect(store.put(0, OID, 0, slot)).toBe(1);
  });

  it('misses a page that was never put, and knows no page of another pool, object or index', () => {
    const store = client();
    store.put(0, OID, 4, store.grant());
    expect(store.get(0, OID, 5)).toBe(0);
    expect(store.get(0, objectId(0xabc, 1), 4)).toBe(0);
    expect(store.get(1, OID, 4)).toBe(0);
    expect(store.get(2, OID, 4)).toBe(-19);
    expect(store.gotSlot).toBe(-1);
    expect(store.gotExclusive).toBe(false);
    expect(store.pools()[0]).toMatchObject({ gets: 2, getsFound: 0 });
  });

  it('forgets the slot of the get before when it misses', () => {
    const store = client();
    store.put(1, OID, 4, store.grant());
    store.get(1, OID, 4);
    store.get(1, OID, 4);
    expect([store.gotSlot, store.gotExclusive]).toEqual([-1, false]);
  });
});

describe('flush', () => {
  it('of a page removes it; of a missing page is a success too', () => {
    const store = client();
    store.put(0, OID, 0, store.grant());
    store.put(0, OID, 1, store.grant());
    expect(store.flushPage(0, OID, 0)).toBe(1);
    expect(store.flushPage(0, OID, 0)).toBe(1);
    expect(store.flushPage(0, objectId(9), 0)).toBe(1);
    expect(store.get(0, OID, 0)).toBe(0);
    expect(store.get(0, OID, 1)).toBe(1);
    expect(store.pools()[0]).toMatchObject({ flushes: 3, flushesFound: 1, pages: 1, objects: 1 });
  });

  it('of an object removes all its pages and no other', () => {
    const store = client();
    for (let index = 0; index < 4; index += 1) store.put(0, OID, index, store.grant());
    store.put(0, objectId(9), 0, store.grant());
    store.put(1, OID, 0, store.grant());
    expect(store.flushObject(0, OID)).toBe(1);
    expect(store.flushObject(0, OID)).toBe(1);
    for (let index = 0; index < 4; index += 1) expect(store.get(0, OID, index)).toBe(0);
    expect(store.get(0, objectId(9), 0)).toBe(1);
    expect(store.get(1, OID, 0)).toBe(1);
    expect(store.pools()[0]).toMatchObject({ objectFlushes: 2, objectFlushesFound: 1, objects: 1 });
  });

  it('of no pool is ENODEV', () => {
    const store = client();
    expect(store.flushPage(7, OID, 0)).toBe(-19);
    expect(store.flushObject(7, OID)).toBe(-19);
  });

  it('and what is put afterwards is the newer page', () => {
    const store = client();
    store.put(0, OID, 0, store.grant());
    store.flushPage(0, OID, 0);
    const slot = store.grant();
    store.put(0, OID, 0, slot);
    store.get(0, OID, 0);
    expect(store.gotSlot).toBe(slot);
  });
});

describe('pools', () => {
  it('destroying one drops its pages; puts to it fail until the next NEW_POOL', () => {
    const store = client();
    store.put(0, OID, 0, store.grant());
    store.put(1, OID, 0, store.grant());
    expect(store.destroyPool(0)).toBe(1);
    expect(store.destroyPool(0)).toBe(0);
    expect(store.put(0, OID, 0, store.grant())).toBe(-19);
    expect(store.get(0, OID, 0)).toBe(-19);
    expect(store.usedSlots).toBe(1);
    expect(store.newPool(PERSISTENT, UUID)).toBe(0);
    expect(store.get(0, OID, 0)).toBe(0);
    expect(store.pools().map((pool) => pool.pages)).toEqual([0, 1]);
  });

  it('destroying one that never was is a miss', () => {
    const store = client();
    for (const pool of [2, 63, 64, -1, 0x7fff_ffff]) expect(store.destroyPool(pool)).toBe(0);
  });
});

describe('quota and eviction', () => {
  it('grants as many slots as the quota allows, and again after a flush', () => {
    const quota = new PageQuota(2);
    const store = client(8, { quota });
    store.put(0, OID, 0, store.grant());
    store.put(0, OID, 1, store.grant());
    expect(store.grant()).toBe(-1);
    store.flushPage(0, OID, 0);
    expect(store.put(0, OID, 2, store.grant())).toBe(1);
    expect(quota.taken).toBe(2);
  });

  it('is one bound for all clients that share it', () => {
    const quota = new PageQuota(3);
    const [one, other] = [client(8, { quota }), client(8, { quota })];
    one.grant();
    one.grant();
    expect(other.grant()).not.toBe(-1);
    expect(other.grant()).toBe(-1);
    one.reset();
    expect(quota.taken).toBe(1);
    expect(other.grant()).not.toBe(-1);
  });

  it.each([
    ['slots', undefined],
    ['quota', new PageQuota(4)],
  ])('evicts ephemeral pages when %s run out, never a persistent one', (_what, quota) => {
    const store = client(quota === undefined ? 4 : 16, quota === undefined ? {} : { quota });
    store.put(0, OID, 0, store.grant());
    store.put(1, OID, 0, store.grant());
    store.put(0, OID, 1, store.grant());
    store.put(1, OID, 1, store.grant());
    expect(store.grant(false)).toBe(-1);
    expect(store.put(0, OID, 2, store.grant())).toBe(1);
    expect(store.put(0, OID, 3, store.grant())).toBe(1);
    expect(store.grant()).toBe(-1);
    for (let index = 0; index < 4; index += 1) expect(store.get(0, OID, index)).toBe(1);
    expect(store.get(1, OID, 0)).toBe(0);
    expect(store.get(1, OID, 1)).toBe(0);
    expect(store.pools()[1]).toMatchObject({ evicted: 2, pages: 0, objects: 0 });
  });

  it('does not evict a promise', () => {
    const store = client(2);
    store.put(1, OID, 0, store.grant());
    const promised = store.grant();
    expect(store.grant()).not.toBe(promised);
    expect(store.slots.state(promised)).toBe(SlotState.GRANTED);
    expect(store.grant()).toBe(-1);
  });

  it('reset drops pages, pools and promises', () => {
    const quota = new PageQuota();
    const store = client(8, { quota });
    store.put(0, OID, 0, store.grant());
    store.put(1, OID, 0, store.grant());
    store.grant();
    store.reset();
    expect([store.freeSlots, store.grantedSlots, store.usedSlots]).toEqual([8, 0, 0]);
    expect(store.pools()).toEqual([]);
    expect(quota.taken).toBe(0);
  });

  it('spends at most 32 bytes of metadata for a page and for an object', () => {
    const bytes = (slots: number) => TmemClient.stateBytes(slots);
    expect(bytes(200_001) - bytes(200_000)).toBeLessThanOrEqual(32);
  });
});
