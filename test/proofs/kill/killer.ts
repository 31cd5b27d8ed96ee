/**
 * Kills stores at random moments: some time after each began to serve, and now and then the next
 * one as well while it takes over.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { TmemServer } from '../../../emulator/session/server.js';
import type { Random } from '../random.js';

/** A store is killed at any time up to this after it began to serve. */
const SERVES_MS_MAX = 400;
/** In one of so many kills, the store that takes over is killed too, at any time up to this. */
const ALSO_NEXT_IN = 6;
const NEXT_MS_MAX = 50;
const SERVE_MS_MAX = 60_000;

/** Times are nanoseconds of CLOCK_MONOTONIC. */
export interface Kill {
  readonly atNs: number;
  /** A store answered again. */
  readonly servedNs: number;
}

export function monotonicNs(): number {
  return Number(process.hrtime.bigint());
}

/** @returns when; undefined when it was gone already */
function kill(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined;
  const atNs = monotonicNs();
  try {
    process.kill(pid, 'SIGKILL');
    return atNs;
  } catch {
    return undefined;
  }
}

/** Waits until a store answers. @throws Error when none does */
async function untilServed(server: TmemServer): Promise<number> {
  const deadline = performance.now() + SERVE_MS_MAX;
  for (;;) {
    await server.stats();
    if (server.storePid !== undefined) return monotonicNs();
    if (performance.now() > deadline) throw new Error('no store serves any more');
    await delay(1);
  }
}

/**
 * Kills `count` stores. `signal` ends it early.
 * @throws Error when no store takes over any more
 */
export async function killStores(
  server: TmemServer,
  count: number,
  random: Random,
  signal: AbortSignal,
  onKill: (kills: number) => void = () => {},
): Promise<Kill[]> {
  const kills: Kill[] = [];
  while (kills.length < count && !signal.aborted) {
    await delay(random.below(SERVES_MS_MAX));
    const pid = server.storePid;
    const moments = [kill(pid)];
    if (random.oneIn(ALSO_NEXT_IN)) {
      await delay(random.below(NEXT_MS_MAX));
      const next = server.storePids[0];
      if (next !== pid) moments.push(kill(next));
    }
    const servedNs = await untilServed(server);
    for (const atNs of moments) if (atNs !== undefined) kills.push({ atNs, servedNs });
    onKill(kills.length);
  }
  return kills;
}
