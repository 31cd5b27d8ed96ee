/**
 * Operations of programs through /dev/tmem, as in tmem_call_raw() of guest-kmod/tmem_op.c: any
 * number of them on one key at once, each waits for its answer. What is given up may still be
 * carried out.
 */
import { Command, PoolFlag } from '../../../../emulator/protocol/layout.js';
import { type Act, SECOND } from '../scheduler.js';
import { Problem } from '../trace.js';
import type { Device } from './device.js';
import {
  type CallResult,
  call,
  checkRefusal,
  describe,
  ENOMEM,
  ETIMEDOUT,
  getPage,
  newPool,
  type PageKey,
  postPut,
  queueOf,
} from './operations.js';

const TIMEOUT = 10 * SECOND;

export class Raw {
  readonly #device: Device;
  pool = -1;
  /** A pool of its may be left with the host. */
  leaks = false;

  constructor(device: Device) {
    this.#device = device;
  }

  *open(): Act<boolean> {
    this.pool = yield* newPool(this.#device, PoolFlag.PERSIST);
    this.leaks = this.pool < 0;
    return !this.leaks;
  }

  #key(object: number, index: number): PageKey {
    return { pool: this.pool, object, index };
  }

  /** tmem_put_raw(). `posted` hears when it is with the host, or never will be. */
  *put(object: number, index: number, value: number, posted: () => void): Act<CallResult> {
    const device = this.#device;
    const { credits, plan } = device;
    const end = device.scheduler.now + plan.putTimeout;
    const key = this.#key(object, index);
    const queue = queueOf(device, key);
    const may = (yield* device.acceptsPuts()) && !(yield* device.isStalled(queue));
    const slot = may ? yield* credits.take() : -1;
    if (slot === -1) return yield* this.#refuse(key, posted);
    yield* credits.fill(slot, value);
    const descriptor = { ...describe(Command.PUT_PAGE, key), slot };
    const sequence = yield* postPut(device, queue, descriptor, true, end);
    posted();
    if (sequence === -1) return { result: ETIMEDOUT };
    if (yield* device.wait(queue, sequence, device.left(end))) {
      const answer = yield* device.reap(queue, sequence);
      if (answer.result !== 1) checkRefusal(device, answer.result);
      return answer;
    }
    queue.stalled = true;
    yield* device.abandon(queue, sequence);
    return { result: ETIMEDOUT, unanswered: { queue, sequence } };
  }

  /** tmem_refuse_raw(). */
  *#refuse(key: PageKey, posted: () => void): Act<CallResult> {
    const device = this.#device;
    const descriptor = describe(Command.FLUSH_PAGE, key);
    const { putTimeout } = device.plan;
    const done = yield* call(device, queueOf(device, key), descriptor, putTimeout, posted);
    return done.result < 0 ? done : { result: ENOMEM };
  }

  /** @returns the page's value, 0 for a miss, -ETIMEDOUT */
  get(object: number, index: number): Act<number> {
    return getPage(this.#device, this.#key(object, index), this.#device.plan.getTimeout);
  }

  *flush(object: number, index: number, posted: () => void): Act<CallResult> {
    const key = this.#key(object, index);
    const descriptor = describe(Command.FLUSH_PAGE, key);
    const queue = queueOf(this.#device, key);
    const done = yield* call(this.#device, queue, descriptor, TIMEOUT, posted);
    if (done.result === 1 || done.result === ETIMEDOUT) return done;
    throw new Problem(`a flush in a pool that is there: ${done.result}`);
  }

  *close(): Act<number> {
    const descriptor = describe(Command.DESTROY_POOL, this.#key(0, 0));
    const queue = queueOf(this.#device, this.#key(0, 0));
    return (yield* call(this.#device, queue, descriptor, TIMEOUT)).result;
  }
}
