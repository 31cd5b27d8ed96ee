/**
 * The queues of a link's host end, in a region that is the host's alone: where their parts are,
 * what they hold, and what they tell a host's end that goes on where another one died.
 *
 * The link writes descriptors and tails, the session answers and heads; all of it outlives both.
 * Reads only. The caller owns the region.
 */
import type { Geometry } from '../protocol/geometry.js';
import {
  Command,
  DESCRIPTOR,
  HEADER,
  PAGE_BYTES,
  QUEUE_CONTROL,
  REPLY,
  REPLY_SLOT_GRANTED,
  wordsOf,
} from '../protocol/layout.js';
import { SlotState, type SlotTable } from '../store/slot-table.js';
import type { LinkRecord } from './link-record.js';

const header = wordsOf(HEADER);
const queueControl = wordsOf(QUEUE_CONTROL);
const descriptor = wordsOf(DESCRIPTOR);
const reply = wordsOf(REPLY);
const WORD_VALUES = 2 ** 32;

export class LinkQueues {
  readonly #words: Int32Array;
  readonly #geometry: Geometry;

  constructor(words: Int32Array, geometry: Geometry) {
    this.#words = words;
    this.#geometry = geometry;
  }

  /** Place of a word of the queue's control block, as all places here in words of the region. */
  controlWord(queue: number, word: number): number {
    const { queueOffset, queueStride } = this.#geometry;
    return (queueOffset + queue * queueStride) / 4 + word;
  }

  #place(sequence: number): number {
    return sequence & (this.#geometry.queueEntries - 1);
  }

  descriptorWord(queue: number, sequence: number): number {
    const at = this.#geometry.descriptorOffset + this.#place(sequence) * DESCRIPTOR.bytes;
    return this.controlWord(queue, at / 4);
  }

  replyWord(queue: number, sequence: number): number {
    const at = this.#geometry.replyOffset + this.#place(sequence) * REPLY.bytes;
    return this.controlWord(queue, at / 4);
  }

  creditWord(count: number): number {
    const { creditOffset, creditEntries } = this.#geometry;
    return creditOffset / 4 + (count & (creditEntries - 1));
  }

  /** Where a slot's page begins, in bytes. */
  slotAt(slot: number): number {
    return (this.#geometry.slotPage + slot) * PAGE_BYTES;
  }

  /** Descriptors that stand in the queue or have stood there. */
  tail(queue: number): number {
    return this.#words[this.controlWord(queue, queueControl.tail)]! >>> 0;
  }

  /** Descriptors answered. */
  head(queue: number): number {
    return Atomics.load(this.#words, this.controlWord(queue, queueControl.head)) >>> 0;
  }

  /** The slot word of a get that hit, negative where the slot is granted; -1: no get, or no hit. */
  hitAt(queue: number, sequence: number): number {
    const words = this.#words;
    const command = words[this.descriptorWord(queue, sequence) + descriptor.command];
    if (command !== Command.GET_PAGE) return -1;
    const at = this.replyWord(queue, sequence);
    return words[at + reply.result] === 1 ? words[at + reply.slot]! : -1;
  }

  /** The slot that an answer grants; -1 for none. */
  grantAt(queue: number, sequence: number): number {
    const slot = this.hitAt(queue, sequence);
    return slot < -1 ? slot & ~REPLY_SLOT_GRANTED : -1;
  }

  /** Says in a descriptor how many puts of the guest's life have come with it and before it. */
  countPutsAt(word: number, puts: number): void {
    // Reserved: the guest's are zero, and nobody reads them here.
    this.#words[word + descriptor.reserved] = puts | 0;
    this.#words[word + descriptor.reserved + 1] = Math.floor(puts / WORD_VALUES);
  }

  /** Puts of a life of the guest's: the most that any queue's last descriptor tells of. */
  puts(epoch: number): number {
    const words = this.#words;
    let puts = 0;
    for (let queue = 0; queue < this.#geometry.queueCount; queue += 1) {
      const last = (this.tail(queue) - 1) >>> 0;
      const at = this.descriptorWord(queue, last);
      const isThere = words[at + descriptor.sequence]! >>> 0 === last;
      if (!isThere || words[at + descriptor.epoch]! >>> 0 !== epoch) continue;
      const high = words[at + descriptor.reserved + 1]! * WORD_VALUES;
      puts = Math.max(puts, high + (words[at + descriptor.reserved]! >>> 0));
    }
    return puts;
  }

  /** Slots promised to the guest that stand in neither ring, queue nor undelivered answer. */
  stock(slots: SlotTable, record: LinkRecord): number[] {
    const { queueCount, queueEntries, creditEntries } = this.#geometry;
    const words = this.#words;
    const elsewhere = new Set<number>();
    const ring = [words[header.credit_head]!, words[header.credit_tail]!] as const;
    for (const at of counted(...ring, creditEntries)) elsewhere.add(words[this.creditWord(at)]!);
    for (let queue = 0; queue < queueCount; queue += 1) {
      const head = this.head(queue);
      for (const at of counted(head, this.tail(queue), queueEntries)) {
        const from = this.descriptorWord(queue, at);
        const isPut = words[from + descriptor.command] === Command.PUT_PAGE;
        if (isPut) elsewhere.add(words[from + descriptor.slot]!);
      }
      for (const at of counted(record.delivered(queue), head, queueEntries)) {
        elsewhere.add(this.grantAt(queue, at));
      }
    }
    const stock: number[] = [];
    for (let slot = 0; slot < slots.count; slot += 1) {
      if (slots.state(slot) === SlotState.GRANTED && !elsewhere.has(slot)) stock.push(slot);
    }
    return stock;
  }
}

/** The values of a free-running counter from one up to another; none where they cannot be. */
function* counted(from: number, to: number, most: number): Generator<number> {
  const count = (to - from) >>> 0;
  if (count > most) return;
  for (let step = 0; step < count; step += 1) yield (from + step) >>> 0;
}
