/**
 * The store's process dies, or the one that supervises it does. The children run what is built
 * (`npm run build`).
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../lifetime.js';
import { HostState, PAGE_BYTES, PoolFlag } from '../protocol/layout.js';
import { objectId } from '../store/client.js';
import { FakeGuest, headerOffset, IvshmemClient, LinkClient } from '../testing/index.js';
import { SharedRegion } from '../transport/region.js';
import type { StoreStats } from './messages.js';
import { DEFAULT_QUEUE_COUNT, TmemServer, type TmemServerOptions } from './server.js';

const WAIT_MS_MAX = 20_000;
const ROOT = join(import.meta.dirname, '../..');

let lifetime: Lifetime;
let socketPath: string;
beforeEach(() => {
  lifetime = new Lifetime();
  const folder = mkdtempSync(join(tmpdir(), 'tmem-store-'));
  lifetime.defer(() => rmSync(folder, { recursive: true, force: true }));
  socketPath = join(folder, 'socket');
});
afterEach(() => lifetime[Symbol.asyncDispose]());

async function serve(more: Partial<TmemServerOptions> = {}) {
  const events: string[] = [];
  const onEvent = (line: string) => events.push(line);
  const options = { socketPath, regionBytes: 2 ** 20, queueEntries: 16, onEvent, ...more };
  return { server: lifetime.use(await TmemServer.start(options)), events };
}

async function until(what: string, done: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!done()) {
    if (performance.now() > deadline) throw new Error(`waited too long until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a store that dies', { timeout: 60_000 }, () => {
  it('is followed by another, which answers what it was asked', async () => {
    const { server, events } = await serve();
    const first = server.storePid!;
    const answer = server.setQuota(17);
    process.kill(first, 'SIGKILL');
    await answer;
    await until('another serves', () => events.length > 0);
    expect(server.storePid).not.toBe(first);
    expect(await server.stats()).toMatchObject({ takeovers: 1, quotaPages: 17 });
    expect(events).toEqual([expect.stringMatching(/SIGKILL\); another took over in \d+ ms$/)]);
  });

  it('along with the spare one is followed all the same', async () => {
    const { server, events } = await serve();
    await until('there is a spare one', () => server.storePids.length === 2);
    const all = server.storePids;
    for (const pid of all) process.kill(pid, 'SIGKILL');
    await until('others are there', () => server.storePids.some((pid) => !all.includes(pid)));
    expect(await server.stats()).toMatchObject({ takeovers: 1 });
    expect(events.at(-1)).toMatch(/another took over in \d+ ms$/);
  });

  it('is never given up for good while each has served', async () => {
    const { server, events } = await serve();
    for (let deaths = 1; deaths <= 12; deaths += 1) {
      const { sleeps } = await server.stats();
      while ((await server.stats()).sleeps === sleeps) await delay(1);
      process.kill(server.storePid!, 'SIGKILL');
      await until('another serves', () => events.length === deaths);
    }
    expect(await server.stats()).toMatchObject({ takeovers: 12 });
  });

  it('but is only stopped is not asked for more than it can be told, and answers all of that', async () => {
    const { server } = await serve({ hangMs: 0 });
    const pid = server.storePid!;
    process.kill(pid, 'SIGSTOP');
    const asked = Array.from({ length: 5000 }, (_, pages) => server.setQuota(pages));
    const refused = { code: 'STORE_GONE', message: 'the store does not read what it is asked' };
    await expect(asked.at(-1)).rejects.toMatchObject(refused);
    process.kill(pid, 'SIGCONT');
    const outcomes = await Promise.allSettled(asked);
    const answered = outcomes.filter(({ status }) => status === 'fulfilled').length;
    expect(answered).toBeGreaterThanOrEqual(1024);
    expect(answered).toBeLessThan(2000);
    await server.setQuota(7);
    expect(await server.stats()).toMatchObject({ quotaPages: 7, takeovers: 0 });
  });

  it('is given up when none after it does anything', async () => {
    const { server, events } = await serve();
    // None of them gets as far as to sleep: each is stopped before it has done anything.
    const stopped = new Set<number>();
    await until('it is given up', () => {
      for (const pid of server.storePids.filter((one) => !stopped.has(one))) {
        process.kill(pid, 'SIGKILL');
        stopped.add(pid);
      }
      return events.at(-1) === 'the store died (SIGKILL)';
    });
    await expect(server.setQuota(1)).rejects.toMatchObject({ code: 'STORE_GONE' });
  });
});

/** A process that supervises a store, says what happens, and ends when it is killed. */
async function supervisor() {
  const script = `
    import { TmemServer } from ${JSON.stringify(join(ROOT, 'dist/emulator/index.js'))};
    const say = (line) => process.stdout.write(line + '\\n');
    const options = { socketPath: ${JSON.stringify(socketPath)}, regionBytes: 2 ** 20 };
    const server = await TmemServer.start({ ...options, onEvent: say });
    setInterval(() => say('pids ' + server.storePids.join(' ')), 5);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
  lifetime.defer(() => {
    child.kill('SIGKILL');
  });
  const events: string[] = [];
  /** The one that serves or is about to, then the spare one. */
  let stores: number[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('pids ')) stores = line.split(' ').slice(1).map(Number);
    else events.push(line);
  });
  const errors = text(child.stderr);
  await until('a store serves and one waits', () => stores.length === 2);
  const machine = lifetime.use(await IvshmemClient.connect(socketPath, DEFAULT_QUEUE_COUNT));
  const region = lifetime.use(SharedRegion.map(machine.memoryFd, PAGE_BYTES));
  return {
    child,
    events,
    errors,
    pids: () => stores,
    hostState: () => region.load(headerOffset('host_state')),
    /** Bounds the descriptors that it may have, as prlimit(1) does. */
    limit: (descriptors: number) =>
      execFileSync('prlimit', [`--pid=${child.pid}`, `--nofile=${descriptors}:`]),
    descriptors: () => readdirSync(`/proc/${child.pid}/fd`).length,
  };
}

describe('a supervisor', { timeout: 60_000 }, () => {
  it('that is killed takes all its stores along, without a word', async () => {
    const { child, errors, pids, hostState } = await supervisor();
    const left = pids();
    child.kill('SIGKILL');
    await until('the stores are gone', () => !left.some(isAlive));
    expect(hostState()).toBe(HostState.DOWN);
    expect(await errors).toBe('');
  });

  it('that can start no store says so, tries again, and gives up in the end', async () => {
    const { events, pids, hostState, limit, descriptors } = await supervisor();
    await until('it has told of the machine', () => events.length === 1);
    events.length = 0;
    const before = descriptors();
    limit(before);
    process.kill(pids()[0]!, 'SIGKILL');
    await until('the spare one serves, and there is none', () => events.length === 2);
    expect(events[1]).toMatch(/^the store died \(SIGKILL\); another took over in \d+ ms$/);
    expect(events[0]).toMatch(/^the spare store is gone \(.* takes 10 descriptors, .*\)$/);

    process.kill(pids()[0]!, 'SIGKILL');
    await until('it says that none starts', () => events.length === 3);
    const none =
      /^the store died \(SIGKILL\) and no other starts \(.* 10 descriptors, .*\): trying/;
    expect(events[2]).toMatch(none);
    expect(hostState()).toBe(HostState.DOWN);
    // What was tried in vain has left nothing open.
    expect(descriptors()).toBeLessThan(before);
    limit(1024);
    await until('a store serves and one waits', () => pids().length === 2);
    expect(events[3]).toMatch(/another took over in \d+ ms$/);
    expect(hostState()).toBe(HostState.READY);

    limit(descriptors());
    for (const pid of pids()) process.kill(pid, 'SIGKILL');
    await until('it gives up', () =>
      /^the store died \(.* 10 descriptors, .*\)$/.test(events.at(-1)!),
    );
    expect(hostState()).toBe(HostState.DOWN);
    expect(events.filter((line) => line.includes('no other starts'))).toHaveLength(2);
  });
});

const QUEUES = { queueCount: 2, queueEntries: 16 } as const;
const LINK_DEATHS = 10;

/**
 * A server in a process of its own that kills each of its stores; it is told to stop and say how.
 */
async function serveAndKill(): Promise<{ done: () => boolean; stats: () => Promise<StoreStats> }> {
  const options = { socketPath, transport: 'virtio-serial', regionBytes: 2 ** 20, ...QUEUES };
  const script = `
    import { TmemServer } from ${JSON.stringify(join(ROOT, 'dist/emulator/index.js'))};
    import { setTimeout } from 'node:timers/promises';
    const server = await TmemServer.start(${JSON.stringify(options)});
    process.send('ready');
    process.once('message', async () => process.send(await server.stats()));
    const killed = new Set([undefined]);
    while (killed.size <= ${LINK_DEATHS}) {
      await setTimeout(40 + Math.random() * 60);
      const pid = server.storePid;
      if (killed.has(pid)) continue;
      process.kill(pid, 'SIGKILL');
      killed.add(pid);
    }
    process.send('done');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  lifetime.defer(() => child.kill('SIGKILL'));
  const heard: unknown[] = [];
  child.on('message', (message) => heard.push(message));
  await until('the server is ready', () => heard.includes('ready'));
  const isStats = (message: unknown): message is StoreStats => typeof message === 'object';
  return {
    done: () => heard.includes('done'),
    stats: async () => {
      child.send('stats');
      await until('the server answers', () => heard.some(isStats));
      return heard.find(isStats)!;
    },
  };
}

