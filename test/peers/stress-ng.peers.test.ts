/**
 * stress-ng's stressors that verify what they wrote. Those that touch too little memory to be
 * swapped themselves (brk, stack, fork) have one beside them that pushes theirs out.
 *
 * Each does a number of its own operations, so that a slow machine swaps as much as a fast one.
 */
import { LARGE_GUESTS, smallGuests } from './guests.js';
import type { PeerCase } from './peer.js';
import { describeSuite } from './suite.js';

const PUTS_MIN = 1000;
const LIMIT_MIB = 40;
/** Not reached: the operations are done long before. */
const SECONDS_MAX = 280;
/** stress-ng exits with 0 though it says this, when a process of its own was killed. */
const FAILED = /stress-ng: (fail|error): .*/;

function stress(name: string, args: string, folder = '.'): PeerCase {
  const common = `--verify --oomable --temp-path ${folder} --timeout ${SECONDS_MAX}`;
  return {
    name,
    script: `exec stress-ng ${args} ${common}`,
    putsMin: PUTS_MIN,
    says: /successful run completed/,
    neverSays: FAILED,
  };
}

const limited = (peer: PeerCase): PeerCase => ({ ...peer, limitMib: LIMIT_MIB });

const BESIDE = '--vm 1 --vm-bytes 80M --vm-ops 10';

describeSuite({
  name: 'stress-ng',
  guests: LARGE_GUESTS,
  options: { with: ['stress-ng'], dataMib: 256 },
  cases: [
    stress('vm', '--vm 2 --vm-bytes 64M --vm-ops 20'),
    stress('memfd', '--memfd 2 --memfd-bytes 64M --memfd-ops 2'),
    stress('shm', '--shm 2 --shm-bytes 20M --shm-objs 4 --shm-ops 4'),
    // Small segments: it locks one at a time.
    stress('shm-sysv', '--shm-sysv 2 --shm-sysv-bytes 8M --shm-sysv-segs 8 --shm-sysv-ops 24'),
    stress('mremap', '--mremap 2 --mremap-bytes 48M --mremap-ops 4'),
    stress('madvise', '--madvise 2 --madvise-ops 4'),
    stress('vm-rw', '--vm-rw 2 --vm-rw-bytes 40M --vm-rw-ops 4'),
    stress('mmap', '--mmap 2 --mmap-bytes 48M --mmap-ops 2'),
    stress('bigheap', '--bigheap 2 --bigheap-growth 64K --bigheap-ops 600'),
    stress('fork', `--fork 2 --fork-vm --fork-ops 40 ${BESIDE}`),
    stress('brk', `--brk 2 --brk-ops 20000 ${BESIDE}`),
    stress('stack', `--stack 2 --stack-fill --stack-ops 8 ${BESIDE}`),
    // It puts swap on files of its own, which cannot lie on tmpfs. Where we are a device, those are
    // others.
    { ...stress('swap', '--swap 1 --swap-ops 40', '/data'), shareMin: 0 },
  ].map(limited),
});

describeSuite({
  name: 'stress-ng',
  guests: smallGuests(224),
  options: { with: ['stress-ng'] },
  cases: [
    stress('vm', '--vm 2 --vm-bytes 260M --vm-ops 10'),
    stress('shm', '--shm 2 --shm-bytes 48M --shm-objs 4 --shm-ops 4'),
    stress('mmap', '--mmap 2 --mmap-bytes 128M --mmap-ops 2'),
  ],
});
