/**
 * What a guest boots from: kernel, our module built for it, and an initramfs with both.
 *
 * Kernels, modules and tools are cached (images/); the initramfs is a run's own, since `--with`
 * differs.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import {
  BASE_MODULES,
  bootImage,
  buildGuestTools,
  buildInitramfs,
  buildModule,
  ensureKernel,
  type GuestTools,
  ImagesError,
  type Kernel,
  type Progress,
  type UserKernel,
} from '../../images/index.js';
import { packageRoot, type RunDir } from './paths.js';

/** Beside kernel and root: what a kernel takes before its init runs, at the least. */
const BOOT_SPARE_MIB = 12;

export interface AssetOptions {
  /** A catalogue name, or the user's own image and build folder. */
  readonly kernel: string | UserKernel;
  readonly cacheDir: string;
  readonly mirror?: string;
  /** Patch files for a kernel that is built here. */
  readonly patches?: readonly string[];
  readonly progress: Progress;
}

/** What `prepare` made ready, all of it in the cache. */
export interface Prepared {
  readonly kernel: Kernel;
  /** Path of our module, built for the kernel. */
  readonly module: string;
  readonly tools: GuestTools;
}

export interface Assets {
  readonly kernel: Kernel;
  /** The kernel, unpacked where that can be done. */
  readonly bootImage: string;
  readonly initramfs: string;
}

/** Fetches and builds what is missing of kernel, module and tools. Later calls need no network. */
export async function prepare(options: AssetOptions): Promise<Prepared> {
  const { cacheDir, progress } = options;
  const mirror = options.mirror === undefined ? {} : { mirror: options.mirror };
  const patches = options.patches ?? [];
  const kernel = await ensureKernel(options.kernel, { cacheDir, patches, progress, ...mirror });
  const module = await buildModule(kernel, {
    sourceDir: join(packageRoot, 'guest-kmod'),
    name: 'tmem',
    cacheDir,
    progress,
  });
  return { kernel, module, tools: await buildGuestTools({ cacheDir, progress, ...mirror }) };
}

/** As `prepare`, and packs an initramfs into the run's folder. */
export async function makeAssets(
  options: AssetOptions & {
    readonly with: readonly string[];
    readonly modules: readonly string[];
    readonly memoryMib: number;
    /** Throws for a kernel that lacks what is wanted of it. */
    readonly check: (kernel: Kernel) => void;
  },
  runDir: RunDir,
): Promise<Assets> {
  const { kernel, module, tools } = await prepare(options);
  options.check(kernel);
  const { cacheDir, progress } = options;
  const parts = {
    kernel,
    tools,
    kernelModules: [...BASE_MODULES, ...options.modules],
    moduleFiles: [module],
    withPaths: [...options.with],
    output: runDir.file('initramfs.cpio'),
  };
  const initramfs = await runDir.fill(() => buildInitramfs(parts));
  const image = await bootImage(kernel, { cacheDir, progress });
  checkFits(image, initramfs, options.memoryMib);
  return { kernel, bootImage: image, initramfs };
}

/**
 * A guest whose root does not fit panics before it can say why. The archive and what was unpacked
 * of it are in memory at the same time; tried out with archives of 12 to 112 MiB.
 * @throws ImagesError (INITRAMFS_TOO_LARGE)
 */
function checkFits(image: string, initramfs: string, memoryMib: number): void {
  const mib = (path: string): number => Math.ceil(statSync(path).size / 2 ** 20);
  const root = mib(initramfs);
  const needed = mib(image) + 2 * root + BOOT_SPARE_MIB;
  if (needed <= memoryMib) return;
  throw new ImagesError(
    'INITRAMFS_TOO_LARGE',
    `the guest cannot boot in --mem ${memoryMib}: its kernel and a root of ${root} MiB, which is in ` +
      `memory twice while it is unpacked, need ${needed} MiB; give --mem ${roundUp(needed)} or more, ` +
      'take less along (--with), or have it on a disk (--data-from) or read as it is needed ' +
      '(--root host)',
  );
}

/** To the next multiple of 64, with some room for what the guest is booted for. */
function roundUp(mib: number): number {
  return Math.ceil((mib + 32) / 64) * 64;
}
