/**
 * A guest begins another life again and again, by each way there is: the question which life it is
 * in may be lost with the one that ends, and is asked until somebody answers.
 */
import { bootGuest } from 'qemu-tmem';
import { expect, it } from 'vitest';

const LIFE = 'cat /proc/sys/kernel/random/boot_id';
/** Time enough for one boot; the whole of it passes while no other life begins. */
const BOOT_MS_MAX = 30_000;
const ENDS = [
  undefined,
  'echo b >/proc/sysrq-trigger',
  undefined,
  'echo c >/proc/sysrq-trigger',
  undefined,
  'reboot -f',
];

it('begins again as often as it is told to', async () => {
  await using guest = await bootGuest({ memoryMib: 128, accel: 'tcg', swap: 'none' });
  const lives = new Set([await guest.sh(LIFE)]);
  for (const end of ENDS) {
    await guest.beginAgain(end);
    lives.add(await guest.sh(LIFE));
  }
  expect(lives.size).toBe(ENDS.length + 1);
});

it('says so when no other life begins', async () => {
  const options = { memoryMib: 128, accel: 'tcg', swap: 'none' } as const;
  await using guest = await bootGuest({ ...options, bootTimeoutMs: BOOT_MS_MAX });
  const late = { code: 'GUEST_BOOT_TIMEOUT', message: expect.stringContaining('no other life') };
  await expect(guest.beginAgain('true')).rejects.toMatchObject(late);
});
