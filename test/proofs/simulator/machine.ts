/**
 * One life of a guest: the module attached, a swap area, a file system and a pool of programs, and
 * the vCPUs that use them as a kernel does. It ends as a whole, at any step, or in good order.
 */
import { HostState } from '../../../emulator/protocol/layout.js';
import { KEPT, NOTHING, REFUSED } from '../history/linearizable.js';
import { ABSENT, Area, FAILED } from './guest/area.js';
import { Cache } from './guest/cache.js';
import { Device, type DeviceOptions } from './guest/device.js';
import type { LinkThread } from './guest/link-thread.js';
import { ETIMEDOUT } from './guest/operations.js';
import { Raw } from './guest/raw.js';
import { GivenUp, Key } from './keys.js';
import type { Plan } from './plan.js';
import {
  type Act,
  MS,
  READERS,
  type Scheduler,
  SECOND,
  STEP,
  type Task,
  WRITERS,
} from './scheduler.js';
import { Problem } from './trace.js';

const CACHE_OBJECTS = 2;
const CACHE_PAGES = 8;
const RAW_KEYS = 3;
/** Longer than a host sleeps by itself. */
const PAUSE_MAX = 3 * SECOND;

export interface MachineOptions extends DeviceOptions {
  /** Where it shares no memory. */
  readonly link: LinkThread | undefined;
  /** A page's next value. */
  readonly nextValue: () => number;
  /** Whether a vCPU may begin another operation. */
  readonly mayBegin: () => boolean;
}

export class Machine {
  readonly device: Device;
  readonly area: Area;
  readonly cache: Cache;
  readonly raw: Raw;
  readonly givenUp = new GivenUp();
  /** Attached, and the vCPUs run. */
  isUp = false;
  /** Its life has ended in good order. */
  hasLeft = false;
  readonly #options: MachineOptions;
  readonly #plan: Plan;
  readonly #scheduler: Scheduler;
  readonly #swapKeys: Key[];
  readonly #cacheKeys: Key[];
  readonly #rawKeys: Key[];
  readonly #vcpus: Task[] = [];
  readonly #tasks: Task[] = [];
  /** vCPUs that are at an operation. */
  #busy = 0;
  #switching = false;
  #leaving = false;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.#plan = options.plan;
    this.#scheduler = options.scheduler;
    this.device = new Device(options);
    this.area = new Area(this.device, 1);
    this.cache = new Cache(this.device);
    this.raw = new Raw(this.device);
    const keys = (count: number, first: number, perObject: number, ephemeral: boolean): Key[] =>
      Array.from({ length: count }, (_, at) => {
        const place = { object: 10 + Math.floor(at / perObject), index: at % perObject, ephemeral };
        return new Key(this.#scheduler, first + at, place);
      });
    this.#swapKeys = keys(this.#plan.offsets, 0, this.#plan.offsets, false);
    this.#cacheKeys = keys(CACHE_OBJECTS * CACHE_PAGES, 100, CACHE_PAGES, true);
    this.#rawKeys = keys(RAW_KEYS, 200, RAW_KEYS, false);
    const { link } = options;
    if (link !== undefined) this.#start('link', link.run(this.device));
    this.#start('boot', this.#boot());
  }

