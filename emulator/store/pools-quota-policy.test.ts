/**
 * NEW_POOL as Xen answers it (PROTOCOL.md section 6), the quota's counting, and the put policies.
 */
import { describe, expect, it } from 'vitest';
import { parsePolicy, refuseEveryNth } from '../policy/put-policy.js';
import { checkPoolFlags, POOL_COUNT_MAX, PoolTable } from './pool-table.js';
import { PageQuota } from './quota.js';

const VERSION_1 = 1 << 24;
const table = (words = new Int32Array(PoolTable.bytes / 4)) => new PoolTable(words);
const uuid = Int32Array.of(1, 2, 3, 4);

describe('NEW_POOL flags', () => {
  it.each([
    ['private ephemeral', VERSION_1],
    ['private persistent', VERSION_1 | 1],
    ['shared ephemeral', VERSION_1 | 2],
  ])('takes %s', (_what, flags) => {
    expect(checkPoolFlags(flags)).toBe(1);
  });

  it.each([
    ['version 0', 1],
    ['version 2', (2 << 24) | 1],
    ['version 255', (255 << 24) | 1],
    ['shared and persistent', VERSION_1 | 3],
    ['precompressed', VERSION_1 | 4],
    ['a page size of 8 KiB', VERSION_1 | 0x10],
    ['a page size of 2^15 pages', VERSION_1 | 0xf0],
    ['the lowest reserved bit', VERSION_1 | 0x100],
    ['the highest reserved bit', VERSION_1 | 0x80_0000],
  ])('refuses %s with EPERM', (_what, flags) => {
    expect(checkPoolFlags(flags)).toBe(-1);
    expect(table().create(flags, uuid, 1)).toBe(-1);
  });
});

describe('PoolTable', () => {
  it('gives the lowest free id, and EPERM when none is left', () => {
    const pools = table();
    for (let id = 0; id < POOL_COUNT_MAX; id += 1)
      expect(pools.create(VERSION_1, uuid, 1)).toBe(id);
    expect(pools.create(VERSION_1, uuid, 1)).toBe(-1);
    pools.remove(17, 2);
    expect(pools.isLive(17)).toBe(false);
    expect(pools.create(VERSION_1 | 1, uuid, 1)).toBe(17);
    expect(pools.isPersistent(17)).toBe(true);
    expect(pools.isPersistent(16)).toBe(false);
  });

  it('makes a shared pool private', () => {
    const pools = table();
    expect(pools.info(pools.create(VERSION_1 | 2, uuid, 1)).shared).toBe(false);
  });

  it('knows no pool by a number outside 0 to 63', () => {
    const words = new Int32Array(PoolTable.bytes / 4).fill(1);
    const pools = table(words);
    for (const pool of [-1, -0x8000_0000, 64, 0x7fff_ffff]) expect(pools.isLive(pool)).toBe(false);
    expect([...pools.live()]).toHaveLength(64);
  });

  it('is the same when it is built anew over the same memory', () => {
    const words = new Int32Array(PoolTable.bytes / 4);
    const pools = table(words);
    pools.create(VERSION_1 | 1, uuid, 1);
    pools.create(VERSION_1, uuid, 1);
    pools.remove(0, 2);
    expect([...table(words).live()]).toEqual([1]);
    expect(() => table(new Int32Array(8))).toThrow(RangeError);
  });
});

describe('PageQuota', () => {
  it('gives as many pages as its limit, and again what is released', () => {
    const quota = new PageQuota(2);
    expect([quota.tryTake(), quota.tryTake(), quota.tryTake()]).toEqual([true, true, false]);
    quota.release();
    expect(quota.tryTake()).toBe(true);
    expect(quota.taken).toBe(2);
  });

  it('keeps pages beyond a lowered limit, and gives none until they have gone', () => {
    const quota = new PageQuota();
    for (let page = 0; page < 3; page += 1) expect(quota.tryTake()).toBe(true);
    quota.limit = 1;
    expect(quota.taken).toBe(3);
    quota.release();
    quota.release();
    expect(quota.tryTake()).toBe(false);
    quota.release();
    expect(quota.tryTake()).toBe(true);
  });

  it('counts a stored page even beyond the limit', () => {
    const quota = new PageQuota(0);
    quota.take();
    expect(quota.taken).toBe(1);
    expect(quota.tryTake()).toBe(false);
  });

  it('refuses a limit that is no count', () => {
    const quota = new PageQuota(5);
    for (const bad of [-1, Number.NaN]) {
      expect(() => {
        quota.limit = bad;
      }).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
    }
    expect(quota.limit).toBe(5);
  });
});

describe('put policies', () => {
  const request = { pool: 0, index: 0, duplicate: false };
  const answers = (name: string, duplicates: boolean[]): boolean[] => {
    const policy = parsePolicy(name);
    return duplicates.map((duplicate) => policy.admits({ ...request, duplicate }));
  };

  it('accept takes all and may be relied on; the others may not', () => {
    expect(answers('accept', [true, false])).toEqual([true, true]);
    expect(parsePolicy('accept').acceptsAll).toBe(true);
    expect(parsePolicy('refuse-every=2').acceptsAll).toBe(false);
    expect(parsePolicy('refuse-duplicates').acceptsAll).toBe(false);
  });

  it('refuse-every=N refuses the Nth, the 2Nth, ...', () => {
    const five = [false, false, false, false, false];
    expect(answers('refuse-every=2', five)).toEqual([true, false, true, false, true]);
    expect(answers('refuse-every=1', five)).toEqual([false, false, false, false, false]);
  });

  it('refuse-every=N counts for itself, each time that it is parsed', () => {
    expect(answers('refuse-every=2', [false])).toEqual([true]);
    expect(answers('refuse-every=2', [false])).toEqual([true]);
  });

  it('refuse-duplicates refuses what is there already', () => {
    expect(answers('refuse-duplicates', [false, true, false])).toEqual([true, false, true]);
  });

  it.each(['', 'refuse', 'refuse-every=0', 'refuse-every=-1', 'refuse-every=1.5', 'Accept'])(
    'knows no policy "%s"',
    (text) => {
      expect(() => parsePolicy(text)).toThrow(expect.objectContaining({ code: 'POLICY_UNKNOWN' }));
    },
  );

  it('has a name that parses to the same policy', () => {
    for (const name of ['accept', 'refuse-every=7', 'refuse-duplicates']) {
      expect(parsePolicy(name).name).toBe(name);
    }
    for (const n of [0, -1, 0.5, Number.NaN]) {
      const invalid = expect.objectContaining({ code: 'OPTION_INVALID' });
      expect(() => refuseEveryNth(n)).toThrow(invalid);
    }
  });
});
