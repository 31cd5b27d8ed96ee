/**
 * `tmem doctor`: checks every prerequisite and says how to mend each.
 */
import type { Command } from 'commander';
import { printableJson } from '../../../images/index.js';
import { ExitCode } from '../../errors.js';
import { type Check, runDoctor } from '../../guest/doctor.js';
import type { Runner } from '../context.js';
import { kernelChoice } from '../options.js';

interface DoctorFlags {
  kernel?: string;
  kbuild?: string;
  fetch?: true;
  json?: true;
}

const MARKS = { yes: 'ok', no: 'NO', note: '--' } as const;

function render(check: Check): string {
  const line = `${MARKS[check.state]}  ${check.name.padEnd(18)}${check.found}\n`;
  return check.remedy === undefined ? line : `${line}      ${check.remedy}\n`;
}

export function addDoctorCommand(program: Command, run: Runner): void {
  program
    .command('doctor')
    .description('check what this machine needs to run a guest, and say how to mend it')
    .option('--kernel <name|bzImage>', 'the kernel to check (default: debian-6.1)')
    .option('--kbuild <dir>', 'the build folder of your own kernel')
    .option('--fetch', 'fetch or build the kernel when it is not there yet')
    .option('--json', 'as one JSON array')
    .action((flags: DoctorFlags) =>
      run(flags, async ({ progress, signal }) => {
        const { kernel = 'debian-6.1' } = kernelChoice(flags);
        const options = { progress: progress.slow, signal, fetch: flags.fetch ?? false };
        const checks: Check[] = [];
        for await (const check of runDoctor(kernel, options)) {
          progress.close();
          checks.push(check);
          if (!flags.json) process.stdout.write(render(check));
        }
        if (flags.json) process.stdout.write(`${printableJson(checks)}\n`);
        const missing = checks.some((check) => check.state === 'no');
        return missing ? ExitCode.UNAVAILABLE : ExitCode.OK;
      }),
    );
}
