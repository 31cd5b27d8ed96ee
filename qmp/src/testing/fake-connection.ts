// One client of the fake server: what it sent, and everything that can be done to it.

import type * as net from 'node:net';

/** What a client sent, parsed. */
export interface FakeRequest {
  readonly command: string;
  readonly arguments: Record<string, unknown>;
  readonly id: unknown;
  /** Sent with `exec-oob`. */
  readonly oob: boolean;
  /** The line as it came. */
  readonly raw: string;
}

/** Returned by a handler that leaves its command unanswered. */
export const NO_REPLY: unique symbol = Symbol('no reply');

/** Thrown by a handler to fail its command as QEMU would. */
export class FakeFailure extends Error {
  readonly errorClass: string;

  constructor(description: string, errorClass: string = 'GenericError') {
    super(description);
    this.errorClass = errorClass;
  }
}

export type FakeHandler = (request: FakeRequest, connection: FakeConnection) => unknown;

export class FakeConnection {
  /** Every command received, oldest first. */
  readonly received: FakeRequest[] = [];
  /** Commands received and not answered, now and at the most. */
  unanswered = 0;
  unansweredMax = 0;
  readonly #socket: net.Socket;
  readonly #handlers: ReadonlyMap<string, FakeHandler>;
  readonly #pieceBytes: number | undefined;
  #pieces: Buffer[] = [];
  #sending = false;

  /** Made by the server. */
  constructor(
    socket: net.Socket,
    handlers: ReadonlyMap<string, FakeHandler>,
    pieceBytes: number | undefined,
  ) {
    this.#socket = socket;
    this.#handlers = handlers;
    this.#pieceBytes = pieceBytes;
    // A client that hangs up in mid-write is part of the script.
    socket.on('error', () => {});
  }

  /** Send bytes as they stand: whole lines, parts of one, junk. */
  send(text: string | Buffer): void {
    const bytes = typeof text === 'string' ? Buffer.from(text) : text;
    if (this.#pieceBytes === undefined) {
      this.#socket.write(bytes);
      return;
    }
    for (let start = 0; start < bytes.length; start += this.#pieceBytes) {
      this.#pieces.push(bytes.subarray(start, start + this.#pieceBytes));
    }
    if (!this.#sending) this.#sendPiece();
  }

  /** Answer a request; may be called long after, in any order, more than once. */
  reply(request: Pick<FakeRequest, 'id'>, value: unknown = {}): void {
    this.unanswered -= 1;
    this.send(`${JSON.stringify({ return: value, id: request.id })}\r\n`);
  }

  /** Fail a request. */
  fail(request: Pick<FakeRequest, 'id'>, description: string, errorClass = 'GenericError'): void {
    this.unanswered -= 1;
    const error = { class: errorClass, desc: description };
    this.send(`${JSON.stringify({ error, id: request.id })}\r\n`);
  }

  /** Hang up at once; what was not sent yet is lost. */
  disconnect(): void {
    this.#pieces = [];
    this.#socket.destroy();
  }

  /** Take a line from the client. Called by the server. */
  take(line: string): void {
    if (line.trim() === '') return;
    const message = JSON.parse(line) as Record<string, unknown>;
    const request: FakeRequest = {
      command: String(message.execute ?? message['exec-oob']),
      arguments: (message.arguments ?? {}) as Record<string, unknown>,
      id: message.id,
      oob: 'exec-oob' in message,
      raw: line,
    };
    this.received.push(request);
    this.unanswered += 1;
    this.unansweredMax = Math.max(this.unansweredMax, this.unanswered);
    void this.#answer(request);
  }

  async #answer(request: FakeRequest): Promise<void> {
    const handler = this.#handlers.get(request.command);
    if (!handler) {
      const text = `The command ${request.command} has not been found`;
      this.fail(request, text, 'CommandNotFound');
      return;
    }
    try {
      // An answer that is there at once goes out at once: commands stay in order.
      let value = handler(request, this);
      if (value instanceof Promise) value = await value;
      if (value !== NO_REPLY) this.reply(request, value);
    } catch (error) {
      if (!(error instanceof FakeFailure)) throw error;
      this.fail(request, error.message, error.errorClass);
    }
  }

  #sendPiece(): void {
    const piece = this.#pieces.shift();
    this.#sending = piece !== undefined && !this.#socket.destroyed;
    if (!this.#sending) return;
    this.#socket.write(piece!);
    // The next turn of the loop: the other end has read this piece by itself by then.
    setImmediate(() => this.#sendPiece());
  }
}
