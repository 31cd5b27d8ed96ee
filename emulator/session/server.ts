/**
 * The host side of one guest, whole: shared memory, eventfds, the ivshmem server and the store's
 * process, which it supervises.
 *
 * `TmemServer.start` makes everything and `await using` (or disposing it) takes everything down in
 * reverse, however far the start got. It owns every descriptor; the store only borrows them.
 */
import { randomInt } from 'node:crypto';
import { formatOption } from '@qemu-tmem/qmp';
import { Lifetime } from '../lifetime.js';
import { needDescriptors } from '../native/descriptors.js';
import { closeFd, eventFd, mapShared, unmap } from '../native/libc.js';
import { type PolicySpec, parsePolicy } from '../policy/put-policy.js';
import { computeGeometry, type Geometry } from '../protocol/geometry.js';
import { PAGE_BYTES } from '../protocol/layout.js';
import { listenIvshmem } from '../transport/ivshmem-server.js';
import { RegionFile, SharedRegion } from '../transport/region.js';
import { type ClientEvents, SocketServer } from '../transport/socket-server.js';
import { storeDevices, type Transport } from '../transport/transports.js';
import { LineLimit } from './line-limit.js';
import type { StoreSetup, StoreStats } from './messages.js';
import { Count } from './session-counters.js';
import { SessionRecord } from './session-record.js';
import { recordOffset, storeStateBytes } from './state-file.js';
import { FORK_DESCRIPTORS } from './store-child.js';
import { StoreGoneError, StoreProcess, type StoreProcessOptions } from './store-process.js';

export { StoreGoneError } from './store-process.js';

export interface TmemServerOptions {
  /** Path of the UNIX socket that QEMU's chardev connects to; at most 107 bytes. */
  readonly socketPath: string;
  /** Default ivshmem. */
  readonly transport?: Transport;
  /**
   * Bytes of memory for pages (shared with the guest over ivshmem), a power of two from 1 MiB to
   * 4 GiB; default 512 MiB. Used as pages come, unless the system forbids to promise more memory
   * than it has (vm.overcommit_memory=2).
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
  /**
   * Called once for each event that a person may want to know of; a guest can cause only so many.
   */
  readonly onEvent?: (line: string) => void;
}

