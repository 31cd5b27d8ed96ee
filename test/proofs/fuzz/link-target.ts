/**
 * A link's host end under attack: the real one, with its session and store, beside another guest that
 * shares their quota.
 *
 * The region is the host's alone here, so that each outcome is known from the words that its own end
 * of the link wrote there.
 */
import type { Geometry } from '../../../emulator/protocol/geometry.js';
import {
  DESCRIPTOR,
  Fault,
  FRAME_PAYLOAD_MAX,
  FrameKind,
  HEADER,
  PROTOCOL_VERSION,
  QUEUE_CONTROL,
  REPLY,
  wordsOf,
} from '../../../emulator/protocol/layout.js';
import { PageQuota } from '../../../emulator/store/quota.js';
import { SlotState } from '../../../emulator/store/slot-table.js';
import { createLinkLoopback, type LinkLoopback } from '../../../emulator/testing/index.js';
import { audit } from './audit.js';
import { Finding } from './finding.js';
import { LinkRules, type Taken } from './link-rules.js';
import { LinkHalfHonestGuest, type LinkStep } from './link-steps.js';
import { Neighbour } from './neighbour.js';
import { Rules } from './rules.js';

const header = wordsOf(HEADER);
const queueControl = wordsOf(QUEUE_CONTROL);
const descriptor = wordsOf(DESCRIPTOR);
const reply = wordsOf(REPLY);

const QUOTA_PAGES = 600;
const NEIGHBOUR_EVERY = 16;
const AUDIT_EVERY = 128;
/** Frames that the host may send in one call: all replies there can be, in pages, and some more. */
const FRAMES_MAX = 64;
/** What the host may do for each byte that it reads: look through it, check it, move it. */
const WORK_MAX = 8;
/** Bytes that may wait before the host looks at them. */
const WAITING_MAX = 2 ** 17;

export interface LinkPlan {
  readonly queueCount: number;
  readonly queueEntries: number;
}

export class LinkTarget {
  readonly guest: LinkHalfHonestGuest;
  readonly faults: number[];
  readonly geometry: Geometry;
  descriptors = 0;
  readonly #loop: LinkLoopback;
  readonly #quota = new PageQuota(QUOTA_PAGES);
  readonly #neighbour = new Neighbour(this.#quota);
  readonly #rules: Rules;
  readonly #linkRules: LinkRules;
  /**
   * What becomes of each frame is known: none was sent between the word that a life begins or ends
   * and the host's service of that.
   */
  #exact = true;
  #unsettled = false;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #receivedBytes = 0;
  #hostEpoch = 1;
  #serves = 0;

  constructor(plan: LinkPlan) {
    this.#loop = createLinkLoopback({ ...plan, quota: this.#quota });
    const { region, geometry, faults } = this.#loop;
    this.geometry = geometry;
    this.faults = faults;
    this.#rules = new Rules(region.words, geometry, false);
    this.#linkRules = new LinkRules(plan.queueCount, plan.queueEntries);
    this.guest = new LinkHalfHonestGuest(plan.queueCount, plan.queueEntries);
  }

  [Symbol.dispose](): void {}

  get isFaulted(): boolean {
    return this.#loop.session.isFaulted;
  }

