/**
 * Guest kernels: one from the catalogue, fetched or built once into the cache, or the user's own
 * image with its build folder. What comes back has been checked: the image's release fits the build folder,
 * and the configuration can run a tmem guest. Everything under <cacheDir>/kernels/<name>/ is ours;
 * it is complete as soon as it has that name, and is never changed afterwards.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ImagesError } from '../errors.js';
import { removeTree } from '../files.js';
import { keepInUse, withLock } from '../lock.js';
import type { Progress } from '../progress.js';
import { didYouMean } from '../suggest.js';
import { stemOf } from '../unfinished.js';
import { buildKernel, configHash } from './build-kernel.js';
import { requireBuildNeeds } from './build-needs.js';
import { bzImageRelease } from './bzimage.js';
import {
  type KernelEntry,
  kernelCatalogue,
  type PackagedKernel,
  type SourceKernel,
} from './catalogue.js';
import { checkConfig, parseConfig } from './config.js';
import { fetchKernel, KERNEL_RECORD, type KernelRecord } from './fetch.js';
import { ModuleIndex } from './modules.js';
import { buildPatchedKernel, type Patch, patchHash, readPatches } from './patched.js';

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
  /** The kernel's .config. */
  configFile?: string;
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
  /** Patch files for a kernel that is built here, in the order in which they apply. */
  patches?: readonly string[];
  progress: Progress;
}

/**
 * Makes a kernel available. The first call for a catalogue name downloads about 80 MB, or builds
 * the kernel; later calls read the cache only. A cached kernel stays as it is until its folder is
 * removed. Errors: KERNEL_UNKNOWN, KERNEL_FETCH_FAILED, KERNEL_BUILD_FAILED, KERNEL_PATCH_FAILED,
 * KERNEL_PATCH_UNUSABLE, TOOLS_MISSING, KERNEL_IMAGE_INVALID, KERNEL_RELEASE_MISMATCH,
 * KERNEL_CONFIG_MISSING, LOCK_TIMEOUT.
 */
export async function ensureKernel(
  which: string | UserKernel,
  options: EnsureKernelOptions,
): Promise<Kernel> {
  const kernel = await findKernel(which, options);
  const modules = await ModuleIndex.open(kernel.modulesRoot);
  checkConfig(kernel, (name) => modules.has(name));
  return kernel;
}

async function findKernel(
  which: string | UserKernel,
  options: EnsureKernelOptions,
): Promise<Kernel> {
  const patches = await readPatches(options.patches ?? []);
  const entry = typeof which === 'string' ? findEntry(which) : undefined;
  if (patches.length > 0 && entry?.kind !== 'source') {
    throw new ImagesError(
      'KERNEL_PATCH_UNUSABLE',
      `patches are for kernels that are built here: ${sourceNames()}; ` +
        'patch and build your own kernel yourself',
    );
  }
  if (typeof which !== 'string') {
    await keepInUse(resolve(options.cacheDir), OWN_KERNELS);
    return userKernel(which);
  }
  if (entry?.kind !== 'source') return packagedKernel(entry as PackagedKernel, options);
  return sourceKernel(entry, patches, options);
}

function sourceNames(): string {
  const names = kernelCatalogue().filter(({ kind }) => kind === 'source');
  return names.map(({ name }) => name).join(', ');
}

function findEntry(name: string): KernelEntry {
  const entries = kernelCatalogue();
  const entry = entries.find((candidate) => candidate.name === name);
  if (entry) return entry;
  const names = entries.map((candidate) => candidate.name);
  throw new ImagesError(
    'KERNEL_UNKNOWN',
    `no kernel is called ${JSON.stringify(name)}${didYouMean(name, names) || ';'} ` +
      `known: ${names.join(', ')}. ` +
      'Your own kernel works too: give the folder where it was built, or its bzImage and that.',
  );
}

/** The folder of a catalogue kernel below the cache: there when the kernel is. */
export async function kernelDir(entry: KernelEntry, cacheDir: string): Promise<string> {
  const suffix = entry.kind === 'source' ? `-${await configHash(entry)}` : '';
  return join(resolve(cacheDir), 'kernels', `${entry.name}${suffix}`);
}

/** Whether a catalogue kernel is in the cache. */
export async function isCached(entry: KernelEntry, cacheDir: string): Promise<boolean> {
  return existsSync(join(await kernelDir(entry, cacheDir), KERNEL_RECORD));
}

/** What of the cache belongs to the user's own kernels is used under this name. */
export const OWN_KERNELS = 'own-kernels';

/** The lock of a kernel's folder, for whoever makes or removes it. */
export function kernelLock(dir: string): string {
  return `kernel-${basename(dir)}`;
}

