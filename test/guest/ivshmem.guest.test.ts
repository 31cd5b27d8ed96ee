/**
 * What a guest says of an ivshmem device that it cannot use.
 */
import { bootGuest } from 'qemu-tmem';
import { expect, it } from 'vitest';

it('refuses registers that do not answer, where no doorbell would be heard', async () => {
  await using guest = await bootGuest({ memoryMib: 128, accel: 'tcg', swap: 'none' });
  // Moves BAR 0 away from where the kernel believes it to be.
  const config = '$(dirname $(grep -l 0x1110 /sys/bus/pci/devices/*/device))/config';
  const address = "printf '\\000\\004\\300\\376'";
  await guest.sh(`${address} | dd of=${config} bs=1 seek=16 conv=notrunc 2>/dev/null`);
  expect((await guest.exec('insmod /lib/tmem/tmem.ko')).code).not.toBe(0);
  expect(await guest.dmesg()).toMatch(/tmem .*BAR 0 at \[mem 0x.*\] does not answer/);
});
