/**
 * `tmem run -- CMD`: boots a guest, sets its swap up, runs CMD in it and passes its exit code on.
 */
import { once } from 'node:events';
import type { Command } from 'commander';
import { ExitCode, TmemError } from '../../errors.js';
import { bootGuest, planGuest } from '../../guest/guest.js';
import type { Context, Runner } from '../context.js';
import { addBootOptions, type BootFlags, gdbHint, guestOptions, integer } from '../options.js';

interface RunFlags extends BootFlags {
  timeout?: number;
  dryRun?: true;
  files?: string;
  verbose?: true;
}

const FILES_HINT =
  'the files that it names are made by a run and go with it; --files DIR makes them to stay';

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
  const say = flags.verbose ? progress.say : progress.slow;
  const hint = gdbHint(flags);
  if (hint !== undefined) progress.say(hint);
  const stdin = process.stdin.isTTY ? '' : await readStdin();
  await using guest = await bootGuest({ ...guestOptions(flags), progress: say, signal });
  progress.close();
  const limit = flags.timeout === undefined ? {} : { timeoutMs: flags.timeout * 1000 };
  try {
    const result = await guest.exec(shellLine(words), {
      stdin,
      signal,
      ...limit,
      onStdout: (chunk) => writeTo(process.stdout, chunk),
      onStderr: (chunk) => writeTo(process.stderr, chunk),
    });
    return result.code;
  } catch (error) {
    if ((error as { code?: string }).code !== 'AGENT_TIMEOUT') throw error;
    throw new TmemError('TIMEOUT', `the command did not end within ${flags.timeout} s`, error);
  }
}

export function addRunCommand(program: Command, run: Runner): void {
  const command = program
    .command('run')
    .description('boot a guest, run a command in it, return its exit code')
    .argument('[command...]', 'one word: a line for /bin/sh; more: a program and its arguments')
    .option('--timeout <s>', 'seconds for the command (default: none)', integer(1, 86400))
    .option('--dry-run', 'print the QEMU command; run, fetch and build nothing')
    .option('--files <dir>', 'with --dry-run: make the files that it names here, and leave them')
    .option('-v, --verbose', 'say each step on stderr');
  addBootOptions(command).action((words: string[], flags: RunFlags) =>
    run(async (context) => {
      if (flags.dryRun) {
        const plan = { ...guestOptions(flags), progress: context.progress.slow };
        process.stdout.write(`${await planGuest(plan, flags.files)}\n`);
        context.progress.close();
        if (flags.files === undefined) context.progress.say(FILES_HINT);
        return ExitCode.OK;
      }
      if (words.length > 0) return runInGuest(words, flags, context);
      throw new TmemError('OPTION_INVALID', 'nothing to run: tmem run [options] -- COMMAND');
    }),
  );
}
