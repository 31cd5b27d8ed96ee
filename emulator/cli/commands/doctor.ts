/**
 * `tmem doctor`: checks every prerequisite and says how to mend each.
 */
import type { Command } from 'commander';
import { printableJson } from '../../../images/index.js';
import { ExitCode } from '../../errors.js';
import { type Check, runDoctor } from '../../guest/doctor.js';
import type { Runner } from '../context.js';
import { kernelChoice } from '../options.js';

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
    .option('--json', 'as one JSON array')
    .action((flags: { kernel?: string; kbuild?: string; json?: true }) =>
      run(flags, async ({ progress }) => {
        const { kernel = 'debian-6.1' } = kernelChoice(flags);
        const checks = await runDoctor(kernel, progress.say);
        const text = flags.json ? `${printableJson(checks)}\n` : checks.map(render).join('');
        process.stdout.write(text);
        const missing = checks.some((check) => check.state === 'no');
        return missing ? ExitCode.UNAVAILABLE : ExitCode.OK;
      }),
    );
}
