/**
 * The options that several commands share, and how their texts become numbers.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { checkMirror } from '../../images/index.js';
import { TmemError } from '../errors.js';
import type { FrontEndChoice } from '../guest/front-end.js';
import type { GuestOptions } from '../guest/guest.js';
import { SWAP_KINDS, type SwapKind } from '../guest/swap.js';
import { parsePolicy } from '../policy/put-policy.js';
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

function collect<T>(parse: (text: string) => T): (text: string, before: T[] | undefined) => T[] {
  return (text, before) => [...(before ?? []), parse(text)];
}

const text = (value: string): string => value;

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
  diskDir?: string;
  with?: string[];
  append?: string[];
  moduleParam?: string[];
  bootTimeout: number;
  console?: true;
  keep?: string;
  mirror?: string;
}

export interface StoreFlags {
  transport: Transport;
  size: number;
  quota?: number;
  policy: string;
  shmDir?: string;
  spin: number;
}

/** What commander makes of `addBootOptions`. */
export type BootFlags = GuestFlags & StoreFlags;

/** Options that say what guest to boot. */
function addGuestOptions(command: Command, mem: number): Command {
  return command
    .option('--kernel <name|bzImage>', 'a kernel by name (tmem kernels), or your own image')
    .option('--kbuild <dir>', 'the build folder of your own kernel, for the module')
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
    .option('--disk-dir <dir>', 'where the disks lie (default: the temporary directory)')
    .option('--with <path>', 'a program with its libraries, a file or a folder', collect(text))
    .option('--append <word>', 'a word for the kernel command line', collect(text))
    .option('--module-param <name=value>', 'a parameter of the tmem module', collect(text))
    .option('--boot-timeout <s>', 'seconds until the guest must answer', integer(1, 3600), 60)
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
    .option('--size <size>', 'memory for pages, a power of two from 1M to 4G', size, 512 * 2 ** 20)
    .option('--quota <pages>', 'most pages held (default: all of --size)', integer(0, 2 ** 20))
    .option('--policy <name>', 'accept, refuse-every=N or refuse-duplicates', policy, 'accept')
    .option('--shm-dir <dir>', 'a tmpfs folder for the memory (default: a nameless memfd)')
    .option('--spin <us>', 'microseconds the store looks before it sleeps', integer(0, 1e6), 100);
}

/** All options of a command that boots a guest with a store beside it. */
export function addBootOptions(command: Command, defaults = { mem: 256 }): Command {
  return addStoreOptions(addGuestOptions(command, defaults.mem));
}

/** The store's part of GuestOptions. */
export function storeOptions(flags: StoreFlags): NonNullable<GuestOptions['store']> {
  return {
    transport: flags.transport,
    regionBytes: flags.size,
    policy: flags.policy,
    spinMicros: flags.spin,
    ...(flags.quota === undefined ? {} : { quotaPages: flags.quota }),
    ...(flags.shmDir === undefined ? {} : { shmDir: flags.shmDir }),
  };
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
  if (kernel.includes('/')) {
    throw new TmemError(
      'OPTION_INVALID',
      `${kernel} looks like your own kernel: add --kbuild DIR, the folder where it was built, ` +
        'so that the module can be built for it',
    );
  }
  return { kernel };
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
    bootTimeoutMs: flags.bootTimeout * 1000,
    store: storeOptions(flags),
    with: flags.with ?? [],
    kernelArguments: flags.append ?? [],
    kernelPatches: flags.patch ?? [],
    moduleParameters: flags.moduleParam ?? [],
    ...(flags.swapSize === undefined
      ? {}
      : { swapDisksMib: flags.swapSize.map((bytes) => Math.ceil(bytes / 2 ** 20)) }),
    ...(flags.dataSize === undefined ? {} : { dataMib: Math.ceil(flags.dataSize / 2 ** 20) }),
    ...(flags.diskDir === undefined ? {} : { diskDir: flags.diskDir }),
    ...(flags.console === undefined ? {} : { onConsole: consoleWriter(process.stderr) }),
    ...(flags.keep === undefined ? {} : { keepDir: flags.keep }),
    ...(flags.mirror === undefined ? {} : { mirror: flags.mirror }),
  };
}
