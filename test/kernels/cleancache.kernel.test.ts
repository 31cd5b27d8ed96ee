/**
 * cleancache in real guests: clean pages of files go to the store and come back, the last bytes or
 * none; the counters of kernel, module and store agree. With the kernel that has it, built here.
 */
import {
  bootGuest,
  type FileStormReport,
  type Guest,
  type GuestOptions,
  runFileStorm,
  runMatrix,
  runStorm,
  troubleIn,
} from 'qemu-tmem';
import { describe, expect, it } from 'vitest';

const KERNEL = 'source-5.10-cleancache';
const MS_MAX = 10 * 60_000;
const DATA_MIB = 448;

function boot(options: GuestOptions = {}): Promise<Guest> {
  const usual = { kernel: KERNEL, memoryMib: 128, accel: 'tcg', dataMib: DATA_MIB } as const;
  return bootGuest({ ...usual, frontEnd: 'frontswap,cleancache', ...options });
}

async function storm(guest: Guest, mib = 160, passes = 2): Promise<FileStormReport> {
  const options = { mib, passes, files: 12, dropCaches: true, timeoutMs: MS_MAX };
  return await runFileStorm(guest, options);
}

/** What must hold of every file storm. */
function expectRight(report: FileStormReport): void {
  expect(report.problems).toEqual([]);
  expect(report.pagesWrong).toBe(0);
  expect(report.pagesVerified).toBeGreaterThan(50_000);
}

/** The ephemeral pools that the store has. */
async function ephemeral(guest: Guest) {
  return (await guest.store!.stats()).pools.filter((pool) => !pool.persistent);
}

describe('a verified file storm', () => {
  it('is served from the store', async () => {
    await using guest = await boot();
    const report = await storm(guest);
    expectRight(report);
    // How many depends on how soon a busy host takes puts off the queue, for which nothing waits.
    expect(report.hits).toBeGreaterThan(1000);
    expect(report.guest.module.ephemeral_puts).toBeGreaterThan(5000);
  });

  it('on two CPUs, several at once, while the guest swaps', async () => {
    await using guest = await boot({ cpus: 2 });
    const files = ['a', 'b'].map((name) =>
      guest.exec(
        `mkdir /data/${name} && filestorm --dir /data/${name} --mib 80 --passes 2 --drop-caches`,
        { timeoutMs: MS_MAX },
      ),
    );
    const swap = await runStorm(guest, { mib: 144, passes: 1, timeoutMs: MS_MAX });
    for (const { code, stderr } of await Promise.all(files)) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    }
    expect(swap.pagesWrong).toBe(0);
    expect(swap.puts).toBeGreaterThan(3000);
    const { module } = await guest.counters();
    expect(module).toMatchObject({ lost: 0, host_errors: 0 });
    expect(module.ephemeral_gets).toBeGreaterThan(500);
    expect(troubleIn(await guest.dmesg())).toEqual([]);
  });

  it('with puts that the host may refuse, which nothing waits for', async () => {
    await using guest = await boot({ store: { policy: 'refuse-every=3' } });
    const report = await storm(guest);
    expectRight(report);
    expect(report.guest.module.features).toBe(2);
    expect(report.host?.putsRefused).toBeGreaterThan(3000);
    expect(report.hits).toBeGreaterThan(500);
  });

  it('over a virtio-serial port', async () => {
    await using guest = await boot({ store: { transport: 'virtio-serial' } });
    const report = await storm(guest, 144, 1);
    expect(report.problems).toEqual([]);
    expect(report.pagesWrong).toBe(0);
    expect(report.hits).toBeGreaterThan(1000);
  });
});

describe('a page that the store dropped is a miss, and no more', () => {
  it('when the quota makes it evict', async () => {
    await using guest = await boot({ store: { quotaPages: 6000 } });
    const report = await storm(guest);
    expectRight(report);
    expect(report.hits).toBeGreaterThan(1000);
    expect(report.guest.module.ephemeral_misses).toBeGreaterThan(1000);
    expect(report.host?.pagesUsedMax).toBeLessThanOrEqual(6000);
    expect((await ephemeral(guest))[0]?.evicted).toBeGreaterThan(1000);
  });

  it('when the host refuses in the middle: what was put before is flushed by what is not', async () => {
    await using guest = await boot();
    let refuse = false;
    const timer = setInterval(() => {
      refuse = !refuse;
      void guest.store?.refusePuts(refuse);
    }, 300);
    try {
      const report = await storm(guest);
      expectRight(report);
      expect(report.guest.module.ephemeral_refused).toBeGreaterThan(1000);
      expect(report.guest.module.ephemeral_flushes).toBeGreaterThan(100);
    } finally {
      clearInterval(timer);
    }
  });

  it('when the queues are so short that flushes find no room', async () => {
    await using guest = await boot({ store: { queueCount: 1, queueEntries: 16 } });
    const report = await storm(guest);
    expectRight(report);
    expect(report.guest.module.flushes_deferred).toBeGreaterThan(100);
  });

  it('when the store is gone: files are read from the disk', async () => {
    await using guest = await boot({ moduleParameters: ['put_timeout_ms=200'] });
    const running = guest.exec('filestorm --dir /data --mib 144 --passes 2 --drop-caches', {
      timeoutMs: MS_MAX,
    });
    const hits = async () => (await guest.store!.stats()).gets;
    await expect.poll(hits, { timeout: MS_MAX }).toBeGreaterThan(2000);
    await guest.store![Symbol.asyncDispose]();
    const { code, stderr } = await running;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(troubleIn(await guest.dmesg())).toEqual([]);
  });
});

