/**
 * Kernels that are built here, without building one: the catalogue, patches and their hash, and a
 * patched copy of a stand-in tree. test/kernels builds the real ones.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sourcesList } from '../apt.js';
import { imagesSourceDir } from '../files.js';
import { run } from '../run.js';
import { requireBuildNeeds } from './build-needs.js';
import { kernelCatalogue, type SourceKernel } from './catalogue.js';
import { parseConfig } from './config.js';
import { ensureKernel, isCached, kernelDir } from './kernel.js';
import { buildPatchedKernel, patchHash, readPatches } from './patched.js';

const MAKEFILE = `bzImage: one.o two.o include/config/kernel.release
modules:
%.o: %.c
\tcp $< $@
\techo $@ >>made
include/config/kernel.release:
\tmkdir -p include/config
\techo 1.2.3 >$@
`;

const PATCH = `--- a/one.c
+++ b/one.c
@@ -1 +1 @@
-one
+changed
`;

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tmem-source-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function put(path: string, content: string): Promise<string> {
  const file = join(dir, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  return file;
}

const read = (path: string): Promise<string> => readFile(join(dir, path), 'utf8');

/** A built tree as build-kernel.ts leaves it, with two objects. */
async function standIn(): Promise<string> {
  const sources = [
    await put('base/tree/one.c', 'one\n'),
    await put('base/tree/two.c', 'two\n'),
    await put('base/tree/Makefile', MAKEFILE),
  ];
  for (const file of sources) await utimes(file, 1e9, 1e9);
  await put('base/unpacked', '');
  const before = Date.now() / 1000 - 100;
  await utimes(join(dir, 'base/unpacked'), before, before);
  await put('base/tree/tools/.x.o.cmd', `cmd := ${join(dir, 'base/tree')}/x`);
  await put('base/tree/scripts/readme', '');
  await put('base/kernel.json', JSON.stringify({ packages: ['source=1'] }));
  await run('make', ['-C', join(dir, 'base/tree'), 'bzImage'], { timeoutMs: 60_000 });
  return join(dir, 'base');
}

const sources = (): SourceKernel[] => kernelCatalogue().filter((entry) => entry.kind === 'source');

test('every kernel has a name of its own, and fragments that are there', async () => {
  const names = kernelCatalogue().map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(sources().length).toBeGreaterThan(3);
  for (const { fragments } of sources()) {
    for (const name of fragments) {
      const text = await readFile(join(imagesSourceDir(), 'kernels/configs', name), 'utf8');
      expect(parseConfig(text).size, name).toBeGreaterThan(1);
    }
  }
});

test('other fragments make another folder, and a name alone is not in the cache', async () => {
  const [plain, debug] = ['source-6.1', 'source-6.1-debug'].map(
    (name) => sources().find((entry) => entry.name === name)!,
  );
  const folder = await kernelDir(plain!, dir);
  expect(folder).toMatch(/\/kernels\/source-6\.1-[0-9a-f]{16}$/);
  expect(await kernelDir({ ...debug!, name: 'source-6.1' }, dir)).not.toBe(folder);
  expect(await isCached(plain!, dir)).toBe(false);
  await put(`kernels/${folder.split('/').at(-1)}/kernel.json`, '{}');
  expect(await isCached(plain!, dir)).toBe(true);
});

test('a patched kernel is known by its base and its patches’ bytes in order', async () => {
  const paths = [await put('a.patch', 'a'), await put('b.patch', 'b'), await put('c.patch', 'a')];
  const [a, b, same] = await readPatches(paths);
  const hash = patchHash(['base', 'source=1'], [a!, b!]);
  expect(hash).toMatch(/^[0-9a-f]{12}$/);
  expect(patchHash(['base', 'source=1'], [same!, b!])).toBe(hash);
  expect(patchHash(['base', 'source=1'], [b!, a!])).not.toBe(hash);
  expect(patchHash(['base', 'source=2'], [a!, b!])).not.toBe(hash);
});

test('compiles what a patch touches alone, and leaves the unpatched tree as it was', async () => {
  const base = await standIn();
  await rm(join(base, 'tree/made'));
  const patches = await readPatches([await put('x.patch', PATCH)]);
  const target = join(dir, 'patched');
  await buildPatchedKernel(base, patches, { dir: target, progress: () => {} });
  expect(await read('patched/tree/made')).toBe('one.o\n');
  expect(await read('patched/tree/one.o')).toBe('changed\n');
  expect(await read('base/tree/one.c')).toBe('one\n');
  expect(await read('base/tree/one.o')).toBe('one\n');
  const inode = async (path: string): Promise<number> => (await stat(join(dir, path))).ino;
  expect(await inode('patched/tree/two.c')).toBe(await inode('base/tree/two.c'));
  expect(await inode('patched/tree/two.o')).not.toBe(await inode('base/tree/two.o'));
  // What recorded where it was built goes by the new place.
  expect(await read('patched/tree/tools/.x.o.cmd')).not.toContain(`${base}/tree/x`);
  expect(JSON.parse(await read('patched/kernel.json'))).toMatchObject({
    release: '1.2.3',
    packages: ['source=1'],
  });
});

test('a patch that does not apply is named with what patch said, and leaves nothing', async () => {
  const base = await standIn();
  const file = await put('bad.patch', PATCH.replace('-one', '-other'));
  const patches = await readPatches([file]);
  const work = buildPatchedKernel(base, patches, { dir: join(dir, 'patched'), progress: () => {} });
  const error = await work.catch((e) => e);
  expect(error.code).toBe('KERNEL_PATCH_FAILED');
  expect(error.message).toContain(file);
  expect(error.message).toMatch(/Hunk #1 FAILED at 1/);
  expect((await readdir(dir)).sort()).toEqual(['bad.patch', 'base']);
  await expect(readPatches([join(dir, 'gone')])).rejects.toMatchObject({
    code: 'KERNEL_PATCH_UNUSABLE',
    message: expect.stringContaining('gone'),
  });
});

test('patches are refused for kernels that are not built here', async () => {
  const patches = [await put('x.patch', PATCH)];
  const options = { cacheDir: dir, patches, progress: () => {} };
  const own = { image: join(dir, 'bzImage'), buildDir: dir };
  for (const which of ['debian-6.1', own]) {
    await expect(ensureKernel(which, options)).rejects.toMatchObject({
      code: 'KERNEL_PATCH_UNUSABLE',
      message: expect.stringContaining('source-6.1'),
    });
  }
  expect(existsSync(join(dir, 'kernels'))).toBe(false);
});

test('says what a build lacks before anything is downloaded', async () => {
  const path = process.env.PATH;
  process.env.PATH = dir;
  try {
    expect(() => requireBuildNeeds('source-6.1')).toThrow(
      expect.objectContaining({
        code: 'TOOLS_MISSING',
        message: expect.stringMatching(/source-6\.1 .*apt-get install gcc make flex bison/),
      }),
    );
  } finally {
    process.env.PATH = path;
  }
});

test('backports have no suites of their own for updates', () => {
  const sites = { main: 'http://a.example/debian', security: 'http://s.example/security' };
  expect(sourcesList(sites, 'bookworm').split('\n')).toHaveLength(4);
  const backports = sourcesList(sites, 'trixie-backports');
  expect(backports).toMatch(/^deb \[.*\] http:\/\/a\.example\/debian trixie-backports main\n$/);
});
