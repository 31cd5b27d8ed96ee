/**
 * The quick cut of the proof, on a stock kernel.
 */
import { expect, it } from 'vitest';
import { runQuick } from '../proof.js';
import { liar } from './proof.js';

it('a guest survives a host that lies, and no byte is wrong', async () => {
  const { problems, numbers } = await runQuick(liar, 20_261);
  expect(problems).toEqual([]);
  expect(numbers.repliesLied).toBeGreaterThanOrEqual(3000);
  expect(numbers.lost).toBeGreaterThan(0);
  expect(numbers.headersRefused).toBeGreaterThan(0);
});
