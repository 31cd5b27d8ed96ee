/**
 * The host end of the guest agent: one connection to the UNIX socket of QEMU's chardev, many
 * commands at a time. When the connection ends in any way, every call under way rejects with
 * AGENT_GONE; the guest kills what it still runs for us when the next connection begins.
 */
import { randomBytes } from 'node:crypto';
import { createConnection, type Socket } from 'node:net';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { ImagesError } from '../errors.js';
import {
  encodeFrame,
  encodeSync,
  FRAME_PAYLOAD_MAX,
  type Frame,
  FrameDecoder,
  FrameType,
  SYNC_TOKEN_BYTES,
} from './frames.js';
import { type GuestProcess, RemoteProcess } from './process.js';

const CONNECT_TIMEOUT_MS = 60_000;
/** QEMU makes the socket some milliseconds after it started. */
const CONNECT_RETRY_MS = 5;
const CAPTURE_BYTES_MAX = 16 * 1024 * 1024;

export interface ConnectOptions {
  /** Path of the chardev's socket; it need not be there yet. */
  path: string;
  /** For the socket to appear, the guest to boot, and the agent to answer. Default 60 s. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface GuestHello {
  /** The guest's `uname -r`. */
  release: string;
  agentVersion: number;
}

export interface ExecOptions {
  /** All of the command's input; without it the input is empty. */
  stdin?: string | Uint8Array;
  /** When these give a promise, the stream waits for it, and so does a command that writes on. */
  onStdout?: (chunk: Buffer) => unknown;
  onStderr?: (chunk: Buffer) => unknown;
  /** On abort the command is killed and the call rejects with the signal's reason. */
  signal?: AbortSignal;
  /** After this the command is killed and the call rejects with AGENT_TIMEOUT. Default: none. */
  timeoutMs?: number;
}

export interface ExecResult {
  /** As a shell gives it: 128 + signal number when a signal ended the command. */
  code: number;
  /** The first 16 MiB, as UTF-8; the callbacks see everything. */
  stdout: string;
  stderr: string;
  /** Whether there was more output than was kept. */
  truncated: boolean;
}

export class GuestAgent implements AsyncDisposable {
  readonly hello: GuestHello;
  /** Settles, without an error, when the connection has ended. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #processes = new Map<number, RemoteProcess>();
  #nextId = 1;
  #gone: ImagesError | undefined;

  private constructor(connection: Connection, hello: GuestHello) {
    this.hello = hello;
    this.#socket = connection.socket;
    connection.onFrame = (frame) => this.#handle(frame);
    this.closed = connection.ended.then((error) => this.#end(error));
  }

  /**
   * Connects and waits for the guest's HELLO.
   * Errors: AGENT_CONNECT_FAILED (nothing answered in time), AGENT_GONE (the guest ended
   * meanwhile), AGENT_PROTOCOL, or the signal's reason.
   */
  static async connect(options: ConnectOptions): Promise<GuestAgent> {
    const limit = AbortSignal.timeout(options.timeoutMs ?? CONNECT_TIMEOUT_MS);
    const signal = options.signal ? AbortSignal.any([limit, options.signal]) : limit;
    try {
      const socket = await openSocket(options.path, signal);
      const connection = new Connection(socket);
      const hello = await connection.handshake(signal);
      return new GuestAgent(connection, hello);
    } catch (cause) {
      options.signal?.throwIfAborted();
      if (!limit.aborted) throw cause;
      throw new ImagesError(
        'AGENT_CONNECT_FAILED',
        `the guest agent behind ${options.path} did not answer within ` +
          `${(options.timeoutMs ?? CONNECT_TIMEOUT_MS) / 1000} s; the guest's console log says ` +
          'how far it came',
        { cause },
      );
    }
  }

