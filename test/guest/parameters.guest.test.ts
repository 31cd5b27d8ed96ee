/**
 * What the module is told that cannot be: it says so and harms nothing.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bootGuest, type Guest, troubleIn } from '../../emulator/index.js';

let guest: Guest;
beforeAll(async () => {
  guest = await bootGuest({ memoryMib: 128, swap: 'none', swapDisksMib: [0, 64] });
});
afterAll(() => guest[Symbol.asyncDispose]());

it('a fail-stop device over a disk without room is refused, also beside another', async () => {
  for (const disks of ['/dev/vda', '/dev/vdb,/dev/vda']) {
    const { code } = await guest.exec(`dmesg -c; insmod /lib/tmem/tmem.ko failstop=${disks}`);
    expect(code).not.toBe(0);
    expect(await guest.dmesg()).toContain('tmem: /dev/vda has no room for a page');
  }
  const log = await guest.dmesg();
  expect(log).not.toMatch(/BUG:|Oops|WARNING/);
  expect(await guest.sh('ls /dev')).not.toContain('failstop');
});

it('a parameter that it does not have is trouble in the kernel log', async () => {
  // The disk that was opened for itself beside the one without room was given back.
  await guest.sh('insmod /lib/tmem/tmem.ko front_end=none failstop=/dev/vdb colour=1');
  const found = troubleIn(await guest.dmesg()).filter((line) => line.includes('colour'));
  expect(found).toEqual([expect.stringContaining("tmem: unknown parameter 'colour' ignored")]);
});
