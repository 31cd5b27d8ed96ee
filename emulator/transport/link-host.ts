/**
 * The host's end of a link: queues and pages over a stream of bytes (PROTOCOL.md section 9).
 *
 * To the session it looks like a guest that shares memory: it fills the region's queues with the
 * descriptors that come in frames, and sends the replies that it finds there. The region is the
 * host's alone then. Nothing is kept for sending again but the queues themselves: a descriptor
 * counts as taken when it stands in its queue, a reply as delivered when the guest says so, and
 * both sides go back to that when something was lost.
 *
 * The other side is hostile: a damaged frame is noise, an undamaged one that no honest guest would
 * send cuts it off. It holds no more bytes than one frame each way. The caller owns the region and
 * moves the bytes: those received into `reader`, those of `nextFrame` out.
 */
import type { Geometry } from '../protocol/geometry.js';
import {
  Command,
  DESCRIPTOR,
  Fault,
  Feature,
  FRAME_ITEM,
  FRAME_STATUS_FAULT_SHIFT,
  FRAME_STATUS_REFUSE,
  FrameKind,
  GuestState,
  HEADER,
  HELLO,
  PAGE_BYTES,
  PROTOCOL_VERSION,
  QUEUE_CONTROL,
  REPLY,
  REPLY_SLOT_GRANTED,
  wordsOf,
} from '../protocol/layout.js';
import { type Frame, FrameReader, FrameWriter } from './frame.js';
import type { SharedRegion } from './region.js';

const header = wordsOf(HEADER);
const queueControl = wordsOf(QUEUE_CONTROL);
const descriptor = wordsOf(DESCRIPTOR);
const reply = wordsOf(REPLY);
const hello = wordsOf(HELLO);
const item = wordsOf(FRAME_ITEM);
const ITEM_WORDS = FRAME_ITEM.bytes / 4;
const DESCRIPTOR_WORDS = DESCRIPTOR.bytes / 4;
const REPLY_WORDS = REPLY.bytes / 4;
const PAGE_WORDS = PAGE_BYTES / 4;

/** Slots that stand ready for pages on their way. */
const STOCK_MAX = 1024;
/** A guest with fewer puts left than this is told of new ones without being asked. */
const CREDITS_LOW = STOCK_MAX / 4;

export interface LinkHostOptions {
  readonly region: SharedRegion;
  readonly geometry: Geometry;
  /** Has the session cut this guest off. */
  readonly cutOff: (fault: number) => void;
}

/** A slot that came to the guest's stock with a get, once it has the page. */
interface Grant {
  readonly queue: number;
  readonly sequence: number;
  readonly slot: number;
}

export class LinkHost {
  readonly reader = new FrameReader();
  readonly #writer = new FrameWriter();
  readonly #options: LinkHostOptions;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  /** Descriptors taken, replies framed at least once, replies framed, replies delivered. */
  readonly #taken: Uint32Array;
  readonly #seen: Uint32Array;
  readonly #sent: Uint32Array;
  readonly #delivered: Uint32Array;
  #epoch = 0;
  #creditHead = 0;
  #stock: number[] = [];
  #grants: Grant[] = [];
  /** Puts that the guest may have sent since its life began, and those that came. */
  #credits = 0;
  #puts = 0;
  #creditsTold = 0;
  #statusTold = 0;
  #welcome = false;
  #resync = false;
  /** A RESYNC is on its way: what is out of order until it is heard needs no other. */
  #asked = false;

  constructor(options: LinkHostOptions) {
    const { queueCount } = options.geometry;
    this.#options = options;
    this.#words = options.region.words;
    this.#bytes = new Uint8Array(options.region.memory);
    this.#taken = new Uint32Array(queueCount);
    this.#seen = new Uint32Array(queueCount);
    this.#sent = new Uint32Array(queueCount);
    this.#delivered = new Uint32Array(queueCount);
  }

  /** Forgets the stream and the guest on it, whose region the session drops or has dropped. */
  reset(): void {
    this.reader.reset();
    this.#begin(0);
    this.#welcome = false;
  }

