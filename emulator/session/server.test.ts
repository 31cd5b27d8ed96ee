/**
 * The whole host side, its store in its own thread: a fake guest in this thread, on the other end
 * of the real socket, memory and eventfds. The thread runs the built worker (`npm run build`).
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../lifetime.js';
import { drainEventFd, PollSet, ringEventFd } from '../native/libc.js';
import { HostState, PAGE_BYTES, PoolFlag } from '../protocol/layout.js';
import { objectId } from '../store/client.js';
import { FakeGuest, IvshmemClient } from '../testing/index.js';
import { SharedRegion } from '../transport/region.js';
import { TmemServer, type TmemServerOptions } from './server.js';

const REGION_BYTES = 4 * 2 ** 20;
const WAIT_MS_MAX = 20_000;
const OID = objectId(1, 2);

let lifetime: Lifetime;
let folder: string;
beforeEach(() => {
  lifetime = new Lifetime();
  folder = mkdtempSync(join(tmpdir(), 'tmem-server-'));
  lifetime.defer(() => rmSync(folder, { recursive: true, force: true }));
});
afterEach(() => lifetime[Symbol.asyncDispose]());

async function serve(options: Partial<TmemServerOptions> = {}) {
  const events: string[] = [];
  const server = lifetime.use(
    await TmemServer.start({
      socketPath: join(folder, 'socket'),
      regionBytes: REGION_BYTES,
      queueCount: 2,
      queueEntries: 16,
      onEvent: (line) => events.push(line),
      ...options,
    }),
  );
  return { server, events };
}

/** A machine that connects, and the guest in it. */
async function machine(server: TmemServer) {
  const client = lifetime.use(await IvshmemClient.connect(server.socketPath, server.vectors));
  const region = lifetime.use(SharedRegion.map(client.memoryFd, REGION_BYTES));
  const guest = new FakeGuest({
    region,
    peer: client.peer,
    ring: () => ringEventFd(client.hostEventFd),
    replyMsMax: WAIT_MS_MAX,
  });
  return { client, region, guest };
}

