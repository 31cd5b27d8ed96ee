/**
 * The store's hold on a link, in the manner of session/link-port.ts, over a stream of the
 * simulation's: what it has read and what is left of a frame go with it when it dies.
 */
import type { LinkHost } from '../../../emulator/transport/link-host.js';
import { MS, type Scheduler } from './scheduler.js';
import type { ByteStream } from './stream.js';

export class LinkEnd {
  readonly #host: LinkHost;
  readonly #scheduler: Scheduler;
  readonly #in: ByteStream;
  readonly #out: ByteStream;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(host: LinkHost, scheduler: Scheduler, streams: { in: ByteStream; out: ByteStream }) {
    this.#host = host;
    this.#scheduler = scheduler;
    this.#in = streams.in;
    this.#out = streams.out;
  }

  /** Takes a stream, a new one or that of a store which died. */
  connect(): void {
    this.#rest = new Uint8Array(0);
    this.#host.resume();
  }

  /** The stream has ended, and the guest behind it is forgotten. */
  drop(): void {
    this.#rest = new Uint8Array(0);
    this.#host.reset();
  }

  /** Whether there is anything to read or to write. */
  get isBusy(): boolean {
    return !this.#in.isEmpty || this.#rest.length > 0;
  }

  receive(): number {
    const count = this.#in.read(this.#host.reader.space);
    return count === 0 ? 0 : this.#host.bringIn(count, this.#scheduler.now / MS);
  }

  send(): number {
    let frames = 0;
    while (this.#flush()) {
      const frame = this.#host.nextFrame();
      if (frame === undefined) return frames;
      frames += 1;
      this.#rest = frame;
    }
    return frames;
  }

  /** Writes what is left of a frame, or a part of it. @returns whether all of it went */
  #flush(): boolean {
    const { random } = this.#scheduler;
    if (this.#rest.length === 0) return true;
    const part = random.oneIn(8) ? random.below(this.#rest.length) : this.#rest.length;
    if (part > 0) this.#out.send(this.#rest.slice(0, part));
    this.#rest = this.#rest.subarray(part);
    return this.#rest.length === 0;
  }
}
