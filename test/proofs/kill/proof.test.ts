/**
 * The quick cuts: some kills (`takeover.guest.test.ts` has those in a guest), and each death that
 * there is within an operation.
 */
import { expect, it } from 'vitest';
import { DEADLY_CHANGES } from '../../../emulator/testing/crash-lives.js';
import { DEADLY_OPERATIONS } from '../../../emulator/testing/crash-points.js';
import { runQuick } from '../proof.js';
import { crashPoints } from './crash-points.js';
import { kills } from './proof.js';

it('stores that are killed lose nothing, and give nothing old', async () => {
  const { problems, numbers } = await runQuick(kills, 1);
  expect(problems).toEqual([]);
  expect(numbers.kills).toBeGreaterThanOrEqual(12);
  expect(numbers.verified).toBeGreaterThan(100);
  expect(numbers.judged).toBeGreaterThan(100);
}, 120_000);

it('a store that dies anywhere in an operation has it done once, answered once', async () => {
  const { problems, numbers } = await runQuick(crashPoints, 1);
  expect(problems).toEqual([]);
  expect(numbers.operations).toBe(DEADLY_OPERATIONS.length + DEADLY_CHANGES.length);
  for (const { name } of DEADLY_OPERATIONS) {
    expect(numbers[`states of ${name}`]! + numbers[`again of ${name}`]!, name).toBeGreaterThan(8);
  }
  for (const { name } of DEADLY_CHANGES) expect(numbers[`states of ${name}`]).toBeGreaterThan(3);
}, 120_000);
