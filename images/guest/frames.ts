/**
 * The frames of the agent protocol (README.md beside this file): {u32 type, u32 id, u32 length},
 * all little-endian, then the payload. The numbers are those of agent.h, and a test compares the
 * two. This file only turns bytes into frames and back; agent.ts owns the connection.
 */

export const FrameType = {
  SYNC: 1,
  EXEC: 2,
  STDIN: 3,
  SIGNAL: 4,
  OUTPUT_CREDIT: 5,
  HELLO: 16,
  STDOUT: 17,
  STDERR: 18,
  EXIT: 19,
  FAILED: 20,
  STDIN_CREDIT: 21,
} as const;

export const FRAME_HEADER_BYTES = 12;
export const FRAME_PAYLOAD_MAX = 65536;
export const COMMANDS_MAX = 32;
/** Bytes of stdin a command may have under way before the guest says it took some. */
export const STDIN_WINDOW = 32768;
/** Bytes of output (stdout and stderr together) a command may send before the host grants more. */
export const OUTPUT_WINDOW = 262144;
export const SYNC_MAGIC = 'tmemSYNC';
export const SYNC_TOKEN_BYTES = 16;

export interface Frame {
  type: number;
  /** Names the command; chosen by the host. */
  id: number;
  payload: Buffer;
}

/** One frame as bytes. Throws RangeError for a payload over FRAME_PAYLOAD_MAX bytes. */
export function encodeFrame(type: number, id: number, payload: Uint8Array): Buffer {
  if (payload.length > FRAME_PAYLOAD_MAX) {
    throw new RangeError(`a frame holds ${FRAME_PAYLOAD_MAX} bytes, not ${payload.length}`);
  }
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  frame.writeUInt32LE(type, 0);
  frame.writeUInt32LE(id, 4);
  frame.writeUInt32LE(payload.length, 8);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** A frame whose payload is one 32-bit number. */
export function encodeU32Frame(type: number, id: number, value: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32LE(value >>> 0, 0);
  return encodeFrame(type, id, payload);
}

/** The SYNC frame that opens a session; `token` has SYNC_TOKEN_BYTES random bytes. */
export function encodeSync(token: Uint8Array): Buffer {
  const complement = token.map((byte) => byte ^ 0xff);
  const payload = Buffer.concat([Buffer.from(SYNC_MAGIC, 'latin1'), token, complement]);
  return encodeFrame(FrameType.SYNC, 0, payload);
}

/**
 * Cuts a stream into frames. Until `expectHello` has seen the HELLO with its token, everything is
 * dropped: bytes meant for an earlier host may still be in the pipe. Holds at most one frame and
 * one chunk of the stream.
 */
export class FrameDecoder {
  #pending: Buffer = Buffer.alloc(0);
  #token: Buffer | undefined;

  constructor(token?: Uint8Array) {
    this.#token = token ? Buffer.from(token) : undefined;
  }

  /** Frames that are now whole. Throws RangeError when a length is over the bound. */
  push(chunk: Buffer): Frame[] {
    this.#pending = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk;
    if (this.#token && !this.#skipToHello(this.#token)) return [];
    const frames: Frame[] = [];
    let at = 0;
    while (this.#pending.length - at >= FRAME_HEADER_BYTES) {
      const length = this.#pending.readUInt32LE(at + 8);
      if (length > FRAME_PAYLOAD_MAX) {
        throw new RangeError(`frame of ${length} bytes; the bound is ${FRAME_PAYLOAD_MAX}`);
      }
      const end = at + FRAME_HEADER_BYTES + length;
      if (end > this.#pending.length) break;
      const type = this.#pending.readUInt32LE(at);
      const id = this.#pending.readUInt32LE(at + 4);
      frames.push({ type, id, payload: this.#pending.subarray(at + FRAME_HEADER_BYTES, end) });
      at = end;
    }
    this.#pending = this.#pending.subarray(at);
    return frames;
  }

  #skipToHello(token: Buffer): boolean {
    const found = this.#pending.indexOf(token);
    const start = found - FRAME_HEADER_BYTES;
    if (found >= 0 && start >= 0 && this.#pending.readUInt32LE(start) === FrameType.HELLO) {
      this.#pending = this.#pending.subarray(start);
      this.#token = undefined;
      return true;
    }
    const keep = FRAME_HEADER_BYTES + SYNC_TOKEN_BYTES - 1;
    if (this.#pending.length > keep) this.#pending = this.#pending.subarray(-keep);
    return false;
  }
}
