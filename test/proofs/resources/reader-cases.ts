/**
 * Whoever does not read: the supervisor, a machine on the memory's socket, one on a link. (Of the
 * command line's output see test/guest/cli.guest.test.ts, of events qmp/src/events.test.ts.)
 */
import { createConnection } from 'node:net';
import type { RunDir } from '../../../emulator/guest/paths.js';
import { Lifetime } from '../../../emulator/lifetime.js';
import { closeFd, receiveBytes, sendBytes } from '../../../emulator/native/libc.js';
import { Command, PAGE_BYTES, PoolFlag } from '../../../emulator/protocol/layout.js';
import { objectId } from '../../../emulator/store/client.js';
import { connectUnix, FakeGuest, LinkGuest } from '../../../emulator/testing/index.js';
import { Hosted } from '../hosted/hosted.js';
import { type LimitCase, must } from './case.js';
import { Filler } from './filler.js';
import { mib, usageOfAll } from './measure.js';

const DESCRIPTORS = 256;
const LIMITED = ['prlimit', `--nofile=${DESCRIPTORS}:${DESCRIPTORS}`] as const;
const REGION_BYTES = 2 ** 20;
const VECTORS = 4;
const QUEUES = { queueCount: 2, queueEntries: 64 } as const;
const OID = objectId(7);
/** Machines, or frames, that nobody reads the answers of. */
const MACHINES = 200;
const FRAMES = 2000;
const GROWTH_BYTES_MAX = 16 * 2 ** 20;

/** Of the store that serves, which is the first. */
function memoryOf([store]: readonly number[]): number {
  return usageOfAll([store!]).memoryBytes;
}

/** The store serves its guest, whatever the process does that started it. */
async function supervisorThatIsStopped(folder: RunDir): Promise<void> {
  await using host = new Hosted(LIMITED);
  const socketPath = folder.file('x.sock');
  await host.start({ socketPath, regionBytes: REGION_BYTES });
  const options = { socketPath, vectors: VECTORS, regionBytes: REGION_BYTES, isPersistent: true };
  using filler = await Filler.connect(options);
  process.kill(host.pid, 'SIGSTOP');
  const taken = filler.put(filler.slots * 4);
  filler.check();
  process.kill(host.pid, 'SIGCONT');
  must(taken >= filler.slots, `${taken} pages were taken of ${filler.slots}`);
  must(filler.wrong === 0, `${filler.wrong} pages were wrong`);
  const { stats } = await host.tell({ do: 'stats' });
  must(stats?.puts === taken, `${stats?.puts} puts were counted of ${taken}`);
}

/** Connections that read nothing; the one guest goes on, and the next one is served. */
async function machinesThatDoNotRead(folder: RunDir): Promise<void> {
  await using host = new Hosted(LIMITED);
  const socketPath = folder.file('x.sock');
  await host.start({ socketPath, regionBytes: REGION_BYTES });
  const options = { socketPath, vectors: VECTORS, regionBytes: REGION_BYTES, isPersistent: true };
  {
    using filler = await Filler.connect(options);
    const sockets = Array.from({ length: MACHINES }, () => createConnection(socketPath));
    for (const socket of sockets) socket.pause().on('error', () => {});
    await host.hear('another QEMU is connected');
    await host.tell({ do: 'stats' });
    const { descriptors } = await host.tell({ do: 'look' });
    must(descriptors < DESCRIPTORS / 2, `${descriptors} descriptors are open`);
    must(filler.put(filler.slots) === filler.slots, 'the guest is not served');
    filler.check();
    must(filler.wrong === 0, `${filler.wrong} pages were wrong`);
    for (const socket of sockets) socket.destroy();
  }
  {
    // This one has the memory, and leaves all that it was told unread.
    const socket = createConnection(socketPath).pause();
    socket.on('error', () => {});
    await host.tell({ do: 'stats' });
    socket.destroy();
  }
  host.events.length = 0;
  using next = await Filler.connect(options);
  must(next.put(1) === 1, 'the next guest is not served');
}

/** A machine on a link that sends and sends, and reads nothing. */
async function linkThatIsNotRead(folder: RunDir): Promise<void> {
  await using host = new Hosted(LIMITED);
  const socketPath = folder.file('x.sock');
  await host.start({
    socketPath,
    regionBytes: REGION_BYTES,
    transport: 'virtio-serial',
    ...QUEUES,
  });
  await using lifetime = new Lifetime();
  const socket = lifetime.adopt(connectUnix(socketPath), closeFd);
  let isRead = true;
  let last = new Uint8Array(0);
  const send = (bytes: Uint8Array): number => sendBytes(socket, bytes);
  const link = new LinkGuest({
    ...QUEUES,
    send: (bytes) => {
      last = bytes.slice();
      for (let rest = bytes; rest.length > 0; ) rest = rest.subarray(send(rest));
    },
    receive: (reader) => {
      if (isRead) reader.filled(receiveBytes(socket, reader.space) ?? 0);
    },
  });
  const guest = new FakeGuest({ region: link.region, pump: () => link.pump() });
  await host.hear('connected as peer');
  guest.attach();
  const pool = guest.newPool(PoolFlag.PERSIST);
  must(guest.put(pool, OID, 0, new Uint8Array(PAGE_BYTES).fill(7)) === 1, 'no page was taken');
  const before = await host.tell({ do: 'stats' });
  const memory = memoryOf(before.storePids);
  isRead = false;
  for (let queue = 0; queue < QUEUES.queueCount; queue += 1) {
    for (let place = 0; place < QUEUES.queueEntries - 1; place += 1) {
      guest.post(queue, { command: Command.GET_PAGE, pool, oid: OID, index: 0 });
    }
  }
  link.pump();
  // The same frame again and again, as far as the socket takes it.
  const frame = last;
  let rest = frame;
  for (let frames = 0; frames < FRAMES; rest = rest.length === 0 ? frame : rest) {
    const count = send(rest);
    rest = rest.subarray(count);
    if (count === 0) await host.tell({ do: 'stats' });
    if (rest.length === 0 || count === 0) frames += 1;
  }
  const after = await host.tell({ do: 'stats' });
  const grown = memoryOf(after.storePids) - memory;
  must(grown < GROWTH_BYTES_MAX, `the store grew by ${mib(grown)}`);
  must(after.stats?.attached === true, 'the guest was cut off');
  // Once it reads again, all answers are there.
  isRead = true;
  guest.submit(0, { command: Command.GET_PAGE, pool, oid: OID, index: 0 });
}

export const READER_CASES: readonly LimitCase[] = [
  { name: 'a supervisor that is stopped', run: supervisorThatIsStopped },
  { name: 'machines that do not read', run: machinesThatDoNotRead },
  { name: 'a link that is not read', run: linkThatIsNotRead },
];
