/**
 * The kernel's own tests, built from the source package that `source-...` kernels are built from.
 * The source is unpacked for this alone and goes when the programs are built; those stay in the
 * cache, `selftests/<kernel>-<hash>/`, until they are removed.
 */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { kernelCatalogue } from 'qemu-tmem';
import { hashFiles, makeDirAtomic } from '../../images/files.js';
import { buildStep } from '../../images/kernels/build-kernel.js';
import { fetchSource } from '../../images/kernels/source.js';
import { withLock } from '../../images/lock.js';

const BUILD_MS_MAX = 30 * 60_000;

/** Where the tests are in a tree, by programs: Linux 6.3 renamed vm to mm. */
export type Programs = Readonly<Record<string, readonly string[]>>;

async function build(tree: string, programs: Programs, to: string): Promise<void> {
  const make = (...args: string[]): Promise<void> =>
    buildStep('building the kernel’s own tests', ['make', '-C', tree, ...args], BUILD_MS_MAX);
  await make(`-j${availableParallelism()}`, 'headers');
  for (const [folder, names] of Object.entries(programs)) {
    const output = join(tree, '..', folder);
    await mkdir(output, { recursive: true });
    const at = `tools/testing/selftests/${folder}`;
    const where = [`OUTPUT=${output}`, `KHDR_INCLUDES=-isystem ${join(tree, 'usr/include')}`];
    const targets = names.map((name) => join(output, name));
    // Static, as everything of the guest's own is.
    await buildStep(
      `building ${at}`,
      ['make', '-C', join(tree, at), ...where, 'LDFLAGS=-static', ...targets],
      BUILD_MS_MAX,
    );
    for (const target of targets) await copyFile(target, join(to, basename(target)));
    await rm(output, { recursive: true });
  }
}

/** The programs of a kernel's own source package, by what they are built from. */
export interface Selftests {
  /** The kernel's name in the catalogue. */
  readonly kernel: string;
  readonly programs: Programs;
}

/** The folder that holds the programs once they are built. */
export async function selftestsDir(
  { kernel, programs }: Selftests,
  cacheDir: string,
): Promise<string> {
  const hash = await hashFiles(
    import.meta.dirname,
    ['kselftest-build.ts'],
    [JSON.stringify(programs)],
  );
  return join(cacheDir, 'selftests', `${kernel}-${hash}`);
}

/** Builds the programs unless they are there: some minutes the first time. */
export async function ensureSelftests(selftests: Selftests, cacheDir: string): Promise<void> {
  const { kernel, programs } = selftests;
  const entry = kernelCatalogue().find(({ name }) => name === kernel);
  if (entry?.kind !== 'source') throw new Error(`${kernel} has no source package`);
  const dir = await selftestsDir(selftests, cacheDir);
  if (existsSync(dir)) return;
  await mkdir(dirname(dir), { recursive: true });
  const progress = (line: string): void => console.log(`${kernel}: ${line}`);
  const holder = { what: `builds the tests of ${kernel}`, progress };
  await withLock(cacheDir, `selftests-${kernel}`, holder, async () => {
    if (existsSync(dir)) return;
    await makeDirAtomic(dir, async (part) => {
      await fetchSource(entry, { cacheDir, mirror: undefined, progress }, part);
      await build(join(part, 'tree'), programs, part);
      await rm(join(part, 'tree'), { recursive: true });
    });
  });
}
