/**
 * Xen's flaws in tmem, each as what it would be here: XSA-15 (CVE-2012-3497, later split into
 * CVE-2012-6030 to 6036), the fixes that came with it, what was found later, and XSA-155. A test is
 * named after the flaw and, where there is one, the commit of Xen's that fixed it.
 *
 * Not here, since nothing here could have it: XSA-7 and XSA-17 (not tmem), XSA-77 (the control
 * interface, which guests cannot reach), a UUID parser (7bacfe38b6; a uuid is four opaque words),
 * and an authorisation flag that was read the wrong way round (241b95e4a6; nothing is shared).
 */
import { describe, expect, it } from 'vitest';
import { type NativeError, truncate } from '../../../emulator/native/libc.js';
import { acceptAll } from '../../../emulator/policy/put-policy.js';
import { Command, Fault, PAGE_BYTES, PoolFlag } from '../../../emulator/protocol/layout.js';
import { objectId, TmemClient } from '../../../emulator/store/client.js';
import { PageQuota } from '../../../emulator/store/quota.js';
import {
  createLinkLoopback,
  createLoopback,
  type Loopback,
} from '../../../emulator/testing/index.js';
import { RegionFile } from '../../../emulator/transport/region.js';
import { LinkHalfHonestGuest, type LinkStep } from './link-steps.js';
import { Slot, type Step } from './steps.js';
import { Target } from './target.js';

const SPEC = 1 << 24;
const OID = objectId(7, 0, 9);
const UUID = new Int32Array(4);
const page = new Uint8Array(PAGE_BYTES).fill(0x5a);
const LARGE = [-1, -2, -0x8000_0000, 64, 65, 0x7fff_ffff];

/** An attached guest with a persistent pool 0, an ephemeral pool 1 and a page in each. */
function attached(quota = new PageQuota()): Loopback {
  const loop = createLoopback({ quota });
  loop.guest.attach(0x1234);
  loop.guest.newPool(PoolFlag.PERSIST);
  loop.guest.newPool(0);
  for (const pool of [0, 1]) expect(loop.guest.put(pool, OID, 0, page)).toBe(1);
  return loop;
}

/** What a guest has here, in numbers. */
function holdings({ client, quota }: Loopback): number[] {
  const { freeSlots, grantedSlots, usedSlots } = client;
  return [freeSlots, grantedSlots, usedSlots, quota.taken, client.pools().length];
}

