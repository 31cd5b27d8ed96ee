/**
 * A cut of `npm run test:peers`: one boot with huge pages, in which stress-ng and fio verify what
 * was swapped meanwhile, and the judgement on such runs itself.
 */
import { bootGuest, type Guest } from 'qemu-tmem';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type PeerCase, runPeer } from '../peers/peer.js';

let guest: Guest;

beforeAll(async () => {
  guest = await bootGuest({ memoryMib: 640, cpus: 2, accel: 'tcg', with: ['stress-ng', 'fio'] });
});

afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
});

const STRESS: PeerCase = {
  name: 'stress-ng',
  script: 'stress-ng --memfd 1 --memfd-bytes 48M --memfd-ops 1 --verify --oomable --temp-path .',
  limitMib: 32,
  putsMin: 1000,
  says: /successful run completed/,
  neverSays: /stress-ng: (fail|error): .*/,
};

const FIO: PeerCase = {
  name: 'fio',
  script:
    'fio --name=job --filename=file --rw=randwrite --bs=64k --size=24M --ioengine=mmap ' +
    '--verify=crc32c --do_verify=1 --verify_fatal=1 --verify_state_save=0 --thread',
  limitMib: 16,
  putsMin: 1000,
  says: /err= 0/,
};

it.each([STRESS, FIO])('$name finds all it wrote', async (peer) => {
  const { problems } = await runPeer(guest, peer);
  expect(problems).toEqual([]);
});

it('a run that failed, or swapped nothing, is no pass', async () => {
  const { problems } = await runPeer(guest, {
    ...FIO,
    script: 'echo err= 0; exit 3',
  });
  expect(problems).toEqual([
    expect.stringContaining('it ended with 3'),
    expect.stringContaining('only 0 pages'),
  ]);
});
