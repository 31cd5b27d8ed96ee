/**
 * A guest begins another life again and again, by each way there is: the question which life it is
 * in may be lost with the one that ends, and is asked until somebody answers.
 */
import { bootGuest } from 'qemu-tmem';
import { expect, it } from 'vitest';

const LIFE = 'cat /proc/sys/kernel/random/boot_id';
const ENDS = [undefined, 'echo b >/proc/sysrq-trigger', undefined, 'echo c >/proc/sysrq-trigger'];

it('begins again as often as it is told to', async () => {
  await using guest = await bootGuest({ memoryMib: 128, accel: 'tcg', swap: 'none' });
  const lives = new Set([await guest.sh(LIFE)]);
  for (const end of ENDS) {
    await guest.beginAgain(end);
    lives.add(await guest.sh(LIFE));
  }
  expect(lives.size).toBe(ENDS.length + 1);
});
