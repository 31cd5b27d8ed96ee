/**
 * What a hostile guest, and what is around it, may do: an input is a list of steps, plain JSON,
 * that does the same each time.
 *
 * Between the words that it spoils the guest is an honest one: it keeps its own tails, takes its
 * slots from the credit ring, and puts what it took, so that a changed word stands among right
 * ones.
 */
import type { Geometry } from '../../../emulator/protocol/geometry.js';
import {
  Command,
  DESCRIPTOR,
  GuestState,
  HEADER,
  PROTOCOL_VERSION,
  QUEUE_CONTROL,
  REPLY,
  wordsOf,
} from '../../../emulator/protocol/layout.js';
import type { Race } from './watch.js';

const header = wordsOf(HEADER);
const queueControl = wordsOf(QUEUE_CONTROL);
const descriptor = wordsOf(DESCRIPTOR);
const reply = wordsOf(REPLY);

/** A put's slot that stands for: the next credit; the slot that was put last; one still in hand. */
export const Slot = { CREDIT: -1, LAST_PUT: -2, IN_HAND: -3 } as const;

export interface Post {
  readonly do: 'post';
  readonly queue: number;
  readonly command: number;
  readonly pool: number;
  /** First word of the object id; the others are 0. */
  readonly object: number;
  readonly index: number;
  readonly flags: number;
  /** Its number as it is, or one of Slot. */
  readonly slot: number;
  /** Words of the descriptor to overwrite: number and value. */
  readonly spoil: readonly (readonly [number, number])[];
  /** How far the tail goes. */
  readonly by: number;
}

export type Step =
  | Post
  /** The host serves once. `dieAfter`: it dies after so many atomic stores; -1: it does not. */
  | { readonly do: 'serve'; readonly races: readonly Race[]; readonly dieAfter: number }
  | { readonly do: 'poke'; readonly word: number; readonly value: number }
  | { readonly do: 'attach'; readonly epoch: number; readonly features: number }
  | { readonly do: 'detach' }
  /** The host says that it sleeps, looks once more, and is awake again. */
  | { readonly do: 'sleep' }
  /** The machine goes, and another one comes. */
  | { readonly do: 'restart' }
  /** Another store takes over from this one, which died between two calls. */
  | { readonly do: 'takeOver' }
  | { readonly do: 'quota'; readonly pages: number }
  | { readonly do: 'refuse'; readonly refuse: boolean };

/** The honest half of the guest: what it knows of its own words. */
export class HalfHonestGuest {
  readonly #words: Int32Array;
  readonly #geometry: Geometry;
  readonly tails: Uint32Array;
  /** Replies read, of each queue. */
  readonly #read: Uint32Array;
  #creditHead = 0;
  #hand: number[] = [];
  #lastPut = 0;
  epoch = 0;

  constructor(words: Int32Array, geometry: Geometry) {
    this.#words = words;
    this.#geometry = geometry;
    this.tails = new Uint32Array(geometry.queueCount);
    this.#read = new Uint32Array(geometry.queueCount);
  }

