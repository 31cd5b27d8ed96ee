/**
 * One command in the guest, as the host sees it: three streams and an exit code. Memory is bounded
 * on both sides by the protocol's windows, and on this side whatever the guest does: it is held to
 * the credit that it was given, and credited with no more stdin than it was sent.
 */
import { Readable, Writable } from 'node:stream';
import { ImagesError } from '../errors.js';
import {
  encodeFrame,
  encodeU32Frame,
  encodeWindow,
  FrameType,
  OUTPUT_WINDOW,
  STDIN_WINDOW,
  type TerminalSize,
} from './frames.js';

/** Credit is granted in steps this large, to keep the frames few. */
const CREDIT_STEP = OUTPUT_WINDOW / 4;

type WriteDone = (error?: Error | null) => void;

/** A running command. A stream that nobody reads stops the command, as a full pipe would. */
export interface GuestProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /**
   * The exit code as a shell would give it: 128 + signal number for a signal. Settles when the
   * command has ended and its output is in the streams. Rejects with AGENT_GONE, AGENT_PROTOCOL or
   * AGENT_REFUSED.
   */
  readonly exit: Promise<number>;
  /** Sends a signal, by number, to the command's whole process group. */
  kill(signal: number): void;
  /** Tells a command that has a terminal how large that is now. */
  resize(size: TerminalSize): void;
}

/** The agent's side of a process; agent.ts calls the handle* methods for frames with its id. */
export class RemoteProcess implements GuestProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exit: Promise<number>;
  readonly #id: number;
  readonly #send: (frame: Buffer) => void;
  #resolveExit!: (code: number) => void;
  #rejectExit!: (error: Error) => void;
  #ended = false;
  #stdinEnded = false;
  #stdinCredit = STDIN_WINDOW;
  #stdinWaiting: { bytes: Buffer; done: WriteDone } | undefined;
  /** Bytes that the guest may send yet. */
  #outputCredit = OUTPUT_WINDOW;
  /** Bytes handed to a stream that has not asked for more since; not yet granted again. */
  #held = { stdout: 0, stderr: 0 };
  #grant = 0;

  constructor(id: number, send: (frame: Buffer) => void) {
    this.#id = id;
    this.#send = send;
    this.exit = new Promise((resolve, reject) => {
      this.#resolveExit = resolve;
      this.#rejectExit = reject;
    });
    // The caller may look at the streams only; an unseen rejection must not end the process.
    this.exit.catch(() => {});
    this.stdout = new Readable({ read: () => this.#release('stdout') });
    this.stderr = new Readable({ read: () => this.#release('stderr') });
    this.stdin = new Writable({
      write: (chunk: Buffer, _encoding, done) => this.#writeStdin(chunk, done),
      final: (done) => {
        this.#endStdin();
        done();
      },
      destroy: (error, done) => {
        this.#endStdin();
        done(error);
      },
    });
    // A command may end without reading its input: that is its business, not an error.
    this.stdin.on('error', () => {});
  }

  kill(signal: number): void {
    if (!this.#ended) this.#send(encodeU32Frame(FrameType.SIGNAL, this.#id, signal));
  }

  resize(size: TerminalSize): void {
    if (!this.#ended) this.#send(encodeWindow(this.#id, size));
  }

  /** Kills a command whose output nobody wants any more. */
  abandon(signal: number): void {
    this.kill(signal);
    this.stdout.destroy();
    this.stderr.destroy();
    this.stdin.destroy();
    this.#release('stdout');
    this.#release('stderr');
  }

  /** @returns why the guest may not send this, if it may not */
  handleOutput(name: 'stdout' | 'stderr', payload: Buffer): string | undefined {
    if (payload.length > this.#outputCredit) {
      return `${payload.length} bytes of output with credit for ${this.#outputCredit}`;
    }
    this.#outputCredit -= payload.length;
    this.#held[name] += payload.length;
    // A copy: the payload is a view of the connection's buffer, which would be kept alive as a
    // whole.
    if (this[name].destroyed || this[name].push(Buffer.from(payload))) this.#release(name);
    return undefined;
  }

  /** @returns why the guest may not send this, if it may not */
  handleStdinCredit(bytes: number): string | undefined {
    const underWay = STDIN_WINDOW - this.#stdinCredit;
    if (bytes > underWay) return `credit for ${bytes} bytes of stdin, of ${underWay} sent`;
    this.#stdinCredit += bytes;
    const waiting = this.#stdinWaiting;
    this.#stdinWaiting = undefined;
    if (waiting) this.#writeStdin(waiting.bytes, waiting.done);
    return undefined;
  }

  handleExit(code: number): void {
    this.#end();
    this.stdout.push(null);
    this.stderr.push(null);
    this.#resolveExit(code);
  }

  /** Ends it without an exit code. */
  fail(error: ImagesError): void {
    this.#end();
    this.stdout.destroy();
    this.stderr.destroy();
    this.#rejectExit(error);
  }

  #endStdin(): void {
    if (this.#ended || this.#stdinEnded) return;
    this.#stdinEnded = true;
    this.#send(encodeFrame(FrameType.STDIN, this.#id, new Uint8Array(0)));
  }

  #end(): void {
    this.#ended = true;
    const waiting = this.#stdinWaiting;
    this.#stdinWaiting = undefined;
    waiting?.done(new ImagesError('AGENT_GONE', 'the command ended before it read all its input'));
    this.stdin.destroy();
  }

  #release(name: 'stdout' | 'stderr'): void {
    this.#grant += this.#held[name];
    this.#held[name] = 0;
    if (this.#ended || this.#grant < CREDIT_STEP) return;
    this.#outputCredit += this.#grant;
    this.#send(encodeU32Frame(FrameType.OUTPUT_CREDIT, this.#id, this.#grant));
    this.#grant = 0;
  }

  #writeStdin(chunk: Buffer, done: WriteDone): void {
    let rest = this.#stdinEnded ? chunk.subarray(0, 0) : chunk;
    while (rest.length > 0 && this.#stdinCredit > 0) {
      const part = rest.subarray(0, Math.min(rest.length, this.#stdinCredit));
      this.#send(encodeFrame(FrameType.STDIN, this.#id, part));
      this.#stdinCredit -= part.length;
      rest = rest.subarray(part.length);
    }
    if (rest.length === 0) done();
    else this.#stdinWaiting = { bytes: rest, done };
  }
}
