/**
 * The kernel's own tests of what swaps, each kernel's for itself: mm (cow, userfaultfd,
 * madv_populate, mkdirty) and cgroup (test_memcontrol, test_zswap).
 *
 * They push pages out by themselves, or run in a cgroup too small for them, or beside a storm.
 * test_zswap tests zswap, which is not there where our hook has its place: it runs with zswap as it
 * is, above the block device.
 */
import { defaultCacheDir } from '../../emulator/guest/paths.js';
import { LARGE_GUESTS, type PeerGuest } from './guests.js';
import { ensureSelftests, type Selftests, selftestsDir } from './kselftest-build.js';
import { type Expected, problemsIn, summaryOf } from './kselftest-output.js';
import type { PeerCase } from './peer.js';
import { describeSuite } from './suite.js';

const cacheDir = defaultCacheDir();

/** What a kernel of Debian's, or a guest that sets no huge pages aside, does not have. */
const NOT_HERE = [
  /need more free huge pages/,
  /on hugetlb(-private)?\.\.\. skipped/,
  /gup_test not available/,
  /CONFIG_GUP_TEST missing/,
];

function kselftest(name: string, command: string, expected: Partial<Expected>): PeerCase {
  const whole = { passed: [], skipped: NOT_HERE, ...expected };
  return {
    name,
    script: `PATH=/selftests:$PATH; ${command}`,
    putsMin: 20,
    says: /./,
    judge: (output) => problemsIn(output, whole),
    summary: summaryOf,
  };
}

/** Runs it in a cgroup with a storm, once that has filled the cgroup and pushes pages out. */
function stormed(peer: PeerCase): PeerCase {
  const puts = "awk '/^puts / { print $2 }' /sys/kernel/debug/tmem/stats";
  const script = `before=$(${puts}); storm --mib 40 --passes 1000 >/dev/null & hog=$!
    until [ $(${puts}) -gt $((before + 2000)) ]; do kill -0 $hog && sleep 0.2; done
    { ${peer.script}; } && kill $hog && { wait $hog || true; }`;
  return { ...peer, script, limitMib: 24, putsMin: 2000 };
}

const MEMCONTROL: PeerCase = {
  ...kselftest('test_memcontrol', 'test_memcontrol', {
    passed: [/test_memcg_swap_max/, /test_memcg_max\b/, /test_memcg_high\b/],
    skipped: [...NOT_HERE, /test_memcg_sock/],
  }),
  killsCgroups: true,
  // Its files must be of a disk, not swapped themselves.
  below: '/data',
  putsMin: 5000,
};

interface Group {
  readonly name: string;
  readonly selftests: Selftests;
  readonly guests: readonly PeerGuest[];
  readonly setUp?: string;
  readonly cases: readonly PeerCase[];
}

const OLD: Selftests = {
  kernel: 'source-6.1',
  programs: { vm: ['madv_populate', 'userfaultfd'], cgroup: ['test_memcontrol'] },
};

const NEW: Selftests = {
  kernel: 'source-6.12',
  programs: {
    mm: ['cow', 'madv_populate', 'mkdirty', 'uffd-unit-tests', 'uffd-stress'],
    cgroup: ['test_memcontrol', 'test_zswap'],
  },
};

/** The large guests of a front end, on Debian's 6.12. */
function onNew(frontEnd: string): PeerGuest[] {
  const kernel = 'debian-6.12';
  return LARGE_GUESTS.filter((guest) => guest.frontEnd === frontEnd).map((guest) => ({
    ...guest,
    title: `${frontEnd} (${kernel}, huge pages)`,
    options: { ...guest.options, kernel },
  }));
}

const faults = (name: string, command: string): PeerCase => ({
  ...kselftest(name, command, {}),
  limitMib: 24,
  putsMin: 2000,
});

/**
 * Those of uffd-unit-tests that come back with an answer, by a part of their names. Not `minor`,
 * which does not end within a minute under emulation with a plain disk, nor `events`, of which
 * events-wp failed once under the zswap hook, in a program that put four pages: see docs/peers.md.
 */
const UFFD_TESTS = ['zeropage', 'wp-fork', 'wp-unpopulated', 'move', 'sigbus', 'poison'];

const GROUPS: readonly Group[] = [
  {
    name: 'kselftest of 6.1',
    selftests: OLD,
    guests: LARGE_GUESTS.filter(({ frontEnd }) => frontEnd === 'frontswap'),
    cases: [
      stormed(kselftest('madv_populate', 'madv_populate', {})),
      faults('userfaultfd anon', 'userfaultfd anon 20 4'),
      faults('userfaultfd shmem', 'userfaultfd shmem 20 4'),
      MEMCONTROL,
    ],
  },
  {
    name: 'kselftest of 6.12',
    selftests: NEW,
    guests: [...onNew('zswap'), ...onNew('block')],
    cases: [
      {
        // Whether a huge page can be collapsed is khugepaged's to say; nothing is swapped there.
        ...kselftest('cow', 'cow', { skipped: [...NOT_HERE, /MADV_COLLAPSE failed/] }),
        says: /with swapped out base page\nok [\s\S]*with swapped-out THP.*\nok /,
      },
      stormed(kselftest('madv_populate', 'madv_populate', {})),
      stormed(kselftest('mkdirty', 'mkdirty', {})),
      ...UFFD_TESTS.map((test) =>
        stormed(
          kselftest(`uffd-unit-tests ${test}`, `uffd-unit-tests -f ${test}`, {
            passed: [new RegExp(`${test}.* on (anon|shmem)`)],
          }),
        ),
      ),
      faults('uffd-stress anon', 'uffd-stress anon 20 4'),
      faults('uffd-stress shmem', 'uffd-stress shmem 20 4'),
      MEMCONTROL,
    ],
  },
  {
    name: 'kselftest of 6.12 with zswap',
    selftests: NEW,
    guests: onNew('block'),
    setUp: 'echo 1 >/sys/module/zswap/parameters/enabled',
    cases: [
      {
        ...kselftest('test_zswap', 'test_zswap', { passed: [/test_zswapin/] }),
        killsCgroups: true,
      },
      MEMCONTROL,
    ],
  },
];

for (const { name, selftests, guests, setUp, cases } of GROUPS) {
  const dir = await selftestsDir(selftests, cacheDir);
  describeSuite({
    name,
    guests,
    prepare: () => ensureSelftests(selftests, cacheDir),
    options: { with: [dir], dataMib: 512 },
    setUp: [`ln -s ${dir} /selftests`, ...(setUp === undefined ? [] : [setUp])].join(' && '),
    cases,
  });
}
