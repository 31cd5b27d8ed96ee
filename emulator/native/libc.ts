/**
 * The native seam: the few libc calls that Node lacks, through koffi.
 *
 * Linux on x86-64 only. Every function either succeeds or throws a NativeError that carries errno,
 * or a DescriptorLimitError; the caller owns each descriptor and mapping that it is given, and
 * frees it with `closeFd` or `unmap`. A mapping that is unmapped must no longer be touched: views
 * over it stay readable to JavaScript and fault in hardware.
 */
import koffi from 'koffi';
import { DescriptorLimitError } from './descriptors.js';

export const libc = koffi.load('libc.so.6');

const call = {
  memfd_create: libc.func('int memfd_create(const char *name, unsigned int flags)'),
  ftruncate: libc.func('int ftruncate(int fd, int64_t length)'),
  posix_fallocate: libc.func('int posix_fallocate(int fd, int64_t offset, int64_t length)'),
  fcntl: libc.func('int fcntl(int fd, int command, int argument)'),
  mmap: libc.func('void *mmap(void *addr, size_t len, int prot, int flags, int fd, int64_t off)'),
  munmap: libc.func('int munmap(void *addr, size_t length)'),
  madvise: libc.func('int madvise(void *addr, size_t length, int advice)'),
  eventfd: libc.func('int eventfd(unsigned int count, int flags)'),
  close: libc.func('int close(int fd)'),
  ppoll: libc.func('int ppoll(uint8_t *fds, unsigned long count, uint8_t *timeout, void *mask)'),
  read: libc.func('intptr_t read(int fd, uint8_t *buffer, size_t count)'),
  preadv2: libc.func(
    'intptr_t preadv2(int fd, const uint8_t *vectors, int count, int64_t offset, int flags)',
  ),
  flock: libc.func('int flock(int fd, int operation)'),
  gettid: libc.func('int gettid(void)'),
  write: libc.func('intptr_t write(int fd, const uint8_t *buffer, size_t count)'),
  recv: libc.func('intptr_t recv(int fd, uint8_t *buffer, size_t count, int flags)'),
  send: libc.func('intptr_t send(int fd, const uint8_t *buffer, size_t count, int flags)'),
};

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
/** F_SEAL_SEAL, F_SEAL_SHRINK and F_SEAL_GROW. */
const SEALS_OF_SIZE = 1 | 2 | 4;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MADV_REMOVE = 9;
/** preadv2(2): from Linux 5.8 on for an eventfd. */
const RWF_NOWAIT = 8;
const LOCK_EX = 2;
const LOCK_NB = 4;
const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;
const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;
const POLLIN = 1;
const POLLOUT = 4;
const EINTR = 4;
const EAGAIN = 11;
const ENFILE = 23;
const EMFILE = 24;

/** errno values that callers tell apart. */
export const Errno = { EINTR, EAGAIN, ENOMEM: 12, ENOSPC: 28, EADDRINUSE: 98 } as const;

/** A libc call failed. `code` is NATIVE_CALL_FAILED, `errno` the system's number. */
export class NativeError extends Error {
  readonly code = 'NATIVE_CALL_FAILED';
  override readonly name = 'NativeError';
  readonly errno: number;

  constructor(what: string, errno: number) {
    super(`${what} failed with errno ${errno}`);
    this.errno = errno;
  }
}

export function check(what: string, result: number): number {
  if (result >= 0) return result;
  const errno = koffi.errno();
  if (errno === EMFILE || errno === ENFILE) {
    throw new DescriptorLimitError(`no descriptor is left for ${what}`);
  }
  throw new NativeError(what, errno);
}

/** A nameless memory file, so that nothing is left in /dev/shm whatever happens. Returns its fd. */
export function memfdCreate(name: string): number {
  return check('memfd_create', call.memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING) as number);
}

export function truncate(fd: number, bytes: number): void {
  check('ftruncate', call.ftruncate(fd, bytes) as number);
}

/**
 * Fixes a memory file's size for ever, whoever is given its descriptor: a mapping of a file that
 * was cut shorter kills the process that touches it.
 */
export function sealSize(fd: number): void {
  check('fcntl(F_ADD_SEALS)', call.fcntl(fd, F_ADD_SEALS, SEALS_OF_SIZE) as number);
}

/**
 * Reserves every byte of a file now, so that a full /dev/shm is an error here and no SIGBUS later.
 * @throws NativeError with errno ENOSPC when the file system has no room
 */
export function reserve(fd: number, bytes: number): void {
  const errno = call.posix_fallocate(fd, 0, bytes) as number;
  if (errno !== 0) throw new NativeError('posix_fallocate', errno);
}

/** A shared, writable mapping of a whole file: `buffer` views it with no copy. */
export interface Mapping {
  readonly buffer: ArrayBuffer;
  readonly bytes: number;
  readonly pointer: unknown;
}

export function mapShared(fd: number, bytes: number): Mapping {
  const pointer = call.mmap(null, bytes, PROT_READ_WRITE, MAP_SHARED, fd, 0) as unknown;
  if (pointer === null || koffi.address(pointer as never) === 0xffff_ffff_ffff_ffffn) {
    throw new NativeError('mmap', koffi.errno());
  }
  return { buffer: koffi.view(pointer as never, bytes) as ArrayBuffer, bytes, pointer };
}

