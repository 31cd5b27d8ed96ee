/**
 * One round in a real guest: it swaps through the module without pause, every page verified, while
 * stores are killed.
 */
import { bootGuest, type Guest } from '../../../emulator/guest/guest.js';
import { runStorm, type StormReport } from '../../../emulator/guest/storm.js';
import type { Transport } from '../../../emulator/transport/transports.js';
import type { Progress } from '../../../images/index.js';
import { Random } from '../random.js';
import { type Kill, killStores } from './killer.js';

export interface GuestRound {
  readonly name: string;
  readonly transport: Transport;
  readonly moduleParameters: readonly string[];
  /** Puts and loads wait for the store: the module's own times tell how long. */
  readonly waits: boolean;
}

export interface GuestRoundOptions {
  readonly kills: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onKill: (kills: number) => void;
  readonly progress: Progress;
}

export interface GuestRoundResult {
  readonly kills: number;
  readonly pagesVerified: number;
  /** From each kill until a store answered again. */
  readonly outagesMs: number[];
  /** As many puts and loads as there were kills, the longest; none where they do not wait. */
  readonly pausesMs: number[];
  readonly problems: string[];
}

const MEMORY_MIB = 128;
const STORM_MIB = 24;
const STORM_MS_MAX = 240_000;
const NS_PER_MS = 1e6;

/** The longest `count` operations, by the module's histograms: each is up to an eighth longer. */
async function longestMs(guest: Guest, count: number): Promise<number[]> {
  const text = await guest.sh('cd /sys/kernel/debug/tmem && cat put_latency get_latency');
  const buckets = text
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number) as [number, number])
    .sort(([a], [b]) => b - a);
  const longest: number[] = [];
  for (const [floorNs, times] of buckets) {
    const room = Math.min(times, count - longest.length);
    longest.push(...new Array<number>(room).fill(floorNs / NS_PER_MS));
  }
  return longest;
}

/** Storms one after the other, until the kills are done or one finds something. */
async function stormUntil(guest: Guest, killing: Promise<Kill[]>): Promise<StormReport[]> {
  let killed = false;
  const end = (): void => {
    killed = true;
  };
  killing.then(end, end);
  const reports: StormReport[] = [];
  while (!killed && reports.every((report) => report.ok)) {
    const extra = ['--pageout'];
    reports.push(
      await runStorm(guest, { mib: STORM_MIB, passes: 2, extra, timeoutMs: STORM_MS_MAX }),
    );
  }
  return reports;
}

/** @throws what `bootGuest` and `runStorm` throw, and when nobody serves any more */
export async function runGuestRound(
  round: GuestRound,
  options: GuestRoundOptions,
): Promise<GuestRoundResult> {
  const { seed, signal, onKill, progress } = options;
  const { transport, moduleParameters } = round;
  await using guest = await bootGuest({
    memoryMib: MEMORY_MIB,
    moduleParameters,
    store: { transport },
    signal,
    progress,
  });
  const enough = new AbortController();
  const until = AbortSignal.any([signal, enough.signal]);
  const killing = killStores(guest.store!, options.kills, new Random(seed), until, onKill);
  let reports: StormReport[];
  try {
    reports = await stormUntil(guest, killing);
  } finally {
    enough.abort();
    await killing.catch(() => {});
  }
  const kills = await killing;
  const problems = reports.flatMap((report) => report.problems);
  const takeovers = reports.at(-1)?.host?.takeovers ?? 0;
  if (takeovers === 0) problems.push('no store took over');
  return {
    kills: kills.length,
    pagesVerified: reports.reduce((sum, report) => sum + report.pagesVerified, 0),
    outagesMs: kills.map(({ atNs, servedNs }) => (servedNs - atNs) / NS_PER_MS),
    pausesMs: round.waits ? await longestMs(guest, kills.length) : [],
    problems,
  };
}
