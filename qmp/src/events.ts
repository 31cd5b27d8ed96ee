// Event listeners: scoped, filtered queues. A listener is opened *before* the command that causes
// the event, so none is missed and nobody sleeps. What always holds: each listener has its own
// queue and history; an event reaches every open listener whose filter takes it, in the order QEMU
// sent them; both queue and history are bounded, and a queue that overflows says so instead of
// dropping silently. A listener belongs to whoever opened it, and is closed by `using` or close().

import { QmpAbortedError, QmpClosedError, QmpError, QmpOverloadedError } from './errors.js';
import type { QmpEventMessage } from './messages.js';
import { bounded, TIMEOUT_DEFAULT_MS, timeLimitOf, type WaitOptions } from './waiting.js';

/** Events a listener holds that nobody has taken yet. */
export const QUEUE_LIMIT_DEFAULT = 65_536;
/** The same in bytes, as they came. */
export const QUEUE_BYTES_DEFAULT = 64 * 1024 * 1024;
/** Events a listener, and the client itself, remembers. */
export const HISTORY_LIMIT_DEFAULT = 1_024;
/** The same in bytes, as they came; an event of QEMU's has some hundred. */
export const HISTORY_BYTES_DEFAULT = 1024 * 1024;

export interface ListenOptions {
  /** Begin with the events the client still remembers (those before negotiation too). */
  readonly replay?: boolean;
  /** Untaken events held before the listener fails with `QMP_OVERLOADED`. */
  readonly queueLimit?: number;
  /** The same in bytes of JSON, as they came. Default 64 MiB. */
  readonly queueBytes?: number;
  /** Past events kept in `history`. */
  readonly historyLimit?: number;
  /** The same in bytes; one event larger than this is not kept. Default 1 MiB. */
  readonly historyBytes?: number;
}

/** Takes an event or leaves it. A predicate that throws fails its own listener, nothing else. */
export type EventPredicate<E extends QmpEventMessage> = (event: E) => boolean;

/** An event and the length of the message that it came in. */
interface Sized<E> {
  readonly event: E;
  readonly bytes: number;
}

/** The newest events, bounded in number and bytes; older ones are forgotten. */
class History<E> {
  readonly #countMax: number;
  readonly #bytesMax: number;
  #entries: Sized<E>[] = [];
  #head = 0;
  #bytes = 0;

  constructor(countMax: number, bytesMax: number) {
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
  }

  /** Oldest first. */
  get entries(): readonly Sized<E>[] {
    return this.#entries.slice(this.#head);
  }

  add(entry: Sized<E>): void {
    this.#entries.push(entry);
    this.#bytes += entry.bytes;
    const tooMany = (): boolean => this.#entries.length - this.#head > this.#countMax;
    while (this.#head < this.#entries.length && (tooMany() || this.#bytes > this.#bytesMax)) {
      this.#bytes -= this.#entries[this.#head]!.bytes;
      this.#head += 1;
    }
    // Letting go of the forgotten half at once keeps each add cheap on average.
    if (this.#head * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#head = 0;
  }
}

interface Waiter<E> {
  readonly resolve: (event: E) => void;
  readonly reject: (error: Error) => void;
}

export class QmpListener<E extends QmpEventMessage = QmpEventMessage>
  implements Disposable, AsyncIterable<E>
{
  /** What it waits for, for error texts: "STOP or RESUME", "any event". */
  readonly description: string;
  readonly #names: ReadonlySet<string> | undefined;
  readonly #predicate: EventPredicate<E> | undefined;
  readonly #queueLimit: number;
  readonly #queueBytesMax: number;
  readonly #history: History<E>;
  readonly #onClose: (listener: QmpListener<E>) => void;
  #queue: Sized<E>[] = [];
  #head = 0;
  #queueBytes = 0;
  #waiters: Waiter<E>[] = [];
  #end: QmpError | undefined;

  /** Made by `QmpClient.listen`. */
  constructor(
    names: readonly string[] | undefined,
    predicate: EventPredicate<E> | undefined,
    options: ListenOptions,
    onClose: (listener: QmpListener<E>) => void,
  ) {
    this.#names = names && new Set(names);
    this.#predicate = predicate;
    this.#queueLimit = options.queueLimit ?? QUEUE_LIMIT_DEFAULT;
    this.#queueBytesMax = options.queueBytes ?? QUEUE_BYTES_DEFAULT;
    this.#history = new History(
      options.historyLimit ?? HISTORY_LIMIT_DEFAULT,
      options.historyBytes ?? HISTORY_BYTES_DEFAULT,
    );
    this.#onClose = onClose;
    this.description = names ? names.join(' or ') : 'any event';
  }

  /**
   * The events that passed the filter, taken or not, oldest first: the newest that `historyLimit`
   * and `historyBytes` have room for.
   */
  get history(): readonly E[] {
    return this.#history.entries.map(({ event }) => event);
  }

  /** Events that wait to be taken. */
  get waiting(): number {
    return this.#queue.length - this.#head;
  }

  get closed(): boolean {
    return this.#end !== undefined;
  }

