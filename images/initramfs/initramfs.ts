/**
 * Packs the guest's root file system: init, busybox under all its names, the workloads, kernel
 * modules in the order in which init loads them, and whatever of the host the caller wants in it.
 * The archive is not compressed: unpacking under emulation costs more than reading.
 */
import { rename, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { ImagesError } from '../errors.js';
import type { Kernel } from '../kernels/kernel.js';
import { ModuleIndex } from '../kernels/modules.js';
import { lastLines, run } from '../run.js';
import type { GuestTools } from '../tools.js';
import { CpioWriter } from './cpio.js';
import { addHostPaths, addLibraries } from './host-paths.js';

/** What every guest needs: the agent's port and disks. */
export const BASE_MODULES: readonly string[] = ['virtio_pci', 'virtio_console', 'virtio_blk'];

/**
 * Kernel command line for these images: the console on the first serial port, a panic that ends the
 * machine, and a root that is never swapped itself (a root on tmpfs would put busybox into the very
 * swap under test).
 */
export const GUEST_KERNEL_ARGS: readonly string[] = [
  'console=ttyS0',
  'quiet',
  'panic=-1',
  'rootfstype=ramfs',
];

const APPLETS_TIMEOUT_MS = 10_000;

/** As Debian numbers them. */
const PASSWD =
  'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n';
const GROUP = 'root:x:0:\nnogroup:x:65534:\nnobody:x:65534:\n';

export interface BuildInitramfsOptions {
  kernel: Kernel;
  tools: GuestTools;
  /** Modules to load at boot, by name; dependencies are found, built-in ones skipped. */
  kernelModules: readonly string[];
  /** Further .ko files, put into /lib/tmem/ and not loaded. */
  moduleFiles: readonly string[];
  /** Host programs, files or folders, at the same path in the guest; names are found in PATH. */
  withPaths: readonly string[];
  /** Path of the archive. */
  output: string;
}

/**
 * Writes the archive and returns its path; it appears only when complete.
 * Errors: KERNEL_MODULE_UNKNOWN, MODULE_INVALID, INITRAMFS_PATH_MISSING, INITRAMFS_PATH_UNUSABLE,
 * INITRAMFS_TOO_LARGE, TOOLS_MISSING.
 */
export async function buildInitramfs(options: BuildInitramfsOptions): Promise<string> {
  const output = resolve(options.output);
  const part = `${output}.${process.pid}.part`;
  const archive = await CpioWriter.create(part);
  try {
    await addBase(archive, options.tools);
    await addModules(archive, options);
    // Before busybox's names: a host program that was asked for wins over the applet of its name.
    const applets = await listApplets(options.tools.busybox);
    refuseHidden(options, applets);
    await addHostPaths(archive, options.withPaths);
    for (const applet of applets) await archive.symlink(applet, '/bin/busybox');
    await archive.finish();
    await rename(part, output);
  } catch (error) {
    await archive[Symbol.asyncDispose]();
    await rm(part, { force: true });
    throw error;
  }
  return output;
}

async function addBase(archive: CpioWriter, tools: GuestTools): Promise<void> {
  for (const dir of ['dev', 'proc', 'sys', 'run', 'etc', 'usr']) await archive.dir(dir);
  // As on today's distributions, so that a host's paths mean the same here.
  for (const dir of ['bin', 'sbin', 'lib', 'lib64']) {
    await archive.dir(`usr/${dir}`);
    await archive.symlink(dir, `usr/${dir}`);
  }
  await archive.dir('root', 0o700);
  await archive.dir('tmp', 0o1777);
  // The kernel opens this for init before anything is mounted.
  await archive.charDevice('dev/console', 0o600, 5, 1);
  await archive.charDevice('dev/null', 0o666, 1, 3);
  await archive.copy('init', tools.init, 0o755);
  await archive.file('etc/passwd', PASSWD, 0o644);
  await archive.file('etc/group', GROUP, 0o644);
  await archive.file('etc/hosts', '127.0.0.1 localhost\n', 0o644);
  await archive.copy('bin/busybox', tools.busybox, 0o755);
  await addLibraries(archive, tools.busybox);
  await archive.symlink('bin/sh', '/bin/busybox');
  for (const [name, path] of tools.programs) await archive.copy(`usr/bin/${name}`, path, 0o755);
}

/** A program that busybox would run its own in the place of is refused, not ignored. */
function refuseHidden({ tools, withPaths }: BuildInitramfsOptions, applets: string[]): void {
  if (tools.busyboxObeysPath) return;
  const own = new Set(applets.map((applet) => basename(applet)));
  const hidden = withPaths.find((path) => own.has(path));
  if (hidden === undefined) return;
  throw new ImagesError(
    'INITRAMFS_PATH_UNUSABLE',
    `${hidden} cannot go into the guest by its name: ${tools.busybox}, which is all that runs here, ` +
      `runs its own ${hidden} first; give the program’s path, and call it by that`,
  );
}

/** Paths such as `usr/bin/awk`, as busybox itself would install them. */
async function listApplets(busybox: string): Promise<string[]> {
  const result = await run(busybox, ['--list-full'], { timeoutMs: APPLETS_TIMEOUT_MS });
  const applets = result.stdout.split('\n').filter((line) => line !== '');
  if (result.code === 0 && applets.includes('bin/sh')) return applets;
  throw new ImagesError(
    'TOOLS_MISSING',
    `${busybox} lists no applets, or has no shell:\n${lastLines(result.output, 5)}\n` +
      'Install busybox, or remove this busybox so that Debian’s is fetched.',
  );
}

async function addModules(archive: CpioWriter, options: BuildInitramfsOptions): Promise<void> {
  const index = await ModuleIndex.open(options.kernel.modulesRoot);
  const { root, files } = await index.loadOrder(options.kernelModules);
  const base = `lib/modules/${options.kernel.release}`;
  const list: string[] = [];
  for (const file of files) {
    await archive.copy(`${base}/${file}`, join(root, file), 0o644);
    list.push(`/${base}/${file}\n`);
  }
  await archive.file('etc/modules-load', list.join(''), 0o644);
  const { release, configFile } = options.kernel;
  if (configFile) await archive.copy(`boot/config-${release}`, configFile, 0o644);
  await archive.dir('lib/tmem');
  for (const file of options.moduleFiles) {
    await archive.copy(`lib/tmem/${basename(file)}`, file, 0o644);
  }
}
