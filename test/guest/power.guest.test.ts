/**
 * What the store holds is not in the guest's memory, so a kernel that comes back from an image would
 * be older than its pages: hibernation is refused while pages are held, in a line, and a new life
 * begins after it. Suspend to memory keeps the region, and a serial device's queues it does not.
 */
import { bootGuest, type Guest, troubleIn } from 'qemu-tmem';
import { expect, it } from 'vitest';
import { COMMAND_MS_MAX, counted, storm } from './unplug.js';

/** Older ones cannot load an image from a disk that they swap to. */
const KERNEL = 'debian-6.12';
const RIGHT = { code: 0, pagesWrong: 0, pagesLost: 0, processesDied: 0 };
const REFUSED =
  /tmem: no (hibernation|suspend over this transport): the host holds [1-9]\d* pages/g;
/** Down to the last step before the machine sleeps, and up again a second later. */
const SUSPEND = [
  'echo 1 >/sys/module/suspend/parameters/pm_test_delay',
  'echo core >/sys/power/pm_test',
  'echo mem >/sys/power/state; code=$?',
  'echo none >/sys/power/pm_test; exit $code',
].join('; ');
/** Writes an image to the swap disk, then loads it: the kernel that goes on is the image's. */
const HIBERNATE = 'echo test_resume >/sys/power/disk && echo disk >/sys/power/state';
const SWAP_ANEW = "for d in $(awk 'NR>1 {print $1}' /proc/swaps); do swapoff $d; swapon $d; done";

function power(guest: Guest, command: string) {
  return guest.exec(command, { timeoutMs: COMMAND_MS_MAX });
}

async function sessions(guest: Guest): Promise<number> {
  return (await guest.store!.stats()).sessions;
}

it.each([
  ['ivshmem', 1],
  ['virtio-serial', 2],
] as const)('over %s', async (transport, refusals) => {
  await using guest = await bootGuest({
    kernel: KERNEL,
    memoryMib: 320,
    accel: 'tcg',
    swapDisksMib: [512],
    store: { transport },
  });
  const running = storm(guest, '--mib 6 --passes 1000000 --seconds 8');
  await counted(guest, ({ puts = 0, gets = 0 }) => puts > 500 && gets > 100);

  const refused = await power(guest, HIBERNATE);
  expect(refused.stderr).toContain('Device or resource busy');
  const suspended = await power(guest, SUSPEND);
  expect(suspended.code === 0, suspended.stderr).toBe(transport === 'ivshmem');
  expect(await running).toMatchObject(RIGHT);
  expect(await sessions(guest)).toBe(1);
  expect((await guest.dmesg()).match(REFUSED)).toHaveLength(refusals);

  await guest.sh(SWAP_ANEW, { timeoutMs: COMMAND_MS_MAX });
  expect(await power(guest, HIBERNATE)).toMatchObject({ code: 0, stderr: '' });
  // Before the image, after it, and in the kernel that comes back from it.
  expect(await sessions(guest)).toBe(3);
  if (transport === 'virtio-serial') {
    expect(await power(guest, SUSPEND)).toMatchObject({ code: 0, stderr: '' });
    expect(await sessions(guest)).toBe(4);
  }
  const { puts = 0 } = (await guest.counters()).module;
  expect(await storm(guest, '--mib 6 --passes 1')).toMatchObject(RIGHT);
  const { module } = await guest.counters();
  expect(module.puts! - puts).toBeGreaterThan(500);
  expect(module).toMatchObject({ lost: 0, unserved: 0, host_errors: 0, devices_gone: 0 });
  expect(troubleIn(await guest.dmesg()).filter((line) => !line.match(REFUSED))).toEqual([]);
});
