/**
 * Gets that the module has given up, as in guest-kmod/queue.c: whoever needs their place in the
 * queue, or a credit, takes the slot that an answer brought meanwhile. The device owns it.
 */
import { REPLY, REPLY_SLOT_GRANTED, wordsOf } from '../../../../emulator/protocol/layout.js';
import type { FakeGuest } from '../../../../emulator/testing/index.js';
import { type Act, STEP } from '../scheduler.js';
import type { Device, Queue } from './device.js';

const reply = wordsOf(REPLY);

export class Orphans {
  readonly #device: Device;
  readonly #words: FakeGuest;

  constructor(device: Device, words: FakeGuest) {
    this.#device = device;
    this.#words = words;
  }

  /** tmem_queue_orphan(). */
  *add(queue: Queue, sequence: number): Act {
    if (this.#device.staged) {
      yield* this.#device.abandon(queue, sequence);
      return;
    }
    yield* queue.lock.take();
    queue.orphans.add(sequence);
    queue.lock.drop();
  }

  #peek(queue: Queue, sequence: number, word: number): number {
    return this.#words.peek(this.#words.replyOffset(queue.number, sequence) + word * 4);
  }

  /** tmem_queue_collect(), of one that is answered. Queue lock held. */
  *take(queue: Queue, sequence: number): Act {
    const slot = this.#peek(queue, sequence, reply.slot);
    yield STEP;
    const result = this.#peek(queue, sequence, reply.result) | 0;
    yield STEP;
    queue.orphans.delete(sequence);
    queue.busy[sequence & (queue.busy.length - 1)] = 0;
    if (result !== 1 || slot < REPLY_SLOT_GRANTED) return;
    yield* this.#device.credits.claim((slot & ~REPLY_SLOT_GRANTED) >>> 0);
    yield* this.#device.credits.giveBack((slot & ~REPLY_SLOT_GRANTED) >>> 0);
  }

  /** tmem_queues_collect(). */
  *takeAll(): Act {
    for (const queue of this.#device.queues) {
      if (queue.orphans.size === 0) continue;
      yield* queue.lock.take();
      for (const sequence of [...queue.orphans]) {
        if (this.#device.answered(queue, sequence)) yield* this.take(queue, sequence);
      }
      queue.lock.drop();
    }
  }

  /** Slots that are the guest's and that it has not taken yet. */
  slots(): number[] {
    return this.#device.queues.flatMap((queue) =>
      [...queue.orphans]
        .filter((sequence) => this.#device.answered(queue, sequence))
        .filter((sequence) => (this.#peek(queue, sequence, reply.result) | 0) === 1)
        .map((sequence) => this.#peek(queue, sequence, reply.slot))
        .filter((slot) => slot >= REPLY_SLOT_GRANTED)
        .map((slot) => (slot & ~REPLY_SLOT_GRANTED) >>> 0),
    );
  }
}
