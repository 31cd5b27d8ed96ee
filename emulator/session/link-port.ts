/**
 * A link's bytes through a connected socket, for the store's thread: what has arrived goes to the
 * link's host end, its frames go out as far as the socket takes them.
 *
 * Reads and writes never wait. The descriptor is the server's, which keeps it open until this has
 * let go of it (`drop`, or a `receive` that finds its end). Bytes that were read and the rest of a
 * frame are lost with the store; the link's two ends make that good.
 */
import { receiveBytes, sendBytes } from '../native/libc.js';
import type { LinkHost } from '../transport/link-host.js';
import { Count } from './session-counters.js';

/** Reads at a time, so that a stream without a pause does not keep the queues waiting. */
const READS_MAX = 8;

export class LinkPort {
  readonly #host: LinkHost;
  readonly #counters: Float64Array;
  readonly #onEnd: () => void;
  #fd = -1;
  /** The rest of a frame that is on its way out. */
  #rest: Uint8Array = new Uint8Array(0);

  /** `onEnd`: the other side has gone; the descriptor is not used any more. */
  constructor(host: LinkHost, counters: Float64Array, onEnd: () => void) {
    this.#host = host;
    this.#counters = counters;
    this.#onEnd = onEnd;
  }

  get fd(): number {
    return this.#fd;
  }

  /** Whether bytes wait for the socket to take them. */
  get isBlocked(): boolean {
    return this.#rest.length > 0;
  }

  /** Takes a stream, a new one or that of a store which died. */
  connect(fd: number): void {
    this.#rest = new Uint8Array(0);
    this.#host.resume();
    this.#fd = fd;
  }

  /** Lets go of the descriptor and forgets the guest behind it. */
  drop(): void {
    this.#fd = -1;
    this.#rest = new Uint8Array(0);
    this.#host.reset();
  }

  /** Takes in what has arrived. @returns frames */
  receive(): number {
    let frames = 0;
    for (let reads = 0; reads < READS_MAX && this.#fd !== -1; reads += 1) {
      const { reader } = this.#host;
      const { space } = reader;
      const count = receiveBytes(this.#fd, space);
      if (count === undefined) break;
      if (count === 0) {
        this.drop();
        this.#onEnd();
        break;
      }
      const skipped = reader.skippedBytes;
      frames += this.#host.bringIn(count, performance.now());
      this.#counters[Count.streamBytesSkipped]! += reader.skippedBytes - skipped;
      if (count < space.length) break;
    }
    this.#counters[Count.framesReceived]! += frames;
    return frames;
  }

  /** Sends what there is to send. @returns frames begun */
  send(): number {
    let frames = 0;
    while (this.#fd !== -1 && this.#sendRest()) {
      const frame = this.#host.nextFrame();
      if (frame === undefined) break;
      frames += 1;
      this.#rest = frame;
    }
    this.#counters[Count.framesSent]! += frames;
    return frames;
  }

  /** Whether nothing is left to be sent. */
  #sendRest(): boolean {
    while (this.#rest.length > 0) {
      const count = sendBytes(this.#fd, this.#rest);
      if (count === 0) return false;
      this.#rest = this.#rest.subarray(count);
    }
    return true;
  }
}
