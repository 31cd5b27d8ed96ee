/**
 * Fetches a Debian kernel and its headers and lays them out for use in place, without installing
 * anything. The headers package expects to live in /usr/src; its one absolute include is rewritten
 * to a relative one, so the folder can be moved as a whole.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type PackageStanza, PrivateApt } from '../apt.js';
import { ImagesError } from '../errors.js';
import { makeDirAtomic, withWorkDir } from '../files.js';
import type { Progress } from '../progress.js';
import { lastLines, run } from '../run.js';
import type { PackagedKernel } from './catalogue.js';

/** Its presence says that the kernel's folder is complete. */
export const KERNEL_RECORD = 'kernel.json';

const EXTRACT_TIMEOUT_MS = 5 * 60_000;

/** Modules of hardware that no guest has: two thirds of the package. */
const UNUSED_MODULES = [
  'kernel/sound',
  'kernel/drivers/accessibility',
  'kernel/drivers/gpu',
  'kernel/drivers/hid',
  'kernel/drivers/hwmon',
  'kernel/drivers/iio',
  'kernel/drivers/infiniband',
  'kernel/drivers/isdn',
  'kernel/drivers/media',
  'kernel/drivers/net/ethernet',
  'kernel/drivers/net/wireless',
  'kernel/drivers/staging',
  'kernel/drivers/usb',
];

/** What was fetched; paths are relative to the kernel's folder. */
export interface KernelRecord {
  release: string;
  image: string;
  config: string;
  buildDir: string;
  modulesRoot: string;
  /** `name=version` of every package it was made from. */
  packages: string[];
}

export interface FetchKernelOptions {
  cacheDir: string;
  dir: string;
  mirror: string | undefined;
  progress: Progress;
}

/** Downloads, checks, extracts; `dir` appears only when complete. Errors: KERNEL_FETCH_FAILED. */
export async function fetchKernel(
  entry: PackagedKernel,
  options: FetchKernelOptions,
): Promise<void> {
  await mkdir(options.cacheDir, { recursive: true });
  await withWorkDir(options.cacheDir, async (work) => {
    const { mirror, progress } = options;
    const apt = await PrivateApt.open({ dir: work, suite: entry.suite, mirror, progress });
    const packages = await choosePackages(apt, entry, progress);
    const debs = await apt.download(packages);
    progress('extracting');
    await makeDirAtomic(options.dir, async (part) => {
      for (const deb of debs) {
        await extractDeb(deb, part);
      }
      await unpackModules(part);
      const record = await layOut(part, packages);
      await writeFile(join(part, KERNEL_RECORD), `${JSON.stringify(record, null, 2)}\n`);
    });
  });
}

/**
 * The versioned image, its headers, the headers common to all flavours, and the build programs. The
 * compiler package that the headers also name is empty and left out.
 */
async function choosePackages(
  apt: PrivateApt,
  entry: PackagedKernel,
  progress: Progress,
): Promise<string[]> {
  const image = dependency(await apt.show(entry.imagePackage), /^linux-image-\d/);
  const release = image.replace('linux-image-', '');
  const headers = await apt.show(`linux-headers-${release}`);
  const common = dependency(headers, /^linux-headers-\d.*-common/);
  const kbuild = dependency(headers, /^linux-kbuild-/);
  const names = [image, `linux-headers-${release}`, common, kbuild];
  const packages: string[] = [];
  let bytes = 0;
  for (const name of names) {
    const stanza = await apt.show(name);
    packages.push(`${name}=${stanza.get('Version')}`);
    bytes += Number(stanza.get('Size'));
  }
  progress(`downloading kernel ${release} and its headers, ${Math.round(bytes / 1e6)} MB`);
  return packages;
}

function dependency(stanza: PackageStanza, pattern: RegExp): string {
  const wanted = (stanza.get('Depends') ?? '').split(',').map((item) => item.trim().split(' ')[0]!);
  const name = wanted.find((candidate) => pattern.test(candidate));
  if (name) return name;
  throw new ImagesError(
    'KERNEL_FETCH_FAILED',
    `package ${stanza.get('Package')} depends on nothing like ${pattern.source}: ` +
      'its layout has changed; give your own kernel image and build folder instead',
  );
}

async function extractDeb(deb: string, dir: string): Promise<void> {
  // A pipe instead of dpkg-deb -x, so that what is not wanted is never written.
  const excludes = UNUSED_MODULES.map((path) => `--exclude='./lib/modules/*/${path}'`).join(' ');
  const script = `set -o pipefail; dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" ${excludes}`;
  const result = await run('bash', ['-c', script, 'extract', deb, dir], {
    timeoutMs: EXTRACT_TIMEOUT_MS,
  });
  if (result.code === 0) return;
  throw new ImagesError(
    'KERNEL_FETCH_FAILED',
    `extracting ${deb} failed:\n${lastLines(result.output, 5)}\n` +
      'Check that the disk of the cache folder is not full, and try again.',
  );
}

/** Newer kernels compress each module; we read them, and insmod in the guest does too. */
async function unpackModules(dir: string): Promise<void> {
  const script = `find "$1/lib/modules" -name '*.ko.xz' -print0 | xargs -0r -P 2 -n 64 xz -d`;
  const result = await run('bash', ['-c', `set -o pipefail; ${script}`, 'unpack', dir], {
    timeoutMs: EXTRACT_TIMEOUT_MS,
  });
  if (result.code === 0) return;
  throw new ImagesError(
    'KERNEL_FETCH_FAILED',
    `unpacking the kernel's modules failed:\n${lastLines(result.output, 5)}\n` +
      'Check that xz is there (package xz-utils) and that the disk is not full, and try again.',
  );
}

async function layOut(dir: string, packages: string[]): Promise<KernelRecord> {
  const [release] = await readdir(join(dir, 'lib/modules'));
  if (!release) {
    throw new ImagesError('KERNEL_FETCH_FAILED', `the kernel package has no lib/modules folder`);
  }
  const buildDir = `usr/src/linux-headers-${release}`;
  const makefile = join(dir, buildDir, 'Makefile');
  const text = await readFile(makefile, 'utf8');
  const moved = text.replaceAll(
    /^include \/usr\/src\/([^/\s]+)\/Makefile$/gm,
    'include $(dir $(lastword $(MAKEFILE_LIST)))../$1/Makefile',
  );
  await writeFile(makefile, moved);
  await rm(join(dir, 'lib/modules', release, 'build'), { force: true });
  await rm(join(dir, 'lib/modules', release, 'source'), { force: true });
  await rm(join(dir, 'usr/share'), { recursive: true, force: true });
  await rm(join(dir, 'boot', `System.map-${release}`), { force: true });
  return {
    release,
    image: `boot/vmlinuz-${release}`,
    config: `boot/config-${release}`,
    buildDir,
    modulesRoot: `lib/modules/${release}`,
    packages,
  };
}
