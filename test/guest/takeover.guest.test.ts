/**
 * The store is killed again and again while a real guest swaps: another one takes over, no page is
 * lost or old, and whatever is put meanwhile goes to the disk. So it is when the store only hangs.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { bootGuest, type Guest, runStorm } from 'qemu-tmem';
import { describe, expect, it } from 'vitest';

const STORM_MS_MAX = 240_000;
const KILLS_MIN = 5;
const STOPS = 3;
const HANG_MS = 500;
/** So that a guest gets somewhere on a machine on which a store takes its time to start. */
const KILLS_MAX = 40;

/** Kills each store some time after it began to serve, until that is often enough. */
async function killStores(guest: Guest, signal: AbortSignal): Promise<number> {
  let kills = 0;
  while (!signal.aborted && kills < KILLS_MAX) {
    await delay(50 + Math.random() * 300);
    const pid = guest.store?.storePid;
    if (pid === undefined || signal.aborted) continue;
    process.kill(pid, 'SIGKILL');
    kills += 1;
  }
  return kills;
}

const ANSWERED = ['posted_puts=0', 'direct_gets=0'];

describe.each([
  ['posted puts and direct gets', 'ivshmem', []],
  ['every put and get answered', 'ivshmem', ANSWERED],
  ['posted puts over a link', 'virtio-serial', []],
  ['every put answered over a link', 'virtio-serial', ANSWERED],
] as const)('with %s', (_name, transport, moduleParameters) => {
  it('no page is lost or old, however often the store dies', async () => {
    const events: string[] = [];
    await using guest = await bootGuest({
      memoryMib: 128,
      accel: 'tcg',
      moduleParameters,
      store: { transport, onEvent: (line) => events.push(line) },
    });
    const enough = new AbortController();
    const killing = killStores(guest, enough.signal);
    const extra = ['--pageout'];
    // What is put while no store serves goes to the disk.
    const storm = { mib: 24, passes: 2, extra, timeoutMs: STORM_MS_MAX, shareMin: 0 };
    let report = await runStorm(guest, storm);
    // A fast machine may be done before enough stores have died.
    while (report.ok && report.host!.takeovers <= KILLS_MIN) report = await runStorm(guest, storm);
    enough.abort();
    expect(await killing).toBeGreaterThan(KILLS_MIN);
    expect(report.problems).toEqual([]);
    expect(report.pagesWrong).toBe(0);
    expect(report.pagesVerified).toBeGreaterThan(10_000);
    expect(report.gets).toBeGreaterThan(1000);
    expect(report.host?.takeovers).toBeGreaterThan(KILLS_MIN);
    expect(events.filter((line) => line.includes('another took over')).length).toBeGreaterThan(2);
  });
});

/** Stops each store some time after it began to serve, so often. */
async function stopStores(guest: Guest, times: number): Promise<void> {
  const stopped = new Set<number>();
  while (stopped.size < times) {
    await delay(200);
    const pid = guest.store?.storePid;
    if (pid === undefined || stopped.has(pid)) continue;
    process.kill(pid, 'SIGSTOP');
    stopped.add(pid);
  }
}

it.each([
  ['ivshmem', ANSWERED],
  ['virtio-serial', []],
] as const)(
  'stores that hang are taken over from, over %s',
  async (transport, moduleParameters) => {
    const events: string[] = [];
    await using guest = await bootGuest({
      memoryMib: 128,
      accel: 'tcg',
      moduleParameters,
      store: { transport, hangMs: HANG_MS, onEvent: (line) => events.push(line) },
    });
    const stopping = stopStores(guest, STOPS);
    const storm = { mib: 24, passes: 2, extra: ['--pageout'], timeoutMs: STORM_MS_MAX };
    let report = await runStorm(guest, storm);
    while (report.ok && report.host!.takeovers < STOPS) report = await runStorm(guest, storm);
    await stopping;
    expect(report.problems).toEqual([]);
    expect(report.pagesWrong).toBe(0);
    expect(report.pagesVerified).toBeGreaterThan(5000);
    const hangs = events.filter((line) => line === 'the store hangs (it is stopped) and is killed');
    expect(hangs).toHaveLength(STOPS);
  },
);
