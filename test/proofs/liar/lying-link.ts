/**
 * A proxy between QEMU and an honest store's link whose frames are all undamaged and some of them
 * false: it takes each of the store's frames apart, alters words or pages in it, and closes it with
 * checksums that are right. What the guest says goes through as it is.
 *
 * The nth frame of a connection is lied about in the same way for the same seed. Credits are never
 * raised: the store would cut off a guest that believed it. Owns its sockets and its path.
 */
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import type { StoreProxy } from '../../../emulator/guest/guest.js';
import {
  FRAME_ITEM,
  FrameKind,
  PAGE_BYTES,
  REPLY,
  WELCOME,
  wordsOf,
} from '../../../emulator/protocol/layout.js';
import { type Frame, FrameReader, FrameWriter } from '../../../emulator/transport/frame.js';
import { Random } from '../random.js';
import { edge, lies } from './lies.js';

const item = wordsOf(FRAME_ITEM);
const welcome = wordsOf(WELCOME);
const ITEM_WORDS = (FRAME_ITEM.bytes + REPLY.bytes) / 4;
const PAGE_WORDS = PAGE_BYTES / 4;
/** Bytes that wait for a slow reader before a flood pauses. */
const FLOOD_BYTES_MAX = 2 ** 16;

interface Head {
  kind: number;
  epoch: number;
  credits: number;
  status: number;
}

export class LyingLink implements StoreProxy {
  readonly socketPath: string;
  /** Of frames, from 0 to 1. */
  share = 0;
  /** Words of WELCOME, by name, that are not what the store says. */
  welcome: Partial<Record<keyof typeof welcome, number>> = {};
  /** Frames to the guest, and false ones. */
  frames = 0;
  framesLied = 0;
  readonly #seed: number;
  readonly #server: Server;
  readonly #sockets: Socket[] = [];
  #machine: Socket | undefined;
  #last: Head = { kind: FrameKind.STATUS, epoch: 0, credits: 0, status: 0 };
  #flood: NodeJS.Immediate | undefined;

  private constructor(target: string, seed: number) {
    this.socketPath = `${target}.liar`;
    this.#seed = seed;
    this.#server = createServer((machine) => this.#join(machine, createConnection(target)));
  }

  static async listen(target: string, seed: number): Promise<LyingLink> {
    const proxy = new LyingLink(target, seed);
    await new Promise<void>((resolve) => proxy.#server.listen(proxy.socketPath, resolve));
    return proxy;
  }

  #join(machine: Socket, store: Socket): void {
    const reader = new FrameReader();
    this.#machine = machine;
    this.#sockets.push(machine, store);
    machine.pipe(store);
    store.on('data', (chunk) => {
      for (let at = 0; at < chunk.length; ) {
        const { space } = reader;
        const part = chunk.subarray(at, at + space.length);
        space.set(part);
        reader.filled(part.length);
        at += part.length;
        for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
          if (!machine.write(this.#tell(frame))) store.pause();
        }
      }
    });
    machine.on('drain', () => store.resume());
    for (const [one, other] of [
      [machine, store],
      [store, machine],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  }

  /** The frame as the guest shall have it; no bytes for one that it shall not. */
  #tell(frame: Frame): Uint8Array {
    const { kind, epoch, credits, status } = frame;
    const head: Head = { kind, epoch, credits, status };
    const payload = new Int32Array(frame.payload.slice().buffer);
    this.#last = { ...head, kind: FrameKind.STATUS };
    if (kind === FrameKind.WELCOME) {
      for (const [name, value] of Object.entries(this.welcome)) {
        payload[welcome[name as keyof typeof welcome]] = value | 0;
      }
    }
    this.frames += 1;
    const random = new Random(this.#seed ^ Math.imul(this.frames, 0x9e37_79b1));
    if (kind === FrameKind.WELCOME || !lies(random, this.share)) return this.#close(head, payload);
    this.framesLied += 1;
    return this.#lie(random, head, payload);
  }

  #close(head: Head, payload: Int32Array): Uint8Array {
    const writer = new FrameWriter();
    writer.addWords(payload);
    return writer.finish(head).slice();
  }

  #lie(random: Random, head: Head, payload: Int32Array): Uint8Array {
    switch (random.below(8)) {
      case 0:
        head.kind = random.oneIn(2) ? random.below(10) : random.next();
        break;
      case 1:
        head.credits = (head.credits - random.below(2000)) >>> 0;
        break;
      case 2:
        head.status = random.oneIn(2) ? random.below(4) : random.next();
        break;
      case 3:
        return new Uint8Array(0);
      case 4:
        return this.#close(head, payload.subarray(0, random.below(payload.length + 1)));
      case 5:
        return this.#close(head, this.#longer(random, payload));
      default:
        this.#lieInPayload(random, head.kind, payload);
    }
    return this.#close(head, payload);
  }

  #longer(random: Random, payload: Int32Array): Int32Array {
    const words = Int32Array.from({ length: 1 + random.below(8) }, () => random.next());
    return Int32Array.from([...payload, ...words]).subarray(0, 65536 / 4);
  }

  /** Of replies, a word of an item, or a page; of others any word. */
  #lieInPayload(random: Random, kind: number, payload: Int32Array): void {
    if (payload.length === 0) return;
    const items: number[] = [];
    for (let at = 0; kind === FrameKind.REPLIES && at < payload.length; ) {
      items.push(at);
      at += ITEM_WORDS + (payload[at + item.pages] === 0 ? 0 : PAGE_WORDS);
    }
    if (items.length === 0 || random.oneIn(3)) {
      payload[random.below(payload.length)] = random.next();
      return;
    }
    const word = random.pick(items) + random.below(ITEM_WORDS);
    payload[word] = edge(random, payload[word]!);
  }

  /** Sends frames that say nothing new, as fast as they are taken, until told to stop. */
  flood(on: boolean): void {
    if (this.#flood !== undefined) clearImmediate(this.#flood);
    this.#flood = undefined;
    if (!on) return;
    const pour = (): void => {
      const machine = this.#machine;
      while (machine !== undefined && machine.writableLength < FLOOD_BYTES_MAX) {
        machine.write(this.#close(this.#last, new Int32Array(0)));
      }
      this.#flood = setImmediate(pour);
    };
    pour();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.flood(false);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
