/**
 * The proof that the proofs can fail: each planted bug is found by the proof that answers for it.
 */
import { count, type Proof, type ProofResult, type ProofRun } from '../proof.js';
import { BUGS } from './bugs.js';
import { findBug, type PlantedBug } from './plant.js';

/** Bugs tried side by side. */
const LANES = 2;

/** Every `step`th bug, from one that the seed chooses: a cut that changes from run to run. */
function choose(seed: number, bugs: number): readonly PlantedBug[] {
  if (bugs >= BUGS.length) return BUGS;
  const first = seed % BUGS.length;
  const step = BUGS.length / bugs;
  return Array.from({ length: bugs }, (_, at) => {
    return BUGS[(first + Math.floor(at * step)) % BUGS.length]!;
  });
}

async function run({ seed, sizes, progress, signal }: ProofRun): Promise<ProofResult> {
  const chosen = choose(seed, sizes.bugs!);
  const problems: string[] = [];
  const left = [...chosen];
  let found = 0;
  const lane = async (): Promise<void> => {
    for (let bug = left.shift(); bug !== undefined; bug = left.shift()) {
      if (signal.aborted) return;
      const how = await findBug(bug, seed, signal);
      if (how === undefined) problems.push(`nothing found: "${bug.name}", by ${bug.proof}`);
      else found += 1;
      progress(`${found} of ${chosen.length} bugs found`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return {
    problems,
    figure: `${count(found)} of ${count(chosen.length)} planted bugs found`,
    numbers: { bugs: chosen.length, found },
  };
}

export const planted: Proof = {
  name: 'planted',
  about: 'bugs planted one at a time, each of which another proof must find',
  sizes: { bugs: { quick: 4, full: 1000, about: 'bugs, at most all of them' } },
  run,
};
