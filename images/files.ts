/**
 * Small file helpers of images/: where our own C sources are, folder hashes, atomic folders. A
 * folder that has its final name is complete; whatever is half made has a name starting with
 * ".part-".
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

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

/**
 * Makes a folder in one step: `fill` works in a temporary neighbour, which then takes the final
 * name. When another process was faster its result is kept. On failure the temporary folder is
 * removed.
 */
export async function makeDirAtomic(
  dir: string,
  fill: (part: string) => Promise<void>,
): Promise<void> {
  const part = join(dirname(dir), `.part-${basename(dir)}-${randomBytes(6).toString('hex')}`);
  await mkdir(part, { recursive: true });
  try {
    await fill(part);
    await rename(part, dir);
  } catch (error) {
    await rm(part, { recursive: true, force: true });
    const code = (error as NodeJS.ErrnoException).code;
    if ((code === 'ENOTEMPTY' || code === 'EEXIST') && existsSync(dir)) return;
    throw error;
  }
}
