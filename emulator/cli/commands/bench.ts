/**
 * `tmem bench` (and `npm run bench`): the same storm over tmem, virtio-blk and zram.
 */
import type { Command } from 'commander';
import { printableJson } from '../../../images/index.js';
import { ExitCode } from '../../errors.js';
import { type BenchRow, runBench } from '../../guest/bench.js';
import type { Histogram } from '../../guest/counters.js';
import type { Runner } from '../context.js';
import { addBootOptions, type BootFlags, guestOptions, integer } from '../options.js';
import { renderTable } from '../table.js';

interface BenchFlags extends BootFlags {
  mib: number;
  passes: number;
  rounds: number;
  tmpfs: string;
  timeout: number;
  json?: true;
}

const COLUMNS = [
  '',
  'seconds',
  'ratio',
  'pages/s',
  'put p50/p99',
  'get p50/p99',
  'bells/page',
  'CPU s',
];

function micros(histogram: Histogram | null): string {
  if (histogram === null) return '-';
  const show = (ns: number): string => (ns / 1000).toFixed(ns < 10_000 ? 1 : 0);
  return `${show(histogram.p50)}/${show(histogram.p99)} µs`;
}

function cells(row: BenchRow): string[] {
  return [
    row.name,
    row.seconds.toFixed(2),
    row.ratio.toFixed(2),
    Math.round(row.pagesPerSecond).toLocaleString('en-US'),
    micros(row.put),
    micros(row.get),
    row.doorbellsPerPage?.toFixed(4) ?? '-',
    row.hostCpuSeconds.toFixed(1),
  ];
}

function table(rows: readonly BenchRow[]): string {
  return renderTable(COLUMNS, rows.map(cells), true);
}

export function addBenchCommand(program: Command, run: Runner): void {
  const command = program
    .command('bench')
    .description('the same storm over tmem, virtio-blk on tmpfs and zram, as ratios')
    .option('--mib <MiB>', 'memory that each storm touches', integer(1, 1 << 20), 144)
    .option('--passes <n>', 'times that all of it goes out and comes back', integer(1, 1000), 4)
    .option('--rounds <n>', 'runs of each', integer(1, 100), 3)
    .option('--tmpfs <dir>', "where virtio-blk's disk lies", '/dev/shm')
    .option('--timeout <s>', 'seconds for one storm', integer(1, 86400), 300)
    .option('--json', 'print one JSON array');
  // Each way to swap decides these.
  addBootOptions(command, { without: ['--swap', '--disk-dir'] }).action((flags: BenchFlags) =>
    run(flags, async ({ progress, signal }) => {
      const rows = await runBench({
        guest: guestOptions(flags),
        mib: flags.mib,
        passes: flags.passes,
        rounds: flags.rounds,
        timeoutMs: flags.timeout * 1000,
        tmpfs: flags.tmpfs,
        signal,
        say: progress.say,
      });
      process.stdout.write(flags.json ? `${printableJson(rows)}\n` : `\n${table(rows)}`);
      return rows.every((row) => row.ok) ? ExitCode.OK : ExitCode.FAILED;
    }),
  );
}
