/**
 * What passes as a good run of the kernel's own tests, and what does not.
 */
import { expect, it } from 'vitest';
import { problemsIn, summaryOf } from './kselftest-output.js';

const TAP = `TAP version 13
1..3
ok 1 test_swap_max
ok 2 # SKIP need more free huge pages
ok 3 # SKIP MADV_PAGEOUT did not work, is swap enabled?
`;

const UFFD = `Testing zeropage on anon... done
Testing zeropage on hugetlb... skipped [reason: memory allocation failed]
`;

const KNOWN = [/free huge pages/, /on hugetlb\.\.\. skipped/];

it('takes a skip for a known reason, and none for another', () => {
  expect(problemsIn(TAP, { passed: [], skipped: KNOWN })).toEqual([
    'ok 3 # SKIP MADV_PAGEOUT did not work, is swap enabled?',
  ]);
  expect(problemsIn(UFFD, { passed: [/zeropage on anon/], skipped: KNOWN })).toEqual([]);
});

it('takes no failure, however the program ends', () => {
  const output = `${TAP}not ok 4 test_memcg_max\nTesting events on shmem... failed [reason: x]\n`;
  expect(problemsIn(output, { passed: [], skipped: [/./] })).toEqual([
    'not ok 4 test_memcg_max',
    'Testing events on shmem... failed [reason: x]',
  ]);
  expect(
    problemsIn('Bail out! 1 out of 3 tests failed\n', { passed: [], skipped: [] }),
  ).toHaveLength(1);
});

it('misses a test that a run is for; one that was skipped did not pass', () => {
  const wanted = { passed: [/swap_max/, /zeropage on hugetlb/], skipped: [/./] };
  expect(problemsIn(TAP + UFFD, wanted)).toEqual([
    'no test passed that is called /zeropage on hugetlb/',
  ]);
});

it('says how many passed, and why others did not run', () => {
  expect(summaryOf(TAP + UFFD)).toBe(
    '2 passed; 1 skipped: need more free huge pages; ' +
      '1 skipped: MADV_PAGEOUT did not work, is swap enabled?; 1 skipped: memory allocation failed',
  );
});
