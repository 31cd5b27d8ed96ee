/**
 * A guest that writes anything anywhere in its region, at random, between honest operations.
 *
 * Whatever it writes, the session does not throw, its work a call is bounded, it writes to no
 * slot, its store loses no slot, and another guest that shares the quota keeps its page.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PAGE_BYTES, PoolFlag } from '../protocol/layout.js';
import { objectId, TmemClient } from '../store/client.js';
import { createLoopback, type Loopback, type RawDescriptor } from '../testing/index.js';

const QUEUES = 2;
const ENTRIES = 16;
const EPOCH = 0x4a4a;
const OID = objectId(1);

const strange = fc.oneof(
  fc.constantFrom(0, 1, 2, 15, 16, 17, 63, 64, 251, 252, 253, 0x7fff_ffff, 0x8000_0000),
  fc.constantFrom(0xffff_ffff, 0xffff_fff0, EPOCH, EPOCH + 1),
  fc.nat(300),
);

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('post' as const),
      queue: fc.nat(QUEUES - 1),
      command: fc.oneof({ weight: 9, arbitrary: fc.nat(8) }, strange),
      pool: fc.oneof({ weight: 9, arbitrary: fc.nat(2) }, strange),
      index: fc.nat(9),
      slot: fc.oneof({ weight: 9, arbitrary: fc.constant(-1) }, strange),
      flags: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(0x0100_0000, 0x0100_0001) }, strange),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('serve' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('poke' as const),
      /** A word of the header, the queues or the credit ring: everything in front of the slots. */
      word: fc.oneof(fc.nat(0x150 / 4), fc.nat((4 * PAGE_BYTES) / 4 - 1)),
      value: strange,
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Writes a descriptor and moves the tail, with none of the checks of an honest guest. */
function postBlindly(loop: Loopback, queue: number, words: RawDescriptor): void {
  const { guest } = loop;
  const tailAt = guest.queueOffset(queue, 'tail');
  const sequence = guest.peek(tailAt);
  guest.writeDescriptor(queue, sequence, { ...words, oid: OID });
  guest.poke(tailAt, sequence + 1);
}

/** A granted slot if the guest can find one, so that most puts are honest. */
function anyCredit(loop: Loopback): number {
  const { client } = loop;
  for (let slot = 0; slot < client.slots.count; slot += 1) {
    if (client.slots.state(slot) === 1) return slot;
  }
  return 0;
}

function serveAndCheck(loop: Loopback, neighbour: TmemClient): void {
  const { session, client, geometry, region, quota } = loop;
  const slots = new Uint8Array(region.memory, geometry.slotPage * PAGE_BYTES);
  const before = slots.slice();
  const served = session.serve();
  expect(served).toBeLessThanOrEqual(QUEUES * ENTRIES);
  expect(Buffer.compare(before, slots)).toBe(0);
  expect(client.freeSlots + client.grantedSlots + client.usedSlots).toBe(client.slots.count);
  expect(quota.taken).toBe(client.grantedSlots + client.usedSlots + neighbour.usedSlots);
  expect(neighbour.get(0, OID, 0)).toBe(1);
  const pages = client.pools().reduce((sum, pool) => sum + pool.pages, 0);
  expect(client.usedSlots).toBe(pages);
  if (session.isFaulted) expect(client.freeSlots).toBe(client.slots.count);
}

function run(steps: Step[]): number {
  const loop = createLoopback({ queueCount: QUEUES, queueEntries: ENTRIES });
  const neighbour = new TmemClient({ slotCount: 2, quota: loop.quota });
  neighbour.newPool(PoolFlag.PERSIST | (1 << 24), new Int32Array(4));
  neighbour.put(0, OID, 0, neighbour.grant());
  loop.guest.attach(EPOCH);
  for (const each of steps) {
    if (each.kind === 'serve') serveAndCheck(loop, neighbour);
    else if (each.kind === 'poke') loop.guest.poke(each.word * 4, each.value);
    else
      postBlindly(loop, each.queue, {
        ...each,
        slot: each.slot >= 0 ? each.slot : anyCredit(loop),
      });
    if (!loop.session.isFaulted) continue;
    loop.session.restart(7);
    loop.guest.attach(EPOCH);
  }
  serveAndCheck(loop, neighbour);
  return loop.session.counters.operations;
}

it('harms no one but itself', () => {
  let operations = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 150, size: 'max' }), (steps) => {
      operations += run(steps);
    }),
    { numRuns: 60 },
  );
  // Most of what was posted was carried out: the walk is not one of faults alone.
  expect(operations).toBeGreaterThan(500);
}, 60_000);
