/**
 * Hostile guests: each rule marked *(fault)* in PROTOCOL.md, and the operations that XSA-15 was
 * about.
 *
 * After a fault the host says so and stops; the guest's pages go, and no other guest's.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Command, Fault, HostState, PAGE_BYTES, PoolFlag } from '../protocol/layout.js';
import { objectId, TmemClient } from '../store/client.js';
import {
  createLoopback,
  FakeGuest,
  FakeGuestError,
  headerOffset,
  type Loopback,
  type RawDescriptor,
} from '../testing/index.js';
import type { SharedRegion } from '../transport/region.js';
import { FAULT_NAMES, Session } from './session.js';

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const OID = objectId(0x11, 0, 0xffff_ffff);
const page = new Uint8Array(PAGE_BYTES).fill(0x5a);

/**
 * An attached guest with a persistent pool 0 and one page in it, beside another guest with a page.
 */
function attached(): { loop: Loopback; neighbour: TmemClient } {
  const loop = createLoopback();
  const neighbour = new TmemClient({ slotCount: 4, quota: loop.quota });
  neighbour.newPool(PoolFlag.PERSIST | (1 << 24), new Int32Array(4));
  neighbour.put(0, OID, 1, neighbour.grant());
  loop.guest.attach(0x1234);
  loop.guest.newPool(PoolFlag.PERSIST);
  loop.guest.put(0, OID, 0, page);
  return { loop, neighbour };
}

function expectCutOff(loop: Loopback, neighbour: TmemClient, fault: number): void {
  const { session, guest, client, quota } = loop;
  expect(session.isFaulted).toBe(true);
  expect(loop.faults).toEqual([fault]);
  expect(session.counters.faults).toBe(1);
  expect(guest.peekHeader('fault')).toBe(fault);
  expect(guest.peekHeader('host_state')).toBe(HostState.FAULTED);
  expect(client.freeSlots).toBe(client.slots.count);
  expect(client.pools()).toEqual([]);
  expect(neighbour.get(0, OID, 1)).toBe(1);
  expect(quota.taken).toBe(1);
  const before = new Uint8Array(loop.region.memory.slice(0));
  guest.pokeHeader('guest_epoch', 0x77);
  expect(session.hasWork()).toBe(false);
  expect(session.serve()).toBe(0);
  guest.pokeHeader('guest_epoch', 0x1234);
  expect(session.serve()).toBe(0);
  expect(Buffer.compare(before, new Uint8Array(loop.region.memory))).toBe(0);
}

