/**
 * A proxy between QEMU and a store's link that damages every so many bytes: it turns a bit, cuts
 * bytes out, or puts some in. Owns its sockets and its path.
 */
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import type { StoreProxy } from 'qemu-tmem';

/** Bytes between two accidents; a prime, so that they fall on every part of a frame. */
const EVERY_BYTES = 99_991;

export class DamagingProxy implements StoreProxy {
  readonly socketPath: string;
  accidents = 0;
  readonly #server: Server;
  readonly #sockets: Socket[] = [];

  private constructor(target: string) {
    this.socketPath = `${target}.damaged`;
    this.#server = createServer((machine) => {
      const store = createConnection(target);
      this.#join(machine, store);
      this.#join(store, machine);
    });
  }

  static async listen(target: string): Promise<DamagingProxy> {
    const proxy = new DamagingProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(proxy.socketPath, resolve));
    return proxy;
  }

  /** Passes bytes on one way, no faster than they are taken. */
  #join(from: Socket, to: Socket): void {
    let left = EVERY_BYTES;
    this.#sockets.push(from);
    from.on('data', (chunk) => {
      left -= chunk.length;
      const isDamaged = left <= 0;
      if (isDamaged) left += EVERY_BYTES;
      if (!to.write(isDamaged ? this.#damage(chunk) : chunk)) from.pause();
    });
    to.on('drain', () => from.resume());
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  }

  #damage(chunk: Buffer): Buffer {
    const at = (this.accidents * 7919) % chunk.length;
    this.accidents += 1;
    switch (this.accidents % 3) {
      case 0:
        return Buffer.concat([chunk.subarray(0, at), chunk.subarray(at + 1000)]);
      case 1:
        chunk[at]! ^= 0x10;
        return chunk;
      default:
        return Buffer.concat([chunk.subarray(0, at), Buffer.alloc(333, 0x54), chunk.subarray(at)]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
