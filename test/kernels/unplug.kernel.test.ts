/**
 * The store's device goes under those who use it, says a kernel that looks at each access to memory
 * and at each lock: nothing is used after it was freed, whoever was waiting for it.
 */
import { bootGuest, TRANSPORTS } from 'qemu-tmem';
import { describe, it } from 'vitest';
import { expectGone, expectServed, removeBySysfs, rescan, useWhile } from '../guest/unplug.js';

describe.each(TRANSPORTS)('over %s', (transport) => {
  it.each(['frontswap', 'block'])('%s, with answers waited for', async (frontEnd) => {
    await using guest = await bootGuest({
      kernel: 'source-6.1-debug',
      frontEnd,
      memoryMib: 384,
      cpus: 2,
      accel: 'tcg',
      bootTimeoutMs: 180_000,
      moduleParameters: ['posted_puts=0', 'direct_gets=0'],
      store: { transport },
    });
    await useWhile(guest, () => removeBySysfs(guest, transport));
    await expectGone(guest);
    if (transport !== 'ivshmem') return;
    await rescan(guest);
    await expectServed(guest, transport);
  });
});
