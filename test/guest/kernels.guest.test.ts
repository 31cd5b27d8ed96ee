/**
 * Debian's kernels beside 6.1, through the swap hook that each has: refused pages, swapoff while
 * pages are held, and what only that kernel can do. matrix.guest.test.ts has the plain storms.
 */
import { bootGuest, type GuestOptions, runStorm } from 'qemu-tmem';
import { describe, expect, it } from 'vitest';

const STORM_MS_MAX = 240_000;
/** Stock kernels: 6.12 takes more memory to boot than the others. */
const MEMORY_MIB = 160;
/** Whatever device it is that swap is on. */
const SWAPOFF = "swapoff $(awk 'NR == 2 { print $1 }' /proc/swaps)";

async function stormOn(kernel: string, options: GuestOptions = {}) {
  await using guest = await bootGuest({ kernel, memoryMib: MEMORY_MIB, accel: 'tcg', ...options });
  const storm = { mib: 48, passes: 2, extra: ['--pageout'], timeoutMs: STORM_MS_MAX };
  const report = await runStorm(guest, storm);
  return { report, log: await guest.dmesg() };
}

/**
 * SIGBUS, as a shell tells it; or SIGSEGV, where it was the kernel that touched the page for the
 * process (its rseq area, kernel/rseq.c).
 */
const KILLED_BY_LOSS = [128 + 7, 128 + 11];

describe.each([
  ['debian-5.10', 'frontswap'],
  ['debian-6.12', 'zswap'],
])('%s, through %s', (kernel) => {
  it('refused pages go to the swap disk, and none older comes back', async () => {
    const { report } = await stormOn(kernel, { store: { policy: 'refuse-every=3' } });
    expect(report.problems).toEqual([]);
    expect(report.host?.putsRefused).toBeGreaterThan(1000);
    expect(report.guest.disks.vda?.written).toBeGreaterThan(8 * 1000);
  });

  it('swapoff brings held pages back and drops the pool', async () => {
    await using guest = await bootGuest({ kernel, memoryMib: MEMORY_MIB, accel: 'tcg' });
    await guest.sh('dd if=/dev/urandom of=/tmp/data bs=1M count=24 2>/dev/null');
    const sum = await guest.sh('md5sum </tmp/data');
    const storm = await runStorm(guest, { mib: 192, passes: 1, timeoutMs: STORM_MS_MAX });
    expect(storm.problems).toEqual([]);
    await guest.sh(SWAPOFF, { timeoutMs: STORM_MS_MAX });
    expect(await guest.store!.stats()).toMatchObject({ pagesUsed: 0, pools: [] });
    expect(await guest.sh('md5sum </tmp/data')).toBe(sum);
    expect(await guest.dmesg()).not.toMatch(/BUG:|WARNING:|Oops/);
  });
});

describe('debian-6.12', () => {
  it('unloads the module after swapoff, and loads it again', async () => {
    await using guest = await bootGuest({
      kernel: 'debian-6.12',
      memoryMib: MEMORY_MIB,
      accel: 'tcg',
    });
    const busy = await guest.exec('rmmod tmem');
    expect(busy.code).not.toBe(0);
    for (let life = 0; life < 2; life += 1) {
      const report = await runStorm(guest, {
        mib: 64,
        passes: 1,
        extra: ['--pageout'],
        timeoutMs: STORM_MS_MAX,
      });
      expect(report.pagesWrong).toBe(0);
      expect(report.guest.module.puts).toBeGreaterThan(2000);
      await guest.sh(`${SWAPOFF} && rmmod tmem`, { timeoutMs: STORM_MS_MAX });
      // Without the module the kernel swaps by itself.
      await guest.sh('swapon /dev/vda && storm --mib 64 --passes 1 --pageout && swapoff /dev/vda', {
        timeoutMs: STORM_MS_MAX,
      });
      await guest.sh('insmod /lib/tmem/tmem.ko && swapon /dev/vda');
    }
    expect(await guest.dmesg()).not.toMatch(/BUG:|WARNING:|Oops/);
  });

  it('a page that cannot be had is SIGBUS for who needs it, and the guest lives on', async () => {
    await using guest = await bootGuest({
      kernel: 'debian-6.12',
      memoryMib: MEMORY_MIB,
      accel: 'tcg',
      moduleParameters: ['direct_gets=0', 'get_timeout_ms=500'],
    });
    const storm = guest.exec('storm --mib 224 --passes 1000', { timeoutMs: STORM_MS_MAX });
    const deadline = performance.now() + STORM_MS_MAX;
    while ((await guest.store!.stats()).gets < 5000) {
      expect(performance.now()).toBeLessThan(deadline);
      await guest.sh('sleep 0.2');
    }
    await guest.store![Symbol.asyncDispose]();
    expect(KILLED_BY_LOSS).toContain((await storm).code);
    expect(await guest.sh('echo alive')).toBe('alive\n');
    const log = await guest.dmesg();
    expect(log).toMatch(/tmem: page \d+ of area 0 cannot be had \(-\d+\): SIGBUS/);
    expect(log).not.toMatch(/BUG:|WARNING:|Oops/);
  });
});
