/**
 * Atomics.load and Atomics.store, watched: the points at which others may come in between what one
 * thread does, or at which it may die.
 *
 * Everything in this process goes through here while a WatchedAtomics is held; it costs a look at
 * one variable for what is not watched.
 */

export interface Watcher {
  before(isStore: boolean): void;
  after(isStore: boolean): void;
}

const { load, store } = Atomics;
let watcher: Watcher | undefined;

function watchedLoad(words: Int32Array, at: number): number {
  if (watcher === undefined) return load(words, at);
  watcher.before(false);
  const value = load(words, at);
  watcher?.after(false);
  return value;
}

function watchedStore(words: Int32Array, at: number, value: number): number {
  if (watcher === undefined) return store(words, at, value);
  watcher.before(true);
  const stored = store(words, at, value);
  watcher?.after(true);
  return stored;
}

export class WatchedAtomics implements Disposable {
  constructor() {
    Atomics.load = watchedLoad as typeof Atomics.load;
    Atomics.store = watchedStore as typeof Atomics.store;
  }

  [Symbol.dispose](): void {
    Atomics.load = load;
    Atomics.store = store;
  }
}

/** Has what `run` does watched by `by`; undefined: by nobody. */
export function watched<T>(by: Watcher | undefined, run: () => T): T {
  const before = watcher;
  watcher = by;
  try {
    return run();
  } finally {
    watcher = before;
  }
}
