/**
 * The share of swap that tmem saw, from counters as each front end leaves them.
 */
import { expect, test } from 'vitest';
import type { GuestCounters } from './counters.js';
import { swapShare } from './swap-share.js';

function counters(parts: Partial<GuestCounters>): GuestCounters {
  const none = { count: 0, p50: 0, p99: 0 };
  return {
    frontswap: {},
    cleancache: {},
    vmstat: {},
    module: {},
    putLatency: none,
    getLatency: none,
    disks: {},
    ...parts,
  };
}

test('a swap hook: what went to a device went past us', () => {
  const share = swapShare(counters({ vmstat: { pswpout: 300 }, module: { puts: 100 } }));
  expect(share).toEqual({ tmem: 100, disk: 300, share: 0.25 });
});

test('/dev/tmem0 is a device and is ours; a page that it refused is on neither', () => {
  const share = swapShare(
    counters({
      vmstat: { pswpout: 1000 },
      module: { puts: 790, refused_credit: 11 },
      disks: { vda: { read: 0, written: 1600 }, tmem0: { read: 0, written: 6400 } },
    }),
  );
  expect(share).toEqual({ tmem: 790, disk: 200, share: 790 / 990 });
});

test('a page that is written through is with us', () => {
  const module = { puts: 100, written_through: 100 };
  expect(swapShare(counters({ vmstat: { pswpout: 100 }, module })).share).toBe(1);
});

test('nothing swapped is no share', () => {
  expect(swapShare(counters({})).share).toBeUndefined();
});
