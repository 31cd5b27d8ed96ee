/**
 * What callers do to keys and what they see, checked as they see it: each page that is got must be
 * explained by what was put and flushed (history/linearizable.ts).
 */
import { KeyHistory, type Kind, type Operation } from '../history/linearizable.js';
import type { Unanswered } from './guest/operations.js';
import { PageLock, type Scheduler } from './scheduler.js';
import { Problem } from './trace.js';

/** As many as there are vCPUs may begin an operation of one key at once. */
const ROOM_MIN = 6;

export class Key {
  readonly number: number;
  readonly object: number;
  readonly index: number;
  readonly lock: PageLock;
  readonly #history: KeyHistory;
  readonly #scheduler: Scheduler;

  constructor(
    scheduler: Scheduler,
    number: number,
    place: { readonly object: number; readonly index: number; readonly ephemeral: boolean },
  ) {
    this.#scheduler = scheduler;
    this.number = number;
    this.object = place.object;
    this.index = place.index;
    this.lock = new PageLock(scheduler);
    this.#history = new KeyHistory({ ephemeral: place.ephemeral });
  }

  /** Too much goes on for it to be judged: it is left alone for a while. */
  get isCrowded(): boolean {
    return this.#history.room < ROOM_MIN;
  }

  begin(kind: Kind, value = 0): Operation {
    this.#scheduler.note(kind, this.number, value);
    return this.#history.begin(kind, value);
  }

  /** @param result undefined: nobody heard it */
  end(operation: Operation, result: number | undefined): void {
    const { kind } = operation;
    this.#scheduler.note(`${kind}End`, this.number, result ?? -1);
    if (this.#history.end(operation, result)) return;
    const got = kind === 'get' ? `: ${result}` : '';
    throw new Problem(`key ${this.number}: nothing explains what a ${kind} has seen${got}`);
  }

  /** It was never asked for. */
  cancel(operation: Operation): void {
    this.#scheduler.note('given', this.number);
    if (!this.#history.cancel(operation)) {
      throw new Problem(`key ${this.number}: nothing explains what was seen`);
    }
  }
}

/** Calls whose callers gave up, until the host has carried them out. */
export class GivenUp {
  #calls: { readonly call: Unanswered; readonly over: () => void }[] = [];

  add(call: Unanswered, over: () => void): void {
    this.#calls.push({ call, over });
  }

  get count(): number {
    return this.#calls.length;
  }

  /** @param head of the queue: descriptors answered */
  look(head: (call: Unanswered) => number): void {
    if (this.#calls.length === 0) return;
    const over = this.#calls.filter(({ call }) => ((head(call) - call.sequence) | 0) > 0);
    if (over.length === 0) return;
    this.#calls = this.#calls.filter((one) => !over.includes(one));
    for (const one of over) one.over();
  }
}
