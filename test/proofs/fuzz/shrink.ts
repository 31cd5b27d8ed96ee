/**
 * Makes an input that finds something smaller: leaves out ever smaller runs of its steps as long as
 * something is still found.
 */
import { type Input, runInput } from './cases.js';

const TRIES_MAX = 3000;

function withSteps(input: Input, steps: readonly unknown[]): Input {
  return { ...input, steps } as Input;
}

/** @returns the smallest input found, which finds something as `input` does */
export function shrink(input: Input): Input {
  let steps: readonly unknown[] = input.steps;
  let tries = 0;
  for (let run = steps.length >> 1; run > 0; run = run === 1 ? 0 : (run + 1) >> 1) {
    for (let from = steps.length - run; from > -run && tries < TRIES_MAX; from -= run) {
      const at = Math.max(0, from);
      const fewer = [...steps.slice(0, at), ...steps.slice(at + run)];
      tries += 1;
      if (runInput(withSteps(input, fewer)).finding !== undefined) steps = fewer;
    }
  }
  return withSteps(input, steps);
}
