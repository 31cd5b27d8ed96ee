/**
 * `tmem run -- CMD`: boots a guest, sets its swap up, runs CMD in it and passes its exit code on.
 * The command's output is the caller's own and is passed on as it is, byte for byte.
 */
import { once } from 'node:events';
import type { Command } from 'commander';
import type { ExecOptions } from '../../../images/index.js';
import { ExitCode, TmemError } from '../../errors.js';
import { bootGuest, planGuest } from '../../guest/guest.js';
import { execWatched } from '../../guest/watched.js';
import type { Context, Runner } from '../context.js';
import { addBootOptions, type BootFlags, guestOptions, integer } from '../options.js';
import { addVerdictOptions, closeRun, type VerdictFlags } from '../verdict.js';

interface RunFlags extends BootFlags, VerdictFlags {
  timeout?: number;
  dryRun?: true;
  verbose?: true;
}

/** What a word must be like to need no quotes in a POSIX shell. */
const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

/** One word of the command line as /bin/sh reads it back; a single word is taken as a script. */
function shellLine(words: readonly string[]): string {
  if (words.length === 1) return words[0]!;
  return words
    .map((word) => (PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ');
}

function readStdin(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    process.stdin.on('data', (chunk: Buffer) => chunks.push(chunk));
    process.stdin.on('end', () => resolve(Buffer.concat(chunks)));
    process.stdin.on('error', reject);
  });
}

/** Writes; what it gives is kept once the reader wants more. */
function writeTo(stream: NodeJS.WriteStream, chunk: Buffer): Promise<unknown> | undefined {
  return stream.write(chunk) ? undefined : once(stream, 'drain');
}

async function runInGuest(words: string[], flags: RunFlags, context: Context): Promise<number> {
  const { signal, progress } = context;
  const say = flags.verbose ? { progress: progress.say } : {};
  const stdin = process.stdin.isTTY ? '' : await readStdin();
  await using guest = await bootGuest({ ...guestOptions(flags), ...say, signal });
  const line = shellLine(words);
  const streams: ExecOptions = {
    stdin,
    signal,
    onStdout: (chunk) => writeTo(process.stdout, chunk),
    onStderr: (chunk) => writeTo(process.stderr, chunk),
  };
  const { code } =
    flags.timeout === undefined
      ? await guest.exec(line, streams)
      : await execWatched(guest, line, { ...streams, timeoutMs: flags.timeout * 1000 });
  return await closeRun(guest, code, flags);
}

export function addRunCommand(program: Command, run: Runner): void {
  const command = program
    .command('run')
    .description('boot a guest, run a command in it, return its exit code')
    .argument('[command...]', 'one word: a line for /bin/sh; more: a program and its arguments')
    .option('--timeout <s>', 'seconds for the command (default: none)', integer(1, 86400))
    .option('--dry-run', 'print the QEMU command and run nothing')
    .option('-v, --verbose', 'say each step on stderr');
  addVerdictOptions(addBootOptions(command)).action((words: string[], flags: RunFlags) =>
    run(async (context) => {
      if (flags.dryRun) {
        process.stdout.write(`${await planGuest(guestOptions(flags))}\n`);
        return ExitCode.OK;
      }
      if (words.length > 0) return runInGuest(words, flags, context);
      throw new TmemError('OPTION_INVALID', 'nothing to run: tmem run [options] -- COMMAND');
    }),
  );
}
