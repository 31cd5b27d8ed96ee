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
 * One QEMU at a time: the memory is one guest's. The caller owns the descriptors; the server owns
 * the socket and its path.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { sendWithFd } from '../native/libc.js';

/** The peer id under which the guest rings the host. */
export const HOST_PEER = 0;

const PROTOCOL_VERSION = 0;
/** Sent as the version to a client that is refused. */
const REFUSED_VERSION = -1;
const PEER_ID_MAX = 65535;
/** sun_path of struct sockaddr_un, less the closing zero (sys/un.h). */
const SOCKET_PATH_BYTES_MAX = 107;

export interface IvshmemServerOptions {
  readonly socketPath: string;
  readonly memoryFd: number;
  /** Rung by the guest. */
  readonly hostEventFd: number;
  /** Rung by the host: one a vector; QEMU needs `vectors` to be at least as many. */
  readonly guestEventFds: readonly number[];
  readonly onConnect?: (peer: number) => void;
  /**
   * When this gives a promise, the next client waits for it: until the memory holds nothing of the
   * last.
   */
  /**
   * The machine went away by itself. Not called when the server closes: the guest may live on, and
   * reads its pages from memory that must not be touched then.
   */
  readonly onDisconnect?: (peer: number) => unknown;
  readonly onRefused?: (reason: string) => void;
}

/** `code` SOCKET_IN_USE, SOCKET_PATH_TOO_LONG or SOCKET_UNUSABLE. */
export class IvshmemServerError extends Error {
  override readonly name = 'IvshmemServerError';
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function encode(value: number): Uint8Array {
  return new Uint8Array(new BigInt64Array([BigInt(value)]).buffer);
}

/** libuv's descriptor of an accepted socket: Node has no public name for it (nodejs/node#53391). */
function descriptorOf(socket: Socket): number {
  const handle = (socket as unknown as { _handle?: { fd?: number } })._handle;
  const fd = handle?.fd;
  if (fd === undefined || fd < 0) throw new Error('this Node does not show a socket descriptor');
  return fd;
}

export class IvshmemServer implements AsyncDisposable {
  readonly #options: IvshmemServerOptions;
  readonly #server: Server;
  #client: Socket | undefined;
  #nextPeer = HOST_PEER + 1;
  /** The last client's end, until `onDisconnect` is through with it. */
  #leaving: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(options: IvshmemServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /**
   * Listens before it returns, since QEMU reads the first messages while it starts.
   * @throws IvshmemServerError (SOCKET_IN_USE, SOCKET_PATH_TOO_LONG, SOCKET_UNUSABLE)
   */
  static async listen(options: IvshmemServerOptions): Promise<IvshmemServer> {
    const path = options.socketPath;
    if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
      throw new IvshmemServerError(
        'SOCKET_PATH_TOO_LONG',
        `socket path of ${Buffer.byteLength(path)} bytes: a UNIX socket's path has at most ` +
          `${SOCKET_PATH_BYTES_MAX}; choose a shorter one: ${path}`,
      );
    }
    const server = new IvshmemServer(options);
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', (error: NodeJS.ErrnoException) => {
        reject(
          error.code === 'EADDRINUSE'
            ? new IvshmemServerError(
                'SOCKET_IN_USE',
                `${path} exists: another server may be using it; stop that one, or remove the ` +
                  'file if none runs, or choose another --socket',
                error,
              )
            : new IvshmemServerError(
                'SOCKET_UNUSABLE',
                `cannot listen at ${path}: ${error.message}; choose another --socket`,
                error,
              ),
        );
      });
      server.#server.listen(path, resolve);
    });
    return server;
  }

  #accept(socket: Socket): void {
    // A client that goes away in the middle is no error of ours.
    socket.on('error', () => socket.destroy());
    if (this.#client === undefined) this.#admit(socket);
    else this.#admitLater(socket);
  }

  /**
   * There is a client, but its end may have come in the same turn of the event loop as this one's
   * beginning: looks again two turns later, and when the last one is done with.
   */
  async #admitLater(socket: Socket): Promise<void> {
    await nextTurn();
    await nextTurn();
    await this.#leaving;
    this.#admit(socket);
  }

  /** Serves the client or turns it away. */
  #admit(socket: Socket): void {
    if (socket.destroyed) return;
    const reason = this.#refusal();
    if (reason !== undefined) {
      this.#options.onRefused?.(reason);
      this.#turnAway(socket);
      return;
    }
    const peer = this.#nextPeer;
    this.#nextPeer += 1;
    this.#client = socket;
    socket.on('close', () => {
      this.#leaving = this.#leave(peer);
    });
    // Clients have nothing to say. One that does is not cut off: its guest still uses the memory.
    socket.resume();
    try {
      this.#greet(descriptorOf(socket), peer);
      this.#options.onConnect?.(peer);
    } catch {
      socket.destroy();
    }
  }

  async #leave(peer: number): Promise<void> {
    try {
      if (!this.#closed) await this.#options.onDisconnect?.(peer);
    } catch {
      // Its own to report; the socket must go on.
    }
    this.#client = undefined;
  }

  #refusal(): string | undefined {
    if (this.#closed) return 'the server is closing';
    if (this.#client !== undefined) return 'another QEMU is connected; one guest a socket';
    if (this.#nextPeer > PEER_ID_MAX) return 'all 65535 peer ids are used; restart the server';
    return undefined;
  }

  #turnAway(socket: Socket): void {
    try {
      sendWithFd(descriptorOf(socket), encode(REFUSED_VERSION));
    } catch {
      // It has gone by itself.
    }
    socket.destroy();
  }

  #greet(fd: number, peer: number): void {
    sendWithFd(fd, encode(PROTOCOL_VERSION));
    sendWithFd(fd, encode(peer));
    sendWithFd(fd, encode(-1), this.#options.memoryFd);
    sendWithFd(fd, encode(HOST_PEER), this.#options.hostEventFd);
    for (const eventFd of this.#options.guestEventFds) sendWithFd(fd, encode(peer), eventFd);
  }

  /** Closes the socket and removes its path; an `onDisconnect` under way is through by then. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const client = this.#client;
    // A client that has closed already may still be here, while `onDisconnect` is under way.
    if (client !== undefined && !client.closed) {
      const gone = new Promise<void>((resolve) => client.once('close', () => resolve()));
      client.destroy();
      await gone;
    }
    await this.#leaving;
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
