/**
 * The quick cuts of both proofs, and the model itself where the store is not asked.
 */
import { expect, it } from 'vitest';
import { runQuick } from '../proof.js';
import { Model, NONE } from './model.js';
import { ringModel, storeModel } from './proof.js';

const SEED = 1;

it('the store answers as the model does, through restarts', async () => {
  const { problems, numbers } = await runQuick(storeModel, SEED);
  expect(problems).toEqual([]);
  expect(numbers).toMatchObject({ operations: 1_000_000 });
});

it('what the rings answer can be explained, across stores that die', async () => {
  const { problems, numbers } = await runQuick(ringModel, SEED);
  expect(problems).toEqual([]);
  expect(numbers.operations).toBeGreaterThanOrEqual(200_000);
  expect(numbers.kills).toBe(4);
  expect(numbers.takeovers).toBeGreaterThan(50);
});

it('the model keeps what is put to swap, and gives a cached page once', () => {
  const model = new Model();
  expect([model.newPool(0x100_0001), model.newPool(0x100_0000)]).toEqual([0, 1]);
  for (const pool of [0, 1]) {
    expect(model.put(pool, 7, 0xffff_ffff, 5)).toBe(1);
    expect(model.get(pool, 7, 0xffff_ffff)).toBe(1);
    expect(model.got).toBe(5);
  }
  expect([model.get(0, 7, 0xffff_ffff), model.got]).toEqual([1, 5]);
  expect([model.get(1, 7, 0xffff_ffff), model.got]).toEqual([0, NONE]);
  expect([model.pages, model.objects]).toEqual([1, 1]);
});

it('the model has nothing left of a put that is refused', () => {
  const model = new Model();
  model.newPool(0x100_0001);
  expect(model.put(0, 1, 2, 3, true)).toBe(-12);
  model.put(0, 1, 2, 3);
  expect(model.put(0, 1, 2, 4, true)).toBe(-28);
  expect(model.peek(0, 1, 2)).toBe(NONE);
  expect([model.pages, model.objects]).toEqual([0, 0]);
});