/** Makes a kernel's folder unless it is there, one process at a time. */
async function ensureDir(
  dir: string,
  { cacheDir, progress }: EnsureKernelOptions,
  make: () => Promise<void>,
): Promise<void> {
  await keepInUse(resolve(cacheDir), basename(dir));
  if (existsSync(join(dir, KERNEL_RECORD))) return;
  const what = `makes ${basename(dir)}`;
  await withLock(resolve(cacheDir), kernelLock(dir), { what, progress }, async () => {
    if (existsSync(join(dir, KERNEL_RECORD))) return;
    await sweepParts(dir);
    await make();
  });
}

/** What processes that were killed left of this kernel; the lock is held, so none is at work. */
async function sweepParts(dir: string): Promise<void> {
  const parent = dirname(dir);
  if (!existsSync(parent)) return;
  for (const name of await readdir(parent)) {
    if (stemOf(name) === `.part-${basename(dir)}`) await removeTree(join(parent, name));
  }
}

async function packagedKernel(
  entry: PackagedKernel,
  options: EnsureKernelOptions,
): Promise<Kernel> {
  const cacheDir = resolve(options.cacheDir);
  const dir = await kernelDir(entry, cacheDir);
  const { mirror, progress } = options;
  await ensureDir(dir, options, () => fetchKernel(entry, { cacheDir, dir, mirror, progress }));
  return readKernel(entry.name, dir);
}

async function sourceKernel(
  entry: SourceKernel,
  patches: readonly Patch[],
  options: EnsureKernelOptions,
): Promise<Kernel> {
  const cacheDir = resolve(options.cacheDir);
  const base = await kernelDir(entry, cacheDir);
  const { mirror, progress } = options;
  await ensureDir(base, options, () => {
    requireBuildNeeds(entry.name);
    return buildKernel(entry, { cacheDir, dir: base, mirror, progress });
  });
  if (patches.length === 0) return readKernel(entry.name, base);
  const { packages } = await readRecord(base);
  const hash = patchHash([basename(base), ...packages], patches);
  const dir = `${base}+${hash}`;
  await ensureDir(dir, options, () => {
    requireBuildNeeds(entry.name);
    return buildPatchedKernel(base, patches, { dir, progress });
  });
  return readKernel(`${entry.name}+${hash}`, dir);
}

async function readRecord(dir: string): Promise<KernelRecord> {
  return JSON.parse(await readFile(join(dir, KERNEL_RECORD), 'utf8')) as KernelRecord;
}

async function readKernel(name: string, dir: string): Promise<Kernel> {
  const found = await readRecord(dir);
  const configFile = join(dir, found.config);
  return {
    name,
    release: found.release,
    image: join(dir, found.image),
    buildDir: join(dir, found.buildDir),
    modulesRoot: join(dir, found.modulesRoot),
    configFile,
    config: parseConfig(await readFile(configFile, 'utf8')),
  };
}

async function userKernel(which: UserKernel): Promise<Kernel> {
  const image = resolve(which.image);
  const buildDir = resolve(which.buildDir);
  const release = await bzImageRelease(image);
  const built = await builtRelease(buildDir, image);
  if (built !== release) {
    throw new ImagesError(
      'KERNEL_RELEASE_MISMATCH',
      `${image} is release ${release}, but ${buildDir} was built for ${built}: ` +
        'give the build folder this image came from, or build the image again',
    );
  }
  const config = parseConfig(await readBuildFile(buildDir, '.config', image));
  const modulesRoot = modulesOf(image, buildDir, release);
  const configFile = join(buildDir, '.config');
  const name = basename(image);
  return { name, release, image, buildDir, modulesRoot, configFile, config };
}

/**
 * The release that a build folder is for: what modules built there are marked with. kernel.release,
 * which a build writes too, is the upstream version alone in Debian's headers.
 */
async function builtRelease(buildDir: string, image: string): Promise<string> {
  const header = join(buildDir, 'include/generated/utsrelease.h');
  const text = await readFile(header, 'utf8').catch(() => '');
  const release = /^#define UTS_RELEASE "(.*)"$/m.exec(text)?.[1];
  if (release !== undefined) return release;
  return (await readBuildFile(buildDir, 'include/config/kernel.release', image)).trim();
}

/** Where modules are: in the build folder, or installed, beside the image or on this machine. */
function modulesOf(image: string, buildDir: string, release: string): string {
  const installed = join('lib/modules', release);
  const places = [buildDir, join(dirname(image), '..', installed), join('/', installed)];
  return places.find((place) => existsSync(join(place, 'modules.order'))) ?? buildDir;
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
