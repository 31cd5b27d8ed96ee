/**
 * The guest that the tests of images/ boot: the catalogue's default kernel, our init, agent and
 * workloads. The archive is made anew for each test file and removed with the guest.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { imagesSourceDir } from '../files.js';
import { BASE_MODULES, buildInitramfs } from '../initramfs/initramfs.js';
import { ensureKernel, type Kernel } from '../kernels/kernel.js';
import { buildGuestTools } from '../tools.js';
import { type BootOptions, TestGuest } from './guest.js';

export const CACHE_DIR = join(imagesSourceDir(), '../.cache');
/** The first run on a machine downloads a kernel. */
export const SETUP_TIMEOUT_MS = 30 * 60_000;

export interface FixtureOptions extends Omit<BootOptions, 'image' | 'initrd'> {
  /** Makes further .ko files for /lib/tmem/. */
  modules?: (kernel: Kernel) => Promise<string[]>;
  withPaths?: string[];
}

export async function bootFixture(
  name: string,
  options: FixtureOptions,
): Promise<{ guest: TestGuest; kernel: Kernel }> {
  const shared = { cacheDir: CACHE_DIR, progress: (line: string) => console.error(line) };
  const kernel = await ensureKernel('debian-6.1', shared);
  const { modules, withPaths, ...boot } = options;
  const initrd = await buildInitramfs({
    kernel,
    tools: await buildGuestTools(shared),
    kernelModules: BASE_MODULES,
    moduleFiles: (await modules?.(kernel)) ?? [],
    withPaths: withPaths ?? [],
    output: join(CACHE_DIR, `test-${name}-${process.pid}.cpio`),
  });
  try {
    return { guest: await TestGuest.boot({ image: kernel.image, initrd, ...boot }), kernel };
  } finally {
    // QEMU has read it by the time the agent answers.
    await rm(initrd, { force: true });
  }
}