export function unmap(mapping: Mapping): void {
  check('munmap', call.munmap(mapping.pointer, mapping.bytes) as number);
}

/**
 * Gives the memory behind a mapping, from byte `from` on, back to the system: every byte of the file
 * is zero there afterwards. `from` is a multiple of the page size.
 */
export function discard(mapping: Mapping, from = 0): void {
  const at = koffi.address(mapping.pointer as never) + BigInt(from);
  check('madvise', call.madvise(at, mapping.bytes - from, MADV_REMOVE) as number);
}

/** A non-blocking eventfd: QEMU sets O_NONBLOCK on those it is given anyway. */
export function eventFd(): number {
  return check('eventfd', call.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) as number);
}

export function closeFd(fd: number): void {
  check('close', call.close(fd) as number);
}

/**
 * Bytes whose address stays put: V8 keeps a small typed array inside its moving heap until its
 * ArrayBuffer is asked for, so the buffer is made first.
 */
export function pinnedBytes(count: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(count));
}

const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);
/** A struct iovec, then the eight bytes that it names: one memory, so that neither goes alone. */
const scratchVector = pinnedBytes(16 + 8);
new BigUint64Array(scratchVector.buffer, 0, 2).set([koffi.address(scratchVector) + 16n, 8n]);

/** One descriptor, looked at without waiting. */
const room = new DataView(new ArrayBuffer(8));
const roomBytes = new Uint8Array(room.buffer);
const noTime = pinnedBytes(16);

/**
 * Adds one to an eventfd's counter: wakes whoever polls it. A full counter is awake already. Whoever
 * else has the eventfd may have cleared O_NONBLOCK, which is shared: a full one is not written to.
 */
export function ringEventFd(fd: number): void {
  room.setInt32(0, fd, true);
  room.setInt16(4, POLLOUT, true);
  if (fd >= 0 && (call.ppoll(roomBytes, 1, noTime, null) as number) === 0) return;
  const written = call.write(fd, ONE, 8) as number;
  if (written === 8) return;
  const errno = koffi.errno();
  if (errno !== EAGAIN) throw new NativeError('write to an eventfd', errno);
}

/** Takes an eventfd's counter back to zero. Does not wait, whether or not O_NONBLOCK is set. */
export function drainEventFd(fd: number): void {
  call.preadv2(fd, scratchVector, 1, -1, RWF_NOWAIT);
}

/**
 * Locks an open file or folder for its descriptor's life (flock), unless somebody else has.
 * @throws NativeError where the file system has no such locks
 */
export function tryLock(fd: number): boolean {
  const result = call.flock(fd, LOCK_EX | LOCK_NB) as number;
  if (result !== 0 && koffi.errno() === EAGAIN) return false;
  check('flock', result);
  return true;
}

/** The system's number of the calling thread. */
export function threadId(): number {
  return call.gettid() as number;
}

/**
 * Takes bytes that a socket has now into a buffer that stays put.
 * @returns how many; 0 when the other side has gone, undefined when there are none yet
 */
export function receiveBytes(socket: number, into: Uint8Array): number | undefined {
  const count = call.recv(socket, into, into.length, MSG_DONTWAIT) as number;
  if (count >= 0) return count;
  const errno = koffi.errno();
  // A connection that was reset has ended, too.
  return errno === EAGAIN || errno === EINTR ? undefined : 0;
}

/** Gives bytes to a socket, as many as it takes now; one whose other side has gone takes none. */
export function sendBytes(socket: number, bytes: Uint8Array): number {
  const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  return Math.max(0, call.send(socket, bytes, bytes.length, flags) as number);
}

/** A reusable ppoll() set over a list of descriptors; -1 stands for none. Waits for input. */
export class PollSet {
  readonly #fds: readonly number[];
  readonly #records: Uint8Array;
  readonly #view: DataView;
  /** struct timespec: seconds and nanoseconds, 64 bits each. */
  readonly #timeout = pinnedBytes(16);
  readonly #timeoutView = new DataView(this.#timeout.buffer);

  constructor(fds: readonly number[]) {
    this.#fds = fds;
    this.#records = pinnedBytes(8 * fds.length);
    this.#view = new DataView(this.#records.buffer);
    for (const [place, fd] of fds.entries()) {
      this.#view.setInt32(8 * place, fd, true);
      this.#view.setInt16(8 * place + 4, POLLIN, true);
    }
  }

  /** Waits for another descriptor at `place` from now on, for room to write in it too if asked. */
  replace(place: number, fd: number, output = false): void {
    this.#view.setInt32(8 * place, fd, true);
    this.#view.setInt16(8 * place + 4, output ? POLLIN | POLLOUT : POLLIN, true);
  }

  /** Blocks this thread until a descriptor is readable or `micros` passed; returns how many are. */
  wait(micros: number): number {
    this.#timeoutView.setUint32(0, Math.floor(micros / 1e6), true);
    this.#timeoutView.setUint32(8, (micros % 1e6) * 1000, true);
    const ready = call.ppoll(this.#records, this.#fds.length, this.#timeout, null) as number;
    if (ready >= 0) return ready;
    const errno = koffi.errno();
    if (errno === EINTR) return 0;
    throw new NativeError('ppoll', errno);
  }

  /** Whether the descriptor at `place` in the list was readable at the last wait. */
  isReady(place: number): boolean {
    return this.#view.getInt16(8 * place + 6, true) !== 0;
  }
}
