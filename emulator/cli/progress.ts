/**
 * What a waiting person sees: one line a step on stderr, with the seconds since the start.
 *
 * On a terminal a step that repeats (`update`) redraws its line; elsewhere it prints at most one
 * line every few seconds. A step that may well be short (`slow`) is told once it is not. Nothing here writes to stdout. Lines that nobody reads are left out once
 * there are many of them, and counted.
 */
import type { Writable } from 'node:stream';
import { printable } from '../../images/printable.js';

/** Between two `update` lines where there is no terminal. */
const UPDATE_MS_MIN = 5000;
/** A `slow` step is told when it takes this much longer than is usual, and again from then on. */
const SLOW_MS = 1500;
const REDRAW_MS = 1000;
const STILL_MS = 30_000;
/** Beyond what the system holds for a reader. */
const UNREAD_BYTES_MAX = 64 * 1024;

export class ProgressLines {
  readonly #started = performance.now();
  readonly #live: boolean;
  readonly #output: Writable;
  #open = false;
  #leftOut = 0;
  #lastUpdate = Number.NEGATIVE_INFINITY;
  #slowTimer: NodeJS.Timeout | undefined;

  constructor(output: Writable & { readonly isTTY?: boolean } = process.stderr) {
    this.#output = output;
    this.#live = output.isTTY === true;
  }

  #write(text: string): void {
    if (this.#output.writableLength > UNREAD_BYTES_MAX) {
      this.#leftOut += 1;
      return;
    }
    if (this.#leftOut > 0) this.#output.write(`(${this.#leftOut} lines were left out)\n`);
    this.#leftOut = 0;
    this.#output.write(text);
  }

  #stamp(): string {
    return `[${((performance.now() - this.#started) / 1000).toFixed(1).padStart(6)} s]`;
  }

  /** A step began or something happened. */
  readonly say = (line: string): void => {
    this.close();
    this.#write(`${this.#stamp()} ${printable(line)}\n`);
  };

  /** The present state of a step that goes on. */
  update(line: string): void {
    if (this.#live) {
      this.#write(`\r\u001b[2K${this.#stamp()} ${printable(line).replaceAll('\n', ' ')}`);
      this.#open = true;
      return;
    }
    const now = performance.now();
    if (now - this.#lastUpdate < UPDATE_MS_MIN) return;
    this.#lastUpdate = now;
    this.say(line);
  }

  /**
   * A step began, and is told if it does not end soon: by the next one, or by `close`. `usualMs` is
   * how long it takes when all is well, `Infinity` for what is worth no word here.
   */
  readonly slow = (line: string, usualMs = 0): void => {
    this.#endSlow();
    if (usualMs === Number.POSITIVE_INFINITY) return;
    const began = performance.now();
    const tell = (): void => {
      const seconds = Math.round((performance.now() - began) / 1000);
      if (this.#live) this.update(`${line} (${seconds} s)`);
      else this.say(seconds * 1000 < STILL_MS ? line : `still ${line} (${seconds} s)`);
      this.#slowTimer = setTimeout(tell, this.#live ? REDRAW_MS : STILL_MS).unref();
    };
    this.#slowTimer = setTimeout(tell, usualMs + SLOW_MS).unref();
  };

  #endSlow(): void {
    if (this.#slowTimer === undefined) return;
    clearTimeout(this.#slowTimer);
    this.#slowTimer = undefined;
    // What took long on a terminal leaves no line there.
    if (this.#open) this.#write('\r\u001b[2K');
    this.#open = false;
  }

  /** Ends a redrawn line, so that what follows starts on its own. */
  close(): void {
    this.#endSlow();
    if (this.#open) this.#write('\n');
    this.#open = false;
  }
}
