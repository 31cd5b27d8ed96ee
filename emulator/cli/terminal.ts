/**
 * Where a command in the guest reads and writes: the streams of this process, or the terminal that
 * they are.
 *
 * Always holds: the terminal is raw only while a command has it, and is as before when this process
 * ends in any way that it hears of. While it is raw every key is the command's, Ctrl-C too; the one
 * way out is that of systemd-nspawn, Ctrl-] three times within a second.
 */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { ExecOptions, TerminalSize } from '../../images/index.js';

const ESCAPE_KEY = 0x1d;
const ESCAPE_TIMES = 3;
const ESCAPE_MS_MAX = 1000;
const SIZE_UNKNOWN: TerminalSize = { rows: 24, columns: 80 };

/** What of a command's options are its streams. */
export type CommandStreams = Pick<
  ExecOptions,
  'stdin' | 'onStdout' | 'onStderr' | 'terminal' | 'environment' | 'onStart'
>;

/** Writes; what it gives is kept once the reader wants more. */
function writeTo(stream: NodeJS.WriteStream, chunk: Buffer): Promise<unknown> | undefined {
  return stream.write(chunk) ? undefined : once(stream, 'drain');
}

const OUTPUT: CommandStreams = {
  onStdout: (chunk) => writeTo(process.stdout, chunk),
  onStderr: (chunk) => writeTo(process.stderr, chunk),
};

/**
 * This process's streams, passed on as they come. A terminal is not read: what is typed stays with
 * the shell that started this, which may have done so in the background.
 */
export function pipedStreams(): CommandStreams {
  return process.stdin.isTTY ? OUTPUT : { ...OUTPUT, stdin: process.stdin };
}

/** Whether there is a terminal to lend. */
export function hasTerminal(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/** Tells whether the escape key was pressed often enough in a short time. */
export class EscapeWatch {
  #presses: number[] = [];

  /** @param now in milliseconds */
  see(typed: Uint8Array, now: number): boolean {
    for (const byte of typed) {
      if (byte !== ESCAPE_KEY) {
        this.#presses = [];
        continue;
      }
      this.#presses = [...this.#presses, now].slice(-ESCAPE_TIMES);
      const [first] = this.#presses;
      const often = this.#presses.length === ESCAPE_TIMES;
      if (often && now - first! <= ESCAPE_MS_MAX) return true;
    }
    return false;
  }
}

/** The terminal of this process in a command's hands, from construction to disposal. */
export class LentTerminal implements Disposable {
  readonly streams: CommandStreams;
  /** Aborts when the person at the keys wants out. */
  readonly left: AbortSignal;
  readonly #typed = new PassThrough();
  readonly #leave = new AbortController();
  readonly #escape = new EscapeWatch();
  #resize: (() => void) | undefined;

  constructor() {
    this.left = this.#leave.signal;
    process.once('exit', this.#restore);
    process.stdin.setRawMode(true);
    process.stdin.on('data', this.#onTyped);
    process.stdin.on('end', this.#onEnd);
    this.#typed.on('drain', () => process.stdin.resume());
    this.streams = {
      ...OUTPUT,
      stdin: this.#typed,
      terminal: currentSize(),
      environment: { TERM: process.env.TERM ?? 'dumb' },
      onStart: (command) => {
        this.#resize = () => command.resize(currentSize());
        process.stdout.on('resize', this.#resize);
      },
    };
  }

  [Symbol.dispose](): void {
    if (this.#resize !== undefined) process.stdout.off('resize', this.#resize);
    process.stdin.off('data', this.#onTyped);
    process.stdin.off('end', this.#onEnd);
    process.stdin.pause();
    process.off('exit', this.#restore);
    this.#restore();
  }

  readonly #restore = (): void => {
    try {
      process.stdin.setRawMode(false);
    } catch {
      // The terminal itself is gone.
    }
  };

  readonly #onTyped = (chunk: Buffer): void => {
    if (this.#escape.see(chunk, performance.now())) this.#leave.abort();
    else if (this.#typed.writable && !this.#typed.write(chunk)) process.stdin.pause();
  };

  readonly #onEnd = (): void => {
    this.#typed.end();
  };
}

function currentSize(): TerminalSize {
  const { rows, columns } = process.stdout;
  return rows > 0 && columns > 0 ? { rows, columns } : SIZE_UNKNOWN;
}
