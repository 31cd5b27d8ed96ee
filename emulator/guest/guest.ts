/**
 * A guest that runs: QEMU, the agent in it, and the store that holds its swap.
 *
 * `bootGuest` makes all of it in order and gives back a Guest, whose disposal takes everything
 * down in reverse: no process, socket, file or shared memory is left, also when the boot fails
 * half-way or is aborted. The Guest owns its run folder, machine, agent and server.
 */
import { truncateSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Machine, type QmpClient } from '@qemu-tmem/qmp';
import type {
  ExecOptions,
  ExecResult,
  GuestAgent,
  GuestProcess,
  Kernel,
  StartOptions,
} from '../../images/index.js';
import { codeOf, type TmemError } from '../errors.js';
import { Lifetime } from '../lifetime.js';
import { DEFAULT_QUEUE_COUNT, TmemServer } from '../session/server.js';
import type { StoreAddress } from '../transport/transports.js';
import { type Accelerator, chooseAccelerator } from './accelerator.js';
import { makeAssets } from './assets.js';
import { BOOT_MS_DEFAULT, connectAgent, reachAgent } from './connect.js';
import { COUNTERS_COMMAND, type GuestCounters, readCounters } from './counters.js';
import { DATA_MODULES, makeDataDisk } from './data-disk.js';
import { moveFiles, requireCached } from './dry-run.js';
import {
  bootTimeout,
  type FailurePlace,
  failure,
  failurePlace,
  keepFailure,
  vanished,
} from './failure.js';
import { checkFolders, folderModules, sharedFolders } from './folders.js';
import { chooseFrontEnds, type FrontEnd, hookArguments } from './front-end.js';
import type { GuestOptions } from './guest-options.js';
import { checkGuestOptions } from './guest-options-check.js';
import { type GuestMachineOptions, guestCommand, guestMachineSpec } from './machine.js';
import { defaultCacheDir, RunDir } from './paths.js';
import { hasDataDisk, loadsModule, setupCommands, startOf } from './setup.js';
import { SWAP_MODULES, type SwapPlan } from './swap.js';
import { outOfTime } from './watched.js';

export type { GuestOptions, StoreProxy } from './guest-options.js';

/** Seconds that the parts of a boot took. */
export interface BootSeconds {
  readonly prepare: number;
  readonly boot: number;
  readonly swap: number;
}

const DEFAULT_KERNEL = 'debian-6.1';
const STORE_SOCKET = 'store.sock';
/** On a slow machine, without KVM. */
const BOOT_USUAL_MS = 15_000;
const SETUP_MS_MAX = 60_000;
const COUNTERS_MS_MAX = 60_000;
const DEFAULT_SWAP_DISKS_MIB: readonly number[] = [1024];
/**
 * For a guest that is asked which life it is in, and one that is greeted, to answer, the first
 * time. A question that the life which ends has taken in is answered by nobody: it is asked again,
 * each time for twice as long, so that a slow guest has the time that it needs.
 */
const LIFE_MS = 2000;
const LIFE_LOOK_MS = 50;
/** A name for the life that a kernel is in. */
const LIFE_COMMAND = 'cat /proc/sys/kernel/random/boot_id';

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

function dataDisk(options: GuestOptions, diskDir: RunDir): Promise<string> {
  const { dataMib: mib, dataFrom: from, signal } = options;
  return diskDir.fill(() => makeDataDisk({ directory: diskDir.path, mib, from, signal }));
}

