/**
 * The options that several commands share, and how their texts become numbers.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { checkMirror, kernelCatalogue, type UserKernel } from '../../images/index.js';
import { TmemError } from '../errors.js';
import type { Share } from '../guest/folders.js';
import type { FrontEndChoice } from '../guest/front-end.js';
import type { GuestOptions } from '../guest/guest.js';
import { SWAP_KINDS, type SwapKind } from '../guest/swap.js';
import { parsePolicy } from '../policy/put-policy.js';
import { computeGeometry } from '../protocol/geometry.js';
import { TRANSPORTS, type Transport } from '../transport/transports.js';
import { consoleWriter } from './console.js';

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** A TCP port. */
const PORT = integer(1, 65535);

/** Bytes of memory for pages: what a region may have. */
function regionSize(text: string): number {
  const bytes = size(text);
  try {
    computeGeometry({ regionBytes: bytes });
    return bytes;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

/** Bytes: a number with K, M or G. */
export function size(text: string): number {
  const match = /^(\d+)([KMG])(i?B)?$/i.exec(text);
  if (match === null) throw new InvalidArgumentError('It must be a number with K, M or G: 512M.');
  return Number(match[1]) * UNITS[match[2]!.toUpperCase()]!;
}

function policy(text: string): string {
  try {
    parsePolicy(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function mirror(text: string): string {
  try {
    checkMirror(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

/** As commander keeps the values of an option that may come again. */
export function collect<T>(
  parse: (text: string) => T,
): (text: string, before: T[] | undefined) => T[] {
  return (text, before) => [...(before ?? []), parse(text)];
}

function share(text: string): Share {
  const match = /^(.*?)(?::(rw|ro))?$/.exec(text)!;
  return { path: match[1]!, writable: match[2] === 'rw' };
}

const text = (value: string): string => value;

/** What goes on the guest's command line that loads the module. */
function parameter(value: string): string {
  if (/^[\w-]+(=[\w.,:/+-]*)?$/.test(value)) return value;
  throw new InvalidArgumentError('It must be name=value, without blanks.');
}

/** A folder that is there. */
function folder(path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path;
  throw new InvalidArgumentError('There is no such folder.');
}

/** What commander makes of the guest options. */
interface GuestFlags {
  kernel?: string;
  kbuild?: string;
  patch?: string[];
  mem: number;
  smp: number;
  accel: 'auto' | 'kvm' | 'tcg';
  swap: SwapKind;
  frontEnd: FrontEndChoice;
  swapSize?: number[];
  dataSize?: number;
  dataFrom?: string;
  diskDir?: string;
  with?: string[];
  root: 'own' | 'host';
  share?: Share[];
  module?: string[];
  append?: string[];
  moduleParam?: string[];
  qemuArg?: string[];
  gdb?: number | true;
  bootTimeout?: number;
  console?: true;
  keep?: string;
  mirror?: string;
}

export interface StoreFlags {
  transport: Transport;
  size?: number;
  quota?: number;
  policy: string;
  shmDir?: string;
  spin: number;
  hang: number;
}

/** What commander makes of `addBootOptions`. */
export type BootFlags = GuestFlags & StoreFlags;

/** Options that say what guest to boot. */
function addGuestOptions(command: Command, mem: number): Command {
  return command
    .option(
      '--kernel <name|dir|bzImage>',
      'a kernel by name (tmem kernels), or your own: the folder where it was built, or its image',
    )
    .option('--kbuild <dir>', "the build folder of your own kernel's image, for the module")
    .option('--patch <file>', 'a patch for a source kernel; again for each further', collect(text))
    .option('--mem <MiB>', 'memory of the guest', integer(64, 65536), mem)
    .option('--smp <n>', 'CPUs of the guest', integer(1, 64), 1)
    .addOption(
      new Option('--accel <which>', 'how QEMU runs the guest')
        .choices(['auto', 'kvm', 'tcg'])
        .default('auto'),
    )
    .addOption(
      new Option('--swap <kind>', 'who gets the pages').choices(SWAP_KINDS).default('tmem'),
    )
    .option(
      '--front-end <names>',
      'who hands pages to the module: auto (the swap hook), frontswap, zswap, block, cleancache, ' +
        'none; several with commas between',
      'auto',
    )
    .option(
      '--swap-size <size>',
      'size of a swap disk; again for each further disk (default: 1G)',
      collect(size),
    )
    .option('--data-size <size>', 'an ext4 file system of this size, on /data', size)
    .option('--data-from <dir>', 'the same with the tree of a folder on it', folder)
    .option('--disk-dir <dir>', 'where the disks lie (default: the temporary directory)', folder)
    .option('--with <path>', 'a program with its libraries, a file or a folder', collect(text))
    .addOption(
      new Option('--root <whose>', "own: a root in memory; host: this machine's, read-only below")
        .choices(['own', 'host'])
        .default('own'),
    )
    .option('--share <dir[:rw]>', 'a folder of the host, on /mnt/NAME', collect(share))
    .option('--module <name>', 'a module of the kernel, loaded before swap', collect(text))
    .option('--append <word>', 'a word for the kernel command line', collect(text))
    .option('--module-param <name=value>', 'a parameter of the tmem module', collect(parameter))
    .option('--qemu-arg <word>', 'a further word for QEMU; again for each', collect(text))
    .option(
      '--gdb [port]',
      'let gdb attach to the kernel, at this port of 127.0.0.1 (default: 1234)',
      PORT,
    )
    .option(
      '--boot-timeout <s>',
      'seconds until the guest must answer (default: 60; with --gdb 3600)',
      integer(1, 3600),
    )
    .option('--console', "the guest's console on stderr, as it comes")
    .option('--keep <dir>', 'where the logs of a guest that fails are kept (default: the cache)')
    .option('--mirror <url>', 'Debian mirror (default: the one this machine uses)', mirror);
}

/** Options that say how the store behaves. */
export function addStoreOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--transport <which>', 'how the guest reaches the store')
        .choices(TRANSPORTS)
        .default('ivshmem'),
    )
    .option(
      '--size <size>',
      'memory for pages, a power of two from 1M to 4G (default: what --quota needs, or 512M)',
      regionSize,
    )
    .option('--quota <pages>', 'most pages held (default: all of --size)', integer(0, 2 ** 20))
    .option('--policy <name>', 'accept, refuse-every=N or refuse-duplicates', policy, 'accept')
    .option('--shm-dir <dir>', 'a tmpfs folder for the memory (default: a nameless memfd)', folder)
    .option('--spin <us>', 'microseconds the store looks before it sleeps', integer(0, 1e6), 100)
    .option(
      '--hang <ms>',
      'replace a store that gives no sign of life for so long; 0: never',
      integer(0, 3_600_000),
      5000,
    );
}

/**
 * All options of a command that boots a guest with a store beside it. What the command decides
 * itself is `without`: the flag has its default then, and on the command line it is unknown.
 */
export function addBootOptions(
  command: Command,
  { mem = 256, without = [] }: { mem?: number; without?: readonly string[] } = {},
): Command {
  const all = addStoreOptions(addGuestOptions(new Command(), mem));
  for (const option of all.options) {
    if (!without.includes(option.long!)) command.addOption(option);
    else command.setOptionValueWithSource(option.attributeName(), option.defaultValue, 'default');
  }
  return command;
}

/** The store's part of GuestOptions. */
export function storeOptions(flags: StoreFlags): NonNullable<GuestOptions['store']> {
  return {
    transport: flags.transport,
    policy: flags.policy,
    spinMicros: flags.spin,
    hangMs: flags.hang,
    ...(flags.size === undefined ? {} : { regionBytes: flags.size }),
    ...(flags.quota === undefined ? {} : { quotaPages: flags.quota }),
    ...(flags.shmDir === undefined ? {} : { shmDir: flags.shmDir }),
  };
}

/** Where a build leaves the image, below its folder. */
const BUILT_IMAGE = 'arch/x86/boot/bzImage';

/** A folder where a kernel was built. */
function builtIn(folder: string): UserKernel {
  const image = join(folder, BUILT_IMAGE);
  if (existsSync(image)) return { image, buildDir: folder };
  throw new TmemError(
    'OPTION_INVALID',
    `no kernel was built in ${folder}: there is no ${BUILT_IMAGE}; run make there first`,
  );
}

/** The kernel that `--kernel` and `--kbuild` name. */
export function kernelChoice(
  flags: Pick<GuestFlags, 'kernel' | 'kbuild'>,
): Pick<GuestOptions, 'kernel'> {
  const { kernel, kbuild } = flags;
  if (kbuild !== undefined && kernel === undefined) {
    throw new TmemError('OPTION_INVALID', '--kbuild needs --kernel with the bzImage built there');
  }
  if (kernel === undefined) return {};
  if (kbuild !== undefined) return { kernel: { image: kernel, buildDir: kbuild } };
  if (kernelCatalogue().some(({ name }) => name === kernel)) return { kernel };
  if (statSync(kernel, { throwIfNoEntry: false })?.isDirectory()) {
    return { kernel: builtIn(kernel) };
  }
  if (kernel.endsWith(`/${BUILT_IMAGE}`) || kernel === BUILT_IMAGE) {
    const buildDir = kernel.slice(0, -BUILT_IMAGE.length) || '.';
    return { kernel: { image: kernel, buildDir } };
  }
  if (kernel.includes('/')) {
    throw new TmemError(
      'OPTION_INVALID',
      `${kernel} looks like your own kernel: add --kbuild DIR, the folder where it was built, ` +
        'so that the module can be built for it',
    );
  }
  return { kernel };
}

/** Where gdb may attach; undefined when it may not. */
export function gdbPort({ gdb }: Pick<GuestFlags, 'gdb'>): number | undefined {
  return gdb === true ? GDB_PORT : gdb;
}

const GDB_PORT = 1234;
const BOOT_SECONDS = 60;
/** Somebody steps through the boot. */
const BOOT_SECONDS_GDB = 3600;

/** Words for QEMU and for the kernel that let gdb attach. */
function gdbOptions(flags: GuestFlags): Pick<GuestOptions, 'qemuArguments' | 'kernelArguments'> {
  const port = gdbPort(flags);
  const qemu = port === undefined ? [] : ['-gdb', `tcp:127.0.0.1:${port}`];
  // Symbols are where the kernel was linked, not where it would be put at random.
  const kernel = port === undefined ? [] : ['nokaslr'];
  return {
    qemuArguments: [...qemu, ...(flags.qemuArg ?? [])],
    kernelArguments: [...kernel, ...(flags.append ?? [])],
  };
}

/** How gdb attaches to the guest, for whoever asked for it. */
export function gdbHint(flags: GuestFlags): string | undefined {
  const port = gdbPort(flags);
  if (port === undefined) return undefined;
  const { kernel } = kernelChoice(flags);
  const symbols = typeof kernel === 'object' ? ` ${join(kernel.buildDir, 'vmlinux')}` : ' VMLINUX';
  return (
    `gdb: attach with gdb${symbols} -ex 'target remote 127.0.0.1:${port}'; ` +
    'with --qemu-arg -S the guest waits for it'
  );
}

/**
 * Flags as `bootGuest` wants them.
 * @throws TmemError (OPTION_INVALID)
 */
export function guestOptions(flags: BootFlags): GuestOptions {
  return {
    ...kernelChoice(flags),
    memoryMib: flags.mem,
    cpus: flags.smp,
    accel: flags.accel,
    swap: flags.swap,
    frontEnd: flags.frontEnd,
    bootTimeoutMs:
      (flags.bootTimeout ?? (flags.gdb === undefined ? BOOT_SECONDS : BOOT_SECONDS_GDB)) * 1000,
    store: storeOptions(flags),
    with: flags.with ?? [],
    ...gdbOptions(flags),
    root: flags.root,
    shares: flags.share ?? [],
    kernelModules: flags.module ?? [],
    folder: process.cwd(),
    kernelPatches: flags.patch ?? [],
    moduleParameters: flags.moduleParam ?? [],
    ...(flags.swapSize === undefined
      ? {}
      : { swapDisksMib: flags.swapSize.map((bytes) => Math.ceil(bytes / 2 ** 20)) }),
    ...(flags.dataSize === undefined ? {} : { dataMib: Math.ceil(flags.dataSize / 2 ** 20) }),
    ...(flags.dataFrom === undefined ? {} : { dataFrom: flags.dataFrom }),
    ...(flags.diskDir === undefined ? {} : { diskDir: flags.diskDir }),
    ...(flags.console === undefined ? {} : { onConsole: consoleWriter(process.stderr) }),
    ...(flags.keep === undefined ? {} : { keepDir: flags.keep }),
    ...(flags.mirror === undefined ? {} : { mirror: flags.mirror }),
  };
}