  #check(holds: boolean, what: () => string): void {
    if (!holds) throw new Finding(what());
  }

  /** @throws Finding */
  apply(step: LinkStep): void {
    switch (step.do) {
      case 'serve':
        this.#serve(step.lose);
        break;
      case 'giveUp':
        this.#loop.host.reader.giveUp();
        break;
      case 'restart':
        this.#restart();
        break;
      default:
        this.#send(step);
    }
  }

  #send(step: LinkStep): void {
    if (this.#waitingBytes > WAITING_MAX) this.#serve();
    // What looks like a header keeps the frames behind it waiting.
    const isHead = step.do === 'head' && isLength(step.length);
    if (this.#unsettled || isHead) this.#exact = false;
    const bytes = this.guest.bytesOf(step).slice();
    if (step.do === 'hello' && step.version === PROTOCOL_VERSION && step.epoch !== 0) {
      if (step.epoch !== this.#linkRules.epoch) this.#linkRules.begin(step.epoch);
      this.#unsettled = true;
    }
    if (step.do === 'frame' && step.turn === -1) {
      this.#linkRules.receive(bytes);
      if (step.kind === FrameKind.GOODBYE) this.#unsettled = true;
      this.guest.epoch = this.#linkRules.epoch;
    }
    if (step.do === 'frame' && step.turn !== -1) {
      bytes[(step.turn >>> 3) % bytes.length]! ^= 1 << (step.turn & 7);
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  #restart(): void {
    this.#serve();
    this.#checkTables();
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#hostEpoch += 1;
    this.#loop.host.reset();
    this.#loop.session.restart(this.#hostEpoch);
    this.#rules.forget();
    this.#linkRules.begin(0);
    this.guest.epoch = 0;
    this.#exact = true;
    this.#unsettled = false;
    const { freeSlots, slots } = this.#loop.client;
    this.#check(freeSlots === slots.count, () => `${slots.count - freeSlots} slots left over`);
    const rest = this.#loop.region.words.subarray(1024);
    this.#check(
      rest.every((word) => word === 0),
      () => 'the last guest’s bytes were left',
    );
  }

  /** As a LinkPort does: what has come, a call of the session, what there is to say. */
  #serve(lose = false): void {
    this.#serves += 1;
    try {
      this.#receive();
      this.#serveSession();
      this.#sendOn(lose);
    } catch (error) {
      if (error instanceof Finding) throw error;
      throw new Finding(`the host threw: ${(error as Error).stack}`);
    }
    this.#unsettled = false;
    if (this.#isServed) {
      this.#linkRules.sent(this.#rules.heads, this.guest.credits);
    }
    this.#checkCounts();
    if (this.#serves % NEIGHBOUR_EVERY === 0) this.#checkNeighbour();
    if (this.#serves % AUDIT_EVERY === 0) this.#checkTables();
  }

  #receive(): void {
    const { host, session } = this.#loop;
    const wasFaulted = session.isFaulted;
    const faults = this.faults.length;
    for (const bytes of this.#waiting) {
      for (let rest = bytes; rest.length > 0; ) {
        const { space } = host.reader;
        this.#check(space.length > 0, () => 'the reader has no room');
        const count = Math.min(space.length, rest.length);
        space.set(rest.subarray(0, count));
        host.reader.filled(count);
        rest = rest.subarray(count);
        host.receive();
      }
    }
    this.#receivedBytes += this.#waitingBytes;
    this.#waiting = [];
    this.#waitingBytes = 0;
    const { workBytes } = host.reader;
    this.#check(
      workBytes <= WORK_MAX * this.#receivedBytes,
      () => `${workBytes} bytes of work for ${this.#receivedBytes} that came`,
    );
    const told = this.faults.length - faults;
    this.#check(told <= 1 && !(wasFaulted && told > 0), () => `${told} faults for one guest`);
    if (this.#exact && !wasFaulted && this.#isServed) this.#compareTaken(told === 1);
    this.#linkRules.fresh = [];
    // A bad frame cuts off between two calls of the session.
    if (told === 1) this.#rules.forget();
    if (told === 1) this.#rules.fault = this.faults.at(-1)!;
  }

  /** Whether the session serves the life on the link. */
  get #isServed(): boolean {
    return this.#rules.isServed && this.#rules.epoch === this.#linkRules.epoch;
  }

  /** What the host took is what came, in slots that it had promised. */
  #compareTaken(cutOff: boolean): void {
    const { fault, fresh, taken } = this.#linkRules;
    this.#check(
      cutOff || fault !== 'yes',
      () => 'a frame that no honest guest sends, and no fault',
    );
    this.#check(!cutOff || fault !== 'no', () => `an honest frame cut off: ${this.faults.at(-1)}`);
    if (cutOff) return;
    const { words } = this.#loop.region;
    const slots = new Set<number>();
    for (const each of fresh) this.#compareOne(each, slots);
    for (let queue = 0; queue < taken.length; queue += 1) {
      const tail = words[this.#queueWord(queue) + queueControl.tail]! >>> 0;
      this.#check(
        tail === taken[queue],
        () => `took ${tail} of queue ${queue}, not ${taken[queue]}`,
      );
    }
  }

  #compareOne({ queue, sequence, words: sent, mark }: Taken, slots: Set<number>): void {
    const { words } = this.#loop.region;
    const { descriptorOffset, queueEntries, slotPage } = this.geometry;
    const place = sequence & (queueEntries - 1);
    const at = this.#queueWord(queue) + (descriptorOffset + place * DESCRIPTOR.bytes) / 4;
    const what = (): string => `queue ${queue}, ${sequence}: took ${words.subarray(at, at + 16)}`;
    for (let word = 0; word < sent.length; word += 1) {
      // The slot is the host's choice, and it counts in the reserved words.
      const isOurs = word === descriptor.slot || word >= descriptor.reserved;
      this.#check(isOurs || words[at + word] === sent[word], what);
    }
    if (mark === undefined) return;
    const slot = words[at + descriptor.slot]!;
    const isGranted = this.#loop.client.slots.state(slot) === SlotState.GRANTED;
    this.#check(slot < this.geometry.slotCount && isGranted && !slots.has(slot), what);
    this.#check(words[(slotPage + slot) * 1024] === mark, what);
    slots.add(slot);
  }

  #serveSession(): void {
    const { session, region } = this.#loop;
    const { words } = region;
    const rules = this.#rules;
    const faults = this.faults.length;
    const expected = rules.expect();
    const served = session.serve();
    this.descriptors += (expected.begins ? 0 : served) + this.faults.length - faults;
    this.#check(served === expected.served, () => `served ${served}, not ${expected.served}`);
    const fault = session.isFaulted ? this.faults.at(-1) : 0;
    this.#check(fault === rules.fault, () => `cut off for ${fault}, not ${rules.fault}`);
    // Of what the session looks at, only the epoch in a descriptor is the guest's own word.
    const isOurs = expected.fault === 0 || expected.fault === Fault.EPOCH || !this.#exact;
    this.#check(isOurs, () => `the guest is cut off for ${fault}, which is the host's doing`);
    for (const { queue, sequence, result, slot, granted } of expected.replies) {
      const at = this.#replyWord(queue, sequence);
      const what = (): string => `queue ${queue}, ${sequence}: ${[...words.subarray(at, at + 4)]}`;
      this.#check(words[at + reply.result] === result, what);
      const expectedSlot = slot | (granted ? 0x8000_0000 : 0);
      this.#check(slot === -1 || words[at + reply.slot] === expectedSlot, what);
    }
    if (!session.isFaulted) this.#takeGrants();
  }

  #queueWord(queue: number): number {
    return (this.geometry.queueOffset + queue * this.geometry.queueStride) / 4;
  }

  #replyWord(queue: number, sequence: number): number {
    const place = sequence & (this.geometry.queueEntries - 1);
    return this.#queueWord(queue) + (this.geometry.replyOffset + place * REPLY.bytes) / 4;
  }

  #takeGrants(): void {
    const rules = this.#rules;
    const { creditOffset, creditEntries, slotCount } = this.geometry;
    const { words } = this.#loop.region;
    const tail = words[header.credit_tail]! >>> 0;
    const count = (tail - rules.creditTail) >>> 0;
    this.#check(count <= slotCount, () => `${count} credits at once`);
    for (; rules.creditTail !== tail; rules.creditTail = (rules.creditTail + 1) >>> 0) {
      const entry = creditOffset / 4 + (rules.creditTail & (creditEntries - 1));
      const wrong = rules.take(words[entry]!);
      this.#check(wrong === undefined, () => wrong!);
    }
    const { client } = this.#loop;
    for (let slot = 0; rules.used !== client.usedSlots && slot < slotCount; slot += 1) {
      if (rules.states[slot] !== 2 || client.slots.state(slot) === 2) continue;
      const wrong = rules.evict(slot);
      this.#check(wrong === undefined, () => wrong!);
    }
  }

  #sendOn(lose: boolean): void {
    const { host } = this.#loop;
    let frames = 0;
    for (let bytes = host.nextFrame(); bytes !== undefined; bytes = host.nextFrame()) {
      frames += 1;
      this.#check(frames <= FRAMES_MAX, () => `more than ${FRAMES_MAX} frames in one call`);
      if (lose) this.guest.lose();
      const wrong = lose ? undefined : this.guest.receive(bytes);
      // Of one that was cut off the queues are not kept any more.
      this.#check(wrong === undefined || this.isFaulted, () => wrong!);
    }
  }

  #checkCounts(): void {
    const { grantedSlots, usedSlots } = this.#loop.client;
    const { granted, used } = this.#rules;
    this.#check(grantedSlots === granted, () => `${grantedSlots} slots granted, not ${granted}`);
    this.#check(usedSlots === used, () => `${usedSlots} slots used, not ${used}`);
    const taken = grantedSlots + usedSlots + this.#neighbour.pagesTaken;
    this.#check(this.#quota.taken === taken, () => `${this.#quota.taken} of quota, not ${taken}`);
  }

  #checkNeighbour(): void {
    const wrong = this.#neighbour.use();
    this.#check(wrong === undefined, () => `the neighbour: ${wrong}`);
  }

  #checkTables(): void {
    const wrong = audit(this.#loop.client);
    this.#check(wrong === undefined, () => wrong!);
    this.#checkNeighbour();
  }
}

function isLength(length: number): boolean {
  return length >= 0 && length <= FRAME_PAYLOAD_MAX && length % 4 === 0;
}
