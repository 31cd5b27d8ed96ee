/**
 * What a guest boots from: kernel, our module built for it, and an initramfs with both.
 *
 * Kernels, modules and tools are cached (images/); the initramfs is a run's own, since `--with`
 * differs.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  BASE_MODULES,
  bootImage,
  buildGuestTools,
  buildInitramfs,
  buildModule,
  checkParameters,
  ensureKernel,
  type GuestTools,
  interruptible,
  type Kernel,
  type Progress,
  sweepCache,
  type UserKernel,
} from '../../images/index.js';
import { TmemError } from '../errors.js';
import { checkMemory } from './memory.js';
import { packageRoot, type RunDir } from './paths.js';

export interface AssetOptions {
  /** A catalogue name, or the user's own image and build folder. */
  readonly kernel: string | UserKernel;
  readonly cacheDir: string;
  readonly mirror?: string;
  /** Patch files for a kernel that is built here. */
  readonly patches?: readonly string[];
  readonly progress: Progress;
  /** Ends the programs that fetch and build, and with them the call. */
  readonly signal?: AbortSignal;
}

/** What `prepare` made ready, all of it in the cache. */
export interface Prepared {
  readonly kernel: Kernel;
  /** Path of our module, built for the kernel. */
  readonly module: string;
  readonly tools: GuestTools;
}

export interface RunAssetOptions extends AssetOptions {
  readonly with: readonly string[];
  readonly modules: readonly string[];
  /** `name=value` for our module. */
  readonly moduleParameters: readonly string[];
  readonly memoryMib: number;
  /** Throws for a kernel that lacks what is wanted of it. */
  readonly check: (kernel: Kernel) => void;
}

export interface Assets {
  readonly kernel: Kernel;
  /** The kernel, unpacked where that can be done. */
  readonly bootImage: string;
  readonly initramfs: string;
}

function makeCacheDir(cacheDir: string): void {
  try {
    mkdirSync(cacheDir, { recursive: true });
  } catch (cause) {
    throw new TmemError(
      'CACHE_UNUSABLE',
      `the cache folder ${cacheDir} cannot be made: ${(cause as Error).message}; ` +
        'set TMEM_CACHE_DIR to another place',
      cause,
    );
  }
}

/**
 * Fetches and builds what is missing of kernel, module and tools. Later calls need no network. What
 * other processes that were killed left in the cache goes first.
 */
export function prepare(options: AssetOptions): Promise<Prepared> {
  return interruptible(options.signal, () => prepareAll(options));
}

async function prepareAll(options: AssetOptions): Promise<Prepared> {
  const { cacheDir, progress } = options;
  makeCacheDir(cacheDir);
  await sweepCache(cacheDir, progress);
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
export function makeAssets(options: RunAssetOptions, runDir: RunDir): Promise<Assets> {
  return interruptible(options.signal, () => packAssets(options, runDir));
}

async function packAssets(options: RunAssetOptions, runDir: RunDir): Promise<Assets> {
  const { kernel, module, tools } = await prepareAll(options);
  options.check(kernel);
  const { cacheDir, progress } = options;
  await checkParameters(module, options.moduleParameters);
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
  checkMemory(options.memoryMib, kernel.image, initramfs);
  return { kernel, bootImage: image, initramfs };
}
