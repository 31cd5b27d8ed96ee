/**
 * Builds an out-of-tree kernel module for one kernel. A build is cached under a hash of the
 * sources and the kernel's image, configuration and symbols; a finished one is never rebuilt. The
 * sources are copied first, so nothing is ever written beside them.
 */
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ImagesError } from '../errors.js';
import { hashFiles, listFiles, makeDirAtomic } from '../files.js';
import type { Progress } from '../progress.js';
import { lastLines, run } from '../run.js';
import type { Kernel } from './kernel.js';
import { readModuleInfo } from './modinfo.js';

const BUILD_TIMEOUT_MS = 10 * 60_000;
const SOURCE_FILE = /^(Kbuild|Makefile|.*\.(c|h|S|mk))$/;

export interface BuildModuleOptions {
  /** Folder with a Kbuild or Makefile that names `<name>.o` in obj-m. */
  sourceDir: string;
  /** Module name, without .ko. */
  name: string;
  cacheDir: string;
  progress: Progress;
}

/**
 * Returns the path of the .ko, in the cache.
 * Errors: MODULE_BUILD_FAILED with the compiler's last lines, MODULE_MISMATCH when the result is
 * for another release than the kernel's, COMMAND_TIMEOUT.
 */
export async function buildModule(kernel: Kernel, options: BuildModuleOptions): Promise<string> {
  const sourceDir = resolve(options.sourceDir);
  // foo.mod.c is what modpost writes: a build product, though it ends in .c.
  const isSource = (file: string): boolean => SOURCE_FILE.test(file) && !file.endsWith('.mod.c');
  const files = await listFiles(sourceDir, isSource);
  const identity = [options.name, kernel.release, ...(await kernelIdentity(kernel))];
  const hash = await hashFiles(sourceDir, files, identity);
  const root = join(resolve(options.cacheDir), 'build', kernel.name);
  const dir = join(root, `${options.name}-${hash}`);
  const built = join(dir, `${options.name}.ko`);
  refuseSpaces(kernel.buildDir);
  refuseSpaces(dir);
  if (!existsSync(built)) {
    options.progress(`building ${options.name}.ko for ${kernel.release}`);
    await mkdir(root, { recursive: true });
    await makeDirAtomic(dir, async (part) => {
      for (const file of files) {
        await mkdir(dirname(join(part, file)), { recursive: true });
        await cp(join(sourceDir, file), join(part, file));
      }
      await make(kernel, part, options.name);
    });
  }
  return built;
}

/** What makes two kernels of one release differ for a module. */
async function kernelIdentity(kernel: Kernel): Promise<string[]> {
  // The image, since a kernel built again with another struct page may have the same of the rest.
  const texts = [await readFile(kernel.image, 'latin1')];
  for (const file of ['.config', 'Module.symvers']) {
    const path = join(kernel.buildDir, file);
    texts.push(existsSync(path) ? await readFile(path, 'utf8') : '');
  }
  return texts;
}

function refuseSpaces(path: string): void {
  if (!/[\s:]/.test(path)) return;
  throw new ImagesError(
    'MODULE_BUILD_FAILED',
    `the kernel's build system cannot work in a path with spaces or colons: ${path}; ` +
      'choose another cache folder or kernel build folder',
  );
}

async function make(kernel: Kernel, dir: string, name: string): Promise<void> {
  const args = ['-C', kernel.buildDir, `M=${dir}`, `-j${availableParallelism()}`];
  const compiler = await chooseCompiler(kernel.buildDir);
  if (compiler) args.push(`CC=${compiler}`);
  // Type information of modules takes pahole, and nothing here reads it.
  args.push('CONFIG_DEBUG_INFO_BTF_MODULES=');
  args.push('modules');
  const { MAKEFLAGS: _flags, MFLAGS: _mflags, ...env } = process.env;
  const result = await run('make', args, {
    env: { ...env, LC_ALL: 'C' },
    timeoutMs: BUILD_TIMEOUT_MS,
  });
  const built = join(dir, `${name}.ko`);
  if (result.code !== 0 || !existsSync(built)) {
    const why = result.code === 0 ? `make made no ${name}.ko; is it in obj-m?\n` : '';
    throw new ImagesError(
      'MODULE_BUILD_FAILED',
      `building ${name}.ko for ${kernel.release} failed: ${why}\n${lastLines(result.output, 25)}`,
    );
  }
  const { vermagic } = await readModuleInfo(built);
  if (vermagic.split(' ')[0] === kernel.release) return;
  throw new ImagesError(
    'MODULE_MISMATCH',
    `${name}.ko came out for "${vermagic}", but the kernel is ${kernel.release}; ` +
      `${kernel.buildDir} is not this kernel's build folder`,
  );
}

/** Debian's headers ask for the compiler by version; where it is missing, plain gcc has to do. */
async function chooseCompiler(buildDir: string): Promise<string | undefined> {
  const variables = join(buildDir, '.kernelvariables');
  if (!existsSync(variables)) return undefined;
  const wanted = /\b(gcc-\d+)\b/.exec(await readFile(variables, 'utf8'))?.[1];
  if (!wanted) return undefined;
  const paths = (process.env.PATH ?? '').split(':');
  return paths.some((path) => existsSync(join(path, wanted))) ? undefined : 'gcc';
}
