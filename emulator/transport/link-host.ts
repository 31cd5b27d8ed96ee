/**
 * The host's end of a link: queues and pages over a stream of bytes (PROTOCOL.md section 9).
 *
 * To the session it looks like a guest that shares memory: it fills the region's queues with the
 * descriptors that come in frames, and sends the replies that it finds there. The region is the
 * host's alone then. Nothing is kept for sending again but the queues themselves: a descriptor
 * counts as taken when it stands in its queue, a reply as delivered when the guest says so, and
 * both sides go back to that when something was lost.
 *
 * It may die at any instruction; the next one's `resume` finds all that it needs in the region, the
 * slot table and the record. The guest was told of as many puts as have come and as slots stand
 * ready for (the stock). That sum never falls: each change of either is one store, made before
 * any frame tells of it. A put leaves the stock as its queue's tail passes it, with the number of
 * puts so far in its descriptor; a slot off the credit ring joins as `credit_head` passes it, one
 * that a get granted as `delivered` passes its reply. So the stock is what is promised and in
 * neither ring, queue nor open reply. What the guest sent and no tail covers it sends again, told
 * to by the RESYNC that comes first; a reply that it has not acknowledged is sent again, and
 * before all that as many zeroes as a frame on its way may lack, which end it as damage.
 *
 * The other side is hostile: a damaged frame is noise, an undamaged one that no honest guest would
 * send cuts it off. It holds no more bytes than one frame each way. The caller owns the memory and
 * moves the bytes: those received into `reader` (and says so: `bringIn`), those of `nextFrame` out.
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
import type { SlotTable } from '../store/slot-table.js';
import { type Frame, FrameReader, FrameWriter } from './frame.js';
import { LinkQueues } from './link-queues.js';
import { LinkRecord } from './link-record.js';
import type { SharedRegion } from './region.js';

const header = wordsOf(HEADER);
const queueControl = wordsOf(QUEUE_CONTROL);
const descriptor = wordsOf(DESCRIPTOR);
const hello = wordsOf(HELLO);
const item = wordsOf(FRAME_ITEM);
const ITEM_WORDS = FRAME_ITEM.bytes / 4;
const DESCRIPTOR_WORDS = DESCRIPTOR.bytes / 4;
const REPLY_WORDS = REPLY.bytes / 4;
const PAGE_WORDS = PAGE_BYTES / 4;

/** Slots that stand ready for pages on their way. */
const STOCK_MAX = 1024;
/** A frame that has begun and does not end for so long, though bytes still come, was cut. */
const CUT_MS = 250;
/** A guest with fewer puts left than this is told of new ones without being asked. */
const CREDITS_LOW = STOCK_MAX / 4;

export interface LinkHostOptions {
  readonly region: SharedRegion;
  readonly geometry: Geometry;
  /** The store's word on the region's slots. */
  readonly slots: SlotTable;
  /** Where this keeps what the next one needs; default: nowhere that outlives it. */
  readonly record?: LinkRecord;
  /** Has the session cut this guest off. */
  readonly cutOff: (fault: number) => void;
}

export class LinkHost {
  readonly reader = new FrameReader();
  readonly #writer = new FrameWriter();
  readonly #options: LinkHostOptions;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #queues: LinkQueues;
  /** Replies framed since the guest last asked for them again, by queue. */
  readonly #sent: Uint32Array;
  readonly #record: LinkRecord;
  #epoch = 0;
  /** Slots that stand ready for puts that the guest has been, or will be, told of. */
  #stock: number[] = [];
  /** Puts that have come since the guest's life began. */
  #puts = 0;
  #creditsTold = 0;
  #statusTold = 0;
  #welcome = false;
  /** Bytes that end what another host's end left of a frame. */
  #noise = 0;
  #resync = false;
  /** A RESYNC is on its way: what is out of order until it is heard needs no other. */
  #asked = false;
  /** When the frame began, in milliseconds, that the reader does not have all of. */
  #begunAt = 0;

  constructor(options: LinkHostOptions) {
    const { queueCount } = options.geometry;
    this.#options = options;
    this.#words = options.region.words;
    this.#bytes = new Uint8Array(options.region.memory);
    this.#queues = new LinkQueues(this.#words, options.geometry);
    this.#sent = new Uint32Array(queueCount);
    this.#record = options.record ?? new LinkRecord();
  }

  /** Forgets a stream that has ended, and the guest on it; the region stays as it is. */
  reset(): void {
    this.#record.sending = 0;
    this.#clear();
  }

