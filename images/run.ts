/**
 * Runs host programs (apt, make, gcc) to their end. Every child has a time limit and its own
 * process group; the group is killed when the limit passes, when the work that it belongs to is
 * interrupted, or when this process exits, so none is left behind. Output is kept up to a bound,
 * its oldest part dropped first: the last lines say what went wrong.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type ChildProcess, spawn } from 'node:child_process';
import { ImagesError } from './errors.js';

const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;

export interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  timeoutMs: number;
}

export interface RunResult {
  /** Exit code, or 128 + signal number is not known here: -1 when a signal ended the child. */
  code: number;
  stdout: string;
  /** Both streams, in the order in which they came. */
  output: string;
}

const interruptions = new AsyncLocalStorage<AbortSignal | undefined>();

/**
 * Runs `work`, whose host programs, however deep down, end when the signal fires; what waited for
 * them then rejects with the signal's reason, once they are gone. Without a signal nothing ends
 * them: for the tidying that follows.
 */
export function interruptible<T>(
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  return interruptions.run(signal, work);
}

/** The signal of the work that the caller is part of. */
export function interruption(): AbortSignal | undefined {
  return interruptions.getStore();
}

const groups = new Set<number>();
let exitHooked = false;

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group is gone already, which is what was wanted.
  }
}

function trackGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  groups.add(child.pid);
  if (exitHooked) return;
  exitHooked = true;
  process.on('exit', () => {
    for (const pid of groups) {
      try {
        process.kill(-pid, 'SIGKILL');
      } catch {
        // Gone already.
      }
    }
  });
}

class Tail {
  #chunks: Buffer[] = [];
  #bytes = 0;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes > OUTPUT_BYTES_MAX && this.#chunks.length > 1) {
      this.#bytes -= this.#chunks.shift()!.length;
    }
  }

  toString(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}

/**
 * Runs a program without a shell and waits for its end; a non-zero code is not an error here.
 * Errors: COMMAND_FAILED when it cannot be started, COMMAND_TIMEOUT when the limit passes, and the
 * reason of the signal that interrupts it.
 */
export function run(command: string, args: string[], options: RunOptions): Promise<RunResult> {
  const signal = interruption();
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    trackGroup(child);
    const stdout = new Tail();
    const output = new Tail();
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child);
    }, options.timeoutMs);
    const onAbort = (): void => killGroup(child);
    signal?.addEventListener('abort', onAbort, { once: true });
    child.stdout.on('data', (chunk: Buffer) => {
      stdout.push(chunk);
      output.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      if (child.pid !== undefined) groups.delete(child.pid);
    };
    child.on('error', (cause) => {
      settle();
      const message = `${command} could not be started (${cause.message}); install it first`;
      reject(new ImagesError('COMMAND_FAILED', message, { cause }));
    });
    child.on('close', (code) => {
      settle();
      if (signal?.aborted) return reject(signal.reason);
      if (timedOut) {
        const message =
          `${command} did not end within ${options.timeoutMs / 1000} s and was killed; ` +
          `its last lines:\n${lastLines(output.toString(), 10)}`;
        reject(new ImagesError('COMMAND_TIMEOUT', message));
        return;
      }
      resolve({ code: code ?? -1, stdout: stdout.toString(), output: output.toString() });
    });
  });
}

/** The last `count` lines that are not empty, indented by two spaces: for error messages. */
export function lastLines(text: string, count: number): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines
    .slice(-count)
    .map((line) => `  ${line.trimEnd()}`)
    .join('\n');
}
