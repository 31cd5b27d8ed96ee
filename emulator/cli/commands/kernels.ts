/**
 * `tmem kernels`: the kernels that `--kernel` knows by name, and which of them are there.
 */
import type { Command } from 'commander';
import {
  isCached,
  type KernelEntry,
  kernelCatalogue,
  printableJson,
} from '../../../images/index.js';
import { ExitCode } from '../../errors.js';
import { defaultCacheDir } from '../../guest/paths.js';
import type { Runner } from '../context.js';
import { renderTable } from '../table.js';

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

export function addKernelsCommand(program: Command, run: Runner): void {
  program
    .command('kernels')
    .description('list the kernels that --kernel knows, and which are in the cache')
    .option('--json', 'as one JSON array')
    .action((flags: { json?: true }) =>
      run(flags, async () => {
        const kernels: ListedKernel[] = [];
        for (const entry of kernelCatalogue()) {
          kernels.push({ ...entry, cached: await isCached(entry, defaultCacheDir()) });
        }
        process.stdout.write(flags.json ? `${printableJson(kernels)}\n` : renderKernels(kernels));
        return ExitCode.OK;
      }),
    );
}