  /**
   * Runs a command with /bin/sh -c and waits for its end. A code other than 0 is not an error.
   * Errors: AGENT_GONE, AGENT_REFUSED (too many commands, or the guest cannot start one),
   * AGENT_TIMEOUT, or the signal's reason.
   */
  async exec(command: string, options: ExecOptions = {}): Promise<ExecResult> {
    options.signal?.throwIfAborted();
    const child = this.spawn(command);
    const stdout = capture(child.stdout, options.onStdout);
    const stderr = capture(child.stderr, options.onStderr);
    child.stdin.end(options.stdin ?? '');
    const limits: AbortSignal[] = options.signal ? [options.signal] : [];
    if (options.timeoutMs !== undefined) limits.push(AbortSignal.timeout(options.timeoutMs));
    const limit = AbortSignal.any(limits);
    const code = await Promise.race([child.exit, rejectOnAbort(limit)]).catch((cause) => {
      if (!limit.aborted || this.#gone) throw cause;
      child.kill(constants.signals.SIGKILL);
      options.signal?.throwIfAborted();
      throw new ImagesError(
        'AGENT_TIMEOUT',
        `the guest command did not end within ${options.timeoutMs} ms and was killed: ${command}`,
        { cause },
      );
    });
    await Promise.all([stdout.ended, stderr.ended]);
    return {
      code,
      stdout: stdout.text(),
      stderr: stderr.text(),
      truncated: stdout.truncated() || stderr.truncated(),
    };
  }

  /** Starts a command with /bin/sh -c. Throws AGENT_GONE, or RangeError for one over 64 KiB. */
  spawn(command: string): GuestProcess {
    if (this.#gone) throw this.#gone;
    const id = this.#nextId;
    this.#nextId = id === 0xffffffff ? 1 : id + 1;
    const line = Buffer.from(command, 'utf8');
    if (line.length > FRAME_PAYLOAD_MAX) {
      throw new RangeError(`a command is at most ${FRAME_PAYLOAD_MAX} bytes, not ${line.length}`);
    }
    const child = new RemoteProcess(id, (frame) => this.#socket.write(frame));
    this.#processes.set(id, child);
    this.#socket.write(encodeFrame(FrameType.EXEC, id, line));
    return child;
  }

  /** Ends the connection. The guest kills what it still runs for us when the next one begins. */
  async close(): Promise<void> {
    this.#socket.destroy();
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #handle(frame: Frame): void {
    const child = this.#processes.get(frame.id);
    if (!child) return;
    switch (frame.type) {
      case FrameType.STDOUT:
        child.handleOutput('stdout', frame.payload);
        break;
      case FrameType.STDERR:
        child.handleOutput('stderr', frame.payload);
        break;
      case FrameType.STDIN_CREDIT:
        child.handleStdinCredit(frame.payload.readUInt32LE(0));
        break;
      case FrameType.EXIT:
        this.#processes.delete(frame.id);
        child.handleExit(frame.payload.readUInt32LE(0));
        break;
      case FrameType.FAILED:
        this.#processes.delete(frame.id);
        child.fail(
          new ImagesError('AGENT_REFUSED', `the guest agent refused: ${frame.payload.toString()}`),
        );
        break;
      default:
        break;
    }
  }

  #end(error: ImagesError): void {
    this.#gone ??= error;
    for (const child of this.#processes.values()) child.fail(this.#gone);
    this.#processes.clear();
  }
}

/** The socket and its decoder, from the first byte on: no frame can fall between two owners. */
class Connection {
  readonly socket: Socket;
  readonly #token = randomBytes(SYNC_TOKEN_BYTES);
  readonly #decoder = new FrameDecoder(this.#token);
  onFrame: (frame: Frame) => void = () => {};
  /** Settles when the connection has ended, with the error for calls that it cut off. */
  readonly ended: Promise<ImagesError>;

  constructor(socket: Socket) {
    this.socket = socket;
    let failure: ImagesError | undefined;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const frame of this.#decoder.push(chunk)) this.onFrame(frame);
      } catch (cause) {
        const why = (cause as Error).message;
        const message = `the guest agent broke the protocol: ${why}; the connection was closed`;
        failure = new ImagesError('AGENT_PROTOCOL', message, { cause });
        socket.destroy();
      }
    });
    this.ended = new Promise((resolve) => {
      socket.on('close', () => {
        const message = 'the connection to the guest agent has ended: the guest or QEMU is gone';
        resolve(failure ?? new ImagesError('AGENT_GONE', message));
      });
    });
  }

  async handshake(signal: AbortSignal): Promise<GuestHello> {
    const answered = new Promise<GuestHello>((resolve, reject) => {
      this.onFrame = (frame) => {
        if (frame.type === FrameType.HELLO) resolve(parseHello(frame.payload));
      };
      this.ended.then(reject);
    });
    this.socket.write(encodeSync(this.#token));
    try {
      return await Promise.race([answered, rejectOnAbort(signal)]);
    } catch (error) {
      this.socket.destroy();
      throw error;
    }
  }
}

function parseHello(payload: Buffer): GuestHello {
  return JSON.parse(payload.toString('utf8', SYNC_TOKEN_BYTES)) as GuestHello;
}

async function openSocket(path: string, signal: AbortSignal): Promise<Socket> {
  for (;;) {
    signal.throwIfAborted();
    const socket = await new Promise<Socket | undefined>((resolve, reject) => {
      const attempt = createConnection({ path });
      attempt.once('connect', () => resolve(attempt));
      attempt.once('error', (error: NodeJS.ErrnoException) => {
        attempt.destroy();
        if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined);
        else reject(error);
      });
    });
    if (socket) return socket;
    await delay(CONNECT_RETRY_MS, undefined, { signal });
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

interface Capture {
  ended: Promise<void>;
  text(): string;
  truncated(): boolean;
}

function capture(stream: Readable, onChunk: ExecOptions['onStdout']): Capture {
  const chunks: Buffer[] = [];
  let kept = 0;
  let seen = 0;
  stream.on('data', (chunk: Buffer) => {
    seen += chunk.length;
    const part = chunk.subarray(0, CAPTURE_BYTES_MAX - kept);
    if (part.length > 0) chunks.push(part);
    kept += part.length;
    const taken = onChunk?.(chunk);
    if (!(taken instanceof Promise)) return;
    const resume = (): void => {
      stream.resume();
    };
    stream.pause();
    taken.then(resume, resume);
  });
  return {
    ended: new Promise((resolve) => stream.once('close', () => resolve())),
    text: () => Buffer.concat(chunks).toString('utf8'),
    truncated: () => seen > kept,
  };
}