  #start(name: string, act: Act): Task {
    const task = this.#scheduler.start(name, act);
    this.#tasks.push(task);
    return task;
  }

  /** The machine is reset: all that it does stops where it is. */
  kill(): void {
    for (const task of this.#tasks) this.#scheduler.kill(task);
    this.isUp = false;
  }

  *#boot(): Act {
    this.#scheduler.note('boot', this.device.epoch);
    // Whoever loads the module tries again.
    while (!(yield* this.device.attach())) {
      this.device.queues.length = 0;
      yield this.#scheduler.now + MS;
    }
    this.#start('drain', this.area.work());
    this.#start('mend', this.cache.work());
    const { mix } = this.#plan;
    if (mix.includes('swap')) yield* this.area.on(this.#plan.offsets);
    if (mix.includes('cache')) yield* this.cache.open();
    if (mix.includes('raw')) yield* this.raw.open();
    this.isUp = true;
    for (let number = 0; number < this.#plan.vcpus; number += 1) {
      this.#vcpus.push(this.#start(`vcpu${number}`, this.#run()));
    }
  }

  // --- vCPUs -------------------------------------------------------------------------------------

  *#run(): Act {
    for (;;) {
      while (this.#leaving || !this.#options.mayBegin()) yield Number.POSITIVE_INFINITY;
      this.#busy += 1;
      yield* this.#operate();
      this.#busy -= 1;
      yield this.#pauses() ? this.#scheduler.now + this.#scheduler.spread(MS, PAUSE_MAX) : STEP;
    }
  }

  /** Mostly while the host is away, or little would be left to do when it is back. */
  #pauses(): boolean {
    const { random } = this.#scheduler;
    const { pauseOneIn } = this.#plan;
    if (this.device.peek('host_state') === HostState.DOWN && !random.oneIn(4)) return true;
    return pauseOneIn !== 0 && random.oneIn(pauseOneIn);
  }

  /** Pools that the host should have for this guest; undefined: it may have others as well. */
  get pools(): number | undefined {
    if (this.area.leaks || this.cache.leaks || this.raw.leaks) return undefined;
    return [this.area.pool, this.cache.pool, this.raw.pool].filter((pool) => pool >= 0).length;
  }

  get usesCache(): boolean {
    return this.#plan.mix.includes('cache');
  }

  /** Lets vCPUs that had nothing to do look again. */
  wakeAll(): void {
    for (const task of this.#vcpus) this.#scheduler.wake(task);
  }

  /** Whether nothing is under way. */
  get isIdle(): boolean {
    return (
      this.isUp &&
      !this.#leaving &&
      this.#busy === 0 &&
      this.area.isDrained &&
      this.cache.isDrained &&
      this.givenUp.count === 0 &&
      this.device.queues.every((queue) => this.device.head(queue) === queue.tail)
    );
  }

  #operate(): Act {
    switch (this.#scheduler.random.pick(this.#plan.mix)) {
      case 'swap':
        return this.#swap();
      case 'cache':
        return this.#useCache();
      case 'raw':
        return this.#useRaw();
    }
  }

  // --- Swap -------------------------------------------------------------------------------------

  *#swap(): Act {
    const { random } = this.#scheduler;
    const { swapoffOneIn } = this.#plan;
    if (this.#switching) return;
    if (this.area.slots === 0 || (swapoffOneIn !== 0 && random.oneIn(swapoffOneIn))) {
      this.#switching = true;
      if (this.area.slots === 0 || (yield* this.#swapoff())) {
        yield* this.area.on(this.#plan.offsets);
      }
      this.#switching = false;
      return;
    }
    if (this.#bursts()) {
      for (const key of this.#swapKeys) yield* this.#exclusively(key, this.#forget(key));
      return;
    }
    const key = random.pick(this.#swapKeys);
    const kind = random.below(8);
    const reads = kind >= 4 && kind < 7;
    yield* key.lock.enter(reads ? READERS : WRITERS);
    if (!this.#switching && this.area.slots !== 0) {
      if (reads) yield* this.#load(key);
      else if (kind < 4) yield* this.#store(key);
      else yield* this.#forget(key);
    }
    key.lock.leave();
  }

  #bursts(): boolean {
    const { burstOneIn } = this.#plan;
    return burstOneIn !== 0 && this.#scheduler.random.oneIn(burstOneIn);
  }

  *#exclusively(key: Key, act: Act): Act {
    yield* key.lock.enter(WRITERS);
    yield* act;
    key.lock.leave();
  }

  *#store(key: Key): Act {
    const value = this.#options.nextValue();
    const put = key.begin('put', value);
    const kept = yield* this.area.store(key.index, value);
    key.end(put, kept ? KEPT : REFUSED);
  }

  /** @returns false when the page cannot be had */
  *#load(key: Key): Act<boolean> {
    const get = key.begin('get');
    const value = yield* this.area.load(key.index);
    if (value === FAILED) key.cancel(get);
    else key.end(get, value === ABSENT ? NOTHING : value);
    return value !== FAILED;
  }

  *#forget(key: Key): Act {
    const flush = key.begin('flush');
    yield* this.area.forget(key.index);
    key.end(flush, NOTHING);
  }

  /** swapoff: reads every page back, then drops the area. @returns false when one cannot be had */
  *#swapoff(): Act<boolean> {
    for (const key of this.#swapKeys) {
      yield* key.lock.enter(WRITERS);
      const loaded = yield* this.#load(key);
      if (loaded) yield* this.#forget(key);
      key.lock.leave();
      if (!loaded) return false;
    }
    yield* this.area.off();
    return true;
  }

  // --- The cache of files -----------------------------------------------------------------------

  *#useCache(): Act {
    const { random } = this.#scheduler;
    if (this.#bursts()) {
      for (const key of this.#cacheKeys) yield* this.#exclusively(key, this.#invalidate(key));
      return;
    }
    const key = random.pick(this.#cacheKeys);
    if (key.isCrowded) return;
    const kind = random.below(16);
    if (kind === 0) {
      yield* this.#invalidateObject(key.object);
      return;
    }
    yield* key.lock.enter(WRITERS);
    if (kind < 8) {
      const value = this.#options.nextValue();
      const put = key.begin('put', value);
      yield* this.cache.put(key.object, key.index, value);
      key.end(put, KEPT);
    } else if (kind < 14) {
      yield* this.#cacheGet(key);
    } else {
      yield* this.#invalidate(key);
    }
    key.lock.leave();
  }

  *#invalidate(key: Key): Act {
    if (key.isCrowded) return;
    const flush = key.begin('flush');
    yield* this.cache.invalidate(key.object, key.index, false);
    key.end(flush, NOTHING);
  }

  *#cacheGet(key: Key): Act {
    const get = key.begin('get');
    const value = yield* this.cache.get(key.object, key.index);
    if (typeof value === 'number') key.end(get, value);
    else this.givenUp.add(value, () => key.end(get, undefined));
  }

  *#invalidateObject(object: number): Act {
    const keys = this.#cacheKeys.filter((key) => key.object === object && !key.isCrowded);
    const flushes = keys.map((key) => ({ key, flush: key.begin('flush') }));
    yield* this.cache.invalidate(object, 0, true);
    for (const { key, flush } of flushes) key.end(flush, NOTHING);
  }

  // --- Programs ----------------------------------------------------------------------------------

  *#useRaw(): Act {
    const { random } = this.#scheduler;
    const key = random.pick(this.#rawKeys);
    if (this.raw.pool < 0 || key.isCrowded) return;
    const kind = random.below(16);
    if (kind < 7) yield* this.#rawPut(key);
    else if (kind < 13) yield* this.#rawGet(key);
    else yield* this.#rawFlush(kind === 15 ? this.#rawKeys : [key]);
  }

  *#rawPut(key: Key): Act {
    const value = this.#options.nextValue();
    const put = key.begin('put', value);
    const { result, unanswered } = yield* this.raw.put(key.object, key.index, value);
    if (result !== ETIMEDOUT) key.end(put, result === 1 ? KEPT : NOTHING);
    else if (unanswered === undefined) key.cancel(put);
    else this.givenUp.add(unanswered, () => key.end(put, undefined));
  }

  /** A page, or all those of the object. */
  *#rawFlush(keys: readonly Key[]): Act {
    if (keys.some((key) => key.isCrowded)) return;
    const flushes = keys.map((key) => ({ key, flush: key.begin('flush') }));
    const { object, index } = keys[0]!;
    const { result, unanswered } = yield* this.raw.flush(object, index, keys.length > 1);
    for (const { key, flush } of flushes) {
      if (result !== ETIMEDOUT) key.end(flush, NOTHING);
      else if (unanswered === undefined) key.cancel(flush);
      else this.givenUp.add(unanswered, () => key.end(flush, NOTHING));
    }
  }

  *#rawGet(key: Key): Act {
    const get = key.begin('get');
    const value = yield* this.raw.get(key.object, key.index);
    if (value === ETIMEDOUT) key.cancel(get);
    else key.end(get, value);
  }

  // --- The end -----------------------------------------------------------------------------------

  /** Everything is read back, dropped and left, in good order. */
  leave(): void {
    this.#leaving = true;
    this.#start('leave', this.#leave());
  }

  *#leave(): Act {
    const pause = (): number => this.#scheduler.now + 10 * MS;
    this.#scheduler.note('leaves', this.device.epoch);
    while (this.#busy > 0 || this.#switching) yield pause();
    if (this.area.slots !== 0) while (!(yield* this.#swapoff())) yield pause();
    if (this.#plan.mix.includes('cache')) {
      for (const key of this.#cacheKeys) yield* this.#cacheGet(key);
      yield* this.cache.off();
    }
    if (this.raw.pool >= 0) {
      for (const key of this.#rawKeys) yield* this.#rawGet(key);
      const result = yield* this.raw.close();
      if (result !== 1 && result !== ETIMEDOUT) throw new Problem(`the end of a pool: ${result}`);
    }
    while (this.givenUp.count > 0 || !this.cache.isDrained) yield pause();
    yield* this.device.detach();
    this.isUp = false;
    this.hasLeft = true;
  }
}
