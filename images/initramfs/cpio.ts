/**
 * Writes a cpio archive in the "newc" format (Linux Documentation/driver-api/early-userspace/
 * buffer-format.rst), which the kernel unpacks as its first root. Entries are streamed to the
 * output file, so memory holds one file at a time; owner is always root, times always 0: the same
 * input gives the same bytes, and no privilege is needed even for device nodes.
 */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { posix } from 'node:path';

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const S_IFCHR = 0o020000;
const ALIGNMENT = 4;
const SYMLINK_HOPS_MAX = 40;

/**
 * Takes entries by their path in the guest. Folders on the way are added as needed; a path that
 * leads through a symlink added before is stored where it leads. The first entry of a name wins.
 */
export class CpioWriter implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #names = new Set<string>();
  /** Symlinks by path, with where they lead as a path from the root. */
  readonly #links = new Map<string, string>();
  #inode = 1;
  #bytes = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Creates or empties `path`. The caller removes it if the archive is not finished. */
  static async create(path: string): Promise<CpioWriter> {
    return new CpioWriter(await open(path, 'w'));
  }

  /** Size of the archive so far, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  has(name: string): boolean {
    return this.#names.has(this.#canonical(name));
  }

  async dir(name: string, mode = 0o755): Promise<void> {
    const path = this.#canonical(name);
    if (path === '' || this.#names.has(path) || this.#links.has(path)) return;
    await this.#parent(path);
    await this.#entry(path, S_IFDIR | mode, Buffer.alloc(0));
  }

  /** Adds a file with the content of the host file `source`. */
  async copy(name: string, source: string, mode: number): Promise<void> {
    await this.file(name, await readFile(source), mode);
  }

  async file(name: string, content: Uint8Array | string, mode: number): Promise<void> {
    const path = this.#canonical(name);
    await this.#parent(path);
    const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
    await this.#entry(path, S_IFREG | (mode & 0o7777), bytes);
  }

  async symlink(name: string, target: string): Promise<void> {
    const path = this.#canonical(name);
    if (this.#names.has(path)) return;
    await this.#parent(path);
    await this.#entry(path, S_IFLNK | 0o777, Buffer.from(target, 'utf8'));
    this.#links.set(path, posix.resolve('/', posix.dirname(path), target).slice(1));
  }

  async charDevice(name: string, mode: number, major: number, minor: number): Promise<void> {
    const path = this.#canonical(name);
    await this.#parent(path);
    await this.#entry(path, S_IFCHR | mode, Buffer.alloc(0), major, minor);
  }

  /** Writes the trailer and closes the file. */
  async finish(): Promise<void> {
    await this.#entry('TRAILER!!!', 0, Buffer.alloc(0));
    await this.#file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  /** The path with its folders' symlinks resolved; the last part stays as it is. */
  #canonical(name: string): string {
    const parts = posix
      .normalize(`/${name}`)
      .split('/')
      .filter((part) => part !== '');
    let path = '';
    for (const [index, part] of parts.entries()) {
      path = path === '' ? part : `${path}/${part}`;
      if (index === parts.length - 1) break;
      for (let hops = 0; this.#links.has(path) && hops < SYMLINK_HOPS_MAX; hops += 1) {
        path = this.#links.get(path)!;
      }
    }
    return path;
  }

  async #parent(path: string): Promise<void> {
    const slash = path.lastIndexOf('/');
    if (slash > 0) await this.dir(path.slice(0, slash));
  }

  async #entry(
    name: string,
    mode: number,
    content: Uint8Array,
    rdevMajor = 0,
    rdevMinor = 0,
  ): Promise<void> {
    if (this.#names.has(name)) return;
    this.#names.add(name);
    const nameBytes = Buffer.from(`${name}\0`, 'utf8');
    const links = (mode & S_IFDIR) === S_IFDIR ? 2 : 1;
    const fields = [
      this.#inode,
      mode,
      0, // uid
      0, // gid
      links,
      0, // mtime
      content.length,
      0, // device major
      0, // device minor
      rdevMajor,
      rdevMinor,
      nameBytes.length,
      0, // checksum, unused in newc
    ];
    this.#inode += 1;
    const header = `070701${fields.map((value) => value.toString(16).padStart(8, '0')).join('')}`;
    await this.#write(Buffer.concat([Buffer.from(header, 'latin1'), nameBytes]));
    await this.#write(content);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const padding = (ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT;
    const padded = padding > 0 ? Buffer.concat([bytes, Buffer.alloc(padding)]) : bytes;
    await this.#file.writeFile(padded);
    this.#bytes += padded.length;
  }
}
