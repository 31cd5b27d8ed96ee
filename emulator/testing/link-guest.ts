/**
 * The guest's end of a link, in TypeScript: a region of its own in which a FakeGuest finds queues,
 * credits and slots as it would in shared memory, and frames between that and a stream of bytes
 * (PROTOCOL.md section 9). guest-kmod/link.c does the same in a kernel.
 *
 * It plays the host in its region, and believes the real one no word without a look. Slots there
 * only carry pages over: those of puts until they are answered, and a few for gets. Nothing to
 * free.
 */
import { computeGeometry } from '../protocol/geometry.js';
import {
  Command,
  DESCRIPTOR,
  Feature,
  FRAME_ITEM,
  FRAME_STATUS_FAULT_SHIFT,
  FRAME_STATUS_REFUSE,
  FrameKind,
  GuestState,
  HEADER,
  HostState,
  MAGIC_HI,
  MAGIC_LO,
  PAGE_BYTES,
  PROTOCOL_VERSION,
  QUEUE_CONTROL,
  REPLY,
  WELCOME,
  wordsOf,
} from '../protocol/layout.js';
import { type Frame, FrameReader, FrameWriter } from '../transport/frame.js';
import { SharedRegion } from '../transport/region.js';
import { FakeGuestError } from './guest-error.js';

const header = wordsOf(HEADER);
const queueControl = wordsOf(QUEUE_CONTROL);
const descriptor = wordsOf(DESCRIPTOR);
const reply = wordsOf(REPLY);
const welcome = wordsOf(WELCOME);
const item = wordsOf(FRAME_ITEM);
const ITEM_WORDS = FRAME_ITEM.bytes / 4;
const DESCRIPTOR_WORDS = DESCRIPTOR.bytes / 4;
const REPLY_WORDS = REPLY.bytes / 4;
const REGION_BYTES = 2 ** 20;
/** Slots kept for the pages of gets: of short queues, one a place. */
const GET_SLOTS = 64;
/** The life of the host that this plays; the real one's is checked here. */
const LOCAL_HOST_EPOCH = 1;
const QUIET_MS_DEFAULT = 100;

export interface LinkGuestOptions {
  /** Must be what the host has. */
  readonly queueCount: number;
  readonly queueEntries: number;
  /** A link on which nothing moves for so long has lost something; default 100. */
  readonly quietMs?: number;
  /** The time in milliseconds; default: this machine's. */
  readonly now?: () => number;
  /** Takes the bytes, all of them. */
  readonly send: (bytes: Uint8Array) => void;
  /** Brings what has arrived into the reader, if anything. */
  readonly receive: (reader: FrameReader) => void;
}

export class LinkGuest {
  /** What a FakeGuest sees. */
  readonly region = new SharedRegion(new ArrayBuffer(REGION_BYTES));
  readonly reader = new FrameReader();
  readonly #writer = new FrameWriter();
  readonly #options: LinkGuestOptions;
  readonly #geometry;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #sent: Uint32Array;
  readonly #taken: Uint32Array;
  #free: number[] = [];
  #granted = 0;
  #credits = 0;
  #epoch = 0;
  #hostEpoch = 0;
  #welcomed = false;
  #resync = false;
  /** Asked since the last frame came. */
  #asked = false;
  /** The last frame came then, or the first was sent that is not answered. */
  #movedAt: number;
  /** The frame began then that the reader does not have all of. */
  #begunAt = 0;

  constructor(options: LinkGuestOptions) {
    const { queueCount, queueEntries } = options;
    this.#options = options;
    this.#movedAt = this.#now();
    this.#geometry = computeGeometry({ regionBytes: REGION_BYTES, queueCount, queueEntries });
    this.#words = this.region.words;
    this.#bytes = new Uint8Array(this.region.memory);
    this.#sent = new Uint32Array(queueCount);
    this.#taken = new Uint32Array(queueCount);
    this.#publishHeader();
  }

