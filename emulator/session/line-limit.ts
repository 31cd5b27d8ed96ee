/**
 * Bounds the lines that a guest can cause, by what it does or by coming and going: a burst of them,
 * then one now and again. Those left out are counted, and the next line tells how many they were.
 */

/** Enough for some machines that come, break a rule and go. */
const BURST_LINES = 20;
/** After a burst there is room for another line this often. */
const LINE_MS = 10_000;

export class LineLimit {
  readonly #say: (line: string) => void;
  readonly #now: () => number;
  #room = BURST_LINES;
  #roomAt: number;
  #leftOut = 0;

  /** `now`: a clock, in milliseconds. */
  constructor(say: (line: string) => void, now: () => number = () => performance.now()) {
    this.#say = say;
    this.#now = now;
    this.#roomAt = now();
  }

  /** Says the line, if there is room for it. */
  say(line: string): void {
    const lines = Math.floor((this.#now() - this.#roomAt) / LINE_MS);
    this.#roomAt += lines * LINE_MS;
    this.#room = Math.min(BURST_LINES, this.#room + lines);
    if (this.#room === 0) {
      this.#leftOut += 1;
      return;
    }
    this.#room -= 1;
    this.tellLeftOut();
    this.#say(line);
  }

  /** Says how many lines were left out since this was last told, if any were. */
  tellLeftOut(): void {
    if (this.#leftOut === 0) return;
    this.#say(`${this.#leftOut} more lines about guests were left out`);
    this.#leftOut = 0;
  }
}
