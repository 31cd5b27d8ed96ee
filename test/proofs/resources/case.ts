/**
 * What a case of the proof `limits` is.
 */
import type { RunDir } from '../../../emulator/guest/paths.js';
import type { ProofRun } from '../proof.js';

/** One thing that is short. */
export interface LimitCase {
  readonly name: string;
  /** Takes long, or a guest: not in the quick cut. */
  readonly isLong?: boolean;
  /** @throws Error that says what does not hold; `folder` is its own */
  readonly run: (folder: RunDir, run: ProofRun) => Promise<void>;
}

/** @throws Error with what does not hold */
export function must(holds: boolean, problem: string): void {
  if (!holds) throw new Error(problem);
}
