/**
 * What was measured over a run, and whether it stayed flat: the last tenth of it against the first
 * tenth after warming up.
 */
import { mib } from './measure.js';

/** A part of the run in which caches fill and code is compiled. */
const WARM_UP = 0.1;
const PART = 0.1;
/** What the mean of a memory may have grown by: the larger of the two. */
const GROWTH_MAX = 0.05;
const GROWTH_BYTES_MAX = 8 * 2 ** 20;

/** Numbers with the time of each, in the order in which they came. */
export class Samples {
  readonly #atMs: number[] = [];
  readonly #values: number[] = [];

  add(atMs: number, value: number): void {
    this.#atMs.push(atMs);
    this.#values.push(value);
  }

  get max(): number {
    return this.#values.reduce((most, value) => Math.max(most, value), 0);
  }

  get first(): number {
    return this.#values[0] ?? 0;
  }

  get last(): number {
    return this.#values.at(-1) ?? 0;
  }

  /** Those from one part of the run, 0 to 1, up to another. */
  #between(from: number, to: number): number[] {
    const end = this.#atMs.at(-1) ?? 0;
    return this.#values.filter((_, place) => {
      const at = this.#atMs[place]! / end;
      return at >= from && at <= to;
    });
  }

  /** The first one where there are none so early. */
  get early(): number[] {
    const early = this.#between(WARM_UP, WARM_UP + PART);
    return early.length > 0 ? early : [this.first];
  }

  get late(): number[] {
    return this.#between(1 - PART, 1);
  }
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

/** What is wrong with a memory that is not flat, in words; undefined when it is. */
export function growthOf(name: string, samples: Samples): string | undefined {
  const early = mean(samples.early);
  const late = mean(samples.late);
  const most = Math.max(GROWTH_BYTES_MAX, early * GROWTH_MAX);
  if (late - early <= most) return undefined;
  return `the ${name} grew from ${mib(early)} to ${mib(late)}`;
}

/** The same of a count, of which there must not be one more. */
export function moreOf(name: string, samples: Samples): string | undefined {
  const early = Math.max(...samples.early);
  const late = Math.max(...samples.late);
  return late > early ? `there are ${late} ${name}, and were ${early}` : undefined;
}
