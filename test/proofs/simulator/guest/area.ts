/**
 * The module's areas, as in guest-kmod/area.c: a swap type's pages in a pool of their own.
 *
 * `placed` says in which slot a page of ours is, by offset; what is not placed is never asked for. A
 * bit in `pending` is a flush that found the queue full; until the worker has posted it, puts of
 * that offset are refused.
 */
import { Feature, PoolFlag } from '../../../../emulator/protocol/layout.js';
import { type Act, STEP, type Task } from '../scheduler.js';
import { Problem } from '../trace.js';
import { type Device, FOR_EVER } from './device.js';
import {
  DRAIN_PAUSE,
  destroyPool,
  ETIMEDOUT,
  flushPage,
  getDirect,
  getPage,
  newPool,
  type PageKey,
  putPage,
} from './operations.js';

/** A load of a page that is not here; one that cannot be had. */
export const ABSENT = 0;
export const FAILED = -1;

export class Area {
  readonly number: number;
  readonly #device: Device;
  /** Offsets; 0 while it is off. */
  slots = 0;
  pool = -1;
  /** A pool of its may be left with the host. */
  leaks = false;
  placed = new Int32Array(0);
  #pending = new Uint8Array(0);
  #queued = false;
  #worker: Task | undefined;

  constructor(device: Device, number: number) {
    this.#device = device;
    this.number = number;
  }

  #key(offset: number): PageKey {
    return { pool: this.pool, object: this.number, index: offset };
  }

  /** Whether the worker has nothing left to post. */
  get isDrained(): boolean {
    return !this.#queued && !this.#pending.includes(1);
  }

  /** tmem_area_drain(), and the kernel's worker that runs it. */
  *work(): Act {
    const { scheduler } = this.#device;
    this.#worker = scheduler.current!;
    for (;;) {
      while (!this.#queued) yield Number.POSITIVE_INFINITY;
      for (let offset = 0; offset < this.#pending.length; offset += 1) {
        if (this.#pending[offset] === 0) continue;
        yield STEP;
        while (this.slots !== 0 && !(yield* flushPage(this.#device, this.#key(offset)))) {
          yield scheduler.now + DRAIN_PAUSE;
        }
        this.#pending[offset] = 0;
        yield STEP;
      }
      this.#queued = this.#pending.includes(1);
    }
  }

  /** tmem_area_flush(). */
  *#flush(offset: number): Act {
    if (yield* flushPage(this.#device, this.#key(offset))) return;
    this.#device.scheduler.note('pending', offset);
    this.#pending[offset] = 1;
    yield STEP;
    this.#queued = true;
    if (this.#worker !== undefined) this.#device.scheduler.wake(this.#worker);
  }

  /** tmem_area_forget(). */
  *forget(offset: number): Act {
    if (offset >= this.slots) return;
    const placed = this.placed[offset]!;
    this.placed[offset] = 0;
    yield STEP;
    if (placed === 0) return;
    this.#device.credits.release(placed - 1);
    yield STEP;
    yield* this.#flush(offset);
  }

  /** tmem_area_on(). */
  *on(slots: number): Act {
    this.placed = new Int32Array(slots);
    this.#pending = new Uint8Array(slots);
    this.pool = yield* newPool(this.#device, PoolFlag.PERSIST);
    this.#device.scheduler.note('areaOn', this.number, this.pool);
    if (this.pool === ETIMEDOUT) this.leaks = true;
    if (this.pool >= 0) this.slots = slots;
  }

  /** tmem_area_off(). */
  *off(): Act {
    this.slots = 0;
    yield STEP;
    while (this.#queued) yield this.#device.scheduler.now + DRAIN_PAUSE;
    this.#device.scheduler.note('areaOff', this.number, this.pool);
    if (this.pool >= 0 && (yield* destroyPool(this.#device, this.pool)) < 0) this.leaks = true;
    this.pool = -1;
    this.placed = new Int32Array(0);
    this.#pending = new Uint8Array(0);
  }

  /** tmem_area_store(). @returns whether we have the page */
  *store(offset: number, value: number): Act<boolean> {
    yield* this.forget(offset);
    yield STEP;
    if (offset >= this.slots || this.#pending[offset] === 1) return false;
    yield STEP;
    const { result, slot } = yield* putPage(this.#device, this.#key(offset), value);
    if (result === 1) {
      this.placed[offset] = slot + 1;
      yield STEP;
      return true;
    }
    if (result === ETIMEDOUT) yield* this.#flush(offset);
    return false;
  }

  /** tmem_area_load(). @returns the page's value, ABSENT or FAILED */
  *load(offset: number): Act<number> {
    for (;;) {
      const placed = offset < this.slots ? this.placed[offset]! : 0;
      yield STEP;
      if (placed === 0) return ABSENT;
      const value = yield* this.#get(offset, placed);
      // Dropped or put anew meanwhile.
      if (this.placed[offset] === placed) return value;
    }
  }

  /** tmem_area_get(). @returns the page's value or FAILED */
  *#get(offset: number, placed: number): Act<number> {
    const device = this.#device;
    if ((device.features & Feature.DIRECT_GETS) !== 0) {
      return yield* getDirect(device, this.#key(offset), placed - 1);
    }
    const { mayFail, getTimeout } = device.plan;
    const value = yield* getPage(device, this.#key(offset), mayFail ? getTimeout : FOR_EVER);
    if (value > 0) return value;
    if (value === ETIMEDOUT && mayFail) return FAILED;
    throw new Problem(`the host lost page ${offset} of area ${this.number}: ${value}`);
  }
}
