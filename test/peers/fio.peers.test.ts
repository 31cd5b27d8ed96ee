/**
 * fio's verifying jobs: on /dev/tmem0 as a plain disk, past the page cache and from buffers of huge
 * pages; and on files of tmpfs that are larger than the memory they get, which the kernel swaps.
 */
import { LARGE_GUESTS } from './guests.js';
import type { PeerCase } from './peer.js';
import { describeSuite } from './suite.js';

interface Job {
  readonly engine: 'libaio' | 'io_uring' | 'mmap' | 'psync';
  readonly blockKib: number;
  readonly depth: number;
  readonly mib: number;
}

/** As lines of fio's own give them; `verify:` begins each line about a block that is wrong. */
const WRONG = /verify: bad .*|err= ?[1-9]\d*.*|fio: .*error.*/;

function fio(job: Job, where: string): string {
  const words = ['--name=job', where, '--rw=randwrite', '--verify=crc32c', '--verify_fatal=1'];
  words.push(`--ioengine=${job.engine}`, `--bs=${job.blockKib}k`, `--iodepth=${job.depth}`);
  words.push(`--size=${job.mib}M`, '--do_verify=1', '--verify_state_save=0', '--thread');
  return `exec fio ${words.join(' ')}`;
}

function caseOf(job: Job, where: string): PeerCase {
  return {
    name: `${job.engine}, blocks of ${job.blockKib} KiB, ${job.depth} deep`,
    script: fio(job, where),
    putsMin: job.mib * 128,
    says: /err= 0/,
    neverSays: WRONG,
  };
}

describeSuite({
  name: 'fio on the block device itself',
  guests: LARGE_GUESTS.filter(({ frontEnd }) => frontEnd === 'block'),
  options: { with: ['fio'], swap: 'none' },
  setUp: 'insmod /lib/tmem/tmem.ko front_end=block block_mib=192',
  cases: (
    [
      { engine: 'psync', blockKib: 4, depth: 1, mib: 8 },
      { engine: 'libaio', blockKib: 4, depth: 32, mib: 24 },
      { engine: 'libaio', blockKib: 16, depth: 8, mib: 32 },
      { engine: 'io_uring', blockKib: 64, depth: 16, mib: 64 },
      { engine: 'libaio', blockKib: 128, depth: 32, mib: 128 },
      { engine: 'libaio', blockKib: 512, depth: 1, mib: 128 },
      { engine: 'libaio', blockKib: 512, depth: 32, mib: 128 },
    ] as const
  ).map((job) => caseOf(job, '--filename=/dev/tmem0 --direct=1')),
});

describeSuite({
  name: 'fio on swapped files',
  guests: LARGE_GUESTS,
  options: { with: ['fio'] },
  setUp: 'mkdir /huge && mount -t tmpfs -o huge=always tmpfs /huge',
  cases: (
    [
      { engine: 'mmap', blockKib: 4, depth: 1, mib: 64 },
      { engine: 'mmap', blockKib: 512, depth: 1, mib: 128 },
      { engine: 'libaio', blockKib: 4, depth: 32, mib: 64 },
      { engine: 'libaio', blockKib: 64, depth: 16, mib: 96 },
      // Its buffers, 16 MiB, are swapped too.
      { engine: 'libaio', blockKib: 512, depth: 32, mib: 128 },
    ] as const
  ).map((job) => ({
    ...caseOf(job, '--filename=/huge/file --unlink=1'),
    limitMib: 40,
    putsMin: 4000,
  })),
});
