/** Everything is undone, last first, though a step fails. */
import { expect, it } from 'vitest';
import { Lifetime } from './lifetime.js';

it('undoes in reverse, and only once', async () => {
  const seen: string[] = [];
  const lifetime = new Lifetime();
  lifetime.defer(() => seen.push('first'));
  expect(lifetime.use({ [Symbol.dispose]: () => seen.push('second') })).toBeDefined();
  lifetime.use({ [Symbol.asyncDispose]: async () => void seen.push('third') });
  expect(lifetime.adopt(7, (value) => seen.push(`fourth ${value}`))).toBe(7);
  await lifetime[Symbol.asyncDispose]();
  await lifetime[Symbol.asyncDispose]();
  expect(seen).toEqual(['fourth 7', 'third', 'second', 'first']);
});

it('goes on after a failure and throws the first one', async () => {
  const seen: string[] = [];
  const lifetime = new Lifetime();
  lifetime.defer(() => seen.push('ran'));
  lifetime.defer(() => Promise.reject(new Error('later')));
  lifetime.defer(() => {
    throw new Error('sooner');
  });
  await expect(lifetime[Symbol.asyncDispose]()).rejects.toThrow('sooner');
  expect(seen).toEqual(['ran']);
});
