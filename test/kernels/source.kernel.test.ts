/**
 * Every kernel that is built here, built from nothing in a cache of its own, booted, and stormed
 * through its swap hook with a clean kernel log; then a patched one. `npm run test:kernels`: most
 * of an hour on two cores.
 *
 * A tree takes 2 GB, so each kernel goes when its test is done, and all of it at the end.
 */
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bootGuest, type Guest, type GuestOptions, kernelCatalogue, runStorm } from 'qemu-tmem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const STORM_MS_MAX = 30 * 60_000;

/** Adds a line to the kernel log. */
const PATCH = `--- a/mm/swapfile.c
+++ b/mm/swapfile.c
@@ -3720,4 +3720,5 @@

+	pr_info("patched by a test\\n");
 	return 0;
 }
 subsys_initcall(swapfile_init);
`.replace('@@\n\n', '@@\n \n');

/** What each must have in its configuration, beside what every guest must. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  'source-6.1': ['FRONTSWAP', 'EXT4_FS', 'BLK_DEV_LOOP'],
  'source-6.12': ['ZSWAP', 'EXT4_FS'],
  'source-backports': ['ZSWAP', 'EXT4_FS'],
  'source-6.1-debug': ['KASAN', 'PROVE_LOCKING', 'DEBUG_ATOMIC_SLEEP', 'UBSAN', 'DEBUG_VM'],
  'source-5.10-debug': ['CLEANCACHE', 'KASAN', 'PROVE_LOCKING', 'DEBUG_ATOMIC_SLEEP'],
  'source-5.10-cleancache': ['FRONTSWAP', 'CLEANCACHE', 'EXT4_FS', 'BLK_DEV_LOOP'],
};

let cacheDir: string;

beforeAll(async () => {
  const parent = process.env.TMEM_CACHE_DIR ?? join(ROOT, '.cache');
  await mkdir(parent, { recursive: true });
  cacheDir = await mkdtemp(join(parent, 'test-kernels-'));
});

afterAll(async () => {
  await rm(cacheDir, { recursive: true, force: true });
});

/** The folders of a kernel's trees, patched ones too. */
async function folders(kernel: string): Promise<string[]> {
  const kernels = join(cacheDir, 'kernels');
  const names = await readdir(kernels).catch(() => []);
  const own = new RegExp(`^${kernel.replaceAll('.', '\\.')}-[0-9a-f]{16}(\\+|$)`);
  return names.filter((name) => own.test(name)).map((name) => join(kernels, name));
}

function boot(kernel: string, options: GuestOptions = {}): Promise<Guest> {
  const memoryMib = kernel.endsWith('-debug') ? 384 : 128;
  const bootTimeoutMs = 180_000;
  return bootGuest({ kernel, memoryMib, accel: 'tcg', cacheDir, bootTimeoutMs, ...options });
}

async function bootAndStorm(kernel: string): Promise<void> {
  await using guest = await boot(kernel);
  const { prepare, boot: seconds } = guest.bootSeconds;
  console.log(
    `${kernel}: ${guest.kernel.release} built in ${prepare.toFixed(0)} s, ` +
      `boots in ${seconds.toFixed(1)} s under TCG`,
  );
  for (const option of OPTIONS[kernel] ?? []) {
    expect(guest.kernel.config.get(option), option).toBe('y');
  }
  const mib = guest.memoryMib + 32;
  const report = await runStorm(guest, { mib, passes: 1, timeoutMs: STORM_MS_MAX });
  expect(report.problems).toEqual([]);
  expect(report.kernelTrouble).toEqual([]);
  expect(report.pagesWrong).toBe(0);
  expect(report.puts).toBeGreaterThan(5000);
}

async function patchedLog(path: string): Promise<string> {
  await using guest = await boot('source-6.1', { kernelPatches: [path], swap: 'none' });
  return guest.dmesg();
}

describe('source-6.1', () => {
  it('is built, boots and storms', async () => {
    await bootAndStorm('source-6.1');
  });

  it('takes a patch, compiles only what it touches, and runs it', async () => {
    const path = join(cacheDir, 'hello.patch');
    await writeFile(path, PATCH);
    const clock = performance.now();
    expect(await patchedLog(path)).toContain('patched by a test');
    console.log(
      `patched, built and booted in ${((performance.now() - clock) / 1000).toFixed(0)} s`,
    );
    const [base, patched] = (await folders('source-6.1')).sort((a, b) => a.length - b.length);
    const time = async (dir: string, object: string): Promise<number> =>
      (await stat(join(dir, 'tree/mm', object))).mtimeMs;
    expect(await time(patched!, 'swap.o')).toBe(await time(base!, 'swap.o'));
    expect(await time(patched!, 'swapfile.o')).toBeGreaterThan(await time(base!, 'swapfile.o'));
  });

  it('refuses a patch that does not apply, and says why', async () => {
    const path = join(cacheDir, 'bad.patch');
    await writeFile(path, PATCH.replace(' \treturn 0;', ' \treturn 1;'));
    await expect(patchedLog(path)).rejects.toMatchObject({
      code: 'KERNEL_PATCH_FAILED',
      message: expect.stringMatching(/bad\.patch does not apply.*FAILED/s),
    });
  });
});

const others = kernelCatalogue().filter(
  ({ kind, name }) => kind === 'source' && name !== 'source-6.1',
);

describe.each(others.map(({ name }) => name))('%s', (kernel) => {
  it('is built, boots and storms', async () => {
    try {
      await bootAndStorm(kernel);
    } finally {
      for (const dir of await folders(kernel)) await rm(dir, { recursive: true, force: true });
    }
  });
});
