/**
 * A guest in TypeScript: the other side of PROTOCOL.md over a SharedRegion, with no kernel.
 *
 * It is as careful as the kernel module must be: every word of the host's is read once and
 * checked. For hostile tests it also writes whatever it is told to (`post` with its own words,
 * `poke`). One operation waits at a time; every wait is bounded. The caller owns the region and
 * keeps it mapped.
 */
import {
  Command,
  DESCRIPTOR,
  Feature,
  GuestState,
  HostState,
  PAGE_BYTES,
  PROTOCOL_VERSION,
  QUEUE_CONTROL,
  REPLY,
  REPLY_SLOT_GRANTED,
  wordsOf,
} from '../protocol/layout.js';
import { OBJECT_ID_WORDS, type ObjectId } from '../store/object-table.js';
import { Result } from '../store/results.js';
import type { SharedRegion } from '../transport/region.js';
import { GuestCredits } from './guest-credits.js';
import { FakeGuestError } from './guest-error.js';
import { type GuestHeader, type HeaderField, headerOffset, readHeader } from './guest-header.js';

const descriptorWords = wordsOf(DESCRIPTOR);
const controlWords = wordsOf(QUEUE_CONTROL);
const replyWords = wordsOf(REPLY);
const REPLY_MS_MAX_DEFAULT = 5000;
/** Given up for other threads between two looks; no other agent ever writes this word. */
const nap = new Int32Array(new SharedArrayBuffer(4));
const NAP_MS = 0.05;

export interface FakeGuestOptions {
  readonly region: SharedRegion;
  /**
   * Runs the host once, when it lives in this thread (`() => session.serve()`); none: it runs
   * elsewhere.
   */
  readonly pump?: () => unknown;
  /** Rings the host's doorbell. */
  readonly ring?: () => void;
  /** Bytes of the BAR; default: the region's. */
  readonly barBytes?: number;
  /** This guest's IVPosition; default 1. */
  readonly peer?: number;
  /** Feature bits to use if the host offers them; default POSTED_PUTS. */
  readonly features?: number;
  /** How long to wait for any answer, in milliseconds; default 5000. */
  readonly replyMsMax?: number;
}

/** Words of a descriptor; what is left out is what an honest guest would write. */
export interface RawDescriptor {
  readonly command: number;
  readonly pool?: number;
  readonly oid?: Int32Array;
  readonly index?: number;
  readonly slot?: number;
  readonly flags?: number;
  readonly sequence?: number;
  readonly epoch?: number;
}

export interface GuestReply {
  /** 1, 0 or -errno. */
  readonly result: number;
  /** As on the wire, unsigned, with REPLY_SLOT_GRANTED if set. */
  readonly slot: number;
}

export interface GetResult {
  readonly result: number;
  /** The page's 4096 bytes, on a hit. */
  readonly page?: Uint8Array;
}

/** A random 31-bit life number, never 0. */
function randomEpoch(): number {
  return 1 + Math.floor(Math.random() * 0x7fff_fffe);
}

export class FakeGuest {
  readonly #options: FakeGuestOptions;
  readonly #region: SharedRegion;
  #header: GuestHeader | undefined;
  #credits: GuestCredits | undefined;
  #epoch = 0;
  #hostEpoch = 0;
  #rungFor = 0;

  constructor(options: FakeGuestOptions) {
    this.#options = options;
    this.#region = options.region;
  }

  // --- Life -------------------------------------------------------------------------------------

  get epoch(): number {
    return this.#epoch;
  }