  #now(): number {
    return this.#options.now === undefined ? performance.now() : this.#options.now();
  }

  #publishHeader(): void {
    const words = this.#words;
    const geometry = this.#geometry;
    words[header.magic_hi] = MAGIC_HI;
    words[header.version] = PROTOCOL_VERSION;
    words[header.features] = Feature.POSTED_PUTS;
    words[header.total_pages] = REGION_BYTES / PAGE_BYTES;
    words[header.queue_count] = geometry.queueCount;
    words[header.queue_entries] = geometry.queueEntries;
    words[header.queue_offset] = geometry.queueOffset;
    words[header.queue_stride] = geometry.queueStride;
    words[header.credit_offset] = geometry.creditOffset;
    words[header.credit_entries] = geometry.creditEntries;
    words[header.slot_page] = geometry.slotPage;
    words[header.slot_count] = geometry.slotCount;
    words[header.host_epoch] = LOCAL_HOST_EPOCH;
    words[header.host_state] = HostState.READY;
    words[header.magic_lo] = MAGIC_LO;
  }

  /** Moves what there is in both directions. A FakeGuest's `pump`. */
  pump(): void {
    if (!this.reader.isWaiting) this.#begunAt = this.#now();
    this.#options.receive(this.reader);
    for (let frame = this.reader.next(); frame !== undefined; frame = this.reader.next()) {
      this.#movedAt = this.#now();
      this.#begunAt = this.#movedAt;
      this.#asked = false;
      this.#takeIn(frame);
    }
    if (this.reader.damaged) {
      this.reader.damaged = false;
      this.#resync = true;
    }
    this.#followLife();
    if (this.#welcomed) {
      this.#grant();
      this.#sendOperations();
    }
    this.#look();
  }

  #queueWord(queue: number, word: number): number {
    return (this.#geometry.queueOffset + queue * this.#geometry.queueStride) / 4 + word;
  }

  #descriptorWord(queue: number, sequence: number): number {
    const place = sequence & (this.#geometry.queueEntries - 1);
    const at = this.#geometry.descriptorOffset + place * DESCRIPTOR.bytes;
    return this.#queueWord(queue, at / 4);
  }

  #tail(queue: number): number {
    return this.#words[this.#queueWord(queue, queueControl.tail)]! >>> 0;
  }

  /** The guest above begins a life or ends one: the host hears of it. */
  #followLife(): void {
    const words = this.#words;
    const attached = words[header.guest_state] === GuestState.ATTACHED;
    const epoch = attached ? words[header.guest_epoch]! >>> 0 : 0;
    if (epoch === this.#epoch) return;
    if (epoch === 0) this.#send(FrameKind.GOODBYE);
    this.#epoch = epoch;
    this.#welcomed = false;
    this.#sent.fill(0);
    this.#taken.fill(0);
    this.#granted = 0;
    this.#credits = 0;
    words[header.credit_tail] = 0;
    for (let queue = 0; queue < this.#sent.length; queue += 1) {
      words[this.#queueWord(queue, queueControl.head)] = 0;
    }
    const { slotCount } = this.#geometry;
    this.#free = Array.from({ length: slotCount - GET_SLOTS }, (_, slot) => slot);
    if (epoch === 0) words[header.session_epoch] = 0;
    else this.#sendHello();
  }

  #sendHello(): void {
    this.#writer.addWord(PROTOCOL_VERSION);
    this.#writer.addWord(this.#words[header.guest_features]!);
    this.#send(FrameKind.HELLO);
  }

  #send(kind: number): void {
    this.#options.send(this.#writer.finish({ kind, epoch: this.#epoch }));
  }

  /** After a quiet time with something unanswered: what was sent last may be lost. */
  #look(): void {
    const now = this.#now();
    const quiet = this.#options.quietMs ?? QUIET_MS_DEFAULT;
    const overdue = now - this.#movedAt > quiet;
    if (now - this.#begunAt > quiet) this.reader.giveUp();
    if (this.#epoch === 0) return;
    if (!this.#resync && !(overdue && (this.#waits || !this.#welcomed))) return;
    this.#movedAt = now;
    this.#resync = false;
    if (!this.#welcomed) {
      this.#sendHello();
      return;
    }
    // Not answered either: nobody serves, until a frame says otherwise.
    if (overdue && this.#asked) this.#words[header.host_state] = HostState.DOWN;
    this.#asked = true;
    this.#writer.addWords(this.#taken);
    this.#send(FrameKind.RESYNC);
  }

  /** Something that was sent is not answered. */
  get #waits(): boolean {
    return this.#sent.some((sent, queue) => sent !== this.#taken[queue]);
  }

  #grant(): void {
    const { creditOffset, creditEntries } = this.#geometry;
    while (this.#free.length > 0 && this.#granted !== this.#credits) {
      this.#words[creditOffset / 4 + (this.#granted & (creditEntries - 1))] = this.#free.pop()!;
      this.#granted = (this.#granted + 1) >>> 0;
    }
    this.#words[header.credit_tail] = this.#granted;
  }

  #sendOperations(): void {
    if (!this.#waits) this.#movedAt = this.#now();
    for (let queue = 0; queue < this.#sent.length; queue += 1) {
      while (this.#sent[queue] !== this.#tail(queue)) {
        const writer = this.#writer;
        if (writer.room < FRAME_ITEM.bytes + DESCRIPTOR.bytes + PAGE_BYTES) {
          this.#send(FrameKind.OPERATIONS);
        }
        if (writer.length === 0) writer.addWords(this.#taken);
        this.#addOperation(queue, this.#sent[queue]!);
        this.#sent[queue] = this.#sent[queue]! + 1;
      }
    }
    if (this.#writer.length > 0) this.#send(FrameKind.OPERATIONS);
  }

  #slotAt(slot: number): number {
    return (this.#geometry.slotPage + slot) * PAGE_BYTES;
  }

  #addOperation(queue: number, sequence: number): void {
    const from = this.#descriptorWord(queue, sequence);
    const isPut = this.#words[from + descriptor.command] === Command.PUT_PAGE;
    this.#writer.addWord(queue);
    this.#writer.addWord(isPut ? 1 : 0);
    this.#writer.addWordsOf(this.#words, from, DESCRIPTOR_WORDS);
    if (!isPut) return;
    const at = this.#slotAt(this.#words[from + descriptor.slot]!);
    this.#writer.addBytes(this.#bytes.subarray(at, at + PAGE_BYTES));
  }

  #takeIn(frame: Frame): void {
    if (frame.epoch !== this.#epoch) return;
    const { payload } = frame;
    const words = new Int32Array(payload.buffer, payload.byteOffset, payload.length / 4);
    this.#credits = frame.credits;
    this.#words[header.refuse] = frame.status & FRAME_STATUS_REFUSE;
    this.#words[header.fault] = frame.status >>> FRAME_STATUS_FAULT_SHIFT;
    this.#words[header.host_state] = frame.status & 0xff;
    switch (frame.kind) {
      case FrameKind.WELCOME:
        this.#takeWelcome(words);
        break;
      case FrameKind.REPLIES:
        this.#takeReplies(words, payload);
        break;
      case FrameKind.RESYNC:
        for (const [queue, taken] of words.entries()) {
          const ahead = (taken - this.#taken[queue]!) >>> 0;
          const posted = (this.#tail(queue) - this.#taken[queue]!) >>> 0;
          if (ahead <= posted) this.#sent[queue] = taken >>> 0;
        }
        break;
    }
  }

  #takeWelcome(words: Int32Array): void {
    const version = words[welcome.version]!;
    if (version !== PROTOCOL_VERSION) {
      throw new FakeGuestError(
        'GUEST_VERSION_MISMATCH',
        `the host speaks protocol version ${version}, this guest ${PROTOCOL_VERSION}`,
      );
    }
    if (this.#welcomed) return;
    this.#welcomed = true;
    this.#hostEpoch = words[welcome.host_epoch]!;
    this.#grant();
    Atomics.store(this.#words, header.session_epoch, this.#epoch);
  }

  #takeReplies(words: Int32Array, payload: Uint8Array): void {
    let at = 0;
    while (at < words.length) {
      const body = at + ITEM_WORDS;
      const hasPage = words[at + item.pages] === 1;
      const end = body + REPLY_WORDS + (hasPage ? PAGE_BYTES / 4 : 0);
      const queue = words[at + item.queue]!;
      const sequence = words[body + reply.sequence]! >>> 0;
      const ahead = (sequence - this.#taken[queue]!) | 0;
      if (ahead > 0) this.#resync = true;
      if (ahead === 0) {
        const page = payload.subarray(4 * (body + REPLY_WORDS), 4 * end);
        this.#takeReply(queue, words.subarray(body, body + REPLY_WORDS), page);
      }
      at = end;
    }
  }

  #takeReply(queue: number, words: Int32Array, page: Uint8Array): void {
    const sequence = this.#taken[queue]!;
    const from = this.#descriptorWord(queue, sequence);
    const { replyOffset, queueEntries, slotCount } = this.#geometry;
    const place = sequence & (queueEntries - 1);
    const to = this.#queueWord(queue, (replyOffset + place * REPLY.bytes) / 4);
    this.#words.set(words, to);
    if (words[reply.epoch] === this.#hostEpoch) this.#words[to + reply.epoch] = LOCAL_HOST_EPOCH;
    if (page.length > 0) {
      const slot = slotCount - 1 - ((queue * queueEntries + place) % GET_SLOTS);
      this.#bytes.set(page, this.#slotAt(slot));
      this.#words[to + reply.slot] = slot;
    }
    if (this.#words[from + descriptor.command] === Command.PUT_PAGE) {
      this.#free.push(this.#words[from + descriptor.slot]!);
    }
    this.#taken[queue] = sequence + 1;
    // What was to be sent again had arrived after all.
    if (((this.#sent[queue]! - sequence - 1) | 0) < 0) this.#sent[queue] = sequence + 1;
    Atomics.store(this.#words, this.#queueWord(queue, queueControl.head), this.#taken[queue]! | 0);
  }
}
