/**
 * Huge pages, in guests that have them: no page of one is lost, and most of what is swapped reaches
 * tmem, whichever way it takes. Other kernels: test/kernels/thp.kernel.test.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootGuest, type Guest, runStorm, type StormReport } from 'qemu-tmem';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileDirectIo } from './direct-io.js';

const MS_MAX = 240_000;
/** Debian's kernels turn huge pages on by themselves from 512 MiB on. */
const GUEST = { memoryMib: 640, accel: 'tcg', bootTimeoutMs: 120_000 } as const;
/** What is pushed out on request need not fill the guest's memory first. */
const STORM = { mib: 96, passes: 1, extra: ['--pageout'], timeoutMs: MS_MAX };
const STORM_PAGES = (STORM.mib * 2 ** 20) / 4096;

let dir: string;
let directIo: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tmem-thp-'));
  directIo = compileDirectIo(dir);
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** What must hold of every storm in huge pages that nobody asked to refuse any. */
function expectRight(report: StormReport): void {
  expect(report.problems).toEqual([]);
  expect(report.pagesVerified).toBeGreaterThan(STORM_PAGES);
  expect(report.hugePages.made).toBeGreaterThan(STORM.mib / 4);
  expect(report.puts).toBeGreaterThan(STORM_PAGES);
  expect(report.share).toBeGreaterThan(0.9);
}

/** Whatever swap is given back when its pages are freed, the store drops. */
async function expectFreed(guest: Guest): Promise<void> {
  const held = async () => (await guest.store!.stats()).pagesUsed;
  await expect.poll(held, { timeout: 30_000 }).toBeLessThan(STORM_PAGES / 50);
}

it('frontswap: the disk says it rotates, so huge pages are split and come to tmem', async () => {
  await using guest = await bootGuest(GUEST);
  expect(await guest.sh('cat /sys/block/failstop0/queue/rotational')).toBe('1\n');
  const report = await runStorm(guest, STORM);
  expectRight(report);
  expect(report.hugePages.split).toBeGreaterThan(STORM.mib / 4);
  expect(report.refusedBy.huge).toBe(0);
  await expectFreed(guest);
});

it('block: each page of a huge page is taken, freed slots are dropped, direct I/O is right', async () => {
  await using guest = await bootGuest({ ...GUEST, frontEnd: 'block', with: [directIo] });
  const report = await runStorm(guest, STORM);
  expectRight(report);
  expect(report.hugePages.writtenWhole).toBeGreaterThan(STORM.mib / 4);
  expect(report.refusedBy).toMatchObject({ huge: 0, off: 0, other: 0 });
  await expectFreed(guest);
  await guest.sh('swapoff /dev/tmem0');
  const direct = await guest.exec(`${directIo} /dev/tmem0`, { timeoutMs: MS_MAX });
  expect(direct).toMatchObject({ code: 0, stderr: '' });
  expect(await guest.dmesg()).not.toMatch(/BUG:|WARNING:|Oops|I\/O error|allocation error/);
});

it('zswap: a folio is stored page by page where the disk takes it whole', async () => {
  await using guest = await bootGuest({ ...GUEST, kernel: 'debian-6.12' });
  const solid = ['swapoff /dev/vda', 'echo 0 >/sys/block/vda/queue/rotational', 'swapon /dev/vda'];
  await guest.sh(solid.join(' && '));
  const report = await runStorm(guest, STORM);
  expectRight(report);
  expect(report.hugePages).toMatchObject({ split: 0, writtenWhole: 0 });
  await expectFreed(guest);
});