describe('a word that no honest guest writes cuts the guest off', () => {
  it('TAIL_RANGE: a tail more than a queue ahead', () => {
    const { loop, neighbour } = attached();
    const head = loop.guest.peek(loop.guest.queueOffset(1, 'head'));
    loop.guest.poke(loop.guest.queueOffset(1, 'tail'), head + loop.geometry.queueEntries + 1);
    expect(loop.session.serve()).toBe(0);
    expectCutOff(loop, neighbour, Fault.TAIL_RANGE);
  });

  it('TAIL_RANGE: a tail behind the head', () => {
    const { loop, neighbour } = attached();
    const head = loop.guest.peek(loop.guest.queueOffset(0, 'head'));
    loop.guest.poke(loop.guest.queueOffset(0, 'tail'), head - 1);
    expect(loop.session.serve()).toBe(0);
    expectCutOff(loop, neighbour, Fault.TAIL_RANGE);
  });

  const put = Command.PUT_PAGE;
  const cases: [string, (slots: { used: number; count: number }) => RawDescriptor, number][] = [
    ['SEQUENCE', () => ({ command: Command.GET_PAGE, sequence: 0x8000_0000 }), Fault.SEQUENCE],
    ['EPOCH: of another life', () => ({ command: Command.GET_PAGE, epoch: 0x1235 }), Fault.EPOCH],
    ['EPOCH: 0', () => ({ command: Command.CONTROL, epoch: 0 }), Fault.EPOCH],
    ['SLOT: the largest', () => ({ command: put, slot: 0x7fff_ffff }), Fault.SLOT],
    ['SLOT: negative', () => ({ command: put, slot: -1 }), Fault.SLOT],
    ['SLOT: behind the last', ({ count }) => ({ command: put, slot: count }), Fault.SLOT],
    ['SLOT: in use, not granted', ({ used }) => ({ command: put, slot: used }), Fault.SLOT],
  ];

  it.each(cases)('%s', (_name, words, fault) => {
    const { loop, neighbour } = attached();
    const { guest, client } = loop;
    client.get(0, OID, 0);
    const raw = words({ used: client.gotSlot, count: client.slots.count });
    const head = guest.peek(guest.queueOffset(1, 'head'));
    guest.post(1, { oid: OID, ...raw });
    loop.session.serve();
    expect(guest.peek(guest.queueOffset(1, 'head'))).toBe(head);
    expectCutOff(loop, neighbour, fault);
  });

  it('SLOT: one credit put twice', () => {
    const { loop, neighbour } = attached();
    const slot = loop.guest.takeCredit();
    const put = { command: Command.PUT_PAGE, oid: OID, slot };
    loop.guest.post(0, { ...put, index: 5 });
    loop.guest.post(0, { ...put, index: 6 });
    expect(loop.session.serve()).toBe(1);
    expectCutOff(loop, neighbour, Fault.SLOT);
  });

  it('SLOT: even when the pool does not exist', () => {
    const { loop, neighbour } = attached();
    loop.guest.post(0, { command: Command.PUT_PAGE, pool: 9, slot: loop.geometry.slotCount });
    loop.session.serve();
    expectCutOff(loop, neighbour, Fault.SLOT);
  });

  it.each([
    ['past the tail', (tail: number) => tail + 1],
    ['more than a ring behind', (tail: number, entries: number) => tail - entries - 1],
  ])('CREDIT_RANGE: a credit head %s', (_name, head) => {
    const { loop, neighbour } = attached();
    const tail = loop.guest.peekHeader('credit_tail');
    loop.guest.pokeHeader('credit_head', head(tail, loop.geometry.creditEntries));
    loop.session.serve();
    expectCutOff(loop, neighbour, Fault.CREDIT_RANGE);
  });
});

describe('a cut', () => {
  it('serves no other queue after the cut, and grants nothing', () => {
    const { loop, neighbour } = attached();
    loop.guest.post(1, { command: Command.NEW_POOL, flags: 1 << 24 });
    loop.guest.poke(loop.guest.queueOffset(0, 'tail'), 0x4000_0000);
    loop.session.serve();
    expectCutOff(loop, neighbour, Fault.TAIL_RANGE);
  });

  it('answers the descriptors before the bad one, and none after it', () => {
    const { loop } = attached();
    const { guest } = loop;
    const first = guest.post(1, { command: Command.GET_PAGE, oid: OID });
    guest.post(1, { command: Command.GET_PAGE, oid: OID, epoch: 1 });
    guest.post(1, { command: Command.GET_PAGE, oid: OID });
    expect(loop.session.serve()).toBe(1);
    expect(guest.waitReply(1, first).result).toBe(1);
    expect(() => guest.waitReply(1, first + 1)).toThrow(FakeGuestError);
  });

  it('wakes every sleeper of the guest', () => {
    const { loop } = attached();
    loop.rings.length = 0;
    loop.guest.pokeHeader('credit_head', 0x4000_0000);
    loop.session.serve();
    expect(loop.rings).toEqual([0, 1]);
  });

  it('is told once, however much follows: the first fault is its name', () => {
    const { loop, neighbour } = attached();
    loop.guest.pokeHeader('credit_head', 0x4000_0000);
    loop.session.serve();
    for (let more = 0; more < 100; more += 1) loop.session.cutOff(Fault.FRAME);
    expectCutOff(loop, neighbour, Fault.CREDIT_RANGE);
  });

  it('has a name for every fault', () => {
    expect(Object.keys(FAULT_NAMES).map(Number)).toEqual([...new Set(Object.values(Fault))]);
    expect(FAULT_NAMES[Fault.CREDIT_RANGE]).toBe('FAULT_CREDIT_RANGE');
  });
});

