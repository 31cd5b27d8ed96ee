/**
 * UNIX sockets as libc has them: descriptors along with bytes, a pair that a child inherits, and
 * one that listens at a path which nobody else may ever connect to.
 *
 * Structures are those of x86-64 Linux: struct msghdr and struct cmsghdr of sys/socket.h, struct
 * sockaddr_un of sys/un.h. The caller owns each descriptor that it is given.
 */
import koffi from 'koffi';
import { check, closeFd, Errno, libc, MSG_NOSIGNAL, NativeError, pinnedBytes } from './libc.js';

const call = {
  bind: libc.func('int bind(int fd, const uint8_t *address, unsigned int length)'),
  fchmod: libc.func('int fchmod(int fd, unsigned int mode)'),
  recvmsg: libc.func('intptr_t recvmsg(int fd, uint8_t *message, int flags)'),
  sendmsg: libc.func('intptr_t sendmsg(int fd, const uint8_t *message, int flags)'),
  socket: libc.func('int socket(int domain, int type, int protocol)'),
  socketpair: libc.func('int socketpair(int domain, int type, int protocol, uint8_t *fds)'),
};

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const CMSG_HEADER_BYTES = 16;

const HEADER_BYTES = 56;
const VECTOR_BYTES = 16;

/**
 * struct msghdr, what it points to behind it: the engine could not know that a part of its own is
 * still in use.
 */
class Message {
  /** What the system is given. */
  readonly all: Uint8Array;
  readonly bytes: Uint8Array;
  readonly control: DataView;
  readonly #header: DataView;

  constructor(byteCount: number, controlBytes: number) {
    const controlAt = HEADER_BYTES + VECTOR_BYTES;
    const bytesAt = controlAt + controlBytes;
    this.all = pinnedBytes(bytesAt + byteCount);
    const memory = this.all.buffer;
    const address = koffi.address(this.all);
    this.bytes = new Uint8Array(memory, bytesAt);
    this.control = new DataView(memory, controlAt, controlBytes);
    this.#header = new DataView(memory, 0, HEADER_BYTES);
    const vector = new DataView(memory, HEADER_BYTES, VECTOR_BYTES);
    vector.setBigUint64(0, address + BigInt(bytesAt), true);
    vector.setBigUint64(8, BigInt(byteCount), true);
    this.#header.setBigUint64(16, address + BigInt(HEADER_BYTES), true);
    this.#header.setBigUint64(24, 1n, true);
    if (controlBytes > 0) this.#header.setBigUint64(32, address + BigInt(controlAt), true);
    this.#header.setBigUint64(40, BigInt(controlBytes), true);
  }

  /** Bytes of control data that came, its own header with them. */
  get controlBytes(): number {
    return Number(this.#header.getBigUint64(40, true));
  }
}

/** Bytes of a control buffer for so many descriptors: CMSG_SPACE. */
function spaceFor(fds: number): number {
  return fds === 0 ? 0 : CMSG_HEADER_BYTES + Math.ceil((4 * fds) / 8) * 8;
}

/**
 * Sends a few bytes and, along with them, open descriptors (SCM_RIGHTS) over a UNIX socket.
 *
 * The bytes are few enough to fit any socket buffer, so a short write is an error.
 */
export function sendWithFds(socket: number, bytes: Uint8Array, fds: readonly number[]): void {
  const message = new Message(bytes.length, spaceFor(fds.length));
  message.bytes.set(bytes);
  if (fds.length > 0) {
    message.control.setBigUint64(0, BigInt(CMSG_HEADER_BYTES + 4 * fds.length), true);
    message.control.setInt32(8, SOL_SOCKET, true);
    message.control.setInt32(12, SCM_RIGHTS, true);
    for (const [place, fd] of fds.entries()) {
      message.control.setInt32(CMSG_HEADER_BYTES + 4 * place, fd, true);
    }
  }
  const sent = check('sendmsg', call.sendmsg(socket, message.all, MSG_NOSIGNAL) as number);
  if (sent !== bytes.length) throw new NativeError('sendmsg: short write', Errno.EAGAIN);
}

export interface Received {
  /** Empty when the other side has gone. */
  readonly bytes: Uint8Array;
  /** The caller's to close. */
  readonly fds: number[];
}

/**
 * Takes up to `byteCount` bytes that a socket has now, with the descriptors that came along.
 * @returns undefined when there are none yet
 */
export function receiveWithFds(
  socket: number,
  byteCount: number,
  fdsMax: number,
): Received | undefined {
  const message = new Message(byteCount, spaceFor(fdsMax));
  const flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
  const count = call.recvmsg(socket, message.all, flags) as number;
  if (count < 0 && koffi.errno() === Errno.EAGAIN) return undefined;
  check('recvmsg', count);
  const hasSome = message.controlBytes >= CMSG_HEADER_BYTES;
  const cameBytes = hasSome ? Number(message.control.getBigUint64(0, true)) : CMSG_HEADER_BYTES;
  const fds = Array.from({ length: (cameBytes - CMSG_HEADER_BYTES) >>> 2 }, (_, place) =>
    message.control.getInt32(CMSG_HEADER_BYTES + 4 * place, true),
  );
  return { bytes: message.bytes.slice(0, count), fds };
}

/**
 * Takes a message of one byte with `count` descriptors, which must be there.
 * @throws NativeError when it is not, or when this process may not have so many
 */
export function receiveFds(socket: number, count: number): number[] {
  const fds = receiveWithFds(socket, 1, count)?.fds ?? [];
  if (fds.length === count) return fds;
  for (const fd of fds) closeFd(fd);
  throw new NativeError(`recvmsg: ${fds.length} descriptors of ${count}`, Errno.EAGAIN);
}

/** Two sockets that are connected to each other. */
export function socketPair(): [number, number] {
  const fds = new DataView(new ArrayBuffer(8));
  const bytes = new Uint8Array(fds.buffer);
  check('socketpair', call.socketpair(AF_UNIX, SOCK_STREAM_CLOEXEC, 0, bytes) as number);
  return [fds.getInt32(0, true), fds.getInt32(4, true)];
}

/**
 * A socket bound to a path, whose file has mode 0600, or less where the umask takes that away too.
 * The file gets the socket's mode as it is made (net/unix/af_unix.c), so there is no moment in
 * which it has another.
 * @throws NativeError with errno, as EADDRINUSE when there is something at the path
 */
export function boundSocket(path: string): number {
  const fd = check('socket', call.socket(AF_UNIX, SOCK_STREAM_CLOEXEC, 0) as number);
  try {
    check('fchmod', call.fchmod(fd, 0o600) as number);
    const address = Buffer.alloc(2 + Buffer.byteLength(path) + 1);
    address.writeUInt16LE(AF_UNIX, 0);
    address.write(path, 2);
    check('bind', call.bind(fd, address, address.length) as number);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}
