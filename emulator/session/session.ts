/**
 * One guest's session: takes descriptors off the shared queues, has the client carry them out,
 * answers.
 *
 * The guest is hostile: every word of its is copied once and the copy checked; a word that no
 * honest guest would write cuts it off with a named fault, and nothing outside its region is
 * touched. A queue is answered strictly in order. The session keeps its own counters (`head`,
 * credit tail) in the heap and only publishes them, so that no shared word is read back as truth.
 * PROTOCOL.md sections 4 to 7.
 */
import type { Geometry } from '../protocol/geometry.js';
import {
  Command,
  DESCRIPTOR,
  Fault,
  Feature,
  GuestState,
  HEADER,
  HostState,
  MAGIC_HI,
  MAGIC_LO,
  PAGE_BYTES,
  PROTOCOL_VERSION,
  QUEUE_CONTROL,
  REPLY,
  REPLY_SLOT_GRANTED,
  wordsOf,
} from '../protocol/layout.js';
import type { TmemClient } from '../store/client.js';
import { OBJECT_ID_WORDS } from '../store/object-table.js';
import { Result } from '../store/results.js';
import { SlotState } from '../store/slot-table.js';
import type { SharedRegion } from '../transport/region.js';
import { Count, countOperation, readCounters, type SessionCounters } from './session-counters.js';
import { SessionRecord } from './session-record.js';

const header = wordsOf(HEADER);
const queueControl = wordsOf(QUEUE_CONTROL);
const descriptor = wordsOf(DESCRIPTOR);
const reply = wordsOf(REPLY);

/** Slots promised to the guest ahead of time; more would only spread its pages over more memory. */
export const CREDIT_WINDOW = 4096;

/** Why each fault cuts a guest off; for logs. */
export const FAULT_NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(Fault).map(([name, code]) => [code, `FAULT_${name}`]),
);

export interface SessionOptions {
  readonly region: SharedRegion;
  readonly geometry: Geometry;
  readonly client: TmemClient;
  /** This host life's number, not 0. */
  readonly hostEpoch: number;
  /** The ivshmem peer id that the guest rings. */
  readonly hostPeer: number;
  /** Wakes the guest by interrupt vector `vector`, one a queue. */
  readonly ring: (vector: number) => void;
  readonly onFault?: (fault: number) => void;
  /** Where the session keeps what a next one needs; default: nowhere that outlives it. */
  readonly record?: SessionRecord;
  /**
   * The session before this one died: go on with its guest, from `record` and from a client that
   * was built over that one's state with its promised slots. Default: nothing of before is kept.
   */
  readonly takeOver?: boolean;
}

export class Session {
  readonly #record: SessionRecord;
  readonly #counters: Float64Array;
  readonly #words: Int32Array;
  readonly #geometry: Geometry;
  readonly #client: TmemClient;
  readonly #options: SessionOptions;
  /** A copy of the record's. */
  readonly #heads: Uint32Array;
  readonly #rung: Uint32Array;
  readonly #copy = new Int32Array(DESCRIPTOR.bytes / 4);
  readonly #oid: Int32Array;
  readonly #uuid: Int32Array;
  /** Copies of the record's. */
  #guestEpoch = 0;
  #hostEpoch: number;
  #faulted = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#hostEpoch = options.hostEpoch;
    this.#words = options.region.words;
    this.#geometry = options.geometry;
    this.#client = options.client;
    this.#heads = new Uint32Array(options.geometry.queueCount);
    this.#rung = new Uint32Array(options.geometry.queueCount);
    this.#oid = this.#copy.subarray(descriptor.oid, descriptor.oid + OBJECT_ID_WORDS);
    this.#uuid = this.#copy.subarray(descriptor.oid, descriptor.oid + 4);
    this.#record = options.record ?? new SessionRecord();
    this.#counters = this.#record.counters;
    if (options.takeOver === true && this.#record.hostEpoch !== 0) this.#takeOver();
    else {
      this.#forgetGuest();
      this.#beginLife(options.hostEpoch);
    }
  }

