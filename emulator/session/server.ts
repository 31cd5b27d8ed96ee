/**
 * The host side of one guest, whole: the socket that its QEMU connects to, and shared memory,
 * eventfds and the store's process, which it supervises. A machine that goes takes the latter
 * along; the next one finds others.
 *
 * `TmemServer.start` makes everything and `await using` (or disposing it) takes everything down in
 * reverse, however far the start got. It owns every descriptor; a store has copies of its own.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { formatOption } from '@qemu-tmem/qmp';
import { Lifetime } from '../lifetime.js';
import { needDescriptors } from '../native/descriptors.js';
import { any, type Checks, called, checkOptions, oneOf, text, whole } from '../option-check.js';
import { type PolicySpec, parsePolicy } from '../policy/put-policy.js';
import { computeGeometry, type Geometry, regionBytesFor } from '../protocol/geometry.js';
import { checkQuota, isQuota, QUOTA } from '../store/quota.js';
import { listenIvshmem } from '../transport/ivshmem-server.js';
import { type ClientEvents, SocketServer } from '../transport/socket-server.js';
import { storeDevices, TRANSPORTS, type Transport } from '../transport/transports.js';
import { HostLife, type HostLifeOptions } from './host-life.js';
import { LineLimit } from './line-limit.js';
import type { StoreStats } from './messages.js';
import { SpareStore } from './spare-store.js';
import { FORK_DESCRIPTORS } from './store-child.js';
import { StoreGoneError, type StoreProcess, type StoreProcessOptions } from './store-process.js';

export { StoreGoneError } from './store-process.js';

export interface TmemServerOptions {
  /** Path of the UNIX socket that QEMU's chardev connects to; at most 107 bytes. */
  readonly socketPath: string;
  /** Default ivshmem. */
  readonly transport?: Transport;
  /**
   * Bytes of memory for pages (shared with the guest over ivshmem), a power of two from 1 MiB to
   * 4 GiB; default: what `quotaPages` needs, 512 MiB where there is no quota. A guest can touch all
   * of it, whatever the quota is. Used as pages come, unless the system forbids to promise more
   * memory than it has (vm.overcommit_memory=2).
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
   * Milliseconds without a sign of life, from 100 up, after which a store is killed and another
   * takes over; 0: never. Default 5000. Time that it waits for a CPU does not count.
   */
  readonly hangMs?: number;
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
/** Less says nothing: a store turns as often as a busy machine lets it. */
const HANG_MS_MIN = 100;
/** A starved store is not one that hangs (watch.ts), so this need not be long. */
const DEFAULT_HANG_MS = 5000;
/** Until it is tried again to make what the next machine needs. */
const RENEW_MS = 200;
/** For a request to wait for that. */
const RENEW_MS_MAX = 2000;

const CHECKS: Checks<TmemServerOptions> = {
  socketPath: text,
  transport: oneOf(TRANSPORTS),
  // These three say GEOMETRY_INVALID.
  regionBytes: any,
  queueCount: any,
  queueEntries: any,
  shmDir: text,
  quotaPages: (pages) => (isQuota(pages) ? undefined : QUOTA),
  policy: text,
  spinMicros: whole(0, 1_000_000),
  hangMs: (ms) => (ms === 0 ? undefined : whole(HANG_MS_MIN, 3_600_000)(ms)),
  onEvent: called,
};

/**
 * Checks the options. How they lay the memory out: as a quota needs it unless a size is given.
 * @throws TmemError (OPTION_INVALID), GeometryError
 */
