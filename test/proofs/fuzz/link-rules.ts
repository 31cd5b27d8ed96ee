/**
 * What PROTOCOL.md section 9 says that a host does with the frames that reach it whole: which
 * descriptors stand in its queues afterwards, and what cuts a guest off.
 *
 * Holds for a life that the host serves. Slots are the host's choice. Whether a guest that puts more
 * than it was told it may is found out depends on slots that the host has not told of yet.
 */
import {
  Command,
  DESCRIPTOR,
  FRAME,
  FRAME_ITEM,
  FrameKind,
  PAGE_BYTES,
  wordsOf,
} from '../../../emulator/protocol/layout.js';

const frame = wordsOf(FRAME);
const item = wordsOf(FRAME_ITEM);
const descriptor = wordsOf(DESCRIPTOR);
const HEAD_WORDS = FRAME.bytes / 4;
const ITEM_WORDS = FRAME_ITEM.bytes / 4;
const DESCRIPTOR_WORDS = DESCRIPTOR.bytes / 4;
const PAGE_WORDS = PAGE_BYTES / 4;

/** A descriptor that the host has taken, and not answered yet. */
export interface Taken {
  readonly queue: number;
  readonly sequence: number;
  readonly words: Int32Array;
  /** First word of a put's page. */
  readonly mark: number | undefined;
}

export class LinkRules {
  readonly #queueEntries: number;
  readonly taken: Uint32Array;
  readonly #delivered: Uint32Array;
  /** Replies that were sent at least once. */
  readonly #seen: Uint32Array;
  /** The life on the link; 0: none. */
  epoch = 0;
  #credits = 0;
  #puts = 0;
  /** Taken since this was last emptied. */
  fresh: Taken[] = [];
  /** A frame that cuts the guest off has come; `maybe`: if the host has no slot to spare. */
  fault: 'no' | 'maybe' | 'yes' = 'no';

  constructor(queueCount: number, queueEntries: number) {
    this.#queueEntries = queueEntries;
    this.taken = new Uint32Array(queueCount);
    this.#delivered = new Uint32Array(queueCount);
    this.#seen = new Uint32Array(queueCount);
  }

  /** A life begins, or none is there (0). */
  begin(epoch: number): void {
    this.epoch = epoch;
    for (const counts of [this.taken, this.#delivered, this.#seen]) counts.fill(0);
    this.#credits = 0;
    this.#puts = 0;
    this.fresh = [];
    this.fault = 'no';
  }

  /** The host has sent all replies up to its heads, and told of `credits` puts. */
  sent(heads: Uint32Array, credits: number): void {
    this.#seen.set(heads);
    this.#credits = credits;
  }

  /** A whole frame reaches the host. */
  receive(bytes: Uint8Array): void {
    const all = new Int32Array(bytes.slice().buffer);
    const words = all.subarray(HEAD_WORDS);
    if (this.epoch === 0 || all[frame.epoch]! >>> 0 !== this.epoch || this.fault === 'yes') return;
    switch (all[frame.kind]) {
      case FrameKind.HELLO:
        break;
      case FrameKind.OPERATIONS:
        if (this.#acknowledge(words)) this.#operations(words);
        break;
      case FrameKind.RESYNC:
        this.#acknowledge(words);
        break;
      case FrameKind.GOODBYE:
        this.begin(0);
        break;
      default:
        this.fault = 'yes';
    }
  }

  #acknowledge(words: Int32Array): boolean {
    for (let queue = 0; queue < this.taken.length; queue += 1) {
      const open = (this.#seen[queue]! - this.#delivered[queue]!) >>> 0;
      const ahead = ((words[queue] ?? 0) - this.#delivered[queue]!) | 0;
      if (words.length < this.taken.length || ahead > open) {
        this.fault = 'yes';
        return false;
      }
      if (ahead > 0) this.#delivered[queue] = words[queue]!;
    }
    return true;
  }

  #operations(words: Int32Array): void {
    for (let at = this.taken.length; at < words.length; ) {
      const body = at + ITEM_WORDS;
      const end = body + DESCRIPTOR_WORDS;
      const isPut = words[body + descriptor.command] === Command.PUT_PAGE;
      const pages = words[at + item.pages]! >>> 0;
      const whole = end + pages * PAGE_WORDS <= words.length;
      const queue = words[at + item.queue]! >>> 0;
      if (!whole || queue >= this.taken.length || pages !== (isPut ? 1 : 0)) {
        this.fault = 'yes';
        return;
      }
      this.#operation(queue, words.slice(body, end), isPut ? words[end]! : undefined);
      if (this.fault === 'yes') return;
      at = end + pages * PAGE_WORDS;
    }
  }

  #operation(queue: number, words: Int32Array, mark: number | undefined): void {
    const sequence = this.taken[queue]!;
    if (words[descriptor.sequence]! >>> 0 !== sequence) return;
    if ((sequence - this.#delivered[queue]!) >>> 0 >= this.#queueEntries) {
      this.fault = 'yes';
      return;
    }
    if (mark !== undefined) {
      this.#puts = (this.#puts + 1) >>> 0;
      if (((this.#puts - this.#credits) | 0) > 0) this.fault = 'maybe';
    }
    this.fresh.push({ queue, sequence, words, mark });
    this.taken[queue] = sequence + 1;
  }
}