describe('honest slots near the edges', () => {
  it('takes a full queue', () => {
    const { loop } = attached();
    const { queueEntries } = loop.geometry;
    for (let count = 0; count < queueEntries; count += 1) {
      loop.guest.post(1, { command: Command.GET_PAGE, oid: OID });
    }
    expect(loop.session.serve()).toBe(queueEntries);
    expect(loop.session.isFaulted).toBe(false);
  });

  it('takes counters past 2^32', () => {
    const start = 0xffff_fff8;
    class LateCounters extends Uint32Array {
      override fill(): this {
        return super.fill(start);
      }
    }
    vi.stubGlobal('Uint32Array', LateCounters);
    const { guest, session } = createLoopback({ queueCount: 1 });
    guest.announce(3);
    session.serve();
    vi.unstubAllGlobals();
    guest.poke(guest.queueOffset(0, 'tail'), start);
    expect(guest.peek(guest.queueOffset(0, 'head'))).toBe(start);
    const pool = guest.newPool(PoolFlag.PERSIST);
    for (let index = 0; index < 40; index += 1) {
      expect(guest.put(pool, OID, index, page)).toBe(1);
      expect(guest.get(pool, OID, index).page).toEqual(page);
    }
    expect(guest.peek(guest.queueOffset(0, 'head'))).toBe((start + 81) >>> 0);
    guest.poke(guest.queueOffset(0, 'tail'), start);
    session.serve();
    expect(session.isFaulted).toBe(true);
  });
});

describe('operations that XSA-15 was about', () => {
  const strange = [-1, -0x8000_0000, 64, 65, 0x7fff_ffff, 1];
  const keyed = [
    ['FLUSH_PAGE', Command.FLUSH_PAGE, -19],
    ['FLUSH_OBJECT', Command.FLUSH_OBJECT, -19],
    ['GET_PAGE', Command.GET_PAGE, -19],
    ['DESTROY_POOL', Command.DESTROY_POOL, 0],
  ] as const;

  it.each(keyed)('%s of a pool that does not exist', (_name, command, result) => {
    const { loop } = attached();
    for (const pool of strange) {
      expect(loop.guest.submit(0, { command, pool, oid: OID }).result, `pool ${pool}`).toBe(result);
    }
    expect(loop.guest.get(0, OID, 0).page).toEqual(page);
  });

  it('PUT_PAGE to a pool that does not exist gives the slot back to the host', () => {
    const { loop } = attached();
    const { guest, client } = loop;
    for (const pool of strange) {
      const slot = guest.takeCredit();
      const reply = guest.submit(0, { command: Command.PUT_PAGE, pool, oid: OID, slot });
      expect(reply.result).toBe(-19);
    }
    expect(client.usedSlots).toBe(1);
    expect(client.freeSlots + client.grantedSlots).toBe(client.slots.count - 1);
  });

  it('destroys a pool once', () => {
    const { loop } = attached();
    expect(loop.guest.destroyPool(0)).toBe(1);
    expect(loop.guest.destroyPool(0)).toBe(0);
    expect(loop.client.usedSlots).toBe(0);
  });

  it('refuses CONTROL and unknown commands, and goes on', () => {
    const { loop } = attached();
    expect(loop.guest.submit(0, { command: Command.CONTROL }).result).toBe(-95);
    for (const command of [3, 8, 10, 0x7fff_ffff, 0xffff_ffff]) {
      expect(loop.guest.submit(0, { command }).result).toBe(-38);
    }
    expect(loop.session.counters.unknownCommands).toBe(5);
    expect(loop.guest.get(0, OID, 0).result).toBe(1);
  });
});

