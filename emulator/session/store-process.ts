/**
 * The store of one machine, seen from the process that supervises it: starts it, talks to it, and
 * has another one take over when it dies, or hangs and is killed for it.
 *
 * Whatever the store must not lose lies in memory files whose descriptors the supervisor holds. It
 * also holds a link's socket: each store is given it, and none but a store reads from it. While no
 * store serves, the shared header says so, and the guest refuses its own puts and its gets wait;
 * over a link the guest finds that out by itself. A spare process that has loaded its code takes
 * the place of one that died. The caller owns the descriptors and keeps them open until this is
 * disposed, and the spare one.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ringEventFd } from '../native/libc.js';
import type { StoreMessage, StoreRequest, StoreSetup, StoreStats } from './messages.js';
import { Count } from './session-counters.js';
import type { SessionRecord } from './session-record.js';
import { type Settled, settled } from './settled.js';
import type { SpareStore } from './spare-store.js';
import type { StoreChild } from './store-child.js';
import { threadUse } from './thread-use.js';
import { Watch } from './watch.js';

/** For a store to end by itself. */
const STOP_MS_MAX = 5_000;
const REQUEST_MS_MAX = 10_000;
/** Stores in a row that did not start, or had done nothing when they died: no accident. */
const FAILURES_MAX = 8;
/**
 * Before a store is started after two or more that could not be, doubled each time: some 13 s until
 * it is given up, within the time that a guest's get waits.
 */
const RETRY_MS = 100;

/** `code` STORE_GONE: the store has ended for good; nothing answers any more. */
export class StoreGoneError extends Error {
  readonly code = 'STORE_GONE';
  override readonly name = 'StoreGoneError';
}

/** `code`: why the store does not do what it was asked; it serves on. */
export class StoreRequestError extends Error {
  override readonly name = 'StoreRequestError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

type RequestBody = StoreRequest extends infer R
  ? R extends StoreRequest
    ? Omit<R, 'id'>
    : never
  : never;

export interface StoreProcessOptions {
  /** With the descriptors as they are here. */
  readonly setup: StoreSetup;
  /** That of the setup's state file; goes on from store to store. */
  readonly record: SessionRecord;
  readonly spare: SpareStore;
  readonly onMessage: (message: { linkEnded: true } | { fault: string }) => void;
  readonly onEvent: (line: string) => void;
  /** Says in the shared header that nobody serves; must not fail, whatever became of the memory. */
  readonly sayDown: () => void;
}

interface Pending {
  readonly request: StoreRequest;
  readonly handle: unknown;
  readonly answer: Settled<StoreStats>;
}

export class StoreProcess implements AsyncDisposable {
  readonly #options: StoreProcessOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #stop = new AbortController();
  /** What gave the store the link that it has; asked of each store anew. */
  #link: Pending | undefined;
  #setup: StoreSetup;
  /** The one that serves, or is about to. */
  #child: StoreChild | undefined;
  #watch: Watch | undefined;
  #takingOver: Promise<void> = Promise.resolve();
  #nextRequest = 1;
  #failures = 0;
  #isServing = false;
  /** `#doneSoFar` when the one that serves began. */
  #doneBefore = 0;
  #gone: StoreGoneError | undefined;

  private constructor(options: StoreProcessOptions) {
    this.#options = options;
    this.#setup = options.setup;
  }

  /** @throws StoreGoneError when it does not start */
  static async start(options: StoreProcessOptions): Promise<StoreProcess> {
    const store = new StoreProcess(options);
    const failure = await store.#serve(false);
    if (failure === undefined) return store;
    await store[Symbol.asyncDispose]();
    throw new StoreGoneError(`the store ended before it served: ${failure}`);
  }

  /** Of the process that serves now; undefined while none does. */
  get pid(): number | undefined {
    return this.#isServing ? this.#child?.pid : undefined;
  }

  /** Of the process that serves or is about to; undefined when there is none. */
  get childPid(): number | undefined {
    return this.#child?.pid;
  }

  /** A count that goes on from store to store and grows when one has done something. */
  get #doneSoFar(): number {
    const { counters } = this.#options.record;
    return counters[Count.operations]! + counters[Count.sleeps]!;
  }

