/**
 * What a hostile guest may send over a link, as steps of plain JSON: frames with right checksums
 * and wrong contents, damaged ones, noise. Between them the guest keeps count like an honest one.
 */
import { crc32 } from 'node:zlib';
import {
  Command,
  DESCRIPTOR,
  FRAME,
  FRAME_ITEM,
  FrameKind,
  PAGE_BYTES,
  PROTOCOL_VERSION,
  REPLY,
  WELCOME,
  wordsOf,
} from '../../../emulator/protocol/layout.js';
import { type Frame, FrameReader, FrameWriter } from '../../../emulator/transport/frame.js';

const frameWords = wordsOf(FRAME);
const descriptor = wordsOf(DESCRIPTOR);
const item = wordsOf(FRAME_ITEM);
const reply = wordsOf(REPLY);
const ITEM_WORDS = FRAME_ITEM.bytes / 4;
const REPLY_WORDS = REPLY.bytes / 4;
const PAGE_WORDS = PAGE_BYTES / 4;

export interface Item {
  readonly queue: number;
  readonly command: number;
  readonly pool: number;
  readonly object: number;
  readonly index: number;
  readonly flags: number;
  /** Added to the sequence that would be right. */
  readonly ahead: number;
  /** Words of the item and its descriptor to overwrite: number and value. */
  readonly spoil: readonly (readonly [number, number])[];
}

export type LinkStep =
  | {
      readonly do: 'frame';
      readonly kind: number;
      /** 0: the guest's own. */
      readonly epoch: number;
      /** Added to the replies of queue 0 that the guest says it has. */
      readonly acknowledge: number;
      readonly items: readonly Item[];
      /** Words more, or fewer, at the end. */
      readonly grow: number;
      /** A bit that is turned on the way; -1: none. */
      readonly turn: number;
      /** Put though there is no credit. */
      readonly greedy: boolean;
    }
  | { readonly do: 'hello'; readonly epoch: number; readonly version: number }
  | { readonly do: 'noise'; readonly bytes: readonly number[] }
  /** Frames' headers, one if nothing is said, with right checksums and no frame behind them. */
  | { readonly do: 'head'; readonly length: number; readonly count?: number }
  /** The host takes in what has come, serves and sends. `lose`: that does not arrive. */
  | { readonly do: 'serve'; readonly lose: boolean }
  /** A frame has begun, and time passes. */
  | { readonly do: 'giveUp' }
  /** The machine goes, and another one comes. */
  | { readonly do: 'restart' };

/** A page's mark: which key it was put under. */
export function markOf(pool: number, object: number, index: number): number {
  return Math.imul(Math.imul(pool ^ 0x5bd1, 0x9e37_79b1) ^ object, 0x85eb_ca6b) ^ index;
}

export class LinkHalfHonestGuest {
  readonly #writer = new FrameWriter();
  readonly #reader = new FrameReader();
  readonly #queueEntries: number;
  readonly #page = new Int32Array(PAGE_WORDS);
  /** Marks of the gets that are under way, by queue and place; 0: no get, or a doubtful one. */
  readonly #marks: Int32Array[];
  readonly sent: Uint32Array;
  readonly taken: Uint32Array;
  epoch = 0;
  /** The host may be made to send again what has gone meanwhile. */
  #rewound = false;
  #puts = 0;
  /** Puts that the host let so far. */
  credits = 0;

  constructor(queueCount: number, queueEntries: number) {
    this.#queueEntries = queueEntries;
    this.sent = new Uint32Array(queueCount);
    this.taken = new Uint32Array(queueCount);
    this.#marks = Array.from({ length: queueCount }, () => new Int32Array(queueEntries));
  }

  /** The bytes of a step that sends some, whole. */
  bytesOf(step: LinkStep): Uint8Array {
    switch (step.do) {
      case 'hello':
        return this.#hello(step.epoch, step.version);
      case 'noise':
        return Uint8Array.from(step.bytes);
      case 'head':
        return this.#heads(step.length, step.count ?? 1);
      case 'frame':
        return this.#frame(step);
      default:
        return new Uint8Array(0);
    }
  }

