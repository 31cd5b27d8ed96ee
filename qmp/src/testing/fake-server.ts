// A QMP server that a test steers: it greets, negotiates and answers like QEMU, or splits frames,
// talks junk, sends events at the wrong moment, answers late, or hangs up in mid-command. What
// always holds: it does nothing that was not scripted; what it received is kept in order; close()
// ends every connection and removes the socket's folder. It runs in the test's own process.

import * as fs from 'node:fs';
import * as net from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { MessageSplitter } from '../framing.js';
import type { QmpAddress } from '../transport.js';
import { FakeConnection, type FakeHandler } from './fake-connection.js';

export interface FakeServerOptions {
  /** Listen on TCP (127.0.0.1, a free port) instead of a UNIX socket. */
  readonly tcp?: boolean;
  /** Capabilities offered in the greeting. Default `['oob']`. */
  readonly capabilities?: readonly string[];
  /** Sent instead of the greeting, as it stands; null sends nothing. */
  readonly greeting?: string | null;
  /** Sent before the greeting, and between the greeting and the negotiation's reply. */
  readonly beforeGreeting?: string;
  readonly afterGreeting?: string;
  /** Cut everything sent into pieces of at most this many bytes, one for each turn of the loop. */
  readonly pieceBytes?: number;
}

/** The greeting of QEMU 7.2 with these capabilities, as a line. */
export function greetingLine(capabilities: readonly string[] = ['oob']): string {
  const version = { qemu: { major: 7, minor: 2, micro: 0 }, package: 'fake' };
  return `${JSON.stringify({ QMP: { version, capabilities } })}\r\n`;
}

/** An event as a line; its time is a fixed one, so that runs are alike. */
export function eventLine(event: string, data?: object): string {
  const timestamp = { seconds: 1_700_000_000, microseconds: 0 };
  return `${JSON.stringify({ event, ...(data && { data }), timestamp })}\r\n`;
}

export class FakeQmpServer implements AsyncDisposable {
  /** Where clients connect. */
  readonly address: QmpAddress;
  /** Every connection so far, oldest first. */
  readonly connections: FakeConnection[] = [];
  readonly #server: net.Server;
  readonly #folder: string | undefined;
  readonly #options: FakeServerOptions;
  readonly #handlers = new Map<string, FakeHandler>();

  private constructor(
    server: net.Server,
    address: QmpAddress,
    folder: string | undefined,
    options: FakeServerOptions,
  ) {
    this.#server = server;
    this.address = address;
    this.#folder = folder;
    this.#options = options;
    this.on('qmp_capabilities', () => ({}));
    server.on('connection', (socket) => this.#serve(socket));
  }

  /** Start listening. */
  static async start(options: FakeServerOptions = {}): Promise<FakeQmpServer> {
    const server = net.createServer();
    const folder = options.tcp ? undefined : fs.mkdtempSync(path.join(os.tmpdir(), 'fake-qmp-'));
    const socketPath = folder && path.join(folder, 'qmp.sock');
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      if (socketPath) server.listen(socketPath, resolve);
      else server.listen(0, '127.0.0.1', resolve);
    });
    const bound = server.address();
    const address: QmpAddress = socketPath
      ? { path: socketPath }
      : { host: '127.0.0.1', port: (bound as net.AddressInfo).port };
    return new FakeQmpServer(server, address, folder, options);
  }

  /** The newest connection. @throws Error when none was made */
  get connection(): FakeConnection {
    const newest = this.connections.at(-1);
    if (!newest) throw new Error('No client has connected to the fake server');
    return newest;
  }

  /**
   * Answer a command: what the handler returns is the `return`; a `FakeFailure` it throws is the
   * error reply; `NO_REPLY` leaves the command unanswered. Unknown commands fail as QEMU's do.
   */
  on(command: string, handler: FakeHandler): this {
    this.#handlers.set(command, handler);
    return this;
  }

  /** Send an event to every connection. */
  emit(event: string, data?: object): void {
    for (const connection of this.connections) connection.send(eventLine(event, data));
  }

  /** End everything and remove the socket. */
  async close(): Promise<void> {
    for (const connection of this.connections) connection.disconnect();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    if (this.#folder) fs.rmSync(this.#folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #serve(socket: net.Socket): void {
    const { pieceBytes, beforeGreeting, afterGreeting, greeting, capabilities } = this.#options;
    const connection = new FakeConnection(socket, this.#handlers, pieceBytes);
    this.connections.push(connection);
    const splitter = new MessageSplitter();
    socket.on('data', (chunk: Buffer) => splitter.push(chunk, (line) => connection.take(line)));
    if (beforeGreeting) connection.send(beforeGreeting);
    if (greeting !== null) connection.send(greeting ?? greetingLine(capabilities));
    if (afterGreeting) connection.send(afterGreeting);
  }
}