  #clear(): void {
    this.reader.reset();
    this.#forget();
    this.#welcome = false;
    this.#noise = 0;
  }

  #forget(): void {
    this.#epoch = 0;
    this.#sent.fill(0);
    this.#stock = [];
    this.#puts = 0;
    this.#creditsTold = 0;
    this.#resync = false;
    this.#asked = false;
  }

  // --- After another host's end -----------------------------------------------------------------

  /**
   * Begins with a stream: goes on with the guest that was on it when another host's end died, at
   * whatever instruction, if there was one. Call it once the session has taken over.
   */
  resume(): void {
    this.#clear();
    this.#noise = this.#record.sending;
    const words = this.#words;
    if (Atomics.load(words, header.guest_state) !== GuestState.ATTACHED) return;
    this.#epoch = words[header.guest_epoch]! >>> 0;
    this.#rewind();
    this.#puts = this.#queues.puts(this.#epoch);
    // Slots of another life than the guest's are not promised to it.
    if (this.#isServed) this.#stock = this.#queues.stock(this.#options.slots, this.#record);
    this.#resync = true;
    this.#asked = true;
  }

  /** Replies that the guest does not have are to be sent again. */
  #rewind(): void {
    for (const queue of this.#sent.keys()) this.#sent[queue] = this.#record.delivered(queue);
  }

  /** Whether the session serves the life that is on the link. */
  get #isServed(): boolean {
    const served = Atomics.load(this.#words, header.session_epoch) >>> 0;
    return this.#epoch !== 0 && served === this.#epoch;
  }

  // --- From the guest ---------------------------------------------------------------------------

  /** Bytes have come into the reader's space, now, in milliseconds. @returns frames taken in */
  bringIn(bytes: number, now: number): number {
    if (!this.reader.isWaiting) this.#begunAt = now;
    this.reader.filled(bytes);
    let frames = this.receive();
    if (frames === 0 && now - this.#begunAt > CUT_MS) {
      this.reader.giveUp();
      frames = this.receive();
    }
    if (frames > 0) this.#begunAt = now;
    return frames;
  }

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
    if (frame.kind === FrameKind.GOODBYE) {
      Atomics.store(this.#words, header.guest_state, GuestState.DETACHED);
      this.#forget();
    } else if (this.#isServed) {
      this.#takeFrame(frame, words);
    }
  }

  /** A frame of the life that the session serves: until then the guest has nothing to say. */
  #takeFrame(frame: Frame, words: Int32Array): void {
    switch (frame.kind) {
      case FrameKind.OPERATIONS:
        if (this.#takeAcknowledgements(words)) this.#takeOperations(words, frame.payload);
        break;
      case FrameKind.RESYNC:
        if (!this.#takeAcknowledgements(words)) break;
        this.#rewind();
        this.#asked = true;
        this.#resync = true;
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
    this.#forget();
    const words = this.#words;
    Atomics.store(words, header.guest_state, GuestState.DETACHED);
    for (let queue = 0; queue < this.#sent.length; queue += 1) {
      words[this.#queues.controlWord(queue, queueControl.tail)] = 0;
      words[this.#queues.controlWord(queue, queueControl.guest_sleep)] = 0;
    }
    this.#record.clearDelivered();
    words[header.credit_head] = 0;
    words[header.guest_version] = PROTOCOL_VERSION;
    words[header.guest_features] =
      payload[hello.features]! & words[header.features]! & ~Feature.DIRECT_GETS;
    words[header.guest_epoch] = epoch;
    this.#epoch = epoch;
    Atomics.store(words, header.guest_state, GuestState.ATTACHED);
  }

  /** The first words of a payload: replies that the guest has. False when they cannot be. */
  #takeAcknowledgements(words: Int32Array): boolean {
    const queues = this.#sent.length;
    const { queueEntries } = this.#options.geometry;
    for (let queue = 0; queue < queues; queue += 1) {
      const before = this.#record.delivered(queue);
      const delivered = (words[queue] ?? -1) >>> 0;
      const ahead = (delivered - before) | 0;
      const open = (this.#queues.head(queue) - before) >>> 0;
      if (words.length < queues || open > queueEntries || ahead > open) {
        this.#options.cutOff(Fault.FRAME);
        return false;
      }
      // What is older than what it said before is of a frame that was overtaken.
      if (ahead > 0) this.#deliver(queue, before, delivered);
    }
    return true;
  }

  /** The guest has these replies, and slots of gets among them are its credits by now. */
  #deliver(queue: number, from: number, to: number): void {
    for (let at = from; at !== to; at = (at + 1) >>> 0) {
      const slot = this.#queues.grantAt(queue, at);
      if (slot !== -1) this.#stock.push(slot);
    }
    if (((this.#sent[queue]! - to) | 0) < 0) this.#sent[queue] = to;
    this.#record.setDelivered(queue, to);
  }

  #takeOperations(words: Int32Array, payload: Uint8Array): void {
    let at = this.#sent.length;
    while (at < words.length) {
      const body = at + ITEM_WORDS;
      const queue = words[at + item.queue]! >>> 0;
      const isPut = words[body + descriptor.command] === Command.PUT_PAGE;
      const end = body + DESCRIPTOR_WORDS + (isPut ? PAGE_WORDS : 0);
      const agrees = words[at + item.pages] === (isPut ? 1 : 0);
      if (end > words.length || queue >= this.#sent.length || !agrees) {
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
    const ahead = (sequence - this.#queues.tail(queue)) | 0;
    if (ahead > 0) this.#lost();
    // Not lost but early, or here already.
    if (ahead !== 0) return true;
    this.#asked = false;
    const waiting = (sequence - this.#record.delivered(queue)) >>> 0;
    const slot = page.length === 0 ? 0 : this.#stock.pop();
    if (waiting >= this.#options.geometry.queueEntries || slot === undefined) {
      this.#options.cutOff(Fault.FRAME);
      return false;
    }
    const to = this.#queues.descriptorWord(queue, sequence);
    for (let word = 0; word < DESCRIPTOR_WORDS; word += 1) {
      this.#words[to + word] = words[from + word]!;
    }
    this.#words[to + descriptor.slot] = slot;
    if (page.length > 0) {
      this.#puts += 1;
      this.#bytes.set(page, this.#queues.slotAt(slot));
    }
    this.#queues.countPutsAt(to, this.#puts);
    const tail = this.#queues.controlWord(queue, queueControl.tail);
    Atomics.store(this.#words, tail, (sequence + 1) | 0);
    return true;
  }

  // --- To the guest -----------------------------------------------------------------------------

  /** The next bytes to send, all of them before this is called again; undefined: nothing now. */
  nextFrame(): Uint8Array | undefined {
    const frame = this.#noise > 0 ? this.#nextNoise() : this.#buildFrame();
    this.#record.sending = frame?.length ?? 0;
    return frame;
  }

  #nextNoise(): Uint8Array {
    const noise = new Uint8Array(this.#noise);
    this.#noise = 0;
    return noise;
  }

  #buildFrame(): Uint8Array | undefined {
    if (this.#welcome) return this.#nextWelcome();
    if (this.#epoch === 0) return undefined;
    const isServed = this.#isServed;
    if (isServed) this.#fillStock();
    if (this.#resync) {
      this.#resync = false;
      for (const queue of this.#sent.keys()) this.#writer.addWord(this.#queues.tail(queue));
      return this.#finish(FrameKind.RESYNC);
    }
    const queues = isServed ? this.#sent.length : 0;
    for (let queue = 0; queue < queues; queue += 1) this.#addReplies(queue);
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

  /** Puts that the guest may have sent since its life began. */
  get #credits(): number {
    return (this.#puts + this.#stock.length) >>> 0;
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
    const words = this.#words;
    const tail = Atomics.load(words, header.credit_tail);
    let head = words[header.credit_head]!;
    while (this.#stock.length < STOCK_MAX && head !== tail) {
      this.#stock.push(words[this.#queues.creditWord(head)]!);
      head = (head + 1) | 0;
    }
    Atomics.store(words, header.credit_head, head);
  }

  /** Adds the queue's replies that were not sent, as many as the frame has room for. */
  #addReplies(queue: number): void {
    const head = this.#queues.head(queue);
    // Answers of a life that ended and began again before the session has looked.
    if ((head - this.#sent[queue]!) >>> 0 > this.#options.geometry.queueEntries) return;
    while (this.#sent[queue] !== head && this.#addReply(queue, this.#sent[queue]!)) {
      this.#sent[queue] = this.#sent[queue]! + 1;
    }
  }

  #addReply(queue: number, sequence: number): boolean {
    const hit = this.#queues.hitAt(queue, sequence);
    const bytes = FRAME_ITEM.bytes + REPLY.bytes + (hit === -1 ? 0 : PAGE_BYTES);
    const writer = this.#writer;
    if (writer.room < bytes) return false;
    writer.addWord(queue);
    writer.addWord(hit === -1 ? 0 : 1);
    writer.addWordsOf(this.#words, this.#queues.replyWord(queue, sequence), REPLY_WORDS);
    if (hit !== -1) {
      const at = this.#queues.slotAt((hit & ~REPLY_SLOT_GRANTED) >>> 0);
      writer.addBytes(this.#bytes.subarray(at, at + PAGE_BYTES));
    }
    return true;
  }
}