/** Lets the main thread turn until `done`, within a bound. */
async function until(what: string, done: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!done()) {
    if (performance.now() > deadline) throw new Error(`waited too long until ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function pageOf(seed: number): Uint8Array {
  return new Uint8Array(PAGE_BYTES).map((_, at) => at * 31 + seed);
}

describe('TmemServer', { timeout: 60_000 }, () => {
  it('keeps the pages of a guest in another thread, through sleeps on either side', async () => {
    const { server, events } = await serve({ spinMicros: 0 });
    const { guest } = await machine(server);
    guest.attach();
    const pool = guest.newPool(PoolFlag.PERSIST);
    for (let index = 0; index < 300; index += 1) {
      expect(guest.put(pool, OID, index, pageOf(index))).toBe(1);
    }
    for (let index = 0; index < 300; index += 1) {
      expect(guest.get(pool, OID, index).page).toEqual(pageOf(index));
    }
    for (let index = 0; index < 300; index += 2) expect(guest.flushPage(pool, OID, index)).toBe(1);
    const stats = await server.stats();
    expect(stats).toMatchObject({
      sessions: 1,
      puts: 300,
      gets: 300,
      flushes: 150,
      pagesUsed: 150,
    });
    expect(stats.pools).toMatchObject([{ id: 0, persistent: true, pages: 150 }]);
    expect(stats.attached).toBe(true);
    expect(events).toEqual(['QEMU connected as peer 1']);
  });

  it('rings the vector of a queue whose guest sleeps', async () => {
    const { server } = await serve();
    const { guest, client } = await machine(server);
    guest.attach();
    guest.newPool(PoolFlag.PERSIST);
    for (const queue of [0, 1]) {
      const poll = new PollSet([client.vectorFds[queue]!]);
      expect(poll.wait(0)).toBe(0);
      guest.poke(guest.queueOffset(queue, 'guest_sleep'), 1);
      guest.submit(queue, { command: 0 });
      expect(poll.wait(WAIT_MS_MAX * 1000)).toBe(1);
      drainEventFd(client.vectorFds[queue]!);
    }
  });

  it('bounds the pages by a quota that may be changed, and refuses while it is told to', async () => {
    const { server } = await serve({ quotaPages: 10 });
    const { guest } = await machine(server);
    guest.attach();
    const pool = guest.newPool(PoolFlag.PERSIST);
    const results = Array.from({ length: 12 }, (_, at) => guest.put(pool, OID, at, pageOf(at)));
    expect(results).toEqual([...new Array(10).fill(1), -12, -12]);
    await server.setQuota(20);
    await until('credits came', () => guest.credits > 0);
    expect(guest.put(pool, OID, 12, pageOf(12))).toBe(1);
    await server.refusePuts(true);
    expect(guest.put(pool, OID, 13, pageOf(13))).toBe(-12);
    await server.refusePuts(false);
    expect(guest.put(pool, OID, 13, pageOf(13))).toBe(1);
    await expect(server.setQuota(-1)).rejects.toThrow(RangeError);
  });
});

describe('TmemServer, when something ends', { timeout: 60_000 }, () => {
  it('forgets a machine that disconnects; the next one finds nothing of it', async () => {
    const { server, events } = await serve();
    const first = await machine(server);
    first.guest.attach();
    const pool = first.guest.newPool(PoolFlag.PERSIST);
    for (let index = 0; index < 50; index += 1) first.guest.put(pool, OID, index, pageOf(index));
    const life = first.guest.peekHeader('host_epoch');
    first.client[Symbol.dispose]();
    await until('the host has a new life', () => {
      return (
        first.guest.peekHeader('host_epoch') !== life && first.guest.peekHeader('magic_lo') !== 0
      );
    });
    expect(new Uint8Array(first.region.memory, PAGE_BYTES).every((byte) => byte === 0)).toBe(true);
    const second = await machine(server);
    expect(second.client.peer).toBe(2);
    second.guest.attach();
    expect(second.guest.newPool(PoolFlag.PERSIST)).toBe(0);
    expect(second.guest.get(0, OID, 1).result).toBe(0);
    expect(events[1]).toBe('QEMU, peer 1, disconnected');
  });

  it('says which rule a guest broke, and serves the next machine', async () => {
    const { server, events } = await serve();
    const { guest, client } = await machine(server);
    guest.attach();
    guest.post(0, { command: 4, slot: 0x7fff_ffff });
    await until('the fault was reported', () => events.length === 2);
    expect(events[1]).toContain('FAULT_SLOT');
    expect((await server.stats()).attached).toBe(false);
    client[Symbol.dispose]();
    await until('the host is READY', () => guest.peekHeader('host_state') === HostState.READY);
    const next = await machine(server);
    next.guest.attach();
    expect(next.guest.newPool(0)).toBe(0);
  });

  it('leaves no file when it stops, and still tells the last numbers', async () => {
    const { server } = await serve({ shmDir: folder });
    const { guest } = await machine(server);
    guest.attach();
    guest.newPool(0);
    await server[Symbol.asyncDispose]();
    expect(readdirSync(folder)).toEqual([]);
    expect(existsSync(server.socketPath)).toBe(false);
    expect((await server.stats()).poolsMade).toBe(1);
    await expect(server.setQuota(1)).rejects.toMatchObject({ code: 'STORE_GONE' });
  });

  it.each([
    [{ regionBytes: 3 }, 'GEOMETRY_INVALID'],
    [{ queueCount: 3 }, 'GEOMETRY_INVALID'],
    [{ policy: 'sometimes' }, 'POLICY_UNKNOWN'],
    [{ shmDir: '/nonexistent' }, 'SHM_UNUSABLE'],
    [{ socketPath: `/tmp/${'x'.repeat(120)}` }, 'SOCKET_PATH_TOO_LONG'],
  ])('%o does not start: %s, and nothing is left', async (options, code) => {
    const handles = () => process.getActiveResourcesInfo().filter((kind) => kind === 'MessagePort');
    const before = handles().length;
    await expect(
      TmemServer.start({ socketPath: join(folder, 's'), ...options }),
    ).rejects.toMatchObject({ code });
    expect(readdirSync(folder)).toEqual([]);
    expect(handles()).toHaveLength(before);
  });
});
