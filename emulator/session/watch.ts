/**
 * Notices a store that hangs: one that is stopped, that waits in a call without end, or that goes
 * round in a loop.
 *
 * A store counts its turns, also while it has nothing to do. When the count stands still, the time
 * that it could have used counts against it: what passes while it sleeps or is stopped, and of
 * what passes while it waits for a CPU only what it was given. So a busy machine makes this slower
 * and kills nobody, and neither does a supervisor that was stopped itself.
 */
import type { ThreadUse } from './thread-use.js';

/** Looks within the time after which a store counts as hanging. */
const LOOKS = 5;
/** Of the time between two looks, what may count at most, in parts of what it should be. */
const LATE_MAX = 1.5;

export interface WatchOptions {
  /** Milliseconds without a turn after which it hangs; 0: never. */
  readonly hangMs: number;
  /** Turns that it has counted. */
  readonly turns: () => number;
  /** Of the thread that counts; undefined: not known yet, or gone. */
  readonly use: () => ThreadUse | undefined;
  readonly onHang: (what: string) => void;
  /** Milliseconds; default the system's clock. */
  readonly now?: () => number;
}

export class Watch implements Disposable {
  readonly #options: WatchOptions;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;
  #turns: number;
  #cpuMs: number | undefined;
  #lookedAt: number;
  #idleMs = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#turns = options.turns();
    this.#lookedAt = this.#now();
    if (options.hangMs > 0) this.#timer = setInterval(() => this.look(), this.#everyMs).unref();
  }

  get #everyMs(): number {
    return this.#options.hangMs / LOOKS;
  }

  /** Once in a while. */
  look(): void {
    const now = this.#now();
    const passedMs = Math.min(now - this.#lookedAt, this.#everyMs * LATE_MAX);
    this.#lookedAt = now;
    const turns = this.#options.turns();
    const use = this.#options.use();
    const cpuMs = use?.cpuMs;
    if (turns !== this.#turns || use === undefined) {
      this.#turns = turns;
      this.#cpuMs = cpuMs;
      this.#idleMs = 0;
      return;
    }
    const hadMs = use.cpuMs - (this.#cpuMs ?? use.cpuMs);
    this.#cpuMs = cpuMs;
    this.#idleMs += use.isBusy ? Math.min(hadMs, passedMs) : passedMs;
    if (this.#idleMs < this.#options.hangMs) return;
    this[Symbol.dispose]();
    const how = use.isStopped ? 'is stopped' : use.isBusy ? 'goes round in a loop' : 'waits';
    this.#options.onHang(how);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
