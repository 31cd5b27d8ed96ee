/**
 * A proxy between QEMU and a store's link that, when told to, sends the guest heads of frames: each
 * undamaged, each claiming the largest payload there is, none with such a payload behind it. Owns
 * its sockets and its path.
 */
import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import type { StoreProxy } from 'qemu-tmem';
import { headsOf } from '../heads.js';

const HEADS_AT_A_TIME = 2048;

export class HeadsProxy implements StoreProxy {
  readonly socketPath: string;
  readonly #server: Server;
  readonly #sockets: Socket[] = [];
  #machine: Socket | undefined;

  private constructor(target: string) {
    this.socketPath = `${target}.heads`;
    this.#server = createServer((machine) => {
      const store = createConnection(target);
      this.#machine = machine;
      this.#sockets.push(machine, store);
      machine.pipe(store).pipe(machine);
      for (const socket of [machine, store]) socket.on('error', () => socket.destroy());
    });
  }

  static async listen(target: string): Promise<HeadsProxy> {
    const proxy = new HeadsProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(proxy.socketPath, resolve));
    return proxy;
  }

  /** Sends so many heads, no faster than the guest takes them. */
  async attack(heads: number): Promise<void> {
    const bytes = headsOf(HEADS_AT_A_TIME);
    for (let left = heads; left > 0; left -= HEADS_AT_A_TIME) {
      if (!this.#machine!.write(bytes)) await once(this.#machine!, 'drain');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
