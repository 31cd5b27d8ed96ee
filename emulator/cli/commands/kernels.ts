/**
 * `tmem kernels`: the kernels that `--kernel` knows by name, and which of them are there;
 * `--prune` removes what of the cache nobody needs.
 */
import { relative } from 'node:path';
import type { Command } from 'commander';
import {
  interruptible,
  isCached,
  type KernelEntry,
  kernelCatalogue,
  type Prunable,
  printableJson,
  pruneKernels,
} from '../../../images/index.js';
import { ExitCode, TmemError } from '../../errors.js';
import { defaultCacheDir } from '../../guest/paths.js';
import type { Runner } from '../context.js';
import { integer } from '../options.js';
import { renderTable } from '../table.js';

interface KernelsFlags {
  prune?: true;
  olderThan?: number;
  dryRun?: true;
  json?: true;
}

type ListedKernel = KernelEntry & { readonly cached: boolean };

/** What the first use of a kernel costs, or that it is there. */
function state(kernel: ListedKernel): string {
  if (kernel.cached) return 'in the cache';
  return kernel.kind === 'source' ? `built in ~${kernel.buildMinutes} min` : 'fetched, ~80 MB';
}

export function renderKernels(kernels: readonly ListedKernel[]): string {
  const lines = kernels.map((kernel) => [kernel.name, state(kernel), kernel.summary]);
  return renderTable(['kernel', 'first use', ''], lines);
}

function bytes(count: number): string {
  return `${Math.round(count / 2 ** 20).toLocaleString('en-US')} MiB`;
}

/** What went, what it gave back, and what stayed because it is used. */
export function renderPruned(pruned: readonly Prunable[], cacheDir: string): string {
  if (pruned.length === 0) return `nothing to remove in ${cacheDir}\n`;
  const days = (date: Date): string =>
    `${Math.floor((Date.now() - date.getTime()) / 86_400_000)} d`;
  const lines = pruned.map(({ path, ...one }) => {
    const outcome = one.outcome === 'used' ? 'stays: in use' : one.outcome;
    return [relative(cacheDir, path), outcome, bytes(one.bytes), days(one.lastUsed), one.why];
  });
  const gone = pruned.filter(({ outcome }) => outcome !== 'used');
  const total = bytes(gone.reduce((sum, one) => sum + one.bytes, 0));
  const table = renderTable(['in the cache', '', 'size', 'last used', 'is'], lines);
  return `${table}\n${gone.length} folders, ${total}\n`;
}

async function prune(flags: KernelsFlags): Promise<number> {
  const cacheDir = defaultCacheDir();
  const pruned = await pruneKernels({
    cacheDir,
    olderThanDays: flags.olderThan ?? 0,
    dryRun: flags.dryRun ?? false,
  });
  process.stdout.write(flags.json ? `${printableJson(pruned)}\n` : renderPruned(pruned, cacheDir));
  return ExitCode.OK;
}

async function listKernels(flags: KernelsFlags): Promise<number> {
  const kernels: ListedKernel[] = [];
  for (const entry of kernelCatalogue()) {
    kernels.push({ ...entry, cached: await isCached(entry, defaultCacheDir()) });
  }
  process.stdout.write(flags.json ? `${printableJson(kernels)}\n` : renderKernels(kernels));
  return ExitCode.OK;
}

export function addKernelsCommand(program: Command, run: Runner): void {
  program
    .command('kernels')
    .description('list the kernels that --kernel knows, and which are in the cache')
    .option('--prune', 'remove patched kernels, those of old configurations, and what is half made')
    .option('--older-than <days>', 'with --prune: if not used for so long', integer(0, 36_500))
    .option('--dry-run', 'with --prune: say what would go')
    .option('--json', 'as one JSON array')
    .action((flags: KernelsFlags) =>
      run(flags, async ({ signal }) => {
        if (flags.prune) return interruptible(signal, () => prune(flags));
        if (flags.olderThan === undefined && !flags.dryRun) return listKernels(flags);
        throw new TmemError('OPTION_INVALID', '--older-than and --dry-run go with --prune');
      }),
    );
}
