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
/** Events a listener, and the client itself, remembers. */
export const HISTORY_LIMIT_DEFAULT = 1_024;

export interface ListenOptions {
  /** Begin with the events the client still remembers (those before negotiation too). */
  readonly replay?: boolean;
  /** Untaken events held before the listener fails with `QMP_OVERLOADED`. */
  readonly queueLimit?: number;
  /** Past events kept in `history`. */
  readonly historyLimit?: number;
}

/** Takes an event or leaves it. A predicate that throws fails its own listener, nothing else. */
export type EventPredicate<E extends QmpEventMessage> = (event: E) => boolean;

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
  readonly #historyLimit: number;
  readonly #onClose: (listener: QmpListener<E>) => void;
  #queue: E[] = [];
  #head = 0;
  #history: E[] = [];
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
    this.#historyLimit = options.historyLimit ?? HISTORY_LIMIT_DEFAULT;
    this.#onClose = onClose;
    this.description = names ? names.join(' or ') : 'any event';
  }

  /** The events that passed the filter, taken or not, oldest first; the newest `historyLimit`. */
  get history(): readonly E[] {
    return this.#history.slice(-this.#historyLimit);
  }

  /** Events that wait to be taken. */
  get waiting(): number {
    return this.#queue.length - this.#head;
  }

  get closed(): boolean {
    return this.#end !== undefined;
  }

  /** Hand an event in. Called by the client for each event; returns whether it was taken. */
  offer(event: QmpEventMessage): boolean {
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
    this.#remember(candidate);
    const waiter = this.#waiters.shift();
    if (waiter) {
      waiter.resolve(candidate);
    } else if (this.waiting >= this.#queueLimit) {
      const text = `The listener for ${this.description} holds ${this.#queueLimit} untaken events.`;
      this.finish(new QmpOverloadedError(`${text} Take them faster, or raise queueLimit.`));
    } else {
      this.#queue.push(candidate);
    }
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
    const events = this.#queue.slice(this.#head);
    this.#queue = [];
    this.#head = 0;
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
    const event = this.#queue[this.#head]!;
    this.#head += 1;
    // Dropping the taken half at once keeps each take cheap on average.
    if (this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return event;
  }

  #remember(event: E): void {
    this.#history.push(event);
    if (this.#history.length > this.#historyLimit * 2) {
      this.#history = this.#history.slice(-this.#historyLimit);
    }
  }
}

/** The client's side: every open listener, and the newest events for those opened with `replay`. */
export class EventHub {
  readonly #listeners = new Set<QmpListener>();
  #recent: QmpEventMessage[] = [];
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
    if (options.replay) for (const event of this.#recent) listener.offer(event);
    if (this.#end) listener.finish(this.#end);
    else if (!listener.closed) this.#listeners.add(listener as unknown as QmpListener);
    return listener;
  }

  publish(event: QmpEventMessage): void {
    this.#recent.push(event);
    if (this.#recent.length > HISTORY_LIMIT_DEFAULT * 2) {
      this.#recent = this.#recent.slice(-HISTORY_LIMIT_DEFAULT);
    }
    for (const listener of this.#listeners) listener.offer(event);
  }

  /** The connection is over: every listener ends, and later ones begin ended. */
  finish(reason: QmpError): void {
    this.#end ??= reason;
    for (const listener of [...this.#listeners]) listener.finish(reason);
  }
}