it('leaves nothing behind where it does not start: cleancache knows no unregister', async () => {
  await using guest = await bootGuest({
    kernel: KERNEL,
    memoryMib: 128,
    accel: 'tcg',
    dataMib: 64,
    swap: 'none',
  });
  const insmod = 'insmod /lib/tmem/tmem.ko front_end=cleancache';
  expect((await guest.exec(`${insmod} writethrough=1`)).code).not.toBe(0);
  const files = 'filestorm --dir /data --mib 24 --passes 1 --drop-caches';
  expect(await guest.exec(files, { timeoutMs: MS_MAX })).toMatchObject({ code: 0 });
  await guest.sh(insmod);
  expect(await guest.exec(files, { timeoutMs: MS_MAX })).toMatchObject({ code: 0 });
  expect((await guest.counters()).module.ephemeral_puts).toBeGreaterThan(100);
  const log = troubleIn(await guest.dmesg());
  expect(log.filter((line) => !line.includes('writethrough=1 needs'))).toEqual([]);
});

it('keeps to the context of each hook, says a kernel that checks it', async () => {
  const kernel = 'source-5.10-debug';
  await using guest = await boot({ kernel, memoryMib: 384, bootTimeoutMs: 180_000 });
  const options = { mib: 256, passes: 1, files: 12, dropCaches: true, timeoutMs: 30 * 60_000 };
  const report = await runFileStorm(guest, options);
  expect(report.problems).toEqual([]);
  expect(report.pagesWrong).toBe(0);
  expect(report.hits).toBeGreaterThan(1000);
  expect(report.guest.module.ephemeral_flushes).toBeGreaterThan(0);
});

describe('file systems come and go', () => {
  it('one that was mounted before has a pool too; an unmount drops it', async () => {
    // Room for all of the file at once: a put that finds none is refused.
    await using guest = await boot({ swap: 'none', store: { queueEntries: 4096 } });
    await guest.sh('dd if=/dev/urandom of=/data/file bs=1M count=12 2>/dev/null && sync');
    const sum = await guest.sh('md5sum </data/file');
    await guest.sh('insmod /lib/tmem/tmem.ko front_end=cleancache');
    expect(await ephemeral(guest)).toHaveLength(1);
    const drop = 'echo 1 >/proc/sys/vm/drop_caches';
    expect(await guest.sh(`${drop}; md5sum </data/file; ${drop}`)).toBe(sum);
    expect((await ephemeral(guest))[0]?.pages).toBeGreaterThan(3000);
    expect(await guest.sh('md5sum </data/file')).toBe(sum);
    expect((await guest.counters()).module.ephemeral_gets).toBeGreaterThan(3000);
    // Exclusive: what was got is not there any more.
    expect((await ephemeral(guest))[0]?.pages).toBeLessThan(200);
    await guest.sh('umount /data');
    expect(await ephemeral(guest)).toEqual([]);
    await guest.sh('mount -t ext4 /dev/vdb /data');
    expect(await guest.sh('md5sum </data/file')).toBe(sum);
    expect(await ephemeral(guest)).toHaveLength(1);
    // The hooks cannot be taken back, so the module stays.
    expect((await guest.exec('rmmod tmem')).code).not.toBe(0);
    expect(troubleIn(await guest.dmesg())).toEqual([]);
  });

  it('each mount is a pool of its own, and programs cannot reach it', async () => {
    await using guest = await boot();
    await guest.sh('dd if=/dev/zero of=/data/image bs=1M count=32 2>/dev/null');
    for (let life = 0; life < 40; life += 1) {
      await guest.sh('umount /data && mount -t ext4 /dev/vdb /data');
    }
    const pools = await ephemeral(guest);
    expect(pools).toHaveLength(1);
    const refused = await guest.exec(`tmemctl get ${pools[0]!.id} 12 0 - | head -c 1`);
    expect(refused.stdout).toBe('');
    expect(troubleIn(await guest.dmesg())).toEqual([]);
  });
});

it('has rows in the matrix', async () => {
  const rows = await runMatrix({
    kernels: [KERNEL],
    transports: ['ivshmem'],
    guest: { memoryMib: 128, accel: 'tcg' },
    mib: 144,
    passes: 1,
    timeoutMs: MS_MAX,
    progress: () => {},
  });
  const got = rows.map(({ frontEnd, outcome }) => `${frontEnd} ${outcome}`);
  expect(got).toEqual(['frontswap ok', 'zswap cannot', 'block ok', 'cleancache ok']);
});
