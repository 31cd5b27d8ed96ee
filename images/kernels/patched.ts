/**
 * A kernel with the user's patches: a copy of the unpatched kernel's built tree, times kept, so
 * that only what the patches touch is compiled again.
 *
 * Sources are hard links into the unpatched tree, which `patch` replaces and never writes through;
 * what a build made is copied, because a build does write to it. So one more patched kernel costs
 * the objects alone, a tenth of a tree. Nobody may edit a tree of the cache in place.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ImagesError } from '../errors.js';
import { makeDirAtomic } from '../files.js';
import type { Progress } from '../progress.js';
import { lastLines, run } from '../run.js';
import { buildStep, compileKernel, recordKernel, relocateTree } from './build-kernel.js';
import { KERNEL_RECORD, type KernelRecord } from './fetch.js';
import { UNPACKED } from './source.js';

const COPY_TIMEOUT_MS = 10 * 60_000;
const PATCH_TIMEOUT_MS = 60_000;

export interface Patch {
  /** As the user gave it. */
  readonly path: string;
  readonly text: Buffer;
}

/** Reads patches, in the order in which they apply. Errors: KERNEL_PATCH_UNUSABLE. */
export async function readPatches(paths: readonly string[]): Promise<Patch[]> {
  const patches: Patch[] = [];
  for (const path of paths) {
    try {
      patches.push({ path, text: await readFile(path) });
    } catch (cause) {
      throw new ImagesError(
        'KERNEL_PATCH_UNUSABLE',
        `the patch ${path} cannot be read: ${(cause as Error).message}`,
        { cause },
      );
    }
  }
  return patches;
}

/**
 * What a patched kernel is known by: what it starts from (its folder and package), then each
 * patch's bytes in order. Names of patch files do not count.
 */
export function patchHash(base: readonly string[], patches: readonly Patch[]): string {
  const hash = createHash('sha256');
  const parts = [...base.map((text) => Buffer.from(text)), ...patches.map(({ text }) => text)];
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('hex').slice(0, 12);
}

/** Applies a patch as `patch -p1` does. Errors: KERNEL_PATCH_FAILED, COMMAND_TIMEOUT. */
export async function applyPatch(tree: string, patch: Patch): Promise<void> {
  const file = join(tree, '..', 'applying.patch');
  await writeFile(file, patch.text);
  const args = ['-p1', '--forward', '--batch', '--fuzz=0', '-d', tree, '-i', file];
  const result = await run('patch', args, { timeoutMs: PATCH_TIMEOUT_MS });
  await rm(file, { force: true });
  if (result.code === 0) return;
  throw new ImagesError(
    'KERNEL_PATCH_FAILED',
    `${patch.path} does not apply to this kernel's source:\n${lastLines(result.output, 12)}\n` +
      'It must apply with `patch -p1 --fuzz=0` from the top of the tree, after those before it.',
  );
}

async function copyTree(base: string, part: string): Promise<void> {
  const made = `-type f -newer "$1/${UNPACKED}"`;
  const script =
    'set -e -o pipefail; cp -al "$1/tree" "$2/tree"; ' +
    // Links to what is about to be read would change it under tar's eyes as they go.
    `find "$2/tree" ${made} -delete; cd "$1/tree"; find . ${made} -print0 | ` +
    // The posix format, since the others cut times to whole seconds, and make compares them all.
    'tar -c --format=posix --null --no-recursion -T - | tar -x -p -C "$2/tree"';
  await buildStep(
    'copying the kernel tree',
    ['bash', '-c', script, 'copy', base, part],
    COPY_TIMEOUT_MS,
  );
}

/**
 * Makes a patched kernel of the one in the folder `base`.
 * Errors: KERNEL_PATCH_FAILED, KERNEL_BUILD_FAILED, COMMAND_TIMEOUT.
 */
export async function buildPatchedKernel(
  base: string,
  patches: readonly Patch[],
  options: { dir: string; progress: Progress },
): Promise<void> {
  const record = await readFile(join(base, KERNEL_RECORD), 'utf8');
  const { packages } = JSON.parse(record) as KernelRecord;
  await mkdir(dirname(options.dir), { recursive: true });
  await makeDirAtomic(options.dir, async (part) => {
    const tree = join(part, 'tree');
    options.progress(`copying the tree of ${basename(base)}`);
    await copyTree(base, part);
    for (const patch of patches) await applyPatch(tree, patch);
    await relocateTree(tree, join(base, 'tree'), tree);
    options.progress('building what the patches touch');
    await compileKernel(tree);
    await recordKernel(part, packages);
  });
}
