/**
 * `tmem kernels`: the kernels that `--kernel` knows by name.
 */
import type { Command } from 'commander';
import { kernelCatalogue } from '../../../images/index.js';
import { ExitCode } from '../../errors.js';
import type { Runner } from '../context.js';

export function addKernelsCommand(program: Command, run: Runner): void {
  program
    .command('kernels')
    .description('list the kernels that --kernel knows')
    .option('--json', 'as one JSON array')
    .action((flags: { json?: true }) =>
      run(async () => {
        const entries = kernelCatalogue();
        const lines = entries.map((entry) => `${entry.name.padEnd(16)}${entry.summary}\n`);
        process.stdout.write(flags.json ? `${JSON.stringify(entries)}\n` : lines.join(''));
        return ExitCode.OK;
      }),
    );
}
