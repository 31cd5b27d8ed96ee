/**
 * Another guest's answers beside one that floods or lies: that they are right. How soon they come
 * is for a release run on a quiet machine to say.
 */
import { expect, it } from 'vitest';
import { runQuick } from '../proof.js';
import { isolation } from './proof.js';

it('has each page as it was put, beside a guest that lies', { timeout: 120_000 }, async () => {
  const { problems, numbers } = await runQuick(isolation, 3);
  expect(problems).toEqual([]);
  expect(numbers.operations).toBeGreaterThan(100);
});
