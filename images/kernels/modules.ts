/**
 * A kernel's loadable modules by name, and the order in which to load them. There is no modules.dep
 * to rely on (Debian makes it at install time), so dependencies come from the modules themselves.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ImagesError } from '../errors.js';
import { listFiles } from '../files.js';
import { readModuleInfo } from './modinfo.js';

/** File names use `-` and `_` as they like; modules are known by the name with `_`. */
function moduleName(path: string): string {
  return basename(path)
    .replace(/\.(ko|o)$/, '')
    .replaceAll('-', '_');
}

export class ModuleIndex {
  readonly #root: string;
  readonly #paths: Map<string, string>;
  readonly #builtin: ReadonlySet<string>;

  private constructor(root: string, paths: Map<string, string>, builtin: ReadonlySet<string>) {
    this.#root = root;
    this.#paths = paths;
    this.#builtin = builtin;
  }

  /**
   * Indexes `root`: lib/modules/<release> of an installed kernel, or a kernel build folder. No root
   * means a kernel whose modules are all built in.
   */
  static async open(root: string | undefined): Promise<ModuleIndex> {
    if (!root) return new ModuleIndex('', new Map(), new Set());
    const paths = new Map<string, string>();
    for (const path of await listModules(root)) paths.set(moduleName(path), path);
    const builtinFile = join(root, 'modules.builtin');
    const builtin = existsSync(builtinFile) ? await readFile(builtinFile, 'utf8') : '';
    const names = builtin.split('\n').filter((line) => line !== '');
    return new ModuleIndex(root, paths, new Set(names.map(moduleName)));
  }

  /** Whether the module's file is there; a built-in counts too. */
  has(name: string): boolean {
    const wanted = moduleName(name);
    return this.#paths.has(wanted) || this.#builtin.has(wanted);
  }

  /**
   * Files to load, dependencies first, each once, as paths relative to the root. Built-in modules
   * need no file and give none. Errors: KERNEL_MODULE_UNKNOWN, MODULE_INVALID.
   */
  async loadOrder(names: readonly string[]): Promise<{ root: string; files: string[] }> {
    const files: string[] = [];
    const seen = new Set<string>();
    for (const name of names) await this.#visit(moduleName(name), name, files, seen, false);
    return { root: this.#root, files };
  }

  async #visit(
    name: string,
    wantedBy: string,
    files: string[],
    seen: Set<string>,
    optional: boolean,
  ): Promise<void> {
    if (seen.has(name) || this.#builtin.has(name)) return;
    seen.add(name);
    const path = this.#paths.get(name);
    if (!path) {
      if (optional) return;
      throw new ImagesError(
        'KERNEL_MODULE_UNKNOWN',
        `kernel module ${name} (for ${wantedBy}) is neither below ${this.#root || 'any folder'} ` +
          'nor built in; check the spelling, or build the kernel with it',
      );
    }
    const info = await readModuleInfo(join(this.#root, path));
    for (const soft of info.softPre) await this.#visit(moduleName(soft), name, files, seen, true);
    for (const dep of info.depends) await this.#visit(moduleName(dep), name, files, seen, false);
    files.push(path);
    for (const soft of info.softPost) await this.#visit(moduleName(soft), name, files, seen, true);
  }
}

async function listModules(root: string): Promise<string[]> {
  const order = join(root, 'modules.order');
  if (existsSync(order)) {
    // Newer kernels list .o files here; the .ko is beside it either way.
    const lines = (await readFile(order, 'utf8')).split('\n').filter((line) => line !== '');
    const paths = lines.map((line) => line.replace(/\.o$/, '.ko'));
    return paths.filter((path) => existsSync(join(root, path)));
  }
  return existsSync(root) ? listFiles(root, (name) => name.endsWith('.ko')) : [];
}
