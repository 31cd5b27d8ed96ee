/**
 * The storm on the host, without swapping: that it counts right, and that it finds every kind of
 * fault that it claims to find.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { imagesSourceDir } from '../files.js';
import { buildGuestTools } from '../tools.js';

let storm: string;

beforeAll(async () => {
  const cacheDir = join(imagesSourceDir(), '../.cache');
  const { programs } = await buildGuestTools({ cacheDir, progress: () => {} });
  storm = programs.get('storm')!;
}, 120_000);

function run(options: string) {
  const result = spawnSync(storm, options.split(' '), { encoding: 'utf8', timeout: 60_000 });
  return { code: result.status, stdout: result.stdout, stderr: result.stderr };
}

test.each(['', ' --fork', ' --shm', ' --pageout', ' --no-thp', ' --survive'])(
  'all is right in plain memory%s',
  (more) => {
    const { code, stdout, stderr } = run(`--mib 8 --procs 2 --passes 2 --json${more}`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const report = JSON.parse(stdout) as Record<string, number>;
    expect(report).toMatchObject({
      pagesWrong: 0,
      pagesLost: 0,
      passes: 2,
      processes: 2,
      processesDied: 0,
      mib: 8,
    });
    // Each pass verifies all pages, and once more at the end; a forked child verifies all twice.
    expect(report.pagesVerified).toBe(2048 * (more === ' --fork' ? 3 + 2 * 2 : 3));
    expect(report.pagesWritten).toBeGreaterThan(2048 + 2 * (2048 / 4));
  },
);

test.each([
  ['bit', 1, /1 of 512 words, first at byte 4088/],
  ['swap', 2, /it is page 0 of this process/],
  ['stale', 1, /it is stale: generation \d+/],
  ['zero', 1, /it is all zero/],
])('finds an injected fault: %s', (kind, wrong, text) => {
  for (const when of ['--passes 3', '--passes 1']) {
    const { code, stdout, stderr } = run(`--mib 4 ${when} --json --inject ${kind}`);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ pagesWrong: wrong });
    expect(stderr).toMatch(text);
  }
});

test('ends when the time is up, and still verifies everything', () => {
  const { code, stdout } = run('--mib 8 --seconds 1 --json');
  expect(code).toBe(0);
  const report = JSON.parse(stdout) as Record<string, number | boolean>;
  expect(report).toMatchObject({ timeUp: true, pagesWrong: 0 });
  expect(report.pagesVerified).toBeGreaterThanOrEqual(2048);
});

test.each([
  '--mib 0',
  '--mib x',
  '--mib -1',
  '--procs 65',
  '--fork --shm',
  '--survive --shm',
  '--thp --no-thp',
  '--passes 0',
  'more',
])('refuses %s', (options) => {
  const { code, stdout, stderr } = run(options);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain('usage:');
});
