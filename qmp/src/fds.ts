// Sending file descriptors along with a command (SCM_RIGHTS, unix(7)). Node has no way to do it, so
// this needs the optional peer koffi and 64-bit Linux; everything else works without. What always
// holds: the descriptors stay the caller's (the kernel duplicates them); the bytes of the stream
// keep their order, because the descriptors ride on one blank byte that is sent when Node holds
// back nothing, and the command follows in the same turn.

import type * as net from 'node:net';
import { endianness } from 'node:os';
import { QmpFdError } from './errors.js';

/** QEMU takes no more with one message (TCP_MAX_FDS in chardev/char-socket.c). */
const FDS_MAX = 16;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const EAGAIN = 11;
/** Sizes of 64-bit Linux: struct cmsghdr, struct iovec, struct msghdr. */
const CMSGHDR_BYTES = 16;
const IOVEC_BYTES = 16;
const MSGHDR_BYTES = 56;
/** A full socket buffer is asked again this often, and no longer than the sum. */
const FULL_RETRY_MS = 10;
const FULL_RETRY_COUNT = 1_000;

interface Native {
  readonly sendmsg: (fd: number, message: Buffer, flags: number) => number;
  readonly address: (buffer: Buffer) => bigint;
  readonly errno: () => number;
}

let loading: Promise<Native> | undefined;

async function loadNative(): Promise<Native> {
  const wide = process.arch === 'x64' || process.arch === 'arm64';
  if (process.platform !== 'linux' || !wide || endianness() !== 'LE') {
    throw new QmpFdError('Descriptors can be sent along on 64-bit Linux only');
  }
  try {
    const { default: koffi } = await import('koffi');
    const libc = koffi.load('libc.so.6');
    const sendmsg = libc.func('intptr_t sendmsg(int fd, void *message, int flags)');
    return {
      sendmsg: (fd, message, flags) => Number(sendmsg(fd, message, flags)),
      address: (buffer) => BigInt(koffi.address(buffer)),
      errno: () => koffi.errno(),
    };
  } catch (cause) {
    const text = 'Sending descriptors along needs koffi: npm install koffi';
    throw new QmpFdError(`${text} (${cause instanceof Error ? cause.message : cause})`, cause);
  }
}

/** struct msghdr for one blank byte and the descriptors. The buffers must outlive the call. */
function buildMessage(native: Native, fds: readonly number[]): Buffer[] {
  const payload = Buffer.from(' ');
  const rights = CMSGHDR_BYTES + 4 * fds.length;
  const control = Buffer.alloc(Math.ceil(rights / 8) * 8);
  control.writeBigUInt64LE(BigInt(rights), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  for (const [index, fd] of fds.entries()) control.writeInt32LE(fd, CMSGHDR_BYTES + 4 * index);
  const iovec = Buffer.alloc(IOVEC_BYTES);
  iovec.writeBigUInt64LE(native.address(payload), 0);
  iovec.writeBigUInt64LE(BigInt(payload.length), 8);
  const message = Buffer.alloc(MSGHDR_BYTES);
  message.writeBigUInt64LE(native.address(iovec), 16);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(native.address(control), 32);
  message.writeBigUInt64LE(BigInt(control.length), 40);
  return [message, iovec, control, payload];
}

/** The descriptor under a socket. Node keeps it on the handle, which is not documented. */
function descriptorOf(socket: net.Socket): number {
  const handle = (socket as unknown as { _handle?: { fd?: number } | null })._handle;
  const fd = handle?.fd;
  // A TCP socket ignores SCM_RIGHTS without an error, so it must be told apart here.
  if (socket.remoteFamily !== undefined || typeof fd !== 'number' || fd < 0) {
    throw new QmpFdError('Descriptors can be sent along over a UNIX socket only');
  }
  return fd;
}

function checkFds(fds: readonly number[]): void {
  const wrong = fds.find((fd) => !Number.isInteger(fd) || fd < 0);
  if (wrong !== undefined) throw new QmpFdError(`${wrong} is no file descriptor`);
  if (fds.length > FDS_MAX) {
    throw new QmpFdError(`${fds.length} descriptors are more than the ${FDS_MAX} QEMU takes`);
  }
}

/** True when sent, false when the socket's buffer is full. */
function trySend(native: Native, socket: net.Socket, fds: readonly number[]): boolean {
  const buffers = buildMessage(native, fds);
  const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  const sent = native.sendmsg(descriptorOf(socket), buffers[0]!, flags);
  if (sent === 1) return true;
  const errno = native.errno();
  if (errno === EAGAIN) return false;
  throw new QmpFdError(`sendmsg failed with errno ${errno}: are ${fds.join(', ')} open?`);
}

function drained(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', resolve);
    socket.write('', () => {
      socket.removeListener('close', resolve);
      resolve();
    });
  });
}

async function send(socket: net.Socket, line: string, fds: readonly number[]): Promise<void> {
  checkFds(fds);
  descriptorOf(socket);
  loading ??= loadNative();
  const native = await loading;
  for (let count = 0; count < FULL_RETRY_COUNT; count += 1) {
    while (socket.writableLength > 0 && !socket.destroyed) await drained(socket);
    if (socket.destroyed) throw new QmpFdError('The connection ended before the descriptors left');
    if (trySend(native, socket, fds)) {
      socket.write(line);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, FULL_RETRY_MS));
  }
  throw new QmpFdError('The socket stayed full: QEMU does not read its monitor');
}

/** Send a line with descriptors; `done` is called once, with an error when nothing was sent. */
export function sendFds(
  socket: net.Socket,
  line: string,
  fds: readonly number[],
  done: (error?: QmpFdError) => void,
): void {
  send(socket, line, fds).then(
    () => done(),
    (error) => {
      done(error instanceof QmpFdError ? error : new QmpFdError(String(error), error));
    },
  );
}
