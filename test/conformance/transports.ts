/**
 * A guest and its store over each transport, for tests that must not know which: the loopbacks in
 * one thread, the others with the store's own thread at the other end of a real socket.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lifetime } from '../../emulator/lifetime.js';
import { ringEventFd } from '../../emulator/native/libc.js';
import { TmemServer } from '../../emulator/session/server.js';
import {
  createLinkLoopback,
  createLoopback,
  FakeGuest,
  IvshmemClient,
  LinkClient,
  type Loopback,
} from '../../emulator/testing/index.js';
import { SharedRegion } from '../../emulator/transport/region.js';

export const REGION_BYTES = 2 ** 21;
export const QUEUES = { queueCount: 4, queueEntries: 16 } as const;
const REPLY_MS_MAX = 20_000;

/** What a test has in its hands, whatever lies between. */
export interface Pair extends AsyncDisposable {
  readonly guest: FakeGuest;
  /** Another machine in place of this one, on the same store. */
  replace(): Promise<FakeGuest>;
  refusePuts(refuse: boolean): Promise<void>;
  setQuota(pages: number): Promise<void>;
  counters(): Promise<{ puts: number; gets: number; flushes: number; faults: number }>;
  pagesUsed(): Promise<number>;
}

function loopbackPair(loop: Loopback): Pair {
  let lives = 0x2000;
  return {
    guest: loop.guest,
    replace: async () => {
      loop.session.restart(++lives);
      return loop.guest;
    },
    refusePuts: async (refuse) => loop.session.refusePuts(refuse),
    setQuota: async (pages) => {
      loop.quota.limit = pages;
    },
    counters: async () => loop.session.counters,
    pagesUsed: async () => loop.client.usedSlots,
    [Symbol.asyncDispose]: async () => {},
  };
}

/** A machine on the server's socket. */
type Machine = { readonly guest: FakeGuest; readonly parts: Disposable[] };

async function serverPair(
  transport: 'ivshmem' | 'virtio-serial',
  connect: (server: TmemServer, admitted: () => Promise<void>) => Promise<Machine>,
): Promise<Pair> {
  const lifetime = new Lifetime();
  const folder = mkdtempSync(join(tmpdir(), 'tmem-transport-'));
  lifetime.defer(() => rmSync(folder, { recursive: true, force: true }));
  const socketPath = join(folder, 'socket');
  let admissions = 0;
  const onEvent = (line: string): void => {
    if (line.includes('connected as peer')) admissions += 1;
  };
  const options = { transport, socketPath, regionBytes: REGION_BYTES, ...QUEUES, onEvent };
  const server = lifetime.use(await TmemServer.start(options));
  let machines = 0;
  const next = (): Promise<Machine> => {
    machines += 1;
    return connect(server, async () => {
      const deadline = performance.now() + REPLY_MS_MAX;
      while (admissions < machines) {
        if (performance.now() > deadline) throw new Error('the server admits no machine');
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    });
  };
  let machine = await next();
  const disconnect = (): void => {
    for (const part of machine.parts.splice(0).reverse()) part[Symbol.dispose]();
  };
  lifetime.defer(disconnect);
  return {
    guest: machine.guest,
    replace: async () => {
      disconnect();
      machine = await next();
      return machine.guest;
    },
    refusePuts: (refuse) => server.refusePuts(refuse),
    setQuota: (pages) => server.setQuota(pages),
    counters: () => server.stats(),
    pagesUsed: async () => (await server.stats()).pagesUsed,
    [Symbol.asyncDispose]: () => lifetime[Symbol.asyncDispose](),
  };
}

async function ivshmemMachine(server: TmemServer): Promise<Machine> {
  const client = await IvshmemClient.connect(server.socketPath, server.vectors);
  const region = SharedRegion.map(client.memoryFd, REGION_BYTES);
  const guest = new FakeGuest({
    region,
    peer: client.peer,
    ring: () => ringEventFd(client.hostEventFd),
    replyMsMax: REPLY_MS_MAX,
  });
  return { guest, parts: [client, region] };
}

async function linkMachine(server: TmemServer, admitted: () => Promise<void>): Promise<Machine> {
  const client = new LinkClient(server.socketPath, QUEUES);
  const { link } = client;
  // This thread is the server's too: it must have turned before the guest waits in it.
  await admitted();
  const guest = new FakeGuest({
    region: link.region,
    pump: () => link.pump(),
    replyMsMax: REPLY_MS_MAX,
  });
  return { guest, parts: [client] };
}

const LOOPBACK = { regionBytes: REGION_BYTES, ...QUEUES };

export const PAIRS: readonly (readonly [string, () => Promise<Pair>])[] = [
  ['the loopback', async () => loopbackPair(createLoopback(LOOPBACK))],
  ['a link in one thread', async () => loopbackPair(createLinkLoopback(LOOPBACK))],
  ['ivshmem', () => serverPair('ivshmem', ivshmemMachine)],
  ['virtio-serial', () => serverPair('virtio-serial', linkMachine)],
];