  /**
   * Hand an event in, with the length of the message it came in. Called by the client for each
   * event; returns whether it was taken.
   */
  offer(event: QmpEventMessage, bytes: number): boolean {
    if (this.#end) return false;
    const candidate = event as E;
    try {
      if (this.#names && !this.#names.has(event.event)) return false;
      if (this.#predicate && !this.#predicate(candidate)) return false;
    } catch (cause) {
      const text = `The predicate of the listener for ${this.description} threw: ${cause}`;
      this.finish(new QmpError('QMP_PREDICATE', text, { cause }));
      return false;
    }
    const entry = { event: candidate, bytes };
    this.#history.add(entry);
    const waiter = this.#waiters.shift();
    if (waiter) {
      waiter.resolve(candidate);
      return true;
    }
    const full = this.waiting >= this.#queueLimit ? 'queueLimit' : 'queueBytes';
    if (full === 'queueLimit' || this.#queueBytes + bytes > this.#queueBytesMax) {
      const held = `${this.waiting} untaken events of ${this.#queueBytes} bytes`;
      const text = `The listener for ${this.description} holds ${held}.`;
      this.finish(new QmpOverloadedError(`${text} Take them faster, or raise ${full}.`));
      return true;
    }
    this.#queue.push(entry);
    this.#queueBytes += bytes;
    return true;
  }

  /**
   * The next event. Waiting calls are served in the order they came.
   * @throws `QMP_TIME_LIMIT` (default 10 s), `QMP_ABORTED`, `QMP_CLOSED` (closed on this side),
   *   `QMP_INTERRUPTED` (connection lost), `QMP_OVERLOADED`; queued events come out first
   */
  async next(options?: WaitOptions): Promise<E> {
    const timeoutMs = timeLimitOf(options, TIMEOUT_DEFAULT_MS);
    const signal = options?.signal;
    const what = `waiting for ${this.description}`;
    if (signal?.aborted) throw new QmpAbortedError(what, signal.reason);
    if (this.waiting > 0) return this.#take();
    if (this.#end) throw this.#end;
    let waiter: Waiter<E> | undefined;
    const arrival = new Promise<E>((resolve, reject) => {
      waiter = { resolve, reject };
      this.#waiters.push(waiter);
    });
    // Leaving the line at once: an event given to a waiter that has gone would be lost.
    const onGiveUp = (): void => {
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
    };
    return bounded(arrival, what, { timeoutMs, signal, onGiveUp });
  }

  /** Take everything that waits, without waiting. */
  drain(): E[] {
    const events = this.#queue.slice(this.#head).map(({ event }) => event);
    this.#queue = [];
    this.#head = 0;
    this.#queueBytes = 0;
    return events;
  }

  /**
   * Events as they come. Ends when the listener or the client is closed on this side; throws what
   * `next` would when the connection is lost. Waits without a time limit: close() ends it.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<E, void, undefined> {
    for (;;) {
      try {
        yield await this.next({ timeoutMs: Number.POSITIVE_INFINITY });
      } catch (error) {
        if (error instanceof QmpClosedError) return;
        throw error;
      }
    }
  }

  /** Stop listening. What is queued can still be taken. */
  close(): void {
    this.finish(new QmpClosedError(`The listener for ${this.description} is closed`));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** End the listener with a reason; waiting calls reject with it. Called by the client. */
  finish(reason: QmpError): void {
    if (this.#end) return;
    this.#end = reason;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(reason);
    this.#onClose(this);
  }

  #take(): E {
    const { event, bytes } = this.#queue[this.#head]!;
    this.#head += 1;
    this.#queueBytes -= bytes;
    // Dropping the taken half at once keeps each take cheap on average.
    if (this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return event;
  }
}

/** The client's side: every open listener, and the newest events for those opened with `replay`. */
export class EventHub {
  readonly #listeners = new Set<QmpListener>();
  readonly #recent = new History<QmpEventMessage>(HISTORY_LIMIT_DEFAULT, HISTORY_BYTES_DEFAULT);
  #end: QmpError | undefined;

  get listenerCount(): number {
    return this.#listeners.size;
  }

  open<E extends QmpEventMessage>(
    names: readonly string[] | undefined,
    predicate: EventPredicate<E> | undefined,
    options: ListenOptions,
  ): QmpListener<E> {
    const forget = (gone: QmpListener<E>): void => {
      this.#listeners.delete(gone as unknown as QmpListener);
    };
    const listener = new QmpListener<E>(names, predicate, options, forget);
    if (options.replay) {
      for (const { event, bytes } of this.#recent.entries) listener.offer(event, bytes);
    }
    if (this.#end) listener.finish(this.#end);
    else if (!listener.closed) this.#listeners.add(listener as unknown as QmpListener);
    return listener;
  }

  /** `bytes`: the length of the message that the event came in. */
  publish(event: QmpEventMessage, bytes: number): void {
    this.#recent.add({ event, bytes });
    for (const listener of this.#listeners) listener.offer(event, bytes);
  }

  /** The connection is over: every listener ends, and later ones begin ended. */
  finish(reason: QmpError): void {
    this.#end ??= reason;
    for (const listener of [...this.#listeners]) listener.finish(reason);
  }
}
