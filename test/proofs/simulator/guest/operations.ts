/**
 * The module's operations, as in guest-kmod/tmem_op.c: results are Xen's, or -ETIMEDOUT and the like
 * of the module's own.
 */
import { Command, Feature, REPLY_SLOT_GRANTED } from '../../../../emulator/protocol/layout.js';
import { objectId } from '../../../../emulator/store/client.js';
import type { RawDescriptor } from '../../../../emulator/testing/index.js';
import { type Act, MS, SECOND } from '../scheduler.js';
import { Problem } from '../trace.js';
import type { Answer, Device, Queue } from './device.js';

export const ETIMEDOUT = -110;
export const EBUSY = -16;
export const ENOMEM = -12;
export const ENOSPC = -28;

const POOL_TIMEOUT = 10 * SECOND;
const GET_REPORT = 30 * SECOND;
const SPEC_VERSION = 1 << 24;

export interface PageKey {
  readonly pool: number;
  /** Lowest word of the object id; the rest is 0. */
  readonly object: number;
  readonly index: number;
}

export function describe(command: number, key: PageKey): RawDescriptor {
  return { command, pool: key.pool, oid: objectId(key.object), index: key.index };
}

/** tmem_queue_of(). */
export function queueOf(device: Device, key: PageKey): Queue {
  const hash = Math.imul(key.pool, 0x9e37_79b1) ^ Math.imul(key.object, 0x85eb_ca6b) ^ key.index;
  return device.queues[hash & (device.queues.length - 1)]!;
}

/** A call that was given up and may still be carried out. */
export interface Unanswered {
  readonly queue: Queue;
  readonly sequence: number;
}

export interface CallResult {
  readonly result: number;
  readonly slot?: number;
  /** With -ETIMEDOUT, where it was posted. */
  readonly unanswered?: Unanswered;
}

/** tmem_call_answer(). */
export function* callAnswer(
  device: Device,
  queue: Queue,
  sequence: number,
  end: number,
): Act<CallResult> {
  const answered = yield* device.wait(queue, sequence, device.left(end));
  if (answered) return yield* device.reap(queue, sequence);
  yield* device.abandon(queue, sequence);
  return { result: ETIMEDOUT, unanswered: { queue, sequence } };
}

/** tmem_call(): posts and waits. */
function* call(
  device: Device,
  queue: Queue,
  descriptor: RawDescriptor,
  timeout: number,
): Act<CallResult> {
  const end = device.scheduler.now + timeout;
  const sequence = yield* device.postBy(queue, descriptor, true, end);
  if (sequence === -1) return { result: ETIMEDOUT };
  return yield* callAnswer(device, queue, sequence, end);
}

const NO_KEY: PageKey = { pool: 0, object: 0, index: 0 };

export function* newPool(device: Device, flags: number): Act<number> {
  const descriptor = { command: Command.NEW_POOL, flags: flags | SPEC_VERSION };
  const { result } = yield* call(device, queueOf(device, NO_KEY), descriptor, POOL_TIMEOUT);
  if (result >= 0) device.scheduler.note('poolOpen', result);
  else if (result !== ETIMEDOUT) throw new Problem(`a new pool: ${result}`);
  return result;
}

export function* destroyPool(device: Device, pool: number): Act<number> {
  const key = { ...NO_KEY, pool };
  const descriptor = describe(Command.DESTROY_POOL, key);
  const { result } = yield* call(device, queueOf(device, key), descriptor, POOL_TIMEOUT);
  device.scheduler.note('poolClosed', pool);
  if (result !== 1 && result !== ETIMEDOUT) throw new Problem(`the end of a pool: ${result}`);
  return result;
}

/** tmem_post_put(). @returns the sequence, or -1: the slot is ours again */
export function* postPut(
  device: Device,
  queue: Queue,
  descriptor: RawDescriptor,
  wait: boolean,
  end: number,
): Act<number> {
  const sequence = yield* device.postBy(queue, descriptor, wait, end);
  if (sequence !== -1) return sequence;
  queue.stalled = true;
  yield* device.credits.giveBack(descriptor.slot!);
  return -1;
}

/** A put that failed: only a policy may have it fail, and then in one of two ways. */
export function checkRefusal(device: Device, result: number): void {
  const may = device.plan.policy !== 'accept';
  if (may && (result === ENOMEM || result === ENOSPC)) return;
  throw new Problem(`a put of a slot that was granted: ${result}`);
}

