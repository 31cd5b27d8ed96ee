/**
 * The ivshmem server: hands QEMU's ivshmem-doorbell device its shared memory and eventfds.
 *
 * Protocol: docs/specs/ivshmem-spec of QEMU; one way, each message a signed 64-bit little-endian
 * integer with at most one descriptor. In this order: version 0; the client's id; -1 with the
 * memory; the host's peer id with the eventfd that rings the host; the client's id once for each
 * of its vectors. (QEMU 7.2 crashes on own-id descriptors before the -1, and aborts when a peer
 * id comes back, so ids only grow. It spins for ever when the socket closes before the -1, so a
 * client is refused by a version that does not exist, at which QEMU ends with an error.) The host
 * never connects: it is a peer in name only, with id 0.
 *
 * One QEMU at a time: the memory is one guest's. The caller owns the descriptors.
 */
import { sendWithFds } from '../native/sockets.js';
import { type ClientEvents, SocketServer } from './socket-server.js';

/** The peer id under which the guest rings the host; clients are peers from 1 on. */
export const HOST_PEER = 0;

const PROTOCOL_VERSION = 0;
/** Sent as the version to a client that is refused. */
const REFUSED_VERSION = -1;

export interface IvshmemServerOptions extends ClientEvents {
  readonly socketPath: string;
  /** Read anew for each client, as are the eventfds. */
  readonly memoryFd: number;
  /** Rung by the guest. */
  readonly hostEventFd: number;
  /** Rung by the host: one a vector; QEMU needs `vectors` to be at least as many. */
  readonly guestEventFds: readonly number[];
}

function encode(value: number): Uint8Array {
  return new Uint8Array(new BigInt64Array([BigInt(value)]).buffer);
}

function greet(options: IvshmemServerOptions, fd: number, peer: number): void {
  const say = (value: number, ...fds: number[]): void => sendWithFds(fd, encode(value), fds);
  say(PROTOCOL_VERSION);
  say(peer);
  say(-1, options.memoryFd);
  say(HOST_PEER, options.hostEventFd);
  for (const eventFd of options.guestEventFds) say(peer, eventFd);
}

/**
 * Listens before it returns, since QEMU reads the first messages while it starts.
 * @throws SocketServerError (SOCKET_IN_USE, SOCKET_PATH_TOO_LONG, SOCKET_UNUSABLE)
 */
export function listenIvshmem(options: IvshmemServerOptions): Promise<SocketServer> {
  return SocketServer.listen({
    ...options,
    greet: (fd, peer) => greet(options, fd, peer),
    turnAway: (fd) => sendWithFds(fd, encode(REFUSED_VERSION), []),
  });
}
