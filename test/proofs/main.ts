/**
 * `npm run prove -- NAME` runs one proof, `npm run promises` the commands of all promises.
 *
 * Results on stdout, progress on stderr. Exit codes: 0 all held, 1 something did not, 2 usage, 70 a
 * proof that failed to run.
 */
import { Command, CommanderError } from 'commander';
import { runCommand } from '../../emulator/cli/context.js';
import { ExitCode } from '../../emulator/errors.js';
import { addPromisesCommand } from './promises/command.js';
import { PROOFS } from './proofs.js';
import { addProveCommand } from './prove.js';

async function main(): Promise<number> {
  let code: number = ExitCode.OK;
  const program = new Command('npm run').exitOverride().showHelpAfterError();
  const run = async (body: Parameters<typeof runCommand>[0]): Promise<void> => {
    code = await runCommand(body);
  };
  addProveCommand(program, PROOFS, run);
  addPromisesCommand(program, run);
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
  }
  return code;
}

process.exitCode = await main();
