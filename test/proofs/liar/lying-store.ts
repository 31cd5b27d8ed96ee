/**
 * A store that lies, behind a real ivshmem server: what a guest's QEMU is given in the place of an
 * honest one (`bootGuest`, `between`).
 *
 * It owns memory, descriptors, socket and thread, and takes all of it down when it is disposed.
 */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { StoreProxy } from '../../../emulator/guest/guest.js';
import { packageRoot } from '../../../emulator/guest/paths.js';
import { Lifetime } from '../../../emulator/lifetime.js';
import { closeFd, eventFd } from '../../../emulator/native/libc.js';
import { listenIvshmem } from '../../../emulator/transport/ivshmem-server.js';
import { RegionFile } from '../../../emulator/transport/region.js';
import type { Heads } from './relay.js';
import { type LieCounts, Tally } from './tally.js';
import { CONTROL, HEADS, SHARE_UNIT, type ThreadSetup } from './thread.js';

const REGION_BYTES = 256 * 2 ** 20;
const QUEUE_ENTRIES = 256;
const HOST_EPOCH = 0x11a5;
/** Built beside this file, or beside its source's. */
const THREAD = join(packageRoot, 'dist/test/proofs/liar/thread.js');
const STOP_MS_MAX = 5000;

export class LyingStore implements StoreProxy {
  readonly socketPath: string;
  readonly #lifetime = new Lifetime();
  readonly #control = new Int32Array(new SharedArrayBuffer(64));
  readonly #counters = new SharedArrayBuffer(Tally.bytes);
  /** Why the thread ended by itself. */
  #failure: Error | undefined;

  private constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  /** `vectors`: interrupt vectors of QEMU's device, and so queues. */
  static async listen(socketPath: string, seed: number, vectors = 4): Promise<LyingStore> {
    const store = new LyingStore(socketPath);
    store.tellTruth();
    try {
      await store.#start(seed, vectors);
      return store;
    } catch (error) {
      await store[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(seed: number, vectors: number): Promise<void> {
    const lifetime = this.#lifetime;
    const region = lifetime.use(RegionFile.create(REGION_BYTES));
    const doorbellFd = lifetime.adopt(eventFd(), closeFd);
    const vectorFds = Array.from({ length: vectors }, () => lifetime.adopt(eventFd(), closeFd));
    const setup: ThreadSetup = {
      regionFd: region.fd,
      regionBytes: REGION_BYTES,
      queueCount: vectors,
      queueEntries: QUEUE_ENTRIES,
      doorbellFd,
      vectorFds,
      hostEpoch: HOST_EPOCH,
      seed,
      control: this.#control.buffer as SharedArrayBuffer,
      counters: this.#counters,
    };
    const worker = new Worker(THREAD, { workerData: setup });
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.on('error', (error) => {
      this.#failure = error;
    });
    await new Promise<void>((resolve) => worker.once('online', () => resolve()));
    lifetime.defer(async () => {
      Atomics.store(this.#control, CONTROL.stop, 1);
      const timer = setTimeout(() => void worker.terminate(), STOP_MS_MAX);
      await exited;
      clearTimeout(timer);
    });
    const fds = { memoryFd: region.fd, hostEventFd: doorbellFd, guestEventFds: vectorFds };
    lifetime.use(await listenIvshmem({ socketPath: this.socketPath, ...fds }));
  }

  /** Lies no more, of words that are not out yet. */
  tellTruth(): void {
    for (const what of Object.keys(CONTROL) as (keyof typeof CONTROL)[]) {
      if (what !== 'again' && what !== 'stop') this.#order(what, 0);
    }
    this.nameNewPools(undefined);
  }

  #order(what: keyof typeof CONTROL, value: number): void {
    Atomics.store(this.#control, CONTROL[what], value);
  }

  /** Lies in this share of the answers, from 0 to 1, and of other words in proportion. */
  lie(share: number): void {
    this.#order('share', Math.round(share * SHARE_UNIT));
  }

  /** Alters this share of the pages that are put, and says nothing false beside. */
  spoil(share: number): void {
    this.#order('spoilt', Math.round(share * SHARE_UNIT));
  }

  /** What a guest finds that attaches from now on: false words, by number; 0 for true ones. */
  lieOfIdentity(nth: number): void {
    this.#order('identity', nth);
  }

  /** What all heads say, until told otherwise. */
  showHeads(heads: Heads): void {
    this.#order('heads', HEADS.indexOf(heads));
  }

  /** Lets a life of the guest's see no more grants than this; 0: all. */
  showGrants(most: number): void {
    this.#order('grantsMax', most);
  }

  /** Puts entries that name no slot into the ring, before all others, of lives to come. */
  grantNonsense(entries: number): void {
    this.#order('badGrants', entries);
  }

  /** Promises whatever the guest has once more. */
  promiseAgain(): void {
    Atomics.add(this.#control, CONTROL.again, 1);
  }

  /** What new pools are called from now on; undefined: what they are. */
  nameNewPools(id: number | undefined): void {
    this.#order('poolId', id ?? -1);
  }

  /** @throws what ended the thread */
  counts(): LieCounts {
    if (this.#failure !== undefined) throw this.#failure;
    return new Tally(this.#counters).read();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }
}
