/**
 * The ordinary swap device: an honest disk to whoever uses it raw, whose discards reach the store,
 * and swap above the other disks.
 */
import { bootGuest, type Guest, runStorm } from 'qemu-tmem';
import { describe, expect, it } from 'vitest';

const MS_MAX = 120_000;

/** A guest with the disk and no swap on it. */
async function rawDisk(...moduleParameters: string[]): Promise<Guest> {
  // No swap, and a file of 32 MiB in memory beside as many dirty pages: 128 MiB is too near.
  const guest = await bootGuest({ memoryMib: 192, accel: 'tcg', swap: 'none' });
  const words = ['insmod /lib/tmem/tmem.ko front_end=block', ...moduleParameters];
  await guest.sh(words.join(' '));
  return guest;
}

/** What the store holds. Puts are posted: the last ones may still be on their way to it. */
async function pagesUsed(guest: Guest): Promise<number> {
  return (await guest.store!.stats()).pagesUsed;
}

describe('/dev/tmem0', () => {
  it('keeps what is written, at random places, with many requests in flight', async () => {
    await using guest = await rawDisk('block_mib=64');
    expect(await guest.sh('cat /sys/block/tmem0/size')).toBe(`${(64 * 2 ** 20) / 512}\n`);
    // Eight writers of 4 MiB each, to places that do not touch, flushed out together.
    const write = [
      'dd if=/dev/urandom of=/tmp/data bs=1M count=32 2>/dev/null',
      'for i in 0 1 2 3 4 5 6 7; do dd if=/tmp/data of=/dev/tmem0 bs=4k count=1024 ' +
        'skip=$((i * 1024)) seek=$(((7 - i) * 1024)) conv=notrunc 2>/dev/null & done',
      'wait',
      'sync',
      'echo 3 >/proc/sys/vm/drop_caches',
    ];
    await guest.sh(write.join('\n'), { timeoutMs: MS_MAX });
    await expect.poll(() => pagesUsed(guest)).toBe(8 * 1024);
    const check =
      'for i in 0 1 2 3 4 5 6 7; do dd if=/dev/tmem0 bs=4k count=1024 skip=$(((7 - i) * 1024)) ' +
      '2>/dev/null; done | cmp - /tmp/data';
    await guest.sh(check, { timeoutMs: MS_MAX });
    expect(await guest.dmesg()).not.toMatch(/BUG:|WARNING:|Oops|I\/O error/);
  });

  it('reads zeros where nothing was written, and after a discard, which the store sees', async () => {
    await using guest = await rawDisk('block_mib=16');
    await guest.sh('dd if=/dev/urandom of=/dev/tmem0 bs=1M count=8 conv=fsync 2>/dev/null');
    await expect.poll(() => pagesUsed(guest)).toBe(2048);
    await guest.sh('blkdiscard -o 0 -l $((4 << 20)) /dev/tmem0 && sync');
    await expect.poll(() => pagesUsed(guest)).toBe(1024);
    await guest.sh('echo 3 >/proc/sys/vm/drop_caches');
    const zeros = (mib: number): string =>
      `dd if=/dev/tmem0 bs=1M skip=${mib} count=4 2>/dev/null | tr -d '\\000' | wc -c`;
    expect(await guest.sh(zeros(0))).toBe('0\n');
    expect(await guest.sh(zeros(12))).toBe('0\n');
    expect(Number(await guest.sh(zeros(4)))).toBeGreaterThan(4_000_000);
  });

  it('makes several disks, each a pool, and gives all back when the module goes', async () => {
    await using guest = await rawDisk('block_devices=3', 'block_mib=8');
    await guest.sh('for i in 0 1 2; do echo disk$i >/dev/tmem$i; done; sync');
    expect((await guest.store!.stats()).pools).toHaveLength(3);
    expect(await guest.sh('head -c 6 /dev/tmem1')).toBe('disk1\n');
    await guest.sh('rmmod tmem');
    expect(await guest.sh('ls /dev | grep -c "^tmem[0-9]" || true')).toBe('0\n');
    await guest.sh('insmod /lib/tmem/tmem.ko front_end=block block_mib=8');
    // A new life: nothing old answers.
    expect(await guest.sh("head -c 4096 /dev/tmem0 | tr -d '\\000' | wc -c")).toBe('0\n');
    expect(await guest.dmesg()).not.toMatch(/BUG:|WARNING:|Oops/);
  });

  it('says so when the host has no room for a write, and reads the rest right', async () => {
    await using guest = await bootGuest({
      memoryMib: 128,
      accel: 'tcg',
      swap: 'none',
      store: { quotaPages: 1000 },
    });
    await guest.sh('insmod /lib/tmem/tmem.ko front_end=block block_mib=8 put_timeout_ms=100');
    const full = await guest.exec(
      'dd if=/dev/zero of=/dev/tmem0 bs=4k count=1500 conv=fsync 2>&1',
      { timeoutMs: MS_MAX },
    );
    expect(full.code).not.toBe(0);
    expect((await guest.store!.stats()).pagesUsed).toBeLessThanOrEqual(1000);
    // Waiting was in vain: until a write succeeds, each is tried once and fails at once.
    const tries = async () => (await guest.counters()).module.refused_credit!;
    const before = await tries();
    const late = await guest.exec(
      'for at in 1990 1991 1992 1993; do dd if=/dev/zero of=/dev/tmem0 bs=4k count=1 seek=$at ' +
        'oflag=direct conv=notrunc && echo took $at; done',
    );
    expect(late.stdout).toBe('');
    expect((await tries()) - before).toBe(4);
    // Room again: the next write takes it, and is kept.
    await guest.sh('blkdiscard -o 0 -l $((1 << 20)) /dev/tmem0');
    await expect.poll(() => pagesUsed(guest)).toBeLessThan(800);
    const again = 'dd if=/bin/busybox of=/dev/tmem0 bs=4k count=1 oflag=direct conv=notrunc';
    await expect.poll(async () => (await guest.exec(again)).code).toBe(0);
    await guest.sh(
      'dd if=/dev/tmem0 bs=4k count=1 iflag=direct 2>/dev/null | cmp -n 4096 - /bin/busybox',
    );
  });
});

it('swap goes to it before the disk below, and answered requests overlap', async () => {
  await using guest = await bootGuest({
    memoryMib: 128,
    accel: 'tcg',
    cpus: 2,
    frontEnd: 'block',
    moduleParameters: ['posted_puts=0', 'direct_gets=0'],
  });
  const swaps = (await guest.sh('cat /proc/swaps')).trim().split('\n').slice(1);
  const priorities = swaps.map((line) => Number(line.trim().split(/\s+/).at(-1)));
  expect(swaps[0]).toMatch(/^\/dev\/tmem0/);
  expect(priorities[0]).toBeGreaterThan(priorities[1]!);
  const report = await runStorm(guest, {
    mib: 64,
    passes: 1,
    processes: 4,
    extra: ['--pageout'],
    timeoutMs: MS_MAX,
  });
  expect(report.problems).toEqual([]);
  expect(report.puts).toBeGreaterThan(10_000);
  expect(report.guest.disks.vda?.written).toBeLessThan(100);
});