  get header(): GuestHeader {
    if (this.#header !== undefined) return this.#header;
    throw new FakeGuestError('GUEST_DETACHED', 'the guest has not attached; call attach() first');
  }

  /** Feature bits that both sides use. */
  get features(): number {
    return this.header.features & (this.#options.features ?? Feature.POSTED_PUTS);
  }

  /** Slots in hand, and those that wait in the ring. */
  get credits(): number {
    return this.#hand.count;
  }

  get #hand(): GuestCredits {
    if (this.#credits !== undefined && this.#epoch !== 0) return this.#credits;
    throw new FakeGuestError('GUEST_DETACHED', 'the guest is not attached; call attach() first');
  }

  /**
   * Checks the header, begins a new life and waits until the host serves it (section 4).
   * @throws FakeGuestError (GUEST_HEADER_INVALID, GUEST_VERSION_MISMATCH, GUEST_TIMEOUT,
   * GUEST_CUT_OFF)
   */
  attach(epoch: number = randomEpoch()): void {
    this.announce(epoch);
    this.#wait('to be attached', () => this.peekHeader('session_epoch') === epoch);
  }

  /** Reads the header and checks it: from here on the words of the queues can be told. */
  probe(): GuestHeader {
    const region = this.#region;
    this.#header = readHeader(region, this.#options.barBytes ?? region.memory.byteLength);
    return this.#header;
  }

  /** The guest's part of `attach`, without the wait. */
  announce(epoch: number): void {
    const header = this.probe();
    this.#credits = new GuestCredits(this.#region, header);
    this.#epoch = epoch;
    this.#hostEpoch = this.peekHeader('host_epoch');
    this.#rungFor = 0;
    this.pokeHeader('guest_state', GuestState.DETACHED);
    for (let queue = 0; queue < header.queueCount; queue += 1) {
      this.poke(this.queueOffset(queue, 'tail'), 0);
      this.poke(this.queueOffset(queue, 'guest_sleep'), 0);
    }
    this.pokeHeader('credit_head', 0);
    this.pokeHeader('guest_version', PROTOCOL_VERSION);
    this.pokeHeader('guest_features', this.features);
    this.pokeHeader('guest_peer', this.#options.peer ?? 1);
    this.pokeHeader('guest_epoch', epoch);
    this.pokeHeader('guest_state', GuestState.ATTACHED);
    this.#options.ring?.();
  }

  /** Says goodbye and waits until the host has dropped this life. */
  detach(): void {
    const epoch = this.#epoch;
    this.pokeHeader('guest_state', GuestState.DETACHED);
    this.#epoch = 0;
    this.#options.ring?.();
    this.#wait('to be detached', () => this.peekHeader('session_epoch') !== epoch);
  }

  // --- Operations -------------------------------------------------------------------------------

  /** NEW_POOL. `flags` without the spec version, which is added. @returns pool id or EPERM */
  newPool(flags: number): number {
    const version = 1 << 24;
    return this.submit(0, { command: Command.NEW_POOL, flags: flags | version }).result;
  }

  destroyPool(pool: number): number {
    return this.submit(0, { command: Command.DESTROY_POOL, pool }).result;
  }

  /**
   * PUT_PAGE of 4096 bytes. With no credit, or while the host refuses, the guest refuses by itself:
   * it drops the old page and answers ENOMEM (section 7).
   */
  put(pool: number, oid: ObjectId, index: number, page: Uint8Array): number {
    const slot = this.#mayPut() ? this.#hand.take() : -1;
    if (slot === -1) {
      this.flushPage(pool, oid, index);
      return Result.ENOMEM;
    }
    this.#region.copyPageIn(this.header.slotPage, slot, page);
    const command = Command.PUT_PAGE;
    return this.submit(this.queueOf(pool, oid, index), { command, pool, oid, index, slot }).result;
  }

  #mayPut(): boolean {
    return this.peekHeader('refuse') === 0 && this.peekHeader('host_state') === HostState.READY;
  }

  /** Takes one credit, for a raw put. @returns the slot, or -1 */
  takeCredit(): number {
    return this.#hand.take();
  }

  /** Takes into the hand a slot that came with the answer to a raw get (section 6). */
  addCredit(slot: number): void {
    this.#hand.add(slot);
  }

  get(pool: number, oid: ObjectId, index: number): GetResult {
    const queue = this.queueOf(pool, oid, index);
    const reply = this.submit(queue, { command: Command.GET_PAGE, pool, oid, index });
    if (reply.result !== Result.SUCCESS) return { result: reply.result };
    const slot = (reply.slot & ~REPLY_SLOT_GRANTED) >>> 0;
    if (slot >= this.header.slotCount) this.#hostBug(`slot ${slot} is out of range`);
    const page = new Uint8Array(PAGE_BYTES);
    this.#region.copyPageOut(this.header.slotPage, slot, page);
    if ((reply.slot & REPLY_SLOT_GRANTED) !== 0) this.#hand.add(slot);
    return { result: reply.result, page };
  }

  flushPage(pool: number, oid: ObjectId, index: number): number {
    const queue = this.queueOf(pool, oid, index);
    return this.submit(queue, { command: Command.FLUSH_PAGE, pool, oid, index }).result;
  }

  flushObject(pool: number, oid: ObjectId): number {
    return this.submit(0, { command: Command.FLUSH_OBJECT, pool, oid }).result;
  }

  /** The queue of a key: always the same one. */
  queueOf(pool: number, oid: ObjectId, index: number): number {
    let hash = Math.imul(pool ^ 0x811c_9dc5, 0x0100_0193) ^ index;
    for (const word of oid) hash = Math.imul(hash, 0x0100_0193) ^ word;
    return (hash ^ (hash >>> 16)) & (this.header.queueCount - 1);
  }

  // --- Raw access -------------------------------------------------------------------------------

  /** Posts a descriptor and waits for its answer. */
  submit(queue: number, words: RawDescriptor): GuestReply {
    return this.waitReply(queue, this.post(queue, words));
  }

  /** Posts a descriptor, after a bounded wait for a free place. @returns its sequence */
  post(queue: number, words: RawDescriptor): number {
    void this.#hand;
    const tailAt = this.queueOffset(queue, 'tail');
    const sequence = this.peek(tailAt);
    const { queueEntries } = this.header;
    this.#wait('for a free place', () => {
      return (sequence - this.peek(this.queueOffset(queue, 'head'))) >>> 0 < queueEntries;
    });
    this.writeDescriptor(queue, sequence, words);
    this.poke(tailAt, sequence + 1);
    this.ringIfAsleep();
    return sequence;
  }

