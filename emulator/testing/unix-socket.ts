/**
 * A connection to a UNIX socket as a bare descriptor, which Node's own sockets do not give. It is the
 * caller's to close. Linux on x86-64 only, as `native/` is.
 */
import koffi from 'koffi';
import { closeFd } from '../native/libc.js';

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;

const libc = koffi.load('libc.so.6');
const call = {
  socket: libc.func('int socket(int domain, int type, int protocol)'),
  connect: libc.func('int connect(int fd, const uint8_t *address, unsigned int length)'),
};

/** `code` SOCKET_NOT_THERE: nobody listens at the path. */
export class UnixSocketError extends Error {
  readonly code = 'SOCKET_NOT_THERE';
  override readonly name = 'UnixSocketError';
}

/** @throws UnixSocketError (SOCKET_NOT_THERE) */
export function connectUnix(path: string): number {
  const fd = call.socket(AF_UNIX, SOCK_STREAM_CLOEXEC, 0) as number;
  const address = Buffer.alloc(2 + Buffer.byteLength(path) + 1);
  address.writeUInt16LE(AF_UNIX, 0);
  address.write(path, 2);
  if (fd >= 0 && (call.connect(fd, address, address.length) as number) === 0) return fd;
  const errno = koffi.errno();
  if (fd >= 0) closeFd(fd);
  throw new UnixSocketError(`cannot connect to ${path} (errno ${errno}): does a server run?`);
}
