/**
 * A host that lies: stands between a guest's shared memory and an honest session.
 *
 * The session serves a region of its own (header, queues and credit ring; pages stay in the guest's
 * slots, which no session touches). Each turn takes over what the guest has written, lets the
 * session serve, and publishes what that has written, some of it altered. Whatever the guest makes
 * of a lie must not upset the session: a put into a slot that the session has not promised, and a
 * descriptor that was overwritten because the guest was told of room that there is not, become
 * operations that do no harm. Words that would stop the guest for ever if they stayed false (heads,
 * the credit tail, the header's) are put right a turn later.
 *
 * One thread; it owns the session's region, not the guest's.
 */
import type { Geometry } from '../../../emulator/protocol/geometry.js';
import {
  Command,
  DESCRIPTOR,
  GuestState,
  HEADER,
  HostState,
  PAGE_BYTES,
  QUEUE_CONTROL,
  REPLY,
  REPLY_SLOT_GRANTED,
  wordsOf,
} from '../../../emulator/protocol/layout.js';
import { Session } from '../../../emulator/session/session.js';
import { TmemClient } from '../../../emulator/store/client.js';
import { Result } from '../../../emulator/store/results.js';
import { SharedRegion } from '../../../emulator/transport/region.js';
import type { Random } from '../random.js';
import { ABOUT, HOST_WORDS, IDENTITY_WORDS, Liar, lies } from './lies.js';
import { Promises } from './promises.js';
import type { Tally } from './tally.js';

const header = wordsOf(HEADER);
const control = wordsOf(QUEUE_CONTROL);
const descriptor = wordsOf(DESCRIPTOR);
const DESCRIPTOR_WORDS = DESCRIPTOR.bytes / 4;
const REPLY_WORDS = REPLY.bytes / 4;

/** Swapped pages are keyed by a small area number, and nothing above it (guest-kmod/area.c). */
const AREAS_MAX = 36;
/** One of so many lies about a head lasts, and answers are kept back with it. */
const LATE_ONE_IN = 3000;
const LATE_MS = 250;
/** Of answers of swapped pages a smaller share is false: each costs a page or a wait. */
const SWAP_SHARE = 1 / 4;

export interface RelayOptions {
  /** The guest's. */
  readonly region: SharedRegion;
  readonly geometry: Geometry;
  readonly seed: number;
  readonly hostEpoch: number;
  readonly hostPeer: number;
  readonly ring: (vector: number) => void;
  readonly tally: Tally;
}

/** What queues' heads say: the truth; more than was posted; nothing new. */
export type Heads = 'true' | 'ahead' | 'still';
/** How far ahead. */
const HEAD_AHEAD = 5;

/** A queue as the relay sees it. */
interface Queue {
  /** Descriptors taken from the guest, and replies shown to it. */
  taken: number;
  shown: number;
  /** The last sleep word for which the guest was rung. */
  rung: number;
  /** No answers before this moment. */
  lateUntil: number;
  /** Its head was kept from saying the truth. */
  held: boolean;
}

export class Relay {
  /** Of replies, from 0 to 1. */
  share = 0;
  heads: Heads = 'true';
  /** Of pages that are put; more than `share` calls for. */
  spoilt = 0;
  /** What a new pool is called; undefined: what it is. */
  poolId: number | undefined;
  readonly #options: RelayOptions;
  readonly #real: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #own: Int32Array;
  readonly #session: Session;
  readonly #liar: Liar;
  readonly #queues: Queue[];
  readonly #reply = new Int32Array(REPLY_WORDS);
  readonly promises: Promises;
  readonly #tally: Tally;
  /** By queue and place: the put of a slot that was not; its answer is made here. */
  readonly #forged: Uint8Array;
  /** What puts words right again, at the next turn. */
  #amends: (() => void)[] = [];
  #puts = 0;
  #turns = 0;

