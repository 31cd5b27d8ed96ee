/**
 * The quick cut of the kills. `takeover.guest.test.ts` has those in a guest.
 */
import { expect, it } from 'vitest';
import { runQuick } from '../proof.js';
import { kills } from './proof.js';

it('stores that are killed lose nothing, and give nothing old', async () => {
  const { problems, numbers } = await runQuick(kills, 1);
  expect(problems).toEqual([]);
  expect(numbers.kills).toBeGreaterThanOrEqual(12);
  expect(numbers.verified).toBeGreaterThan(100);
  expect(numbers.judged).toBeGreaterThan(100);
}, 120_000);