  get counters(): SessionCounters {
    return readCounters(this.#counters);
  }

  /** Epoch of the guest life that is served, 0 while none is. */
  get guestEpoch(): number {
    return this.#guestEpoch;
  }

  /** Whether the guest waits neither for puts nor for gets: see Feature. */
  get guestOnlyPosts(): boolean {
    const all = Feature.POSTED_PUTS | Feature.DIRECT_GETS;
    return this.#guestEpoch !== 0 && (this.#record.guestFeatures & all) === all;
  }

  get isFaulted(): boolean {
    return this.#faulted;
  }

  #publishHeader(): void {
    const words = this.#words;
    const geometry = this.#geometry;
    words[header.magic_hi] = MAGIC_HI;
    words[header.version] = PROTOCOL_VERSION;
    words[header.features] = this.#features();
    words[header.total_pages] = geometry.regionBytes / PAGE_BYTES;
    words[header.queue_count] = geometry.queueCount;
    words[header.queue_entries] = geometry.queueEntries;
    words[header.queue_offset] = geometry.queueOffset;
    words[header.queue_stride] = geometry.queueStride;
    words[header.credit_offset] = geometry.creditOffset;
    words[header.credit_entries] = geometry.creditEntries;
    words[header.slot_page] = geometry.slotPage;
    words[header.slot_count] = geometry.slotCount;
    words[header.host_peer] = this.#options.hostPeer;
    words[header.host_epoch] = this.#hostEpoch;
    words[header.fault] = this.#record.fault;
    words[header.refuse] = this.#record.refuse ? 1 : 0;
    const state = this.#faulted ? HostState.FAULTED : HostState.READY;
    Atomics.store(words, header.host_state, state);
    Atomics.store(words, header.magic_lo, MAGIC_LO);
  }

