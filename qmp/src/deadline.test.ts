// One timer for many limits, on a clock the test moves.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DeadlineTimer } from './deadline.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** Deadlines kept in a list; `given` are those given up, with the time it happened. */
function timerOf(deadlines: number[]) {
  const given: { deadline: number; at: number }[] = [];
  const timer = new DeadlineTimer((now) => {
    for (const deadline of deadlines.filter((one) => one <= now)) {
      deadlines.splice(deadlines.indexOf(deadline), 1);
      given.push({ deadline, at: performance.now() });
    }
    return Math.min(Number.POSITIVE_INFINITY, ...deadlines);
  });
  for (const deadline of deadlines) timer.cover(deadline);
  return { timer, given };
}

describe('DeadlineTimer', () => {
  it('fires for each in turn, whatever the order they came in', () => {
    const start = performance.now();
    const { given } = timerOf([start + 500, start + 20, start + 300, start + 20]);
    vi.advanceTimersByTime(19);
    expect(given).toHaveLength(0);
    vi.advanceTimersByTime(1);
    expect(given.map(({ at }) => at - start)).toEqual([20, 20]);
    vi.advanceTimersByTime(480);
    expect(given.map(({ deadline }) => deadline - start)).toEqual([20, 20, 300, 500]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('waits beyond what one timer can count, and never for Infinity', () => {
    const start = performance.now();
    const far = start + 2 ** 32;
    const { given } = timerOf([far, Number.POSITIVE_INFINITY]);
    vi.advanceTimersByTime(2 ** 31);
    expect(given).toHaveLength(0);
    vi.advanceTimersByTime(2 ** 31);
    expect(given.map(({ deadline }) => deadline)).toEqual([far]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('sets one timer for any number, and none after stop()', () => {
    const start = performance.now();
    const { timer, given } = timerOf(Array.from({ length: 100 }, (_, index) => start + index + 50));
    expect(vi.getTimerCount()).toBe(1);
    timer.stop();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(1_000);
    expect(given).toHaveLength(0);
    timer.cover(performance.now() + 5);
    expect(vi.getTimerCount()).toBe(1);
  });
});