describe('XSA-15', () => {
  it('1, CVE-2012-6033 (60172eff1e): no guest reaches a control operation', () => {
    const loop = attached();
    const before = holdings(loop);
    for (const subop of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 19, 20, 21, 30, 32, 33]) {
      const oid = objectId(subop, 0xffff, subop);
      const control = { command: Command.CONTROL, oid, index: subop, flags: subop };
      expect(loop.guest.submit(0, control).result).toBe(-95);
    }
    // NEW_PAGE, READ, WRITE, XCHG; AUTH and RESTORE_NEW had no check of their own (a655abfd8a).
    for (const command of [3, 8, 9, 10, 101, 102, -1, 0x7fff_ffff]) {
      expect(loop.guest.submit(0, { command, oid: OID }).result).toBe(-38);
    }
    expect(holdings(loop)).toEqual(before);
    expect(loop.guest.get(0, OID, 0).page).toEqual(page);
  });

  it('2, CVE-2012-6036 (f14fc87af8): a pool id below 0, or past the last, is no pool', () => {
    const loop = attached();
    const { guest } = loop;
    for (const pool of LARGE) {
      const at = { pool, oid: OID };
      expect(guest.submit(0, { command: Command.GET_PAGE, ...at }).result).toBe(-19);
      expect(guest.submit(0, { command: Command.FLUSH_PAGE, ...at }).result).toBe(-19);
      expect(guest.submit(0, { command: Command.FLUSH_OBJECT, ...at }).result).toBe(-19);
      const slot = guest.takeCredit();
      expect(guest.submit(0, { command: Command.PUT_PAGE, ...at, slot }).result).toBe(-19);
    }
    expect(loop.client.usedSlots).toBe(2);
    expect(guest.get(0, OID, 0).page).toEqual(page);
  });

  it('3, CVE-2012-6035 (e75ecdea85): a pool that is not there is not destroyed', () => {
    const loop = attached();
    for (const pool of [...LARGE, 2, 63]) expect(loop.guest.destroyPool(pool)).toBe(0);
    expect(loop.guest.destroyPool(1)).toBe(1);
    expect(loop.guest.destroyPool(1)).toBe(0);
    expect(loop.client.pools().map(({ id }) => id)).toEqual([0]);
    expect(loop.guest.get(0, OID, 0).page).toEqual(page);
  });

  it('4 (3fed6db242, b85a0ab122): nothing is done for a client that is not there', () => {
    const loop = createLoopback();
    loop.guest.announce(5);
    loop.guest.pokeHeader('guest_state', 0);
    loop.guest.post(0, { command: Command.NEW_POOL, flags: SPEC });
    loop.guest.post(1, { command: Command.CONTROL });
    expect(loop.session.serve()).toBe(0);
    expect(holdings(loop)).toEqual([loop.client.slots.count, 0, 0, 0, 0]);
    const other = attached();
    other.guest.post(0, { command: Command.NEW_POOL, flags: SPEC, epoch: 5 });
    expect(other.session.serve()).toBe(0);
    expect(other.faults).toEqual([Fault.EPOCH]);
    expect(other.client.pools()).toEqual([]);
  });

  it('5, CVE-2012-6034 (09d39e0108): a place that is not the guest’s is not touched', () => {
    const pageOfItsOwn = 0;
    for (const place of [-1, -0x8000_0000, 0x7fff_ffff, 252, 251, pageOfItsOwn]) {
      const loop = attached();
      if (place === pageOfItsOwn) loop.client.get(0, OID, 0);
      const slot = place === pageOfItsOwn ? loop.client.gotSlot : place;
      const bytes = new Uint8Array(loop.region.memory).slice(loop.geometry.slotPage * PAGE_BYTES);
      // 251 is the last slot; here it stays with the host.
      if (slot === 251) loop.client.reclaim(251);
      const head = loop.guest.peek(loop.guest.queueOffset(0, 'head'));
      loop.guest.post(0, { command: Command.PUT_PAGE, oid: OID, index: 1, slot });
      // The failed check ends the operation: no page, no answer, and nothing after it.
      loop.guest.post(0, { command: Command.FLUSH_PAGE, oid: OID });
      expect(loop.session.serve()).toBe(0);
      expect(loop.faults).toEqual([Fault.SLOT]);
      expect(loop.guest.peek(loop.guest.queueOffset(0, 'head'))).toBe(head);
      const after = new Uint8Array(loop.region.memory, loop.geometry.slotPage * PAGE_BYTES);
      expect(Buffer.compare(after, bytes)).toBe(0);
    }
  });

  it('6, CVE-2012-6032 (6c777beb83): no number is added up past its end', () => {
    // Times 4096, each of these is the offset of a slot modulo 2^32.
    for (const slot of [0x10_0000, 0x10_0001, 0x20_0000, 0x8000_0001 | 0, 0xfff0_0001 | 0]) {
      const loop = attached();
      loop.guest.post(0, { command: Command.PUT_PAGE, oid: OID, slot });
      expect(loop.session.serve()).toBe(0);
      expect(loop.faults).toEqual([Fault.SLOT]);
    }
    for (const ahead of [17, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
      const loop = attached();
      const at = loop.guest.queueOffset(1, 'tail');
      loop.guest.poke(at, loop.guest.peek(loop.guest.queueOffset(1, 'head')) + ahead);
      expect(loop.session.serve()).toBe(0);
      expect(loop.faults).toEqual([Fault.TAIL_RANGE]);
    }
  });

  it('7, CVE-2012-6031 (bdd868c82c): a get that fails leaves nothing behind', () => {
    const loop = attached();
    const before = holdings(loop);
    for (let turn = 0; turn < 2000; turn += 1) {
      const [pool, index] = [turn % 3 === 0 ? 9 : turn % 2, 1 + turn];
      expect(loop.guest.get(pool, OID, index).result).toBe(pool === 9 ? -19 : 0);
    }
    expect(holdings(loop)).toEqual(before);
    expect(loop.guest.put(0, OID, 1, page)).toBe(1);
    expect(loop.guest.get(0, OID, 1).page).toEqual(page);
  });

  it('8, CVE-2012-6030 (2a25240fb4): no error keeps a slot, a credit or a place in a queue', () => {
    const loop = attached();
    const { guest, client } = loop;
    const [free, granted, ...rest] = holdings(loop);
    for (let turn = 0; turn < 2000; turn += 1) {
      guest.submit(turn & 1, { command: 8 + (turn % 100), pool: -1, oid: OID });
      guest.submit(0, { command: Command.NEW_POOL, flags: 3 });
      const slot = guest.takeCredit();
      expect(guest.submit(1, { command: Command.PUT_PAGE, pool: 2, oid: OID, slot }).result).toBe(
        -19,
      );
    }
    expect([client.freeSlots + client.grantedSlots, ...holdings(loop).slice(2)]).toEqual([
      free! + granted!,
      ...rest,
    ]);
    expect(loop.guest.get(0, OID, 0).page).toEqual(page);
  });

  it('9 (c2433b9750): a guest makes no line but one, the first time that it is cut off', () => {
    const loop = attached();
    for (let turn = 0; turn < 1000; turn += 1) loop.guest.submit(0, { command: 99, pool: turn });
    expect(loop.faults).toEqual([]);
    loop.guest.pokeHeader('credit_head', 0x4000_0000);
    for (let turn = 0; turn < 10_000; turn += 1) {
      loop.session.serve();
      loop.guest.announce(1 + (turn % 7));
    }
    expect(loop.faults).toEqual([Fault.CREDIT_RANGE]);
  });

  it('9, over a link: 10,000 bad frames are one line', () => {
    const loop = createLinkLoopback();
    loop.guest.attach(7);
    const half = new LinkHalfHonestGuest(2, 16);
    half.epoch = 7;
    const bad = { do: 'frame', kind: 99, epoch: 0, acknowledge: 0, items: [] } as const;
    const step: LinkStep = { ...bad, grow: 0, turn: -1, greedy: false };
    for (let turn = 0; turn < 10_000; turn += 1) {
      const bytes = half.bytesOf(step);
      loop.host.reader.space.set(bytes);
      loop.host.reader.filled(bytes.length);
      loop.host.receive();
      loop.session.serve();
    }
    expect(loop.faults).toEqual([Fault.FRAME]);
    expect(loop.session.counters.faults).toBe(1);
  });
});