it('stores on a link die one after the other, and the guest has each page as it was', async () => {
  const server = await serveAndKill();
  const client = lifetime.use(new LinkClient(socketPath, QUEUES));
  const pump = (): void => client.link.pump();
  const guest = new FakeGuest({ region: client.link.region, pump, replyMsMax: WAIT_MS_MAX });
  guest.attach();
  const pool = guest.newPool(PoolFlag.PERSIST);
  const oid = objectId(7);
  const held = new Map<number, Uint8Array>();
  for (let seed = 1; !server.done(); seed += 1) {
    await nextTurn();
    const index = (seed * 7) % 32;
    const { page } = guest.get(pool, oid, index);
    expect(page).toEqual(held.get(index));
    const next = new Uint8Array(PAGE_BYTES).fill(seed);
    if (seed % 5 === 0) guest.flushPage(pool, oid, index);
    if (seed % 5 !== 0 && guest.put(pool, oid, index, next) === 1) held.set(index, next);
    else held.delete(index);
  }
  const stats = await server.stats();
  expect(stats.takeovers).toBe(LINK_DEATHS);
  expect(stats).toMatchObject({ faults: 0, pagesUsed: held.size });
  expect(stats.framesReceived).toBeGreaterThan(stats.takeovers);
}, 60_000);