  #begin(epoch: number): void {
    for (const counters of [this.#taken, this.#seen, this.#sent, this.#delivered]) counters.fill(0);
    this.#epoch = epoch;
    this.#creditHead = 0;
    this.#stock = [];
    this.#grants = [];
    this.#credits = 0;
    this.#puts = 0;
    this.#creditsTold = 0;
    this.#resync = false;
    this.#asked = false;
  }

  /** Whether the session serves the life that is on the link. */
  get #isServed(): boolean {
    const served = Atomics.load(this.#words, header.session_epoch) >>> 0;
    return this.#epoch !== 0 && served === this.#epoch;
  }

  #queueWord(queue: number, word: number): number {
    const { queueOffset, queueStride } = this.#options.geometry;
    return (queueOffset + queue * queueStride) / 4 + word;
  }

  #place(sequence: number): number {
    return sequence & (this.#options.geometry.queueEntries - 1);
  }

  #descriptorWord(queue: number, sequence: number): number {
    const { descriptorOffset } = this.#options.geometry;
    const at = descriptorOffset + this.#place(sequence) * DESCRIPTOR.bytes;
    return this.#queueWord(queue, at / 4);
  }

  #replyWord(queue: number, sequence: number): number {
    const { replyOffset } = this.#options.geometry;
    return this.#queueWord(queue, (replyOffset + this.#place(sequence) * REPLY.bytes) / 4);
  }

  #slotAt(slot: number): number {
    return (this.#options.geometry.slotPage + slot) * PAGE_BYTES;
  }

  // --- From the guest ---------------------------------------------------------------------------

  /** Takes in the whole frames that the reader has. @returns how many there were */
  receive(): number {
    let count = 0;
    for (let frame = this.reader.next(); frame !== undefined; frame = this.reader.next()) {
      count += 1;
      this.#takeIn(frame);
    }
    if (this.reader.damaged) {
      this.reader.damaged = false;
      this.#lost();
    }
    return count;
  }

  /** Something of the guest's did not arrive: says once from where it has to send again. */
  #lost(): void {
    if (this.#epoch === 0 || this.#asked) return;
    this.#asked = true;
    this.#resync = true;
  }

  #takeIn(frame: Frame): void {
    const { payload } = frame;
    const words = new Int32Array(payload.buffer, payload.byteOffset, payload.length / 4);
    if (frame.kind === FrameKind.HELLO) {
      this.#greet(frame.epoch, words);
      return;
    }
    // What is left over of another life, or comes before any.
    if (frame.epoch !== this.#epoch || this.#epoch === 0) return;
    switch (frame.kind) {
      case FrameKind.OPERATIONS:
        if (this.#takeAcknowledgements(words)) this.#takeOperations(words, payload);
        break;
      case FrameKind.RESYNC:
        if (!this.#takeAcknowledgements(words)) break;
        this.#sent.set(this.#delivered);
        this.#asked = true;
        this.#resync = true;
        break;
      case FrameKind.GOODBYE:
        Atomics.store(this.#words, header.guest_state, GuestState.DETACHED);
        this.#begin(0);
        break;
      default:
        this.#options.cutOff(Fault.FRAME);
    }
  }

  /** A new life asks to be served: writes the words that a guest with shared memory would. */
  #greet(epoch: number, payload: Int32Array): void {
    if (payload.length < HELLO.bytes / 4 || epoch === 0) return;
    this.#welcome = true;
    if (epoch === this.#epoch || payload[hello.version] !== PROTOCOL_VERSION) return;
    this.#begin(epoch);
    const words = this.#words;
    Atomics.store(words, header.guest_state, GuestState.DETACHED);
    for (let queue = 0; queue < this.#taken.length; queue += 1) {
      words[this.#queueWord(queue, queueControl.tail)] = 0;
      words[this.#queueWord(queue, queueControl.guest_sleep)] = 0;
    }
    words[header.credit_head] = 0;
    words[header.guest_version] = PROTOCOL_VERSION;
    words[header.guest_features] =
      payload[hello.features]! & words[header.features]! & ~Feature.DIRECT_GETS;
    words[header.guest_epoch] = epoch;
    Atomics.store(words, header.guest_state, GuestState.ATTACHED);
  }

  /** The first words of a payload: replies that the guest has. False when they cannot be. */
  #takeAcknowledgements(words: Int32Array): boolean {
    const queues = this.#taken.length;
    for (let queue = 0; queue < queues; queue += 1) {
      const delivered = (words[queue] ?? -1) >>> 0;
      const ahead = (delivered - this.#delivered[queue]!) | 0;
      if (words.length < queues || ahead > (this.#seen[queue]! - this.#delivered[queue]!) >>> 0) {
        this.#options.cutOff(Fault.FRAME);
        return false;
      }
      // What is older than what it said before is of a frame that was overtaken.
      if (ahead > 0) this.#delivered[queue] = delivered;
    }
    this.#takeGrants();
    return true;
  }

  /** Slots of gets whose page the guest has by now are its credits. */
  #takeGrants(): void {
    if (this.#grants.length === 0) return;
    const isOpen = ({ queue, sequence }: Grant): boolean =>
      ((this.#delivered[queue]! - sequence) | 0) <= 0;
    for (const grant of this.#grants) if (!isOpen(grant)) this.#addToStock(grant.slot);
    this.#grants = this.#grants.filter(isOpen);
  }

  #addToStock(slot: number): void {
    this.#stock.push(slot);
    this.#credits = (this.#credits + 1) >>> 0;
  }

  #takeOperations(words: Int32Array, payload: Uint8Array): void {
    let at = this.#taken.length;
    while (at < words.length) {
      const body = at + ITEM_WORDS;
      const queue = words[at + item.queue]! >>> 0;
      const isPut = words[body + descriptor.command] === Command.PUT_PAGE;
      const end = body + DESCRIPTOR_WORDS + (isPut ? PAGE_WORDS : 0);
      const agrees = words[at + item.pages] === (isPut ? 1 : 0);
      if (end > words.length || queue >= this.#taken.length || !agrees) {
        this.#options.cutOff(Fault.FRAME);
        return;
      }
      const page = payload.subarray(4 * (body + DESCRIPTOR_WORDS), 4 * end);
      if (!this.#takeOperation(queue, words, body, page)) return;
      at = end;
    }
  }

  /** Queues one descriptor if it is the queue's next; false when it cut the guest off. */
  #takeOperation(queue: number, words: Int32Array, from: number, page: Uint8Array): boolean {
    const sequence = words[from + descriptor.sequence]! >>> 0;
    const ahead = (sequence - this.#taken[queue]!) | 0;
    if (ahead > 0) this.#lost();
    // Not lost but early, or here already.
    if (ahead !== 0) return true;
    this.#asked = false;
    const waiting = (sequence - this.#delivered[queue]!) >>> 0;
    const slot = page.length === 0 ? 0 : this.#stock.pop();
    if (waiting >= this.#options.geometry.queueEntries || slot === undefined) {
      this.#options.cutOff(Fault.FRAME);
      return false;
    }
    const to = this.#descriptorWord(queue, sequence);
    for (let word = 0; word < DESCRIPTOR_WORDS; word += 1) {
      this.#words[to + word] = words[from + word]!;
    }
    this.#words[to + descriptor.slot] = slot;
    if (page.length > 0) {
      this.#puts = (this.#puts + 1) >>> 0;
      this.#bytes.set(page, this.#slotAt(slot));
    }
    this.#taken[queue] = sequence + 1;
    const tail = this.#queueWord(queue, queueControl.tail);
    Atomics.store(this.#words, tail, this.#taken[queue]! | 0);
    return true;
  }

  // --- To the guest -----------------------------------------------------------------------------

  /** The next bytes to send, all of them before this is called again; undefined: nothing now. */
  nextFrame(): Uint8Array | undefined {
    if (this.#welcome) return this.#nextWelcome();
    if (this.#epoch === 0) return undefined;
    if (this.#isServed) this.#fillStock();
    if (this.#resync) {
      this.#resync = false;
      this.#writer.addWords(this.#taken);
      return this.#finish(FrameKind.RESYNC);
    }
    for (let queue = 0; queue < this.#taken.length; queue += 1) this.#addReplies(queue);
    if (this.#writer.length > 0) return this.#finish(FrameKind.REPLIES);
    const left = (this.#creditsTold - this.#puts) >>> 0;
    const news = this.#creditsTold !== this.#credits && left < CREDITS_LOW;
    if (news || this.#status() !== this.#statusTold) return this.#finish(FrameKind.STATUS);
    return undefined;
  }

  #nextWelcome(): Uint8Array | undefined {
    const words = this.#words;
    // A version that is not ours is answered at once, for the guest to say so.
    if (this.#epoch !== 0 && !this.#isServed) return undefined;
    this.#welcome = false;
    this.#fillStock();
    this.#writer.addWord(PROTOCOL_VERSION);
    this.#writer.addWord(words[header.guest_features]!);
    this.#writer.addWord(words[header.host_epoch]!);
    this.#writer.addWord(this.#options.geometry.queueCount);
    this.#writer.addWord(this.#options.geometry.queueEntries);
    this.#writer.addWord(this.#options.geometry.slotCount);
    return this.#finish(FrameKind.WELCOME);
  }

  #status(): number {
    const words = this.#words;
    const refuse = Atomics.load(words, header.refuse) === 0 ? 0 : FRAME_STATUS_REFUSE;
    const fault = words[header.fault]! << FRAME_STATUS_FAULT_SHIFT;
    return Atomics.load(words, header.host_state) | refuse | fault;
  }

  #finish(kind: number): Uint8Array {
    this.#creditsTold = this.#credits;
    this.#statusTold = this.#status();
    const { credits, epoch, status } = {
      credits: this.#creditsTold,
      epoch: this.#epoch,
      status: this.#statusTold,
    };
    return this.#writer.finish({ kind, epoch, credits, status });
  }

  /** Takes credits as a guest with shared memory does. PROTOCOL.md section 7. */
  #fillStock(): void {
    const { creditOffset, creditEntries } = this.#options.geometry;
    const tail = Atomics.load(this.#words, header.credit_tail) >>> 0;
    while (this.#stock.length < STOCK_MAX && this.#creditHead !== tail) {
      const entry = creditOffset / 4 + (this.#creditHead & (creditEntries - 1));
      this.#addToStock(this.#words[entry]!);
      this.#creditHead = (this.#creditHead + 1) >>> 0;
    }
    Atomics.store(this.#words, header.credit_head, this.#creditHead | 0);
  }

  /** Adds the queue's replies that were not sent, as many as the frame has room for. */
  #addReplies(queue: number): void {
    const head = Atomics.load(this.#words, this.#queueWord(queue, queueControl.head)) >>> 0;
    while (this.#sent[queue] !== head && this.#addReply(queue, this.#sent[queue]!)) {
      this.#sent[queue] = this.#sent[queue]! + 1;
    }
  }

  #addReply(queue: number, sequence: number): boolean {
    const words = this.#words;
    const from = this.#replyWord(queue, sequence);
    const command = words[this.#descriptorWord(queue, sequence) + descriptor.command];
    const hit = command === Command.GET_PAGE && words[from + reply.result] === 1;
    const bytes = FRAME_ITEM.bytes + REPLY.bytes + (hit ? PAGE_BYTES : 0);
    const writer = this.#writer;
    if (writer.room < bytes) return false;
    writer.addWord(queue);
    writer.addWord(hit ? 1 : 0);
    writer.addWordsOf(words, from, REPLY_WORDS);
    if (hit) {
      const granted = words[from + reply.slot]! < 0;
      const slot = (words[from + reply.slot]! & ~REPLY_SLOT_GRANTED) >>> 0;
      writer.addBytes(this.#bytes.subarray(this.#slotAt(slot), this.#slotAt(slot) + PAGE_BYTES));
      const isFirst = this.#seen[queue] === sequence;
      if (granted && isFirst) this.#grants.push({ queue, sequence, slot });
    }
    if (((sequence - this.#seen[queue]!) | 0) >= 0) this.#seen[queue] = sequence + 1;
    return true;
  }
}
