/**
 * What every transport must do, one set of tests for all of them: PROTOCOL.md sections 4 to 7 as a
 * guest sees them.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Command, PAGE_BYTES, PoolFlag } from '../../emulator/protocol/layout.js';
import { objectId } from '../../emulator/store/client.js';
import type { FakeGuest } from '../../emulator/testing/index.js';
import { PAIRS, type Pair, QUEUES } from './transports.js';

const OID = objectId(0x51, 2);
const TURNS_MAX = 1000;

function pageOf(seed: number): Uint8Array {
  return new Uint8Array(new Int32Array(PAGE_BYTES / 4).fill(seed).buffer);
}

/** The seed of a page that is whole; -1 of any other bytes, undefined where there is none. */
function seedOf(page: Uint8Array | undefined): number | undefined {
  if (page === undefined) return undefined;
  const seed = new DataView(page.buffer, page.byteOffset).getInt32(0, true);
  return Buffer.compare(page, pageOf(seed)) === 0 ? seed : -1;
}

/** Lets the guest look until something holds: news of the host's may take a moment. */
async function until(what: string, done: () => boolean): Promise<void> {
  for (let turn = 0; turn < TURNS_MAX; turn += 1) {
    if (done()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`waited too long until ${what}`);
}

describe.each(PAIRS)('over %s', { timeout: 60_000 }, (_name, make) => {
  let pair: Pair;
  let guest: FakeGuest;
  beforeEach(async () => {
    pair = await make();
    guest = pair.guest;
    guest.attach();
  });
  afterEach(() => pair[Symbol.asyncDispose]());

  it('a page put is a page kept; a get leaves it, a flush drops it', async () => {
    const pool = guest.newPool(PoolFlag.PERSIST);
    for (let index = 0; index < 200; index += 1) {
      expect(guest.put(pool, OID, index, pageOf(index))).toBe(1);
    }
    for (let round = 0; round < 2; round += 1) {
      for (let index = 0; index < 200; index += 1) {
        expect(seedOf(guest.get(pool, OID, index).page)).toBe(index);
      }
    }
    expect(guest.flushPage(pool, OID, 7)).toBe(1);
    expect(guest.get(pool, OID, 7)).toEqual({ result: 0 });
    expect(guest.flushObject(pool, OID)).toBe(1);
    expect(guest.get(pool, OID, 8)).toEqual({ result: 0 });
    expect(await pair.counters()).toMatchObject({ puts: 200, gets: 402, flushes: 1, faults: 0 });
    expect(await pair.pagesUsed()).toBe(0);
  });

  it('a duplicate put replaces the page', () => {
    const pool = guest.newPool(PoolFlag.PERSIST);
    for (let seed = 0; seed < 5; seed += 1) {
      expect(guest.put(pool, OID, 3, pageOf(seed))).toBe(1);
      expect(seedOf(guest.get(pool, OID, 3).page)).toBe(seed);
    }
  });

  it('a get from an ephemeral pool takes the page, and its slot is used again', async () => {
    const pool = guest.newPool(0);
    for (let round = 0; round < 40; round += 1) {
      for (let index = 0; index < 20; index += 1) guest.put(pool, OID, index, pageOf(round));
      for (let index = 0; index < 20; index += 1) {
        expect(seedOf(guest.get(pool, OID, index).page)).toBe(round);
        expect(guest.get(pool, OID, index)).toEqual({ result: 0 });
      }
    }
    expect(await pair.pagesUsed()).toBe(0);
  });

  it('results are Xen’s', () => {
    const pool = guest.newPool(PoolFlag.PERSIST);
    expect(guest.submit(0, { command: Command.NEW_POOL, flags: 0 }).result).toBe(-1);
    expect(guest.submit(0, { command: Command.CONTROL }).result).toBe(-95);
    expect(guest.submit(0, { command: 99 }).result).toBe(-38);
    expect(guest.get(63, OID, 0).result).toBe(-19);
    expect(guest.destroyPool(pool)).toBe(1);
    expect(guest.destroyPool(pool)).toBe(0);
    expect(guest.put(pool, OID, 0, pageOf(0))).toBe(-19);
  });

  it('a full store refuses, and takes again once there is room', async () => {
    const pool = guest.newPool(PoolFlag.PERSIST);
    let taken = 0;
    while (guest.put(pool, OID, taken, pageOf(taken)) === 1) taken += 1;
    expect(taken).toBe(await pair.pagesUsed());
    for (let index = 0; index < 50; index += 1) guest.flushPage(pool, OID, index);
    await until('a put is taken', () => guest.put(pool, OID, 1, pageOf(99)) === 1);
    expect(seedOf(guest.get(pool, OID, 1).page)).toBe(99);
    for (let index = 50; index < taken; index += 1) {
      expect(seedOf(guest.get(pool, OID, index).page)).toBe(index);
    }
    expect((await pair.counters()).faults).toBe(0);
  });

  it('refusals of the host are seen by the guest, and their end', async () => {
    const pool = guest.newPool(PoolFlag.PERSIST);
    await pair.refusePuts(true);
    await until('puts are refused', () => guest.put(pool, OID, 1, pageOf(1)) === -12);
    const { puts } = await pair.counters();
    expect(guest.put(pool, OID, 2, pageOf(2))).toBe(-12);
    expect((await pair.counters()).puts).toBe(puts);
    await pair.refusePuts(false);
    await until('puts are taken', () => guest.put(pool, OID, 1, pageOf(3)) === 1);
    expect(seedOf(guest.get(pool, OID, 1).page)).toBe(3);
  });

  it('posted operations of a key keep their order, across many turns of the queues', () => {
    const pool = guest.newPool(PoolFlag.PERSIST);
    const operation = fc.record({ put: fc.boolean(), index: fc.nat(3) });
    const batches = fc.array(fc.array(operation, { maxLength: 12 }), { maxLength: 12 });
    let seed = 0;
    const held = new Map<number, number>();
    fc.assert(
      fc.property(batches, (rounds) => {
        for (const round of rounds) {
          for (const { put, index } of round) {
            const queue = guest.queueOf(pool, OID, index);
            // Unanswered flushes and answered puts of one key, one after the other.
            guest.post(queue, { command: Command.FLUSH_PAGE, pool, oid: OID, index });
            held.delete(index);
            seed += 1;
            if (put && guest.put(pool, OID, index, pageOf(seed)) === 1) held.set(index, seed);
          }
          for (let index = 0; index < QUEUES.queueCount; index += 1) {
            expect(seedOf(guest.get(pool, OID, index).page)).toBe(held.get(index));
          }
        }
      }),
      { numRuns: 10 },
    );
  });

  it('a new life finds nothing of the last, nor does a new machine', async () => {
    const first = guest.newPool(PoolFlag.PERSIST);
    guest.put(first, OID, 1, pageOf(1));
    guest.attach();
    expect(guest.get(first, OID, 1).result).toBe(-19);
    const second = guest.newPool(PoolFlag.PERSIST);
    expect(guest.get(second, OID, 1).result).toBe(0);
    expect(guest.put(second, OID, 1, pageOf(2))).toBe(1);
    const next = await pair.replace();
    await until('the store serves the next machine', () => {
      next.attach();
      return next.newPool(PoolFlag.PERSIST) === 0;
    });
    expect(next.get(0, OID, 1).result).toBe(0);
    expect(await pair.pagesUsed()).toBe(0);
  });

  it('a guest that detaches leaves no page', async () => {
    const pool = guest.newPool(PoolFlag.PERSIST);
    guest.put(pool, OID, 1, pageOf(1));
    expect(await pair.pagesUsed()).toBe(1);
    guest.detach();
    for (let turn = 0; turn < TURNS_MAX && (await pair.pagesUsed()) > 0; turn += 1) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(await pair.pagesUsed()).toBe(0);
  });
});