  /** Fills in a descriptor's words without publishing them. */
  writeDescriptor(queue: number, sequence: number, words: RawDescriptor): void {
    const at = this.descriptorOffset(queue, sequence) / 4;
    const memory = this.#region.words;
    memory.fill(0, at, at + DESCRIPTOR.bytes / 4);
    memory[at + descriptorWords.command] = words.command;
    memory[at + descriptorWords.pool] = words.pool ?? 0;
    if (words.oid !== undefined) {
      memory.set(words.oid.subarray(0, OBJECT_ID_WORDS), at + descriptorWords.oid);
    }
    memory[at + descriptorWords.index] = words.index ?? 0;
    memory[at + descriptorWords.slot] = words.slot ?? 0;
    memory[at + descriptorWords.flags] = words.flags ?? 0;
    memory[at + descriptorWords.sequence] = words.sequence ?? sequence;
    memory[at + descriptorWords.epoch] = words.epoch ?? this.#epoch;
  }

  /** Rings the host unless it is awake or was rung for this sleep (section 8). */
  ringIfAsleep(): void {
    const sleep = this.peekHeader('host_sleep');
    if ((sleep & 1) === 0 || sleep === this.#rungFor) return;
    this.#rungFor = sleep;
    this.#options.ring?.();
  }

  /**
   * Waits for the answer to `sequence`.
   * @throws FakeGuestError (GUEST_TIMEOUT, GUEST_CUT_OFF, GUEST_HOST_BUG)
   */
  waitReply(queue: number, sequence: number): GuestReply {
    const headAt = this.queueOffset(queue, 'head');
    this.#wait(`for the answer to ${sequence} on queue ${queue}`, () => {
      return ((this.peek(headAt) - sequence - 1) | 0) >= 0;
    });
    const at = this.replyOffset(queue, sequence) / 4;
    const memory = this.#region.words;
    const seen = memory[at + replyWords.sequence]! >>> 0;
    if (seen !== sequence >>> 0) this.#hostBug(`reply has sequence ${seen}, not ${sequence}`);
    const epoch = memory[at + replyWords.epoch]! >>> 0;
    if (epoch !== this.#hostEpoch) this.#hostBug(`reply has host epoch ${epoch}`);
    return { result: memory[at + replyWords.result]!, slot: memory[at + replyWords.slot]! >>> 0 };
  }

  /** The unsigned word at byte `offset` of the region. */
  peek(offset: number): number {
    return this.#region.load(offset);
  }

  /** Writes any word of the region, the host's too. */
  poke(offset: number, value: number): void {
    this.#region.store(offset, value);
  }

  peekHeader(field: HeaderField): number {
    return this.#region.load(headerOffset(field));
  }

  pokeHeader(field: HeaderField, value: number): void {
    this.#region.store(headerOffset(field), value);
  }

  /** Byte offset of a word of a queue's control block. */
  queueOffset(queue: number, field: keyof typeof controlWords): number {
    const { queueOffset, queueStride } = this.header;
    return queueOffset + queue * queueStride + controlWords[field] * 4;
  }

  descriptorOffset(queue: number, sequence: number): number {
    const { queueOffset, queueStride, queueEntries } = this.header;
    const place = sequence & (queueEntries - 1);
    return queueOffset + queue * queueStride + QUEUE_CONTROL.bytes + place * DESCRIPTOR.bytes;
  }

  replyOffset(queue: number, sequence: number): number {
    const { queueEntries } = this.header;
    const replies = this.descriptorOffset(queue, 0) + queueEntries * DESCRIPTOR.bytes;
    return replies + (sequence & (queueEntries - 1)) * REPLY.bytes;
  }

  // --- Waiting ----------------------------------------------------------------------------------

  #wait(what: string, done: () => boolean): void {
    const msMax = this.#options.replyMsMax ?? REPLY_MS_MAX_DEFAULT;
    const deadline = performance.now() + msMax;
    while (!done()) {
      if (this.peekHeader('host_state') === HostState.FAULTED) {
        const fault = this.peekHeader('fault');
        throw new FakeGuestError('GUEST_CUT_OFF', `the host cut this guest off: fault ${fault}`);
      }
      if (performance.now() >= deadline) {
        throw new FakeGuestError('GUEST_TIMEOUT', `waited ${msMax} ms ${what}: no host serves`);
      }
      if (this.#options.pump === undefined) Atomics.wait(nap, 0, 0, NAP_MS);
      else this.#options.pump();
    }
  }

  #hostBug(what: string): never {
    throw new FakeGuestError('GUEST_HOST_BUG', `a word that no correct host writes: ${what}`);
  }
}
