/**
 * Memory that must not run out later: a page that cannot be had when it is touched is a SIGBUS.
 * What the system is like is seen in a mount namespace of its own, by what is built.
 */
import { spawnSync } from 'node:child_process';
import { fstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Lifetime } from '../lifetime.js';
import { RegionFile } from './region.js';

const REGION = join(import.meta.dirname, '../../dist/emulator/transport/region.js');
const BYTES = 2 ** 22;

/** Bytes that a file without a directory has at once, under a mode of vm.overcommit_memory. */
async function bytesUnder(mode: number): Promise<number> {
  await using lifetime = new Lifetime();
  const folder = mkdtempSync(join(tmpdir(), 'tmem-overcommit-'));
  lifetime.defer(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'mode');
  writeFileSync(file, `${mode}\n`);
  const program = `
    import { fstatSync } from 'node:fs';
    import { RegionFile } from ${JSON.stringify(REGION)};
    process.stdout.write(String(fstatSync(RegionFile.create(${BYTES}).fd).blocks * 512));`;
  const script = 'mount --bind "$0" /proc/sys/vm/overcommit_memory && exec "$@"';
  const node = [process.execPath, '--input-type=module', '-e', program];
  const { stdout, stderr } = spawnSync('unshare', ['-rm', 'sh', '-c', script, file, ...node], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  expect(stderr).toBe('');
  return Number(stdout);
}

it('is used as pages come where the system finds a page for each', async () => {
  expect(await bytesUnder(0)).toBe(0);
  expect(await bytesUnder(1)).toBe(0);
});

it('is taken at once where the system accounts for each page as it is touched', async () => {
  expect(await bytesUnder(2)).toBe(BYTES);
});

it('is taken at once where that is asked for, and keeps its size', () => {
  using file = RegionFile.create(BYTES, undefined, true);
  expect(fstatSync(file.fd)).toMatchObject({ size: BYTES, blocks: BYTES / 512 });
});
