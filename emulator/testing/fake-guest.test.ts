/** The fake guest does not believe the host, and never waits for ever. */
import { describe, expect, it } from 'vitest';
import { Command, PAGE_BYTES, PoolFlag, REPLY_SLOT_GRANTED } from '../protocol/layout.js';
import { objectId } from '../store/client.js';
import { SharedRegion } from '../transport/region.js';
import { FakeGuest, FakeGuestError } from './index.js';
import { createLoopback, type Loopback } from './loopback.js';

const OID = objectId(1);
const page = new Uint8Array(PAGE_BYTES).fill(3);

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof FakeGuestError) return error.code;
    throw error;
  }
  return 'none';
}

/** A guest whose host runs `after` on the shared memory behind the session's back. */
function meddled(after: (loop: Loopback, guest: FakeGuest) => void): FakeGuest {
  const loop = createLoopback({ queueCount: 1 });
  const guest: FakeGuest = new FakeGuest({
    region: loop.region,
    pump: () => {
      loop.session.serve();
      after(loop, guest);
    },
  });
  return guest;
}

describe('FakeGuest', () => {
  it('puts, gets, flushes', () => {
    const { guest } = createLoopback();
    guest.attach();
    const pool = guest.newPool(PoolFlag.PERSIST);
    expect(guest.put(pool, OID, 0, page)).toBe(1);
    expect(guest.get(pool, OID, 0)).toEqual({ result: 1, page });
    expect(guest.flushPage(pool, OID, 0)).toBe(1);
    expect(guest.get(pool, OID, 0)).toEqual({ result: 0 });
    guest.put(pool, OID, 0, page);
    expect(guest.flushObject(pool, OID)).toBe(1);
    expect(guest.get(pool, OID, 0)).toEqual({ result: 0 });
    expect(guest.destroyPool(pool)).toBe(1);
    expect(guest.put(pool, OID, 0, page)).toBe(-19);
    expect(guest.features).toBe(1);
  });

  it('takes the slot of an exclusive get into its hand', () => {
    const { guest } = createLoopback();
    guest.attach();
    const pool = guest.newPool(0);
    guest.put(pool, OID, 0, page);
    const credits = guest.credits;
    expect(guest.get(pool, OID, 0).page).toEqual(page);
    expect(guest.credits).toBe(credits + 1);
  });

  it('gives up when no one answers', () => {
    const region = new SharedRegion(createLoopback().region.memory);
    const guest = new FakeGuest({ region, replyMsMax: 5 });
    expect(codeOf(() => guest.attach())).toBe('GUEST_TIMEOUT');
    expect(codeOf(() => guest.newPool(0))).toBe('GUEST_TIMEOUT');
  });

  it('refuses to work before it has attached, and after it has detached', () => {
    const { guest } = createLoopback();
    expect(codeOf(() => guest.newPool(0))).toBe('GUEST_DETACHED');
    guest.attach();
    guest.detach();
    expect(codeOf(() => guest.newPool(0))).toBe('GUEST_DETACHED');
  });

  it('says so when it is cut off', () => {
    const { guest } = createLoopback();
    guest.attach();
    expect(codeOf(() => guest.submit(0, { command: 0, epoch: 0 }))).toBe('GUEST_CUT_OFF');
  });
});

describe('FakeGuest and a host with a bug', () => {
  it.each([
    ['sequence', 8],
    ['host epoch', 12],
  ])('takes a reply with another %s for a bug of the host', (_what, offset) => {
    const guest = meddled(({ session }, self) => {
      if (session.counters.operations > 0) self.poke(self.replyOffset(0, 0) + offset, 0x999);
    });
    guest.attach();
    expect(codeOf(() => guest.newPool(0))).toBe('GUEST_HOST_BUG');
  });

  it.each([
    ['out of range', 0x7fff_ffff],
    ['in its hand already', (1 | REPLY_SLOT_GRANTED) >>> 0],
  ])('takes a slot %s for a bug of the host', (_what, slot) => {
    const guest = meddled((_loop, self) => {
      if (self.epoch === 0) return;
      self.poke(self.replyOffset(0, 2) + 4, slot);
    });
    guest.attach();
    guest.newPool(PoolFlag.PERSIST);
    guest.put(0, OID, 0, page);
    expect(codeOf(() => guest.get(0, OID, 0))).toBe('GUEST_HOST_BUG');
  });

  it('takes a slot granted twice, or out of range, for a bug of the host', () => {
    for (const slot of [0x7fff_ffff, 'twice'] as const) {
      const { guest, geometry } = createLoopback();
      guest.attach();
      const first = guest.peek(geometry.creditOffset);
      guest.poke(geometry.creditOffset + 4, slot === 'twice' ? first : slot);
      expect(codeOf(() => guest.takeCredit())).toBe('GUEST_HOST_BUG');
    }
  });

  it('takes more credits than the ring holds for a bug of the host', () => {
    const { guest } = createLoopback();
    guest.attach();
    guest.pokeHeader('credit_tail', 0x4000_0000);
    expect(codeOf(() => guest.takeCredit())).toBe('GUEST_HOST_BUG');
  });
});

describe('the queues of FakeGuest', () => {
  it('waits for a free place in a full queue', () => {
    const { guest, session } = createLoopback({ queueCount: 1, queueEntries: 16 });
    guest.attach();
    for (let count = 0; count < 100; count += 1) guest.post(0, { command: Command.CONTROL });
    session.serve();
    expect(session.counters.operations).toBe(100);
    expect(session.isFaulted).toBe(false);
  });

  it('sends all of a key to one queue, and keys to all queues', () => {
    const { guest } = createLoopback({ queueCount: 4 });
    guest.attach();
    const queues = new Set<number>();
    for (let index = 0; index < 64; index += 1) queues.add(guest.queueOf(0, OID, index));
    expect([...queues].sort()).toEqual([0, 1, 2, 3]);
    expect(guest.queueOf(0, OID, 5)).toBe(guest.queueOf(0, objectId(1), 5));
  });
});
