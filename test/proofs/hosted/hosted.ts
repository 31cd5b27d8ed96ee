/**
 * The other end of host.ts: a server in a process that may have few descriptors, have a CPU of its
 * own, or be stopped. It owns the process.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { packageRoot } from '../../../emulator/guest/paths.js';
import type { TmemServerOptions } from '../../../emulator/session/server.js';
import type { HostMessage, HostOrder, HostState } from './host.js';

/** What is built: a test that is not runs it as well. */
const PROGRAM = join(packageRoot, 'dist/test/proofs/hosted/host.js');
const WAIT_MS_MAX = 30_000;
const LOOK_MS = 5;

export class Hosted implements AsyncDisposable {
  readonly events: string[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<string>;
  #answered: (state: HostState) => void = () => {};

  /** `wrapper`: a command in which the process runs, as `prlimit --nofile=64:64`. */
  constructor(wrapper: readonly [string, ...string[]]) {
    const [command, ...words] = wrapper;
    this.#child = fork(PROGRAM, [], {
      execPath: command,
      execArgv: [...words, process.execPath],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child.on('message', (message: HostMessage) => {
      if ('event' in message) this.events.push(message.event);
      else this.#answered(message.state);
    });
    this.#exited = new Promise((resolve) => {
      this.#child.on('error', (error) => resolve(error.message));
      this.#child.on('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** @throws Error when it ends, or does not answer */
  async tell(order: HostOrder): Promise<HostState> {
    const answer = new Promise<HostState>((resolve) => {
      this.#answered = resolve;
    });
    this.#child.send(order, () => {});
    const late = AbortSignal.timeout(WAIT_MS_MAX);
    return Promise.race([
      answer,
      this.#exited.then((how) => Promise.reject(new Error(`the host ended: ${how}`))),
      new Promise<never>((_, reject) => {
        late.addEventListener('abort', () => reject(new Error(`no answer to ${order.do}`)));
      }),
    ]);
  }

  async start(options: TmemServerOptions): Promise<HostState> {
    return this.tell({ do: 'start', options });
  }

  /** Waits until an event says so. @throws Error when none does */
  async hear(words: string): Promise<void> {
    const deadline = performance.now() + WAIT_MS_MAX;
    while (!this.events.some((event) => event.includes(words))) {
      if (performance.now() > deadline) {
        throw new Error(`nobody said "${words}": ${JSON.stringify(this.events)}`);
      }
      await delay(LOOK_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGCONT');
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
