/**
 * The simulator as a proof: thousands of seeds, each a guest, its queues and the real store in one
 * process, with crashes, torn words, lost doorbells and whatever else the seed draws.
 */
import { setImmediate } from 'node:timers/promises';
import { count, PROBLEMS_MAX, type Proof, type ProofResult, type ProofRun } from '../proof.js';
import { type SimulationResult, simulate } from './simulation.js';

/** How to see one seed again. */
function describeFailure(seed: number, { problem, lines }: SimulationResult, all: boolean): string {
  const again = `npm run prove -- simulator --seed ${seed} --seeds 1 --trace 1`;
  return [`seed ${seed}: ${problem}`, `see it: ${again}`, ...(all ? [] : lines)].join('\n    ');
}

async function run({ seed, sizes, progress, signal }: ProofRun): Promise<ProofResult> {
  const seeds = sizes.seeds!;
  const all = sizes.trace! !== 0;
  const problems: string[] = [];
  const sums = { seeds: 0, operations: 0, steps: 0, crashes: 0, virtualSeconds: 0 };
  for (let turn = 0; turn < seeds && problems.length < PROBLEMS_MAX; turn += 1) {
    const own = (seed + turn) % 2 ** 32;
    const result = simulate(own, all);
    sums.seeds += 1;
    sums.operations += result.operations;
    sums.steps += result.steps;
    sums.crashes += result.crashes;
    sums.virtualSeconds += result.time / 1e6;
    if (all) process.stderr.write(`${result.lines.join('\n')}\ntrace ${result.hash}\n`);
    if (result.problem !== undefined) problems.push(describeFailure(own, result, all));
    if (turn % 16 !== 0) continue;
    progress(`${count(turn)} of ${count(seeds)} seeds`);
    await setImmediate();
    signal.throwIfAborted();
  }
  const { operations, crashes } = sums;
  const figure =
    `${count(sums.seeds)} seeds, ${count(operations)} operations, ${count(crashes)} deaths of the ` +
    `store, ${problems.length === 0 ? 'none' : count(problems.length)} wrong`;
  return { problems, figure, numbers: { ...sums, failed: problems.length } };
}

export const simulator: Proof = {
  name: 'simulator',
  about: 'guest, queues and store in one process, under a virtual clock and a seed, with faults',
  sizes: {
    seeds: { quick: 300, full: 10_000, about: 'seeds, from --seed on' },
    trace: { quick: 0, full: 0, about: '1: print what happens, on stderr' },
  },
  run,
};
