/**
 * Real guests that reach their store through a virtio-serial port: no memory is shared, nothing is
 * lost, whatever becomes of the bytes on their way.
 */
import { bootGuest, runStorm, troubleIn } from 'qemu-tmem';
import { expect, it } from 'vitest';
import { DamagingProxy } from './damaging-proxy.js';

const STORM_MS_MAX = 240_000;
const SERIAL = { memoryMib: 128, accel: 'tcg', store: { transport: 'virtio-serial' } } as const;

it('swaps through the port, and every page comes back right', async () => {
  await using guest = await bootGuest(SERIAL);
  const extra = ['--pageout'];
  const report = await runStorm(guest, { mib: 24, passes: 1, extra, timeoutMs: STORM_MS_MAX });
  expect(report.problems).toEqual([]);
  expect(report.transport).toBe('virtio-serial');
  expect(report.puts).toBeGreaterThan(5_000);
  expect(report.gets).toBeGreaterThan(5_000);
  expect(report.host?.framesReceived).toBeGreaterThan(100);
  // Puts are posted and go over many at a time.
  expect(report.host?.framesReceived).toBeLessThan(report.puts + report.gets);
  expect(report.host?.streamBytesSkipped).toBe(0);
  expect(report.guest.disks.vda?.written).toBeLessThan(100);
});

it('loses nothing when bytes are turned, cut out and put in on their way', async () => {
  let proxy: DamagingProxy | undefined;
  await using guest = await bootGuest({
    ...SERIAL,
    between: async (storeSocket) => {
      proxy = await DamagingProxy.listen(storeSocket);
      return proxy;
    },
  });
  const extra = ['--pageout'];
  const report = await runStorm(guest, { mib: 6, passes: 1, extra, timeoutMs: STORM_MS_MAX });
  // Counters agree too: what was sent twice was carried out once.
  expect(report.problems).toEqual([]);
  expect(report.puts).toBeGreaterThan(1_000);
  expect(report.gets).toBeGreaterThan(1_000);
  expect(proxy?.accidents).toBeGreaterThan(100);
  expect(report.host?.streamBytesSkipped).toBeGreaterThan(100_000);
});

it('is an ordinary disk too, unloads cleanly, and comes back as a new life', async () => {
  await using guest = await bootGuest({ ...SERIAL, swap: 'none' });
  const load = 'insmod /lib/tmem/tmem.ko transport=virtio-serial front_end=block block_mib=16';
  for (let life = 1; life <= 2; life += 1) {
    await guest.sh(load);
    await guest.sh(
      'dd if=/dev/urandom of=/tmp/page bs=1M count=4 2>/dev/null && ' +
        'dd if=/tmp/page of=/dev/tmem0 bs=1M oflag=direct 2>/dev/null && ' +
        'dd if=/dev/tmem0 of=/tmp/back bs=1M count=4 iflag=direct 2>/dev/null && ' +
        'cmp /tmp/page /tmp/back',
    );
    // Puts are posted: the last ones may still be on their way.
    await expect.poll(async () => (await guest.store!.stats()).pagesUsed).toBe(1024);
    const stats = await guest.store!.stats();
    expect(stats).toMatchObject({ sessions: life, attached: true, faults: 0 });
    await guest.sh('rmmod tmem');
    await expect.poll(async () => (await guest.store!.stats()).attached).toBe(false);
    expect((await guest.store!.stats()).pagesUsed).toBe(0);
  }
  expect(troubleIn(await guest.dmesg())).toEqual([]);
});

it('says so when the transport that is asked for is not there', async () => {
  await using guest = await bootGuest({ ...SERIAL, swap: 'none' });
  const { code } = await guest.exec('insmod /lib/tmem/tmem.ko transport=ivshmem');
  expect(code).not.toBe(0);
  expect(await guest.dmesg()).toContain('no tmem host found (transport=ivshmem)');
  await guest.sh('insmod /lib/tmem/tmem.ko front_end=none && rmmod tmem');
  const strange = await guest.exec('insmod /lib/tmem/tmem.ko transport=pigeon');
  expect(strange.code).not.toBe(0);
  expect(await guest.dmesg()).toContain("no transport is called 'pigeon'");
});

it('refuses its puts by itself while no store answers, and puts again when one does', async () => {
  await using guest = await bootGuest(SERIAL);
  const pid = guest.store!.storePid!;
  process.kill(pid, 'SIGSTOP');
  const options = {
    mib: 16,
    passes: 1,
    extra: ['--pageout'],
    timeoutMs: STORM_MS_MAX,
    shareMin: 0,
  };
  const storm = runStorm(guest, options);
  storm.catch(() => {});
  try {
    // Puts that each waited for their answer would not come to so many.
    await expect
      .poll(async () => (await guest.counters()).module.refused_credit, { timeout: 60_000 })
      .toBeGreaterThan(1_000);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  const stopped = await storm;
  expect(stopped.problems).toEqual([]);
  expect(stopped.guest.disks.vda?.written).toBeGreaterThan(8_000);
  const after = await runStorm(guest, options);
  expect(after.problems).toEqual([]);
  expect(after.puts - stopped.puts).toBeGreaterThan(1_000);
});

it('takes a host that goes away for what it is: puts go to disk, lost pages are SIGBUS', async () => {
  await using guest = await bootGuest({
    ...SERIAL,
    moduleParameters: ['get_timeout_ms=1000', 'put_timeout_ms=200'],
  });
  const storm = guest.exec('storm --mib 32 --passes 3 --pageout --json', {
    timeoutMs: STORM_MS_MAX,
  });
  await expect
    .poll(async () => (await guest.store!.stats()).puts, { timeout: 60_000 })
    .toBeGreaterThan(4_000);
  await guest.store![Symbol.asyncDispose]();
  expect((await storm).code).not.toBe(0);
  // The guest lives on, and swaps to its disk.
  await guest.sh('storm --mib 16 --passes 1 --pageout --json', { timeoutMs: STORM_MS_MAX });
  expect(await guest.dmesg()).toMatch(/tmem: page \d+ of area 0 cannot be had \(-110\): SIGBUS/);
});
