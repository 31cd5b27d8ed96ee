/**
 * A process of the store that has loaded its code and waits, whatever machine it will be for:
 * loading is most of what a start takes.
 *
 * What always holds: there is at most one. It owns the process until somebody takes it.
 */
import { StoreChild } from './store-child.js';

export class SpareStore implements AsyncDisposable {
  readonly #onEvent: (line: string) => void;
  #child: StoreChild | undefined;
  #isOver = false;

  constructor(onEvent: (line: string) => void) {
    this.#onEvent = onEvent;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** The one that waits, which is the caller's from now on; a new one if there is none to use. */
  take(): StoreChild {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return new StoreChild();
    if (!child.isStopped) return child;
    child.kill();
    return new StoreChild();
  }

  /** Has one wait. One that ends while it waits is not missed until it is needed. */
  fill(): void {
    if (this.#isOver || this.#child !== undefined) return;
    const child = new StoreChild();
    this.#child = child;
    child.ended.then((how) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      if (!this.#isOver) this.#onEvent(`the spare store is gone (${how})`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    const child = this.#child;
    child?.kill();
    await child?.ended;
  }
}
