// The table of commands under way: who waits for which id, what may be written now. What always
// holds: an id is used once in a connection; a reply settles the one call it names; a call that
// gave up (time limit, signal) before it was written is never written; one that gave up after keeps
// its place among those in flight until QEMU answers, because QEMU still works on it.
//
// With out-of-band execution on, QEMU stops reading the socket, out-of-band commands included, once
// eight in-band commands wait (qmp-spec.txt 2.3.1; QMP_REQ_QUEUE_LEN_MAX in monitor/qmp.c). So no
// more than eight are ever in flight then, and the others wait here.

import { DeadlineTimer } from './deadline.js';
import {
  QmpAbortedError,
  QmpCommandError,
  type QmpError,
  QmpInterruptedError,
  QmpOverloadedError,
  QmpTimeLimitError,
  type SentCommand,
} from './errors.js';
import type { ErrorBody } from './messages.js';

/** In-band commands in flight when out-of-band execution is on. */
export const IN_FLIGHT_LIMIT_OOB = 8;
/** Commands one client holds, waiting and in flight together. */
export const CALL_LIMIT_DEFAULT = 65_536;

export interface CallRequest {
  readonly sent: SentCommand;
  /** The JSON text of the command's members after the id, without the closing brace. */
  readonly body: string;
  readonly oob: boolean;
  readonly fds: readonly number[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** How a call's line goes out; with descriptors it may have to wait, hence the callback. */
export interface CallWriter {
  write(line: string): void;
  /** `done` is called once, with an error when nothing was sent. */
  writeWithFds(line: string, fds: readonly number[], done: (error?: QmpError) => void): void;
}

interface Call {
  readonly request: CallRequest;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  id: number | undefined;
  /** On performance.now's clock. */
  readonly deadline: number;
  onAbort: (() => void) | undefined;
  written: boolean;
  settled: boolean;
}

export interface CallTableOptions {
  /** Commands held, waiting and in flight together. */
  readonly callLimit: number;
  /** Give an id to a command even when no other is in flight. */
  readonly alwaysId: boolean;
}

export class CallTable {
  readonly #writer: CallWriter;
  readonly #options: CallTableOptions;
  readonly #deadlines = new DeadlineTimer((now) => this.#sweep(now));
  /** Written and not answered, by id. */
  readonly #calls = new Map<number, Call>();
  /** Written without an id and not answered; see `#write`. */
  #alone: Call | undefined;
  #inFlightLimit = 1;
  #waiting: Call[] = [];
  #head = 0;
  /** Those of `#waiting` from `#head` on that were not given up. */
  #waitingCount = 0;
  #inFlight = 0;
  /** A call whose descriptors QEMU may not have taken yet: it keeps only the newest set. */
  #fdCall: Call | undefined;
  /** A line with descriptors is on its way out: nothing in-band may overtake it. */
  #fdSending = false;
  #idNext = 1;
  #ended = false;
  /** Replies that named no call under way. */
  strayReplies = 0;

  constructor(writer: CallWriter, options: CallTableOptions) {
    this.#writer = writer;
    this.#options = options;
  }

  /** Calls not settled yet, plus those given up that QEMU still works on. */
  get size(): number {
    return this.#waitingCount + this.#calls.size + (this.#alone ? 1 : 0);
  }

  /** Set after negotiation: how many in-band commands may be with QEMU. */
  allow(inFlightLimit: number): void {
    this.#inFlightLimit = inFlightLimit;
    this.#pump();
  }

  /** Settles with the command's `return`; rejects as `QmpClient.execute` documents. */
  start(request: CallRequest): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { signal, timeoutMs, sent } = request;
      if (signal?.aborted) {
        return reject(new QmpAbortedError(`starting ${sent.command}`, signal.reason));
      }
      const { callLimit } = this.#options;
      if (this.size >= callLimit) {
        const text = `${callLimit} commands are under way. Await some, or raise callLimit.`;
        return reject(new QmpOverloadedError(text));
      }
      const call: Call = {
        request,
        resolve,
        reject,
        id: undefined,
        deadline: performance.now() + timeoutMs,
        onAbort: undefined,
        written: false,
        settled: false,
      };
      this.#deadlines.cover(call.deadline);
      if (signal) {
        const what = `waiting for ${sent.command}`;
        call.onAbort = () => this.#giveUp(call, new QmpAbortedError(what, signal.reason));
        signal.addEventListener('abort', call.onAbort, { once: true });
      }
      if (request.oob) {
        this.#write(call);
      } else {
        this.#waiting.push(call);
        this.#waitingCount += 1;
        this.#pump();
      }
    });
  }

  /** A `return` came. False when it names nothing under way (counted in `strayReplies`). */
  succeed(id: unknown, value: unknown): boolean {
    const call = this.#answered(id);
    if (!call) return false;
    if (this.#settle(call)) call.resolve(value);
    this.#pump();
    return true;
  }

  /** An `error` came. False as in `succeed`. */
  fail(id: unknown, error: ErrorBody): boolean {
    const call = this.#answered(id);
    if (!call) return false;
    if (this.#settle(call)) {
      call.reject(new QmpCommandError(error.class, error.desc, call.request.sent));
    }
    this.#pump();
    return true;
  }

  /** The connection is over: every call rejects, with what was sent and whether it was written. */
  end(reason: string, cause: unknown): void {
    this.#ended = true;
    this.#deadlines.stop();
    for (const call of this.#all()) {
      const { sent } = call.request;
      const state = call.written ? 'it may have been carried out' : 'it was not sent';
      const text = `${reason} while ${sent.command} waited for its reply; ${state}`;
      if (this.#settle(call)) {
        call.reject(new QmpInterruptedError(text, sent, call.written, cause));
      }
    }
    this.#calls.clear();
    this.#alone = undefined;
    this.#waiting = [];
    this.#head = 0;
    this.#waitingCount = 0;
  }

  /** Give up what is due; the earliest limit of what is left. */
  #sweep(now: number): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const call of this.#all()) {
      if (call.settled) continue;
      const { sent, timeoutMs } = call.request;
      if (call.deadline > now) earliest = Math.min(earliest, call.deadline);
      else
        this.#giveUp(call, new QmpTimeLimitError(`waiting for ${sent.command}`, timeoutMs, sent));
    }
    return earliest;
  }

  /** Every call in the table, settled ones that QEMU still works on included. */
  #all(): Call[] {
    const first = this.#alone ? [this.#alone] : [];
    return [...first, ...this.#calls.values(), ...this.#waiting.slice(this.#head)];
  }

  /** Take the call a reply is for out of the table. */
  #answered(id: unknown): Call | undefined {
    const call = id === undefined ? this.#alone : this.#calls.get(id as number);
    if (!call) {
      this.strayReplies += 1;
      return undefined;
    }
    this.#remove(call);
    return call;
  }

  #remove(call: Call): void {
    if (call === this.#alone) this.#alone = undefined;
    else this.#calls.delete(call.id!);
    if (!call.request.oob) this.#inFlight -= 1;
    if (this.#fdCall === call) this.#fdCall = undefined;
  }

  #settle(call: Call): boolean {
    if (call.settled) return false;
    call.settled = true;
    if (call.onAbort) call.request.signal?.removeEventListener('abort', call.onAbort);
    return true;
  }

  #giveUp(call: Call, error: QmpError): void {
    if (!this.#settle(call)) return;
    // One not written yet is skipped by the pump; one with QEMU stays until QEMU answers.
    if (!call.written) this.#waitingCount -= 1;
    call.reject(error);
  }

  #pump(): void {
    while (this.#head < this.#waiting.length && this.#inFlight < this.#inFlightLimit) {
      if (this.#fdSending) return;
      const call = this.#waiting[this.#head]!;
      // Descriptors of the next call would push out those QEMU has not taken yet.
      if (!call.settled && call.request.fds.length > 0 && this.#fdCall) return;
      this.#head += 1;
      if (call.settled) continue;
      this.#waitingCount -= 1;
      this.#inFlight += 1;
      this.#write(call);
    }
    if (this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }

  /**
   * A command that is alone with QEMU goes without an id, and a reply without one is its: QEMU
   * reads its monitor one byte at a time (monitor_can_read in monitor/monitor.c), and the ten bytes
   * of an id cost it a fifth of a round trip. What is sent meanwhile carries ids, as ever.
   */
  #write(call: Call): void {
    if (this.#ended) return;
    const { body, fds, oob } = call.request;
    call.written = true;
    let line: string;
    if (this.#alone || this.#calls.size > 0 || oob || this.#options.alwaysId) {
      call.id = this.#idNext++;
      this.#calls.set(call.id, call);
      line = `${body},"id":${call.id}}\n`;
    } else {
      this.#alone = call;
      line = `${body}}\n`;
    }
    if (fds.length === 0) this.#writer.write(line);
    else this.#writeWithFds(call, line);
  }

  #writeWithFds(call: Call, line: string): void {
    this.#fdCall = call;
    this.#fdSending = true;
    this.#writer.writeWithFds(line, call.request.fds, (error) => {
      this.#fdSending = false;
      if (error && !this.#ended) {
        this.#remove(call);
        if (this.#settle(call)) call.reject(error);
      }
      this.#pump();
    });
  }
}