function geometryOf(options: TmemServerOptions): Geometry {
  checkOptions('TmemServer.start', options, CHECKS);
  const queues = {
    queueCount: options.queueCount ?? DEFAULT_QUEUE_COUNT,
    queueEntries: options.queueEntries ?? DEFAULT_QUEUE_ENTRIES,
  };
  const { quotaPages = Number.POSITIVE_INFINITY } = options;
  const needed =
    quotaPages === Number.POSITIVE_INFINITY
      ? DEFAULT_REGION_BYTES
      : regionBytesFor(quotaPages, queues);
  return computeGeometry({ ...queues, regionBytes: options.regionBytes ?? needed });
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
  #lifeOptions: HostLifeOptions | undefined;
  #spare: SpareStore | undefined;
  /** Of the machine that is here, or of the next one. */
  #life: HostLife | undefined;
  /** From one machine's end until there is a life for the next. */
  #renewing: Promise<void> = Promise.resolve();
  #isStopping = false;
  /** Closes the link's socket. */
  #hangUp: () => void = () => {};
  #last: StoreStats | undefined;

  private constructor(options: TmemServerOptions, { queueCount, regionBytes }: Geometry) {
    this.socketPath = options.socketPath;
    this.transport = options.transport ?? 'ivshmem';
    this.vectors = queueCount;
    this.regionBytes = regionBytes;
    this.#onEvent = options.onEvent ?? (() => {});
    this.#guestLines = new LineLimit(this.#onEvent);
    this.#cleanup.defer(() => this.#guestLines.tellLeftOut());
  }

  /**
   * Starts to serve. When this returns, QEMU may be started.
   * @throws TmemError (OPTION_INVALID), GeometryError, RegionError, SocketServerError, PolicyError,
   *   DescriptorLimitError
   */
  static async start(options: TmemServerOptions): Promise<TmemServer> {
    const geometry = geometryOf(options);
    parsePolicy(options.policy ?? 'accept');
    needDescriptors(OWN_DESCRIPTORS + geometry.queueCount, 'a store');
    const server = new TmemServer(options, geometry);
    try {
      await server.#start(options, geometry);
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(options: TmemServerOptions, geometry: Geometry): Promise<void> {
    const onEvent = (line: string): void => this.#guestLines.say(line);
    this.#spare = this.#cleanup.use(new SpareStore(onEvent));
    this.#lifeOptions = {
      transport: this.transport,
      policy: options.policy ?? 'accept',
      quotaPages: options.quotaPages ?? Number.POSITIVE_INFINITY,
      spinMicros: options.spinMicros ?? DEFAULT_SPIN_MICROS,
      geometry,
      ...(options.shmDir === undefined ? {} : { shmDir: options.shmDir }),
      spare: this.#spare,
      hangMs: options.hangMs ?? DEFAULT_HANG_MS,
      onMessage: (message) => this.#receive(message),
      onEvent,
    };
    this.#life = await HostLife.begin(this.#lifeOptions);
    this.#cleanup.defer(() => this.#endLife());
    this.#spare.fill();
    if (this.transport === 'ivshmem') await this.#listenForMemory();
    else await this.#listenForLink();
  }

  async #endLife(): Promise<void> {
    this.#isStopping = true;
    await this.#renewing;
    await this.stats().catch(() => {});
    await this.#life?.[Symbol.asyncDispose]();
  }

  #clientEvents(): Required<ClientEvents> {
    return {
      onConnect: (client) => {
        this.#guestLines.say(`QEMU connected as peer ${client}`);
        this.#spare?.fill();
      },
      onDisconnect: (client) => {
        this.#guestLines.say(`QEMU, peer ${client}, disconnected`);
        this.#renewing = this.#renew();
        return this.#renewing;
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

  /**
   * Ends the life that a machine has left, and begins one for the next machine, which waits until
   * there is room for it.
   */
  async #renew(): Promise<void> {
    const life = this.#life!;
    const legacy = await life.end();
    for (let tries = 0; !this.#isStopping; tries += 1) {
      try {
        this.#life = await HostLife.begin({ ...this.#lifeOptions!, legacy });
        return;
      } catch (error) {
        if (tries === 0) {
          const why = (error as Error).message;
          this.#onEvent(`no other machine can be served yet (${why}): trying again`);
        }
        await delay(RENEW_MS);
      }
    }
  }

  async #listenForMemory(): Promise<void> {
    const life = (): HostLife => this.#life!;
    this.#cleanup.use(
      await listenIvshmem({
        socketPath: this.socketPath,
        get memoryFd() {
          return life().memoryFd;
        },
        get hostEventFd() {
          return life().doorbellFd;
        },
        get guestEventFds() {
          return life().vectorFds;
        },
        ...this.#clientEvents(),
      }),
    );
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

  #receive(message: Parameters<StoreProcessOptions['onMessage']>[0]): void {
    if ('linkEnded' in message) this.#hangUp();
    else this.#guestLines.say(`the guest broke the protocol and is cut off: ${message.fault}`);
  }

  /** Asks the store; what the end of a machine cuts off is asked of the next one's. */
  async #request(...request: Parameters<StoreProcess['request']>): Promise<StoreStats> {
    for (;;) {
      const life = this.#life;
      if (life === undefined) throw new StoreGoneError('the store never started');
      try {
        this.#last = await life.store.request(...request);
        return this.#last;
      } catch (error) {
        if (!(error instanceof StoreGoneError) || request[0].kind === 'link') throw error;
        await Promise.race([this.#renewing, delay(RENEW_MS_MAX, undefined, { ref: false })]);
        if (this.#life === life) throw error;
      }
    }
  }

  /** Process that serves now; undefined for a moment while another one takes over. */
  get storePid(): number | undefined {
    return this.#life?.store.pid;
  }

  /** All processes of the store: the one that serves or is about to, and the spare one. */
  get storePids(): number[] {
    return [this.#life?.store.childPid, this.#spare?.pid].filter((pid) => pid !== undefined);
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
    checkQuota(pages);
    await this.#request({ kind: 'quota', pages });
    this.#lifeOptions = { ...this.#lifeOptions!, quotaPages: pages };
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