describe('what was found in Xen’s tmem later', () => {
  it('9b0bd3d732: memory that a guest shares does not vanish while it is used', () => {
    using file = RegionFile.create(2 ** 20);
    const errno = (bytes: number): unknown => {
      try {
        truncate(file.fd, bytes);
        return 'it was cut';
      } catch (error) {
        return (error as NativeError).errno;
      }
    };
    expect(errno(4096)).toBe(1);
    expect(errno(0)).toBe(1);
  });

  it('c8e6ce764f: a page that did not come whole is not stored', () => {
    const loop = createLinkLoopback();
    loop.guest.attach(7);
    loop.guest.newPool(PoolFlag.PERSIST);
    const before = loop.client.usedSlots;
    const half = new LinkHalfHonestGuest(2, 16);
    half.epoch = 7;
    half.sent[0] = 1;
    half.taken[0] = 1;
    half.credits = 10;
    const item = { queue: 0, command: Command.PUT_PAGE, pool: 0, object: 1, index: 1, flags: 0 };
    const bytes = half.bytesOf({
      do: 'frame',
      kind: 3,
      epoch: 0,
      acknowledge: 0,
      items: [{ ...item, ahead: 0, spoil: [] }],
      grow: -1,
      turn: -1,
      greedy: false,
    });
    loop.host.reader.space.set(bytes);
    loop.host.reader.filled(bytes.length);
    loop.host.receive();
    loop.session.serve();
    expect(loop.faults).toEqual([Fault.FRAME]);
    expect([before, loop.client.usedSlots]).toEqual([0, 0]);
  });

  it('eb4bf0683e: what was given back is not given back again', () => {
    const loop = attached();
    const slot = loop.guest.takeCredit();
    const put = { command: Command.PUT_PAGE, oid: OID, slot };
    expect(loop.guest.submit(0, { ...put, pool: 9 }).result).toBe(-19);
    const before = loop.client.freeSlots + loop.client.grantedSlots;
    // It may have been granted again: then it is the guest's own. Here no credit is left for it.
    if (loop.client.slots.state(slot) === 1) loop.client.reclaim(slot);
    loop.guest.post(0, { ...put, pool: 9 });
    expect(loop.session.serve()).toBe(0);
    expect(loop.faults).toEqual([Fault.SLOT]);
    expect(loop.client.freeSlots).toBe(before + 2);
  });

  it('7ec4b2f89e: two pools of one uuid are two pools, and one’s end is not the other’s', () => {
    const loop = attached();
    const shared = { command: Command.NEW_POOL, flags: SPEC | PoolFlag.SHARED, oid: OID };
    const pools = [0, 1, 2].map(() => loop.guest.submit(0, shared).result);
    expect(pools).toEqual([2, 3, 4]);
    for (const pool of pools) expect(loop.guest.put(pool, OID, 5, page)).toBe(1);
    expect(loop.guest.destroyPool(3)).toBe(1);
    expect(loop.guest.destroyPool(2)).toBe(1);
    expect(loop.guest.get(4, OID, 5).page).toEqual(page);
    expect(loop.guest.get(3, OID, 5).result).toBe(-19);
    expect(loop.client.pools().map(({ shared }) => shared)).toEqual([false, false, false]);
  });

  it('a9a3c04567: nobody joins another guest’s pool, whatever uuid it knows', () => {
    const quota = new PageQuota();
    const [one, other] = [attached(quota), attached(quota)];
    const shared = { command: Command.NEW_POOL, flags: SPEC | PoolFlag.SHARED, oid: OID };
    const [mine, theirs] = [one, other].map((loop) => loop.guest.submit(0, shared).result);
    expect(one.guest.put(mine!, OID, 1, page)).toBe(1);
    expect(other.guest.get(theirs!, OID, 1).result).toBe(0);
    other.guest.flushObject(theirs!, OID);
    other.guest.destroyPool(theirs!);
    expect(one.guest.get(mine!, OID, 1).page).toEqual(page);
  });

  it('1a70e54b5f: equal pages are not one page, and no answer tells that there is an equal one', () => {
    const quota = new PageQuota();
    const [one, other] = [attached(quota), attached(quota)];
    const before = quota.taken;
    const used = [one, other].map(({ client }) => client.usedSlots);
    expect(one.guest.put(0, OID, 1, page)).toBe(1);
    expect(other.guest.put(0, OID, 1, page)).toBe(1);
    expect([one, other].map(({ client }) => client.usedSlots)).toEqual(used.map((n) => n + 1));
    expect(quota.taken).toBe(before);
    // A policy is told of a key, never of bytes.
    const seen: string[] = [];
    const admits = (request: object): boolean => seen.push(...Object.keys(request)) > 0;
    const client = new TmemClient({ slotCount: 4, policy: { ...acceptAll, admits } });
    client.newPool(SPEC | 1, UUID);
    client.put(0, OID, 0, client.grant());
    expect(seen.sort()).toEqual(['duplicate', 'index', 'pool']);
  });

  it('one guest that takes the whole quota drops no page of another’s', () => {
    const quota = new PageQuota(300);
    const one = attached(quota);
    const other = createLoopback({ quota });
    other.guest.attach(2);
    const pool = other.guest.newPool(0);
    for (let index = 0; index < 1000; index += 1) other.guest.put(pool, OID, index, page);
    expect(quota.taken).toBe(300);
    expect(other.client.pools()[0]!.evicted).toBeGreaterThan(0);
    expect(one.client.pools()[1]!.evicted).toBe(0);
    expect(one.guest.get(0, OID, 0).page).toEqual(page);
    expect(one.guest.get(1, OID, 0).page).toEqual(page);
  });

  it('freed pages are cleared before another guest has the memory', () => {
    const loop = attached();
    loop.session.restart(9);
    const bytes = new Uint8Array(loop.region.memory, PAGE_BYTES);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });
});

