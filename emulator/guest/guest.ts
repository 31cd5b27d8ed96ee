/**
 * A guest that runs: QEMU, the agent in it, and the store that holds its swap.
 *
 * `bootGuest` makes all of it in order and gives back a Guest, whose disposal takes everything
 * down in reverse: no process, socket, file or shared memory is left, also when the boot fails
 * half-way or is aborted. The Guest owns its run folder, machine, agent and server.
 */
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Machine, type QmpClient } from '@qemu-tmem/qmp';
import type {
  ExecOptions,
  ExecResult,
  GuestAgent,
  GuestProcess,
  Kernel,
  Progress,
  UserKernel,
} from '../../images/index.js';
import { codeOf, TmemError } from '../errors.js';
import { Lifetime } from '../lifetime.js';
import { DEFAULT_QUEUE_COUNT, TmemServer, type TmemServerOptions } from '../session/server.js';
import type { StoreAddress } from '../transport/transports.js';
import { type Accelerator, type AcceleratorChoice, chooseAccelerator } from './accelerator.js';
import { makeAssets } from './assets.js';
import { BOOT_MS_DEFAULT, connectAgent } from './connect.js';
import { COUNTERS_COMMAND, type GuestCounters, readCounters } from './counters.js';
import { DATA_MODULES, makeDataDisk, mountCommand } from './data-disk.js';
import { type FailurePlace, failure, failurePlace, keepFailure, vanished } from './failure.js';
import { chooseFrontEnds, type FrontEnd, type FrontEndChoice, hookArguments } from './front-end.js';
import { type GuestMachineOptions, guestCommand, guestMachineSpec } from './machine.js';
import { defaultCacheDir, RunDir } from './paths.js';
import { SWAP_MODULES, type SwapKind, type SwapPlan, swapCommands } from './swap.js';
import { outOfTime } from './watched.js';

