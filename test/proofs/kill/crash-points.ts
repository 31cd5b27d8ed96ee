/**
 * Every point at which a store can die within each operation, and while a life of the guest ends or
 * begins, counted: what no random kill is sure to hit. The same run each time, whatever the seed.
 */
import { AssertionError } from 'node:assert/strict';
import { DEADLY_CHANGES, tryDeathsInChange } from '../../../emulator/testing/crash-lives.js';
import {
  DEADLY_OPERATIONS,
  type DieAgain,
  tryDeaths,
} from '../../../emulator/testing/crash-points.js';
import { count, type Proof, type ProofResult, type ProofRun } from '../proof.js';

interface Trial {
  readonly name: string;
  readonly run: () => { points: number; states: number; again: number };
}

function trials(dieAgain: DieAgain): Trial[] {
  return [
    ...DEADLY_OPERATIONS.map((operation) => ({
      name: operation.name,
      run: () => tryDeaths(operation, dieAgain),
    })),
    ...DEADLY_CHANGES.map((change) => ({
      name: change.name,
      run: () => ({ ...tryDeathsInChange(change), again: 0 }),
    })),
  ];
}

/** What was seen in place of what, where an assertion tells. */
function told(error: unknown): string {
  if (!(error instanceof AssertionError)) return String(error);
  const [actual, expected] = [error.actual, error.expected].map((value) => JSON.stringify(value));
  return `${error.message.split('\n', 1)[0]}: ${actual} in place of ${expected}`;
}

async function run({ sizes, signal, progress }: ProofRun): Promise<ProofResult> {
  const dieAgain = sizes.again === 0 ? 'between' : 'everywhere';
  const numbers: Record<string, number> = { operations: 0, points: 0, states: 0, again: 0 };
  const problems: string[] = [];
  for (const { name, run } of trials(dieAgain)) {
    signal.throwIfAborted();
    progress(`dying everywhere in ${name}`);
    // The event loop turns between two operations, so that an interrupt is heard.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      const found = run();
      numbers.operations! += 1;
      for (const [what, value] of Object.entries(found)) {
        if (typeof value !== 'number') continue;
        numbers[what]! += value;
        numbers[`${what} of ${name}`] = value;
      }
    } catch (error) {
      problems.push(`${name}: ${told(error)}`);
    }
  }
  const { operations, points, states, again } = numbers;
  const figure = [
    `${count(operations!)} operations and changes of lives cut short at ${count(points!)} points`,
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
