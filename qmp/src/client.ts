// The QMP client: one connection, many commands under way, many listeners. What always holds: every
// call settles (reply, time limit, signal or end of the connection); a reply settles the call whose
// id it carries, one without an id the call that was sent without, and no other; an event reaches
// every listener open at that moment before any reply that came after it. The client owns its
// socket; close() or a lost connection destroys it.

import type * as net from 'node:net';
import { CallTable, type CallWriter, IN_FLIGHT_LIMIT_OOB } from './calls.js';
import {
  QmpArgumentError,
  QmpBadReplyError,
  QmpClosedError,
  QmpError,
  QmpGreetingError,
  QmpInterruptedError,
  QmpNegotiationError,
} from './errors.js';
import { EventHub, type EventPredicate, type ListenOptions, type QmpListener } from './events.js';
import { sendFds } from './fds.js';
import { MessageSplitter } from './framing.js';
import type { Qemu72Schema } from './generated/qemu-7.2.js';
import { parse, stringify } from './json.js';
import { classify, type Greeting, type QmpEventMessage } from './messages.js';
import {
  type ConnectOptions,
  type ExecuteOptions,
  type Settings,
  settingsOf,
  type Trace,
} from './options.js';
import type {
  CommandName,
  CommandParameters,
  CommandResult,
  EventName,
  EventOf,
  OobCommandName,
  QmpSchema,
} from './schema/types.js';
import { describeAddress, openSocket, type QmpAddress } from './transport.js';
import { bounded, TIMEOUT_DEFAULT_MS, timeLimitOf, type WaitOptions } from './waiting.js';

/** How long close() waits for QEMU to take notice before it cuts the connection, milliseconds. */
const CLOSE_GRACE_MS = 500;
const RAW_SHOWN_CHARS = 200;

/** What a parser says is wrong, without the text around it, which V8 quotes. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/, (\.\.\.)?".*/s, '');
}

interface Limits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** `S` types commands and events; make one for another QEMU with `qmp-types`. */
export class QmpClient<S extends QmpSchema = Qemu72Schema> implements AsyncDisposable {
  /** Where it is connected, for messages. */
  readonly address: string;
  readonly #socket: net.Socket;
  readonly #splitter: MessageSplitter;
  readonly #calls: CallTable;
  readonly #hub = new EventHub();
  readonly #settings: Settings;
  readonly #trace: Trace | undefined;
  readonly #onMessage = (text: string, bytes: number): void => this.#take(text, bytes);
  readonly #ended: Promise<void>;
  #greeting: Greeting | undefined;
  #onGreeting: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #oob = false;
  #failure: QmpError | undefined;
  #closing = false;

