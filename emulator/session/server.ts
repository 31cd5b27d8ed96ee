/**
 * The host side of one guest, whole: shared memory, eventfds, the ivshmem server and the store's
 * thread.
 *
 * `TmemServer.start` makes everything and `await using` (or disposing it) takes everything down in
 * reverse, however far the start got. It owns every descriptor; the worker only borrows them.
 */
import { randomInt } from 'node:crypto';
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { formatOption } from '@qemu-tmem/qmp';
import { Lifetime } from '../lifetime.js';
import { closeFd, eventFd, ringEventFd } from '../native/libc.js';
import { type PolicySpec, parsePolicy } from '../policy/put-policy.js';
import { computeGeometry } from '../protocol/geometry.js';
import { listenIvshmem } from '../transport/ivshmem-server.js';
import { RegionFile } from '../transport/region.js';
import { type ClientEvents, SocketServer } from '../transport/socket-server.js';
import { storeDevices, type Transport } from '../transport/transports.js';
import type { StoreStats, WorkerMessage, WorkerRequest, WorkerSetup } from './messages.js';

export interface TmemServerOptions {
  /** Path of the UNIX socket that QEMU's chardev connects to; at most 107 bytes. */
  readonly socketPath: string;
  /** Default ivshmem. */
  readonly transport?: Transport;
  /**
   * Bytes of memory for pages (shared with the guest over ivshmem), a power of two from 1 MiB to
   * 4 GiB; default 512 MiB. Used as pages come.
   */
  readonly regionBytes?: number;
  /** A tmpfs directory for the memory; default: a nameless memfd. */
  readonly shmDir?: string;
  /** Power of two, 1 to 64; default 4. Also the number of interrupt vectors QEMU needs. */
  readonly queueCount?: number;
  /** Power of two, 16 to 4096; default 1024. */
  readonly queueEntries?: number;
  /** Most pages held; default: as many as the memory has slots. */
  readonly quotaPages?: number;
  /** `accept` (default), `refuse-every=N` or `refuse-duplicates`. */
  readonly policy?: PolicySpec;
  /** How long the store looks for work before it sleeps, in microseconds; default 100. */
  readonly spinMicros?: number;
  /** Called once for each event that a person may want to know of. */
  readonly onEvent?: (line: string) => void;
}

/** `code` STORE_GONE: the store's thread ended; nothing answers any more. */
export class StoreGoneError extends Error {
  readonly code = 'STORE_GONE';
  override readonly name = 'StoreGoneError';
}

const DEFAULT_REGION_BYTES = 512 * 1024 * 1024;
/** Queues, and so interrupt vectors, where the options name none. */
export const DEFAULT_QUEUE_COUNT = 4;
const DEFAULT_QUEUE_ENTRIES = 1024;
const DEFAULT_SPIN_MICROS = 100;
const REQUEST_MS_MAX = 10_000;

type RequestBody = WorkerRequest extends infer R
  ? R extends WorkerRequest
    ? Omit<R, 'id'>
    : never
  : never;

interface Pending {
  resolve(stats: StoreStats): void;
  reject(error: Error): void;
}

/** A random 32-bit life number, never 0. */
export function newEpoch(): number {
  return randomInt(1, 0x7fff_ffff);
}

export class TmemServer implements AsyncDisposable {
  readonly socketPath: string;
  readonly transport: Transport;
  /** Interrupt vectors that QEMU's device must have. */
  readonly vectors: number;
  readonly regionBytes: number;
  readonly #cleanup = new Lifetime();
  readonly #onEvent: (line: string) => void;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #controlFd = -1;
  #nextRequest = 1;
  /** Closes the link's socket. */
  #hangUp: () => void = () => {};
  #gone: Error | undefined;
  #last: StoreStats | undefined;

  private constructor(options: TmemServerOptions, vectors: number) {
    this.socketPath = options.socketPath;
    this.transport = options.transport ?? 'ivshmem';
    this.vectors = vectors;
    this.regionBytes = options.regionBytes ?? DEFAULT_REGION_BYTES;
    this.#onEvent = options.onEvent ?? (() => {});
  }

