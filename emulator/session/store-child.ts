/**
 * One process of the store, seen from its supervisor: forked with the descriptors that every store
 * has, it loads its code and waits to be told to serve.
 *
 * What always holds: `ended` is kept once, whatever becomes of it, also when it never came to be.
 * The caller owns the descriptors and keeps them open until then.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { needDescriptors } from '../native/descriptors.js';
import type { StoreMessage, StoreRequest, StoreSetup } from './messages.js';
import { settled } from './settled.js';

/** For a store to serve, from when it is told to. */
const START_MS_MAX = 20_000;
/** Requests that the system did not take yet, behind those that it holds for a store. */
const UNSENT_MAX = 1024;
/** Descriptors below are the standard streams and the channel of messages. */
const FIRST_FD = 4;
/** What a fork takes in this process; where it fails half-way, Node 20 leaves one of them open. */
export const FORK_DESCRIPTORS = 8;

/** Descriptors in the order in which a child has them, from FIRST_FD on. */
function descriptorsOf(setup: StoreSetup): number[] {
  const { regionFd, stateFd, doorbellFd, controlFd, vectorFds } = setup;
  return [regionFd, stateFd, doorbellFd, controlFd, ...vectorFds];
}

/** The setup with a child's own numbers of its descriptors. */
function renumbered(setup: StoreSetup): StoreSetup {
  const own = descriptorsOf(setup).map((_, place) => FIRST_FD + place);
  const [regionFd, stateFd, doorbellFd, controlFd, ...vectorFds] = own;
  return {
    ...setup,
    regionFd: regionFd!,
    stateFd: stateFd!,
    doorbellFd: doorbellFd!,
    controlFd: controlFd!,
    vectorFds,
  };
}

/** @throws the system's error for a process that cannot be had, unless Node makes it an event */
function forked(setup: StoreSetup): ChildProcess {
  needDescriptors(FORK_DESCRIPTORS, 'a process of the store');
  return fork(createRequire(import.meta.url).resolve('#store-process'), [], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc', ...descriptorsOf(setup)],
    execArgv: [],
    serialization: 'advanced',
  });
}

export class StoreChild {
  /** How it ended: a signal, an exit code, or why it could not be started. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess | undefined;
  readonly #ready = settled<void>();
  #unsent = 0;

  /** `setup` names the descriptors; `onMessage` hears all that the store says once it serves. */
  constructor(
    setup: StoreSetup,
    onMessage: (message: Exclude<StoreMessage, { ready: true }>) => void,
  ) {
    const ended = settled<string>();
    this.ended = ended.promise;
    try {
      this.#child = forked(setup);
    } catch (error) {
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
      else onMessage(message);
    });
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Has it serve, and waits until it does. @returns false when it ended before; see `ended` */
  async serve(setup: StoreSetup): Promise<boolean> {
    const timer = setTimeout(() => this.kill(), START_MS_MAX);
    this.#tell(renumbered(setup));
    const serves = await Promise.race([
      this.#ready.promise.then(() => true),
      this.ended.then(() => false),
    ]);
    clearTimeout(timer);
    return serves;
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
