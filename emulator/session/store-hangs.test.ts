/**
 * Stores that hang, are asked what they cannot do, or whose memory the machine spoils: what they
 * hold goes on, and nobody but the machine itself is harmed. The children run what is built
 * (`npm run build`).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../lifetime.js';
import { closeFd, drainEventFd, eventFd, PollSet, ringEventFd, truncate } from '../native/libc.js';
import { PAGE_BYTES, PoolFlag } from '../protocol/layout.js';
import { objectId } from '../store/client.js';
import { FakeGuest, IvshmemClient, spoilEventFd } from '../testing/index.js';
import { SharedRegion } from '../transport/region.js';
import { TmemServer, type TmemServerOptions } from './server.js';

const REGION_BYTES = 2 ** 20;
const WAIT_MS_MAX = 30_000;
const OID = objectId(1);

let lifetime: Lifetime;
let folder: string;
beforeEach(() => {
  lifetime = new Lifetime();
  folder = mkdtempSync(join(tmpdir(), 'tmem-hang-'));
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

async function machine(server: TmemServer) {
  const client = lifetime.use(await IvshmemClient.connect(server.socketPath, server.vectors));
  const region = lifetime.use(SharedRegion.map(client.memoryFd, REGION_BYTES));
  const ring = (): void => ringEventFd(client.hostEventFd);
  const guest = new FakeGuest({ region, peer: client.peer, ring, replyMsMax: WAIT_MS_MAX });
  guest.attach();
  return { client, region, guest };
}

async function until(what: string, done: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!done()) {
    if (performance.now() > deadline) throw new Error(`waited too long until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const page = (seed: number): Uint8Array => new Uint8Array(PAGE_BYTES).fill(seed);

describe('a store that hangs', { timeout: 90_000 }, () => {
  it('because it is stopped is killed, and the next one has its pages', async () => {
    const { server, events } = await serve({ hangMs: 300 });
    const { guest } = await machine(server);
    const pool = guest.newPool(PoolFlag.PERSIST);
    for (let index = 0; index < 20; index += 1) guest.put(pool, OID, index, page(index));
    const pids = server.storePids;
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    await until('another serves', () => events.some((line) => line.includes('took over')));
    expect(events).toContain('the store hangs (it is stopped) and is killed');
    expect(pids).not.toContain(server.storePid);
    for (let index = 0; index < 20; index += 1) {
      expect(guest.get(pool, OID, index).page).toEqual(page(index));
    }
    expect(await server.stats()).toMatchObject({ takeovers: 1, pagesUsed: 20 });
  });

  it('is not one that has nothing to do', async () => {
    const { server, events } = await serve({ hangMs: 300 });
    await machine(server);
    const pid = server.storePid;
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(server.storePid).toBe(pid);
    expect(events).toHaveLength(1);
  });

  it('is left alone where that is asked for', async () => {
    const { server, events } = await serve({ hangMs: 0 });
    await machine(server);
    const pid = server.storePid!;
    process.kill(pid, 'SIGSTOP');
    const answer = server.stats();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(events).toHaveLength(1);
    process.kill(pid, 'SIGCONT');
    expect(await answer).toMatchObject({ takeovers: 0 });
  });
});

describe('eventfds that a machine has made to block', { timeout: 90_000 }, () => {
  it('keep neither a ring nor a drain waiting', () => {
    const fd = lifetime.adopt(eventFd(), closeFd);
    spoilEventFd(fd);
    ringEventFd(fd);
    drainEventFd(fd);
    drainEventFd(fd);
    expect(new PollSet([fd]).wait(0)).toBe(0);
  });

  it('hold no store up: it serves on', async () => {
    const { server, events } = await serve();
    const { guest, client } = await machine(server);
    const pool = guest.newPool(PoolFlag.PERSIST);
    for (const fd of [client.hostEventFd, ...client.vectorFds]) {
      spoilEventFd(fd);
    }
    for (let index = 0; index < 50; index += 1) {
      for (const queue of [0, 1]) {
        guest.poke(guest.queueOffset(queue, 'guest_sleep'), 2 * index + 1);
      }
      expect(guest.put(pool, OID, index, page(index))).toBe(1);
      expect(guest.get(pool, OID, index).page).toEqual(page(index));
    }
    expect(await server.stats()).toMatchObject({ takeovers: 0, puts: 50 });
    expect(events).toHaveLength(1);
    expect(new PollSet(client.vectorFds).wait(0)).toBeGreaterThan(0);
  });
});

describe('what a machine does to its own memory', { timeout: 90_000 }, () => {
  it('kills its own stores at most: the supervisor lives and serves the next one', async () => {
    const { server, events } = await serve({ shmDir: '/dev/shm' });
    const { client } = await machine(server);
    truncate(client.memoryFd, 0);
    await until('its stores are given up', () => events.at(-1) === 'the store died (SIGBUS)');
    await expect(server.setQuota(1)).rejects.toMatchObject({ code: 'STORE_GONE' });
    client[Symbol.dispose]();
    const next = await machine(server);
    const pool = next.guest.newPool(PoolFlag.PERSIST);
    expect(next.guest.put(pool, OID, 0, page(1))).toBe(1);
    expect(next.guest.get(pool, OID, 0).page).toEqual(page(1));
  });

  it('cannot make a nameless file of it shorter', async () => {
    const { server } = await serve();
    const { client } = await machine(server);
    expect(() => truncate(client.memoryFd, 0)).toThrow('errno 1');
  });
});