async function plan(options: GuestOptions, lifetime: Lifetime): Promise<Plan> {
  checkGuestOptions(options);
  const say = options.progress ?? (() => {});
  const { swap: kind = 'tmem', frontEnd = 'auto', memoryMib = 256 } = options;
  const disksMib = options.swapDisksMib ?? DEFAULT_SWAP_DISKS_MIB;
  const folders = sharedFolders(options.shares ?? [], options.root === 'host');
  const runDir = lifetime.use(new RunDir());
  const assets = await makeAssets(
    {
      kernel: options.kernel ?? DEFAULT_KERNEL,
      cacheDir: options.cacheDir ?? defaultCacheDir(),
      ...(options.mirror === undefined ? {} : { mirror: options.mirror }),
      patches: options.kernelPatches ?? [],
      progress: say,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      with: options.with ?? [],
      moduleParameters: options.moduleParameters ?? [],
      modules: [
        ...SWAP_MODULES[kind],
        ...(hasDataDisk(options) ? DATA_MODULES : []),
        ...folderModules(folders),
        ...(options.kernelModules ?? []),
      ],
      memoryMib,
      check: (kernel) => checkFolders(kernel, folders),
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
    memoryMib,
    cpus: options.cpus ?? 1,
    kernelImage: assets.bootImage,
    initramfs: assets.initramfs,
    logDir: runDir.path,
    consolePath: runDir.file('console.log'),
    agentSocket: runDir.file('agent.sock'),
    disks: [
      ...(await diskDir.fill(() => makeDisks(diskDir.path, disksMib))),
      ...(hasDataDisk(options) ? [await dataDisk(options, diskDir)] : []),
    ],
    folders,
    kernelArguments: [...hookArguments(assets.kernel), ...(options.kernelArguments ?? [])],
    qemuArguments: options.qemuArguments ?? [],
  };
  const swap: SwapPlan = {
    kind,
    disks: disksMib.length,
    zramMib: disksMib.reduce((sum, mib) => sum + mib, 0),
    frontEnds: loadsModule(options) ? chooseFrontEnds(assets.kernel, frontEnd) : [],
    transport: options.store?.transport ?? 'ivshmem',
    moduleParameters: options.moduleParameters ?? [],
  };
  const failures = failurePlace(options.keepDir, options.cacheDir ?? defaultCacheDir());
  return { runDir, kernel: assets.kernel, machine, swap, failures };
}

/** Where the store listens for the guest's QEMU; undefined for a guest that has no store. */
function storeSocket({ runDir, swap }: Plan): string | undefined {
  return swap.kind === 'tmem' || swap.kind === 'none' ? runDir.file(STORE_SOCKET) : undefined;
}

function withStore(
  machine: GuestMachineOptions,
  store: StoreAddress | undefined,
): GuestMachineOptions {
  return store === undefined ? machine : { ...machine, store };
}

/**
 * The exact QEMU command that a guest would be started with. Nothing runs, and no kernel is fetched
 * or built: one that is not in the cache is an error.
 *
 * With `filesDir` what the command names is made there, and stays: the caller's to remove.
 * @throws TmemError (KERNEL_NOT_CACHED, RUN_DIR_UNUSABLE), and what making the files throws
 */
export async function planGuest(options: GuestOptions = {}, filesDir?: string): Promise<string> {
  await requireCached(options.kernel ?? DEFAULT_KERNEL, options.cacheDir ?? defaultCacheDir());
  await using lifetime = new Lifetime();
  const planned = await plan(options, lifetime);
  const folder = filesDir === undefined ? planned.runDir.path : resolve(filesDir);
  const machine = await moveFiles(planned, folder);
  const socketPath = storeSocket(planned) && join(folder, STORE_SOCKET);
  const vectors = options.store?.queueCount ?? DEFAULT_QUEUE_COUNT;
  const transport = options.store?.transport ?? 'ivshmem';
  const store = socketPath === undefined ? undefined : { transport, socketPath, vectors };
  return guestCommand(withStore(machine, store));
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
 * @throws TmemError (OPTION_INVALID, GUEST_BOOT_FAILED, GUEST_BOOT_TIMEOUT, GUEST_PANICKED,
 *   GUEST_VANISHED, GUEST_HUNG, GUEST_SETUP_FAILED, ACCEL_UNAVAILABLE, RUN_DIR_UNUSABLE),
 *   ImagesError, MachineLaunchError, the server's errors, or the signal's reason
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
      BOOT_USUAL_MS,
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
      frontEnds: loadsModule(options) ? planned.swap.frontEnds : ['none'],
      store,
      bootTimeoutMs: options.bootTimeoutMs ?? BOOT_MS_DEFAULT,
      start: startOf(options),
    });
    for (const command of setupCommands(options, planned.machine.folders, planned.swap)) {
      await setUp(guest, command, options.signal);
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
    await guest.setUp(command, signal);
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
  readonly start: StartOptions;
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
  readonly #start: StartOptions;
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
    this.#start = parts.start;
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
  exec(command: string, options?: ExecOptions): Promise<ExecResult> {
    return this.#exec(command, this.#started(options));
  }

  /** Runs a command that must succeed, and gives its standard output. */
  async sh(command: string, options?: ExecOptions): Promise<string> {
    return this.#succeed(command, await this.exec(command, options));
  }

  /** As `sh`, but in the guest's own root, for what is done before anybody's commands. */
  async setUp(command: string, signal?: AbortSignal): Promise<void> {
    const limits = { timeoutMs: SETUP_MS_MAX, ...(signal === undefined ? {} : { signal }) };
    await this.#succeed(command, await this.#exec(command, limits));
  }

  /** Starts a command; its streams and exit code come as they do. */
  spawn(command: string, options?: StartOptions): GuestProcess {
    return this.agent.spawn(command, this.#started(options));
  }

  /** The guest's whole kernel log. */
  async dmesg(): Promise<string> {
    return (await this.#exec('dmesg', { timeoutMs: COUNTERS_MS_MAX })).stdout;
  }

  /** The guest kernel's and the module's counters. */
  async counters(): Promise<GuestCounters> {
    const { stdout } = await this.#exec(COUNTERS_COMMAND, { timeoutMs: COUNTERS_MS_MAX });
    return readCounters(stdout);
  }

  async #exec(command: string, options: ExecOptions): Promise<ExecResult> {
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

  async #succeed(command: string, result: ExecResult): Promise<string> {
    if (result.code === 0) return result.stdout;
    const log = await this.dmesg();
    throw failure(
      'GUEST_SETUP_FAILED',
      `a command failed in the guest (exit ${result.code}): ${command}\n${result.stderr}` +
        `its kernel log ends:\n${log.split('\n').slice(-8).join('\n')}`,
      keepFailure(this.machine, this.failures, { 'dmesg.log': log }),
    );
  }

  /** This guest's way to start commands, and over it the caller's. */
  #started<T extends StartOptions>(options?: T): T & StartOptions {
    const environment = { ...this.#start.environment, ...options?.environment };
    return { ...this.#start, ...options, environment } as T & StartOptions;
  }

  /**
   * Ends this life of the guest's, by the machine's reset button or by a command that has the
   * kernel begin again, and waits for the next one's agent. Nothing is set up in it: no module, no
   * swap.
   * @throws TmemError (GUEST_BOOT_TIMEOUT, GUEST_BOOT_FAILED)
   */
  async beginAgain(command?: string): Promise<void> {
    const ended = (await this.exec(LIFE_COMMAND, { timeoutMs: this.#bootTimeoutMs })).stdout;
    const deadline = performance.now() + this.#bootTimeoutMs;
    await this.qmp.execute('set-action', { reboot: 'reset' });
    using resets = this.qmp.listen('RESET');
    if (command === undefined) await this.qmp.execute('system_reset');
    else this.#agent.spawn(command);
    // Who was asked before a reset need not be waited for. (A kexec is none.)
    let reset: Promise<undefined> | undefined = resets.next().then(
      () => {
        reset = undefined;
        return undefined;
      },
      () => new Promise(() => {}),
    );
    let patienceMs = LIFE_MS;
    for (;;) {
      const leftMs = Math.ceil(deadline - performance.now());
      const asked = this.#life(Math.min(patienceMs, Math.max(leftMs, LIFE_LOOK_MS)));
      const life = await (reset === undefined ? asked : Promise.race([asked, reset]));
      if (life !== undefined && life !== ended) break;
      if (leftMs <= 0) throw bootTimeout(this.machine, this.failures, this.#bootTimeoutMs);
      if (life === ended) await delay(LIFE_LOOK_MS);
      // The next life's agent answers nobody who has not greeted it.
      else await this.#greet(Math.min(patienceMs, leftMs));
      if (life === undefined) patienceMs *= 2;
    }
    // From here on a panic ends the machine again.
    await this.qmp.execute('set-action', { reboot: 'shutdown' });
  }

  /**
   * Connects to the agent anew, if it answers in time.
   * @throws TmemError (GUEST_BOOT_FAILED)
   */
  async #greet(timeoutMs: number): Promise<void> {
    await this.#agent.close();
    try {
      this.#agent = await reachAgent(this.machine, this.#machineOptions.agentSocket, timeoutMs);
    } catch (error) {
      if (codeOf(error) !== 'AGENT_CONNECT_FAILED') {
        throw await vanished(this.machine, this.failures, false, error);
      }
    }
  }

  /** A name for the life that the guest is in; undefined when nobody says so in time. */
  async #life(timeoutMs: number): Promise<string | undefined> {
    try {
      return (await this.#agent.exec(LIFE_COMMAND, { timeoutMs })).stdout;
    } catch {
      return undefined;
    }
  }

  /** The last lines of the guest's console. */
  consoleTail(lines: number): string {
    return this.machine.consoleTail(lines);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }
}