  private constructor(
    socket: net.Socket,
    address: string,
    settings: Settings,
    trace: Trace | undefined,
  ) {
    this.#socket = socket;
    this.address = address;
    this.#settings = settings;
    this.#trace = trace;
    this.#splitter = new MessageSplitter(settings.lineLimit);
    const send = sendFds.bind(undefined, socket);
    const writer: CallWriter = {
      write: (line) => {
        trace?.('>', line);
        socket.write(line);
      },
      writeWithFds: (line, fds, done) => {
        trace?.('>', line);
        send(line, fds, done);
      },
    };
    this.#calls = new CallTable(writer, settings);
    this.#ended = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#end(`Connection lost (${error.message})`, error));
    socket.on('end', () => this.#end(this.#endReason(), undefined));
    socket.on('close', () => this.#end('The connection was closed', undefined));
  }

  /**
   * Connect, take the greeting, negotiate. The time limit (default 10 s) is for all of it.
   * @throws QmpConnectError, QmpGreetingError, QmpNegotiationError, QmpBadReplyError,
   *   QmpAbortedError, QmpArgumentError; nothing is left open then
   */
  static async connect<S extends QmpSchema = Qemu72Schema>(
    address: QmpAddress,
    options: ConnectOptions = {},
  ): Promise<QmpClient<S>> {
    const timeoutMs = timeLimitOf(options, TIMEOUT_DEFAULT_MS);
    const settings = settingsOf(options);
    const until = performance.now() + timeoutMs;
    const limits = (): Limits => ({
      timeoutMs: Math.max(1, until - performance.now()),
      signal: options.signal,
    });
    const socket = await openSocket(address, limits());
    const client = new QmpClient<S>(socket, describeAddress(address), settings, options.trace);
    try {
      await client.#takeGreeting(limits());
      await client.#negotiate(limits());
      return client;
    } catch (error) {
      client.#end('The connection was given up', error);
      socket.destroy();
      throw error;
    }
  }

  /** What the server said of itself on connecting. */
  get greeting(): Greeting {
    return this.#greeting!;
  }

  /** Whether out-of-band execution was negotiated. */
  get oob(): boolean {
    return this.#oob;
  }

  get closed(): boolean {
    return this.#failure !== undefined;
  }

  /** Replies that named no command under way: a server that answers twice, or not its own. */
  get strayReplies(): number {
    return this.#calls.strayReplies;
  }

  /**
   * Run a command the schema knows. Commands are sent in the order of the calls; with out-of-band
   * execution on, no more than eight are in flight and the rest wait here (their time limit runs
   * meanwhile).
   * @throws QmpCommandError, QmpTimeLimitError (default 10 s), QmpAbortedError,
   *   QmpInterruptedError, QmpClosedError, QmpOverloadedError, QmpArgumentError, QmpFdError
   */
  execute<C extends CommandName<S>>(
    command: C,
    ...rest: CommandParameters<S, C, ExecuteOptions>
  ): Promise<CommandResult<S, C>> {
    const [args, options] = rest as [object?, ExecuteOptions?];
    return this.#start('execute', command, args, options) as Promise<CommandResult<S, C>>;
  }

  /** Run any command: one of another QEMU's, one made up at run time. Throws as `execute`. */
  executeUntyped(command: string, args?: object, options?: ExecuteOptions): Promise<unknown> {
    return this.#start('execute', command, args, options);
  }

  /**
   * Run a command out of band: it overtakes those in flight, even a blocked one. Only what the
   * schema marks `allow-oob` can (in 7.2: migrate-pause, migrate-recover, query-yank, yank).
   * @throws as `execute`; QmpArgumentError when out-of-band execution was not negotiated
   */
  executeOob<C extends OobCommandName<S>>(
    command: C,
    ...rest: CommandParameters<S, C, WaitOptions>
  ): Promise<CommandResult<S, C>> {
    const [args, options] = rest as [object?, WaitOptions?];
    return this.executeOobUntyped(command, args, options) as Promise<CommandResult<S, C>>;
  }

  /** Run any command out of band; QEMU refuses those that cannot. Throws as `executeOob`. */
  executeOobUntyped(command: string, args?: object, options?: WaitOptions): Promise<unknown> {
    if (!this.#oob) {
      const text = `${command} cannot run out of band: the connection has not negotiated oob`;
      return Promise.reject(new QmpArgumentError(text));
    }
    return this.#start('exec-oob', command, args, options);
  }

  /**
   * Open a listener for events of these names (all when none is given) that the predicate takes.
   * Open it before the command that causes the event; close it with `using` or close().
   */
  listen<N extends EventName<S>>(
    names?: N | readonly N[],
    predicate?: EventPredicate<EventOf<S, N>>,
    options?: ListenOptions,
  ): QmpListener<EventOf<S, N>> {
    return this.listenUntyped(
      names as string | undefined,
      predicate as EventPredicate<QmpEventMessage> | undefined,
      options,
    ) as unknown as QmpListener<EventOf<S, N>>;
  }

  /** As `listen`, for events the schema does not know. */
  listenUntyped(
    names?: string | readonly string[],
    predicate?: EventPredicate<QmpEventMessage>,
    options: ListenOptions = {},
  ): QmpListener {
    const list = typeof names === 'string' ? [names] : names;
    return this.#hub.open(list?.length ? list : undefined, predicate, options);
  }

  /** Close the connection; calls under way reject with QMP_INTERRUPTED. Never throws. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#end('The client was closed', undefined);
    this.#socket.end();
    const limit = { timeoutMs: CLOSE_GRACE_MS };
    await bounded(this.#ended, 'closing the connection', limit).catch(() => {});
    this.#socket.destroy();
    await this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #start(
    verb: 'execute' | 'exec-oob',
    command: string,
    args: object | undefined,
    options: ExecuteOptions | undefined,
  ): Promise<unknown> {
    if (this.#failure) {
      const text = `${command} was not sent: the connection to ${this.address} is over`;
      return Promise.reject(new QmpClosedError(text, this.#failure));
    }
    try {
      let body = `{"${verb}":${JSON.stringify(command)}`;
      if (args !== undefined) body += `,"arguments":${stringify(args)}`;
      const reply = this.#calls.start({
        sent: { command, arguments: args },
        body,
        oob: verb === 'exec-oob',
        fds: options?.fds ?? [],
        timeoutMs: timeLimitOf(options, this.#settings.commandTimeoutMs),
        signal: options?.signal,
      });
      if (command === 'quit') this.#expectEnd(reply);
      return reply;
    } catch (error) {
      if (error instanceof QmpError) return Promise.reject(error);
      const text = `The arguments of ${command} cannot be written as JSON: ${error}`;
      return Promise.reject(new QmpArgumentError(text, error));
    }
  }

  /** After a quit the end of the connection is what was asked for: iterations end quietly. */
  #expectEnd(quitting: Promise<unknown>): void {
    const expect = (): void => {
      this.#closing = true;
    };
    quitting.then(expect, () => {});
  }

  async #takeGreeting(limits: Limits): Promise<void> {
    const arrival = new Promise<void>((resolve, reject) => {
      this.#onGreeting = { resolve, reject };
    });
    try {
      if (this.#failure) throw this.#failure;
      await bounded(arrival, `waiting for the greeting of ${this.address}`, limits);
    } catch (error) {
      if (!(error instanceof QmpError)) throw error;
      if (error.code === 'QMP_TIME_LIMIT') {
        const hint = 'A QEMU monitor serves one client at a time: is another one attached?';
        throw new QmpGreetingError(`${error.message}. ${hint}`, undefined, error);
      }
      if (error.code !== 'QMP_INTERRUPTED') throw error;
      throw new QmpGreetingError(`No greeting: ${error.message}`, undefined, error);
    } finally {
      this.#onGreeting = undefined;
    }
  }

  async #negotiate(limits: Limits): Promise<void> {
    const oob = this.#settings.oob && this.greeting.capabilities.includes('oob');
    const { timeoutMs, signal } = limits;
    this.#calls.allow(1);
    try {
      const args = oob ? { enable: ['oob'] } : undefined;
      await this.executeUntyped('qmp_capabilities', args, { timeoutMs, ...(signal && { signal }) });
    } catch (error) {
      if (error instanceof QmpError && error.code === 'QMP_ABORTED') throw error;
      if (this.#failure instanceof QmpBadReplyError) throw this.#failure;
      const text = error instanceof Error ? error.message : String(error);
      throw new QmpNegotiationError(`Capability negotiation failed: ${text}`, error);
    }
    this.#oob = oob;
    const { inFlightLimit } = this.#settings;
    this.#calls.allow(oob ? Math.min(IN_FLIGHT_LIMIT_OOB, inFlightLimit) : inFlightLimit);
  }

  #receive(chunk: Buffer): void {
    if (this.#failure) return;
    try {
      this.#splitter.push(chunk, this.#onMessage);
    } catch (error) {
      if (!(error instanceof QmpError)) throw error;
      this.#end(error.message, error);
      this.#socket.destroy();
    }
  }

  #take(text: string, bytes: number): void {
    if (this.#failure || text === '' || text === '\r') return;
    this.#trace?.('<', text);
    let value: unknown;
    try {
      value = parse(text, this.#settings.bigints);
    } catch (error) {
      const why = error instanceof SyntaxError ? 'is no JSON' : 'cannot be read';
      throw this.#badReply(`The server sent what ${why} (${reasonOf(error)})`, text, error);
    }
    const message = classify(value);
    switch (message?.kind) {
      case 'return':
        this.#calls.succeed(message.id, message.value);
        break;
      case 'error':
        // Without an id, and no command without one under way: about bytes it could not parse.
        if (!this.#calls.fail(message.id, message.error) && message.id === undefined) {
          throw this.#badReply(`The server could not parse a command: ${message.error.desc}`, text);
        }
        break;
      case 'event':
        this.#hub.publish(message.event, bytes);
        break;
      case 'greeting':
        if (this.#greeting) throw this.#badReply('The server sent a second greeting', text);
        this.#greeting = message.greeting;
        this.#onGreeting?.resolve();
        break;
      default:
        throw this.#badReply('The server sent JSON that is no QMP message', text);
    }
  }

  #badReply(what: string, raw: string, cause?: unknown): QmpError {
    const shown = raw.length > RAW_SHOWN_CHARS ? `${raw.slice(0, RAW_SHOWN_CHARS)}...` : raw;
    const text = `${what}: ${shown.trimEnd()}`;
    if (!this.#greeting) return new QmpGreetingError(`${text}. Is this a QMP socket?`, raw, cause);
    const closed = `${text}. The connection was closed.`;
    return new QmpBadReplyError(closed, raw, 'QMP_BAD_REPLY', cause);
  }

  #endReason(): string {
    const { heldBytes } = this.#splitter;
    if (heldBytes === 0) return 'QEMU closed the connection';
    return `QEMU closed the connection after ${heldBytes} bytes of a message without its end`;
  }

  /** The one way a connection ends; the first reason stands. */
  #end(reason: string, cause: unknown): void {
    if (this.#failure) return;
    const gone = `${reason} (${this.address})`;
    this.#failure =
      cause instanceof QmpError ? cause : new QmpInterruptedError(gone, undefined, false, cause);
    this.#onGreeting?.reject(this.#failure);
    this.#calls.end(reason, cause);
    this.#hub.finish(
      this.#closing ? new QmpClosedError(`${gone}; no more events come`) : this.#failure,
    );
  }
}
