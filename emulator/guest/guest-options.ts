/**
 * What a guest is asked to be: the options of `bootGuest`, each with its default.
 */
import type { Progress, UserKernel } from '../../images/index.js';
import type { TmemServerOptions } from '../session/server.js';
import type { AcceleratorChoice } from './accelerator.js';
import type { Share } from './folders.js';
import type { FrontEndChoice } from './front-end.js';
import type { SwapKind } from './swap.js';

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
