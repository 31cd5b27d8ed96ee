/** Attaching and its end: PROTOCOL.md section 4. */
import { describe, expect, it } from 'vitest';
import { parsePolicy } from '../policy/put-policy.js';
import { Command, Feature, HostState, PAGE_BYTES, PoolFlag } from '../protocol/layout.js';
import { objectId } from '../store/client.js';
import { createLoopback, headerOffset } from '../testing/index.js';
import { CREDIT_WINDOW } from './session.js';

const OID = objectId(1, 2, 3, 4, 5, 6);

function pageOf(byte: number): Uint8Array {
  return new Uint8Array(PAGE_BYTES).fill(byte);
}

describe('attach', () => {
  it('serves a new guest: its epoch is published after the credits', () => {
    const { guest, session, client } = createLoopback();
    guest.attach(77);
    expect(session.guestEpoch).toBe(77);
    expect(guest.peekHeader('session_epoch')).toBe(77);
    expect(guest.credits).toBe(client.slots.count);
    expect(session.counters.sessions).toBe(1);
  });

  it('does nothing for a guest that is detached or whose epoch is 0', () => {
    const { guest, session } = createLoopback();
    expect(session.hasWork()).toBe(false);
    expect(session.serve()).toBe(0);
    guest.pokeHeader('guest_state', 1);
    expect(session.hasWork()).toBe(false);
    expect(session.serve()).toBe(0);
    expect(session.guestEpoch).toBe(0);
  });

  it('looks at no queue while no guest is attached', () => {
    const { guest, session } = createLoopback();
    guest.attach(1);
    guest.detach();
    guest.poke(guest.queueOffset(0, 'tail'), 0x4000_0000);
    guest.pokeHeader('credit_head', 0x4000_0000);
    expect(session.hasWork()).toBe(false);
    expect(session.serve()).toBe(0);
    expect(session.isFaulted).toBe(false);
  });

  it('answers no old page, pool or credit to a new epoch', () => {
    const { guest, client } = createLoopback();
    guest.attach(1);
    const pool = guest.newPool(PoolFlag.PERSIST);
    expect(guest.put(pool, OID, 9, pageOf(7))).toBe(1);
    guest.attach(2);
    expect(guest.get(pool, OID, 9).result).toBe(-19);
    expect(client.pools()).toEqual([]);
    expect(guest.newPool(PoolFlag.PERSIST)).toBe(pool);
    expect(guest.get(pool, OID, 9).result).toBe(0);
    expect(client.usedSlots).toBe(0);
    expect(guest.credits).toBe(client.grantedSlots);
  });

  it('begins its counters anew with each life', () => {
    const { guest } = createLoopback({ queueCount: 1 });
    guest.attach(1);
    for (let count = 0; count < 40; count += 1) guest.newPool(0);
    expect(guest.peek(guest.queueOffset(0, 'head'))).toBe(40);
    guest.attach(2);
    expect(guest.peek(guest.queueOffset(0, 'head'))).toBe(0);
    expect(guest.newPool(0)).toBe(0);
  });
});

describe('the end of a life', () => {
  it('drops what a guest that detaches had', () => {
    const { guest, client, session, quota } = createLoopback();
    guest.attach(5);
    const pool = guest.newPool(PoolFlag.PERSIST);
    guest.put(pool, OID, 0, pageOf(1));
    guest.detach();
    expect(session.guestEpoch).toBe(0);
    expect(client.freeSlots).toBe(client.slots.count);
    expect(client.pools()).toEqual([]);
    expect(quota.taken).toBe(0);
    expect(session.serve()).toBe(0);
  });

  it('notices a life that begins while it looks at the one before', () => {
    const { guest, session } = createLoopback({ queueCount: 1 });
    guest.attach(1);
    guest.newPool(0);
    // The next guest has set its tail to zero already; the host still sees the old epoch.
    const load = Atomics.load;
    let looks = 0;
    Atomics.load = ((words: Int32Array, word: number) => {
      const seen = load(words, word);
      if (word === headerOffset('guest_epoch') / 4 && looks++ === 0) guest.announce(2);
      return seen;
    }) as typeof Atomics.load;
    try {
      session.serve();
    } finally {
      Atomics.load = load;
    }
    session.serve();
    expect(session.isFaulted).toBe(false);
    expect(session.guestEpoch).toBe(2);
    expect(guest.newPool(0)).toBe(0);
  });
});

