/**
 * The whole host side, its store in its own thread: a fake guest in this thread, on the other end
 * of the real socket, memory and eventfds. The thread runs the built worker (`npm run build`).
 */
import { existsSync, fstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../lifetime.js';
import { closeFd, drainEventFd, PollSet, ringEventFd } from '../native/libc.js';
import { receiveFds, sendWithFds, socketPair } from '../native/sockets.js';
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

/** Another descriptor of the same file, as one who got it keeps it. */
function copyOf(fd: number): number {
  const [ours, theirs] = socketPair();
  sendWithFds(ours, new Uint8Array(1), [fd]);
  const [copy] = receiveFds(theirs, 1);
  closeFd(ours);
  closeFd(theirs);
  return lifetime.adopt(copy!, closeFd);
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
    for (const pages of [-1, Number.NaN, 1.5]) {
      await expect(server.setQuota(pages)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    }
  });
});

describe('TmemServer, when something ends', { timeout: 60_000 }, () => {
  it.each([{}, { shmDir: '/dev/shm' }])(
    'what a machine kept is dead: the next one has other memory, eventfds and store (%o)',
    async (options) => {
      const { server, events } = await serve(options);
      const first = await machine(server);
      const kept = [first.client.memoryFd, first.client.hostEventFd, ...first.client.vectorFds];
      const [memoryFd, doorbellFd, ...vectorFds] = kept.map((fd) => copyOf(fd));
      first.guest.attach();
      const pool = first.guest.newPool(PoolFlag.PERSIST);
      for (let index = 0; index < 50; index += 1) first.guest.put(pool, OID, index, pageOf(index));
      await server.refusePuts(true);
      const store = server.storePid;
      first.client[Symbol.dispose]();
      const second = await machine(server);
      expect(first.guest.peekHeader('host_state')).toBe(HostState.DOWN);
      expect(server.storePid).not.toBe(store);
      expect(fstatSync(second.client.memoryFd).ino).not.toBe(fstatSync(memoryFd!).ino);
      expect(second.client.peer).toBe(2);
      second.guest.attach();
      // What was asked of the store before goes on.
      expect(second.guest.put(0, OID, 1, pageOf(1))).toBe(-12);
      await server.refusePuts(false);
      expect(second.guest.newPool(PoolFlag.PERSIST)).toBe(0);
      expect(second.guest.get(0, OID, 1).result).toBe(0);
      // Who kept the memory writes and rings for itself.
      second.guest.put(0, OID, 1, pageOf(1));
      first.region.words.fill(-1);
      for (let times = 0; times < 100; times += 1) ringEventFd(doorbellFd!);
      expect(second.guest.get(0, OID, 1).page).toEqual(pageOf(1));
      const bells = new PollSet(vectorFds);
      for (const fd of vectorFds) drainEventFd(fd);
      second.guest.poke(second.guest.queueOffset(0, 'guest_sleep'), 1);
      second.guest.submit(0, { command: 0 });
      expect(bells.wait(0)).toBe(0);
      expect(await server.stats()).toMatchObject({ sessions: 2, puts: 51, faults: 0 });
      expect(events).toEqual([
        'QEMU connected as peer 1',
        'QEMU, peer 1, disconnected',
        'QEMU connected as peer 2',
      ]);
    },
  );

  it('waits for room for the next machine, and says so', async () => {
    const shmDir = join(folder, 'memory');
    mkdirSync(shmDir);
    const { server, events } = await serve({ shmDir });
    const first = await machine(server);
    rmSync(shmDir, { recursive: true });
    first.client[Symbol.dispose]();
    await until('it is said', () => events.some((line) => line.includes('no other machine')));
    mkdirSync(shmDir);
    const second = await machine(server);
    second.guest.attach();
    expect(second.guest.newPool(PoolFlag.PERSIST)).toBe(0);
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
