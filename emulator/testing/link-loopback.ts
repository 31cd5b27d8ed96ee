/**
 * A loopback whose guest is at the other end of a link: frames go over plain arrays, in one thread,
 * and `damage` may change, cut or drop them on their way. Nothing to free.
 */

import type { FrameReader } from '../transport/frame.js';
import { LinkHost } from '../transport/link-host.js';
import { FakeGuest } from './fake-guest.js';
import { LinkGuest } from './link-guest.js';
import { createLoopback, type Loopback, type LoopbackOptions } from './loopback.js';

export type Direction = 'to host' | 'to guest';

export interface LinkLoopbackOptions extends LoopbackOptions {
  /** As of LinkGuest. */
  readonly quietMs?: number;
  /** What arrives of some bytes that were sent; default: those bytes. */
  readonly damage?: (bytes: Uint8Array, direction: Direction) => Uint8Array;
}

export interface LinkLoopback extends Loopback {
  readonly host: LinkHost;
  readonly link: LinkGuest;
}

/** Bytes that were sent and not yet read. */
export class Pipe {
  #bytes = new Uint8Array(0);

  push(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#bytes.length + bytes.length);
    all.set(this.#bytes);
    all.set(bytes, this.#bytes.length);
    this.#bytes = all;
  }

  /** Moves as much as fits into a reader. */
  pour(reader: FrameReader): void {
    const { space } = reader;
    const count = Math.min(space.length, this.#bytes.length);
    space.set(this.#bytes.subarray(0, count));
    reader.filled(count);
    this.#bytes = this.#bytes.subarray(count);
  }
}

/** As createLoopback; `guest` is the one on the link, `region` and `session` are the host's. */
export function createLinkLoopback(options: LinkLoopbackOptions = {}): LinkLoopback {
  const { damage = (bytes: Uint8Array) => bytes } = options;
  const loopback = createLoopback(options);
  const { session, region, geometry, client } = loopback;
  const cutOff = (fault: number): void => session.cutOff(fault);
  const host = new LinkHost({ region, geometry, slots: client.slots, cutOff });
  const toHost = new Pipe();
  const toGuest = new Pipe();
  const serve = (): void => {
    toHost.pour(host.reader);
    host.receive();
    session.serve();
    for (let frame = host.nextFrame(); frame !== undefined; frame = host.nextFrame()) {
      toGuest.push(damage(frame, 'to guest'));
    }
  };
  const link = new LinkGuest({
    queueCount: geometry.queueCount,
    queueEntries: geometry.queueEntries,
    ...(options.quietMs === undefined ? {} : { quietMs: options.quietMs }),
    send: (bytes) => toHost.push(damage(bytes, 'to host')),
    receive: (reader) => toGuest.pour(reader),
  });
  const guest = new FakeGuest({
    region: link.region,
    pump: () => {
      link.pump();
      serve();
    },
  });
  return { ...loopback, guest, host, link };
}
