/**
 * Small file helpers of images/: where our own C sources are, folder hashes, atomic folders. A
 * folder that has its final name is complete; whatever is half made has a name as in unfinished.ts.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interruptible, run } from './run.js';
import { unfinishedName } from './unfinished.js';

const REMOVE_TIMEOUT_MS = 5 * 60_000;

/** The folder images/ of the sources, whether this runs from dist/ or from the sources. */
export function imagesSourceDir(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const manifest = join(dir, 'package.json');
    if (existsSync(manifest)) {
      const { name } = JSON.parse(readFileSync(manifest, 'utf8')) as { name?: string };
      if (name === 'qemu-tmem') return join(dir, 'images');
    }
    const parent = dirname(dir);
    if (parent === dir) throw new Error('images/ is not inside its own package: package.json gone');
    dir = parent;
  }
}

/** Paths of all plain files below `dir`, relative to it, sorted; symlinks are not followed. */
export async function listFiles(dir: string, keep: (name: string) => boolean): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && keep(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1));
  return files.sort();
}

/** A 16-digit hexadecimal hash of names and contents, and of the extra strings given. */
export async function hashFiles(dir: string, files: string[], extra: string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const text of extra) hash.update(`${text.length}:${text}`);
  for (const file of files) {
    const bytes = await readFile(join(dir, file));
    hash.update(`${file}\0${bytes.length}\0`);
    hash.update(bytes);
  }
  return hash.digest('hex').slice(0, 16);
}

/** Removes a folder and all below it, interrupted or not; a kernel's tree has 80,000 files. */
export async function removeTree(path: string): Promise<void> {
  await interruptible(undefined, () =>
    run('rm', ['-rf', '--', path], { timeoutMs: REMOVE_TIMEOUT_MS }),
  );
}

/**
 * Makes a folder in one step: `fill` works in a temporary neighbour, which then takes the final
 * name. When another process was faster its result is kept. On failure the temporary folder is
 * removed.
 */
export async function makeDirAtomic(
  dir: string,
  fill: (part: string) => Promise<void>,
): Promise<void> {
  const part = join(dirname(dir), unfinishedName(`.part-${basename(dir)}`));
  await mkdir(part, { recursive: true });
  try {
    await fill(part);
    await rename(part, dir);
  } catch (error) {
    await removeTree(part);
    const code = (error as NodeJS.ErrnoException).code;
    if ((code === 'ENOTEMPTY' || code === 'EEXIST') && existsSync(dir)) return;
    throw error;
  }
}

/** Runs `work` in a folder of the cache that goes with it. */
export async function withWorkDir<T>(
  cacheDir: string,
  work: (dir: string) => Promise<T>,
): Promise<T> {
  const dir = join(cacheDir, unfinishedName('.apt'));
  await mkdir(dir, { recursive: true, mode: 0o700 });
  try {
    return await work(dir);
  } finally {
    await removeTree(dir);
  }
}
