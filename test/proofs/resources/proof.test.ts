/**
 * The quick cuts, and the judge of what must stay flat.
 */
import { expect, it } from 'vitest';
import { runQuick } from '../proof.js';
import { limits, quota, soak } from './proof.js';
import { growthOf, moreOf, Samples } from './samples.js';

const SEED = 1;
const MIB = 2 ** 20;

it('a quota that is met is a refusal, and bounds the memory', async () => {
  const { problems, numbers } = await runQuick(quota, SEED);
  expect(problems).toEqual([]);
  expect(numbers.puts).toBeGreaterThan(10_000);
}, 120_000);

it('some seconds of load leave descriptors, threads and slots as they were', async () => {
  const { problems, numbers } = await runQuick(soak, SEED);
  expect(problems).toEqual([]);
  expect(numbers.verified).toBeGreaterThan(100);
  expect(numbers.kills).toBeGreaterThan(0);
}, 120_000);

it('what is short is named at the start, or survived', async () => {
  const { problems, numbers } = await runQuick(limits, SEED);
  expect(problems).toEqual([]);
  expect(numbers.cases).toBeGreaterThanOrEqual(9);
}, 120_000);

/** A thousand samples, by their number. */
function samplesOf(value: (number: number) => number): Samples {
  const samples = new Samples();
  for (let number = 0; number < 1000; number += 1) samples.add(number, value(number));
  return samples;
}

it('what warms up and then swings is flat; what creeps is not', () => {
  const swing = (number: number): number => 100 * MIB + (number % 10) * MIB;
  expect(growthOf('memory', samplesOf(swing))).toBeUndefined();
  const warm = samplesOf((number) => Math.min(number, 90) * MIB + swing(number));
  expect(growthOf('memory', warm)).toBeUndefined();
  const creep = samplesOf((number) => swing(number) + number * 2 ** 14);
  expect(growthOf('memory', creep)).toBe('the memory grew from 106.8 MiB to 119.3 MiB');
});

it('one descriptor more is one too many', () => {
  expect(
    moreOf(
      'descriptors',
      samplesOf(() => 30),
    ),
  ).toBeUndefined();
  const more = samplesOf((number) => (number > 950 ? 31 : 30));
  expect(moreOf('descriptors', more)).toBe('there are 31 descriptors, and were 30');
});
