/**
 * Operations of programs through /dev/tmem, as in tmem_call_raw() of guest-kmod/tmem_op.c: any
 * number of them on one key at once, each waits for its answer. What is given up may still be
 * carried out.
 */
import { Command, PoolFlag } from '../../../../emulator/protocol/layout.js';
import type { RawDescriptor } from '../../../../emulator/testing/index.js';
import { type Act, PageLock, READERS, SECOND, WRITERS } from '../scheduler.js';
import { Problem } from '../trace.js';
import type { Device, Queue } from './device.js';
import {
  type CallResult,
  callAnswer,
  checkRefusal,
  describe,
  ENOMEM,
  ETIMEDOUT,
  getBy,
  newPool,
  type PageKey,
  postPut,
  queueOf,
} from './operations.js';

const TIMEOUT = 10 * SECOND;

export class Raw {
  readonly #device: Device;
  /** raw_gets of the pool's queue. */
  readonly #gets: PageLock;
  pool = -1;
  /** A pool of its may be left with the host. */
  leaks = false;

  constructor(device: Device) {
    this.#device = device;
    this.#gets = new PageLock(device.scheduler);
  }

  *open(): Act<boolean> {
    this.pool = yield* newPool(this.#device, PoolFlag.PERSIST);
    this.leaks = this.pool < 0;
    return !this.leaks;
  }

  #key(object: number, index: number): PageKey {
    return { pool: this.pool, object, index };
  }

  /** tmem_raw_queue(). */
  get #queue(): Queue {
    return queueOf(this.#device, this.#key(0, 0));
  }

  /** tmem_call_alone(). */
  *#callAlone(descriptor: RawDescriptor, timeout: number): Act<CallResult> {
    const device = this.#device;
    const queue = this.#queue;
    const end = device.scheduler.now + timeout;
    yield* this.#gets.enter(WRITERS);
    const sequence = yield* device.postBy(queue, descriptor, true, end);
    this.#gets.leave();
    if (sequence === -1) return { result: ETIMEDOUT };
    return yield* callAnswer(device, queue, sequence, end);
  }

  /** tmem_put_raw(). */
  *put(object: number, index: number, value: number): Act<CallResult> {
    const device = this.#device;
    const { credits, plan } = device;
    const end = device.scheduler.now + plan.putTimeout;
    const key = this.#key(object, index);
    const queue = this.#queue;
    const may = (yield* device.acceptsPuts()) && !(yield* device.isStalled(queue));
    const slot = may ? yield* device.takeCredit() : -1;
    if (slot === -1) return yield* this.#refuse(key);
    yield* credits.fill(slot, value);
    const descriptor = { ...describe(Command.PUT_PAGE, key), slot };
    yield* this.#gets.enter(WRITERS);
    const sequence = yield* postPut(device, queue, descriptor, true, end);
    this.#gets.leave();
    if (sequence === -1) return { result: ETIMEDOUT };
    const answer = yield* callAnswer(device, queue, sequence, end);
    if (answer.result === ETIMEDOUT) queue.stalled = true;
    else if (answer.result !== 1) checkRefusal(device, answer.result);
    return answer;
  }

  /** tmem_refuse_raw(). */
  *#refuse(key: PageKey): Act<CallResult> {
    const descriptor = describe(Command.FLUSH_PAGE, key);
    const done = yield* this.#callAlone(descriptor, this.#device.plan.putTimeout);
    return done.result < 0 ? done : { result: ENOMEM };
  }

  /** tmem_get_raw(). @returns the page's value, 0 for a miss, -ETIMEDOUT */
  *get(object: number, index: number): Act<number> {
    const device = this.#device;
    yield* this.#gets.enter(READERS);
    const key = this.#key(object, index);
    const value = yield* getBy(device, this.#queue, key, device.plan.getTimeout);
    this.#gets.leave();
    return value;
  }

  /** Of a page, or of all those of the object. */
  *flush(object: number, index: number, all: boolean): Act<CallResult> {
    const command = all ? Command.FLUSH_OBJECT : Command.FLUSH_PAGE;
    const done = yield* this.#callAlone(describe(command, this.#key(object, index)), TIMEOUT);
    if (done.result === 1 || done.result === ETIMEDOUT) return done;
    throw new Problem(`a flush in a pool that is there: ${done.result}`);
  }

  *close(): Act<number> {
    return (yield* this.#callAlone(describe(Command.DESTROY_POOL, this.#key(0, 0)), TIMEOUT))
      .result;
  }
}
