/**
 * Every point at which a store can die within each operation, counted: what no random kill is sure
 * to hit. The same run each time; the seed does not matter.
 */
import { DEADLY_OPERATIONS, tryDeaths } from '../../../emulator/testing/crash-points.js';
import { count, type Proof, type ProofResult, type ProofRun } from '../proof.js';

async function run({ sizes, signal, progress }: ProofRun): Promise<ProofResult> {
  const dieAgain = sizes.again === 0 ? 'between' : 'everywhere';
  const numbers: Record<string, number> = { operations: 0, points: 0, states: 0, again: 0 };
  const problems: string[] = [];
  for (const operation of DEADLY_OPERATIONS) {
    signal.throwIfAborted();
    progress(`dying everywhere in ${operation.name}`);
    // The event loop turns between two operations, so that an interrupt is heard.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      const { points, states, again } = tryDeaths(operation, dieAgain);
      for (const [name, value] of Object.entries({ operations: 1, points, states, again })) {
        numbers[name]! += value;
      }
      numbers[`points of ${operation.name}`] = points;
      numbers[`states of ${operation.name}`] = states;
      numbers[`again of ${operation.name}`] = again;
    } catch (error) {
      problems.push(`${operation.name}: ${(error as Error).message}`);
    }
  }
  const { operations, points, states, again } = numbers;
  const figure = [
    `${count(operations!)} operations cut short at ${count(points!)} points`,
    `${count(states!)} torn states taken over`,
    `${count(again!)} times by one that died as well`,
  ];
  return { problems, figure: figure.join(', '), numbers };
}

export const crashPoints: Proof = {
  name: 'crash-points',
  about: 'die at every instruction of every operation: its effect once, its answer once',
  sizes: {
    again: { quick: 0, full: 1, about: '1: who takes over dies in every torn state too' },
  },
  run,
};
