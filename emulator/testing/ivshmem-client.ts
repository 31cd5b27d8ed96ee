/**
 * A client of an ivshmem server, in place of QEMU: receives the memory and the eventfds.
 *
 * What always holds: each descriptor that came is closed at disposal, whatever happened. (QEMU:
 * docs/specs/ivshmem-spec.)
 */
import { closeFd } from '../native/libc.js';
import { receiveWithFds } from '../native/sockets.js';
import { connectUnix } from './unix-socket.js';

const GREETING_MS_MAX = 10_000;

/** `code` IVSHMEM_CLIENT_FAILED: no server there, or it said something else than a greeting. */
export class IvshmemClientError extends Error {
  readonly code = 'IVSHMEM_CLIENT_FAILED';
  override readonly name = 'IvshmemClientError';
}

interface Message {
  readonly value: number;
  /** The descriptor that came along, or -1. */
  readonly fd: number;
}

export class IvshmemClient implements Disposable {
  /** Its own id: a guest's IVPosition. */
  peer = -1;
  memoryFd = -1;
  /** Rings the host. */
  hostEventFd = -1;
  /** Rung by the host, one a vector. */
  readonly vectorFds: number[] = [];
  readonly #socket: number;
  /** Each is closed once: a second time it might be another's. */
  readonly #owned: number[];

  private constructor(socket: number) {
    this.#socket = socket;
    this.#owned = [socket];
  }

  /**
   * Connects and takes in the whole greeting, of `vectors` interrupt vectors.
   * @throws IvshmemClientError (IVSHMEM_CLIENT_FAILED), UnixSocketError (SOCKET_NOT_THERE)
   */
  static async connect(path: string, vectors: number): Promise<IvshmemClient> {
    const client = new IvshmemClient(connectUnix(path));
    try {
      await client.#greeting(vectors);
      return client;
    } catch (error) {
      client[Symbol.dispose]();
      throw error;
    }
  }

  async #greeting(vectors: number): Promise<void> {
    const deadline = performance.now() + GREETING_MS_MAX;
    const version = await this.#next(deadline);
    if (version.value !== 0) {
      throw new IvshmemClientError(`the server sent version ${version.value}, expecting 0`);
    }
    this.peer = (await this.#next(deadline)).value;
    this.memoryFd = (await this.#next(deadline)).fd;
    this.hostEventFd = (await this.#next(deadline)).fd;
    while (this.vectorFds.length < vectors) this.vectorFds.push((await this.#next(deadline)).fd);
  }

  /** The next message; other work of this thread goes on meanwhile. */
  async #next(deadline: number): Promise<Message> {
    for (;;) {
      const message = receive(this.#socket);
      if (message !== undefined) {
        if (message.fd !== -1) this.#owned.push(message.fd);
        return message;
      }
      if (performance.now() > deadline) {
        throw new IvshmemClientError(`the server said no more for ${GREETING_MS_MAX} ms`);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Disconnects. */
  [Symbol.dispose](): void {
    for (const fd of this.#owned.splice(0)) closeFd(fd);
  }
}

/** One message if there is one now. Messages are 8 bytes, sent one by one: never cut. */
function receive(socket: number): Message | undefined {
  const received = receiveWithFds(socket, 8, 1);
  if (received === undefined) return undefined;
  const { bytes, fds } = received;
  if (bytes.length !== 8) throw new IvshmemClientError('the server hung up');
  const value = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true));
  return { value, fd: fds[0] ?? -1 };
}