  queueWord(queue: number, word: number): number {
    return (this.#geometry.queueOffset + queue * this.#geometry.queueStride) / 4 + word;
  }

  descriptorWord(queue: number, sequence: number): number {
    const place = sequence & (this.#geometry.queueEntries - 1);
    const at = this.#geometry.descriptorOffset + place * DESCRIPTOR.bytes;
    return this.queueWord(queue, at / 4);
  }

  replyWord(queue: number, sequence: number): number {
    const place = sequence & (this.#geometry.queueEntries - 1);
    return this.queueWord(queue, (this.#geometry.replyOffset + place * REPLY.bytes) / 4);
  }

  attach(epoch: number, features: number): void {
    const words = this.#words;
    words[header.guest_state] = GuestState.DETACHED;
    for (let queue = 0; queue < this.tails.length; queue += 1) {
      words[this.queueWord(queue, queueControl.tail)] = 0;
      words[this.queueWord(queue, queueControl.guest_sleep)] = 0;
    }
    words[header.credit_head] = 0;
    words[header.guest_version] = PROTOCOL_VERSION;
    words[header.guest_features] = features;
    words[header.guest_epoch] = epoch;
    words[header.guest_state] = GuestState.ATTACHED;
    this.tails.fill(0);
    this.#read.fill(0);
    this.#creditHead = 0;
    this.#hand = [];
    this.epoch = epoch;
  }

  detach(): void {
    this.#words[header.guest_state] = GuestState.DETACHED;
  }

  /** Posts a descriptor, spoilt or not. @returns false when the queue has no place for it */
  post(step: Post): boolean {
    const queue = step.queue & (this.tails.length - 1);
    const tail = this.tails[queue]!;
    const head = this.#words[this.queueWord(queue, queueControl.head)]!;
    if ((tail - head) >>> 0 >= this.#geometry.queueEntries) return false;
    const words = this.#words;
    const at = this.descriptorWord(queue, tail);
    let { command } = step;
    let slot = 0;
    if (command === Command.PUT_PAGE) {
      slot = this.#slotOf(step.slot);
      // With no credit an honest guest refuses, and drops what it had.
      if (slot === -1) command = Command.FLUSH_PAGE;
    }
    words.fill(0, at, at + DESCRIPTOR.bytes / 4);
    words[at + descriptor.command] = command;
    words[at + descriptor.pool] = step.pool;
    words[at + descriptor.oid] = step.object;
    words[at + descriptor.index] = step.index;
    words[at + descriptor.slot] = slot;
    words[at + descriptor.flags] = step.flags;
    words[at + descriptor.sequence] = tail;
    words[at + descriptor.epoch] = this.epoch;
    for (const [word, value] of step.spoil) words[at + (word & 15)] = value;
    this.tails[queue] = tail + step.by;
    words[this.queueWord(queue, queueControl.tail)] = this.tails[queue]!;
    return true;
  }

  #slotOf(slot: number): number {
    if (slot >= 0 || slot < Slot.IN_HAND) return slot;
    if (slot === Slot.LAST_PUT) return this.#lastPut;
    if (this.#hand.length === 0) this.#takeCredits();
    const last = this.#hand.length - 1;
    if (slot === Slot.IN_HAND) return this.#hand[last] ?? -1;
    this.#lastPut = this.#hand[last] ?? this.#lastPut;
    return this.#hand.pop() ?? -1;
  }

  #takeCredits(): void {
    const { creditOffset, creditEntries } = this.#geometry;
    const waiting = (this.#words[header.credit_tail]! - this.#creditHead) >>> 0;
    if (waiting > creditEntries) return;
    for (let count = Math.min(waiting, 8); count > 0; count -= 1) {
      const entry = creditOffset / 4 + (this.#creditHead & (creditEntries - 1));
      this.#hand.push(this.#words[entry]!);
      this.#creditHead = (this.#creditHead + 1) >>> 0;
    }
    this.#words[header.credit_head] = this.#creditHead;
  }

  /** Reads the replies that have come: slots of ephemeral pages are in its hand with them. */
  readReplies(): void {
    for (let queue = 0; queue < this.tails.length; queue += 1) {
      const head = this.#words[this.queueWord(queue, queueControl.head)]! >>> 0;
      const fresh = (head - this.#read[queue]!) >>> 0;
      if (fresh > this.#geometry.queueEntries) continue;
      for (let count = 0; count < fresh; count += 1) {
        const sequence = this.#read[queue]!;
        const slot = this.#words[this.replyWord(queue, sequence) + reply.slot]!;
        const command = this.#words[this.descriptorWord(queue, sequence) + descriptor.command];
        if (command === Command.GET_PAGE && slot < -1) this.#hand.push(slot & 0x7fff_ffff);
        this.#read[queue] = sequence + 1;
      }
    }
  }
}