export interface GuestOptions {
  /**
   * A name from `kernelCatalogue()`, or the user's own bzImage and build folder; default
   * debian-6.1.
   */
  readonly kernel?: string | UserKernel;
  /** Patch files for a `source-` kernel, in the order in which they apply. */
  readonly kernelPatches?: readonly string[];
  /** Default 256. */
  readonly memoryMib?: number;
  /** Default 1. */
  readonly cpus?: number;
  /** Default auto: KVM where it works, else TCG. */
  readonly accel?: AcceleratorChoice;
  /** Default tmem. */
  readonly swap?: SwapKind;
  /** Who hands pages to the module, with swap tmem; default auto: the kernel's swap hook. */
  readonly frontEnd?: FrontEndChoice;
  /** Sizes of the swap disks in MiB; default one of 1024. They are sparse files. */
  readonly swapDisksMib?: readonly number[];
  /** MiB of an ext4 file system on a further disk, mounted on /data; default none. */
  readonly dataMib?: number;
  /** Where the disks lie; default the run's folder in the system's temporary directory. */
  readonly diskDir?: string;
  /** The store that holds the pages; see TmemServerOptions. */
  readonly store?: Omit<TmemServerOptions, 'socketPath'>;
  /**
   * Stands between QEMU and the store, to watch or disturb them: is given the store's socket, and
   * gives the one that QEMU connects to. The guest disposes it.
   */
  readonly between?: (storeSocket: string) => Promise<StoreProxy>;
  /** `name=value` parameters of the guest module, such as `posted_puts=1`. */
  readonly moduleParameters?: readonly string[];
  /** Host programs (with their libraries), files or folders to take into the guest. */
  readonly with?: readonly string[];
  /** Further words for the kernel's command line. */
  readonly kernelArguments?: readonly string[];
  readonly cacheDir?: string;
  readonly mirror?: string;
  /**
   * Where the logs of a guest that fails are kept, each in a folder of its own; default `failures` in
   * the cache, which keeps the newest.
   */
  readonly keepDir?: string;
  /** Is given what the guest writes to its console, as it comes. Its bytes are the guest's. */
  readonly onConsole?: (chunk: Buffer) => void;
  /** Until the agent answers, milliseconds; default 60 000. */
  readonly bootTimeoutMs?: number;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

/** Listens at a path before its promise is kept. */
export interface StoreProxy extends AsyncDisposable {
  readonly socketPath: string;
}

/** Seconds that the parts of a boot took. */
export interface BootSeconds {
  readonly prepare: number;
  readonly boot: number;
  readonly swap: number;
}

const DEFAULT_KERNEL = 'debian-6.1';
const SETUP_MS_MAX = 60_000;
const COUNTERS_MS_MAX = 60_000;
const DEFAULT_SWAP_DISKS_MIB: readonly number[] = [1024];
/** For a guest that is alive to say which life it is in, and between two questions. */
const LIFE_MS_MAX = 2000;
const LIFE_LOOK_MS = 50;

/** What a guest is made of, before QEMU runs. */
interface Plan {
  readonly runDir: RunDir;
  readonly kernel: Kernel;
  readonly machine: GuestMachineOptions;
  readonly swap: SwapPlan;
  readonly failures: FailurePlace;
}

function makeDisks(directory: string, sizesMib: readonly number[]): string[] {
  return sizesMib.map((mib, disk) => {
    const path = join(directory, `tmem-swap-${process.pid}-${disk}.raw`);
    writeFileSync(path, '');
    truncateSync(path, mib * 2 ** 20);
    return path;
  });
}

async function plan(options: GuestOptions, lifetime: Lifetime): Promise<Plan> {
  const say = options.progress ?? (() => {});
  const kind = options.swap ?? 'tmem';
  const disksMib = options.swapDisksMib ?? DEFAULT_SWAP_DISKS_MIB;
  const runDir = lifetime.use(new RunDir());
  const assets = await makeAssets(
    {
      kernel: options.kernel ?? DEFAULT_KERNEL,
      cacheDir: options.cacheDir ?? defaultCacheDir(),
      ...(options.mirror === undefined ? {} : { mirror: options.mirror }),
      patches: options.kernelPatches ?? [],
      progress: say,
      with: options.with ?? [],
      modules: [...SWAP_MODULES[kind], ...(options.dataMib === undefined ? [] : DATA_MODULES)],
    },
    runDir,
  );
  options.signal?.throwIfAborted();
  const choice = options.accel ?? 'auto';
  const accelerator = await chooseAccelerator(choice, assets.bootImage, runDir, say);
  const diskDir =
    options.diskDir === undefined ? runDir : lifetime.use(new RunDir(options.diskDir));
  const machine: GuestMachineOptions = {
    accelerator,
    memoryMib: options.memoryMib ?? 256,
    cpus: options.cpus ?? 1,
    kernelImage: assets.bootImage,
    initramfs: assets.initramfs,
    logDir: runDir.path,
    consolePath: runDir.file('console.log'),
    agentSocket: runDir.file('agent.sock'),
    disks: [
      ...(await diskDir.fill(() => makeDisks(diskDir.path, disksMib))),
      ...(options.dataMib === undefined ? [] : [makeDataDisk(diskDir.path, options.dataMib)]),
    ],
    kernelArguments: [...hookArguments(assets.kernel), ...(options.kernelArguments ?? [])],
  };
  const swap: SwapPlan = {
    kind,
    disks: disksMib.length,
    zramMib: disksMib.reduce((sum, mib) => sum + mib, 0),
    frontEnds: chooseFrontEnds(assets.kernel, options.frontEnd ?? 'auto'),
    transport: options.store?.transport ?? 'ivshmem',
    moduleParameters: options.moduleParameters ?? [],
  };
  const failures = failurePlace(options.keepDir, options.cacheDir ?? defaultCacheDir());
  return { runDir, kernel: assets.kernel, machine, swap, failures };
}

/** Where the store listens for the guest's QEMU; undefined for a guest that has no store. */
function storeSocket({ runDir, swap }: Plan): string | undefined {
  return swap.kind === 'tmem' || swap.kind === 'none' ? runDir.file('store.sock') : undefined;
}

function withStore(
  machine: GuestMachineOptions,
  store: StoreAddress | undefined,
): GuestMachineOptions {
  return store === undefined ? machine : { ...machine, store };
}

/** Prepares everything and gives the exact QEMU command, which nothing then runs. */
export async function planGuest(options: GuestOptions = {}): Promise<string> {
  await using lifetime = new Lifetime();
  const planned = await plan(options, lifetime);
  const socketPath = storeSocket(planned);
  const vectors = options.store?.queueCount ?? DEFAULT_QUEUE_COUNT;
  const transport = options.store?.transport ?? 'ivshmem';
  const store = socketPath === undefined ? undefined : { transport, socketPath, vectors };
  return guestCommand(withStore(planned.machine, store));
}

async function startStore(
  options: GuestOptions,
  planned: Plan,
  lifetime: Lifetime,
): Promise<TmemServer | undefined> {
  const socketPath = storeSocket(planned);
  if (socketPath === undefined) return undefined;
  return lifetime.use(await TmemServer.start({ ...options.store, socketPath }));
}

/** Where QEMU connects to: the store, or what stands before it. */
async function addressFor(
  { between }: GuestOptions,
  store: TmemServer | undefined,
  lifetime: Lifetime,
): Promise<StoreAddress | undefined> {
  if (store === undefined || between === undefined) return store;
  const { socketPath } = lifetime.use(await between(store.socketPath));
  return { transport: store.transport, vectors: store.vectors, socketPath };
}

/**
 * Boots a guest and sets its swap up.
 * @throws TmemError (GUEST_BOOT_FAILED, GUEST_BOOT_TIMEOUT, GUEST_PANICKED, GUEST_VANISHED,
 *   GUEST_HUNG, GUEST_SETUP_FAILED, ACCEL_UNAVAILABLE, RUN_DIR_UNUSABLE), ImagesError,
 *   MachineLaunchError, the server's errors, or the signal's reason
 */
export async function bootGuest(options: GuestOptions = {}): Promise<Guest> {
  const lifetime = new Lifetime();
  try {
    const clock = performance.now();
    const planned = await plan(options, lifetime);
    const store = await startStore(options, planned, lifetime);
    options.signal?.throwIfAborted();
    const address = await addressFor(options, store, lifetime);
    const machineOptions = withStore(planned.machine, address);
    const prepared = performance.now();
    options.progress?.(
      `booting Linux ${planned.kernel.release} under ${machineOptions.accelerator}`,
    );
    const { onConsole } = options;
    const hearing = onConsole === undefined ? {} : { onConsole };
    const machine = lifetime.use(await Machine.launch(guestMachineSpec(machineOptions), hearing));
    const where = { agentSocket: machineOptions.agentSocket, failures: planned.failures };
    const agent = lifetime.use(await connectAgent(machine, where, options));
    const booted = performance.now();
    const guest = new Guest({
      lifetime,
      machine,
      machineOptions,
      failures: planned.failures,
      agent,
      kernel: planned.kernel,
      frontEnds: planned.swap.kind === 'tmem' ? planned.swap.frontEnds : ['none'],
      store,
      bootTimeoutMs: options.bootTimeoutMs ?? BOOT_MS_DEFAULT,
    });
    await setUp(guest, swapCommands(planned.swap), options.signal);
    if (options.dataMib !== undefined) {
      await setUp(guest, mountCommand(planned.swap.disks), options.signal);
    }
    const seconds = {
      prepare: (prepared - clock) / 1000,
      boot: (booted - prepared) / 1000,
      swap: (performance.now() - booted) / 1000,
    };
    guest.bootSeconds = seconds;
    return guest;
  } catch (error) {
    await lifetime[Symbol.asyncDispose]();
    options.signal?.throwIfAborted();
    throw error;
  }
}

/** A module that does not come back from its loading is a finding, too. */
async function setUp(guest: Guest, command: string, signal?: AbortSignal): Promise<void> {
  try {
    await guest.sh(command, {
      timeoutMs: SETUP_MS_MAX,
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    if (codeOf(error) !== 'AGENT_TIMEOUT') throw error;
    throw await outOfTime(guest, `the guest was not set up within ${SETUP_MS_MAX / 1000} s`);
  }
}

interface GuestParts {
  readonly lifetime: Lifetime;
  readonly machine: Machine;
  readonly machineOptions: GuestMachineOptions;
  readonly failures: FailurePlace;
  readonly agent: GuestAgent;
  readonly kernel: Kernel;
  readonly frontEnds: readonly FrontEnd[];
  readonly store: TmemServer | undefined;
  readonly bootTimeoutMs: number;
}

export class Guest implements AsyncDisposable {
  readonly kernel: Kernel;
  /** Who hands pages to the module; `none` where it is not in the path. */
  readonly frontEnds: readonly FrontEnd[];
  readonly machine: Machine;
  /** The server that holds the guest's pages; undefined where swap is a disk or zram. */
  readonly store: TmemServer | undefined;
  readonly accelerator: Accelerator;
  /** Where its logs are kept should it fail. */
  readonly failures: FailurePlace;
  bootSeconds: BootSeconds = { prepare: 0, boot: 0, swap: 0 };
  readonly #lifetime: Lifetime;
  readonly #machineOptions: GuestMachineOptions;
  readonly #bootTimeoutMs: number;
  #agent: GuestAgent;

  constructor(parts: GuestParts) {
    this.kernel = parts.kernel;
    this.frontEnds = parts.frontEnds;
    this.machine = parts.machine;
    this.#agent = parts.agent;
    this.store = parts.store;
    this.accelerator = parts.machineOptions.accelerator;
    this.failures = parts.failures;
    this.#lifetime = parts.lifetime;
    this.#machineOptions = parts.machineOptions;
    this.#bootTimeoutMs = parts.bootTimeoutMs;
    this.#lifetime.defer(() => this.#agent.close());
  }

  /** Of the life that the guest is in. */
  get agent(): GuestAgent {
    return this.#agent;
  }

  get cpus(): number {
    return this.#machineOptions.cpus;
  }

  get memoryMib(): number {
    return this.#machineOptions.memoryMib;
  }

  get qmp(): QmpClient {
    return this.machine.qmp;
  }

  /** The QEMU command, shell-quoted, without the monitor that this process holds. */
  get command(): string {
    return guestCommand(this.#machineOptions);
  }

  /**
   * Runs a command with the guest's /bin/sh and waits for its end. A code other than 0 is no error.
   * @throws TmemError (GUEST_PANICKED, GUEST_VANISHED) when the guest goes meanwhile; ImagesError
   * (AGENT_TIMEOUT, ...)
   */
  async exec(command: string, options?: ExecOptions): Promise<ExecResult> {
    try {
      return await this.agent.exec(command, options);
    } catch (error) {
      if (codeOf(error) !== 'AGENT_GONE') throw error;
      throw await this.gone(error);
    }
  }

  /** What became of the guest when its agent went away. */
  gone(cause: unknown): Promise<TmemError> {
    return vanished(this.machine, this.failures, true, cause);
  }

  /** Runs a command that must succeed, and gives its standard output. */
  async sh(command: string, options?: ExecOptions): Promise<string> {
    const result = await this.exec(command, options);
    if (result.code === 0) return result.stdout;
    const log = await this.dmesg();
    throw failure(
      'GUEST_SETUP_FAILED',
      `a command failed in the guest (exit ${result.code}): ${command}\n${result.stderr}` +
        `its kernel log ends:\n${log.split('\n').slice(-8).join('\n')}`,
      keepFailure(this.machine, this.failures, { 'dmesg.log': log }),
    );
  }

  /** Starts a command; its streams and exit code come as they do. */
  spawn(command: string): GuestProcess {
    return this.agent.spawn(command);
  }

  /** The guest's whole kernel log. */
  async dmesg(): Promise<string> {
    return (await this.exec('dmesg', { timeoutMs: COUNTERS_MS_MAX })).stdout;
  }

  /** The guest kernel's and the module's counters. */
  async counters(): Promise<GuestCounters> {
    const { stdout } = await this.exec(COUNTERS_COMMAND, { timeoutMs: COUNTERS_MS_MAX });
    return readCounters(stdout);
  }

  /**
   * Ends this life of the guest's, by the machine's reset button or by a command that has the kernel
   * begin again, and waits for the next one's agent. Nothing is set up in it: no module, no swap.
   * @throws TmemError (GUEST_BOOT_TIMEOUT, GUEST_BOOT_FAILED)
   */
  async beginAgain(command?: string): Promise<void> {
    const ended = await this.#life();
    const deadline = performance.now() + this.#bootTimeoutMs;
    await this.qmp.execute('set-action', { reboot: 'reset' });
    if (command === undefined) await this.qmp.execute('system_reset');
    else this.#agent.spawn(command);
    for (;;) {
      const life = await this.#life().catch(() => undefined);
      if (life !== undefined && life !== ended) break;
      const bootTimeoutMs = Math.ceil(deadline - performance.now());
      if (bootTimeoutMs <= 0) throw new TmemError('GUEST_BOOT_TIMEOUT', 'no other life began');
      if (life === ended) {
        await delay(LIFE_LOOK_MS);
        continue;
      }
      // The next life's agent answers nobody who has not greeted it.
      await this.#agent.close();
      const where = { agentSocket: this.#machineOptions.agentSocket, failures: this.failures };
      this.#agent = await connectAgent(this.machine, where, { bootTimeoutMs });
    }
    // From here on a panic ends the machine again.
    await this.qmp.execute('set-action', { reboot: 'shutdown' });
  }

  /** A name for the life that the guest is in. */
  async #life(): Promise<string> {
    const command = 'cat /proc/sys/kernel/random/boot_id';
    return (await this.#agent.exec(command, { timeoutMs: LIFE_MS_MAX })).stdout;
  }

  /** The last lines of the guest's console. */
  consoleTail(lines: number): string {
    return this.machine.consoleTail(lines);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }
}
