/**
 * The command line's commands, each a file in commands/; exit codes are in docs/cli.md.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { ExitCode } from '../errors.js';
import { packageRoot } from '../guest/paths.js';
import { addBenchCommand } from './commands/bench.js';
import { addCompletionCommand } from './commands/completion.js';
import { addDoctorCommand } from './commands/doctor.js';
import { addKernelsCommand } from './commands/kernels.js';
import { addMatrixCommand } from './commands/matrix.js';
import { addQmpCommand } from './commands/qmp.js';
import { addRunCommand } from './commands/run.js';
import { addServeCommand } from './commands/serve.js';
import { addShellCommand } from './commands/shell.js';
import { addStormCommand } from './commands/storm.js';
import { type Body, type JsonFlags, type Runner, runCommand } from './context.js';

function packageVersion(): string {
  const manifest = readFileSync(join(packageRoot, 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

/** Runs the command line. @returns its exit code */
export async function runProgram(): Promise<number> {
  let outcome: Promise<number> = Promise.resolve(ExitCode.OK);
  const run: Runner = (first: Body | JsonFlags, body?: Body) => {
    outcome = typeof first === 'function' ? runCommand(first) : runCommand(body!, first);
  };
  const program = new Command('tmem')
    .description(
      "transcendent memory for QEMU guests: a guest's swap, held by a TypeScript process",
    )
    .version(packageVersion(), '-V, --version', 'print the version')
    .exitOverride()
    .enablePositionalOptions()
    .showHelpAfterError('(tmem help COMMAND lists its options)');
  addStormCommand(program, run);
  addRunCommand(program, run);
  addShellCommand(program, run);
  addServeCommand(program, run);
  addBenchCommand(program, run);
  addMatrixCommand(program, run);
  addDoctorCommand(program, run);
  addKernelsCommand(program, run);
  addCompletionCommand(program, run);
  addQmpCommand(program, (ending) => {
    outcome = ending;
  });
  for (const command of program.commands) command.exitOverride();
  try {
    program.parse();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
  }
  return outcome;
}