  /** Has a process serve. @returns why it does not */
  async #serve(takeOver: boolean): Promise<string | undefined> {
    const child = this.#options.spare.take();
    this.#child = child;
    this.#doneBefore = this.#doneSoFar;
    const setup = { ...this.#setup, takeOver };
    if (!(await child.serve(setup, (message) => this.#receive(message)))) {
      this.#child = undefined;
      return child.ended;
    }
    this.#isServing = true;
    this.#watchOver(child);
    child.ended.then((how) => this.#died(how));
    const link = this.#link === undefined ? [] : [this.#link];
    const asked = new Set([...link, ...this.#pending.values()]);
    for (const { request, handle } of asked) this.#send(request, handle);
    if (takeOver && !this.#isStopping) this.#options.spare.fill();
    return undefined;
  }

  /** A store that hangs is killed, and so replaced. */
  #watchOver(child: StoreChild): void {
    const { record, onEvent } = this.#options;
    this.#watch = new Watch({
      hangMs: this.#setup.hangMs,
      turns: () => record.turns,
      use: () => (child.pid === undefined ? undefined : threadUse(child.pid, record.thread)),
      onHang: (how) => {
        onEvent(`the store hangs (it ${how}) and is killed`);
        child.kill();
      },
    });
  }

  get #isStopping(): boolean {
    return this.#stop.signal.aborted;
  }

  /** The store that served is gone. */
  #died(how: string): void {
    this.#watch?.[Symbol.dispose]();
    this.#child = undefined;
    this.#isServing = false;
    if (this.#isStopping) return;
    this.#options.sayDown();
    const hasServed = this.#doneSoFar !== this.#doneBefore;
    this.#failures = hasServed ? 0 : this.#failures + 1;
    this.#takingOver = this.#replace(how);
  }

  /** Starts one store after the other until one serves, or gives up. */
  async #replace(how: string): Promise<void> {
    const clock = performance.now();
    let last = how;
    for (let starts = 0; this.#failures <= FAILURES_MAX; starts += 1) {
      if (starts === 2) {
        this.#options.onEvent(
          `the store died (${how}) and no other starts (${last}): trying again`,
        );
      }
      if (starts > 1) await this.#pause(RETRY_MS * 2 ** (starts - 2));
      if (this.#isStopping) return;
      const failure = await this.#serve(true);
      if (failure === undefined) {
        const ms = (performance.now() - clock).toFixed(0);
        this.#options.onEvent(`the store died (${how}); another took over in ${ms} ms`);
        return;
      }
      last = failure;
      this.#failures += 1;
    }
    this.#fail(new StoreGoneError(`the store died (${last})`));
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }

  #fail(error: StoreGoneError): void {
    if (this.#isStopping) return;
    this.#gone ??= error;
    this.#options.onEvent(error.message);
    this.#dropRequests(error);
  }

  #dropRequests(error: StoreGoneError): void {
    for (const { answer } of this.#pending.values()) answer.reject(error);
    this.#pending.clear();
  }

  #receive(message: Exclude<StoreMessage, { ready: true }>): void {
    if (!('id' in message)) {
      if ('linkEnded' in message) this.#link = undefined;
      this.#options.onMessage(message);
      return;
    }
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (pending === undefined) return;
    if ('refused' in message) {
      const { code, why } = message.refused;
      pending.answer.reject(new StoreRequestError(code, why));
      return;
    }
    // Stores that come after this one begin with it.
    const { request } = pending;
    if (request.kind === 'quota') this.#setup = { ...this.#setup, quotaPages: request.pages };
    pending.answer.resolve(message.stats);
  }

  #send(request: StoreRequest, handle: unknown): void {
    if (!this.#isServing) return;
    // One that dies meanwhile is asked again through the next.
    this.#child?.send(request, handle);
    ringEventFd(this.#setup.controlFd);
  }

  /**
   * Asks the store; when it dies over it, the next one is asked again. `handle`: a descriptor for
   * it, as Node holds it.
   * @throws StoreGoneError, StoreRequestError
   */
  request(body: RequestBody, handle?: unknown): Promise<StoreStats> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    if (this.#child?.isStuck) {
      return Promise.reject(new StoreGoneError('the store does not read what it is asked'));
    }
    const request = { id: this.#nextRequest, ...body } as StoreRequest;
    this.#nextRequest += 1;
    const answer = settled<StoreStats>();
    const pending = { request, handle, answer };
    this.#pending.set(request.id, pending);
    if (body.kind === 'link') this.#link = body.fd === -1 ? undefined : pending;
    const timer = setTimeout(() => {
      this.#pending.delete(request.id);
      answer.reject(new StoreGoneError(`the store did not answer within ${REQUEST_MS_MAX} ms`));
    }, REQUEST_MS_MAX);
    this.#send(request, handle);
    return answer.promise.finally(() => clearTimeout(timer));
  }

  /** Has the store tell the guest that it is gone, and end; kills one that takes too long. */
  async end(msMax: number): Promise<void> {
    this.#stop.abort();
    this.#watch?.[Symbol.dispose]();
    const serving = this.#isServing ? this.#child : undefined;
    if (serving !== undefined && this.#gone === undefined) {
      const timer = setTimeout(() => serving.kill(), msMax);
      await Promise.race([this.request({ kind: 'stop' }).catch(() => {}), serving.ended]);
      clearTimeout(timer);
    }
    this.#gone ??= new StoreGoneError('the store has been stopped');
    this.#dropRequests(this.#gone);
    this.#child?.kill();
    await Promise.all([this.#child?.ended, this.#takingOver]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end(STOP_MS_MAX);
  }
}
