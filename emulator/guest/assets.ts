/**
 * What a guest boots from: kernel, our module built for it, and an initramfs with both.
 *
 * Kernels, modules and tools are cached (images/); the initramfs is a run's own, since `--with`
 * differs.
 */
import { join } from 'node:path';
import {
  BASE_MODULES,
  bootImage,
  buildGuestTools,
  buildInitramfs,
  buildModule,
  ensureKernel,
  type GuestTools,
  type Kernel,
  type Progress,
  type UserKernel,
} from '../../images/index.js';
import { packageRoot, type RunDir } from './paths.js';

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
  return { kernel, bootImage: await bootImage(kernel, { cacheDir, progress }), initramfs };
}
