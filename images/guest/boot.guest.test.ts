/**
 * Boots the catalogue's default kernel with the real init and agent, and uses the agent the way its
 * callers do. One guest serves all tests of the file.
 */
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { imagesSourceDir } from '../files.js';
import { buildGuestTools, buildInitramfs, buildModule, ensureKernel } from '../index.js';
import { TestGuest } from '../testing/guest.js';

const CACHE_DIR = join(imagesSourceDir(), '../.cache');
const SETUP_TIMEOUT_MS = 30 * 60_000;
const TEST_TIMEOUT_MS = 120_000;

let guest: TestGuest;
let release: string;

beforeAll(async () => {
  const options = { cacheDir: CACHE_DIR, progress: (line: string) => console.error(line) };
  const kernel = await ensureKernel('debian-6.1', options);
  const sourceDir = join(imagesSourceDir(), 'testing/module-fixture');
  const module = await buildModule(kernel, { ...options, sourceDir, name: 'fixture' });
  const output = join(CACHE_DIR, `boot-test-${process.pid}.cpio`);
  const initrd = await buildInitramfs({
    kernel,
    tools: await buildGuestTools(options),
    kernelModules: ['virtio_pci', 'virtio_console', 'virtio_blk'],
    moduleFiles: [module],
    withPaths: [],
    output,
  });
  expect(basename(initrd)).toBe(basename(output));
  release = kernel.release;
  guest = await TestGuest.boot({ image: kernel.image, initrd, memoryMib: 256, diskMib: 512 });
}, SETUP_TIMEOUT_MS);

afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
  await rm(join(CACHE_DIR, `boot-test-${process.pid}.cpio`), { force: true });
});

test(
  'says which kernel it runs',
  async () => {
    expect(guest.agent.hello).toEqual({ release, agentVersion: 1 });
    const { stdout } = await guest.agent.exec(
      'uname -r; pwd; echo $HOME; cat /proc/self/oom_score_adj',
    );
    expect(stdout).toBe(`${release}\n/root\n/root\n0\n`);
  },
  TEST_TIMEOUT_MS,
);

test(
  'keeps stdout and stderr apart and passes the exit code',
  async () => {
    const result = await guest.agent.exec('echo out; echo err >&2; exit 7');
    expect(result).toEqual({ code: 7, stdout: 'out\n', stderr: 'err\n', truncated: false });
  },
  TEST_TIMEOUT_MS,
);

test(
  'loads a module built for this kernel',
  async () => {
    const result = await guest.agent.exec('insmod /lib/tmem/fixture.ko && dmesg | grep fixture:');
    expect(result.stdout).toContain('fixture: loaded');
    expect(result.code).toBe(0);
  },
  TEST_TIMEOUT_MS,
);
