/**
 * Where things are on the host: the sources that ship with the package, the cache, a run's own
 * folder.
 */
import { existsSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, isAbsolute, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { codeOf, TmemError } from '../errors.js';
import { PrivateDir } from './private-dir.js';

function findPackageRoot(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  // Built code runs from dist/emulator/guest, sources from emulator/guest.
  const dist = join('dist', 'emulator', 'guest');
  return here.endsWith(dist) ? here.slice(0, -dist.length - 1) : join(here, '..', '..');
}

/** The package's top folder, with guest-kmod/ and images/ in it. */
export const packageRoot = findPackageRoot();

/** Whether this is a package that npm installed, and not a checkout: npm replaces its folder. */
function isInstalled(): boolean {
  const inModules = packageRoot.split(sep).includes('node_modules');
  return inModules || !existsSync(join(packageRoot, 'tsconfig.json'));
}

/**
 * Kernels, built modules and images: TMEM_CACHE_DIR; else .cache in a checkout's top folder, or
 * qemu-tmem among the user's caches (XDG base directories) where the package is installed.
 */
export function defaultCacheDir(): string {
  const { TMEM_CACHE_DIR, XDG_CACHE_HOME } = process.env;
  if (TMEM_CACHE_DIR) return TMEM_CACHE_DIR;
  if (!isInstalled()) return join(packageRoot, '.cache');
  // Relative paths are to be ignored, says the specification.
  const caches =
    XDG_CACHE_HOME !== undefined && isAbsolute(XDG_CACHE_HOME)
      ? XDG_CACHE_HOME
      : join(homedir(), '.cache');
  return join(caches, 'qemu-tmem');
}

const runDirs = new Set<PrivateDir>();
let exitHooked = false;

/** A process that ends in a hurry (a second Ctrl-C) still leaves no folder. */
function removeAtExit(directory: PrivateDir): void {
  if (!exitHooked) {
    exitHooked = true;
    process.once('exit', () => {
      for (const left of runDirs) left.remove();
    });
  }
  runDirs.add(directory);
}

/** A folder for one run: sockets, logs, disks. Disposing it removes it with all that is in it. */
export class RunDir implements AsyncDisposable {
  readonly path: string;
  readonly #directory: PrivateDir;

  /** @throws TmemError (RUN_DIR_UNUSABLE) */
  constructor(parent = tmpdir()) {
    try {
      this.#directory = PrivateDir.make(parent);
    } catch (cause) {
      throw new TmemError(
        'RUN_DIR_UNUSABLE',
        `no folder can be made in ${parent}: ${(cause as Error).message}; free some room, or set ` +
          'TMPDIR to another place',
        cause,
      );
    }
    this.path = this.#directory.path;
    removeAtExit(this.#directory);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /**
   * Runs what writes into the folder.
   * @throws TmemError (RUN_DIR_UNUSABLE) when it is full, and what `work` throws
   */
  async fill<T>(work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      const code = codeOf(cause);
      if (code !== 'ENOSPC' && code !== 'EDQUOT' && code !== 'EFBIG') throw cause;
      throw new TmemError(
        'RUN_DIR_UNUSABLE',
        `${this.path} has no room for the guest's files: ${(cause as Error).message}; free some, or ` +
          'set TMPDIR (for the disks, --disk-dir) to another place',
        cause,
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    runDirs.delete(this.#directory);
    this.#directory.remove();
  }
}
