/**
 * A machine at the other end of a store's link, in place of QEMU: its LinkGuest speaks through a
 * connected socket, whose descriptor it owns.
 */
import { closeFd, PollSet, receiveBytes, sendBytes } from '../native/libc.js';
import { LinkGuest } from './link-guest.js';
import { connectUnix } from './unix-socket.js';

/** A store that takes nothing for so long is gone. */
const SEND_MICROS_MAX = 10_000_000;

export class LinkClient implements Disposable {
  readonly link: LinkGuest;
  readonly #socket: number;

  /** @throws UnixSocketError (SOCKET_NOT_THERE) */
  constructor(
    path: string,
    queues: { readonly queueCount: number; readonly queueEntries: number },
  ) {
    this.#socket = connectUnix(path);
    this.link = new LinkGuest({
      ...queues,
      send: (bytes) => this.send(bytes),
      receive: (reader) => {
        const count = receiveBytes(this.#socket, reader.space);
        if (count !== undefined) reader.filled(count);
      },
    });
  }

  /** Sends bytes as they are, all of them or, if the store is gone, none. */
  send(bytes: Uint8Array): void {
    const poll = new PollSet([-1]);
    poll.replace(0, this.#socket, true);
    let isReady = false;
    for (let rest = bytes; rest.length > 0; ) {
      const count = sendBytes(this.#socket, rest);
      rest = rest.subarray(count);
      // Ready for more and yet taking none: the other side has gone.
      if (count === 0 && isReady) return;
      isReady = count === 0;
      if (isReady && poll.wait(SEND_MICROS_MAX) === 0) return;
    }
  }

  /** Disconnects. */
  [Symbol.dispose](): void {
    closeFd(this.#socket);
  }
}
