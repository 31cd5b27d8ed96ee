/**
 * A UNIX socket that serves one QEMU at a time, for the servers of both transports.
 *
 * The memory or the link behind it is one guest's, so a second client is turned away, and the next
 * one waits until the last one's end has been dealt with. Clients are numbered from 1 and no number
 * comes back. The server owns the socket and its path, which only its user may connect to; how a
 * client is greeted is the caller's.
 */
import { lstatSync, type Stats, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { hasDescriptors } from '../native/descriptors.js';
import { closeFd, Errno, NativeError } from '../native/libc.js';
import { boundSocket } from '../native/sockets.js';

const CLIENTS_MAX = 65535;
/** sun_path of struct sockaddr_un, less the closing zero (sys/un.h). */
const SOCKET_PATH_BYTES_MAX = 107;

/** What the caller hears of clients. */
export interface ClientEvents {
  readonly onConnect?: (client: number) => void;
  /**
   * The machine went away by itself. Not called when the server closes: the guest may live on, and
   * reads its pages from memory that must not be touched then. When this gives a promise, the next
   * client waits for it: until nothing of the last is left. When it fails, something may be left,
   * and no other client is served.
   */
  readonly onDisconnect?: (client: number) => unknown;
  readonly onRefused?: (reason: string) => void;
  /**
   * No descriptor is left for a client, which the system drops without a word; or one is again.
   */
  readonly onDescriptors?: (areLeft: boolean) => void;
}

export interface SocketServerOptions extends ClientEvents {
  readonly socketPath: string;
  /**
   * Begins to serve a client, whose descriptor is the server's until it disconnects; `handle` is how
   * another process is given it (child_process, `send`).
   */
  readonly greet: (fd: number, client: number, handle: unknown) => void;
  /** Tells a client that it is refused, before its socket is closed. */
  readonly turnAway?: (fd: number) => void;
  /**
   * The bytes of a client are somebody else's to read from its descriptor; `hangUp` says that it has
   * gone. Settles once whoever reads them has looked whether the client is still there. Without
   * this they are thrown away: clients have nothing to say.
   */
  readonly readElsewhere?: () => Promise<unknown>;
}

/** `code` SOCKET_IN_USE, SOCKET_PATH_TOO_LONG or SOCKET_UNUSABLE. */
export class SocketServerError extends Error {
  override readonly name = 'SocketServerError';
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Clients at once that wait until the last one's end has been dealt with. */
const WAITING_MAX = 16;
/** Between two looks whether a client could be let in. */
const LOOK_MS = 1000;

function unusable(path: string, error: Error): SocketServerError {
  const why = error instanceof NativeError ? getSystemErrorName(-error.errno) : error.message;
  const message = `cannot listen at ${path}: ${why}; choose another --socket`;
  return new SocketServerError('SOCKET_UNUSABLE', message, error);
}

/** @throws SocketServerError (SOCKET_IN_USE, SOCKET_UNUSABLE) */
function bind(path: string): number {
  try {
    return boundSocket(path);
  } catch (error) {
    if (!(error instanceof NativeError)) throw error;
    if (error.errno !== Errno.EADDRINUSE) throw unusable(path, error);
    throw new SocketServerError(
      'SOCKET_IN_USE',
      `${path} exists: another server may be using it; stop that one, or remove the file if none ` +
        'runs, or choose another --socket',
      error,
    );
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** libuv's end of an accepted socket: Node has no public name for it (nodejs/node#53391). */
function handleOf(socket: Socket): { fd?: number } | undefined {
  return (socket as unknown as { _handle?: { fd?: number } })._handle;
}

function descriptorOf(socket: Socket): number {
  const fd = handleOf(socket)?.fd;
  if (fd === undefined || fd < 0) throw new Error('this Node does not show a socket descriptor');
  return fd;
}

export class SocketServer implements AsyncDisposable {
  readonly #options: SocketServerOptions;
  readonly #server: Server;
  #client: Socket | undefined;
  #looking: NodeJS.Timeout | undefined;
  #nextClient = 1;
  #waiting = 0;
  #descriptorsAreLeft = true;
  /** The last client's end, until `onDisconnect` is through with it. */
  #leaving: Promise<void> = Promise.resolve();
  #closed = false;
  /** Something of the last client may be left where the next one would find it. */
  #uncleared = false;

  /** The socket's file, as it was made. */
  readonly #file: Stats;

  private constructor(options: SocketServerOptions, file: Stats) {
    this.#options = options;
    this.#file = file;
    const pauseOnConnect = options.readElsewhere !== undefined;
    this.#server = createServer({ pauseOnConnect }, (socket) => this.#accept(socket));
  }

  /** Whoever cannot be let in is told of; an accept without descriptors is no event of Node's. */
  #watch(): void {
    this.#server.on('error', (error) => this.#options.onRefused?.(error.message));
    this.#looking = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  #look(): void {
    const areLeft = hasDescriptors(1);
    if (areLeft !== this.#descriptorsAreLeft) this.#options.onDescriptors?.(areLeft);
    this.#descriptorsAreLeft = areLeft;
  }

  /**
   * Listens before it returns, since QEMU reads the first messages while it starts.
   * @throws SocketServerError (SOCKET_IN_USE, SOCKET_PATH_TOO_LONG, SOCKET_UNUSABLE)
   */
  static async listen(options: SocketServerOptions): Promise<SocketServer> {
    const path = options.socketPath;
    if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
      throw new SocketServerError(
        'SOCKET_PATH_TOO_LONG',
        `socket path of ${Buffer.byteLength(path)} bytes: a UNIX socket's path has at most ` +
          `${SOCKET_PATH_BYTES_MAX}; choose a shorter one: ${path}`,
      );
    }
    const fd = bind(path);
    const server = new SocketServer(options, lstatSync(path));
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', (error) => {
        closeFd(fd);
        server.#removePath();
        reject(unusable(path, error));
      });
      server.#server.listen({ fd }, resolve);
    });
    server.#watch();
    return server;
  }

  #accept(socket: Socket): void {
    // A client that goes away in the middle is no error of ours.
    socket.on('error', () => socket.destroy());
    if (this.#client === undefined) this.#admit(socket);
    else if (this.#waiting < WAITING_MAX) this.#admitLater(socket);
    else this.#refuse(socket, 'too many wait for the last one to be gone');
  }

  /**
   * There is a client, but its end may have come in the same turn of the event loop as this one's
   * beginning: looks again two turns later, and when the last one is done with.
   */
  async #admitLater(socket: Socket): Promise<void> {
    this.#waiting += 1;
    await this.#options.readElsewhere?.().catch(() => {});
    await nextTurn();
    await nextTurn();
    await this.#leaving;
    this.#waiting -= 1;
    this.#admit(socket);
  }

  /** Serves the client or turns it away. */
  #admit(socket: Socket): void {
    if (socket.destroyed) return;
    const reason = this.#refusal();
    if (reason !== undefined) {
      this.#refuse(socket, reason);
      return;
    }
    const client = this.#nextClient;
    this.#nextClient += 1;
    this.#client = socket;
    socket.on('close', () => {
      this.#leaving = this.#leave(client);
    });
    // One that says something all the same is not cut off: its guest still uses the memory.
    if (this.#options.readElsewhere === undefined) socket.resume();
    try {
      this.#options.greet(descriptorOf(socket), client, handleOf(socket));
      this.#options.onConnect?.(client);
    } catch (error) {
      this.#options.onRefused?.((error as Error).message);
      socket.destroy();
    }
  }

  async #leave(client: number): Promise<void> {
    try {
      if (!this.#closed) await this.#options.onDisconnect?.(client);
    } catch {
      this.#uncleared = true;
    }
    this.#client = undefined;
  }

  #refusal(): string | undefined {
    if (this.#closed) return 'the server is closing';
    if (this.#uncleared) return 'the last guest’s memory could not be cleared; restart the server';
    if (this.#client !== undefined) return 'another QEMU is connected; one guest a socket';
    if (this.#nextClient > CLIENTS_MAX)
      return 'all 65535 client numbers are used; restart the server';
    return undefined;
  }

  #refuse(socket: Socket, reason: string): void {
    this.#options.onRefused?.(reason);
    try {
      this.#options.turnAway?.(descriptorOf(socket));
    } catch {
      // It has gone by itself.
    }
    socket.destroy();
  }

  /** The client has gone, as whoever reads its bytes has seen. */
  hangUp(): void {
    this.#client?.destroy();
  }

  /** Closes the socket and removes its path; an `onDisconnect` under way is through by then. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#looking);
    const client = this.#client;
    // A client that has closed already may still be here, while `onDisconnect` is under way.
    if (client !== undefined && !client.closed) {
      const gone = new Promise<void>((resolve) => client.once('close', () => resolve()));
      client.destroy();
      await gone;
    }
    await this.#leaving;
    this.#removePath();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** Unless it is another's by now. */
  #removePath(): void {
    const path = this.#options.socketPath;
    const now = lstatSync(path, { throwIfNoEntry: false });
    if (now?.ino === this.#file.ino && now.dev === this.#file.dev) unlinkSync(path);
  }
}
