// Every class of error is provoked, with its code and what it carries.

import { getEventListeners } from 'node:events';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';
import { QmpClient } from './client.js';
import * as errors from './errors.js';
import { FakeFailure, FakeQmpServer, type FakeServerOptions, NO_REPLY } from './testing/index.js';
import { parseAddress } from './transport.js';

async function rejection(promise: Promise<unknown>): Promise<errors.QmpError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(errors.QmpError);
  return error as errors.QmpError;
}

async function failedConnect(options: FakeServerOptions, timeoutMs = 5_000) {
  await using server = await FakeQmpServer.start(options);
  return await rejection(QmpClient.connect(server.address, { timeoutMs }));
}

describe('connect', () => {
  it('QMP_CONNECT: nobody listens', async () => {
    const nowhere = path.join(os.tmpdir(), 'no-such-folder', 'qmp.sock');
    const error = await rejection(QmpClient.connect({ path: nowhere }));
    expect(error).toMatchObject({ code: 'QMP_CONNECT', name: 'QmpConnectError' });
    expect(error.message).toContain(`unix:${nowhere}`);
    expect(error.cause).toMatchObject({ code: 'ENOENT' });
  });

  it('QMP_CONNECT: a socket that was closed before', async () => {
    const socket = new net.Socket();
    socket.destroy();
    expect((await rejection(QmpClient.connect({ socket }))).code).toBe('QMP_CONNECT');
  });

  it('QMP_ABORTED: the signal fired before and during', async () => {
    await using server = await FakeQmpServer.start({ greeting: null });
    const before = QmpClient.connect(server.address, { signal: AbortSignal.abort('no') });
    expect(await rejection(before)).toMatchObject({ code: 'QMP_ABORTED', cause: 'no' });
    const abort = new AbortController();
    const during = QmpClient.connect(server.address, { signal: abort.signal });
    setImmediate(() => abort.abort('enough'));
    expect(await rejection(during)).toMatchObject({ code: 'QMP_ABORTED', cause: 'enough' });
  });

  it('QMP_BAD_ARGUMENT: an address or a limit that is none', async () => {
    expect(() => parseAddress('tcp:nowhere')).toThrow(/no address/);
    expect(() => parseAddress('host:99999')).toThrow(/no TCP port/);
    const wrong = QmpClient.connect({ path: '/x' }, { timeoutMs: 0 });
    expect((await rejection(wrong)).code).toBe('QMP_BAD_ARGUMENT');
  });
});

describe('greeting and negotiation', () => {
  it('QMP_GREETING: silence, with the likely cause', async () => {
    const error = await failedConnect({ greeting: null }, 300);
    expect(error.code).toBe('QMP_GREETING');
    expect(error.message).toMatch(/one client at a time/);
    expect(error.cause).toMatchObject({ code: 'QMP_TIME_LIMIT' });
  });

  it('QMP_GREETING: another protocol, with the raw line', async () => {
    const error = await failedConnect({ greeting: 'SSH-2.0-OpenSSH_9.2\r\n' });
    expect(error).toMatchObject({ code: 'QMP_GREETING', raw: 'SSH-2.0-OpenSSH_9.2\r' });
    const shape = await failedConnect({ greeting: '{"QMP":{"version":7}}\n' });
    expect(shape).toMatchObject({ code: 'QMP_GREETING', raw: '{"QMP":{"version":7}}' });
  });

  it('QMP_GREETING: hung up on', async () => {
    await using server = await FakeQmpServer.start({ greeting: null });
    const connecting = QmpClient.connect(server.address);
    const hangUp = setInterval(() => server.connections[0]?.disconnect(), 1);
    const error = await rejection(connecting);
    clearInterval(hangUp);
    expect(error.code).toBe('QMP_GREETING');
    expect(error.cause).toMatchObject({ code: 'QMP_INTERRUPTED' });
  });

  it('QMP_NEGOTIATION: refused, not answered, hung up on', async () => {
    await using server = await FakeQmpServer.start();
    server.on('qmp_capabilities', () => {
      throw new FakeFailure('no', 'CommandNotFound');
    });
    const refused = await rejection(QmpClient.connect(server.address));
    expect(refused.code).toBe('QMP_NEGOTIATION');
    expect(refused.cause).toMatchObject({ code: 'QMP_COMMAND_FAILED' });
    server.on('qmp_capabilities', () => NO_REPLY);
    const silent = await rejection(QmpClient.connect(server.address, { timeoutMs: 500 }));
    expect(silent.code).toBe('QMP_NEGOTIATION');
    expect(silent.cause).toMatchObject({ code: 'QMP_TIME_LIMIT' });
    server.on('qmp_capabilities', (_, connection) => {
      connection.disconnect();
      return NO_REPLY;
    });
    const gone = await rejection(QmpClient.connect(server.address));
    expect(gone.code).toBe('QMP_NEGOTIATION');
    expect(gone.cause).toMatchObject({ code: 'QMP_INTERRUPTED' });
  });
});

