/**
 * Brings programs, files and folders of the host into the guest, each at its own path, programs
 * with the shared libraries and the dynamic linker that ldd names. Symlinks stay symlinks, also
 * those on the way to a file (/lib may lead to /usr/lib), so that every path that works on the host
 * works in the guest. Nothing of the host is changed.
 */
import { existsSync } from 'node:fs';
import { lstat, open, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { ImagesError } from '../errors.js';
import { run } from '../run.js';
import type { CpioWriter } from './cpio.js';

/** The guest keeps its root in memory, so more than this is a mistake. */
export const HOST_BYTES_MAX = 512 * 1024 * 1024;
const HOST_ENTRIES_MAX = 50_000;
const SYMLINK_HOPS_MAX = 40;
const LINKER_CACHE = '/etc/ld.so.cache';
const LDD_TIMEOUT_MS = 30_000;
/**
 * What programs load by name while they run shows as a text in them or their libraries. That finds
 * the C library's own too (libgcc_s, for a thread's end; libnss_files), which are always taken.
 */
const LIBRARY_NAME = /lib[\w+.-]+\.so(?:\.\d+)+/g;
const SCANNED_BYTES_MAX = 64 * 1024 * 1024;
const ALWAYS_LOADABLE = ['libgcc_s.so.1', 'libnss_files.so.2'];
/** Names of hosts that are not ASCII; 2 MiB with what it needs. */
const NEVER_NEEDED = new Set(['libidn2.so.0']);
/** Where the library of a name is looked for, beside the folders of those that ldd names. */
const LIBRARY_DIRS = ['/lib64', '/usr/lib64', '/lib', '/usr/lib'];

/** Adds the libraries of a program that is, or will be, in the archive under whatever name. */
export async function addLibraries(archive: CpioWriter, program: string): Promise<void> {
  await new HostImporter(archive).addLibraries(program);
}

/**
 * Adds each of `paths`: a path, or the name of a program in PATH, which is then also in the
 * guest's. Errors: INITRAMFS_PATH_MISSING, INITRAMFS_PATH_UNUSABLE, INITRAMFS_TOO_LARGE.
 */
export async function addHostPaths(archive: CpioWriter, paths: readonly string[]): Promise<void> {
  const importer = new HostImporter(archive);
  for (const wanted of paths) await importer.add(findPath(wanted), wanted);
}

function findPath(wanted: string): string {
  if (wanted.includes('/')) {
    const path = resolve(wanted);
    if (existsSync(path)) return path;
  } else {
    const dirs = (process.env.PATH ?? '').split(':').filter(isAbsolute);
    const dir = [...dirs, '/usr/sbin', '/sbin'].find((candidate) =>
      existsSync(join(candidate, wanted)),
    );
    if (dir) return join(dir, wanted);
  }
  const where = wanted.includes('/') ? 'on this machine' : 'in PATH';
  throw new ImagesError(
    'INITRAMFS_PATH_MISSING',
    `${wanted} is not ${where}, so it cannot go into the guest; install it, or correct the path`,
  );
}

class HostImporter {
  readonly #archive: CpioWriter;
  readonly #done = new Set<string>();
  /** By file: the same libraries are looked through for many programs. */
  readonly #names = new Map<string, readonly string[]>();
  #bytes = 0;

  constructor(archive: CpioWriter) {
    this.#archive = archive;
  }

  async add(path: string, wanted: string): Promise<void> {
    const hidden = /^\/(dev|proc|sys)(\/|$)/.exec(path);
    if (hidden) {
      throw unusable(
        wanted,
        `the guest mounts a file system of its own on /${hidden[1]}; copy it elsewhere first`,
      );
    }
    if (path === '/') throw unusable(wanted, 'name the folders below it');
    await this.#add(path, wanted, 0);
    // First in the guest's PATH, before busybox's programs in whatever folder.
    if (!wanted.includes('/')) await this.#archive.symlink(`usr/local/bin/${wanted}`, path);
  }

  async addLibraries(program: string): Promise<void> {
    for (const library of await this.#libraries(program, program)) {
      await this.#add(library, program, 0);
    }
  }

  async #add(path: string, wanted: string, hops: number): Promise<void> {
    if (hops > SYMLINK_HOPS_MAX) throw unusable(wanted, `${path} leads in circles`);
    // First the folders above, because one of them may be a symlink and so give the path another
    // name.
    const real = join(await this.#addParents(dirname(path), wanted, hops), basename(path));
    if (this.#done.has(real)) return;
    this.#done.add(real);
    if (this.#done.size > HOST_ENTRIES_MAX) throw tooLarge(wanted, `${HOST_ENTRIES_MAX} files`);
    const what = await lstat(real);
    if (what.isSymbolicLink()) await this.#addSymlink(real, wanted, hops);
    else if (what.isDirectory()) await this.#addFolder(real, what.mode, wanted, hops);
    else if (what.isFile()) await this.#addFile(real, what.mode, what.size, wanted, hops);
    // Sockets, pipes and devices mean nothing in the guest.
  }

  /** Adds a folder's path without its contents; returns the path with no symlinks in it. */
  async #addParents(dir: string, wanted: string, hops: number): Promise<string> {
    if (dir === '/') return dir;
    const real = join(await this.#addParents(dirname(dir), wanted, hops), basename(dir));
    const what = await lstat(real);
    if (!what.isSymbolicLink()) {
      await this.#archive.dir(real, what.mode & 0o7777);
      return real;
    }
    if (hops >= SYMLINK_HOPS_MAX) throw unusable(wanted, `${dir} leads in circles`);
    const target = await readlink(real);
    const absolute = resolve(dirname(real), target);
    const reached = await this.#addParents(absolute, wanted, hops + 1);
    // The guest may have a folder of its own by this name; then the file goes into that.
    if (this.#archive.has(real)) return real;
    await this.#archive.symlink(real, target);
    return reached;
  }

  async #addSymlink(path: string, wanted: string, hops: number): Promise<void> {
    const target = await readlink(path);
    await this.#archive.symlink(path, target);
    const absolute = resolve(dirname(path), target);
    // A folder may hold links that lead nowhere; on the host they do not work either.
    if (existsSync(absolute)) await this.#add(absolute, wanted, hops + 1);
  }

  async #addFolder(path: string, mode: number, wanted: string, hops: number): Promise<void> {
    await this.#archive.dir(path, mode & 0o7777);
    for (const name of (await readdir(path)).sort()) {
      await this.#add(join(path, name), wanted, hops);
    }
  }

  async #addFile(path: string, mode: number, size: number, wanted: string, hops: number) {
    this.#bytes += size;
    if (this.#bytes > HOST_BYTES_MAX) throw tooLarge(wanted, `${HOST_BYTES_MAX >> 20} MiB`);
    try {
      await this.#archive.copy(path, path, mode);
    } catch (cause) {
      throw unusable(wanted, `${path} cannot be read: ${(cause as Error).message}`, cause);
    }
    if (mode & 0o111) await this.#addNeeds(path, wanted, hops);
  }

  /** What a program needs to start: its libraries, or the interpreter its first line names. */
  async #addNeeds(path: string, wanted: string, hops: number): Promise<void> {
    const head = await readHead(path);
    if (head.subarray(0, 2).toString('latin1') === '#!') {
      const line = head.toString('utf8', 2).split('\n')[0]!.trim();
      const interpreter = line.split(/\s+/)[0]!;
      if (this.#archive.has(interpreter)) return;
      if (existsSync(interpreter)) await this.#add(interpreter, wanted, hops);
      return;
    }
    if (head.length < 4 || head.readUInt32BE(0) !== 0x7f454c46) return;
    const libraries = await this.#libraries(path, wanted);
    for (const library of libraries) await this.#add(library, wanted, hops);
    if (libraries.length === 0) return;
    for (const library of await this.#loadable(path, libraries)) {
      await this.#add(library, wanted, hops);
    }
    // For libraries in folders that only the host's ld.so.conf names.
    if (existsSync(LINKER_CACHE)) await this.#add(LINKER_CACHE, wanted, hops);
  }

  /** What the dynamic linker brings before a program starts, and itself. */
  async #libraries(path: string, wanted: string): Promise<string[]> {
    const result = await run('ldd', [path], { timeoutMs: LDD_TIMEOUT_MS });
    const { libraries, missing } = parseLdd(result.stdout);
    if (missing.length === 0) return libraries;
    throw unusable(wanted, `${path} needs ${missing.join(', ')}, which this machine lacks`);
  }

  /** What a program and its libraries may load later by name, with what that needs in its turn. */
  async #loadable(path: string, libraries: readonly string[]): Promise<string[]> {
    const present = new Set(libraries.map((library) => basename(library)));
    const dirs = new Set([...libraries.map((library) => dirname(library)), ...LIBRARY_DIRS]);
    const names = new Set(ALWAYS_LOADABLE);
    for (const file of [path, ...libraries]) {
      for (const name of await this.#namesIn(file)) names.add(name);
    }
    const found: string[] = [];
    for (const name of names) {
      if (present.has(name) || NEVER_NEEDED.has(name)) continue;
      const dir = [...dirs].find((candidate) => existsSync(join(candidate, name)));
      if (dir === undefined) continue;
      const library = join(dir, name);
      const { libraries: needs, missing } = parseLdd(
        (await run('ldd', [library], { timeoutMs: LDD_TIMEOUT_MS })).stdout,
      );
      // One that could not be loaded here either is none that the program relies on.
      if (missing.length === 0) found.push(library, ...needs);
    }
    return found;
  }

  /** Names of libraries that stand in a file. */
  async #namesIn(file: string): Promise<readonly string[]> {
    const known = this.#names.get(file);
    if (known !== undefined) return known;
    const { size } = await stat(file);
    const text = size > SCANNED_BYTES_MAX ? '' : (await readFile(file)).toString('latin1');
    const names = [...new Set(text.match(LIBRARY_NAME) ?? [])];
    this.#names.set(file, names);
    return names;
  }
}

/** Absolute paths of libraries and dynamic linker, and the names of those not found. */
export function parseLdd(output: string): { libraries: string[]; missing: string[] } {
  const libraries: string[] = [];
  const missing: string[] = [];
  for (const line of output.split('\n')) {
    const found = /^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/.exec(line);
    if (found) libraries.push(found[1]!);
    const absent = /^\s*(\S+) => not found$/.exec(line);
    if (absent) missing.push(absent[1]!);
  }
  return { libraries, missing };
}

async function readHead(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const head = Buffer.alloc(256);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    return head.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function unusable(wanted: string, why: string, cause?: unknown): ImagesError {
  const message = `${wanted} cannot go into the guest: ${why}`;
  return new ImagesError('INITRAMFS_PATH_UNUSABLE', message, { cause });
}

function tooLarge(wanted: string, bound: string): ImagesError {
  return new ImagesError(
    'INITRAMFS_TOO_LARGE',
    `with ${wanted} the guest's root holds more than ${bound}, all of which it keeps in memory; ` +
      'name single files or smaller folders, put the data on a disk (--data-from), or take the host’s ' +
      'root, which is read as it is needed (--root host)',
  );
}
