/**
 * Who the ivshmem server serves, with plain sockets for QEMU; the bytes, with descriptors left
 * aside.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../lifetime.js';
import { closeFd, eventFd, memfdCreate } from '../native/libc.js';
import { listenIvshmem } from './ivshmem-server.js';
import type { SocketServer } from './socket-server.js';

const VECTORS = 2;
const GREETING_BYTES = 8 * (4 + VECTORS);

let lifetime: Lifetime;
let socketPath: string;
let events: string[];
/** What the caller does after a disconnect. */
let cleared: Promise<unknown>;
let server: SocketServer;

beforeEach(async () => {
  lifetime = new Lifetime();
  events = [];
  cleared = Promise.resolve();
  const folder = mkdtempSync(join(tmpdir(), 'tmem-ivshmem-'));
  lifetime.defer(() => rmSync(folder, { recursive: true, force: true }));
  socketPath = join(folder, 'socket');
  server = lifetime.use(
    await listenIvshmem({
      socketPath,
      memoryFd: lifetime.adopt(memfdCreate('test'), closeFd),
      hostEventFd: lifetime.adopt(eventFd(), closeFd),
      guestEventFds: Array.from({ length: VECTORS }, () => lifetime.adopt(eventFd(), closeFd)),
      onConnect: (peer) => events.push(`connect ${peer}`),
      onDisconnect: async (peer) => {
        events.push(`disconnect ${peer}`);
        await cleared;
      },
      onRefused: (reason) => events.push(`refused: ${reason}`),
    }),
  );
});
afterEach(() => lifetime[Symbol.asyncDispose]());

/** Connects, and gives the numbers of the greeting; those of a client refused are [-1]. */
function greeted(): { socket: Socket; numbers: Promise<number[]> } {
  const socket = lifetime.adopt(connect(socketPath), (each) => each.destroy());
  const numbers = new Promise<number[]>((resolve) => {
    let bytes = Buffer.alloc(0);
    const done = (): void => {
      resolve([...new BigInt64Array(new Uint8Array(bytes).buffer)].map(Number));
    };
    socket.on('error', done);
    socket.on('close', done);
    socket.on('data', (more) => {
      bytes = Buffer.concat([bytes, more]);
      if (bytes.length === GREETING_BYTES) done();
    });
  });
  return { socket, numbers };
}

describe('listenIvshmem', () => {
  it('greets in the order of the specification: version, id, memory, host, own vectors', async () => {
    expect(await greeted().numbers).toEqual([0, 1, -1, 0, 1, 1]);
    expect(events).toEqual(['connect 1']);
  });

  it('refuses a second client by a version that does not exist', async () => {
    await greeted().numbers;
    expect(await greeted().numbers).toEqual([-1]);
    expect(events).toEqual(['connect 1', 'refused: another QEMU is connected; one guest a socket']);
  });

  it('serves one that comes in the moment in which the other goes', async () => {
    for (let round = 1; round <= 20; round += 1) {
      const first = greeted();
      expect((await first.numbers)[1]).toBe(2 * round - 1);
      first.socket.destroy();
      const second = greeted();
      expect((await second.numbers)[1]).toBe(2 * round);
      second.socket.destroy();
    }
    expect(events.filter((event) => event.startsWith('refused'))).toEqual([]);
  });

  it('lets the next one wait until the caller is through with the last', async () => {
    let clear: () => void = () => {};
    cleared = new Promise<void>((resolve) => {
      clear = resolve;
    });
    const first = greeted();
    await first.numbers;
    first.socket.destroy();
    const second = greeted();
    second.numbers.then(() => events.push('greeted'));
    for (let turn = 0; turn < 50; turn += 1) await new Promise((then) => setImmediate(then));
    expect(events).toEqual(['connect 1', 'disconnect 1']);
    clear();
    expect((await second.numbers)[1]).toBe(2);
  });

  it('serves no one else when something of the last may be left', async () => {
    cleared = Promise.reject(new Error('no'));
    cleared.catch(() => {});
    const first = greeted();
    await first.numbers;
    first.socket.destroy();
    while (!events.includes('disconnect 1')) await new Promise((then) => setImmediate(then));
    expect(await greeted().numbers).toEqual([-1]);
    expect(events.at(-1)).toContain('could not be cleared');
  });

  it('gives no id twice', async () => {
    const ids = new Set<number>();
    for (let client = 0; client < 5; client += 1) {
      const { socket, numbers } = greeted();
      ids.add((await numbers)[1]!);
      socket.destroy();
    }
    expect([...ids]).toEqual([1, 2, 3, 4, 5]);
  });

  it('takes its client along when it ends, and does not call that a disconnect', async () => {
    const { socket, numbers } = greeted();
    await numbers;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await server[Symbol.asyncDispose]();
    await closed;
    expect(events).toEqual(['connect 1']);
  });
});
