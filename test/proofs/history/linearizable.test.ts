/**
 * The judge itself: histories that can be explained, and such as cannot.
 */
import { describe, expect, it } from 'vitest';
import { Random } from '../random.js';
import { KEPT, KeyHistory, NOTHING, REFUSED } from './linearizable.js';

function whole(key: KeyHistory, kind: 'put' | 'get' | 'flush', value: number, result: number) {
  return key.end(key.begin(kind, value), result);
}

describe('one after the other', () => {
  it('a get sees the last put, until a flush', () => {
    const key = new KeyHistory();
    expect(whole(key, 'get', 0, NOTHING)).toBe(true);
    expect(whole(key, 'put', 5, KEPT)).toBe(true);
    expect(whole(key, 'get', 0, 5)).toBe(true);
    expect(whole(key, 'get', 0, 5)).toBe(true);
    expect(whole(key, 'flush', 0, NOTHING)).toBe(true);
    expect(whole(key, 'get', 0, NOTHING)).toBe(true);
  });

  it.each([
    ['an older page', 4],
    ['none', NOTHING],
    ['one of nobody', 9],
  ])('a get of %s is wrong', (_, result) => {
    const key = new KeyHistory();
    whole(key, 'put', 4, KEPT);
    whole(key, 'put', 5, KEPT);
    expect(whole(key, 'get', 0, result)).toBe(false);
  });

  it('a put that was refused leaves no page', () => {
    const key = new KeyHistory();
    whole(key, 'put', 4, KEPT);
    expect(whole(key, 'put', 5, REFUSED)).toBe(true);
    expect(whole(key, 'get', 0, 4)).toBe(false);
  });

  it('of an ephemeral page a get takes it, and it may vanish', () => {
    const key = new KeyHistory({ ephemeral: true });
    whole(key, 'put', 4, KEPT);
    expect(whole(key, 'get', 0, 4)).toBe(true);
    expect(whole(key, 'get', 0, NOTHING)).toBe(true);
    whole(key, 'put', 5, KEPT);
    expect(whole(key, 'get', 0, NOTHING)).toBe(true);
    expect(whole(key, 'get', 0, 5)).toBe(false);
  });
});

describe('at once', () => {
  it('a get beside a put may see either page', () => {
    for (const seen of [4, 5]) {
      const key = new KeyHistory();
      whole(key, 'put', 4, KEPT);
      const put = key.begin('put', 5);
      const get = key.begin('get');
      expect(key.end(get, seen)).toBe(true);
      expect(key.end(put, KEPT)).toBe(true);
      expect(whole(key, 'get', 0, 5)).toBe(true);
    }
  });

  it('two gets one after the other beside a put may not go back', () => {
    const key = new KeyHistory();
    whole(key, 'put', 4, KEPT);
    const put = key.begin('put', 5);
    key.end(key.begin('get'), 5);
    key.end(key.begin('get'), 4);
    expect(key.end(put, KEPT)).toBe(false);
  });

  it('a put that was given up may happen late, but once', () => {
    const key = new KeyHistory();
    key.abandon(key.begin('put', 5));
    expect(whole(key, 'get', 0, NOTHING)).toBe(true);
    expect(whole(key, 'put', 6, KEPT)).toBe(true);
    expect(whole(key, 'get', 0, 5)).toBe(true);
    expect(whole(key, 'put', 7, KEPT)).toBe(true);
    expect(whole(key, 'get', 0, 5)).toBe(false);
  });

  it('a put that is over, nobody knows how, has happened or left no page', () => {
    for (const seen of [5, NOTHING, 4]) {
      const key = new KeyHistory();
      whole(key, 'put', 4, KEPT);
      expect(key.end(key.begin('put', 5), undefined)).toBe(true);
      expect(whole(key, 'get', 0, seen)).toBe(seen !== 4);
    }
  });

  it('what was never asked for does not happen', () => {
    const key = new KeyHistory();
    whole(key, 'put', 4, KEPT);
    const put = key.begin('put', 5);
    expect(whole(key, 'get', 0, 4)).toBe(true);
    expect(key.cancel(put)).toBe(true);
    expect(whole(key, 'get', 0, 4)).toBe(true);
    expect(whole(key, 'get', 0, 5)).toBe(false);
  });

  it('says how many it has room for', () => {
    const key = new KeyHistory();
    const open = key.begin('get');
    while (key.room > 0) whole(key, 'flush', 0, NOTHING);
    expect(() => key.begin('get')).toThrow(/at once/);
    expect(key.end(open, NOTHING)).toBe(true);
    expect(key.room).toBe(16);
  });

  it('what is of another life cannot be seen', () => {
    const key = new KeyHistory();
    whole(key, 'put', 4, KEPT);
    key.begin('put', 5);
    key.forget();
    expect(whole(key, 'get', 0, 5)).toBe(false);
  });

  /** A key on which operations happen at a random instant between begin and end. */
  function randomHistory(random: Random, lie: boolean): boolean {
    const key = new KeyHistory();
    let held = NOTHING;
    let good = true;
    for (let round = 0; round < 6; round += 1) {
      const open = Array.from({ length: 1 + random.below(4) }, (_, at) => {
        const kind = random.pick(['put', 'get', 'flush'] as const);
        return { kind, operation: key.begin(kind, round * 10 + at + 1), result: NOTHING };
      });
      for (const one of open) {
        if (one.kind === 'get') one.result = held;
        else if (one.kind === 'flush') held = NOTHING;
        else {
          one.result = random.oneIn(4) ? REFUSED : KEPT;
          held = one.result === KEPT ? one.operation.value : NOTHING;
        }
      }
      for (const { operation, result } of open.sort(() => random.below(3) - 1)) {
        good = key.end(operation, result) && good;
      }
    }
    const last = key.end(key.begin('get'), lie ? 999 : held);
    return good && last;
  }

  it('whatever really happened is explained, and a page of nobody never', () => {
    const random = new Random(1);
    for (let run = 0; run < 300; run += 1) {
      expect(randomHistory(random, false)).toBe(true);
      expect(randomHistory(random, true)).toBe(false);
    }
  });
});
