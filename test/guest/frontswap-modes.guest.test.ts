/**
 * What frontswap of Linux 5.10 can do beside keeping pages: writethrough, exclusive gets, late
 * registration, shrink; and a kernel that cannot says so.
 */
import { bootGuest, type Guest, runStorm, troubleIn } from 'qemu-tmem';
import { describe, expect, it } from 'vitest';

const MS_MAX = 120_000;
const OLD = { kernel: 'debian-5.10', memoryMib: 128, accel: 'tcg' } as const;
const SECTORS_A_PAGE = 8;
/** Pages that frontswap says its backends hold. */
const HELD = 'cat /sys/kernel/debug/tmem/shrink';

async function waitFor(guest: Guest, what: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + MS_MAX;
  while (!(await what())) {
    expect(performance.now()).toBeLessThan(deadline);
    await guest.sh('sleep 0.1');
  }
}

function resultOf(stdout: string): { pagesVerified: number; pagesWrong: number } {
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

describe('writethrough', () => {
  it('has each page on the disk too, so that the store may go at any time', async () => {
    await using guest = await bootGuest({
      ...OLD,
      moduleParameters: ['writethrough=1', 'direct_gets=0', 'put_timeout_ms=200'],
    });
    const storm = guest.exec('storm --mib 160 --passes 2 --json', { timeoutMs: MS_MAX });
    await waitFor(guest, async () => (await guest.store!.stats()).gets > 3000);
    const { puts } = await guest.store!.stats();
    await guest.store![Symbol.asyncDispose]();
    const { code, stdout } = await storm;
    expect(resultOf(stdout)).toMatchObject({ pagesWrong: 0 });
    expect(code).toBe(0);
    const counters = await guest.counters();
    expect(counters.disks.vda?.written).toBeGreaterThan(puts * SECTORS_A_PAGE * 0.9);
    expect(counters.module.failed_over).toBeGreaterThan(1000);
    expect(troubleIn(await guest.dmesg())).toEqual([]);
  });

  it('reads from the store, not from the disk, while the store is there', async () => {
    await using guest = await bootGuest({ ...OLD, moduleParameters: ['writethrough=1'] });
    const report = await runStorm(guest, { mib: 160, passes: 1, timeoutMs: MS_MAX });
    expect(report.problems).toEqual([]);
    expect(report.gets).toBeGreaterThan(5000);
    expect(report.guest.module.failed_over).toBe(0);
    const { read, written } = report.guest.disks.vda!;
    expect(written).toBeGreaterThan(report.puts * SECTORS_A_PAGE * 0.9);
    expect(read).toBeLessThan(1000);
  });
});

describe('exclusive gets', () => {
  it.each([[[]], [['direct_gets=0', 'posted_puts=0']]])('keep no page twice %j', async (more) => {
    const moduleParameters = ['exclusive_gets=1', ...more];
    await using guest = await bootGuest({ ...OLD, moduleParameters });
    const extra = ['--pageout'];
    const report = await runStorm(guest, { mib: 48, passes: 1, extra, timeoutMs: MS_MAX });
    expect(report.problems).toEqual([]);
    expect(report.gets).toBeGreaterThan(5000);
    // The kernel calls no invalidate for a page that was loaded: each such flush is our own.
    const { invalidates = 0 } = report.guest.frontswap;
    expect(report.flushes).toBeGreaterThanOrEqual(report.gets);
    expect(report.flushes - report.gets).toBeLessThan(invalidates + 1000);
    // Whatever frontswap counts the store has, and not one page more.
    await waitFor(guest, async () => {
      const held = Number(await guest.sh(HELD));
      return (await guest.store!.stats()).pagesUsed === held;
    });
  });
});

describe('late registration', () => {
  it('takes over an area that is on; pages on disk stay there', async () => {
    await using guest = await bootGuest({ ...OLD, swap: 'none' });
    await guest.sh('mkswap /dev/vda >/dev/null && swapon /dev/vda');
    const storm = guest.exec('storm --mib 160 --passes 2 --json', { timeoutMs: MS_MAX });
    const written = async () => (await guest.counters()).disks.vda?.written ?? 0;
    await waitFor(guest, async () => (await written()) > 4000 * SECTORS_A_PAGE);
    await guest.sh('insmod /lib/tmem/tmem.ko');
    const before = (await guest.counters()).disks.vda!;
    const { code, stdout } = await storm;
    expect(resultOf(stdout)).toMatchObject({ pagesWrong: 0 });
    expect(code).toBe(0);
    const { disks, module } = await guest.counters();
    expect(module.puts).toBeGreaterThan(5000);
    expect(module.gets).toBeGreaterThan(5000);
    // What was written before is read back, and hardly anything is written after.
    expect(disks.vda!.read - before.read).toBeGreaterThan(1000 * SECTORS_A_PAGE);
    expect(disks.vda!.written - before.written).toBeLessThan(2000 * SECTORS_A_PAGE);
    expect(troubleIn(await guest.dmesg())).toEqual([]);
  });
});

describe('shrink', () => {
  it('brings pages back into memory, right, and leaves the store with as many as it says', async () => {
    await using guest = await bootGuest(OLD);
    await guest.sh('dd if=/dev/urandom of=/tmp/data bs=1M count=48 2>/dev/null');
    const sum = await guest.sh('md5sum </tmp/data');
    await runStorm(guest, { mib: 160, passes: 1, timeoutMs: MS_MAX });
    expect(Number(await guest.sh(HELD))).toBeGreaterThan(3000);
    const { gets } = await guest.store!.stats();
    // The kernel accounts for what comes back (security_vm_enough_memory_mm()), and by its guess at
    // free memory it may refuse: that is not what is shown here.
    await guest.sh('echo 1 >/proc/sys/vm/overcommit_memory');
    // Fewer than the kernel frees at a time (SWAP_SLOTS_CACHE_SIZE).
    const held = Number(await guest.sh(HELD));
    await guest.sh(`echo ${held - 5} >/sys/kernel/debug/tmem/shrink`, { timeoutMs: MS_MAX });
    expect(Number(await guest.sh(HELD))).toBeLessThanOrEqual(held - 5);
    await guest.sh('echo 500 >/sys/kernel/debug/tmem/shrink', { timeoutMs: MS_MAX });
    expect(Number(await guest.sh(HELD))).toBeLessThanOrEqual(500);
    const stats = await guest.store!.stats();
    expect(stats.gets).toBeGreaterThan(gets + 2000);
    expect(stats.pagesUsed).toBeLessThanOrEqual(500);
    expect(await guest.sh('md5sum </tmp/data')).toBe(sum);
    expect(troubleIn(await guest.dmesg())).toEqual([]);
  });

  it('ends by itself where there is nothing to bring back', async () => {
    await using guest = await bootGuest({ ...OLD, store: { quotaPages: 0 } });
    await runStorm(guest, { mib: 160, passes: 1, timeoutMs: MS_MAX });
    await guest.sh('echo 0 >/sys/kernel/debug/tmem/shrink', { timeoutMs: MS_MAX });
    expect(Number(await guest.sh(HELD))).toBe(0);
  });
});

describe('a kernel or front end without them', () => {
  it.each([
    ['debian-6.1', 'writethrough=1'],
    ['debian-6.12', 'exclusive_gets=1'],
    ['debian-5.10', 'front_end=block writethrough=1'],
  ])('%s refuses %s', async (kernel, words) => {
    await using guest = await bootGuest({ kernel, accel: 'tcg', memoryMib: 160, swap: 'none' });
    expect((await guest.exec(`insmod /lib/tmem/tmem.ko ${words}`)).code).not.toBe(0);
    const name = /(writethrough|exclusive_gets)=1/.exec(words)![0];
    const reason = `${name} needs the front end frontswap and a kernel up to 5.16`;
    expect(await guest.dmesg()).toContain(reason);
    // Before anything was begun that would have to be taken back.
    expect((await guest.store!.stats()).sessions).toBe(0);
    await guest.sh('insmod /lib/tmem/tmem.ko');
    expect((await guest.exec('echo 0 >/sys/kernel/debug/tmem/shrink')).code === 0).toBe(
      kernel === 'debian-5.10',
    );
  });
});