  constructor(options: RelayOptions) {
    const { geometry, region } = options;
    this.#options = options;
    this.#real = region.words;
    this.#bytes = new Uint8Array(region.memory);
    const own = new SharedRegion(new ArrayBuffer(geometry.slotPage * PAGE_BYTES));
    this.#own = own.words;
    this.#liar = new Liar(options.seed, geometry.slotCount);
    this.#tally = options.tally;
    this.promises = new Promises({
      words: region.words,
      geometry,
      liar: this.#liar,
      tally: options.tally,
    });
    this.#forged = new Uint8Array(geometry.queueCount * geometry.queueEntries);
    this.#queues = Array.from({ length: geometry.queueCount }, () => ({
      taken: 0,
      shown: 0,
      rung: 0,
      lateUntil: 0,
      held: false,
    }));
    this.#session = new Session({
      region: own,
      geometry,
      client: new TmemClient({ slotCount: geometry.slotCount }),
      hostEpoch: options.hostEpoch,
      hostPeer: options.hostPeer,
      // The relay rings by the guest's own words.
      ring: () => {},
      onFault: () => options.tally.count('faults'),
    });
    for (const word of HOST_WORDS) if (word !== header.magic_lo) this.#showWord(word);
    this.#showWord(header.magic_lo);
  }

  #showWord(word: number): void {
    Atomics.store(this.#real, word, this.#own[word]!);
  }

  /** The guest sees that nobody serves any more. */
  close(): void {
    this.#session.close();
    Atomics.store(this.#real, header.host_state, HostState.DOWN);
  }

  /** What a guest finds that attaches from now on: lies number `nth`, or the truth for 0. */
  showIdentity(nth: number): void {
    for (const word of IDENTITY_WORDS) this.#showWord(word);
    if (nth === 0) return;
    this.#liar.identity(nth, this.#real);
  }

  /** @returns operations that were served; 0: nothing was there */
  turn(): number {
    this.#turns += 1;
    const amends = this.#amends;
    this.#amends = [];
    for (const amend of amends) amend();
    this.#takeHeader();
    let served = 0;
    for (let queue = 0; queue < this.#queues.length; queue += 1) this.#takeDescriptors(queue);
    served += this.#session.serve();
    const amend = this.promises.turn(this.#own, this.share);
    if (amend !== undefined) this.#amends.push(amend);
    for (let queue = 0; queue < this.#queues.length; queue += 1) this.#showReplies(queue);
    this.#showHeader();
    return served;
  }

  // --- From the guest ---------------------------------------------------------------------------

  /** Takes over which life the guest is in; a new one begins with nothing of the last. */
  #takeHeader(): void {
    const state = Atomics.load(this.#real, header.guest_state);
    const epoch = Atomics.load(this.#real, header.guest_epoch);
    const own = this.#own;
    if (state === own[header.guest_state] && epoch === own[header.guest_epoch]) return;
    own[header.guest_epoch] = epoch;
    Atomics.store(own, header.guest_state, GuestState.DETACHED);
    this.#session.serve();
    this.#forget();
    if (state !== GuestState.ATTACHED) return;
    own[header.guest_features] = this.#real[header.guest_features]!;
    Atomics.store(own, header.guest_state, GuestState.ATTACHED);
    this.#session.serve();
  }

  /** The session has dropped the life that it served. */
  #forget(): void {
    this.#amends = [];
    this.#forged.fill(0);
    for (const [at, queue] of this.#queues.entries()) {
      Object.assign(queue, { taken: 0, shown: 0, rung: 0, lateUntil: 0, held: false });
      Atomics.store(this.#real, this.#queueWord(at, control.head), 0);
      Atomics.store(this.#own, this.#queueWord(at, control.tail), 0);
    }
    this.promises.forget();
    this.#own[header.credit_head] = 0;
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
    const at = descriptorOffset / 4 + this.#place(sequence) * DESCRIPTOR_WORDS;
    return this.#queueWord(queue, at);
  }

  #replyWord(queue: number, sequence: number): number {
    const { replyOffset } = this.#options.geometry;
    return this.#queueWord(queue, replyOffset / 4 + this.#place(sequence) * REPLY_WORDS);
  }

  #takeDescriptors(number: number): void {
    if (this.#own[header.guest_state] !== GuestState.ATTACHED) return;
    const queue = this.#queues[number]!;
    const { queueEntries } = this.#options.geometry;
    const tail = Atomics.load(this.#real, this.#queueWord(number, control.tail)) >>> 0;
    while (queue.taken !== tail && (queue.taken - queue.shown) >>> 0 < queueEntries) {
      this.#takeDescriptor(number, queue.taken);
      queue.taken = (queue.taken + 1) >>> 0;
    }
    Atomics.store(this.#own, this.#queueWord(number, control.tail), queue.taken | 0);
  }

  #takeDescriptor(queue: number, sequence: number): void {
    const own = this.#own;
    const at = this.#descriptorWord(queue, sequence);
    for (let word = at; word < at + DESCRIPTOR_WORDS; word += 1) own[word] = this.#real[word]!;
    this.#forged[this.#forgedAt(queue, sequence)] = 0;
    const epoch = own[header.guest_epoch]!;
    if (own[at + descriptor.sequence]! >>> 0 !== sequence || own[at + descriptor.epoch] !== epoch) {
      // Overwritten by a later one, for which there was no room; or the queues are elsewhere.
      own[at + descriptor.command] = Command.CONTROL;
      own[at + descriptor.sequence] = sequence;
      own[at + descriptor.epoch] = epoch;
    }
    if (own[at + descriptor.command] !== Command.PUT_PAGE) return;
    const slot = own[at + descriptor.slot]! >>> 0;
    if (this.promises.take(slot)) return;
    this.#tally.count('putsForged');
    own[at + descriptor.command] = Command.FLUSH_PAGE;
    this.#forged[this.#forgedAt(queue, sequence)] = 1;
  }

  #forgedAt(queue: number, sequence: number): number {
    return queue * this.#options.geometry.queueEntries + this.#place(sequence);
  }

  // --- To the guest -----------------------------------------------------------------------------

  #showReplies(number: number): void {
    const queue = this.#queues[number]!;
    const word = this.#queueWord(number, control.head);
    const head = this.#own[word]! >>> 0;
    if (this.heads !== 'true') {
      const tail = Atomics.load(this.#real, this.#queueWord(number, control.tail));
      if (this.heads === 'ahead') Atomics.store(this.#real, word, tail + HEAD_AHEAD);
      queue.held = true;
      return;
    }
    if (queue.shown === head && !queue.held) return;
    if (queue.lateUntil > performance.now()) return;
    const wasHeld = queue.held;
    queue.held = false;
    while (queue.shown !== head) {
      this.#showReply(number, queue.shown);
      queue.shown = (queue.shown + 1) >>> 0;
    }
    Atomics.store(this.#real, word, head | 0);
    const random = this.#liar.about(ABOUT.reply, -1 - number, head);
    // Of the same head the same would be said again, and the guest never hear the truth.
    if (!wasHeld && lies(random, this.share / 8)) this.#lieAboutHead(random, number, head);
    this.#wake(random, number);
  }

  #lieAboutHead(random: Random, number: number, head: number): void {
    const word = this.#queueWord(number, control.head);
    const queue = this.#queues[number]!;
    this.#tally.count('head');
    const lie = this.#liar.head(random, head, this.#options.geometry.queueEntries);
    Atomics.store(this.#real, word, lie | 0);
    if (random.oneIn(LATE_ONE_IN)) {
      this.#tally.count('late');
      queue.lateUntil = performance.now() + LATE_MS;
      queue.held = true;
      return;
    }
    this.#amends.push(() => {
      Atomics.store(this.#real, word, queue.shown | 0);
      this.#options.ring(number);
    });
  }

  /** Rings a guest that sleeps; now and then one that does not, or not. */
  #wake(random: Random, number: number): void {
    const queue = this.#queues[number]!;
    const sleep = Atomics.load(this.#real, this.#queueWord(number, control.guest_sleep)) >>> 0;
    const isAsleep = (sleep & 1) !== 0 && sleep !== queue.rung;
    const isFalse = lies(random, this.share / 64);
    if (isFalse) this.#tally.count('bell');
    if (isAsleep === isFalse) return;
    queue.rung = sleep;
    this.#options.ring(number);
  }

  /** Whether the descriptor is a front end's, of a swapped page. */
  #isSwap(at: number): boolean {
    const own = this.#own;
    const oid = at + descriptor.oid;
    const low = own[oid]! >>> 0;
    return low < AREAS_MAX && own[oid + 1] === 0 && own[oid + 2] === 0 && own[oid + 3] === 0;
  }

  #showReply(queue: number, sequence: number): void {
    const from = this.#replyWord(queue, sequence);
    const at = this.#descriptorWord(queue, sequence);
    const command = this.#own[at + descriptor.command]!;
    const words = this.#reply;
    for (let word = 0; word < REPLY_WORDS; word += 1) words[word] = this.#own[from + word]!;
    this.#account(queue, sequence, command, words);
    const isSwap = this.#isSwap(at);
    const random = this.#liar.about(ABOUT.reply, queue, sequence);
    // Nobody reads the answer to a flush of a swapped page.
    if (!isSwap || command !== Command.FLUSH_PAGE) {
      this.#tally.count('replies');
      if (lies(random, isSwap ? this.share * SWAP_SHARE : this.share)) {
        this.#tally.count('repliesLied');
        this.#lieInReply(random, from, words, isSwap);
        return;
      }
    }
    for (let word = 0; word < REPLY_WORDS; word += 1) this.#real[from + word] = words[word]!;
  }

  /** Follows who has which slot, and makes the answer to a put that the session has not seen. */
  #account(queue: number, sequence: number, command: number, words: Int32Array): void {
    if (this.#forged[this.#forgedAt(queue, sequence)] === 1) words[0] = Result.ENOMEM;
    if (command === Command.NEW_POOL && this.poolId !== undefined) words[0] = this.poolId;
    const slot = words[1]!;
    if (command === Command.GET_PAGE && words[0] === Result.SUCCESS && slot < 0) {
      this.promises.give((slot & ~REPLY_SLOT_GRANTED) >>> 0);
    }
    if (command !== Command.PUT_PAGE || words[0] !== Result.SUCCESS) return;
    this.#puts += 1;
    const random = this.#liar.about(ABOUT.page, this.#puts);
    if (!lies(random, Math.max(this.spoilt, this.share / 8))) return;
    const put = this.#own[this.#descriptorWord(queue, sequence) + descriptor.slot]! >>> 0;
    this.#tally.count('page');
    this.#liar.page(random, put, (other) => this.#slot(other));
  }

  #slot(slot: number): Uint8Array {
    const at = (this.#options.geometry.slotPage + slot) * PAGE_BYTES;
    return this.#bytes.subarray(at, at + PAGE_BYTES);
  }

  #lieInReply(random: Random, to: number, truth: Int32Array, isSwap: boolean): void {
    const real = this.#real;
    const way = random.below(isSwap ? 64 : 8);
    const show = (words: Int32Array): void => {
      for (let word = 0; word < REPLY_WORDS; word += 1) real[to + word] = words[word]!;
    };
    if (way === 0) {
      // The head comes first, the reply that it covers a turn later.
      this.#tally.count('early');
      const late = truth.slice();
      this.#amends.push(() => show(late));
      return;
    }
    const lie = truth.slice();
    this.#tally.count(this.#liar.reply(random, lie, isSwap));
    show(lie);
    if (way > 2) return;
    // The words change while the guest may be reading them.
    this.#tally.count('rewritten');
    const after = truth.slice();
    this.#liar.reply(random, after, isSwap);
    this.#amends.push(() => show(after));
  }

  #showHeader(): void {
    const dynamic = [header.host_state, header.host_epoch, header.refuse, header.fault];
    for (const word of dynamic) {
      if (Atomics.load(this.#real, word) !== this.#own[word]) this.#showWord(word);
    }
    if (Atomics.load(this.#real, header.session_epoch) !== this.#own[header.session_epoch]) {
      this.#showWord(header.session_epoch);
    }
    const random = this.#liar.about(ABOUT.header, this.#turns);
    if (!lies(random, this.share / 32)) return;
    this.#tally.count('header');
    const { word, value } = this.#liar.header(random);
    Atomics.store(this.#real, word, value | 0);
    this.#amends.push(() => this.#showWord(word));
  }
}
