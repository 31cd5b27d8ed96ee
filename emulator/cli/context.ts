/**
 * What every command is given: progress, an abort signal that Ctrl-C raises, and a way to end.
 *
 * The first SIGINT, SIGTERM or SIGHUP aborts; the command then takes down what it started and the
 * process ends with 130. A second one, or a tidying that takes too long, ends it at once (QEMU
 * dies with this process: PDEATHSIG). Whoever read the results and goes (`tmem run ... | head`) ends
 * it in the same way, with 141; whoever read the rest may go.
 */
import { printable, printableJson } from '../../images/index.js';
import { codeOf, ExitCode, exitCodeOf } from '../errors.js';
import { ProgressLines } from './progress.js';

const TIDY_MS_MAX = 15_000;

export class Interrupted extends Error {
  readonly code = 'INTERRUPTED';
  override readonly name = 'Interrupted';
}

export interface Context {
  readonly progress: ProgressLines;
  readonly signal: AbortSignal;
}

/** What a command does; gives its exit code. */
export type Body = (context: Context) => Promise<number>;

export interface JsonFlags {
  /** Print one JSON object on stdout when the command fails, too. */
  readonly json?: boolean | undefined;
}

/** How a command hands its body to `main`. */
export interface Runner {
  (body: Body): void;
  (flags: JsonFlags, body: Body): void;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** One message for a person: code, what failed and what to do next. A guest may have written it. */
export function describeError(error: unknown): string {
  const message = messageOf(error);
  const code = codeOf(error);
  if (code !== undefined) return printable(`tmem: ${code}: ${message}`);
  const stack = error instanceof Error ? error.stack : undefined;
  return printable(`tmem: internal error, please report it: ${stack ?? message}`);
}

/** The same for a program: what `--json` prints in place of a result. */
function errorJson(error: unknown): string {
  const { kept } = error as { kept?: unknown };
  const shown = { code: codeOf(error) ?? 'INTERNAL', message: printable(messageOf(error)) };
  const where = typeof kept === 'string' ? { kept } : {};
  return `${printableJson({ ok: false, error: { ...shown, ...where } })}\n`;
}

export class ReaderGone extends Error {
  readonly code = 'READER_GONE';
  override readonly name = 'ReaderGone';
}

/** Calls `onGone` when results cannot be written any more, also after the command has ended. */
function watchReaders(onGone: () => void): void {
  process.stderr.on('error', () => {});
  process.stdout.on('error', () => {
    process.exitCode = ExitCode.READER_GONE;
    onGone();
  });
}

/** Runs a command to its exit code, whatever it throws. */
export async function runCommand(body: Body, flags: JsonFlags = {}): Promise<number> {
  const progress = new ProgressLines();
  const abort = new AbortController();
  const interrupt = (): void => {
    if (abort.signal.aborted) process.exit(ExitCode.INTERRUPTED);
    progress.say('interrupted: taking everything down');
    abort.abort(new Interrupted('interrupted'));
    setTimeout(() => process.exit(ExitCode.INTERRUPTED), TIDY_MS_MAX).unref();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, interrupt);
  watchReaders(() => abort.abort(new ReaderGone('nobody reads the results')));
  try {
    return await body({ progress, signal: abort.signal });
  } catch (error) {
    if (abort.signal.reason instanceof ReaderGone) return ExitCode.READER_GONE;
    if (flags.json) {
      process.stdout.write(errorJson(abort.signal.aborted ? abort.signal.reason : error));
    }
    if (abort.signal.aborted) return ExitCode.INTERRUPTED;
    progress.close();
    process.stderr.write(`${describeError(error)}\n`);
    return exitCodeOf(error);
  } finally {
    progress.close();
    for (const name of signals) process.off(name, interrupt);
  }
}
