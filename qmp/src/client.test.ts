// The client against the fake server: routing, limits, framing faults, the order of things.

import { describe, expect, it } from 'vitest';
import { QmpClient } from './client.js';
import { FakeQmpServer, type FakeServerOptions, NO_REPLY } from './testing/index.js';

async function pair(options: FakeServerOptions = {}) {
  const server = await FakeQmpServer.start(options);
  const client = await QmpClient.connect(server.address);
  return {
    server,
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      await server.close();
    },
  };
}

describe('connecting', () => {
  it('negotiates oob where it is offered, over UNIX and TCP', async () => {
    for (const tcp of [false, true]) {
      await using both = await pair({ tcp });
      expect(both.client.oob).toBe(true);
      const [first] = both.server.connection.received;
      expect(first).toMatchObject({ command: 'qmp_capabilities', arguments: { enable: ['oob'] } });
      expect(both.client.greeting.version.qemu).toEqual({ major: 7, minor: 2, micro: 0 });
    }
  });

  it('asks for nothing that is not offered, or not wanted', async () => {
    await using both = await pair({ capabilities: [] });
    expect(both.client.oob).toBe(false);
    expect(both.server.connection.received[0]?.raw).not.toContain('arguments');
    await using plain = await QmpClient.connect(both.server.address, { oob: false });
    expect(plain.oob).toBe(false);
    await expect(plain.executeOob('query-yank')).rejects.toMatchObject({
      code: 'QMP_BAD_ARGUMENT',
    });
  });

  it('keeps events that came before the greeting and before negotiation ended', async () => {
    const line = (name: string) =>
      `{"event":"${name}","timestamp":{"seconds":1,"microseconds":2}}\r\n`;
    await using both = await pair({ beforeGreeting: line('RESET'), afterGreeting: line('STOP') });
    using late = both.client.listen();
    using all = both.client.listen(undefined, undefined, { replay: true });
    expect(late.waiting).toBe(0);
    expect(all.drain().map((event) => event.event)).toEqual(['RESET', 'STOP']);
  });
});

