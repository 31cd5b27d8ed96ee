/**
 * The lying host by itself: without lies it is an honest one, and a seed tells the same lies again.
 */
import { describe, expect, it } from 'vitest';
import { computeGeometry } from '../../../emulator/protocol/geometry.js';
import { PAGE_BYTES, PoolFlag } from '../../../emulator/protocol/layout.js';
import { objectId } from '../../../emulator/store/client.js';
import { FakeGuest } from '../../../emulator/testing/index.js';
import { SharedRegion } from '../../../emulator/transport/region.js';
import { Relay } from './relay.js';
import { type LieCounts, Tally } from './tally.js';

const OID = objectId(0, 1);
const OPERATIONS = 600;

function pair(seed: number) {
  const regionBytes = 2 ** 21;
  const geometry = computeGeometry({ regionBytes, queueCount: 2, queueEntries: 16 });
  const region = new SharedRegion(new ArrayBuffer(regionBytes));
  const tally = new Tally(new SharedArrayBuffer(Tally.bytes));
  const ring = (): void => {};
  const relay = new Relay({ region, geometry, seed, hostEpoch: 9, hostPeer: 0, ring, tally });
  const guest = new FakeGuest({ region, pump: () => relay.turn(), features: 0, replyMsMax: 200 });
  guest.attach(0x77);
  return { relay, guest, tally };
}

function pageOf(fill: number): Uint8Array {
  return new Uint8Array(PAGE_BYTES).fill(fill);
}

/** What a guest sees of a host that lies in half of its answers. */
function outcomes(seed: number): { seen: string[]; counts: LieCounts } {
  const { relay, guest, tally } = pair(seed);
  const pool = guest.newPool(PoolFlag.PERSIST);
  relay.share = 0.5;
  const seen = Array.from({ length: OPERATIONS }, (_, at) => {
    try {
      if (at % 3 === 0) return `put ${guest.put(pool, OID, at % 7, pageOf(at))}`;
      const { result, page } = guest.get(pool, OID, at % 7);
      return `get ${result} ${page?.[0]}`;
    } catch (error) {
      return (error as Error).message;
    }
  });
  return { seen, counts: tally.read() };
}

describe('a relay', () => {
  it('that tells the truth serves through lives, whatever was put and dropped', () => {
    const { guest, tally } = pair(1);
    for (let life = 0; life < 3; life += 1) {
      const pool = guest.newPool(PoolFlag.PERSIST);
      for (let index = 0; index < 100; index += 1) {
        expect(guest.put(pool, OID, index, pageOf(index + life))).toBe(1);
      }
      expect(guest.get(pool, OID, 50).page).toEqual(pageOf(50 + life));
      expect(guest.flushPage(pool, OID, 50)).toBe(1);
      expect(guest.get(pool, OID, 50).result).toBe(0);
      guest.detach();
      guest.attach();
      expect(guest.get(pool, OID, 51).result).toBeLessThan(0);
    }
    const { lies, ...rest } = tally.read();
    expect(rest).toMatchObject({ repliesLied: 0, putsForged: 0, faults: 0 });
    expect(Object.values(lies).every((count) => count === 0)).toBe(true);
  });

  it('lies as much as it is told to, and upsets nobody behind it', () => {
    const { counts } = outcomes(3);
    expect(counts.repliesLied / counts.replies).toBeGreaterThan(0.4);
    expect(counts.repliesLied / counts.replies).toBeLessThan(0.6);
    expect(counts.faults).toBe(0);
  });

  it('tells the lies of its seed', () => {
    expect(outcomes(5)).toEqual(outcomes(5));
    expect(outcomes(5).seen).not.toEqual(outcomes(6).seen);
  });
});
