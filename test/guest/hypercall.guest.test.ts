/**
 * The hypercall, driven from a shell by tmemctl: results are Xen's (xen/common/tmem.c,
 * RELEASE-4.12.0), whatever the arguments; and the kernel's own pools are out of reach.
 */
import { bootGuest, type Guest } from 'qemu-tmem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const MS_MAX = 60_000;
const EPERM = -1;
const ENOMEM = -12;
const ENODEV = -19;
const ENOSYS = -38;
const EOPNOTSUPP = -95;
/** tmemctl's exit code for a result that is an errno. */
const REFUSED = 3;

let guest: Guest;
beforeAll(async () => {
  guest = await bootGuest({ memoryMib: 128, accel: 'tcg', swap: 'none' });
  await guest.sh('insmod /lib/tmem/tmem.ko front_end=none');
});
afterAll(async () => {
  expect(await guest.dmesg()).not.toMatch(/BUG:|WARNING:|Oops/);
  await guest[Symbol.asyncDispose]();
});

/** The result of one call. */
async function ctl(words: string): Promise<number> {
  const { code, stdout } = await guest.exec(`tmemctl --json ${words}`, { timeoutMs: MS_MAX });
  const { result } = JSON.parse(stdout) as { result: number };
  if (result < 0) expect(code).toBe(REFUSED);
  return result;
}

describe('a persistent pool', () => {
  it('keeps a page through gets, and replaces it', async () => {
    const pool = await ctl('new-pool --persistent');
    expect(pool).toBeGreaterThanOrEqual(0);
    expect(await ctl(`get ${pool} 7 3`)).toBe(0);
    await guest.sh('dd if=/dev/urandom of=/tmp/page bs=4096 count=1 2>/dev/null');
    expect(await ctl(`put ${pool} 7 3 /tmp/page`)).toBe(1);
    for (let again = 0; again < 2; again += 1) {
      expect(await ctl(`get ${pool} 7 3 /tmp/back`)).toBe(1);
      await guest.sh('cmp /tmp/page /tmp/back');
    }
    expect(await ctl(`put ${pool} 7 3 --fill 0x5a`)).toBe(1);
    const bytes = await guest.sh(`tmemctl get ${pool} 7 3 - 2>/dev/null | tr -d Z | wc -c`);
    expect(bytes).toBe('0\n');
    expect(await ctl(`destroy-pool ${pool}`)).toBe(1);
  });

  it('drops by page, by object and by pool', async () => {
    const pool = await ctl('new-pool --persistent');
    for (const key of ['1:2:3 0', '1:2:3 9', '1:2:4 0']) {
      expect(await ctl(`put ${pool} ${key} --fill 1`)).toBe(1);
    }
    expect(await ctl(`flush ${pool} 1:2:3 0`)).toBe(1);
    expect(await ctl(`flush ${pool} 1:2:3 0`)).toBe(1);
    expect(await ctl(`get ${pool} 1:2:3 0`)).toBe(0);
    expect(await ctl(`get ${pool} 1:2:3 9`)).toBe(1);
    expect(await ctl(`flush-object ${pool} 1:2:3`)).toBe(1);
    expect(await ctl(`get ${pool} 1:2:3 9`)).toBe(0);
    expect(await ctl(`get ${pool} 1:2:4 0`)).toBe(1);
    expect(await ctl(`destroy-pool ${pool}`)).toBe(1);
    expect(await ctl(`destroy-pool ${pool}`)).toBe(0);
    expect(await ctl(`get ${pool} 1:2:4 0`)).toBe(ENODEV);
    expect(await ctl(`put ${pool} 1 0 --fill 1`)).toBe(ENODEV);
    expect((await guest.store!.stats()).pagesUsed).toBe(0);
  });
});

it('a put that is refused without a word leaves no older page', async () => {
  const pool = await ctl('new-pool --persistent');
  expect(await ctl(`put ${pool} 1 0 --fill 7`)).toBe(1);
  await guest.store!.refusePuts(true);
  expect(await ctl(`put ${pool} 1 0 --fill 8`)).toBe(ENOMEM);
  expect(await ctl(`get ${pool} 1 0`)).toBe(0);
  expect(await ctl('put 63 1 0 --fill 8')).toBe(ENODEV);
  await guest.store!.refusePuts(false);
  expect(await ctl(`destroy-pool ${pool}`)).toBe(1);
});

it('an ephemeral pool gives a page back once', async () => {
  const pool = await ctl('new-pool');
  expect(await ctl(`put ${pool} 1 0 --fill 7`)).toBe(1);
  expect(await ctl(`get ${pool} 1 0`)).toBe(1);
  expect(await ctl(`get ${pool} 1 0`)).toBe(0);
  expect(await ctl(`destroy-pool ${pool}`)).toBe(1);
});

