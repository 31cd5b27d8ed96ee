/**
 * The store's process: its thread serves the guest, this one passes messages between that thread
 * and the supervisor. Both have loaded their code before they are told to serve, and may wait for
 * long. It ends when the supervisor does, so that no store is left behind.
 */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { closeFd, ringEventFd } from '../native/libc.js';
import { receiveFds } from '../native/sockets.js';
import {
  descriptorsOf,
  renumbered,
  type StoreMessage,
  type StoreRequest,
  type StoreSetup,
} from './messages.js';

/** The socket through which the descriptors come, behind streams and channel. */
const HAND_OVER_FD = 4;
/** Exit code of a store whose thread failed: a bug of this program. */
const EXIT_SOFTWARE = 70;
/** How long the thread may take to tell the guest that it is going. */
const LEAVE_MS_MAX = 1000;

/** A descriptor as libuv hands it over. */
interface Handle {
  readonly fd: number;
  close(): void;
}

const worker = new Worker(createRequire(import.meta.url).resolve('#store-worker'));

function serve(setup: StoreSetup): void {
  /** The link's socket, ours too; and those that the thread is about to let go of, by request. */
  let link: Handle | undefined;
  const leaving = new Map<number, Handle>();
  const pass = (request: StoreRequest): void => {
    worker.postMessage(request);
    ringEventFd(setup.controlFd);
  };
  worker.on('message', (message: StoreMessage) => {
    if ('id' in message) {
      leaving.get(message.id)?.close();
      leaving.delete(message.id);
    } else if ('linkEnded' in message) {
      link?.close();
      link = undefined;
    }
    // A supervisor that is gone needs no answer.
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  });
  process.on('message', (request: StoreRequest, handle: unknown) => {
    if (request.kind !== 'link') {
      pass(request);
      return;
    }
    if (link !== undefined) leaving.set(request.id, link);
    link = handle as Handle | undefined;
    pass({ ...request, fd: link?.fd ?? -1 });
  });
  process.off('disconnect', endAtOnce);
  process.on('disconnect', () => {
    pass({ id: 0, kind: 'stop' });
    worker.once('exit', () => process.exit(0));
    setTimeout(() => process.exit(0), LEAVE_MS_MAX).unref();
  });
  worker.postMessage(setup);
}

/** One that does not serve has nobody to tell. */
function endAtOnce(): void {
  process.exit(0);
}

worker.on('error', (error) => {
  process.stderr.write(`the store's thread failed: ${error.stack}\n`);
  process.exit(EXIT_SOFTWARE);
});
worker.on('exit', () => {
  if (process.connected) process.disconnect();
});
process.on('disconnect', endAtOnce);
// It may have gone while this was loading.
if (!process.connected) endAtOnce();
process.once('message', (message) => {
  const setup = message as StoreSetup;
  const fds = receiveFds(HAND_OVER_FD, descriptorsOf(setup).length);
  closeFd(HAND_OVER_FD);
  serve(renumbered(setup, fds));
});
// A terminal's signals are the supervisor's to act on.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
