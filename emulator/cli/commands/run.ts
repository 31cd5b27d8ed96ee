/**
 * `tmem run -- CMD`: boots a guest, sets its swap up, runs CMD in it and passes its exit code on.
 * The command's output is the caller's own and is passed on as it is, byte for byte.
 */
import { type Command, InvalidArgumentError } from 'commander';
import { ExitCode, TmemError } from '../../errors.js';
import { bootGuest, type Guest, planGuest } from '../../guest/guest.js';
import { fetchResult, type ResultPath, resultPath } from '../../guest/results.js';
import { execWatched } from '../../guest/watched.js';
import { type Context, describeError, type Runner } from '../context.js';
import {
  addBootOptions,
  type BootFlags,
  collect,
  gdbHint,
  guestOptions,
  integer,
} from '../options.js';
import { type CommandStreams, hasTerminal, LentTerminal, pipedStreams } from '../terminal.js';
import { addVerdictOptions, closeRun, type VerdictFlags } from '../verdict.js';

/** The best shell that the guest has. */
const SHELL = 'if command -v bash >/dev/null; then exec bash -i; else exec sh -i; fi';

export interface RunFlags extends BootFlags, VerdictFlags {
  timeout?: number;
  dryRun?: true;
  files?: string;
  verbose?: true;
  tty?: true;
  get?: ResultPath[];
}

function result(words: string): ResultPath {
  try {
    return resultPath(words);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
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

/** Runs a command with the streams that it is given, to its exit code. */
async function execute(
  guest: Guest,
  line: string,
  flags: RunFlags,
  streams: CommandStreams,
  signal: AbortSignal,
): Promise<number> {
  const options = { ...streams, signal };
  const { code } =
    flags.timeout === undefined
      ? await guest.exec(line, options)
      : await execWatched(guest, line, { ...options, timeoutMs: flags.timeout * 1000 });
  return code;
}

/** As `execute`, on the terminal of this process. */
async function executeOnTerminal(
  guest: Guest,
  line: string,
  flags: RunFlags,
  signal: AbortSignal,
): Promise<number> {
  using terminal = new LentTerminal();
  const ending = AbortSignal.any([signal, terminal.left]);
  try {
    return await execute(guest, line, flags, terminal.streams, ending);
  } catch (error) {
    if (!terminal.left.aborted) throw error;
    return ExitCode.INTERRUPTED;
  }
}

/**
 * Copies what was asked for, as far as can be. What cannot is told, and never hides how the command
 * itself ended.
 * @returns whether all is there
 */
async function fetchResults(
  guest: Guest,
  results: readonly ResultPath[],
  signal: AbortSignal,
): Promise<boolean> {
  let whole = true;
  for (const result of results) {
    try {
      const leftOut = await fetchResult(guest, result, { signal });
      if (leftOut === 0) continue;
      process.stderr.write(`tmem: ${result.path}: left out ${leftOut} links and devices\n`);
    } catch (error) {
      signal.throwIfAborted();
      whole = false;
      process.stderr.write(`${describeError(error)}\n`);
    }
  }
  return whole;
}

async function runInGuest(line: string, flags: RunFlags, context: Context): Promise<number> {
  const { signal, progress } = context;
  const say = flags.verbose ? progress.say : progress.slow;
  const hint = gdbHint(flags);
  if (hint !== undefined) progress.say(hint);
  await using guest = await bootGuest({ ...guestOptions(flags), progress: say, signal });
  progress.close();
  const ending = flags.tty
    ? executeOnTerminal(guest, line, flags, signal)
    : execute(guest, line, flags, pipedStreams(), signal);
  const [ended] = await Promise.allSettled([ending]);
  signal.throwIfAborted();
  const whole = await fetchResults(guest, flags.get ?? [], signal);
  if (ended.status === 'rejected') throw ended.reason;
  const code = await closeRun(guest, ended.value, flags);
  return code === ExitCode.OK && !whole ? ExitCode.FAILED : code;
}

/** A shell in the guest, on the terminal of this process. */
export function runShell(flags: RunFlags, context: Context): Promise<number> {
  if (!hasTerminal()) {
    const message = 'a shell needs a terminal on stdin and stdout; tmem run -- COMMAND needs none';
    throw new TmemError('OPTION_INVALID', message);
  }
  context.progress.say('a shell in the guest: exit ends it, or Ctrl-] three times within a second');
  return runInGuest(SHELL, { ...flags, tty: true }, context);
}

export function addRunCommand(program: Command, run: Runner): void {
  const command = program
    .command('run')
    .description('boot a guest, run a command in it, return its exit code')
    .argument(
      '[command...]',
      'one word: a line for /bin/sh; more: a program and its arguments; none: a shell',
    )
    .option('-t, --tty', 'give the command this terminal: keys, signals, size')
    .option(
      '--get <path[:dest]>',
      'copy this out of the guest when the command has ended, however it did',
      collect(result),
    )
    .option('--timeout <s>', 'seconds for the command (default: none)', integer(1, 86400))
    .option('--dry-run', 'print the QEMU command; run, fetch and build nothing')
    .option('--files <dir>', 'with --dry-run: make the files that it names here, and leave them')
    .option('-v, --verbose', 'say each step on stderr');
  addVerdictOptions(addBootOptions(command)).action((words: string[], flags: RunFlags) =>
    run({}, async (context) => {
      if (flags.dryRun) {
        const plan = { ...guestOptions(flags), progress: context.progress.slow };
        process.stdout.write(`${await planGuest(plan, flags.files)}\n`);
        context.progress.close();
        if (flags.files === undefined) context.progress.say(FILES_HINT);
        return ExitCode.OK;
      }
      if (words.length === 0 && hasTerminal()) return runShell(flags, context);
      if (words.length === 0) {
        throw new TmemError('OPTION_INVALID', 'nothing to run: tmem run [options] -- COMMAND');
      }
      if (flags.tty && !hasTerminal()) {
        throw new TmemError('OPTION_INVALID', '--tty needs a terminal on stdin and stdout');
      }
      return runInGuest(shellLine(words), flags, context);
    }),
  );
}
