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
  WINDOW: 6,
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
/** The largest frame from the guest that is not a command's output, header and all. */
export const CONTROL_FRAME_MAX = 512;
export const AGENT_VERSION = 2;
export const EXEC_HEADER_BYTES = 8;
export const EXEC_TERMINAL = 1;
export const EXEC_SYSROOT = 2;
/** Where the root of commands with EXEC_SYSROOT is in the guest. */
export const SYSROOT = '/sysroot';
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

export interface TerminalSize {
  rows: number;
  columns: number;
}

/** How a command starts. */
export interface StartOptions {
  /** The folder it starts in, if that is there in the guest; default /root. */
  folder?: string;
  /** Beside the guest's own PATH and HOME. */
  environment?: Readonly<Record<string, string>>;
  /** Below /sysroot, where the caller has mounted another root. */
  sysroot?: boolean;
  /** Gives it a terminal of this size in the place of pipes; its stderr is then on stdout. */
  terminal?: TerminalSize;
}

function sizeBytes({ rows, columns }: TerminalSize): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt16LE(Math.min(Math.max(Math.trunc(rows) || 0, 0), 0xffff), 0);
  payload.writeUInt16LE(Math.min(Math.max(Math.trunc(columns) || 0, 0), 0xffff), 2);
  return payload;
}

/** The WINDOW frame: a command's terminal has another size now. */
export function encodeWindow(id: number, size: TerminalSize): Buffer {
  return encodeFrame(FrameType.WINDOW, id, sizeBytes(size));
}

/** An EXEC frame. Throws RangeError for what is too long or holds a NUL. */
export function encodeExec(id: number, command: string, options: StartOptions = {}): Buffer {
  const head = Buffer.alloc(4);
  const { terminal, sysroot } = options;
  head.writeUInt32LE((terminal ? EXEC_TERMINAL : 0) | (sysroot ? EXEC_SYSROOT : 0), 0);
  const environment = Object.entries(options.environment ?? {}).map(([k, v]) => `${k}=${v}`);
  const texts = [options.folder ?? '', ...environment, '', command];
  if ([...texts].some((text) => text.includes('\0'))) {
    throw new RangeError('a command, its folder and its environment hold no NUL');
  }
  const size = sizeBytes(terminal ?? { rows: 0, columns: 0 });
  return encodeFrame(
    FrameType.EXEC,
    id,
    Buffer.concat([head, size, Buffer.from(texts.join('\0'), 'utf8')]),
  );
}

/** Why a frame cannot be one of the guest's to a session that has begun; undefined when it can. */
export function guestFrameFault({ type, payload }: Frame): string | undefined {
  const bytes = payload.length;
  switch (type) {
    case FrameType.STDOUT:
    case FrameType.STDERR:
      return bytes > 0 ? undefined : 'an empty piece of output';
    case FrameType.EXIT:
    case FrameType.STDIN_CREDIT:
      return bytes === 4 ? undefined : `a frame of type ${type} with ${bytes} bytes, not 4`;
    case FrameType.FAILED:
      if (bytes <= CONTROL_FRAME_MAX - FRAME_HEADER_BYTES) return undefined;
      return `a frame of type ${type} with ${bytes} bytes`;
    default:
      return `a frame of type ${type}`;
  }
}

/** The SYNC frame that opens a session; `token` has SYNC_TOKEN_BYTES random bytes. */
export function encodeSync(token: Uint8Array): Buffer {
  const complement = token.map((byte) => byte ^ 0xff);
  const payload = Buffer.concat([Buffer.from(SYNC_MAGIC, 'latin1'), token, complement]);
  return encodeFrame(FrameType.SYNC, 0, payload);
}

const FRESH_CHUNKS_MAX = 256;

/**
 * Cuts a stream into frames. Until `expectHello` has seen the HELLO with its token, everything is
 * dropped: bytes meant for an earlier host may still be in the pipe. Holds at most one frame and
 * one chunk of the stream.
 */
export class FrameDecoder {
  #pending: Buffer = Buffer.alloc(0);
  /** What has come since, not joined yet: a frame that trickles in is not copied for each byte. */
  #fresh: Buffer[] = [];
  #freshBytes = 0;
  #token: Buffer | undefined;

  constructor(token?: Uint8Array) {
    this.#token = token ? Buffer.from(token) : undefined;
  }

  /** Frames that are now whole. Throws RangeError when a length is over the bound. */
  push(chunk: Buffer): Frame[] {
    this.#fresh.push(chunk);
    this.#freshBytes += chunk.length;
    if (this.#fresh.length < FRESH_CHUNKS_MAX && this.#lacks() > this.#freshBytes) return [];
    this.#pending = Buffer.concat([this.#pending, ...this.#fresh]);
    this.#fresh = [];
    this.#freshBytes = 0;
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

  /** Bytes without which what is pending is no whole frame. */
  #lacks(): number {
    if (this.#token || this.#pending.length < FRAME_HEADER_BYTES) return 0;
    return FRAME_HEADER_BYTES + this.#pending.readUInt32LE(8) - this.#pending.length;
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
