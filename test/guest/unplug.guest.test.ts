/**
 * The store's device goes while swap, programs and readers of counters use it: by QEMU's monitor and
 * by the guest's sysfs. What lay with it is SIGBUS for who needs it, what comes after goes to the
 * disk or stays, the guest lives on and says so in a line. Another device serves anew.
 */
import { bootGuest, type Transport } from 'qemu-tmem';
import { describe, it } from 'vitest';
import {
  expectGone,
  expectServed,
  letGo,
  plugIvshmem,
  removeBySysfs,
  rescan,
  unplug,
  useWhile,
} from './unplug.js';

type Way = 'monitor' | 'sysfs';

describe.each<[string, string, Transport, Way]>([
  ['debian-6.1', 'frontswap', 'ivshmem', 'monitor'],
  ['debian-6.1', 'frontswap', 'virtio-serial', 'sysfs'],
  ['debian-6.12', 'zswap', 'virtio-serial', 'monitor'],
  ['debian-6.12', 'block', 'ivshmem', 'sysfs'],
])('%s, %s over %s, by %s', (kernel, frontEnd, transport, way) => {
  it('the device goes under those who use it', async () => {
    await using guest = await bootGuest({
      kernel,
      frontEnd,
      memoryMib: 192,
      cpus: 2,
      accel: 'tcg',
      store: { transport },
    });
    const remove = () =>
      way === 'monitor' ? unplug(guest, transport) : removeBySysfs(guest, transport);
    await useWhile(guest, remove);
    await expectGone(guest);
    if (transport === 'ivshmem') {
      await (way === 'monitor' ? plugIvshmem(guest) : rescan(guest));
      await expectServed(guest, transport);
    }
    if (frontEnd !== 'frontswap') await letGo(guest);
  });
});