  /** This store moves no page; only a policy that may refuse needs to see each put first. */
  #features(): number {
    const posted = this.#client.policy.acceptsAll ? Feature.POSTED_PUTS : 0;
    return posted | Feature.DIRECT_GETS;
  }

  /** Makes the guest refuse every put by itself, or lets it put again. */
  refusePuts(refuse: boolean): void {
    this.#record.refuse = refuse;
    Atomics.store(this.#words, header.refuse, refuse ? 1 : 0);
  }

  /**
   * The machine on the other side is gone: forgets its pages, scrubs every byte that it could
   * read or write, and waits for the next one as a new host life.
   */
  restart(hostEpoch: number): void {
    // Whoever takes over from here on must not serve the dead machine's life anew.
    Atomics.store(this.#words, header.guest_state, GuestState.DETACHED);
    this.#forgetGuest();
    this.#options.region.scrub();
    this.#beginLife(hostEpoch);
  }

  /** A life of the host's that has no guest yet. */
  #beginLife(hostEpoch: number): void {
    this.#faulted = false;
    this.#record.fault = 0;
    this.#hostEpoch = hostEpoch;
    this.#record.hostEpoch = hostEpoch;
    this.#publishHeader();
  }

  /**
   * Goes on where another session died, at whatever instruction: the guest sees the same host life,
   * each operation's effect once and its answer once, and no doorbell is trusted. PROTOCOL.md
   * section 10.
   */
  #takeOver(): void {
    const record = this.#record;
    this.#hostEpoch = record.hostEpoch;
    this.#faulted = record.fault !== 0;
    // As in cutOff(), of which the session before this one may have done no more.
    if (this.#faulted) Atomics.store(this.#words, header.host_state, HostState.FAULTED);
    this.#counters[Count.takeovers]! += 1;
    if (record.guestEpoch === 0 || this.#faulted) this.#forgetGuest();
    this.#guestEpoch = record.guestEpoch;
    const { slots } = this.#client;
    const uncounted = record.uncountedGrant;
    if (uncounted !== -1 && slots.state(uncounted) === SlotState.GRANTED) {
      this.#client.reclaim(uncounted);
    }
    for (let queue = 0; queue < this.#heads.length; queue += 1) {
      this.#heads[queue] = record.head(queue);
    }
    this.#finishOperation();
    const words = this.#words;
    for (let queue = 0; queue < this.#heads.length; queue += 1) this.#publishHead(queue);
    Atomics.store(words, header.credit_tail, record.creditTail | 0);
    Atomics.store(words, header.session_epoch, this.#guestEpoch);
    // Odd and rung for, or even: the guest must ring for the next sleep.
    record.sleepCount = (record.sleepCount + 2) & ~1;
    Atomics.store(words, header.host_sleep, record.sleepCount | 0);
    this.#publishHeader();
    this.#wakeSleepers();
  }

  /** Carries out the operation that was under way, or gives its answer again. */
  #finishOperation(): void {
    const queue = this.#record.unfinishedQueue;
    if (queue === -1 || queue >= this.#heads.length) return;
    const tail = Atomics.load(this.#words, this.#queueWord(queue, queueControl.tail)) >>> 0;
    const waiting = (tail - this.#heads[queue]!) >>> 0;
    if (waiting === 0 || waiting > this.#geometry.queueEntries) return;
    this.#client.redo(() => this.#serveOne(queue, this.#heads[queue]!, true));
  }

  /** Tells the guest that no one serves it any more. */
  close(): void {
    Atomics.store(this.#words, header.host_state, HostState.DOWN);
    this.#wakeSleepers();
  }

  // --- Attach and cut off -----------------------------------------------------------------------

  /**
   * Answers whatever the guest has posted, at most one queue's worth from each queue.
   * @returns operations answered; 0 means that nothing was there
   */
  serve(): number {
    if (this.#faulted) return 0;
    const asked = this.#askedEpoch();
    if (asked !== this.#guestEpoch) {
      this.#beginSession(asked);
      return 1;
    }
    if (asked === 0) return 0;
    let served = 0;
    for (let queue = 0; queue < this.#heads.length; queue += 1) {
      served += this.#serveQueue(queue);
      // Cut off: the other queues must not make pools or take credits again.
      if (this.#faulted) return served;
    }
    this.#topUpCredits();
    return served;
  }

  /**
   * Epoch of the life that the guest asks to be served, 0 when it is detached. Looks twice at the
   * epoch: between two looks one life may end and the next be ATTACHED.
   */
  #askedEpoch(): number {
    const words = this.#words;
    const epoch = Atomics.load(words, header.guest_epoch) >>> 0;
    if (Atomics.load(words, header.guest_state) !== GuestState.ATTACHED) return 0;
    return Atomics.load(words, header.guest_epoch) >>> 0 === epoch ? epoch : 0;
  }

  /**
   * An old life of the guest ended and, unless `epoch` is 0, a new one began: nothing is carried
   * over, and what its pages took is given back.
   */
  #beginSession(epoch: number): void {
    this.#forgetGuest();
    this.#options.region.giveBackSlots(this.#geometry.slotPage);
    for (let queue = 0; queue < this.#heads.length; queue += 1) this.#publishHead(queue);
    Atomics.store(this.#words, header.credit_tail, 0);
    const features = Atomics.load(this.#words, header.guest_features) & this.#features();
    this.#record.guestFeatures = features;
    this.#record.guestEpoch = epoch;
    this.#guestEpoch = epoch;
    if (epoch !== 0) {
      this.#counters[Count.sessions]! += 1;
      this.#grantUpTo(CREDIT_WINDOW);
    }
    Atomics.store(this.#words, header.session_epoch, epoch);
  }

  /** Drops all that a life of the guest had here: pages, pools, credits, places in the queues. */
  #forgetGuest(): void {
    // A life that is served looks at this word after it copied: before what it copies may change.
    Atomics.store(this.#words, header.session_epoch, 0);
    this.#guestEpoch = 0;
    this.#record.clear();
    this.#client.reset();
    this.#heads.fill(0);
    this.#rung.fill(0);
  }

  /**
   * Cuts the guest off, once: the first fault is the one that is told. Its pages go: it cannot be
   * told from one that would read others' words. A bad word of a life that has ended meanwhile is
   * no fault: the next one has zeroed its words already.
   */
  cutOff(fault: number): void {
    if (this.#faulted || this.#askedEpoch() !== this.#guestEpoch) return;
    this.#faulted = true;
    this.#record.fault = fault;
    this.#counters[Count.faults]! += 1;
    // Its direct gets look at this word after they copied: before what they copy may change.
    Atomics.store(this.#words, header.fault, fault);
    Atomics.store(this.#words, header.host_state, HostState.FAULTED);
    this.#client.reset();
    this.#wakeSleepers();
    this.#options.onFault?.(fault);
  }

  // --- Queues -----------------------------------------------------------------------------------

  #queueWord(queue: number, word: number): number {
    return (this.#geometry.queueOffset + queue * this.#geometry.queueStride) / 4 + word;
  }

  #serveQueue(queue: number): number {
    const tail = Atomics.load(this.#words, this.#queueWord(queue, queueControl.tail)) >>> 0;
    const head = this.#heads[queue]!;
    const waiting = (tail - head) >>> 0;
    if (waiting === 0) return 0;
    if (waiting > this.#geometry.queueEntries) {
      this.cutOff(Fault.TAIL_RANGE);
      return 0;
    }
    for (let count = 0; count < waiting; count += 1) {
      if (!this.#serveOne(queue, (head + count) >>> 0)) return count;
    }
    this.#wakeIfAsleep(queue);
    return waiting;
  }

  /** Answers the descriptor at `sequence`; false when it cut the guest off. */
  #serveOne(queue: number, sequence: number, again = false): boolean {
    const place = sequence & (this.#geometry.queueEntries - 1);
    const from = this.#queueWord(
      queue,
      (this.#geometry.descriptorOffset + place * DESCRIPTOR.bytes) / 4,
    );
    const copy = this.#copy;
    const words = this.#words;
    for (let word = 0; word < copy.length; word += 1) copy[word] = words[from + word]!;
    if (copy[descriptor.sequence]! >>> 0 !== sequence) return this.#stopAt(Fault.SEQUENCE);
    if (copy[descriptor.epoch]! >>> 0 !== this.#guestEpoch) return this.#stopAt(Fault.EPOCH);
    if (!again) {
      this.#client.begin();
      this.#record.beginOperation(queue, sequence);
    }
    const result = this.#execute();
    if (result === Result.EFAULT) return this.#stopAt(Fault.SLOT);
    const to = this.#queueWord(queue, (this.#geometry.replyOffset + place * REPLY.bytes) / 4);
    words[to + reply.result] = result;
    words[to + reply.slot] =
      this.#client.gotSlot | (this.#client.gotExclusive ? REPLY_SLOT_GRANTED : 0);
    words[to + reply.sequence] = sequence;
    words[to + reply.epoch] = this.#hostEpoch;
    countOperation(this.#counters, copy[descriptor.command]!, result);
    this.#heads[queue] = sequence + 1;
    this.#record.setHead(queue, sequence + 1);
    this.#publishHead(queue);
    return true;
  }

  #stopAt(fault: number): false {
    this.cutOff(fault);
    return false;
  }

  #publishHead(queue: number): void {
    Atomics.store(this.#words, this.#queueWord(queue, queueControl.head), this.#heads[queue]! | 0);
  }

  /** Carries out the operation in `#copy`. */
  #execute(): number {
    const copy = this.#copy;
    const client = this.#client;
    const pool = copy[descriptor.pool]!;
    const index = copy[descriptor.index]! >>> 0;
    client.gotSlot = -1;
    client.gotExclusive = false;
    switch (copy[descriptor.command]) {
      case Command.PUT_PAGE:
        return client.put(pool, this.#oid, index, copy[descriptor.slot]!);
      case Command.GET_PAGE:
        return client.get(pool, this.#oid, index);
      case Command.FLUSH_PAGE:
        return client.flushPage(pool, this.#oid, index);
      case Command.FLUSH_OBJECT:
        return client.flushObject(pool, this.#oid);
      case Command.NEW_POOL:
        return client.newPool(copy[descriptor.flags]!, this.#uuid);
      case Command.DESTROY_POOL:
        return client.destroyPool(pool);
      case Command.CONTROL:
        return Result.EOPNOTSUPP;
      default:
        return Result.ENOSYS;
    }
  }

  // --- Credits ----------------------------------------------------------------------------------

  #topUpCredits(): void {
    if (this.#client.grantedSlots > CREDIT_WINDOW / 2) return;
    const head = Atomics.load(this.#words, header.credit_head) >>> 0;
    if ((this.#record.creditTail - head) >>> 0 > this.#geometry.creditEntries) {
      this.cutOff(Fault.CREDIT_RANGE);
      return;
    }
    this.#grantUpTo(CREDIT_WINDOW);
  }

  /** Grants until `window` slots are with the guest; the ring has room for every slot there is. */
  #grantUpTo(window: number): void {
    const record = this.#record;
    const { creditOffset, creditEntries } = this.#geometry;
    const before = record.creditTail;
    const begin = (slot: number): void => {
      this.#words[creditOffset / 4 + (record.creditTail & (creditEntries - 1))] = slot;
      record.beginGrant(slot);
    };
    while (this.#client.grantedSlots < window) {
      if (this.#client.grant(this.#mayEvict(), begin) === -1) break;
      record.endGrant();
    }
    if (record.creditTail === before) return;
    Atomics.store(this.#words, header.credit_tail, record.creditTail | 0);
  }

  /**
   * Whether a credit is worth an ephemeral page: while the guest holds few. Without this bound a
   * store smaller than the window would trade all its pages for credits.
   */
  #mayEvict(): boolean {
    const { grantedSlots, usedSlots } = this.#client;
    return grantedSlots < Math.min(CREDIT_WINDOW / 2, Math.ceil(usedSlots / 8));
  }

  // --- Sleep and doorbells ----------------------------------------------------------------------

  /** Rings the guest once for each time that it said it would sleep on this queue. */
  #wakeIfAsleep(queue: number): void {
    const sleep = Atomics.load(this.#words, this.#queueWord(queue, queueControl.guest_sleep)) >>> 0;
    if ((sleep & 1) === 0 || sleep === this.#rung[queue]) return;
    this.#rung[queue] = sleep;
    this.#counters[Count.doorbellsSent]! += 1;
    this.#options.ring(queue);
  }

  #wakeSleepers(): void {
    for (let queue = 0; queue < this.#heads.length; queue += 1) {
      this.#counters[Count.doorbellsSent]! += 1;
      this.#options.ring(queue);
    }
  }

  /**
   * Says that the host is about to sleep. Call `hasWork` afterwards, and sleep only if it is
   * false.
   */
  announceSleep(): void {
    this.#record.sleepCount |= 1;
    Atomics.store(this.#words, header.host_sleep, this.#record.sleepCount | 0);
  }

  /** Says that the host is awake: the guest need not ring. */
  announceAwake(): void {
    this.#record.sleepCount += 1;
    Atomics.store(this.#words, header.host_sleep, this.#record.sleepCount | 0);
  }

  /** Whether `serve` would find anything to do. */
  hasWork(): boolean {
    if (this.#faulted) return false;
    const asked = this.#askedEpoch();
    if (asked !== this.#guestEpoch) return true;
    if (asked === 0) return false;
    for (let queue = 0; queue < this.#heads.length; queue += 1) {
      const tail = Atomics.load(this.#words, this.#queueWord(queue, queueControl.tail)) >>> 0;
      if (tail !== this.#heads[queue]) return true;
    }
    return false;
  }
}
