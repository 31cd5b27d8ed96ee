/**
 * `tmem storm` (and `npm start`): boots a guest and runs the verified swap storm.
 */
import type { Command } from 'commander';
import { ExitCode } from '../../errors.js';
import { bootGuest } from '../../guest/guest.js';
import { runStorm, type StormReport } from '../../guest/storm.js';
import type { Context, Runner } from '../context.js';
import { addBootOptions, type BootFlags, guestOptions, integer } from '../options.js';
import { renderReport } from '../report.js';

interface StormFlags extends BootFlags {
  mib?: number;
  passes: number;
  procs: number;
  thp?: boolean;
  timeout: number;
  json?: true;
}

/** Twice the guest's memory, so that about half of the pages are always swapped out. */
function stormMib(flags: StormFlags): number {
  return flags.mib ?? flags.mem * 2;
}

async function storm(flags: StormFlags, context: Context): Promise<StormReport> {
  const { progress, signal } = context;
  const options = { ...guestOptions(flags), progress: progress.say, signal };
  await using guest = await bootGuest(options);
  progress.say(`storming ${stormMib(flags)} MiB through ${flags.mem} MiB of memory`);
  return await runStorm(guest, {
    mib: stormMib(flags),
    passes: flags.passes,
    processes: flags.procs,
    ...(flags.thp === undefined ? {} : { thp: flags.thp }),
    timeoutMs: flags.timeout * 1000,
    signal,
    onProgress: (stats, line) => {
      const held = stats === undefined ? '' : `${stats.pagesUsed} pages held, ${stats.puts} puts, `;
      const got = stats === undefined ? '' : `${stats.gets} gets`;
      progress.update(`${held}${got}${line === '' ? '' : `   ${line}`}`);
    },
  });
}

export function addStormCommand(program: Command, run: Runner): void {
  const command = program
    .command('storm')
    .description('boot a guest and verify every page of a swap storm')
    .option('--mib <MiB>', 'memory to touch (default: twice --mem)', integer(1, 1 << 20))
    .option('--passes <n>', 'times to verify and rewrite it', integer(1, 1000), 3)
    .option('--procs <n>', 'processes that share it', integer(1, 64), 1)
    .option('--thp', 'in huge pages, which are turned on (default: as the kernel decides)')
    .option('--no-thp', 'in single pages')
    .option('--timeout <s>', 'seconds for the storm', integer(1, 86400), 600)
    .option('--json', 'print the report as one JSON object');
  addBootOptions(command).action((flags: StormFlags) =>
    run(async (context) => {
      const report = await storm(flags, context);
      context.progress.close();
      process.stdout.write(
        flags.json ? `${JSON.stringify(report)}\n` : `\n${renderReport(report)}`,
      );
      return report.ok ? ExitCode.OK : ExitCode.FAILED;
    }),
  );
}
