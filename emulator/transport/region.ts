/**
 * The memory that host and guest share, seen from the host.
 *
 * Whoever holds a SharedRegion reads each word of the guest's once, into a local, and checks the
 * local: the guest may write at any moment. The file behind it is a nameless memfd, or a nameless
 * file in a directory of the user's choice; either way nothing is left behind. A memfd keeps its
 * size for ever; a file of a directory can be cut shorter by whoever is given it, and a process
 * that touches what is gone dies of SIGBUS. So none but a store maps it, and the store is its
 * guest's own. The RegionFile owns the descriptor, a SharedRegion owns its own mapping of it.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import {
  closeFd,
  discard,
  Errno,
  type Mapping,
  mapShared,
  memfdCreate,
  NativeError,
  reserve,
  sealSize,
  truncate,
  unmap,
} from '../native/libc.js';
import { PAGE_BYTES } from '../protocol/layout.js';

/** `code` SHM_FULL: no room for the region; SHM_UNUSABLE: the directory cannot hold it at all. */
export class RegionError extends Error {
  override readonly name = 'RegionError';
  readonly code: 'SHM_FULL' | 'SHM_UNUSABLE';

  constructor(code: 'SHM_FULL' | 'SHM_UNUSABLE', message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** The open file behind a region. */
export class RegionFile implements Disposable {
  readonly fd: number;
  readonly bytes: number;

  private constructor(fd: number, bytes: number) {
    this.fd = fd;
    this.bytes = bytes;
  }

  /**
   * Makes a zeroed file of `bytes`. Its room is reserved at once wherever a page that is touched
   * later might not be had: that is a SIGBUS, of the store or of QEMU, and no error.
   * @param directory a tmpfs directory such as /dev/shm; none: memfd
   * @param isReserved whether the room is reserved in any case
   * @throws RegionError (SHM_FULL, SHM_UNUSABLE)
   */
  static create(bytes: number, directory?: string, isReserved = false): RegionFile {
    const fd = directory === undefined ? memfdCreate('tmem') : openNameless(directory);
    try {
      truncate(fd, bytes);
      if (isReserved || directory !== undefined || isOvercommitForbidden()) reserve(fd, bytes);
      if (directory === undefined) sealSize(fd);
      return new RegionFile(fd, bytes);
    } catch (error) {
      closeFd(fd);
      if (!(error instanceof NativeError)) throw error;
      const where = directory ?? 'memory';
      const full = error.errno === Errno.ENOSPC || error.errno === Errno.ENOMEM;
      throw new RegionError(
        full ? 'SHM_FULL' : 'SHM_UNUSABLE',
        `${where} has no room for ${bytes / 2 ** 20} MiB of shared memory (errno ${error.errno}); ` +
          'free some, choose a smaller --size, or another --shm-dir',
        error,
      );
    }
  }

  [Symbol.dispose](): void {
    closeFd(this.fd);
  }
}

/**
 * Whether each page of memory is accounted for as it is first used, so that it may be refused then
 * (Documentation/mm/overcommit-accounting.rst: mode 2). In the other modes memory without a file
 * system of its own always has a page, or the system finds one.
 */
function isOvercommitForbidden(): boolean {
  return readFileSync('/proc/sys/vm/overcommit_memory', 'utf8').trim() === '2';
}

/** The unit of st_blocks (stat(2)). */
const STAT_BLOCK_BYTES = 512;

/** open(2), of Linux on x86-64; Node has no name for it. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
/** What a file system without O_TMPFILE answers, and a kernel. */
const NO_TMPFILE = ['EOPNOTSUPP', 'EISDIR', 'EINVAL'];

function openNameless(directory: string): number {
  try {
    return openSync(directory, O_TMPFILE | constants.O_RDWR, 0o600);
  } catch (error) {
    if (NO_TMPFILE.includes((error as NodeJS.ErrnoException).code ?? '')) {
      return openUnlinked(directory);
    }
    throw unusable(directory, error);
  }
}

function unusable(directory: string, error: unknown): RegionError {
  return new RegionError(
    'SHM_UNUSABLE',
    `cannot make a file in ${directory}: ${(error as Error).message}; choose another --shm-dir`,
    error,
  );
}

/** With a name that nobody can foresee, for a moment. */
function openUnlinked(directory: string): number {
  const path = join(directory, `tmem-${randomBytes(12).toString('hex')}`);
  let fd: number;
  try {
    fd = openSync(path, 'wx+', 0o600);
  } catch (error) {
    throw unusable(directory, error);
  }
  try {
    unlinkSync(path);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

export class SharedRegion implements Disposable {
  readonly memory: ArrayBuffer;
  readonly words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #mapping: Mapping | undefined;
  readonly #sparse: boolean;

  /** `sparse`: the file's room was not reserved, so that scrubbing may give it back. */
  constructor(memory: ArrayBuffer, mapping?: Mapping, sparse = false) {
    this.memory = memory;
    this.words = new Int32Array(memory);
    this.#bytes = new Uint8Array(memory);
    this.#mapping = mapping;
    this.#sparse = sparse;
  }

  /** Maps a region's file into this thread. The descriptor may be closed afterwards. */
  static map(fd: number, bytes: number): SharedRegion {
    const mapping = mapShared(fd, bytes);
    const sparse = fstatSync(fd).blocks * STAT_BLOCK_BYTES < bytes;
    return new SharedRegion(mapping.buffer, mapping, sparse);
  }

  /** Reads the unsigned word at byte `offset`, once. */
  load(offset: number): number {
    return Atomics.load(this.words, offset >>> 2) >>> 0;
  }

  /** Publishes a word: everything written before is visible to whoever reads it. */
  store(offset: number, value: number): void {
    Atomics.store(this.words, offset >>> 2, value | 0);
  }

  /** Copies `into.length` words from byte `offset`, each read once. */
  copyWords(offset: number, into: Int32Array): void {
    const first = offset >>> 2;
    for (let word = 0; word < into.length; word += 1) into[word] = this.words[first + word]!;
  }

  /** Copies a page out of slot `slot` of an arena that starts at page `firstPage`. */
  copyPageOut(firstPage: number, slot: number, into: Uint8Array): void {
    const at = (firstPage + slot) * PAGE_BYTES;
    into.set(this.#bytes.subarray(at, at + PAGE_BYTES));
  }

  /** Copies a page into slot `slot` of an arena that starts at page `firstPage`. */
  copyPageIn(firstPage: number, slot: number, from: Uint8Array): void {
    this.#bytes.set(from.subarray(0, PAGE_BYTES), (firstPage + slot) * PAGE_BYTES);
  }

  /**
   * Gives the memory of all slots of an arena that starts at page `firstPage` back to the system,
   * if its room was not reserved. What is in it is gone then, wherever it was.
   */
  giveBackSlots(firstPage: number): void {
    if (this.#mapping !== undefined && this.#sparse) discard(this.#mapping, firstPage * PAGE_BYTES);
  }

  /** Zeroes every byte; memory whose room was not reserved goes back to the system. */
  scrub(): void {
    if (this.#mapping !== undefined && this.#sparse) discard(this.#mapping);
    else this.#bytes.fill(0);
  }

  [Symbol.dispose](): void {
    if (this.#mapping !== undefined) unmap(this.#mapping);
  }
}