  #hello(epoch: number, version: number): Uint8Array {
    if (version === PROTOCOL_VERSION && epoch !== 0 && epoch !== this.epoch) this.#begin(epoch);
    this.#writer.addWord(version);
    this.#writer.addWord(-1);
    return this.#writer.finish({ kind: FrameKind.HELLO, epoch });
  }

  #heads(length: number, count: number): Uint8Array {
    const bytes = this.#writer.finish({ kind: FrameKind.OPERATIONS, epoch: this.epoch }).slice();
    const words = new Int32Array(bytes.buffer);
    words[frameWords.length] = length;
    words[frameWords.head_crc] = crc32(bytes.subarray(0, 4 * frameWords.head_crc));
    return Buffer.concat(new Array<Uint8Array>(count).fill(bytes));
  }

  #begin(epoch: number): void {
    this.epoch = epoch;
    this.sent.fill(0);
    this.taken.fill(0);
    this.#puts = 0;
    this.credits = 0;
    this.#rewound = false;
  }

  #frame(step: LinkStep & { do: 'frame' }): Uint8Array {
    const writer = this.#writer;
    const { kind, epoch, turn } = step;
    const honest = epoch === 0 && turn === -1 && step.grow === 0 && step.acknowledge === 0;
    const hasCounts = kind === FrameKind.OPERATIONS || kind === FrameKind.RESYNC;
    if (kind === FrameKind.RESYNC || !honest) this.#rewound = true;
    if (hasCounts)
      writer.addWords(this.taken.map((taken, at) => taken + (at === 0 ? step.acknowledge : 0)));
    for (const each of step.items) this.#addItem(each, honest, step.greedy);
    for (let more = 0; more < step.grow; more += 1) writer.addWord(more);
    const whole = writer.finish({ kind, epoch: epoch === 0 ? this.epoch : epoch });
    const fewer = step.grow < 0 && whole.length + 4 * step.grow >= 32;
    const bytes = fewer ? this.#cut(whole, step) : whole;
    return bytes;
  }

  /** The same frame with fewer words, and right checksums. */
  #cut(whole: Uint8Array, step: LinkStep & { do: 'frame' }): Uint8Array {
    const payload = whole.slice(32, whole.length + 4 * step.grow);
    this.#writer.addBytes(payload);
    return this.#writer.finish({
      kind: step.kind,
      epoch: step.epoch === 0 ? this.epoch : step.epoch,
    });
  }

  #addItem(each: Item, honest: boolean, greedy: boolean): void {
    const queue = each.queue & (this.sent.length - 1);
    const sequence = this.sent[queue]!;
    const full = (sequence - this.taken[queue]!) >>> 0 >= this.#queueEntries;
    if (full && !greedy) return;
    const wanted = each.command === Command.PUT_PAGE;
    const isPut = wanted && (greedy || ((this.credits - this.#puts) | 0) > 0);
    const writer = this.#writer;
    if (writer.room < 4 * (ITEM_WORDS + 16 + PAGE_WORDS)) return;
    const words = new Int32Array(ITEM_WORDS + 16);
    words[item.queue] = queue;
    words[item.pages] = isPut ? 1 : 0;
    const at = ITEM_WORDS;
    words[at + descriptor.command] = wanted && !isPut ? Command.FLUSH_PAGE : each.command;
    words[at + descriptor.pool] = each.pool;
    words[at + descriptor.oid] = each.object;
    words[at + descriptor.index] = each.index;
    words[at + descriptor.flags] = each.flags;
    words[at + descriptor.sequence] = sequence + each.ahead;
    words[at + descriptor.epoch] = this.epoch;
    for (const [word, value] of each.spoil) words[word % words.length] = value;
    writer.addWords(words);
    const mark = markOf(each.pool, each.object, each.index);
    if (isPut) {
      this.#page[0] = mark;
      writer.addBytes(new Uint8Array(this.#page.buffer));
      this.#puts += 1;
    }
    const plain = honest && each.ahead === 0 && each.spoil.length === 0;
    const isGet = plain && each.command === Command.GET_PAGE;
    this.#marks[queue]![sequence & (this.#queueEntries - 1)] = isGet ? mark : 0;
    if (!plain) this.#rewound = true;
    if (each.ahead === 0) this.sent[queue] = sequence + 1;
  }

  // --- From the host ----------------------------------------------------------------------------

  /** What the host sent did not arrive: it is asked for again some time. */
  lose(): void {
    this.#rewound = true;
  }

  /** Takes in a frame of the host's. @returns what is wrong with it */
  receive(bytes: Uint8Array): string | undefined {
    this.#reader.space.set(bytes);
    this.#reader.filled(bytes.length);
    const frame = this.#reader.next();
    if (frame === undefined || this.#reader.damaged) return 'the host sent a damaged frame';
    const { payload } = frame;
    const words = new Int32Array(payload.buffer, payload.byteOffset, payload.length / 4);
    if (frame.epoch !== this.epoch) {
      return frame.kind === FrameKind.WELCOME ? undefined : `a frame of life ${frame.epoch}`;
    }
    this.credits = frame.credits;
    return this.#takeIn(frame, words);
  }

  #takeIn(frame: Frame, words: Int32Array): string | undefined {
    switch (frame.kind) {
      case FrameKind.REPLIES:
        return this.#replies(words);
      case FrameKind.RESYNC:
        return this.#resync(words);
      case FrameKind.WELCOME:
        return words.length * 4 === WELCOME.bytes ? undefined : 'a welcome of another size';
      case FrameKind.STATUS:
        return words.length === 0 ? undefined : 'a status with contents';
      default:
        return `the host sent kind ${frame.kind}`;
    }
  }

  #resync(words: Int32Array): string | undefined {
    if (words.length !== this.sent.length) return 'a RESYNC of another size';
    for (const [queue, count] of words.entries()) {
      const ahead = (count - this.taken[queue]!) >>> 0;
      if (ahead <= (this.sent[queue]! - this.taken[queue]!) >>> 0) this.sent[queue] = count;
    }
    return undefined;
  }

  #replies(words: Int32Array): string | undefined {
    for (let at = 0; at < words.length; ) {
      const queue = words[at + item.queue]!;
      const pages = words[at + item.pages]!;
      const body = at + ITEM_WORDS;
      at = body + REPLY_WORDS + (pages === 1 ? PAGE_WORDS : 0);
      if (!(queue in this.sent) || (pages & ~1) !== 0 || at > words.length) return 'a bad item';
      const sequence = words[body + reply.sequence]! >>> 0;
      if (sequence !== this.taken[queue]) continue;
      this.taken[queue] = sequence + 1;
      if (((this.sent[queue]! - sequence - 1) | 0) < 0) this.sent[queue] = sequence + 1;
      const mark = this.#marks[queue]![sequence & (this.#queueEntries - 1)]!;
      const page = words[body + REPLY_WORDS]!;
      const isOther = pages === 1 && mark !== 0 && page !== mark && !this.#rewound;
      if (isOther) return `queue ${queue}, ${sequence}: the page of another key`;
    }
    return undefined;
  }
}
