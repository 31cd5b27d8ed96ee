/**
 * Which storms went past tmem, from the counters of both sides.
 */
import { expect, test } from 'vitest';
import type { StoreStats } from '../session/messages.js';
import type { GuestCounters } from './counters.js';
import { shareProblems } from './storm.js';
import { swapShare } from './swap-share.js';

const SLOTS = 10_000;

function problems(
  module: Record<string, number>,
  pswpout: number,
  host: Partial<StoreStats> = {},
  shareMin = 0.5,
): string[] {
  const guest = { vmstat: { pswpout, thp_swpout: 390 }, module, disks: {} };
  const counters = guest as unknown as GuestCounters;
  const stats = {
    slots: SLOTS,
    quotaPages: Number.POSITIVE_INFINITY,
    pagesUsedMax: SLOTS / 2,
    putsRefused: 0,
    ...host,
  };
  return shareProblems(swapShare(counters), counters, stats as StoreStats, shareMin);
}

test('three of four pages past tmem is a problem that says where they went', () => {
  const [problem, ...more] = problems({ puts: 66_214, refused_huge: 390 }, 200_192);
  expect(more).toEqual([]);
  expect(problem).toMatch(/only 25% .* 200192 went to the disk, 390 huge pages whole/);
});

test('half is enough, nothing is nothing, and whoever disturbs the host says so', () => {
  expect(problems({ puts: 100 }, 100)).toEqual([]);
  expect(problems({}, 0)).toEqual([]);
  expect(problems({ puts: 1 }, 100, {}, 0)).toEqual([]);
  expect(problems({}, 100)).toHaveLength(1);
});

test('what was asked to be refused is none: a quota, a policy', () => {
  expect(problems({ puts: 1 }, 100, { quotaPages: 1 })).toEqual([]);
  expect(problems({ puts: 1, refused_host: 99 }, 100, { putsRefused: 99 })).toEqual([]);
});

test('a full store explains what it had no slot for, and no more', () => {
  const full = { pagesUsedMax: SLOTS };
  expect(problems({ puts: 100, refused_credit: 900 }, 900, full)).toEqual([]);
  expect(problems({ puts: 100, refused_credit: 10 }, 900, full)).toHaveLength(1);
  expect(problems({ puts: 100, refused_credit: 900 }, 900)).toHaveLength(1);
});
