/**
 * What a waiting person sees: one line a step on stderr, with the seconds since the start.
 *
 * On a terminal a step that repeats (`update`) redraws its line; elsewhere it prints at most one
 * line every few seconds. Nothing here writes to stdout.
 */

/** Between two `update` lines where there is no terminal. */
const UPDATE_MS_MIN = 5000;

export class ProgressLines {
  readonly #started = performance.now();
  readonly #live: boolean;
  #open = false;
  #lastUpdate = Number.NEGATIVE_INFINITY;

  constructor(live = process.stderr.isTTY === true) {
    this.#live = live;
  }

  #stamp(): string {
    return `[${((performance.now() - this.#started) / 1000).toFixed(1).padStart(6)} s]`;
  }

  /** A step began or something happened. */
  readonly say = (line: string): void => {
    this.close();
    process.stderr.write(`${this.#stamp()} ${line}\n`);
  };

  /** The present state of a step that goes on. */
  update(line: string): void {
    if (this.#live) {
      process.stderr.write(`\r\u001b[2K${this.#stamp()} ${line}`);
      this.#open = true;
      return;
    }
    const now = performance.now();
    if (now - this.#lastUpdate < UPDATE_MS_MIN) return;
    this.#lastUpdate = now;
    this.say(line);
  }

  /** Ends a redrawn line, so that what follows starts on its own. */
  close(): void {
    if (this.#open) process.stderr.write('\n');
    this.#open = false;
  }
}
