/**
 * Builds a small guest kernel from Debian's source package: tinyconfig, our fragments over it. The
 * tree stays in the kernel's folder with all its objects: modules are built against it, and patched
 * kernels start from it (patched.ts).
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ImagesError } from '../errors.js';
import { hashFiles, imagesSourceDir, makeDirAtomic } from '../files.js';
import { lastLines, run } from '../run.js';
import type { SourceKernel } from './catalogue.js';
import { KERNEL_RECORD, type KernelRecord } from './fetch.js';
import { type FetchSourceOptions, fetchSource } from './source.js';

const CONFIGURE_TIMEOUT_MS = 10 * 60_000;
const BUILD_TIMEOUT_MS = 2 * 60 * 60_000;
const RELOCATE_TIMEOUT_MS = 60_000;
/** Lowest priority: a build must not starve a guest that runs beside it. */
const NICE = ['-n', '19'];

export interface BuildKernelOptions extends FetchSourceOptions {
  /** Where the finished kernel goes; appears only when complete. */
  dir: string;
}

/** Runs a step of a kernel build. Errors: KERNEL_BUILD_FAILED, COMMAND_TIMEOUT. */
export async function buildStep(
  what: string,
  [command, ...args]: readonly [string, ...string[]],
  timeoutMs: number,
): Promise<void> {
  const { MAKEFLAGS: _flags, MFLAGS: _mflags, ...rest } = process.env;
  const env = { ...rest, LC_ALL: 'C', KBUILD_BUILD_USER: 'tmem', KBUILD_BUILD_HOST: 'tmem' };
  const result = await run(command, args, { timeoutMs, env });
  if (result.code === 0) return;
  throw new ImagesError(
    'KERNEL_BUILD_FAILED',
    `${what} failed:\n${lastLines(result.output, 25)}\n` +
      'If that is no mistake of a patch: check the disk of the cache folder, and what ' +
      '`tmem doctor` says of kernel builds.',
  );
}

const fragmentsDir = (): string => join(imagesSourceDir(), 'kernels/configs');

/** What a kernel's configuration is known by: a build with other fragments is another kernel. */
export function configHash(entry: SourceKernel): Promise<string> {
  return hashFiles(fragmentsDir(), [...entry.fragments], []);
}

async function configure(entry: SourceKernel, tree: string): Promise<void> {
  const make = (target: string): Promise<void> =>
    buildStep('configuring the kernel', ['make', '-C', tree, target], CONFIGURE_TIMEOUT_MS);
  await make('tinyconfig');
  const texts = [await readFile(join(tree, '.config'), 'utf8')];
  for (const name of entry.fragments) {
    texts.push(await readFile(join(fragmentsDir(), name), 'utf8'));
  }
  // The last word on an option wins, as in scripts/kconfig/merge_config.sh.
  await writeFile(join(tree, '.config'), texts.join('\n'));
  await make('olddefconfig');
}

/** Compiles what is not compiled yet. Errors: KERNEL_BUILD_FAILED, COMMAND_TIMEOUT. */
export function compileKernel(tree: string): Promise<void> {
  const jobs = `-j${availableParallelism()}`;
  const make = ['make', '-C', tree, jobs, 'bzImage', 'modules'];
  return buildStep('building the kernel', ['nice', ...NICE, ...make], BUILD_TIMEOUT_MS);
}

/**
 * Makes a built tree believe that it was built at `to`. The commands of tools/ (objtool) are
 * recorded with absolute paths; without this they count as changed, objtool is built anew, and with
 * it every object of the kernel.
 */
export function relocateTree(tree: string, from: string, to: string): Promise<void> {
  const script =
    'find "$1/tools" "$1/scripts" -name ".*.cmd" -exec grep -lZF -e "$2" {} + | ' +
    `FROM="$2" TO="$3" xargs -0r perl -pi -e 's/\\Q$ENV{FROM}\\E/$ENV{TO}/g'`;
  return buildStep(
    'moving the kernel tree',
    ['sh', '-c', script, 'relocate', tree, from, to],
    RELOCATE_TIMEOUT_MS,
  );
}

/** Writes down what was built: the kernel's folder is complete with it. */
export async function recordKernel(part: string, packages: string[]): Promise<void> {
  const tree = join(part, 'tree');
  const release = await readFile(join(tree, 'include/config/kernel.release'), 'utf8');
  const record: KernelRecord = {
    release: release.trim(),
    image: 'tree/arch/x86/boot/bzImage',
    config: 'tree/.config',
    buildDir: 'tree',
    modulesRoot: 'tree',
    packages,
  };
  await writeFile(join(part, KERNEL_RECORD), `${JSON.stringify(record, null, 2)}\n`);
}

/**
 * Downloads, configures and compiles; some minutes on two cores.
 * Errors: KERNEL_FETCH_FAILED, KERNEL_BUILD_FAILED, COMMAND_TIMEOUT.
 */
export async function buildKernel(entry: SourceKernel, options: BuildKernelOptions): Promise<void> {
  await mkdir(options.cacheDir, { recursive: true });
  await makeDirAtomic(options.dir, async (part) => {
    const tree = join(part, 'tree');
    const name = await fetchSource(entry, options, part);
    options.progress(`building ${entry.name}: about ${entry.buildMinutes} minutes on two cores`);
    await configure(entry, tree);
    await compileKernel(tree);
    await relocateTree(tree, tree, join(options.dir, 'tree'));
    await recordKernel(part, [name]);
  });
}
