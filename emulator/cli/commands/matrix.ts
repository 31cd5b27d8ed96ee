/**
 * `tmem matrix` (and `npm run matrix`): a verified storm for each kernel, front end and transport.
 */
import type { Command } from 'commander';
import { isCached, kernelCatalogue } from '../../../images/index.js';
import { ExitCode, TmemError } from '../../errors.js';
import { type MatrixRow, runMatrix } from '../../guest/matrix.js';
import { defaultCacheDir } from '../../guest/paths.js';
import { TRANSPORTS, type Transport } from '../../transport/transports.js';
import type { Runner } from '../context.js';
import { addBootOptions, type BootFlags, guestOptions, integer } from '../options.js';
import { renderTable } from '../table.js';

interface MatrixFlags extends BootFlags {
  kernels?: string;
  transports?: string;
  mib?: number;
  passes: number;
  thp?: boolean;
  timeout: number;
  json?: true;
}

/** Debian's own kernels, and of those that are built here the ones that are built. */
async function defaultKernels(): Promise<string[]> {
  const names: string[] = [];
  for (const entry of kernelCatalogue()) {
    if (entry.kind === 'source' && !(await isCached(entry, defaultCacheDir()))) continue;
    names.push(entry.name);
  }
  return names;
}

/** The kernels that the flag names. */
async function kernelNames(flags: MatrixFlags): Promise<string[]> {
  const known = kernelCatalogue().map((entry) => entry.name);
  const names = flags.kernels?.split(',') ?? (await defaultKernels());
  const strange = names.find((name) => !known.includes(name));
  if (strange === undefined) return names;
  throw new TmemError(
    'OPTION_INVALID',
    `--kernels: ${JSON.stringify(strange)} is not one of ${known.join(', ')}`,
  );
}

/** The transports that the flag names, all without one. */
function transportNames(flags: MatrixFlags): readonly Transport[] {
  if (flags.transports === undefined) return TRANSPORTS;
  return flags.transports.split(',').map((name) => {
    const known = TRANSPORTS.find((transport) => transport === name);
    if (known !== undefined) return known;
    throw new TmemError(
      'OPTION_INVALID',
      `--transports: ${JSON.stringify(name)} is not one of ${TRANSPORTS.join(', ')}`,
    );
  });
}

function cell(row: MatrixRow | undefined): string {
  if (row === undefined) return '-';
  switch (row.outcome) {
    case 'ok':
      return `ok ${row.stormSeconds.toFixed(1)} s, ${row.puts.toLocaleString('en-US')} puts`;
    case 'cannot':
      return '-';
    case 'absent':
      return 'no kernel';
    case 'failed':
      return 'FAILED';
  }
}

/** A line a kernel and front end, a column a transport; without combinations that cannot be. */
export function renderMatrix(rows: readonly MatrixRow[]): string {
  const lines: string[][] = [];
  const transports = TRANSPORTS.filter((one) => rows.some(({ transport }) => transport === one));
  for (const row of rows) {
    if (row.transport !== rows[0]!.transport) continue;
    const same = rows.filter((r) => r.kernel === row.kernel && r.frontEnd === row.frontEnd);
    if (same.every((one) => one.outcome === 'cannot')) continue;
    const cells = transports.map((one) => cell(same.find((r) => r.transport === one)));
    lines.push([row.kernel, row.release || '-', row.frontEnd, ...cells]);
  }
  const table = renderTable(['kernel', 'release', 'front end', ...transports], lines);
  const reasons = rows
    .filter((row) => row.outcome === 'failed' || row.outcome === 'absent')
    .map((row) => `${row.kernel}, ${row.frontEnd} over ${row.transport}: ${row.reason}`);
  return reasons.length === 0 ? table : `${table}\n${[...new Set(reasons)].join('\n')}\n`;
}

export function addMatrixCommand(program: Command, run: Runner): void {
  const command = program
    .command('matrix')
    .description('a verified storm for each kernel, front end and transport')
    .option('--kernels <names>', 'kernels, with commas between (default: all but unbuilt ones)')
    .option('--transports <names>', 'transports, with commas between (default: all)')
    .option('--mib <MiB>', 'memory that each storm touches (default: --mem)', integer(1, 1 << 20))
    .option('--passes <n>', 'times to verify and rewrite it', integer(1, 1000), 1)
    .option('--thp', 'in huge pages, which are turned on (default: as the kernel decides)')
    .option('--no-thp', 'in single pages')
    .option('--timeout <s>', 'seconds for one storm', integer(1, 86400), 300)
    .option('--json', 'print one JSON array, a row a combination');
  addBootOptions(command, { mem: 128 }).action((flags: MatrixFlags) =>
    run(async ({ progress, signal }) => {
      const rows = await runMatrix({
        kernels: await kernelNames(flags),
        transports: transportNames(flags),
        guest: guestOptions(flags),
        mib: flags.mib ?? flags.mem,
        passes: flags.passes,
        ...(flags.thp === undefined ? {} : { thp: flags.thp }),
        timeoutMs: flags.timeout * 1000,
        progress: progress.say,
        signal,
        onRow: (row) => {
          const why = row.reason === '' ? '' : `: ${row.reason.split('\n')[0]}`;
          const where = `${row.kernel}, ${row.frontEnd} over ${row.transport}`;
          progress.say(`${where}: ${row.outcome}${why}`);
        },
      });
      progress.close();
      process.stdout.write(flags.json ? `${JSON.stringify(rows)}\n` : `\n${renderMatrix(rows)}`);
      return rows.some((row) => row.outcome === 'failed') ? ExitCode.FAILED : ExitCode.OK;
    }),
  );
}
