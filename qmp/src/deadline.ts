// One timer for many time limits. A timer for each command costs as much as all else the client
// does for it, and nearly all are cleared unused; so one is set for the earliest limit and, when it
// fires, the owner looks at all. What always holds: it fires no later than the earliest time it was
// told, give or take the timer's millisecond; it does not keep the process alive.

/** The longest a Node timer counts. */
const TIMER_MAX_MS = 2 ** 31 - 1;
/** Node's timers count whole milliseconds and may fire a part of one early. */
const EARLY_MS = 1;

export class DeadlineTimer {
  readonly #sweep: (now: number) => number;
  #timer: NodeJS.Timeout | undefined;
  #setFor = Number.POSITIVE_INFINITY;

  /**
   * @param sweep gives up all that is due at `now` (on `performance.now`'s clock) and returns the
   *   earliest time that is left, `Infinity` for none
   */
  constructor(sweep: (now: number) => number) {
    this.#sweep = sweep;
  }

  /** Be sure to fire by `deadline`, on `performance.now`'s clock. */
  cover(deadline: number): void {
    if (deadline < this.#setFor) this.#set(deadline);
  }

  /** Fire no more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#setFor = Number.POSITIVE_INFINITY;
  }

  #set(deadline: number): void {
    clearTimeout(this.#timer);
    this.#setFor = deadline;
    const wait = Math.min(Math.max(1, deadline - performance.now()), TIMER_MAX_MS);
    this.#timer = setTimeout(() => this.#fire(), wait).unref();
  }

  #fire(): void {
    this.#setFor = Number.POSITIVE_INFINITY;
    const next = this.#sweep(performance.now() + EARLY_MS);
    // The sweep may have caused new ones, and these a nearer time.
    this.cover(next);
  }
}