describe('credits', () => {
  it('grants at most a window ahead, and tops up at half', () => {
    const { guest, client, session } = createLoopback({ regionBytes: 32 * 1024 * 1024 });
    guest.attach(1);
    expect(client.grantedSlots).toBe(CREDIT_WINDOW);
    const pool = guest.newPool(PoolFlag.PERSIST);
    for (let index = 0; index < CREDIT_WINDOW / 2 - 1; index += 1) {
      guest.put(pool, OID, index, pageOf(0));
    }
    session.serve();
    expect(client.grantedSlots).toBe(CREDIT_WINDOW / 2 + 1);
    guest.put(pool, OID, CREDIT_WINDOW, pageOf(0));
    expect(client.grantedSlots).toBe(CREDIT_WINDOW);
  });

  it('grants none under a quota of 0: the guest then refuses by itself', () => {
    const { guest, client, quota, session } = createLoopback();
    quota.limit = 0;
    guest.attach(1);
    const pool = guest.newPool(PoolFlag.PERSIST);
    expect(guest.credits).toBe(0);
    expect(guest.put(pool, OID, 0, pageOf(1))).toBe(-12);
    expect(session.counters.puts).toBe(0);
    quota.limit = 1;
    session.serve();
    expect(guest.credits).toBe(1);
    expect(guest.put(pool, OID, 0, pageOf(1))).toBe(1);
    expect(client.usedSlots).toBe(1);
  });

  it('puts nothing while refuse is set', () => {
    const { guest, session } = createLoopback();
    guest.attach(1);
    const pool = guest.newPool(PoolFlag.PERSIST);
    expect(guest.put(pool, OID, 3, pageOf(1))).toBe(1);
    session.refusePuts(true);
    expect(guest.put(pool, OID, 3, pageOf(2))).toBe(-12);
    expect(guest.get(pool, OID, 3).result).toBe(0);
    session.refusePuts(false);
    expect(guest.put(pool, OID, 3, pageOf(3))).toBe(1);
  });

  it.each([1, 8, 100])('keeps ephemeral pages in a full store of %i pages', (pages) => {
    const { guest, quota, client } = createLoopback();
    quota.limit = pages;
    guest.attach(1);
    const pool = guest.newPool(0);
    for (let index = 0; index < 3 * pages; index += 1) guest.put(pool, OID, index, pageOf(index));
    expect(client.usedSlots).toBeGreaterThanOrEqual(Math.floor(pages / 2));
    expect(quota.taken).toBeLessThanOrEqual(pages);
  });
});

