/**
 * The store goes away and does not come back: faults that need it end in SIGBUS, nothing reads a
 * disk slot that was never written, and the guest and its other processes live on.
 */
import { bootGuest } from 'qemu-tmem';
import { expect, it } from 'vitest';

const STORM_MS_MAX = 120_000;
/**
 * SIGBUS, as a shell tells it; or SIGSEGV, where it was the kernel that touched the page for the
 * process (its rseq area, kernel/rseq.c).
 */
const KILLED_BY_LOSS = [128 + 7, 128 + 11];

it('a page that cannot be had is SIGBUS for who needs it, and the guest lives on', async () => {
  await using guest = await bootGuest({
    memoryMib: 128,
    accel: 'tcg',
    // Answered gets need the store; the bound is short so that the test is.
    moduleParameters: ['direct_gets=0', 'get_timeout_ms=500'],
  });
  const storm = guest.exec('storm --mib 192 --passes 1000 --json', { timeoutMs: STORM_MS_MAX });
  const before = async (): Promise<number> => (await guest.store!.stats()).gets;
  const deadline = performance.now() + STORM_MS_MAX;
  while ((await before()) < 5000) {
    expect(performance.now()).toBeLessThan(deadline);
    await guest.sh('sleep 0.2');
  }
  await guest.store![Symbol.asyncDispose]();

  const { code, stderr } = await storm;
  expect(stderr).toBe('');
  expect(KILLED_BY_LOSS).toContain(code);

  // The guest lives: what fits in memory still verifies, and what does not goes to the disk.
  const next = await guest.exec('storm --mib 160 --passes 1 --json', { timeoutMs: STORM_MS_MAX });
  expect(next.code).toBe(0);
  expect(JSON.parse(next.stdout.trim().split('\n').at(-1)!)).toMatchObject({ pagesWrong: 0 });
  const log = await guest.dmesg();
  expect(log).toMatch(/tmem: page \d+ of area 0 cannot be had \(-\d+\): SIGBUS/);
  expect(log).not.toMatch(/BUG:|WARNING:|Oops|hung task/);
});
