/**
 * One seed: a host, a guest and the wires between them, under a virtual clock. Phases with faults
 * are each followed by a rest in which all that must hold is looked at; at last the guest leaves
 * and the store must be empty.
 *
 * The same seed does the same, step by step. Nothing outlives a simulation.
 */
import { Random } from '../random.js';
import { WatchedAtomics } from './atomics.js';
import { LinkThread } from './guest/link-thread.js';
import { type Faults, Host } from './host.js';
import { checkAtRest, checkEmpty } from './invariants.js';
import { Machine } from './machine.js';
import { drawPlan, type Plan } from './plan.js';
import { MS, type Pace, Scheduler, SECOND } from './scheduler.js';
import { ByteStream } from './stream.js';
import { Problem, Trace } from './trace.js';

/** Who waits for an answer so long, while host and guest run undisturbed, waits in vain. */
const WAIT_MAX = 2 * SECOND;
/** Over a link, where bytes may be lost again and again. */
const LINK_WAIT_MAX = 20 * SECOND;
/** With no fault any more all comes to rest within this. */
const REST_MAX = 300 * SECOND;
const STEPS_MAX = 3_000_000;
/** How late a doorbell may be heard of, beside its own delay. */
const MARGIN = MS;

export interface SimulationResult {
  /** What is wrong; undefined: nothing. */
  readonly problem: string | undefined;
  readonly hash: string;
  /** The last events, or all. */
  readonly lines: string[];
  readonly steps: number;
  readonly operations: number;
  readonly crashes: number;
  /** Virtual, in microseconds. */
  readonly time: number;
}

class Simulation {
  readonly trace: Trace;
  readonly scheduler: Scheduler;
  host: Host | undefined;
  operations = 0;
  readonly #random: Random;
  readonly #plan: Plan;
  readonly #faults: Faults = { on: false };
  readonly #pace: Pace;
  readonly #streams: { readonly toHost: ByteStream; readonly toGuest: ByteStream };
  #machine: Machine | undefined;
  #link: LinkThread | undefined;
  #lives = 0;
  #value = 0;
  #left = 0;
  /** Resets and the like that are still to come. */
  #endings = 0;

  constructor(seed: number, traceAll: boolean) {
    this.#random = new Random(seed);
    this.#plan = drawPlan(this.#random);
    this.trace = new Trace(traceAll);
    const { hostShare, stallMax } = this.#plan;
    this.#pace = { hostShare, stallMax, stallOneIn: 0, hostStallOneIn: 0 };
    this.scheduler = new Scheduler(this.#random, this.trace, this.#pace);
    this.scheduler.note('seed', seed);
    const stream = (arrived: () => void): ByteStream =>
      new ByteStream({
        plan: this.#plan,
        scheduler: this.scheduler,
        faults: this.#faults,
        arrived,
      });
    this.#streams = {
      toHost: stream(() => this.host!.nudge()),
      toGuest: stream(() => this.#link?.kick()),
    };
  }

  // --- Wires ------------------------------------------------------------------------------------

  /** Whether a doorbell is lost; otherwise `arrive` comes in its time. */
  #carry(toGuest: boolean, arrive: () => void): void {
    const { bellLoss, bellDelayMax } = this.#plan;
    if (this.#faults.on && this.#random.below(256) < bellLoss) {
      this.scheduler.note('ringLost', toGuest ? 1 : 0);
      return;
    }
    this.scheduler.after(this.scheduler.spread(1, bellDelayMax), arrive);
  }

