/**
 * What a lying host has done, in memory that its maker reads while its thread writes.
 */
import { LIES, type Lie } from './lies.js';

/** Counters beside those of the lies. */
const OTHERS = ['replies', 'repliesLied', 'putsForged', 'faults'] as const;
type Other = (typeof OTHERS)[number];

const PLACES = Object.fromEntries(
  [...LIES, ...OTHERS].map((name, place) => [name, place]),
) as Record<Lie | Other, number>;

export interface LieCounts {
  /** Answers that somebody in the guest waited for; of these, false ones. */
  readonly replies: number;
  readonly repliesLied: number;
  /** Puts into slots that it had not promised. */
  readonly putsForged: number;
  /** Times that the session behind it cut the guest off: the relay sees to it that it need not. */
  readonly faults: number;
  readonly lies: Readonly<Record<Lie, number>>;
}

export class Tally {
  static readonly bytes = 8 * (LIES.length + OTHERS.length);
  readonly #values: Float64Array;

  /** `memory` is zeroed. */
  constructor(memory: SharedArrayBuffer) {
    this.#values = new Float64Array(memory);
  }

  count(what: Lie | Other): void {
    this.#values[PLACES[what]]! += 1;
  }

  read(): LieCounts {
    const of = <T extends Lie | Other>(names: readonly T[]): Record<T, number> =>
      Object.fromEntries(names.map((name) => [name, this.#values[PLACES[name]]!])) as Record<
        T,
        number
      >;
    return { ...of(OTHERS), lies: of(LIES) };
  }
}