  /**
   * Starts to serve. When this returns, QEMU may be started.
   * @throws GeometryError, RegionError, SocketServerError, PolicyError
   */
  static async start(options: TmemServerOptions): Promise<TmemServer> {
    const geometry = computeGeometry({
      regionBytes: options.regionBytes ?? DEFAULT_REGION_BYTES,
      queueCount: options.queueCount ?? DEFAULT_QUEUE_COUNT,
      queueEntries: options.queueEntries ?? DEFAULT_QUEUE_ENTRIES,
    });
    parsePolicy(options.policy ?? 'accept');
    const server = new TmemServer(options, geometry.queueCount);
    try {
      await server.#start(options, geometry.queueEntries);
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  #ownedEventFd(): number {
    return this.#cleanup.adopt(eventFd(), closeFd);
  }

  async #start(options: TmemServerOptions, queueEntries: number): Promise<void> {
    const region = this.#cleanup.use(RegionFile.create(this.regionBytes, options.shmDir));
    const doorbellFd = this.#ownedEventFd();
    this.#controlFd = this.#ownedEventFd();
    const vectorFds = Array.from({ length: this.vectors }, () => this.#ownedEventFd());
    await this.#startWorker({
      transport: this.transport,
      regionFd: region.fd,
      regionBytes: this.regionBytes,
      queueCount: this.vectors,
      queueEntries,
      doorbellFd,
      controlFd: this.#controlFd,
      vectorFds,
      policy: options.policy ?? 'accept',
      quotaPages: options.quotaPages ?? Number.POSITIVE_INFINITY,
      hostEpoch: newEpoch(),
      spinMicros: options.spinMicros ?? DEFAULT_SPIN_MICROS,
    });
    if (this.transport === 'ivshmem') {
      const { socketPath } = this;
      const fds = { memoryFd: region.fd, hostEventFd: doorbellFd, guestEventFds: vectorFds };
      this.#cleanup.use(await listenIvshmem({ socketPath, ...fds, ...this.#clientEvents() }));
    } else {
      await this.#listenForLink();
    }
  }

  #clientEvents(): Required<ClientEvents> {
    return {
      onConnect: (client) => this.#onEvent(`QEMU connected as peer ${client}`),
      onDisconnect: (client) => {
        this.#onEvent(`QEMU, peer ${client}, disconnected`);
        return this.#request({ kind: 'restart', hostEpoch: newEpoch() });
      },
      onRefused: (reason) => this.#onEvent(`a connection was refused: ${reason}`),
    };
  }

  /** The worker reads and writes the link's socket; it lets go of it before it is closed. */
  async #listenForLink(): Promise<void> {
    const server = await SocketServer.listen({
      socketPath: this.socketPath,
      readElsewhere: true,
      greet: (fd) => {
        this.#request({ kind: 'link', fd }).catch(() => {});
      },
      ...this.#clientEvents(),
    });
    this.#hangUp = () => server.hangUp();
    this.#cleanup.use(server);
    this.#cleanup.defer(() => this.#request({ kind: 'link', fd: -1 }).catch(() => {}));
  }

  async #startWorker(setup: WorkerSetup): Promise<void> {
    const path = createRequire(import.meta.url).resolve('#store-worker');
    const worker = new Worker(path, { workerData: setup });
    this.#worker = worker;
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    this.#cleanup.defer(async () => {
      if (this.#gone === undefined) await this.#request({ kind: 'stop' }).catch(() => {});
      await worker.terminate();
      await exited;
    });
    await new Promise<void>((resolve, reject) => {
      worker.on('message', (message: WorkerMessage) => {
        if ('ready' in message) resolve();
        else this.#receive(message);
      });
      worker.once('error', (error) => this.#fail(error, reject));
      worker.once('exit', () => this.#fail(new Error('it ended'), reject));
    });
  }

  #receive(message: Exclude<WorkerMessage, { ready: true }>): void {
    if ('linkEnded' in message) {
      this.#hangUp();
      return;
    }
    if ('fault' in message) {
      this.#onEvent(`the guest broke the protocol and is cut off: ${message.fault}`);
      return;
    }
    this.#last = message.stats;
    this.#pending.get(message.id)?.resolve(message.stats);
    this.#pending.delete(message.id);
  }

  #fail(cause: Error, reject: (error: Error) => void): void {
    this.#gone ??= new StoreGoneError(`the store's thread is gone: ${cause.message}`, { cause });
    reject(this.#gone);
    for (const pending of this.#pending.values()) pending.reject(this.#gone);
    this.#pending.clear();
  }

  #request(body: RequestBody): Promise<StoreStats> {
    const worker = this.#worker;
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    if (worker === undefined) return Promise.reject(new StoreGoneError('the store never started'));
    const id = this.#nextRequest;
    this.#nextRequest += 1;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new StoreGoneError(`the store did not answer within ${REQUEST_MS_MAX} ms`));
      }, REQUEST_MS_MAX);
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          then(value);
        };
      this.#pending.set(id, { resolve: settle(resolve), reject: settle(reject) });
      worker.postMessage({ id, ...body } as WorkerRequest);
      ringEventFd(this.#controlFd);
    });
  }

  /** Counters of store and session, now; after the server has stopped, the last ones. */
  async stats(): Promise<StoreStats> {
    if (this.#gone !== undefined && this.#last !== undefined) return this.#last;
    return this.#request({ kind: 'stats' });
  }

  /** Bounds the pages held; those beyond stay, and no more are taken until they have gone. */
  async setQuota(pages: number): Promise<void> {
    if (!(pages >= 0)) throw new RangeError(`quota of ${pages} pages: it must be 0 or more`);
    await this.#request({ kind: 'quota', pages });
  }

  /** Makes the guest refuse every put by itself (true), or lets it put again. */
  async refusePuts(refuse: boolean): Promise<void> {
    await this.#request({ kind: 'refuse', refuse });
  }

  /** The QEMU arguments that connect a guest to this server. */
  qemuArguments(): string[] {
    const { chardevs, devices } = storeDevices(this);
    return [
      ...chardevs.flatMap((chardev) => ['-chardev', formatOption(chardev, 'backend')]),
      ...devices.flatMap((device) => ['-device', formatOption(device, 'driver')]),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup[Symbol.asyncDispose]();
  }
}
