/**
 * What a link's host end needs to know of the one before it and cannot see in the queues.
 *
 * 32-bit words in memory that outlives the process and that no guest sees. Single writer. Each word
 * is true by itself.
 */
import { QUEUE_COUNT_MAX } from '../protocol/geometry.js';

const WORD = {
  sending: 0,
  delivered: 1,
} as const;

const WORDS = WORD.delivered + QUEUE_COUNT_MAX;

export class LinkRecord {
  static readonly bytes = WORDS * 4;
  readonly #words: Uint32Array;

  /** `memory` is zeroed, or an earlier link's; `offset` in bytes, a multiple of four. */
  constructor(memory: ArrayBuffer = new ArrayBuffer(LinkRecord.bytes), offset = 0) {
    this.#words = new Uint32Array(memory, offset, WORDS);
  }

  /** Bytes of a frame that has perhaps not gone out whole; 0 for none. */
  get sending(): number {
    return this.#words[WORD.sending]!;
  }

  set sending(bytes: number) {
    if (bytes !== this.sending) Atomics.store(this.#words, WORD.sending, bytes);
  }

  /** Replies of a queue that the guest has. */
  delivered(queue: number): number {
    return this.#words[WORD.delivered + queue]!;
  }

  setDelivered(queue: number, count: number): void {
    Atomics.store(this.#words, WORD.delivered + queue, count);
  }

  /** A life of the guest's begins, which has none. The caller makes an atomic store next. */
  clearDelivered(): void {
    this.#words.fill(0, WORD.delivered);
  }
}
