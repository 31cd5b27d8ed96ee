/**
 * One process of the store, seen from its supervisor: it loads its code, waits to be told to serve,
 * and is then given the descriptors of the machine that it serves.
 *
 * What always holds: `ended` is kept once, whatever becomes of it, also when it never came to be. It
 * has descriptors of its own of what it is given; the caller's stay the caller's.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { needDescriptors } from '../native/descriptors.js';
import { closeFd } from '../native/libc.js';
import { sendWithFds, socketPair } from '../native/sockets.js';
import {
  descriptorsOf,
  type StoreMessage,
  type StoreRequest,
  type StoreSetup,
} from './messages.js';
import { settled } from './settled.js';
import { threadUse } from './thread-use.js';

/** For a store to serve, from when it is told to. */
const START_MS_MAX = 20_000;
/** Requests that the system did not take yet, behind those that it holds for a store. */
const UNSENT_MAX = 1024;
/**
 * What a fork takes in this process, with the two ends of the socket for the descriptors; where it
 * fails half-way, Node 20 leaves one of them open.
 */
export const FORK_DESCRIPTORS = 10;

type Heard = Exclude<StoreMessage, { ready: true }>;

export class StoreChild {
  /** How it ended: a signal, an exit code, or why it could not be started. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess | undefined;
  readonly #ready = settled<void>();
  #onMessage: (message: Heard) => void = () => {};
  /** Through which it is given descriptors, once; -1 afterwards. */
  #handOver = -1;
  #unsent = 0;

  constructor() {
    const ended = settled<string>();
    this.ended = ended.promise;
    try {
      this.#child = this.#fork();
    } catch (error) {
      this.#closeHandOver();
      ended.resolve((error as Error).message);
      return;
    }
    const child = this.#child;
    child.on('error', (error) => {
      // One that never came to be has no exit.
      if (child.pid === undefined) ended.resolve(error.message);
      else child.kill('SIGKILL');
    });
    child.on('exit', (code, signal) => ended.resolve(signal ?? `exit code ${code}`));
    child.on('message', (message: StoreMessage) => {
      if ('ready' in message) this.#ready.resolve();
      else this.#onMessage(message);
    });
    this.ended.then(() => this.#closeHandOver());
  }

  /** @throws the system's error for a process that cannot be had, unless Node makes it an event */
  #fork(): ChildProcess {
    needDescriptors(FORK_DESCRIPTORS, 'a process of the store');
    const [ours, theirs] = socketPair();
    this.#handOver = ours;
    try {
      return fork(createRequire(import.meta.url).resolve('#store-process'), [], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc', theirs],
        execArgv: [],
        serialization: 'advanced',
      });
    } finally {
      closeFd(theirs);
    }
  }

  #closeHandOver(): void {
    if (this.#handOver !== -1) closeFd(this.#handOver);
    this.#handOver = -1;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Whether it is stopped (SIGSTOP, a debugger), and would not answer. */
  get isStopped(): boolean {
    return this.pid !== undefined && threadUse(this.pid, this.pid)?.isStopped === true;
  }

  /**
   * Has it serve, and waits until it does. `onMessage` hears all that it says from then on.
   * @returns false when it ended before; see `ended`
   */
  async serve(setup: StoreSetup, onMessage: (message: Heard) => void): Promise<boolean> {
    this.#onMessage = onMessage;
    const timer = setTimeout(() => this.kill(), START_MS_MAX);
    this.#give(setup);
    const serves = await Promise.race([
      this.#ready.promise.then(() => true),
      this.ended.then(() => false),
    ]);
    clearTimeout(timer);
    return serves;
  }

  /** The descriptors are there before the message that says so. */
  #give(setup: StoreSetup): void {
    if (this.#handOver === -1) return;
    try {
      sendWithFds(this.#handOver, new Uint8Array(1), descriptorsOf(setup));
      this.#tell(setup);
    } catch {
      // It is gone, or cannot be told: either way it will not serve.
      this.kill();
    }
    this.#closeHandOver();
  }

  /** Whether it has not read what it was sent for so long that no more may be sent. */
  get isStuck(): boolean {
    return this.#unsent >= UNSENT_MAX;
  }

  /** Nobody is told when it does not arrive: `ended` will tell. */
  send(request: StoreRequest, handle: unknown): void {
    this.#tell(request, handle);
  }

  #tell(message: StoreSetup | StoreRequest, handle?: unknown): void {
    if (this.#child === undefined || !this.#child.connected) return;
    this.#unsent += 1;
    this.#child.send(message, handle as never, { keepOpen: true }, () => {
      this.#unsent -= 1;
    });
  }

  kill(): void {
    this.#child?.kill('SIGKILL');
  }
}
