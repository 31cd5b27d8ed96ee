/**
 * The memory that host and guest share, seen from the host.
 *
 * Whoever holds a SharedRegion reads each word of the guest's once, into a local, and checks the
 * local: the guest may write at any moment. The file behind it is a nameless memfd, or a file in a
 * directory of the user's choice that is unlinked at once; either way nothing is left behind. The
 * RegionFile owns the descriptor, a SharedRegion owns its own mapping of it.
 */
import { closeSync, fstatSync, openSync, readFileSync, unlinkSync } from 'node:fs';
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
    const fd = directory === undefined ? memfdCreate('tmem') : openUnlinked(directory);
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

function openUnlinked(directory: string): number {
  const path = join(directory, `tmem-${process.pid}-${Date.now().toString(36)}`);
  let fd: number;
  try {
    fd = openSync(path, 'wx+', 0o600);
  } catch (error) {
    throw new RegionError(
      'SHM_UNUSABLE',
      `cannot make a file in ${directory}: ${(error as Error).message}; choose another --shm-dir`,
      error,
    );
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

  /** Zeroes every byte; memory whose room was not reserved goes back to the system. */
  scrub(): void {
    if (this.#mapping !== undefined && this.#sparse) discard(this.#mapping);
    else this.#bytes.fill(0);
  }

  [Symbol.dispose](): void {
    if (this.#mapping !== undefined) unmap(this.#mapping);
  }
}
