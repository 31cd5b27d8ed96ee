/**
 * No descriptor is left: at the start, when a store dies, when a machine connects.
 */
import { createConnection } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunDir } from '../../../emulator/guest/paths.js';
import { Lifetime } from '../../../emulator/lifetime.js';
import { IvshmemClient } from '../../../emulator/testing/index.js';
import type { Transport } from '../../../emulator/transport/transports.js';
import { Hosted } from '../hosted/hosted.js';
import { type LimitCase, must } from './case.js';

/** Runs the host with few descriptors. */
const LIMITED = ['prlimit', '--nofile=128:128'] as const;
const REGION_BYTES = 2 ** 20;
const VECTORS = 4;
/** From none to about what a server takes. */
const TOO_FEW = [0, 1, 3, 8, 12, 16, 20, 27];
const CONNECT_MS_MAX = 5000;

async function atTheStart(folder: RunDir): Promise<void> {
  await using host = new Hosted(LIMITED);
  const socketPath = folder.file('x.sock');
  const options = { socketPath, regionBytes: REGION_BYTES };
  // Once with enough of them: what the process itself opens for good is open then.
  must((await host.start(options)).code === undefined, 'it does not start');
  const { descriptors } = await host.tell({ do: 'stop' });
  for (const left of TOO_FEW) {
    await host.tell({ do: 'fill', left });
    const { code } = await host.start(options);
    const state = await host.tell({ do: 'free' });
    must(code === 'DESCRIPTOR_LIMIT', `with ${left} left it gives ${code}`);
    must(state.descriptors === descriptors, `with ${left} left some are open still`);
    must(state.storePids.length === 0, `with ${left} left there is a store`);
  }
  must((await host.start(options)).code === undefined, 'it does not start any more');
}

/** Waits until the process that serves and a spare one are there. */
async function untilSpare(host: Hosted): Promise<number[]> {
  for (;;) {
    const { storePids } = await host.tell({ do: 'look' });
    if (storePids.length === 2) return storePids;
    await delay(10);
  }
}

async function whenStoresDie(folder: RunDir): Promise<void> {
  await using host = new Hosted(LIMITED);
  await host.start({ socketPath: folder.file('x.sock'), regionBytes: REGION_BYTES });
  const [first, spare] = await untilSpare(host);
  await host.tell({ do: 'fill', left: 0 });
  process.kill(first!, 'SIGKILL');
  await host.hear('another took over');
  await host.hear('the spare store is gone');
  process.kill(spare!, 'SIGKILL');
  await host.hear('no other starts');
  host.events.length = 0;
  await host.tell({ do: 'free' });
  await host.hear('another took over');
  const { stats } = await host.tell({ do: 'stats' });
  must(stats?.takeovers === 2, `${stats?.takeovers} stores took over`);
}

/** What becomes of a connection: `closed`, or `open` after some time. */
function connection(path: string): Promise<'closed' | 'open'> {
  const socket = createConnection(path);
  socket.on('error', () => {});
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('open'), CONNECT_MS_MAX);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve('closed');
    });
  });
}

async function whenMachinesConnect(folder: RunDir, transport: Transport): Promise<void> {
  await using host = new Hosted(LIMITED);
  const socketPath = folder.file('x.sock');
  await host.start({ socketPath, regionBytes: REGION_BYTES, transport });
  await untilSpare(host);
  await host.tell({ do: 'fill', left: 0 });
  await host.hear('no descriptor is left');
  must((await connection(socketPath)) === 'closed', 'a connection was neither served nor closed');
  await host.tell({ do: 'free' });
  await host.hear('there are descriptors again');
  await using lifetime = new Lifetime();
  if (transport === 'ivshmem') lifetime.use(await IvshmemClient.connect(socketPath, VECTORS));
  else lifetime.adopt(createConnection(socketPath), (socket) => socket.destroy());
  await host.hear('connected as peer');
  await host.tell({ do: 'stats' });
}

export const DESCRIPTOR_CASES: readonly LimitCase[] = [
  { name: 'few descriptors', run: atTheStart },
  { name: 'no descriptor for a store', run: whenStoresDie },
  {
    name: 'no descriptor for a machine',
    run: (folder) => whenMachinesConnect(folder, 'ivshmem'),
  },
  {
    name: 'no descriptor for a link',
    run: (folder) => whenMachinesConnect(folder, 'virtio-serial'),
  },
];
