/**
 * swapoff under load, two swap devices at once, and swapon again: flush area drops a swap type's
 * pages and no later put of that type is taken until the next init.
 */
import { bootGuest, type Guest, troubleIn } from 'qemu-tmem';
import { expect, it } from 'vitest';

const STORM_MS_MAX = 240_000;

/** Pools that the store has, by number of pages. */
async function pools(guest: Guest): Promise<number[]> {
  return (await guest.store!.stats()).pools.map((pool) => pool.pages);
}

it('survives swapoff and swapon under load, on two devices at once', async () => {
  await using guest = await bootGuest({
    memoryMib: 256,
    cpus: 2,
    accel: 'tcg',
    swap: 'tmem',
    // The first is soon full, so that both are in use.
    swapDisksMib: [32, 256],
  });
  expect(await pools(guest)).toEqual([0, 0]);
  // Fits the memory, so that swapoff can succeed; MADV_PAGEOUT swaps it out all the same.
  const storm = guest.exec('storm --mib 96 --passes 4 --procs 2 --pageout --json', {
    timeoutMs: STORM_MS_MAX,
  });
  await expect
    .poll(async () => Math.min(...(await pools(guest))), { timeout: 60_000 })
    .toBeGreaterThan(500);
  await guest.sh('swapoff /dev/failstop0');
  expect(await pools(guest)).toHaveLength(1);
  await guest.sh('swapon /dev/failstop0');
  await expect.poll(async () => (await pools(guest)).length).toBe(2);
  await guest.sh('swapoff /dev/failstop1');
  const { code, stdout } = await storm;
  expect(JSON.parse(stdout)).toMatchObject({ pagesWrong: 0 });
  expect(code).toBe(0);
  await guest.sh('swapoff /dev/failstop0');
  expect(await pools(guest)).toEqual([]);
  const stats = await guest.store!.stats();
  expect(stats.pagesUsed).toBe(0);
  expect(stats.poolsMade).toBe(3);
  expect(stats.poolsDestroyed).toBe(3);
  expect(stats.getsMissed).toBe(0);
  expect((await guest.counters()).module).toMatchObject({ lost: 0, host_errors: 0 });
  expect(troubleIn(await guest.dmesg())).toEqual([]);
});