describe('commands', () => {
  it('routes replies by id, whatever their order', async () => {
    await using both = await pair({ capabilities: [] });
    both.server.on('echo', (_request, connection) => {
      const { received } = connection;
      if (received.length < 101) return NO_REPLY;
      for (const held of received.slice(1).reverse()) connection.reply(held, held.arguments);
      return NO_REPLY;
    });
    const numbers = Array.from({ length: 100 }, (_, index) => index);
    const replies = numbers.map((n) => both.client.executeUntyped('echo', { n }));
    expect(await Promise.all(replies)).toEqual(numbers.map((n) => ({ n })));
    expect(both.client.strayReplies).toBe(0);
  });

  it('loses and crosses none of 10,000 concurrent ones, with frames cut small', async () => {
    for (const capabilities of [[], ['oob']]) {
      await using both = await pair({ capabilities, pieceBytes: 61 });
      both.server.on('echo', async (request) => {
        // Some answers come a few turns late, so that replies overtake one another.
        const turns = (request.arguments.n as number) % 4;
        for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
        return request.arguments;
      });
      const numbers = Array.from({ length: 10_000 }, (_, index) => index);
      const calls = numbers.map((n) =>
        both.client.executeUntyped('echo', { n }, { timeoutMs: 60_000 }),
      );
      expect(await Promise.all(calls)).toEqual(numbers.map((n) => ({ n })));
      const most = both.server.connection.unansweredMax;
      if (capabilities.length > 0) expect(most).toBeLessThanOrEqual(8);
      else expect(most).toBeGreaterThan(8);
    }
  });

  it('gives no id to a command that is alone, and one to every other', async () => {
    await using server = await FakeQmpServer.start();
    server.on('echo', () => 'ok').on('block', () => NO_REPLY);
    const ids = () => server.connection.received.slice(1).map(({ id }) => id !== undefined);
    await using sparing = await QmpClient.connect(server.address);
    await sparing.executeUntyped('echo');
    await sparing.executeUntyped('echo');
    expect(ids()).toEqual([false, false]);
    await Promise.all([sparing.executeUntyped('echo'), sparing.executeUntyped('echo')]);
    expect(ids()).toEqual([false, false, false, true]);
    // One that was given up is still with the server: its late reply must find nobody else.
    const blocked = sparing.executeUntyped('block', {}, { timeoutMs: 20 });
    await expect(blocked).rejects.toMatchObject({ code: 'QMP_TIME_LIMIT' });
    const after = sparing.executeUntyped('echo');
    server.connection.reply({ id: undefined }, 'late');
    expect(await after).toBe('ok');
    expect(ids()).toEqual([false, false, false, true, false, true]);
    await sparing.close();
    await using always = await QmpClient.connect(server.address, { alwaysId: true });
    await always.executeUntyped('echo');
    expect(ids()).toEqual([true]);
  });

  it('keeps no more in flight than it is told', async () => {
    await using server = await FakeQmpServer.start();
    server.on('echo', async () => {
      await new Promise(setImmediate);
      return 'ok';
    });
    await using client = await QmpClient.connect(server.address, { inFlightLimit: 1 });
    await Promise.all(Array.from({ length: 20 }, () => client.executeUntyped('echo')));
    expect(server.connection.unansweredMax).toBe(1);
    const wrong = QmpClient.connect(server.address, { inFlightLimit: 0 });
    await expect(wrong).rejects.toMatchObject({ code: 'QMP_BAD_ARGUMENT' });
  });

  it('keeps eight in flight with oob, and lets exec-oob pass them', async () => {
    await using both = await pair();
    both.server.on('block', () => NO_REPLY).on('query-yank', () => []);
    const blocked = Array.from({ length: 20 }, () => both.client.executeUntyped('block'));
    expect(await both.client.executeOob('query-yank')).toEqual([]);
    const { connection } = both.server;
    const sent = connection.received.filter((request) => request.command === 'block');
    expect(sent.length).toBe(8);
    const oob = connection.received.find((request) => request.oob);
    expect(oob?.command).toBe('query-yank');
    for (const request of sent) connection.reply(request);
    await Promise.all(blocked.slice(0, 8));
    connection.disconnect();
    const rest = await Promise.allSettled(blocked.slice(8));
    expect(rest.every((result) => result.status === 'rejected')).toBe(true);
  });

  it('never writes a command that was given up while it waited its turn', async () => {
    await using both = await pair();
    both.server.on('block', () => NO_REPLY).on('after', () => 'ok');
    const blocked = Array.from({ length: 8 }, () => both.client.executeUntyped('block'));
    const abort = new AbortController();
    const given = both.client.executeUntyped('never', {}, { signal: abort.signal });
    const after = both.client.executeUntyped('after');
    abort.abort(new Error('changed my mind'));
    await expect(given).rejects.toMatchObject({ code: 'QMP_ABORTED' });
    // The eight are with the server once an out-of-band answer has come back.
    both.server.on('query-yank', () => []);
    await both.client.executeOob('query-yank');
    const { connection } = both.server;
    for (const request of connection.received.filter(({ command }) => command === 'block')) {
      connection.reply(request);
    }
    await Promise.all(blocked);
    expect(await after).toBe('ok');
    expect(connection.received.some(({ command }) => command === 'never')).toBe(false);
  });

  it('drops the late reply of a command that ran into its limit, and stays usable', async () => {
    await using both = await pair();
    both.server.on('slow', () => NO_REPLY).on('fast', () => 'ok');
    const slow = both.client.executeUntyped('slow', {}, { timeoutMs: 20 });
    await expect(slow).rejects.toMatchObject({ code: 'QMP_TIME_LIMIT', timeoutMs: 20 });
    const { connection } = both.server;
    connection.reply(connection.received.at(-1)!, 'too late');
    expect(await both.client.executeUntyped('fast')).toBe('ok');
    expect(both.client.strayReplies).toBe(0);
    connection.reply({ id: 4_711 }, 'nobody asked');
    connection.reply({ id: 'other' }, 'nobody asked');
    expect(await both.client.executeUntyped('fast')).toBe('ok');
    expect(both.client.strayReplies).toBe(2);
  });

  it('reads frames cut anywhere, several in one piece, and UTF-8 cut in two', async () => {
    await using both = await pair({ pieceBytes: 1 });
    both.server.on('echo', (request) => request.arguments);
    const args = { text: 'Grüße, 世界 \u{1F600}' };
    expect(await both.client.executeUntyped('echo', args)).toEqual(args);
    using listener = both.client.listenUntyped('A');
    both.server.emit('A', { n: 1 });
    both.server.emit('A', { n: 2 });
    expect((await listener.next()).data).toEqual({ n: 1 });
    expect((await listener.next()).data).toEqual({ n: 2 });
  });

  it('carries 64-bit integers both ways', async () => {
    await using server = await FakeQmpServer.start();
    await using client = await QmpClient.connect(server.address, { bigints: true });
    server.on('echo', (_, connection) => {
      connection.send('{"return": 18446744073709551615}\n');
      return NO_REPLY;
    });
    const size = 2n ** 63n;
    expect(await client.executeUntyped('echo', { size })).toBe(2n ** 64n - 1n);
    expect(server.connection.received.at(-1)?.raw).toContain('"size":9223372036854775808');
  });

  it('delivers an event that came before a reply before that reply', async () => {
    await using both = await pair();
    both.server.on('stop', (_, connection) => {
      connection.send('{"event":"STOP","timestamp":{"seconds":1,"microseconds":0}}\r\n');
      return {};
    });
    using stops = both.client.listen('STOP');
    await both.client.execute('stop');
    expect(stops.waiting).toBe(1);
  });
});
