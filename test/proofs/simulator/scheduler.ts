/**
 * Virtual time, and who runs next. Actors are generators that yield wherever another may come in
 * between; which one goes on is drawn from the seed. Time is a count of microseconds that a step
 * adds one to; when nobody can go on, it jumps to when somebody can.
 */
import type { Random } from '../random.js';
import { Problem, type Trace } from './trace.js';

/** What an actor yields: STEP to go on whenever, or the time until which it sleeps. */
export const STEP = 0;
export type Act<T = void> = Generator<number, T, void>;

export const MS = 1000;
export const SECOND = 1000 * MS;

export class Task {
  readonly name: string;
  readonly number: number;
  readonly act: Act;
  wakeAt = 0;
  /** Held up until then, whoever wakes it. */
  heldUntil = 0;

  constructor(name: string, number: number, act: Act) {
    this.name = name;
    this.number = number;
    this.act = act;
  }
}

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

export interface Pace {
  /** A step in so many stands still for a while; 0: none does. */
  stallOneIn: number;
  /** The same of the host's turns. */
  hostStallOneIn: number;
  readonly stallMax: number;
  /** Of 256 steps, those of the host when it has anything to do. */
  readonly hostShare: number;
}

export class Scheduler {
  readonly random: Random;
  readonly trace: Trace;
  readonly pace: Pace;
  now = 0;
  steps = 0;
  current: Task | undefined;
  /** Nobody has stood still since. */
  stalledUntil = 0;
  #tasks: Task[] = [];
  #timers: Timer[] = [];
  #numbers = 0;
  #host: Task | undefined;

  constructor(random: Random, trace: Trace, pace: Pace) {
    this.random = random;
    this.trace = trace;
    this.pace = pace;
  }

  start(name: string, act: Act): Task {
    this.#numbers += 1;
    const task = new Task(name, this.#numbers, act);
    this.#tasks.push(task);
    return task;
  }

  /** The one whose steps the others may come in between. */
  startHost(act: Act): Task {
    this.#numbers += 1;
    this.#host = new Task('store', this.#numbers, act);
    return this.#host;
  }

  /** Never goes on. */
  kill(task: Task): void {
    this.#tasks = this.#tasks.filter((one) => one !== task);
  }

  /** Whether it has neither ended nor been killed. */
  isAlive(task: Task): boolean {
    return this.#tasks.includes(task);
  }

  wake(task: Task): void {
    if (task.wakeAt > this.now) task.wakeAt = this.now;
  }

  /** Runs something after `delay`, in nobody's name. */
  after(delay: number, run: () => void): void {
    const at = this.now + delay;
    let place = this.#timers.length;
    while (place > 0 && this.#timers[place - 1]!.at > at) place -= 1;
    this.#timers.splice(place, 0, { at, run });
  }

  /** A duration from `least` to `most`, of any order of magnitude alike. */
  spread(least: number, most: number): number {
    let doublings = 0;
    while (least * 2 ** (doublings + 1) <= most) doublings += 1;
    const base = least * 2 ** this.random.below(doublings + 1);
    return Math.min(most, base + this.random.below(base));
  }

  /** @param actor default: who runs now */
  note(...[kind, a, b, c]: NoteArguments): void {
    this.trace.note(this.now, this.current?.name ?? '', kind, a, b, c);
  }

  #fireTimers(): void {
    while (this.#timers.length > 0 && this.#timers[0]!.at <= this.now) {
      const timer = this.#timers.shift()!;
      const before = this.current;
      this.current = undefined;
      timer.run();
      this.current = before;
    }
  }

  #isReady(task: Task): boolean {
    return task.wakeAt <= this.now && task.heldUntil <= this.now;
  }

  #pick(): Task | undefined {
    let ready = 0;
    for (const task of this.#tasks) if (this.#isReady(task)) ready += 1;
    if (ready === 0) return undefined;
    let turn = this.random.below(ready);
    for (const task of this.#tasks) {
      if (!this.#isReady(task)) continue;
      if (turn === 0) return task;
      turn -= 1;
    }
    return undefined;
  }

  /** A step of somebody, or a jump to when somebody can go on. */
  step(): void {
    this.#fireTimers();
    const host = this.#host;
    const hostReady = host !== undefined && this.#isReady(host);
    const first = hostReady && this.random.below(256) < this.pace.hostShare;
    const task = first ? host : (this.#pick() ?? (hostReady ? host : undefined));
    if (task === undefined) this.#jump();
    else this.#go(task);
  }

  /** A step of anyone but the host, which stands within one of its own; false: nobody can. */
  between(): boolean {
    this.#fireTimers();
    const task = this.#pick();
    if (task === undefined) return false;
    const host = this.current;
    this.#go(task);
    this.current = host;
    return true;
  }

  #go(task: Task): void {
    this.current = task;
    this.now += 1;
    this.steps += 1;
    this.trace.mix(task.number);
    const { done, value } = task.act.next();
    this.current = undefined;
    if (done === true) {
      if (task === this.#host) this.#host = undefined;
      else this.kill(task);
      return;
    }
    task.wakeAt = value === STEP ? this.now : value;
    const { stallOneIn, hostStallOneIn, stallMax } = this.pace;
    const oneIn = task === this.#host ? hostStallOneIn : stallOneIn;
    if (oneIn === 0 || !this.random.oneIn(oneIn)) return;
    task.heldUntil = this.now + this.spread(MS, stallMax);
    this.stalledUntil = Math.max(this.stalledUntil, task.heldUntil);
    this.trace.note(this.now, task.name, 'stall', task.heldUntil);
  }

  #jump(): void {
    let next = this.#timers[0]?.at ?? Number.POSITIVE_INFINITY;
    const all = this.#host === undefined ? this.#tasks : [...this.#tasks, this.#host];
    for (const task of all) next = Math.min(next, Math.max(task.wakeAt, task.heldUntil));
    if (next === Number.POSITIVE_INFINITY) throw new Problem('nobody will ever go on');
    this.now = Math.max(this.now, next);
  }
}

type NoteArguments = [kind: Parameters<Trace['note']>[2], a?: number, b?: number, c?: number];

/** A spin lock: whoever finds it taken goes on once it is free. */
export class SpinLock {
  readonly #scheduler: Scheduler;
  #holder: Task | undefined;
  #waiting: Task[] = [];

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  *take(): Act {
    while (this.#holder !== undefined) {
      this.#waiting.push(this.#scheduler.current!);
      yield Number.POSITIVE_INFINITY;
    }
    this.#holder = this.#scheduler.current!;
  }

  drop(): void {
    this.#holder = undefined;
    for (const task of this.#waiting) this.#scheduler.wake(task);
    this.#waiting = [];
  }
}

/** As whom somebody is in a PageLock. */
export const READERS = 0;
export const WRITERS = 1;

/** The lock of a page: any number that read it, or one alone that changes it. */
export class PageLock {
  readonly #scheduler: Scheduler;
  #within = 0;
  #group = READERS;
  #waiting: Task[] = [];

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  *enter(group: number): Act {
    while (this.#within > 0 && (this.#group === WRITERS || group === WRITERS)) {
      this.#waiting.push(this.#scheduler.current!);
      yield Number.POSITIVE_INFINITY;
    }
    this.#within += 1;
    this.#group = group;
  }

  leave(): void {
    this.#within -= 1;
    if (this.#within > 0) return;
    for (const task of this.#waiting) this.#scheduler.wake(task);
    this.#waiting = [];
  }
}
