/**
 * The way out of a terminal that is lent: three presses in time, with nothing between.
 */
import { expect, test } from 'vitest';
import { EscapeWatch } from './terminal.js';

const ESCAPE = 0x1d;

test('three presses within a second are the way out, however they come', () => {
  expect(new EscapeWatch().see(Buffer.from([ESCAPE, ESCAPE, ESCAPE]), 0)).toBe(true);
  const slowly = new EscapeWatch();
  expect([0, 400, 1000].map((now) => slowly.see(Buffer.from([ESCAPE]), now))).toEqual([
    false,
    false,
    true,
  ]);
});

test('fewer, slower, or with another key between, they are the guest’s', () => {
  const watch = new EscapeWatch();
  expect(watch.see(Buffer.from([ESCAPE, ESCAPE]), 0)).toBe(false);
  expect(watch.see(Buffer.from([ESCAPE]), 1001)).toBe(false);
  expect(watch.see(Buffer.from([ESCAPE, 0x61, ESCAPE]), 1002)).toBe(false);
  expect(watch.see(Buffer.from([ESCAPE, ESCAPE]), 1003)).toBe(true);
});