describe('restart and close', () => {
  it('scrubs every byte, forgets the guest and comes back as another host life', () => {
    const { guest, session, client, region, geometry, quota } = createLoopback();
    guest.attach(1);
    const pool = guest.newPool(PoolFlag.PERSIST);
    for (let index = 0; index < 20; index += 1) guest.put(pool, OID, index, pageOf(0xaa));
    guest.poke(guest.queueOffset(1, 'tail'), 999);
    session.serve();
    expect(session.isFaulted).toBe(true);
    session.restart(0xbeef);
    expect(session.isFaulted).toBe(false);
    expect(client.usedSlots + client.grantedSlots).toBe(0);
    expect(quota.taken).toBe(0);
    const bytes = new Uint8Array(region.memory);
    expect(bytes.subarray(PAGE_BYTES).every((byte) => byte === 0)).toBe(true);
    expect(geometry.queueOffset).toBe(PAGE_BYTES);
    expect(guest.peekHeader('host_epoch')).toBe(0xbeef);
    expect(guest.peekHeader('fault')).toBe(0);
    expect(guest.peekHeader('session_epoch')).toBe(0);
    guest.attach(1);
    expect(guest.newPool(0)).toBe(0);
  });

  it('goes on refusing when another machine comes', () => {
    const { guest, session } = createLoopback();
    guest.attach(1);
    session.refusePuts(true);
    session.restart(0xbeef);
    expect(guest.peekHeader('refuse')).toBe(1);
    guest.attach(2);
    expect(guest.put(guest.newPool(PoolFlag.PERSIST), OID, 0, pageOf(1))).toBe(-12);
    expect(session.counters.puts).toBe(0);
  });

  it('says DOWN and rings every queue when it closes; the guest then puts nothing', () => {
    const { guest, session, rings } = createLoopback({ queueCount: 2 });
    guest.attach(1);
    const pool = guest.newPool(PoolFlag.PERSIST);
    session.close();
    expect(guest.peekHeader('host_state')).toBe(HostState.DOWN);
    expect(rings).toEqual([0, 1]);
    expect(guest.put(pool, OID, 0, pageOf(1))).toBe(-12);
    expect(session.counters.puts).toBe(0);
  });
});

describe('features on offer', () => {
  it('are posted puts and direct gets while every put is taken', () => {
    const { guest } = createLoopback();
    expect(guest.peekHeader('features')).toBe(Feature.POSTED_PUTS | Feature.DIRECT_GETS);
  });

  it.each(['refuse-every=2', 'refuse-duplicates'])('lack posted puts under %s', (name) => {
    const { guest } = createLoopback({ policy: parsePolicy(name) });
    expect(guest.peekHeader('features')).toBe(Feature.DIRECT_GETS);
    guest.attach();
    expect(guest.features).toBe(0);
  });

  it.each([
    [3, true],
    [Feature.POSTED_PUTS, false],
    [Feature.DIRECT_GETS, false],
    [0xffff_ffff, true],
    [0, false],
  ])('a guest that uses %i waits for nothing: %s', (features, onlyPosts) => {
    const { guest, session } = createLoopback();
    guest.announce(8);
    guest.pokeHeader('guest_features', features);
    session.serve();
    expect(session.guestOnlyPosts).toBe(onlyPosts);
    guest.detach();
    expect(session.guestOnlyPosts).toBe(false);
  });

  it('bits that were not offered are not in use', () => {
    const { guest, session } = createLoopback({ policy: parsePolicy('refuse-duplicates') });
    guest.announce(8);
    guest.pokeHeader('guest_features', 0xffff_ffff);
    session.serve();
    expect(session.guestOnlyPosts).toBe(false);
  });

  it('DIRECT_GETS: a page stays in the slot in which it was put, through other operations', () => {
    const { guest, region, geometry } = createLoopback();
    guest.attach();
    const pool = guest.newPool(PoolFlag.PERSIST);
    const slot = guest.takeCredit();
    region.copyPageIn(geometry.slotPage, slot, pageOf(0x31));
    expect(guest.submit(0, { command: Command.PUT_PAGE, pool, oid: OID, slot }).result).toBe(1);
    for (let index = 1; index < 1000; index += 1) {
      guest.put(pool, OID, index, pageOf(index));
      if (index % 3 !== 0) guest.flushPage(pool, OID, index);
    }
    const seen = new Uint8Array(PAGE_BYTES);
    region.copyPageOut(geometry.slotPage, slot, seen);
    expect(seen).toEqual(pageOf(0x31));
    const reply = guest.submit(0, { command: Command.GET_PAGE, pool, oid: OID });
    expect(reply).toEqual({ result: 1, slot });
  });
});