describe('a life that ends while its words are looked at', () => {
  /** Runs `change` in the host's `turn`th look at one of the guest's two words. */
  function atLook(turn: number, change: () => void): void {
    const { load } = Atomics;
    const watched = [headerOffset('guest_epoch') / 4, headerOffset('guest_state') / 4];
    let looks = 0;
    vi.spyOn(Atomics, 'load').mockImplementation(((words: Int32Array, at: number) => {
      if (watched.includes(at)) looks += 1;
      if (watched.includes(at) && looks === turn) {
        vi.restoreAllMocks();
        change();
      }
      return load(words, at);
    }) as typeof Atomics.load);
  }

  it.each([1, 2, 3, 4, 5, 6])('is no fault, whichever look it is (%i)', (turn) => {
    const { loop } = attached();
    const { guest, session } = loop;
    guest.poke(guest.queueOffset(1, 'tail'), 0x7777);
    atLook(turn, () => guest.announce(0x4321));
    for (let look = 0; look < 4; look += 1) session.serve();
    expect(loop.faults).toEqual([]);
    expect(guest.peekHeader('session_epoch')).toBe(0x4321);
  });
});

describe('hostile keys and words', () => {
  it('never answers a key of one pool from another, nor of a wider id', () => {
    const { loop } = attached();
    const { guest } = loop;
    const other = guest.newPool(PoolFlag.PERSIST);
    expect(guest.get(other, OID, 0).result).toBe(0);
    for (let word = 0; word < 6; word += 1) {
      const near = OID.slice();
      near[word]! ^= 1;
      expect(guest.get(0, near, 0).result).toBe(0);
    }
    expect(guest.get(0, OID, 0xffff_ffff).result).toBe(0);
    expect(guest.put(0, OID, 0xffff_ffff, page)).toBe(1);
    expect(guest.get(0, OID, 0xffff_ffff).page).toEqual(page);
  });

  it('reads each word of a descriptor once, so that no check is of other words than the use', () => {
    const { guest, session, region } = countingLoopback();
    guest.attach(1);
    guest.newPool(PoolFlag.PERSIST);
    const put = { command: Command.PUT_PAGE, oid: OID, slot: guest.takeCredit() };
    const sequence = guest.post(0, put);
    region.reads.clear();
    session.serve();
    const first = guest.descriptorOffset(0, sequence) / 4;
    for (let word = first; word < first + 16; word += 1) expect(region.reads.get(word)).toBe(1);
    expect(region.reads.get(guest.queueOffset(0, 'tail') / 4)).toBe(1);
    expect(region.reads.get(guest.queueOffset(0, 'guest_sleep') / 4)).toBe(1);
  });
});

/** A session whose reads of the region are counted, word by word. */
function countingLoopback() {
  const { geometry, region } = createLoopback({ queueCount: 1 });
  const reads = new Map<number, number>();
  const count = (word: number): void => void reads.set(word, (reads.get(word) ?? 0) + 1);
  const counted = new Proxy(region.words, {
    get: (target, key) => {
      if (typeof key === 'string' && /^\d+$/.test(key)) count(Number(key));
      return Reflect.get(target, key, target);
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });
  const unwrap = (words: unknown) => (words === counted ? region.words : words) as Int32Array;
  const { load, store } = Atomics;
  vi.spyOn(Atomics, 'load').mockImplementation(((words: Int32Array, word: number) => {
    if (words === counted) count(word);
    return load(unwrap(words), word);
  }) as typeof Atomics.load);
  vi.spyOn(Atomics, 'store').mockImplementation(((words: Int32Array, word: number, value: number) =>
    store(unwrap(words), word, value)) as typeof Atomics.store);
  const giveBackSlots = (firstPage: number): void => region.giveBackSlots(firstPage);
  const session = new Session({
    region: { words: counted, giveBackSlots } as unknown as SharedRegion,
    geometry,
    client: new TmemClient({ slotCount: geometry.slotCount }),
    hostEpoch: 1,
    hostPeer: 0,
    ring: () => {},
  });
  const guest = new FakeGuest({ region, pump: () => session.serve() });
  return { guest, session, region: { reads } };
}