const DEFAULT_REGION_BYTES = 512 * 1024 * 1024;
/** Queues, and so interrupt vectors, where the options name none. */
export const DEFAULT_QUEUE_COUNT = 4;
const DEFAULT_QUEUE_ENTRIES = 1024;
const DEFAULT_SPIN_MICROS = 100;
/** Memory, eventfds, socket and client, two processes of the store: all but an eventfd a queue. */
const OWN_DESCRIPTORS = 8 + 2 * FORK_DESCRIPTORS;
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
  /** What a guest, or who connects in its place, can cause. */
  readonly #guestLines: LineLimit;
  #store: StoreProcess | undefined;
  /** Closes the link's socket. */
  #hangUp: () => void = () => {};
  #last: StoreStats | undefined;

  private constructor(options: TmemServerOptions, vectors: number) {
    this.socketPath = options.socketPath;
    this.transport = options.transport ?? 'ivshmem';
    this.vectors = vectors;
    this.regionBytes = options.regionBytes ?? DEFAULT_REGION_BYTES;
    this.#onEvent = options.onEvent ?? (() => {});
    this.#guestLines = new LineLimit(this.#onEvent);
    this.#cleanup.defer(() => this.#guestLines.tellLeftOut());
  }

  /**
   * Starts to serve. When this returns, QEMU may be started.
   * @throws GeometryError, RegionError, SocketServerError, PolicyError, DescriptorLimitError
   */
  static async start(options: TmemServerOptions): Promise<TmemServer> {
    const geometry = computeGeometry({
      regionBytes: options.regionBytes ?? DEFAULT_REGION_BYTES,
      queueCount: options.queueCount ?? DEFAULT_QUEUE_COUNT,
      queueEntries: options.queueEntries ?? DEFAULT_QUEUE_ENTRIES,
    });
    parsePolicy(options.policy ?? 'accept');
    needDescriptors(OWN_DESCRIPTORS + geometry.queueCount, 'a store');
    const server = new TmemServer(options, geometry.queueCount);
    try {
      await server.#start(options, geometry);
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  #ownedEventFd(): number {
    return this.#cleanup.adopt(eventFd(), closeFd);
  }

  async #start(options: TmemServerOptions, geometry: Geometry): Promise<void> {
    const { queueEntries, slotCount } = geometry;
    const region = this.#cleanup.use(RegionFile.create(this.regionBytes, options.shmDir));
    const doorbellFd = this.#ownedEventFd();
    const state = this.#cleanup.use(RegionFile.create(storeStateBytes(slotCount), undefined, true));
    const vectorFds = Array.from({ length: this.vectors }, () => this.#ownedEventFd());
    const doneSoFar = this.#countDone(state.fd, slotCount);
    const setup: StoreSetup = {
      transport: this.transport,
      regionFd: region.fd,
      regionBytes: this.regionBytes,
      queueCount: this.vectors,
      queueEntries,
      doorbellFd,
      controlFd: this.#ownedEventFd(),
      stateFd: state.fd,
      takeOver: false,
      vectorFds,
      policy: options.policy ?? 'accept',
      quotaPages: options.quotaPages ?? Number.POSITIVE_INFINITY,
      hostEpoch: newEpoch(),
      spinMicros: options.spinMicros ?? DEFAULT_SPIN_MICROS,
    };
    await this.#startStore(setup, doneSoFar);
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
      onConnect: (client) => this.#guestLines.say(`QEMU connected as peer ${client}`),
      onDisconnect: (client) => {
        this.#guestLines.say(`QEMU, peer ${client}, disconnected`);
        return this.#request({ kind: 'restart', hostEpoch: newEpoch() });
      },
      onRefused: (reason) => this.#guestLines.say(`a connection was refused: ${reason}`),
      onDescriptors: (areLeft) =>
        this.#onEvent(
          areLeft
            ? 'there are descriptors again: a machine may connect'
            : 'no descriptor is left (ulimit -n): a machine that connects now is dropped',
        ),
    };
  }

  /** The worker reads and writes the link's socket; it lets go of it before it is closed. */
  async #listenForLink(): Promise<void> {
    const server = await SocketServer.listen({
      socketPath: this.socketPath,
      readElsewhere: () => this.#request({ kind: 'stats' }),
      greet: (fd, _client, handle) => {
        this.#request({ kind: 'link', fd }, handle).catch(() => {});
      },
      ...this.#clientEvents(),
    });
    this.#hangUp = () => server.hangUp();
    this.#cleanup.use(server);
    this.#cleanup.defer(() => this.#request({ kind: 'link', fd: -1 }).catch(() => {}));
  }

  /** `doneSoFar` of StoreProcessOptions, from the counters in the state file. */
  #countDone(stateFd: number, slotCount: number): () => number {
    const state = this.#cleanup.adopt(mapShared(stateFd, storeStateBytes(slotCount)), unmap);
    const { counters } = new SessionRecord(state.buffer, recordOffset(slotCount));
    return () => counters[Count.operations]! + counters[Count.sleeps]!;
  }

  async #startStore(setup: StoreSetup, doneSoFar: () => number): Promise<void> {
    const region = this.#cleanup.use(SharedRegion.map(setup.regionFd, PAGE_BYTES));
    this.#store = this.#cleanup.use(
      await StoreProcess.start({
        setup,
        region,
        onMessage: (message) => this.#receive(message),
        onEvent: this.#onEvent,
        doneSoFar,
      }),
    );
    this.#cleanup.defer(async () => {
      await this.stats().catch(() => {});
    });
  }

  #receive(message: Parameters<StoreProcessOptions['onMessage']>[0]): void {
    if ('linkEnded' in message) this.#hangUp();
    else this.#guestLines.say(`the guest broke the protocol and is cut off: ${message.fault}`);
  }

  async #request(...request: Parameters<StoreProcess['request']>): Promise<StoreStats> {
    if (this.#store === undefined) throw new StoreGoneError('the store never started');
    this.#last = await this.#store.request(...request);
    return this.#last;
  }

  /** Process that serves now; undefined for a moment while another one takes over. */
  get storePid(): number | undefined {
    return this.#store?.pid;
  }

  /** All processes of the store: the one that serves or is about to, and the spare one. */
  get storePids(): number[] {
    return this.#store?.pids ?? [];
  }

  /** Counters of store and session, now; once the store is gone, the last ones. */
  async stats(): Promise<StoreStats> {
    try {
      return await this.#request({ kind: 'stats' });
    } catch (error) {
      if (this.#last === undefined || !(error instanceof StoreGoneError)) throw error;
      return this.#last;
    }
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
