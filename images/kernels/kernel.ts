/**
 * Guest kernels: one from the catalogue, fetched once into the cache, or the user's own image with
 * its build folder. What comes back has been checked: the image's release fits the build folder,
 * and the configuration can run a tmem guest. Everything under <cacheDir>/kernels/<name>/ is ours;
 * it is complete as soon as it has that name, and is never changed afterwards.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { ImagesError } from '../errors.js';
import { withLock } from '../lock.js';
import type { Progress } from '../progress.js';
import { bzImageRelease } from './bzimage.js';
import { type KernelEntry, kernelCatalogue } from './catalogue.js';
import { checkConfig, parseConfig } from './config.js';
import { fetchKernel, KERNEL_RECORD, type KernelRecord } from './fetch.js';
import { ModuleIndex } from './modules.js';

export interface Kernel {
  name: string;
  /** As `uname -r` says. */
  release: string;
  /** Path of the bzImage. */
  image: string;
  /** For `make -C buildDir M=...`. */
  buildDir: string;
  /** Holds kernel/drivers/... or the build tree's own module files. */
  modulesRoot?: string;
  /** Option name without CONFIG_ to value. */
  config: ReadonlyMap<string, string>;
}

/** A kernel the user built. `buildDir` is where `make` wrote .config and Module.symvers. */
export interface UserKernel {
  image: string;
  buildDir: string;
}

export interface EnsureKernelOptions {
  cacheDir: string;
  /** Base URL of a Debian mirror, when the machine's own apt sources name none. */
  mirror?: string;
  progress: Progress;
}

/**
 * Makes a kernel available. The first call for a catalogue name downloads about 80 MB; later calls
 * read the cache only. A cached kernel stays as it is until its folder is removed. Errors:
 * KERNEL_UNKNOWN, KERNEL_FETCH_FAILED, KERNEL_IMAGE_INVALID, KERNEL_RELEASE_MISMATCH,
 * KERNEL_CONFIG_MISSING, LOCK_TIMEOUT.
 */
export async function ensureKernel(
  which: string | UserKernel,
  options: EnsureKernelOptions,
): Promise<Kernel> {
  const kernel =
    typeof which === 'string'
      ? await catalogueKernel(findEntry(which), options)
      : await userKernel(which);
  const modules = await ModuleIndex.open(kernel.modulesRoot);
  checkConfig(kernel, (name) => modules.has(name));
  return kernel;
}

function findEntry(name: string): KernelEntry {
  const entries = kernelCatalogue();
  const entry = entries.find((candidate) => candidate.name === name);
  if (entry) return entry;
  const names = entries.map((candidate) => candidate.name).join(', ');
  throw new ImagesError(
    'KERNEL_UNKNOWN',
    `no kernel is called ${JSON.stringify(name)}; known: ${names}. ` +
      'Your own kernel works too: give its bzImage and its build folder.',
  );
}

async function catalogueKernel(entry: KernelEntry, options: EnsureKernelOptions): Promise<Kernel> {
  const cacheDir = resolve(options.cacheDir);
  const dir = join(cacheDir, 'kernels', entry.name);
  const record = join(dir, KERNEL_RECORD);
  if (!existsSync(record)) {
    await withLock(cacheDir, `kernel-${entry.name}`, async () => {
      if (existsSync(record)) return;
      const { mirror, progress } = options;
      await fetchKernel(entry, { cacheDir, dir, mirror, progress });
    });
  }
  const found = JSON.parse(await readFile(record, 'utf8')) as KernelRecord;
  const image = join(dir, found.image);
  return {
    name: entry.name,
    release: found.release,
    image,
    buildDir: join(dir, found.buildDir),
    modulesRoot: join(dir, found.modulesRoot),
    config: parseConfig(await readFile(join(dir, found.config), 'utf8')),
  };
}

async function userKernel(which: UserKernel): Promise<Kernel> {
  const image = resolve(which.image);
  const buildDir = resolve(which.buildDir);
  const release = await bzImageRelease(image);
  const built = await readBuildFile(buildDir, 'include/config/kernel.release', image);
  if (built.trim() !== release) {
    throw new ImagesError(
      'KERNEL_RELEASE_MISMATCH',
      `${image} is release ${release}, but ${buildDir} was built for ${built.trim()}: ` +
        'give the build folder this image came from, or build the image again',
    );
  }
  const config = parseConfig(await readBuildFile(buildDir, '.config', image));
  return { name: basename(image), release, image, buildDir, modulesRoot: buildDir, config };
}

async function readBuildFile(buildDir: string, file: string, image: string): Promise<string> {
  try {
    return await readFile(join(buildDir, file), 'utf8');
  } catch (cause) {
    throw new ImagesError(
      'KERNEL_RELEASE_MISMATCH',
      `${buildDir} is not a kernel build folder: ${file} cannot be read ` +
        `(${(cause as Error).message}); give the folder in which ${image} was built`,
      { cause },
    );
  }
}