describe('replies', () => {
  async function afterJunk(junk: string | Buffer, lineLimit?: number) {
    await using server = await FakeQmpServer.start();
    await using client = await QmpClient.connect(server.address, {
      alwaysId: true,
      ...(lineLimit && { lineLimit }),
    });
    server.on('cont', () => NO_REPLY);
    const call = rejection(client.execute('cont'));
    server.connection.send(junk);
    const error = await call;
    expect(client.closed).toBe(true);
    expect((await rejection(client.execute('stop'))).code).toBe('QMP_CLOSED');
    return error;
  }

  it('QMP_BAD_REPLY: no JSON, no message, no id, a second greeting', async () => {
    for (const junk of ['{"return": \n', '[]\n', '{"error":{}}\n', '{"event":"X"}\n', '7\n']) {
      const error = await afterJunk(junk);
      expect(error).toMatchObject({ code: 'QMP_INTERRUPTED', written: true });
      expect(error.cause).toMatchObject({
        code: 'QMP_BAD_REPLY',
        raw: junk.trimEnd() + (junk.startsWith('{"return') ? ' ' : ''),
      });
    }
    const noId = await afterJunk('{"error":{"class":"GenericError","desc":"bad JSON"}}\n');
    expect(noId.cause).toMatchObject({ code: 'QMP_BAD_REPLY' });
    expect(noId.message).toMatch(/bad JSON/);
    const again =
      '{"QMP":{"version":{"qemu":{"major":7,"minor":2,"micro":0}},"capabilities":[]}}\n';
    expect((await afterJunk(again)).cause).toMatchObject({ code: 'QMP_BAD_REPLY' });
  });

  it('QMP_BAD_REPLY: says what the parser minds, and what came', async () => {
    const { cause } = await afterJunk('{"return": [1,,2]}\n');
    const text =
      /^The server sent what is no JSON \(Unexpected token.*\): \{"return": \[1,,2\]\}\. /;
    expect(cause).toMatchObject({ message: expect.stringMatching(text) });
    expect(cause).toMatchObject({ cause: expect.any(SyntaxError) });
  });

  it('a time limit is told as a person would: what is left of it to the millisecond', () => {
    const told = (timeoutMs: number): string =>
      new errors.QmpTimeLimitError('waiting', timeoutMs).message;
    expect(told(9987.457814)).toBe('The limit of 9987 ms passed while waiting');
    expect(told(9999.7)).toBe('The limit of 10 s passed while waiting');
    expect(told(0.2)).toBe('The limit of 1 ms passed while waiting');
  });

  it('QMP_LINE_TOO_LONG: a line past the limit', async () => {
    const error = await afterJunk('x'.repeat(5_000), 4_096);
    expect(error.cause).toMatchObject({ code: 'QMP_LINE_TOO_LONG' });
    expect((error.cause as errors.QmpBadReplyError).raw).toBe('x'.repeat(256));
  });

  it('QMP_COMMAND_FAILED: class, description, what was sent', async () => {
    await using server = await FakeQmpServer.start();
    await using client = await QmpClient.connect(server.address);
    server.on('device_del', () => {
      throw new FakeFailure("Device 'x' not found", 'DeviceNotFound');
    });
    const error = await rejection(client.execute('device_del', { id: 'x' }));
    expect(error).toMatchObject({
      code: 'QMP_COMMAND_FAILED',
      errorClass: 'DeviceNotFound',
      description: "Device 'x' not found",
      sent: { command: 'device_del', arguments: { id: 'x' } },
    });
  });

  it('QMP_INTERRUPTED: hung up on in mid-command; written or not is told', async () => {
    await using server = await FakeQmpServer.start();
    await using client = await QmpClient.connect(server.address);
    server.on('block', () => NO_REPLY).on('query-yank', () => []);
    const calls = Array.from({ length: 9 }, () => rejection(client.executeUntyped('block')));
    await client.executeOob('query-yank');
    using events = client.listen();
    const waiting = rejection(events.next());
    server.connection.disconnect();
    const found = (await Promise.all(calls)) as errors.QmpInterruptedError[];
    expect(found.map((error) => error.code)).toEqual(Array(9).fill('QMP_INTERRUPTED'));
    expect(found.map((error) => error.written)).toEqual([...Array(8).fill(true), false]);
    expect(found[0]?.sent).toEqual({ command: 'block', arguments: undefined });
    expect((await waiting).code).toBe('QMP_INTERRUPTED');
  });

  it('QMP_INTERRUPTED, then QMP_CLOSED: closed on this side', async () => {
    await using server = await FakeQmpServer.start();
    const client = await QmpClient.connect(server.address);
    server.on('block', () => NO_REPLY);
    const call = rejection(client.executeUntyped('block'));
    const events = client.listen();
    const waiting = rejection(events.next());
    await client.close();
    await client.close();
    expect((await call).code).toBe('QMP_INTERRUPTED');
    expect((await waiting).code).toBe('QMP_CLOSED');
    expect((await rejection(client.execute('stop'))).code).toBe('QMP_CLOSED');
    expect((await rejection(client.listen('STOP').next())).code).toBe('QMP_CLOSED');
  });

  it('QMP_TIME_LIMIT, QMP_ABORTED, QMP_OVERLOADED, QMP_BAD_ARGUMENT on a call', async () => {
    await using server = await FakeQmpServer.start();
    await using client = await QmpClient.connect(server.address, { callLimit: 3 });
    server.on('block', () => NO_REPLY);
    const limited = await rejection(client.executeUntyped('block', {}, { timeoutMs: 5 }));
    expect(limited).toMatchObject({ code: 'QMP_TIME_LIMIT', sent: { command: 'block' } });
    const signal = AbortSignal.timeout(5);
    expect((await rejection(client.executeUntyped('block', {}, { signal }))).code).toBe(
      'QMP_ABORTED',
    );
    // The two above are still with the server, so one more fills the table.
    const third = rejection(client.executeUntyped('block'));
    expect((await rejection(client.executeUntyped('block'))).code).toBe('QMP_OVERLOADED');
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const wrong = await rejection(client.executeUntyped('block', circular));
    expect(wrong.code).toBe('QMP_BAD_ARGUMENT');
    await client.close();
    await third;
  });
});

