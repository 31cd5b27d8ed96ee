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
import {
  type ExecOptions,
  type ExecResult,
  GuestAgent,
  type GuestProcess,
  type Kernel,
  type Progress,
  type StartOptions,
  type UserKernel,
} from '../../images/index.js';
import { codeOf, TmemError } from '../errors.js';
import { Lifetime } from '../lifetime.js';
import { DEFAULT_QUEUE_COUNT, TmemServer, type TmemServerOptions } from '../session/server.js';
import type { StoreAddress } from '../transport/transports.js';
import { type Accelerator, type AcceleratorChoice, chooseAccelerator } from './accelerator.js';
import { makeAssets } from './assets.js';
import { COUNTERS_COMMAND, type GuestCounters, readCounters } from './counters.js';
import { DATA_MODULES, makeDataDisk } from './data-disk.js';
import { moveFiles, requireCached } from './dry-run.js';
import { checkFolders, folderModules, type Share, sharedFolders } from './folders.js';
import { chooseFrontEnds, type FrontEnd, type FrontEndChoice, hookArguments } from './front-end.js';
import { checkGuestOptions } from './guest-options-check.js';
import { type GuestMachineOptions, guestCommand, guestMachineSpec } from './machine.js';
import { defaultCacheDir, RunDir } from './paths.js';
import { hasDataDisk, loadsModule, setupCommands, startOf } from './setup.js';
import { SWAP_MODULES, type SwapKind, type SwapPlan } from './swap.js';

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
  /**
   * Who hands pages to the module; default auto: the kernel's swap hook with swap tmem, and with
   * others no module at all. With swap none, the module is loaded with what is named, and no more.
   */
  readonly frontEnd?: FrontEndChoice;
  /** Sizes of the swap disks in MiB; default one of 1024. They are sparse files. */
  readonly swapDisksMib?: readonly number[];
  /** MiB of an ext4 file system on a further disk, mounted on /data; default none. */
  readonly dataMib?: number;
  /** A folder whose tree is on that disk; without `dataMib` that is as large as it needs. */
  readonly dataFrom?: string;
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
  /**
   * What commands see as their root: the guest's own, in its memory (default), or the host's, which
   * they can read as whoever runs QEMU can, and change for themselves alone.
   */
  readonly root?: 'own' | 'host';
  /** Folders of the host's, each mounted on /mnt/NAME. */
  readonly shares?: readonly Share[];
  /** Where commands start when the guest has it; default /root. With the host's root: there too. */
  readonly folder?: string;
  /** Modules of the kernel's to load before swap is set up, by name, with what they need. */
  readonly kernelModules?: readonly string[];
  /** Further words for the kernel's command line. */
  readonly kernelArguments?: readonly string[];
  /** Further words for QEMU's. */
  readonly qemuArguments?: readonly string[];
  readonly cacheDir?: string;
  readonly mirror?: string;
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
const STORE_SOCKET = 'store.sock';
const DEFAULT_BOOT_MS = 60_000;
/** On a slow machine, without KVM. */
const BOOT_USUAL_MS = 15_000;
const SETUP_MS_MAX = 60_000;
const COUNTERS_MS_MAX = 60_000;
const DEFAULT_SWAP_DISKS_MIB: readonly number[] = [1024];
const CONSOLE_LINES = 20;
/** A panic's reason stands above its registers and call trace. */
const PANIC_LINES = 200;
const VANISH_MS_MAX = 2000;
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
  return { runDir, kernel: assets.kernel, machine, swap };
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
 * @throws TmemError (OPTION_INVALID, GUEST_BOOT_TIMEOUT, GUEST_VANISHED, GUEST_SETUP_FAILED,
 *   ACCEL_UNAVAILABLE, RUN_DIR_UNUSABLE), ImagesError, MachineLaunchError, the server's errors, or
 *   the signal's reason
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
    const machine = lifetime.use(await Machine.launch(guestMachineSpec(machineOptions)));
    const agent = lifetime.use(await connectAgent(machine, machineOptions, options));
    const booted = performance.now();
    const guest = new Guest({
      lifetime,
      machine,
      machineOptions,
      agent,
      kernel: planned.kernel,
      frontEnds: loadsModule(options) ? planned.swap.frontEnds : ['none'],
      store,
      bootTimeoutMs: options.bootTimeoutMs ?? DEFAULT_BOOT_MS,
      start: startOf(options),
    });
    for (const command of setupCommands(options, planned.machine.folders, planned.swap)) {
      await guest.setUp(command, options.signal);
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

async function connectAgent(
  machine: Machine,
  where: GuestMachineOptions,
  options: Pick<GuestOptions, 'bootTimeoutMs' | 'signal'>,
): Promise<GuestAgent> {
  const timeoutMs = options.bootTimeoutMs ?? DEFAULT_BOOT_MS;
  const gone = new AbortController();
  machine.wait({ timeoutMs }).then(
    () => gone.abort(),
    () => {},
  );
  const signals = [gone.signal, ...(options.signal === undefined ? [] : [options.signal])];
  try {
    const signal = AbortSignal.any(signals);
    return await GuestAgent.connect({ path: where.agentSocket, timeoutMs, signal });
  } catch (cause) {
    options.signal?.throwIfAborted();
    if (codeOf(cause) !== 'AGENT_CONNECT_FAILED') throw await vanished(machine, cause);
    throw new TmemError(
      'GUEST_BOOT_TIMEOUT',
      `the guest did not come up within ${timeoutMs / 1000} s; give --boot-timeout more, or see what ` +
        `its console says:\n${machine.consoleTail(CONSOLE_LINES)}`,
      cause,
    );
  }
}

/** What became of a guest whose agent went away. */
async function vanished(machine: Machine, cause: unknown): Promise<TmemError> {
  // QEMU closes the agent's socket a moment before it is gone and its console is whole.
  await machine.wait({ timeoutMs: VANISH_MS_MAX }).catch(() => {});
  const panic = /Kernel panic - not syncing.*/.exec(machine.consoleTail(PANIC_LINES))?.[0];
  const what = panic === undefined ? 'the guest is gone' : `the guest panicked: ${panic}`;
  const console = machine.consoleTail(CONSOLE_LINES) || '(nothing)';
  const log = machine.logTail(CONSOLE_LINES);
  const qemu = log === '' ? '' : `\nQEMU said:\n${log}`;
  const message = `${what}; its console's last lines:\n${console}${qemu}`;
  return new TmemError('GUEST_VANISHED', message, cause);
}

interface GuestParts {
  readonly lifetime: Lifetime;
  readonly machine: Machine;
  readonly machineOptions: GuestMachineOptions;
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
   * @throws TmemError (GUEST_VANISHED) when the guest goes meanwhile; ImagesError (AGENT_TIMEOUT,
   * ...)
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
      throw await vanished(this.machine, error);
    }
  }

  async #succeed(command: string, result: ExecResult): Promise<string> {
    if (result.code === 0) return result.stdout;
    throw new TmemError(
      'GUEST_SETUP_FAILED',
      `a command failed in the guest (exit ${result.code}): ${command}\n${result.stderr}` +
        `its kernel log ends:\n${(await this.dmesg()).split('\n').slice(-8).join('\n')}`,
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
   * @throws TmemError (GUEST_BOOT_TIMEOUT, GUEST_VANISHED)
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
      if (leftMs <= 0) throw this.#noOtherLife();
      if (life === ended) await delay(LIFE_LOOK_MS);
      // The next life's agent answers nobody who has not greeted it.
      else await this.#greet(Math.min(patienceMs, leftMs));
      if (life === undefined) patienceMs *= 2;
    }
    // From here on a panic ends the machine again.
    await this.qmp.execute('set-action', { reboot: 'shutdown' });
  }

  #noOtherLife(): TmemError {
    return new TmemError(
      'GUEST_BOOT_TIMEOUT',
      `no other life of the guest's began within ${this.#bootTimeoutMs / 1000} s; give ` +
        `--boot-timeout more, or see what its console says:\n${this.consoleTail(CONSOLE_LINES)}`,
    );
  }

  /**
   * Connects to the agent anew, if it answers in time.
   * @throws TmemError (GUEST_VANISHED)
   */
  async #greet(timeoutMs: number): Promise<void> {
    await this.#agent.close();
    try {
      const options = { bootTimeoutMs: timeoutMs };
      this.#agent = await connectAgent(this.machine, this.#machineOptions, options);
    } catch (error) {
      if (codeOf(error) !== 'GUEST_BOOT_TIMEOUT') throw error;
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