export interface PutResult {
  /** 1, -ENOSPC, -EBUSY or -ETIMEDOUT. */
  readonly result: number;
  readonly slot: number;
  readonly unanswered?: Unanswered;
}

/** tmem_put_page(). */
export function* putPage(device: Device, key: PageKey, value: number): Act<PutResult> {
  const { credits, features, plan } = device;
  const end = device.scheduler.now + plan.putTimeout;
  const queue = queueOf(device, key);
  const wait = (features & Feature.POSTED_PUTS) === 0;
  const may = (yield* device.acceptsPuts()) && !(yield* device.isStalled(queue));
  const slot = may ? yield* device.takeCredit() : -1;
  if (slot === -1) return { result: EBUSY, slot };
  yield* credits.fill(slot, value);
  if (!wait) credits.hold(slot);
  const descriptor = { ...describe(Command.PUT_PAGE, key), slot };
  const sequence = yield* postPut(device, queue, descriptor, wait, end);
  if (sequence === -1) return { result: EBUSY, slot };
  if (!wait) return { result: 1, slot };
  if (!(yield* device.wait(queue, sequence, device.left(end)))) {
    queue.stalled = true;
    yield* device.abandon(queue, sequence);
    return { result: ETIMEDOUT, slot, unanswered: { queue, sequence } };
  }
  const { result } = yield* device.reap(queue, sequence);
  if (result !== 1) {
    checkRefusal(device, result);
    return { result: ENOSPC, slot };
  }
  credits.hold(slot);
  return { result, slot };
}

/** tmem_get_answer(). */
function* getAnswer(
  device: Device,
  queue: Queue,
  descriptor: RawDescriptor,
  timeout: number,
): Act<Answer | undefined> {
  const end = device.scheduler.now + timeout;
  const sequence = yield* device.postBy(queue, descriptor, true, end);
  if (sequence === -1) return undefined;
  while (!(yield* device.wait(queue, sequence, Math.min(device.left(end), GET_REPORT)))) {
    if (device.scheduler.now <= end) continue;
    yield* device.orphans.add(queue, sequence);
    return undefined;
  }
  return yield* device.reap(queue, sequence);
}

/** tmem_take_page(). @returns the page's value */
export function* takePage(device: Device, slotWord: number): Act<number> {
  const slot = (slotWord & ~REPLY_SLOT_GRANTED) >>> 0;
  const ours = slotWord !== slot;
  if (ours) yield* device.credits.claim(slot);
  if (slot >= device.credits.slotCount) throw new Problem(`a page in slot ${slot}`);
  const value = yield* device.credits.copy(slot);
  if (ours) yield* device.credits.giveBack(slot);
  return value;
}

/** tmem_get_page(). @returns the page's value, 0 for a miss, or -ETIMEDOUT */
export function getPage(device: Device, key: PageKey, timeout: number): Act<number> {
  return getBy(device, queueOf(device, key), key, timeout);
}

/** tmem_get_by(). */
export function* getBy(device: Device, queue: Queue, key: PageKey, timeout: number): Act<number> {
  const descriptor = describe(Command.GET_PAGE, key);
  const answer = yield* getAnswer(device, queue, descriptor, timeout);
  if (answer === undefined) return ETIMEDOUT;
  if (answer.result === 0) return 0;
  if (answer.result !== 1) throw new Problem(`a get from a pool that is there: ${answer.result}`);
  return device.staged ? answer.value : yield* takePage(device, answer.slot);
}

/** tmem_get_direct(). @returns the page's value */
export function* getDirect(device: Device, key: PageKey, slot: number): Act<number> {
  const end = device.scheduler.now + device.plan.putTimeout;
  const queue = queueOf(device, key);
  const value = yield* device.credits.copy(slot);
  const descriptor = describe(Command.GET_PAGE, key);
  if ((yield* device.post(queue, descriptor, false)) !== -1) return value;
  const stalled = yield* device.isStalled(queue);
  if (stalled || (yield* device.postBy(queue, descriptor, false, end)) === -1) {
    queue.stalled = true;
  }
  return value;
}

/** tmem_flush_page(). @returns false when the queue is full */
export function* flushPage(device: Device, key: PageKey): Act<boolean> {
  const queue = queueOf(device, key);
  return (yield* device.post(queue, describe(Command.FLUSH_PAGE, key), false)) !== -1;
}

/** Between two looks of a worker that finds its queue full. Longer than the module's. */
export const DRAIN_PAUSE = 5 * MS;