  #ringHost(): void {
    if (this.#link !== undefined) {
      this.#link.kick();
      return;
    }
    this.#carry(false, () => {
      this.scheduler.note('bell');
      this.host!.hear();
    });
  }

  #ringGuest(vector: number): void {
    this.#carry(true, () => {
      this.scheduler.note('interrupt', vector);
      this.#machine?.device.interrupt(vector);
    });
  }

  get #bellsAreSure(): boolean {
    return this.#plan.bellLoss === 0 && !this.#plan.link;
  }

  /** Bells that were rung so long ago have arrived. */
  get #bellMax(): number {
    return this.#plan.bellDelayMax + MARGIN;
  }

  #guestOverslept(queue: number, coveredAt: number | undefined): void {
    if (!this.#bellsAreSure || coveredAt === undefined) return;
    if (coveredAt + this.#bellMax > this.scheduler.now) return;
    throw new Problem(`a waiter of queue ${queue} was not woken when its answer was there`);
  }

  /** The host slept until `at`: it had not been told of anything before. */
  #hostWoken(at: number): void {
    if (!this.#bellsAreSure || this.#machine === undefined) return;
    const { device } = this.#machine;
    if (!device.attached) return;
    for (const queue of device.queues) {
      const isLate = queue.kicks.some(
        (kick) => kick.tail > device.head(queue) && kick.at + this.#bellMax < at,
      );
      if (isLate) throw new Problem(`the host was not woken in time for queue ${queue.number}`);
    }
  }

  // --- Lives -------------------------------------------------------------------------------------

  #boot(): void {
    this.#lives += 1;
    const { scheduler } = this;
    const plan = this.#plan;
    this.#link = plan.link ? new LinkThread(plan, scheduler, this.#streams) : undefined;
    this.#machine = new Machine({
      plan,
      scheduler,
      link: this.#link,
      region: this.#link?.region ?? this.host!.region,
      geometry: this.#link?.geometry ?? plan.geometry,
      epoch: (this.#random.next() & 0x7fff_fff0) + this.#lives,
      ring: () => this.#ringHost(),
      overslept: (queue, { coveredAt }) => this.#guestOverslept(queue, coveredAt),
      nextValue: () => {
        this.#value += 1;
        return this.#value;
      },
      mayBegin: () => this.#mayBegin(),
    });
  }

  /** Counts one operation and lets happen what comes with it. */
  #mayBegin(): boolean {
    if (this.#left === 0) return false;
    this.#left -= 1;
    this.operations += 1;
    const happens = (oneIn: number): boolean => oneIn !== 0 && this.#random.oneIn(oneIn);
    const plan = this.#plan;
    const host = this.host!;
    if (happens(plan.quotaOneIn)) {
      host.request({ kind: 'quota', pages: this.#random.below(plan.geometry.slotCount + 2) });
    }
    if (happens(plan.refuseOneIn)) {
      host.request({ kind: 'refuse', refuse: this.#random.oneIn(2) });
    }
    if (happens(plan.statsOneIn)) host.request({ kind: 'stats' });
    if (happens(plan.resetOneIn)) this.#endSoon(false);
    if (happens(plan.unplugOneIn)) this.#endSoon(true);
    if (happens(plan.leaveOneIn)) this.#leave();
    return true;
  }

  /** At any step from now on the guest is reset, or its machine goes. */
  #endSoon(unplugged: boolean): void {
    const machine = this.#machine;
    this.#endings += 1;
    this.scheduler.after(this.#random.below(1000), () => {
      this.#endings -= 1;
      if (machine !== this.#machine || machine === undefined) return;
      machine.kill();
      this.#machine = undefined;
      this.scheduler.note(unplugged ? 'unplugged' : 'reset');
      const boot = (): void =>
        this.scheduler.after(this.scheduler.spread(1, 500 * MS), () => this.#boot());
      if (!unplugged) boot();
      else {
        const hostEpoch = 1 + this.#random.below(0x7fff_fffe);
        this.host!.request({ kind: 'restart', hostEpoch, done: boot });
      }
    });
  }

  /** The module is unloaded and loaded again. */
  #leave(): void {
    const machine = this.#machine;
    if (machine?.isUp !== true) return;
    machine.leave();
    this.#whenLeft(machine, () => this.#boot());
  }

  #whenLeft(machine: Machine, then: () => void): void {
    if (machine !== this.#machine) return;
    if (!machine.hasLeft) {
      this.scheduler.after(MS, () => this.#whenLeft(machine, then));
      return;
    }
    machine.kill();
    this.#machine = undefined;
    then();
  }

  // --- The run -----------------------------------------------------------------------------------

  /** Runs until `done`, and sees to it that nobody waits in vain. */
  #runUntil(done: () => boolean, timeMax: number): void {
    const { scheduler } = this;
    const end = scheduler.now + timeMax;
    while (!done()) {
      const before = scheduler.now;
      scheduler.step();
      if (scheduler.now - before > MS) this.#checkWaits();
      if (scheduler.now > end) throw new Problem('it does not come to rest');
      if (scheduler.steps > STEPS_MAX) throw new Problem(`${STEPS_MAX} steps do not end`);
    }
  }

  #checkWaits(): void {
    const machine = this.#machine;
    if (machine === undefined) return;
    const { servingSince } = this.host!;
    const since = Math.max(machine.device.waitingSince, servingSince, this.scheduler.stalledUntil);
    const most = this.#plan.link ? LINK_WAIT_MAX : WAIT_MAX;
    if (since + most > this.scheduler.now || since === Number.POSITIVE_INFINITY) return;
    throw new Problem(`somebody has waited for ${(this.scheduler.now - since) / MS} ms`);
  }

  get #isAtRest(): boolean {
    const host = this.host!;
    const isSettled = this.#endings === 0 && host.sleeps && !host.hasRequests;
    return isSettled && this.#machine?.isIdle === true && this.#isLinkQuiet;
  }

  get #isLinkQuiet(): boolean {
    const { toHost, toGuest } = this.#streams;
    return this.#link === undefined || (this.#link.isIdle && toHost.isQuiet && toGuest.isQuiet);
  }

  #phase(): void {
    this.#faults.on = true;
    this.#pace.stallOneIn = this.#plan.stallOneIn;
    this.#pace.hostStallOneIn = this.#plan.hostStallOneIn;
    this.#left = this.#plan.operations;
    this.#machine?.wakeAll();
    this.#runUntil(() => this.#left === 0, Number.POSITIVE_INFINITY);
    this.#faults.on = false;
    this.#pace.stallOneIn = 0;
    this.#pace.hostStallOneIn = 0;
    this.scheduler.note('settle');
    this.#runUntil(() => this.#isAtRest, REST_MAX);
    this.scheduler.note('settled');
    this.#check();
  }

  #check(): void {
    const host = this.host!;
    checkAtRest(host, this.#machine!);
  }

  run(): void {
    const { host, scheduler } = this.#begin();
    this.#runUntil(() => host.sleeps, REST_MAX);
    this.#boot();
    for (let phase = 0; phase < this.#plan.phases; phase += 1) this.#phase();
    const machine = this.#machine!;
    machine.leave();
    this.#runUntil(() => machine.hasLeft && host.sleeps && !host.isServing, REST_MAX);
    checkEmpty(host);
    scheduler.note('settled');
  }

  #begin(): { host: Host; scheduler: Scheduler } {
    this.host = new Host({
      streams: { in: this.#streams.toHost, out: this.#streams.toGuest },
      plan: this.#plan,
      scheduler: this.scheduler,
      faults: this.#faults,
      hostEpoch: 1 + this.#random.below(0x7fff_fffe),
      ring: (vector) => this.#ringGuest(vector),
      served: () => this.#served(),
      woken: (at) => this.#hostWoken(at),
    });
    return { host: this.host, scheduler: this.scheduler };
  }

  #served(): void {
    const machine = this.#machine;
    if (machine === undefined) return;
    const { device } = machine;
    if (device.attached) device.noteServed();
    machine.givenUp.look(({ queue }) => device.head(queue));
  }
}

/** Runs one seed. `traceAll`: keep every event. */
export function simulate(seed: number, traceAll = false): SimulationResult {
  using _watched = new WatchedAtomics();
  const simulation = new Simulation(seed, traceAll);
  let problem: string | undefined;
  try {
    simulation.run();
  } catch (error) {
    problem = error instanceof Problem ? error.message : String((error as Error).stack);
  }
  const { scheduler, trace } = simulation;
  return {
    problem,
    hash: trace.hash,
    lines: trace.lines(),
    steps: scheduler.steps,
    operations: simulation.operations,
    crashes: simulation.host?.crashes ?? 0,
    time: scheduler.now,
  };
}
