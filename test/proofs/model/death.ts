/**
 * Lets a session die at one of its atomic stores, in the thread that runs it: what it has written
 * by then is there, the store itself and all after it is not. Everything that two processes share
 * is published by such a store.
 */

/** Thrown in place of the store at which the session dies. */
export class Death extends Error {
  override readonly name = 'Death';
}

type Store = (words: Int32Array, at: number, value: number) => number;

/** Stands in for `Atomics.store` until it is disposed. */
export class Reaper implements Disposable {
  readonly #store = Atomics.store as Store;
  #left = Number.POSITIVE_INFINITY;

  constructor() {
    const store = this.#store;
    this.#set((words, at, value) => {
      this.#left -= 1;
      if (this.#left >= 0) return store(words, at, value);
      this.#left = Number.POSITIVE_INFINITY;
      throw new Death();
    });
  }

  #set(store: Store): void {
    (Atomics as { store: unknown }).store = store;
  }

  /** Dies after so many stores from now, unless `spare` comes first. */
  await(stores: number): void {
    this.#left = stores;
  }

  spare(): void {
    this.#left = Number.POSITIVE_INFINITY;
  }

  [Symbol.dispose](): void {
    this.#set(this.#store);
  }
}