describe('descriptors', () => {
  it('QMP_FD_PASSING: over TCP, or what is no descriptor', async () => {
    await using server = await FakeQmpServer.start({ tcp: true });
    await using client = await QmpClient.connect(server.address);
    server.on('getfd', () => ({})).on('stop', () => ({}));
    const overTcp = client.execute('getfd', { fdname: 'x' }, { fds: [0] });
    expect((await rejection(overTcp)).code).toBe('QMP_FD_PASSING');
    await using local = await FakeQmpServer.start();
    await using other = await QmpClient.connect(local.address);
    local.on('stop', () => ({}));
    const folder = fs.openSync('/', 'r');
    fs.closeSync(folder);
    for (const fds of [[-1], [0.5], [folder + 1_000], Array(17).fill(0)]) {
      const call = other.execute('getfd', { fdname: 'x' }, { fds });
      expect((await rejection(call)).code).toBe('QMP_FD_PASSING');
    }
    expect(local.connection.received.some(({ command }) => command === 'getfd')).toBe(false);
    await other.execute('stop');
  });
});

describe('order and leftovers', () => {
  it('lets nothing overtake a command whose descriptor is on its way', async () => {
    await using server = await FakeQmpServer.start();
    await using client = await QmpClient.connect(server.address);
    server.on('getfd', () => ({})).on('stop', () => ({}));
    const fd = fs.openSync('/dev/null', 'r');
    const getfd = client.execute('getfd', { fdname: 'x' }, { fds: [fd] });
    await Promise.all([getfd, client.execute('stop')]);
    fs.closeSync(fd);
    const order = server.connection.received.map(({ command }) => command);
    expect(order.slice(1)).toEqual(['getfd', 'stop']);
  });

  it('leaves no handler on a signal once a call or a wait is over', async () => {
    await using server = await FakeQmpServer.start();
    const { signal } = new AbortController();
    await using client = await QmpClient.connect(server.address, { signal });
    server.on('stop', () => ({}));
    await client.execute('stop', undefined, { signal });
    await rejection(client.executeUntyped('no-such', {}, { signal }));
    using stops = client.listen('STOP');
    const next = stops.next({ signal });
    server.emit('STOP');
    await next;
    await rejection(stops.next({ signal, timeoutMs: 5 }));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});

describe('the tree', () => {
  it('has one base, and codes that tell the classes apart', () => {
    const made = [
      new errors.QmpConnectError('x'),
      new errors.QmpGreetingError('x'),
      new errors.QmpNegotiationError('x'),
      new errors.QmpBadReplyError('x', 'raw'),
      new errors.QmpCommandError('GenericError', 'x', { command: 'c', arguments: undefined }),
      new errors.QmpInterruptedError('x'),
      new errors.QmpClosedError('x'),
      new errors.QmpTimeLimitError('x', 1),
      new errors.QmpAbortedError('x', 'why'),
      new errors.QmpOverloadedError('x'),
      new errors.QmpArgumentError('x'),
      new errors.QmpFdError('x'),
    ];
    expect(made.every((error) => error instanceof errors.QmpError)).toBe(true);
    expect(new Set(made.map((error) => error.code)).size).toBe(made.length);
    for (const error of made) expect(error.code).toMatch(/^QMP_[A-Z_]+$/);
  });
});
