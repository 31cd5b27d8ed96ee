/**
 * What a proof is: a run, of a size that can be told, that shows whether a promise holds.
 *
 * A proof finds out; it does not throw for a promise that is broken but names the problem, with
 * what is needed to see it again. It takes down all that it started before it returns.
 */

/** A size of a proof: how much of something it does. */
export interface Size {
  /** In the cut that the tests run. */
  readonly quick: number;
  /** In a release run. */
  readonly full: number;
  readonly about: string;
}

export interface ProofRun {
  /** From 0 to 2^32 - 1: the same seed and sizes give the same run, where the proof says so. */
  readonly seed: number;
  /** Each of the proof's sizes. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly quick: boolean;
  /** The present state, for one who waits. */
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface ProofResult {
  /** One a broken promise, with how to see it again; none: it held. */
  readonly problems: readonly string[];
  /** What was done and found, in a few words with numbers. */
  readonly figure: string;
  /** The same for programs. */
  readonly numbers: Readonly<Record<string, number>>;
}

export interface Proof {
  /** As in `npm run prove -- NAME`. */
  readonly name: string;
  readonly about: string;
  /** By name, as in `--NAME`. */
  readonly sizes: Readonly<Record<string, Size>>;
  readonly run: (run: ProofRun) => Promise<ProofResult>;
}

/** Problems kept of a run that finds one after the other. */
export const PROBLEMS_MAX = 10;

/** Thousands apart, as in all figures. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** The proof's sizes for a quick or a full run, but for those that are told. */
export function sizesOf(
  proof: Proof,
  quick: boolean,
  told: Readonly<Record<string, number>> = {},
): Record<string, number> {
  const sizes = Object.entries(proof.sizes).map(([name, size]) => [
    name,
    told[name] ?? (quick ? size.quick : size.full),
  ]);
  return Object.fromEntries(sizes);
}

/** The proof in its quick cut, as a test runs it. */
export function runQuick(
  proof: Proof,
  seed: number,
  told: Readonly<Record<string, number>> = {},
): Promise<ProofResult> {
  return proof.run({
    seed,
    sizes: sizesOf(proof, true, told),
    quick: true,
    progress: () => {},
    signal: new AbortController().signal,
  });
}
