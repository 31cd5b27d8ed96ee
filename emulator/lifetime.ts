/**
 * A list of things to undo, undone in reverse order however far a start got.
 *
 * Node 20 has `Symbol.asyncDispose` but no AsyncDisposableStack; this is the part of it that is
 * used here. Every entry runs, even after one failed; the first failure is thrown at the end.
 */
export class Lifetime implements AsyncDisposable {
  #undo: (() => unknown)[] = [];

  /** Takes ownership of a disposable and returns it. */
  use<T extends Disposable | AsyncDisposable>(value: T): T {
    this.#undo.push(() =>
      Symbol.asyncDispose in value ? value[Symbol.asyncDispose]() : value[Symbol.dispose](),
    );
    return value;
  }

  /** Takes ownership of a plain value that `release` frees, and returns it. */
  adopt<T>(value: T, release: (value: T) => unknown): T {
    this.#undo.push(() => release(value));
    return value;
  }

  defer(undo: () => unknown): void {
    this.#undo.push(undo);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const undo = this.#undo;
    this.#undo = [];
    const failures: unknown[] = [];
    for (const step of undo.reverse()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
