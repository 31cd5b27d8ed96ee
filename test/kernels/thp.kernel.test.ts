/**
 * Storms in huge pages: every kernel of the catalogue, each front end that takes its swapped pages,
 * anonymous and shared memory, in guests large enough that the kernel turns huge pages on by itself.
 * Kernels that are not in the cache are fetched or built there. `npx vitest run --project kernels
 * test/kernels/thp.kernel.test.ts`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bootGuest,
  type Guest,
  kernelCatalogue,
  runStorm,
  type StormOptions,
  type StormReport,
  troubleIn,
} from 'qemu-tmem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileDirectIo } from '../guest/direct-io.js';

const STORM_MS_MAX = 30 * 60_000;
/** Pushed out on request, so that a guest whose memory is not full swaps as well. */
const STORM = { mib: 160, passes: 1, processes: 2, timeoutMs: STORM_MS_MAX } as const;

const isDebug = (kernel: string): boolean => kernel.endsWith('-debug');
const hookOf = (kernel: string): string => (/6\.12|backports/.test(kernel) ? 'zswap' : 'frontswap');

const CELLS = kernelCatalogue().flatMap(({ name }) =>
  [hookOf(name), 'block'].map((frontEnd) => ({ kernel: name, frontEnd })),
);

let dir: string;
let directIo: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tmem-thp-'));
  directIo = compileDirectIo(dir);
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function boot(kernel: string, frontEnd: string): Promise<Guest> {
  return await bootGuest({
    kernel,
    frontEnd,
    memoryMib: isDebug(kernel) ? 896 : 640,
    cpus: 2,
    accel: 'tcg',
    with: [directIo],
    bootTimeoutMs: 300_000,
  });
}

async function storm(guest: Guest, options: Partial<StormOptions> = {}): Promise<StormReport> {
  const report = await runStorm(guest, { ...STORM, extra: ['--pageout'], thp: true, ...options });
  expect(report.problems).toEqual([]);
  expect(report.pagesVerified).toBeGreaterThan(STORM.mib * 256);
  expect(report.share).toBeGreaterThan(0.8);
  return report;
}

describe.each(CELLS)('$kernel, $frontEnd', ({ kernel, frontEnd }) => {
  it('storms in huge pages, then in shared memory, then as a disk', async () => {
    await using guest = await boot(kernel, frontEnd);
    expect(await guest.sh('cat /sys/kernel/mm/transparent_hugepage/enabled')).toMatch(/\[always]/);
    const report = await storm(guest);
    expect(report.hugePages.made).toBeGreaterThan(STORM.mib / 4);
    const held = async () => (await guest.store!.stats()).pagesUsed;
    await expect.poll(held, { timeout: 60_000 }).toBeLessThan(2000);
    await storm(guest, { extra: ['--pageout', '--shm'] });
    if (frontEnd !== 'block') return;
    await guest.sh('swapoff /dev/tmem0');
    const direct = await guest.exec(`${directIo} /dev/tmem0`, { timeoutMs: STORM_MS_MAX });
    expect(direct).toMatchObject({ code: 0, stderr: '' });
    expect(troubleIn(await guest.dmesg())).toEqual([]);
  });
});

const ZSWAP = CELLS.filter(({ frontEnd }) => frontEnd === 'zswap');

it.each(ZSWAP)(
  '$kernel, $frontEnd: folios of several sizes, on a disk that takes them whole',
  async ({ kernel, frontEnd }) => {
    await using guest = await boot(kernel, frontEnd);
    const sizes = '/sys/kernel/mm/transparent_hugepage/hugepages-*kB/enabled';
    await guest.sh(
      `for size in ${sizes}; do echo always >$size; done; swapoff /dev/vda; ` +
        'echo 0 >/sys/block/vda/queue/rotational; swapon /dev/vda',
    );
    const report = await storm(guest);
    expect(report.hugePages.writtenWhole).toBe(0);
  },
);
