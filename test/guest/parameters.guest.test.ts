/**
 * What the module is told that cannot be: it says so and harms nothing.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bootGuest, type Guest, troubleIn } from '../../emulator/index.js';

let guest: Guest;
beforeAll(async () => {
  // A loop device over no file has a size of 0.
  const kernelModules = ['loop'];
  guest = await bootGuest({ memoryMib: 128, swap: 'none', swapDisksMib: [64], kernelModules });
  await guest.sh('test -b /dev/loop0 || mknod /dev/loop0 b 7 0');
});
afterAll(() => guest[Symbol.asyncDispose]());

it('a fail-stop device over a disk without room is refused, also beside another', async () => {
  for (const disks of ['/dev/loop0', '/dev/vda,/dev/loop0']) {
    const { code } = await guest.exec(`dmesg -c; insmod /lib/tmem/tmem.ko failstop=${disks}`);
    expect(code).not.toBe(0);
    expect(await guest.dmesg()).toContain('tmem: /dev/loop0 has no room for a page');
  }
  const log = await guest.dmesg();
  expect(log).not.toMatch(/BUG:|Oops|WARNING/);
  expect(await guest.sh('ls /dev')).not.toContain('failstop');
});

it('a parameter that it does not have is trouble in the kernel log', async () => {
  // The disk that was opened for itself beside the one without room was given back.
  await guest.sh('insmod /lib/tmem/tmem.ko front_end=none failstop=/dev/vda colour=1');
  const found = troubleIn(await guest.dmesg()).filter((line) => line.includes('colour'));
  expect(found).toEqual([expect.stringContaining("tmem: unknown parameter 'colour' ignored")]);
});
