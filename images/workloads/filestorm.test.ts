/**
 * The file storm on the host's own file system: that it counts right, and finds a page of which
 * one bit is wrong.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { imagesSourceDir } from '../files.js';
import { buildGuestTools } from '../tools.js';

let filestorm: string;
let dir: string;

beforeAll(async () => {
  const cacheDir = process.env.TMEM_CACHE_DIR ?? join(imagesSourceDir(), '../.cache');
  const { programs } = await buildGuestTools({ cacheDir, progress: () => {} });
  filestorm = programs.get('filestorm')!;
  dir = mkdtempSync(join(tmpdir(), 'tmem-filestorm-'));
}, 120_000);

afterAll(() => rmSync(dir, { recursive: true, force: true }));

function run(options: string) {
  const words = ['--dir', dir, '--json', ...options.split(' ')];
  const result = spawnSync(filestorm, words, { encoding: 'utf8', timeout: 60_000 });
  return { code: result.status, stdout: result.stdout, stderr: result.stderr };
}

test('all is right on a file system that is, and nothing is left there', () => {
  const { code, stdout, stderr } = run('--mib 12 --files 9 --passes 8');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const report = JSON.parse(stdout) as Record<string, number>;
  expect(report.pagesWrong).toBe(0);
  // Each pass verifies all files, and once more at the end.
  expect(report.pagesVerified).toBeGreaterThan(9 * 3000 * 0.9);
  expect(report.pagesWritten).toBeGreaterThan(3000 + 8 * 300);
  expect(readdirSync(dir)).toEqual([]);
});

test.each(['--passes 1', '--passes 3'])('finds a bit that is wrong: %s', (passes) => {
  const { code, stdout, stderr } = run(`--mib 4 ${passes} --inject`);
  expect(code).toBe(1);
  expect((JSON.parse(stdout) as { pagesWrong: number }).pagesWrong).toBeGreaterThan(0);
  expect(stderr).toMatch(/filestorm\.0 page \d+ is not of generation \d+/);
});

test('says what it takes', () => {
  expect(run('--files 0')).toMatchObject({ code: 2, stdout: '' });
});
