/**
 * Whether what the callers of one key saw can be explained by its operations having happened one
 * after the other, each at some instant between its begin and its end (linearisability, per key).
 *
 * The key holds a value or nothing. Histories are checked as they are recorded: whenever nothing
 * is under way, all that happened since the last such moment is searched, with the results known
 * (Wing and Gong 1993, with the just-in-time order of Lowe 2017), and only the values that the key
 * may hold are kept. So memory and time depend on how much goes on at once, not on the length.
 *
 * An operation that never ends (its caller gave up) may have happened at any time since, or may
 * yet.
 */

/** What a key without a page holds. Values are whole numbers from 1 to 2^31 - 1. */
export const NOTHING = 0;

/** The put failed: no page is left of the key. */
export const REFUSED = 0;
export const KEPT = 1;

export type Kind = 'put' | 'get' | 'flush';

/** Operations of one key under way at once, with those given up. */
const OPEN_MAX = 16;
const MASKS = 2 ** OPEN_MAX;

/** One operation, from `begin` to `end`. */
export interface Operation {
  readonly kind: Kind;
  /** Of a put. */
  readonly value: number;
  /** put: KEPT or REFUSED; get: the value or NOTHING; flush: NOTHING; undefined: unknown. */
  result: number | undefined;
  readonly bit: number;
}

interface Event {
  readonly operation: Operation;
  readonly ends: boolean;
}

export interface KeyRules {
  /** A page may vanish, and a get takes it (a private ephemeral pool). */
  readonly ephemeral?: boolean;
}

export class KeyHistory {
  readonly #ephemeral: boolean;
  /** What the key may hold, each with the mask of lingering operations that have happened then. */
  #configurations = new Set<number>([NOTHING * MASKS]);
  #events: Event[] = [];
  /** Given up before the last quiet moment. */
  #lingering: Operation[] = [];
  #open = 0;
  #usedBits = 0;

  constructor(rules: KeyRules = {}) {
    this.#ephemeral = rules.ephemeral ?? false;
  }

  /** Operations that have begun and neither ended nor been abandoned. */
  get open(): number {
    return this.#open;
  }

  /** How many more may begin before a moment comes when none is under way. */
  get room(): number {
    let room = 0;
    for (let bit = 0; bit < OPEN_MAX; bit += 1) if ((this.#usedBits & (1 << bit)) === 0) room += 1;
    return room;
  }

  begin(kind: Kind, value = NOTHING): Operation {
    let bit = 0;
    while ((this.#usedBits & (1 << bit)) !== 0) bit += 1;
    if (bit >= OPEN_MAX) throw new Error(`more than ${OPEN_MAX} operations of one key at once`);
    this.#usedBits |= 1 << bit;
    const operation: Operation = { kind, value, result: undefined, bit };
    this.#events.push({ operation, ends: false });
    this.#open += 1;
    return operation;
  }

  /**
   * @param result undefined: it is over, but nobody heard how it went
   * @returns false when nothing explains what was seen since the last quiet moment
   */
  end(operation: Operation, result: number | undefined): boolean {
    operation.result = result;
    this.#events.push({ operation, ends: true });
    this.#open -= 1;
    return this.#open > 0 || this.#check();
  }

  /** It has not happened and never will. The same answer as `end`. */
  cancel(operation: Operation): boolean {
    this.#events = this.#events.filter((event) => event.operation !== operation);
    this.#usedBits &= ~(1 << operation.bit);
    this.#open -= 1;
    return this.#open > 0 || this.#check();
  }

  /** Its caller gave up: it may still happen, or not. The same answer as `end`. */
  abandon(_operation: Operation): boolean {
    this.#open -= 1;
    return this.#open > 0 || this.#check();
  }

  /** All that went before is of another life: the key holds nothing, whatever was under way. */
  forget(): void {
    this.#configurations = new Set([NOTHING * MASKS]);
    this.#events = [];
    this.#lingering = [];
    this.#open = 0;
    this.#usedBits = 0;
  }

  /**
   * What the key can hold after `operation` happened to one that holds `before`.
   * @returns none where its result says otherwise
   */
  #after(operation: Operation, before: number): number[] {
    const { kind, result, value } = operation;
    if (kind === 'flush') return [NOTHING];
    if (kind === 'put') {
      if (result === undefined) return [value, NOTHING];
      return [result === KEPT ? value : NOTHING];
    }
    if (!this.#ephemeral) return result === undefined || result === before ? [before] : [];
    if (result === undefined) return [before, NOTHING];
    return result === NOTHING || result === before ? [NOTHING] : [];
  }

  #check(): boolean {
    let open = this.#lingering;
    let configurations = this.#configurations;
    for (const { operation, ends } of this.#events) {
      if (!ends) {
        open = [...open, operation];
        continue;
      }
      configurations = this.#linearize(configurations, open, operation);
      open = open.filter((one) => one !== operation);
      this.#usedBits &= ~(1 << operation.bit);
    }
    this.#events = [];
    this.#lingering = open;
    this.#configurations = configurations;
    return configurations.size > 0;
  }

  /**
   * Each way in which `last` has happened, after any of the others that are open. Bits of a mask
   * say which of the open ones have happened already.
   */
  #linearize(from: Set<number>, open: readonly Operation[], last: Operation): Set<number> {
    const done = new Set<number>();
    const seen = new Set(from);
    const work = [...from];
    for (let one = work.pop(); one !== undefined; one = work.pop()) {
      const mask = one % MASKS;
      const value = Math.floor(one / MASKS);
      if ((mask & (1 << last.bit)) !== 0) {
        done.add(one - (1 << last.bit));
        continue;
      }
      for (const operation of open) {
        if ((mask & (1 << operation.bit)) !== 0) continue;
        for (const after of this.#after(operation, value)) {
          const next = after * MASKS + (mask | (1 << operation.bit));
          if (seen.has(next)) continue;
          seen.add(next);
          work.push(next);
        }
      }
    }
    return done;
  }
}
