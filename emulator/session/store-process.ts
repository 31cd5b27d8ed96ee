/**
 * The store's process, seen from the one that supervises it: starts it, talks to it, and starts
 * another one that takes over when it dies.
 *
 * Whatever the store must not lose lies in memory files whose descriptors the supervisor holds.
 * While none serves, the shared header says so: the guest refuses its own puts and its gets wait.
 * The caller owns the descriptors and keeps them open until this is disposed.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { ringEventFd } from '../native/libc.js';
import { HEADER, HostState, wordsOf } from '../protocol/layout.js';
import type { SharedRegion } from '../transport/region.js';
import type { StoreMessage, StoreRequest, StoreSetup, StoreStats } from './messages.js';

const header = wordsOf(HEADER);

/** For a store to be there, and for one to end by itself. */
const START_MS_MAX = 20_000;
const STOP_MS_MAX = 5_000;
const REQUEST_MS_MAX = 10_000;
/** Descriptors below are the standard streams and the channel of messages. */
const FIRST_FD = 4;
/** Deaths in a row, each of a store that had hardly served, that are no accident. */
const DEATHS_MAX = 8;
const SOON_MS = 30;

/** `code` STORE_GONE: the store has ended for good; nothing answers any more. */
export class StoreGoneError extends Error {
  readonly code = 'STORE_GONE';
  override readonly name = 'StoreGoneError';
}

type RequestBody = StoreRequest extends infer R
  ? R extends StoreRequest
    ? Omit<R, 'id'>
    : never
  : never;

export interface StoreProcessOptions {
  /** With the descriptors as they are here. */
  readonly setup: StoreSetup;
  /** At least the header's page of the region. */
  readonly region: SharedRegion;
  /** Whether a store may take over from one that died. */
  readonly mayTakeOver: boolean;
  readonly onMessage: (
    message: Exclude<StoreMessage, { ready: true } | { stats: StoreStats }>,
  ) => void;
  readonly onEvent: (line: string) => void;
}

/** A promise, and what settles it. */
interface Settled<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

function settled<T>(): Settled<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

interface Pending {
  readonly request: StoreRequest;
  readonly handle: unknown;
  readonly answer: Settled<StoreStats>;
}

/** The setup as the child sees it, with its descriptors from FIRST_FD on, and those in order. */
function renumbered(setup: StoreSetup): { setup: StoreSetup; fds: number[] } {
  const { regionFd, stateFd, doorbellFd, controlFd, vectorFds } = setup;
  const fds = [regionFd, stateFd, doorbellFd, controlFd, ...vectorFds];
  const [region, state, doorbell, control, ...vectors] = fds.map((_, place) => FIRST_FD + place);
  const own = {
    regionFd: region!,
    stateFd: state!,
    doorbellFd: doorbell!,
    controlFd: control!,
    vectorFds: vectors,
  };
  return { setup: { ...setup, ...own }, fds };
}

export class StoreProcess implements AsyncDisposable {
  readonly #options: StoreProcessOptions;
  readonly #pending = new Map<number, Pending>();
  #setup: StoreSetup;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #nextRequest = 1;
  #deaths = 0;
  #servesSince: number | undefined;
  #stopping = false;
  #gone: StoreGoneError | undefined;

  private constructor(options: StoreProcessOptions) {
    this.#options = options;
    this.#setup = options.setup;
  }