it.each([
  ['new-pool --persistent --version 0', EPERM],
  ['new-pool --persistent --shared 1 2', EPERM],
  ['new-pool --flags 0x00ffff00', EPERM],
  ['put -1 0 0 --fill 1', ENODEV],
  ['put 2147483647 0 0 --fill 1', ENODEV],
  ['get -2147483648 -1:-1:-1 4294967295', ENODEV],
  ['flush 63 0 0', ENODEV],
  ['flush-object -1 0', ENODEV],
  ['destroy-pool -1', 0],
  ['op 0 0 0 0', EOPNOTSUPP],
  ['op 3 0 0 0', ENOSYS],
  ['op 101 0 0 0', ENOSYS],
  ['op -1 -1 -1:-1:-1 -1', ENOSYS],
])('%s gives %i', async (words, result) => {
  expect(await ctl(words)).toBe(result);
});

it('usage and a missing device have exit codes of their own', async () => {
  expect((await guest.exec('tmemctl frobnicate')).code).toBe(2);
  expect((await guest.exec('tmemctl put 1')).code).toBe(2);
  expect((await guest.exec('tmemctl hammer 1 --programs 128')).code).toBe(2);
  const missing = await guest.exec('rmmod tmem; tmemctl new-pool');
  expect(missing.code).toBe(69);
  expect(missing.stderr).toMatch(/is the module loaded/);
  await guest.sh('insmod /lib/tmem/tmem.ko front_end=none');
});

it('the kernel’s own pools are out of reach', async () => {
  await guest.sh('rmmod tmem && insmod /lib/tmem/tmem.ko front_end=block block_mib=8');
  await guest.sh('echo mine >/dev/tmem0; sync');
  const [pool] = (await guest.store!.stats()).pools;
  for (const words of [
    `get ${pool!.id} 32 0`,
    `flush ${pool!.id} 32 0`,
    `destroy-pool ${pool!.id}`,
  ]) {
    expect(await ctl(words)).toBe(ENODEV);
  }
  await guest.sh('echo 3 >/proc/sys/vm/drop_caches');
  expect(await guest.sh('head -c 5 /dev/tmem0')).toBe('mine\n');
  await guest.sh('rmmod tmem');
});

it('programs that use the same keys at once get whole pages', async () => {
  // So few slots that one that is free is used again at once.
  const store = { quotaPages: 6 };
  await using racing = await bootGuest({
    memoryMib: 128,
    cpus: 2,
    accel: 'tcg',
    swap: 'none',
    store,
  });
  await racing.sh('insmod /lib/tmem/tmem.ko front_end=none spin_us=0');
  const words = 'tmemctl hammer 2 --verify --programs 6 --seed 5';
  const { code, stdout, stderr } = await racing.exec(words, { timeoutMs: MS_MAX });
  const { hits, wrong } = JSON.parse(stdout) as { hits: number; wrong: number };
  expect({ code, wrong, stderr }).toEqual({ code: 0, wrong: 0, stderr: '' });
  expect(hits).toBeGreaterThan(100);
  expect(await racing.dmesg()).not.toMatch(/BUG:|WARNING:|Oops/);
});

it('a get that was given up leaves its slot with the guest once it is answered', async () => {
  const store = { regionBytes: 2 ** 20, queueCount: 1, queueEntries: 16 };
  await using small = await bootGuest({ memoryMib: 128, accel: 'tcg', swap: 'none', store });
  await small.sh('insmod /lib/tmem/tmem.ko front_end=none get_timeout_ms=20');
  const newPool = async (words: string): Promise<string> =>
    (await small.sh(`tmemctl new-pool ${words}`)).trim();
  /** Pages that a persistent pool takes, and no more. */
  const room = async (): Promise<number> => {
    const pool = await newPool('--persistent');
    const put = `tmemctl put ${pool} 1 $n --fill 1 >/dev/null 2>&1`;
    const fill = `n=0; while ${put}; do n=$((n + 1)); done; echo $n`;
    const pages = Number(await small.sh(fill, { timeoutMs: MS_MAX }));
    await small.sh(`tmemctl destroy-pool ${pool}`);
    return pages;
  };
  const before = await room();
  const pool = await newPool('');
  const each = 'for n in 1 2 3 4 5 6 7 8; do';
  await small.sh(`${each} tmemctl put ${pool} 2 $n --fill 2 || exit 1; done`);
  const pid = small.store!.storePid!;
  process.kill(pid, 'SIGSTOP');
  try {
    const gets = await small.sh(`${each} tmemctl --json get ${pool} 2 $n; done; true`);
    expect(gets.match(/"result": ?-110/g)).toHaveLength(8);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  expect(await room()).toBe(before);
  expect(await small.dmesg()).not.toMatch(/BUG:|WARNING:|Oops/);
});
