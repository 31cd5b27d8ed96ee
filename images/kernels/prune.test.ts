/**
 * What `tmem kernels --prune` removes of a cache, and what it leaves.
 */
import { existsSync } from 'node:fs';
import { link, mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keepInUse } from '../lock.js';
import { kernelCatalogue } from './catalogue.js';
import { kernelDir } from './kernel.js';
import { pruneKernels } from './prune.js';
import { imageHash } from './vmlinux.js';

const LARGE = 2 ** 20;
const STRANGER = '.part-x-01234567.1.2-0123456789ab';

let dir: string;
/** The source kernel as it is configured now. */
let current: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tmem-prune-'));
  const source = kernelCatalogue().find(({ name }) => name === 'source-6.1')!;
  current = basename(await kernelDir(source, dir));
  for (const name of [
    'debian-6.1',
    current,
    `${current}+0123456789ab`,
    'source-6.1-0123456789abcdef',
  ]) {
    await put(`kernels/${name}/image`, name);
    await put(`kernels/${name}/kernel.json`, JSON.stringify({ image: 'image' }));
    await put(`vmlinux/${imageHash(Buffer.from(name))}/vmlinux`, '');
  }
  for (const name of ['debian-6.1', 'source-6.1', 'source-6.1+0123456789ab', 'bzImage']) {
    await put(`build/${name}/tmem-0123456789abcdef/tmem.ko`, '');
  }
  await put(`kernels/${STRANGER}/half`, '');
  await utimes(join(dir, 'kernels', STRANGER), 0, 0);
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(dir, path)), { recursive: true });
  await writeFile(join(dir, path), content);
}

async function prune(options: { olderThanDays?: number; dryRun?: boolean } = {}) {
  const pruned = await pruneKernels({ cacheDir: dir, ...options });
  return pruned.map(({ path, outcome }) => `${path.slice(dir.length + 1)} ${outcome}`).sort();
}

const GONE = (): string[] => [
  'build/bzImage',
  'build/source-6.1+0123456789ab',
  `kernels/${STRANGER}`,
  `kernels/${current}+0123456789ab`,
  'kernels/source-6.1-0123456789abcdef',
  `vmlinux/${imageHash(Buffer.from(`${current}+0123456789ab`))}`,
  `vmlinux/${imageHash(Buffer.from('source-6.1-0123456789abcdef'))}`,
];

test('removes what no kernel of today is or needs, and nothing else', async () => {
  const gone = GONE();
  const would = gone.map((path) => `${path} would be removed`).sort();
  expect(await prune({ dryRun: true })).toEqual(would);
  for (const path of gone) expect(existsSync(join(dir, path))).toBe(true);
  expect(await prune()).toEqual(gone.map((path) => `${path} removed`).sort());
  for (const path of gone) expect(existsSync(join(dir, path))).toBe(false);
  for (const path of ['kernels/debian-6.1', `kernels/${current}`, 'build/source-6.1']) {
    expect(existsSync(join(dir, path))).toBe(true);
  }
  expect(existsSync(join(dir, 'vmlinux', imageHash(Buffer.from(current))))).toBe(true);
  expect(await prune()).toEqual([]);
});

test('leaves what is used, with what goes with it, and what was used lately', async () => {
  await keepInUse(dir, `${current}+0123456789ab`);
  const found = await prune();
  expect(found).toContain(`kernels/${current}+0123456789ab used`);
  expect(found.filter((line) => line.includes('+0123456789ab removed'))).toEqual([]);
  expect(existsSync(join(dir, 'build/source-6.1+0123456789ab'))).toBe(true);
  const old = 'kernels/source-6.1-fedcba9876543210';
  for (const [name, day] of [
    [old, 40],
    ['kernels/source-6.1-1111111111111111', 20],
  ] as const) {
    await put(`${name}/kernel.json`, JSON.stringify({ image: 'gone' }));
    const then = Date.now() / 1000 - day * 86_400;
    await utimes(join(dir, name), then, then);
  }
  expect(await prune({ olderThanDays: 30 })).toEqual([`${old} removed`]);
});

test('counts what its removal gives back: not the files of another tree', async () => {
  const patched = `kernels/${current}+0123456789ab`;
  await put(`${patched}/own`, 'x'.repeat(LARGE));
  await put(`kernels/${current}/shared`, 'x'.repeat(8 * LARGE));
  await link(join(dir, `kernels/${current}/shared`), join(dir, `${patched}/shared`));
  const pruned = await pruneKernels({ cacheDir: dir, dryRun: true });
  const { bytes } = pruned.find(({ path }) => path === join(dir, patched))!;
  expect(bytes).toBeGreaterThanOrEqual(LARGE);
  expect(bytes).toBeLessThan(2 * LARGE);
});
