/**
 * The same storm over each way to swap, in turn, on the same kind of guest.
 *
 * Each run is a guest of its own, and the ways alternate within a round, so that a machine that
 * gets slower in between slows all of them; a figure is the median of its rounds, and what counts
 * is the ratio to virtio-blk within the same call.
 */
import { readFileSync } from 'node:fs';
import type { Histogram } from './counters.js';
import { bootGuest, type Guest, type GuestOptions } from './guest.js';
import { runStorm, type StormReport } from './storm.js';

export interface BenchOptions {
  /** What every guest has in common. */
  readonly guest: GuestOptions;
  readonly mib: number;
  readonly passes: number;
  readonly rounds: number;
  readonly timeoutMs: number;
  /** A tmpfs folder for virtio-blk's disk. */
  readonly tmpfs: string;
  readonly signal?: AbortSignal;
  readonly say: (line: string) => void;
}

/** One way to swap. Numbers are medians over the rounds. */
export interface BenchRow {
  readonly name: string;
  readonly seconds: number;
  /** Seconds of each round, in order. */
  readonly rounds: readonly number[];
  /** To virtio-blk's median; below 1 is faster. */
  readonly ratio: number;
  /** Pages swapped out and in, a second. */
  readonly pagesPerSecond: number;
  /** Of the module's own histogram, nanoseconds; null where it is not in the path. */
  readonly put: Histogram | null;
  readonly get: Histogram | null;
  /** Doorbells, both ways, a page; null where there are none of ours. */
  readonly doorbellsPerPage: number | null;
  /** Seconds of CPU that QEMU and this process used during the storm. */
  readonly hostCpuSeconds: number;
  readonly ok: boolean;
}

interface Sample {
  readonly report: StormReport;
  readonly hostCpuSeconds: number;
}

/** The ways, and what of the guest each changes. */
const WAYS: readonly { name: string; options: (bench: BenchOptions) => GuestOptions }[] = [
  { name: 'tmem', options: () => ({ swap: 'tmem' }) },
  {
    name: 'tmem, answered',
    options: () => ({ swap: 'tmem', moduleParameters: ['posted_puts=0', 'direct_gets=0'] }),
  },
  { name: 'virtio-blk', options: (bench) => ({ swap: 'disk', diskDir: bench.tmpfs }) },
  { name: 'zram lz4', options: () => ({ swap: 'zram' }) },
];

const BASELINE = 'virtio-blk';
/** Clock ticks a second of /proc/PID/stat: fixed at 100 for user space on x86. */
const TICKS_PER_SECOND = 100;

function qemuCpuSeconds(guest: Guest): number {
  const stat = readFileSync(`/proc/${guest.machine.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // proc(5): utime is field 14 and stime 15; the first here is field 3.
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function sample(bench: BenchOptions, options: GuestOptions): Promise<Sample> {
  const signal = bench.signal === undefined ? {} : { signal: bench.signal };
  await using guest = await bootGuest({ ...bench.guest, ...options, ...signal });
  const before = qemuCpuSeconds(guest) + ownCpuSeconds();
  const report = await runStorm(guest, {
    mib: bench.mib,
    passes: bench.passes,
    // Everything goes out between passes, in single pages, so each way moves the same pages, zram's
    // memory included.
    extra: ['--pageout'],
    thp: false,
    timeoutMs: bench.timeoutMs,
    ...signal,
  });
  return { report, hostCpuSeconds: qemuCpuSeconds(guest) + ownCpuSeconds() - before };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function pagesMoved(report: StormReport): number {
  const { pswpin = 0, pswpout = 0 } = report.guest.vmstat;
  return report.puts + report.gets + pswpin + pswpout;
}

function medianHistogram(all: readonly Histogram[]): Histogram | null {
  if (all.every((one) => one.count === 0)) return null;
  const of = (key: keyof Histogram): number => median(all.map((one) => one[key]));
  return { count: of('count'), p50: of('p50'), p99: of('p99') };
}

function doorbellsPerPage(report: StormReport): number {
  const bells = (report.host?.doorbellsReceived ?? 0) + (report.guest.module.interrupts ?? 0);
  return bells / Math.max(1, pagesMoved(report));
}

function summarise(name: string, samples: readonly Sample[], baseline: number): BenchRow {
  const reports = samples.map((one) => one.report);
  const rounds = reports.map((report) => report.seconds.storm);
  const ours = reports.every((report) => report.host !== null);
  return {
    name,
    seconds: median(rounds),
    rounds,
    ratio: median(rounds) / baseline,
    pagesPerSecond: median(reports.map((report) => pagesMoved(report) / report.seconds.storm)),
    put: medianHistogram(reports.map((report) => report.guest.putLatency)),
    get: medianHistogram(reports.map((report) => report.guest.getLatency)),
    doorbellsPerPage: ours ? median(reports.map(doorbellsPerPage)) : null,
    hostCpuSeconds: median(samples.map((one) => one.hostCpuSeconds)),
    ok: reports.every((report) => report.ok),
  };
}

/**
 * Runs all ways, round by round.
 * @throws what `bootGuest` and `Guest.exec` throw
 */
export async function runBench(bench: BenchOptions): Promise<BenchRow[]> {
  const samples = new Map<string, Sample[]>(WAYS.map(({ name }) => [name, []]));
  for (let round = 1; round <= bench.rounds; round += 1) {
    for (const { name, options } of WAYS) {
      const one = await sample(bench, options(bench));
      samples.get(name)!.push(one);
      const { seconds, problems } = one.report;
      bench.say(`round ${round} of ${bench.rounds}, ${name}: ${seconds.storm.toFixed(2)} s`);
      for (const problem of problems) bench.say(`  ${problem}`);
    }
  }
  const baseline = median(samples.get(BASELINE)!.map((one) => one.report.seconds.storm));
  return WAYS.map(({ name }) => summarise(name, samples.get(name)!, baseline));
}
