// What must hold for every server, however it cuts, orders, or garbles: each call gets its own
// answer or an error with a code, in bounded time, and events keep their order.

import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { QmpClient } from './client.js';
import { QmpError } from './errors.js';
import { eventLine, FakeQmpServer, type FakeRequest, NO_REPLY } from './testing/index.js';

vi.setConfig({ testTimeout: 60_000 });

describe('any server', () => {
  it('may answer in any order, in any pieces, with events between', async () => {
    const script = fc.record({
      // Which of the held commands is answered next, and whether an event goes before it.
      picks: fc.array(fc.record({ pick: fc.nat(), event: fc.boolean() }), {
        minLength: 1,
        maxLength: 30,
      }),
      pieceBytes: fc.integer({ min: 1, max: 80 }),
      oob: fc.boolean(),
    });
    const property = fc.asyncProperty(script, async ({ picks, pieceBytes, oob }) => {
      await using server = await FakeQmpServer.start({ pieceBytes });
      await using client = await QmpClient.connect(server.address, { oob });
      using events = client.listenUntyped('TICK');
      const held: FakeRequest[] = [];
      const plan = [...picks];
      let ticks = 0;
      const answerOne = (): void => {
        const { pick, event } = plan.shift()!;
        const [request] = held.splice(pick % held.length, 1);
        if (event) {
          server.emit('TICK', { n: ticks });
          ticks += 1;
        }
        server.connection.reply(request!, request!.arguments);
      };
      // As many are held as can be: eight with oob, else all.
      const window = oob ? 8 : picks.length;
      server.on('echo', (request) => {
        held.push(request);
        if (held.length >= Math.min(window, plan.length)) answerOne();
        return NO_REPLY;
      });
      const calls = picks.map((_, n) => client.executeUntyped('echo', { n }));
      while (plan.length > 0) {
        if (held.length >= Math.min(window, plan.length)) answerOne();
        await new Promise(setImmediate);
      }
      expect(await Promise.all(calls)).toEqual(picks.map((_, n) => ({ n })));
      expect(events.drain().map((event) => (event.data as { n: number }).n)).toEqual(
        Array.from({ length: ticks }, (_, n) => n),
      );
      expect(client.strayReplies).toBe(0);
    });
    await fc.assert(property, { numRuns: 60 });
  });

  it('may send any junk: calls and listeners end with a code', async () => {
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.constantFrom(
        '{"return":1}',
        '{"return":1,"id":"x"}',
        '{"return":{},"id":{"id":1}}',
        '{"error":null}',
        '{"error":{"class":"GenericError","desc":"x"}}',
        '{"QMP":null}',
        '{"event":"X","timestamp":null}',
        '{"event":1}',
        '{"__proto__":{"return":1}}',
        eventLine('STOP').trim(),
      ),
    );
    const junk = fc.array(
      fc.oneof(
        text.map((line) => Buffer.from(`${line}\n`)),
        fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
      ),
      { maxLength: 8 },
    );
    const property = fc.asyncProperty(junk, fc.boolean(), async (pieces, alwaysId) => {
      await using server = await FakeQmpServer.start();
      await using client = await QmpClient.connect(server.address, { alwaysId });
      server.on('stop', () => NO_REPLY);
      const calls = [client.execute('stop'), client.execute('stop')];
      using events = client.listen('SHUTDOWN');
      const waits = [...calls, events.next()];
      const settled = Promise.allSettled(waits);
      for (const piece of pieces) server.connection.send(piece);
      await new Promise(setImmediate);
      server.connection.disconnect();
      for (const result of await settled) {
        // One piece may happen to be a reply to the call without an id.
        if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(QmpError);
      }
      expect(client.closed).toBe(true);
    });
    await fc.assert(property, { numRuns: 150 });
  });
});
