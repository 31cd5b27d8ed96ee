// Listeners: each with its own queue and history, none missing an event, all of them bounded.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { QmpInterruptedError } from './errors.js';
import { EventHub } from './events.js';
import type { QmpEventMessage } from './messages.js';

function event(name: string, data: unknown = {}): QmpEventMessage {
  return { event: name, data, timestamp: { seconds: 1, microseconds: 0 } };
}

describe('QmpListener', () => {
  it('gives every listener its own copy of the queue, filtered by name and predicate', async () => {
    const hub = new EventHub();
    using stops = hub.open(['STOP', 'RESUME'], undefined, {});
    using odd = hub.open(undefined, (found) => (found.data as { n: number }).n % 2 === 1, {});
    using later = hub.open(['STOP'], undefined, {});
    for (const [index, name] of ['STOP', 'RESET', 'RESUME', 'STOP'].entries()) {
      hub.publish(event(name, { n: index }), 0);
    }
    const numbers = (list: readonly QmpEventMessage[]) =>
      list.map((found) => (found.data as { n: number }).n);
    expect(numbers(stops.drain())).toEqual([0, 2, 3]);
    expect(numbers(odd.drain())).toEqual([1, 3]);
    expect((await later.next()).data).toEqual({ n: 0 });
    expect(numbers(later.history)).toEqual([0, 3]);
    expect(later.waiting).toBe(1);
  });

  it('misses nothing and changes no order, however takes and events mix', async () => {
    const steps = fc.array(fc.constantFrom('publish', 'take', 'give up'), { maxLength: 60 });
    const property = fc.asyncProperty(steps, async (list) => {
      const hub = new EventHub();
      using listener = hub.open(undefined, undefined, {});
      const taken: Promise<unknown>[] = [];
      let published = 0;
      for (const step of list) {
        if (step === 'publish') {
          hub.publish(event('E', published), 0);
          published += 1;
        } else if (step === 'take') {
          taken.push(listener.next().then((found) => found.data));
        } else {
          // Given up in the same turn as the next event may come: it must not swallow that one.
          const abort = new AbortController();
          const { signal } = abort;
          const gone = listener.next({ signal });
          if (listener.waiting === 0) abort.abort();
          taken.push(gone.then((found) => found.data).catch(() => undefined));
        }
      }
      while (published < taken.length) {
        hub.publish(event('E', published), 0);
        published += 1;
      }
      const got = (await Promise.all(taken)).filter((value) => value !== undefined);
      const rest = listener.drain().map((found) => found.data);
      const all = Array.from({ length: published }, (_, index) => index);
      expect([...got, ...rest]).toEqual(all);
    });
    await fc.assert(property, { numRuns: 300 });
  });

  it('iterates until it is closed here, and throws when the connection is lost', async () => {
    const hub = new EventHub();
    const closed = hub.open(undefined, undefined, {});
    const lost = hub.open(undefined, undefined, {});
    hub.publish(event('A'), 0);
    hub.publish(event('B'), 0);
    const names: string[] = [];
    for await (const found of closed) {
      names.push(found.event);
      if (names.length === 2) closed.close();
    }
    expect(names).toEqual(['A', 'B']);
    hub.finish(new QmpInterruptedError('gone'));
    const before: string[] = [];
    const iterate = async () => {
      for await (const found of lost) before.push(found.event);
    };
    await expect(iterate()).rejects.toMatchObject({ code: 'QMP_INTERRUPTED' });
    // What had come was handed out first.
    expect(before).toEqual(['A', 'B']);
    expect(hub.listenerCount).toBe(0);
  });

  it('stops at its end of scope', () => {
    const hub = new EventHub();
    {
      using _scoped = hub.open(undefined, undefined, {});
      expect(hub.listenerCount).toBe(1);
    }
    expect(hub.listenerCount).toBe(0);
  });

  it('is bounded: a full queue fails aloud, the history forgets the oldest', async () => {
    const hub = new EventHub();
    const full = hub.open(undefined, undefined, { queueLimit: 3 });
    const short = hub.open(undefined, undefined, { historyLimit: 2 });
    for (let n = 0; n < 5; n += 1) hub.publish(event('E', n), 0);
    expect(full.drain().map((found) => found.data)).toEqual([0, 1, 2]);
    await expect(full.next()).rejects.toMatchObject({ code: 'QMP_OVERLOADED' });
    expect(short.history.map((found) => found.data)).toEqual([3, 4]);
    expect(short.waiting).toBe(5);
  });

  it('is bounded in bytes too, for one listener and for those to come', async () => {
    const hub = new EventHub();
    const queued = hub.open(undefined, undefined, { queueBytes: 30 });
    const short = hub.open(undefined, undefined, { historyBytes: 25 });
    for (let n = 0; n < 5; n += 1) hub.publish(event('E', n), 10);
    expect(queued.drain().map((found) => found.data)).toEqual([0, 1, 2]);
    await expect(queued.next()).rejects.toMatchObject({
      code: 'QMP_OVERLOADED',
      message: expect.stringContaining('3 untaken events of 30 bytes'),
    });
    expect(short.history.map((found) => found.data)).toEqual([3, 4]);
    // Larger than all that is remembered: taken, and forgotten with what came before.
    hub.publish(event('E', 5), 2 ** 21);
    expect(short.history).toEqual([]);
    hub.publish(event('E', 6), 10);
    using late = hub.open(undefined, undefined, { replay: true });
    expect(late.drain().map((found) => found.data)).toEqual([6]);
    // Room is counted anew once events were taken.
    using taking = hub.open(undefined, undefined, { queueBytes: 10 });
    for (let n = 0; n < 5; n += 1) {
      hub.publish(event('E', n), 10);
      expect((await taking.next()).data).toBe(n);
    }
  });

  it('remembers what it would without bounds, cut off at them', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 });
    const limits = fc.record({
      historyLimit: fc.integer({ min: 1, max: 20 }),
      historyBytes: fc.integer({ min: 1, max: 100 }),
    });
    const property = fc.property(sizes, limits, (list, { historyLimit, historyBytes }) => {
      const hub = new EventHub();
      using listener = hub.open(undefined, undefined, { historyLimit, historyBytes });
      for (const [n, bytes] of list.entries()) hub.publish(event('E', n), bytes);
      let first = Math.max(0, list.length - historyLimit);
      const total = (from: number): number => list.slice(from).reduce((sum, one) => sum + one, 0);
      while (total(first) > historyBytes) first += 1;
      expect(listener.history.map((found) => found.data)).toEqual(
        list.map((_, n) => n).slice(first),
      );
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('fails alone when its predicate throws', async () => {
    const hub = new EventHub();
    const broken = hub.open(
      undefined,
      () => {
        throw new Error('broken');
      },
      {},
    );
    using fine = hub.open(undefined, undefined, {});
    hub.publish(event('A'), 0);
    await expect(broken.next()).rejects.toMatchObject({ code: 'QMP_PREDICATE' });
    expect(fine.waiting).toBe(1);
  });

  it('has a time limit and a signal', async () => {
    const hub = new EventHub();
    using listener = hub.open(['STOP'], undefined, {});
    await expect(listener.next({ timeoutMs: 5 })).rejects.toMatchObject({
      code: 'QMP_TIME_LIMIT',
      message: 'The limit of 5 ms passed while waiting for STOP',
    });
    const signal = AbortSignal.abort('no');
    await expect(listener.next({ signal })).rejects.toMatchObject({ code: 'QMP_ABORTED' });
    hub.publish(event('STOP'), 0);
    expect(listener.waiting).toBe(1);
  });
});
