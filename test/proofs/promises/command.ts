/**
 * `npm run promises`: every promise of SPECIFICATION.md, its aim, what was found, held or not.
 */
import type { Command } from 'commander';
import type { Context } from '../../../emulator/cli/context.js';
import { renderTable } from '../../../emulator/cli/table.js';
import { ExitCode } from '../../../emulator/errors.js';
import { packageRoot } from '../../../emulator/guest/paths.js';
import type { Runner } from '../prove.js';
import { type PromiseReport, runPromises } from './run.js';
import { readSpecification } from './specification.js';

interface PromisesFlags {
  readonly quick?: true;
  readonly json?: true;
  readonly only?: string;
}

function render(reports: readonly PromiseReport[]): string {
  const rows = reports.map(({ number, promise, aim, figure, held }) => [
    number,
    held ? 'held' : 'NOT HELD',
    promise,
    aim,
    figure,
  ]);
  const table = renderTable(['', '', 'promise', 'aim', 'figure'], rows);
  const problems = reports
    .filter(({ held }) => !held)
    .map((one) => `${one.number}: ${one.command}\n${one.problems.join('\n')}\n`);
  const broken = reports.filter(({ held }) => !held).length;
  const verdict = `${reports.length - broken} of ${reports.length} promises held\n`;
  return [table, ...problems, verdict].join('\n');
}

async function promises(flags: PromisesFlags, context: Context): Promise<number> {
  const { progress, signal } = context;
  const wanted = flags.only?.split(',');
  const all = readSpecification(packageRoot);
  const chosen = all.filter(
    ({ number }) => wanted?.some((one) => number === one || number.startsWith(`${one}.`)) ?? true,
  );
  const reports = await runPromises({
    promises: chosen,
    root: packageRoot,
    quick: flags.quick === true,
    signal,
    onStart: (command) => progress.say(command),
    onEnd: (command, { held, figure, seconds }) =>
      progress.say(
        `${held ? 'held' : 'NOT HELD'} in ${seconds.toFixed(0)} s: ${command}: ${figure}`,
      ),
  });
  signal.throwIfAborted();
  progress.close();
  process.stdout.write(flags.json ? `${JSON.stringify(reports)}\n` : `\n${render(reports)}`);
  const held = reports.length > 0 && reports.every((one) => one.held);
  return held ? ExitCode.OK : ExitCode.FAILED;
}

export function addPromisesCommand(program: Command, run: Runner): void {
  program
    .command('promises')
    .description('run the command of each promise in SPECIFICATION.md; 0: all held, 1: not')
    .option('--quick', 'the cut that the tests run, some minutes (default: some two hours)')
    .option('--only <numbers>', 'promises or chapters, with commas between: 1.2,4')
    .option('--json', 'print one JSON array, an object a promise')
    .action((flags: PromisesFlags) => run((context) => promises(flags, context)));
}
