/**
 * The host end of the guest agent: one connection to the UNIX socket of QEMU's chardev, many
 * commands at a time. When the connection ends in any way, every call under way rejects with
 * AGENT_GONE; the guest kills what it still runs for us when the next connection begins.
 *
 * The guest is not trusted: each frame is held to the protocol (kind, length, a command that runs,
 * its windows), and the first that is not ends the connection and every call with AGENT_PROTOCOL.
 */
import { randomBytes } from 'node:crypto';
import { createConnection, type Socket } from 'node:net';
import { constants } from 'node:os';
import { pipeline, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { ImagesError } from '../errors.js';
import {
  AGENT_VERSION,
  COMMANDS_MAX,
  CONTROL_FRAME_MAX,
  encodeExec,
  encodeSync,
  type Frame,
  FrameDecoder,
  FrameType,
  guestFrameFault,
  type StartOptions,
  SYNC_TOKEN_BYTES,
} from './frames.js';
import { type GuestProcess, RemoteProcess } from './process.js';

const CONNECT_TIMEOUT_MS = 60_000;
/** QEMU makes the socket some milliseconds after it started. */
const CONNECT_RETRY_MS = 5;
const CAPTURE_BYTES_MAX = 16 * 1024 * 1024;
/** The guest refuses more than COMMANDS_MAX that run; some more may be on their way. */
const PROCESSES_MAX = 2 * COMMANDS_MAX;
/** More than all windows and command lines together: a guest that takes none of it is stuck. */
const UNSENT_BYTES_MAX = 16 * 1024 * 1024;

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

export interface ExecOptions extends StartOptions {
  /**
   * The command's input; without it the input is empty. A stream is read as the command takes it,
   * and destroyed when that ends.
   */
  stdin?: string | Uint8Array | Readable;
  /** Is given the command when it has started, to signal it or to resize its terminal. */
  onStart?: (command: Pick<GuestProcess, 'kill' | 'resize'>) => void;
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
  readonly #connection: Connection;
  readonly #processes = new Map<number, RemoteProcess>();
  #nextId = 1;
  #gone: ImagesError | undefined;

  private constructor(connection: Connection, hello: GuestHello) {
    this.hello = hello;
    this.#connection = connection;
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
   * Errors: AGENT_GONE, AGENT_PROTOCOL, AGENT_REFUSED (too many commands, or the guest cannot start
   * one), AGENT_TIMEOUT, the signal's reason, what a callback throws, or the error of `stdin`.
   */
  async exec(command: string, options: ExecOptions = {}): Promise<ExecResult> {
    options.signal?.throwIfAborted();
    const child = this.#start(command, options);
    const stdout = new Capture(child.stdout, options.onStdout);
    const stderr = new Capture(child.stderr, options.onStderr);
    const fed = feed(child, options.stdin);
    options.onStart?.(child);
    const limits: AbortSignal[] = options.signal ? [options.signal] : [];
    if (options.timeoutMs !== undefined) limits.push(AbortSignal.timeout(options.timeoutMs));
    const limit = AbortSignal.any(limits);
    const ended = Promise.all([child.exit, stdout.ended, stderr.ended]);
    try {
      const [code] = await Promise.race([ended, fed, rejectOnAbort(limit)]);
      const truncated = stdout.truncated || stderr.truncated;
      return { code, stdout: stdout.text(), stderr: stderr.text(), truncated };
    } catch (cause) {
      ended.catch(() => {});
      child.abandon(constants.signals.SIGKILL);
      if (!limit.aborted || this.#gone) throw cause;
      options.signal?.throwIfAborted();
      throw new ImagesError(
        'AGENT_TIMEOUT',
        `the guest command did not end within ${options.timeoutMs} ms and was killed: ${command}`,
        { cause },
      );
    }
  }

  /**
   * Starts a command with /bin/sh -c. Throws AGENT_GONE, AGENT_REFUSED when too many have no end
   * yet, or RangeError for a request over 64 KiB or with a NUL.
   */
  spawn(command: string, options: StartOptions = {}): GuestProcess {
    return this.#start(command, options);
  }

  #start(command: string, options: StartOptions): RemoteProcess {
    if (this.#gone) throw this.#gone;
    if (this.#processes.size >= PROCESSES_MAX) {
      const message = `${PROCESSES_MAX} commands in the guest have no end yet; wait for one`;
      throw new ImagesError('AGENT_REFUSED', message);
    }
    const id = this.#nextId;
    const request = encodeExec(id, command, options);
    this.#nextId = id === 0xffffffff ? 1 : id + 1;
    const child = new RemoteProcess(id, (frame) => this.#connection.send(frame));
    this.#processes.set(id, child);
    this.#connection.send(request);
    return child;
  }

  /** Ends the connection. The guest kills what it still runs for us when the next one begins. */
  async close(): Promise<void> {
    this.#connection.socket.destroy();
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @returns why the guest may not send this, if it may not */
  #handle(frame: Frame): string | undefined {
    const fault = guestFrameFault(frame);
    if (fault) return fault;
    const { id, payload } = frame;
    const child = this.#processes.get(id);
    if (!child) return `a frame for command ${id}, which does not run`;
    switch (frame.type) {
      case FrameType.STDOUT:
        return child.handleOutput('stdout', payload);
      case FrameType.STDERR:
        return child.handleOutput('stderr', payload);
      case FrameType.STDIN_CREDIT:
        return child.handleStdinCredit(payload.readUInt32LE(0));
      case FrameType.EXIT:
        this.#processes.delete(id);
        child.handleExit(payload.readUInt32LE(0));
        return undefined;
      default:
        this.#processes.delete(id);
        child.fail(
          new ImagesError('AGENT_REFUSED', `the guest agent refused: ${printable(payload)}`),
        );
        return undefined;
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
  #failure: ImagesError | undefined;
  /** Gives back why the guest may not send the frame, if it may not. */
  onFrame: (frame: Frame) => string | undefined = () => undefined;
  /** Settles when the connection has ended, with the error for calls that it cut off. */
  readonly ended: Promise<ImagesError>;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.ended = new Promise((resolve) => {
      socket.on('close', () => {
        const message = 'the connection to the guest agent has ended: the guest or QEMU is gone';
        resolve(this.#failure ?? new ImagesError('AGENT_GONE', message));
      });
    });
  }

  send(frame: Buffer): void {
    if (this.socket.destroyed) return;
    this.socket.write(frame);
    if (this.socket.writableLength > UNSENT_BYTES_MAX) this.#cutOff('it takes no frames');
  }

  #receive(chunk: Buffer): void {
    let frames: Frame[];
    try {
      frames = this.#decoder.push(chunk);
    } catch (cause) {
      this.#cutOff((cause as Error).message, cause);
      return;
    }
    for (const frame of frames) {
      if (this.socket.destroyed) return;
      const fault = this.onFrame(frame);
      if (fault) this.#cutOff(`it sent ${fault}`);
    }
  }

  #cutOff(why: string, cause?: unknown): void {
    const message = `the guest agent broke the protocol: ${why}; the connection was closed`;
    this.#failure ??= new ImagesError('AGENT_PROTOCOL', message, { cause });
    this.socket.destroy();
  }

  async handshake(signal: AbortSignal): Promise<GuestHello> {
    const answered = new Promise<GuestHello>((resolve, reject) => {
      this.onFrame = (frame) => {
        if (frame.type !== FrameType.HELLO) return `a frame of type ${frame.type} before its HELLO`;
        const hello = parseHello(frame.payload);
        if (hello === undefined) return 'a HELLO that is none';
        if (hello.agentVersion !== AGENT_VERSION) {
          return `a HELLO of version ${hello.agentVersion}, not ${AGENT_VERSION}`;
        }
        resolve(hello);
        return undefined;
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

/** Undefined for what the agent does not say. */
function parseHello(payload: Buffer): GuestHello | undefined {
  if (payload.length > CONTROL_FRAME_MAX) return undefined;
  try {
    const said: unknown = JSON.parse(payload.toString('utf8', SYNC_TOKEN_BYTES));
    const { release, agentVersion } = said as Partial<GuestHello>;
    if (typeof release !== 'string' || !/^[\w.+~-]{1,64}$/.test(release)) return undefined;
    return typeof agentVersion === 'number' ? { release, agentVersion } : undefined;
  } catch {
    return undefined;
  }
}

/** The guest's own words for an error, without what a terminal would obey. */
function printable(text: Buffer): string {
  return text.toString('utf8').replace(/\p{C}/gu, '?');
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

/** Gives the command its input. Rejects when that cannot be read; settles in no other way. */
function feed(child: GuestProcess, stdin: ExecOptions['stdin']): Promise<never> {
  if (!(stdin instanceof Readable)) {
    child.stdin.end(stdin ?? '');
    return new Promise(() => {});
  }
  const failed = new Promise<never>((_resolve, reject) => {
    // A command that ends before its input does is no failure: then its end comes first.
    stdin.once('error', (error) => child.stdin.destroyed || reject(error));
    pipeline(stdin, child.stdin, () => {});
  });
  failed.catch(() => {});
  return failed;
}

/** Keeps the beginning of a stream and passes all of it on, as fast as it is taken. */
class Capture {
  /** Settles when all has been taken; rejects with what a callback throws. */
  readonly ended: Promise<void>;
  readonly #chunks: Buffer[] = [];
  #kept = 0;
  #seen = 0;

  constructor(stream: Readable, onChunk: ExecOptions['onStdout']) {
    this.ended = new Promise((resolve, reject) => {
      stream.once('close', () => resolve());
      stream.on('data', (chunk: Buffer) => {
        this.#keep(chunk);
        const resume = (): void => {
          stream.resume();
        };
        try {
          const taken = onChunk?.(chunk);
          if (!(taken instanceof Promise)) return;
          stream.pause();
          taken.then(resume, resume);
        } catch (error) {
          reject(error);
        }
      });
    });
    // Looked at together with the command's end, which may come first.
    this.ended.catch(() => {});
  }

  get truncated(): boolean {
    return this.#seen > this.#kept;
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }

  #keep(chunk: Buffer): void {
    this.#seen += chunk.length;
    const part = chunk.subarray(0, CAPTURE_BYTES_MAX - this.#kept);
    if (part.length > 0) this.#chunks.push(part);
    this.#kept += part.length;
  }
}
