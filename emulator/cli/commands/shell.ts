/**
 * `tmem shell`: boots a guest, sets its swap up, and gives this terminal to a shell in it.
 */
import type { Command } from 'commander';
import type { Runner } from '../context.js';
import { addBootOptions } from '../options.js';
import { type RunFlags, runShell } from './run.js';

export function addShellCommand(program: Command, run: Runner): void {
  const command = program
    .command('shell')
    .description('boot a guest and give this terminal to a shell in it')
    .option('-v, --verbose', 'say each step on stderr');
  addBootOptions(command).action((flags: RunFlags) => run((context) => runShell(flags, context)));
}