describe('XSA-155, CVE-2015-8550: a word that changes between two reads', () => {
  const plan = { queueCount: 1, queueEntries: 16, policy: 'accept' } as const;
  const post = { do: 'post', queue: 0, pool: 0, object: 1, index: 1, by: 1, spoil: [] } as const;
  const serve = { do: 'serve', races: [], dieAfter: -1 } as const;
  const newPool = { ...post, command: Command.NEW_POOL, flags: SPEC | 1, slot: 0 };
  const start: Step[] = [
    { do: 'restart' },
    { do: 'attach', epoch: 3, features: 0 },
    serve,
    newPool,
    serve,
    { ...post, command: Command.PUT_PAGE, flags: 0, slot: Slot.CREDIT },
  ];

  it('no word of a descriptor is read twice, nor any of the host’s own', () => {
    using target = new Target({ ...plan, plainReads: true });
    for (const step of start) target.apply(step);
    // Throws a Finding if one is.
    target.apply(serve);
    expect(target.descriptors).toBe(2);
  });

  it('at whatever moment a slot’s number changes, the tables hold', () => {
    for (let after = 1; after <= 60; after += 1) {
      for (const value of [-1, 252, 0x7fff_ffff, 3]) {
        using target = new Target({ ...plan, plainReads: true });
        for (const step of start) target.apply(step);
        const word = target.guest.descriptorWord(0, 1) + 9;
        target.apply({ do: 'serve', races: [{ after, word, value }], dieAfter: -1 });
        target.apply({ do: 'restart' });
        expect([[], [Fault.SLOT]]).toContainEqual(target.faults);
      }
    }
  });
});
