/**
 * A guest's agent that a test writes the frames of: greets whoever connects as the real one does,
 * and from then on sends what it is told to, however wrong. It listens in a temporary folder of its
 * own, which goes with it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AGENT_VERSION,
  encodeFrame,
  FRAME_HEADER_BYTES,
  FrameDecoder,
  FrameType,
  SYNC_MAGIC,
  SYNC_TOKEN_BYTES,
} from '../guest/frames.js';

const HELLO = JSON.stringify({ release: '6.1.0-fake', agentVersion: AGENT_VERSION });

export class FakeAgent implements AsyncDisposable {
  readonly path: string;
  readonly #dir = mkdtempSync(join(tmpdir(), 'tmem-fake-agent-'));
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(onSession: (session: FakeSession) => void, hello: string) {
    this.path = join(this.#dir, 'agent');
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
      onSession(new FakeSession(socket, hello));
    });
  }

  /** @param hello what it says of itself after the token */
  static async listen(
    onSession: (session: FakeSession) => void,
    hello = HELLO,
  ): Promise<FakeAgent> {
    const fake = new FakeAgent(onSession, hello);
    await new Promise<void>((resolve) => fake.#server.listen(fake.path, resolve));
    return fake;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

export class FakeSession {
  readonly socket: Socket;
  /** Is given each frame of the host's after the SYNC. */
  onFrame: (type: number, id: number, payload: Buffer) => void = () => {};

  constructor(socket: Socket, hello: string) {
    this.socket = socket;
    const decoder = new FrameDecoder();
    socket.on('data', (chunk: Buffer) => {
      for (const { type, id, payload } of decoder.push(chunk)) {
        if (type !== FrameType.SYNC) {
          this.onFrame(type, id, payload);
          continue;
        }
        const at = SYNC_MAGIC.length;
        const token = payload.subarray(at, at + SYNC_TOKEN_BYTES);
        this.send(FrameType.HELLO, 0, Buffer.concat([token, Buffer.from(hello)]));
      }
    });
  }

  send(type: number, id: number, payload: Uint8Array): void {
    this.socket.write(encodeFrame(type, id, payload));
  }

  /** A head that may claim any length, and what bytes one likes after it. */
  sendRaw(type: number, id: number, claimed: number, payload: Uint8Array): void {
    const head = Buffer.alloc(FRAME_HEADER_BYTES);
    head.writeUInt32LE(type, 0);
    head.writeUInt32LE(id, 4);
    head.writeUInt32LE(claimed, 8);
    this.socket.write(Buffer.concat([head, payload]));
  }
}