  /** @throws StoreGoneError when it does not start */
  static async start(options: StoreProcessOptions): Promise<StoreProcess> {
    const store = new StoreProcess(options);
    try {
      await store.#spawn(false);
      return store;
    } catch (error) {
      await store[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Of the process that serves now; undefined while none does. */
  get pid(): number | undefined {
    return this.#servesSince === undefined ? undefined : this.#child?.pid;
  }

  /** Starts a process and waits until it serves. */
  async #spawn(takeOver: boolean): Promise<void> {
    const { setup, fds } = renumbered({ ...this.#setup, takeOver });
    const path = createRequire(import.meta.url).resolve('#store-process');
    const child = fork(path, [], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc', ...fds],
      execArgv: [],
      serialization: 'advanced',
    });
    this.#child = child;
    child.send(setup, () => {});
    const ready = settled<void>();
    const timer = setTimeout(() => child.kill('SIGKILL'), START_MS_MAX);
    child.on('message', (message: StoreMessage) => {
      if ('ready' in message) ready.resolve();
      else this.#receive(message);
    });
    child.on('error', () => child.kill('SIGKILL'));
    this.#exited = new Promise((resolve) => {
      child.on('exit', (code, signal) => {
        ready.reject(new StoreGoneError(`the store ended before it served: ${signal ?? code}`));
        resolve();
      });
    });
    try {
      await ready.promise;
    } finally {
      clearTimeout(timer);
    }
    this.#servesSince = performance.now();
    child.on('exit', (code, signal) => this.#died(`${signal ?? `exit code ${code}`}`));
    for (const { request, handle } of this.#pending.values()) this.#send(request, handle);
  }

  /** The store is gone, perhaps before it served. */
  #died(how: string): void {
    const served = this.#servesSince;
    this.#child = undefined;
    this.#servesSince = undefined;
    if (this.#stopping) return;
    Atomics.store(this.#options.region.words, header.host_state, HostState.DOWN);
    const soon = served === undefined || performance.now() - served < SOON_MS;
    this.#deaths = soon ? this.#deaths + 1 : 0;
    if (!this.#options.mayTakeOver || this.#deaths > DEATHS_MAX) {
      this.#fail(new StoreGoneError(`the store died (${how})`));
      return;
    }
    const clock = performance.now();
    this.#spawn(true).then(
      () => {
        const ms = (performance.now() - clock).toFixed(0);
        this.#options.onEvent(`the store died (${how}); another took over in ${ms} ms`);
      },
      (error: StoreGoneError) => this.#died(error.message),
    );
  }

  #fail(error: StoreGoneError): void {
    if (this.#stopping) return;
    this.#gone ??= error;
    this.#options.onEvent(error.message);
    this.#dropRequests(error);
  }

  #dropRequests(error: StoreGoneError): void {
    for (const { answer } of this.#pending.values()) answer.reject(error);
    this.#pending.clear();
  }

  #receive(message: Exclude<StoreMessage, { ready: true }>): void {
    if (!('stats' in message)) {
      this.#options.onMessage(message);
      return;
    }
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    pending?.answer.resolve(message.stats);
  }

  #send(request: StoreRequest, handle: unknown): void {
    const child = this.#child;
    if (child === undefined || !child.connected) return;
    // One that dies meanwhile is asked again through the next.
    child.send(request, handle as never, { keepOpen: true }, () => {});
    ringEventFd(this.#setup.controlFd);
  }

  /**
   * Asks the store; when it dies over it, the next one is asked again. `handle`: a descriptor for
   * it, as Node holds it.
   * @throws StoreGoneError
   */
  request(body: RequestBody, handle?: unknown): Promise<StoreStats> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    if (body.kind === 'quota') this.#setup = { ...this.#setup, quotaPages: body.pages };
    const request = { id: this.#nextRequest, ...body } as StoreRequest;
    this.#nextRequest += 1;
    const answer = settled<StoreStats>();
    this.#pending.set(request.id, { request, handle, answer });
    const timer = setTimeout(() => {
      this.#pending.delete(request.id);
      answer.reject(new StoreGoneError(`the store did not answer within ${REQUEST_MS_MAX} ms`));
    }, REQUEST_MS_MAX);
    this.#send(request, handle);
    return answer.promise.finally(() => clearTimeout(timer));
  }

  /** Has the store tell the guest that it is gone, and end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    if (this.#child !== undefined && this.#gone === undefined) {
      const timer = setTimeout(() => this.#child?.kill('SIGKILL'), STOP_MS_MAX);
      await Promise.race([this.request({ kind: 'stop' }).catch(() => {}), this.#exited]);
      clearTimeout(timer);
    }
    this.#gone ??= new StoreGoneError('the store has been stopped');
    this.#dropRequests(this.#gone);
    this.#child?.kill('SIGKILL');
    await this.#exited;
  }
}
