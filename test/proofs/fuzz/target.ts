/**
 * The host under attack: the real session and store of one guest, beside another guest that shares
 * their quota; what must hold after each step is looked at here.
 *
 * As long as no word changed while the host was at work, each outcome is known from the rules
 * (`rules.ts`) and compared word by word. Afterwards, until the next machine, what is left is what
 * must hold whatever the guest did: no throw, work within bounds, the tables agreeing with each
 * other, no write but to the host's own words, and the neighbour's pages.
 */
import { parsePolicy } from '../../../emulator/policy/put-policy.js';
import { computeGeometry, type Geometry } from '../../../emulator/protocol/geometry.js';
import {
  HEADER,
  HostState,
  QUEUE_CONTROL,
  REPLY,
  wordsOf,
} from '../../../emulator/protocol/layout.js';
import { Session } from '../../../emulator/session/session.js';
import { Count } from '../../../emulator/session/session-counters.js';
import { SessionRecord } from '../../../emulator/session/session-record.js';
import { TmemClient } from '../../../emulator/store/client.js';
import { PageQuota } from '../../../emulator/store/quota.js';
import { SharedRegion } from '../../../emulator/transport/region.js';
import { audit } from './audit.js';
import { Finding } from './finding.js';
import { Neighbour } from './neighbour.js';
import { type Expected, type ExpectedReply, Rules } from './rules.js';
import { HalfHonestGuest, type Step } from './steps.js';
import { Crash, type Race, Watch } from './watch.js';
import { Owner, ownersOf } from './words.js';

const header = wordsOf(HEADER);
const queueControl = wordsOf(QUEUE_CONTROL);
const reply = wordsOf(REPLY);

const REGION_BYTES = 2 ** 20;
/** Pages beyond those that the neighbour holds as credits. */
const QUOTA_PAGES = 600;
/** Serves between two looks at the neighbour, and at the tables. */
const NEIGHBOUR_EVERY = 16;
const AUDIT_EVERY = 128;
/** Words that say which life asks, and how often each is read to know it once. */
const LIFE_LOOKS: Readonly<Record<number, number>> = {
  [header.guest_state]: 1,
  [header.guest_epoch]: 2,
};

export interface TargetPlan {
  readonly queueCount: number;
  readonly queueEntries: number;
  readonly policy: 'accept' | 'refuse-duplicates';
  /** Watch each plain read as well. */
  readonly plainReads: boolean;
}

export interface TargetOptions {
  /**
   * The region's bytes, where another thread writes to all of it but the slots, whenever it likes;
   * default: its own, and nobody does.
   */
  readonly raced?: SharedArrayBuffer;
}

export class Target implements Disposable {
  readonly region: SharedRegion;
  readonly geometry: Geometry;
  readonly guest: HalfHonestGuest;
  /** Faults that the guest was cut off for, of all its lives. */
  readonly faults: number[] = [];
  /** Descriptors that the host carried out, and words that it cut the guest off for. */
  descriptors = 0;
  readonly #plan: TargetPlan;
  readonly #isRaced: boolean;
  readonly #watch: Watch;
  readonly #owners: Uint8Array;
  readonly #quota = new PageQuota(QUOTA_PAGES);
  readonly #state: ArrayBuffer;
  readonly #record = new SessionRecord();
  readonly #rules: Rules;
  readonly #neighbour = new Neighbour(this.#quota);
  readonly #rings: number[] = [];
  /** What the slots hold that the guest wrote there. */
  readonly #slots: Int32Array;
  readonly #slotsNow: Int32Array;
  #client: TmemClient;
  #session: Session;
  #hostEpoch = 1;
  /** No word changed under the host's hands since this machine came. */
  #exact: boolean;
  #serves = 0;

  constructor(plan: TargetPlan, { raced }: TargetOptions = {}) {
    const { queueCount, queueEntries } = plan;
    this.#plan = plan;
    this.#isRaced = raced !== undefined;
    this.#exact = !this.#isRaced;
    // What is shared between threads has another type, and is used in the same ways here.
    const memory = (raced ?? new ArrayBuffer(REGION_BYTES)) as ArrayBuffer;
    this.region = new SharedRegion(memory);
    this.geometry = computeGeometry({ regionBytes: REGION_BYTES, queueCount, queueEntries });
    this.#watch = new Watch(this.region, plan.plainReads);
    this.#owners = ownersOf(this.geometry);
    this.#state = new ArrayBuffer(TmemClient.stateBytes(this.geometry.slotCount));
    const { words } = this.region;
    this.#slotsNow = new Int32Array(memory, this.geometry.slotPage * 4096);
    this.#slots = this.#slotsNow.slice();
    this.guest = new HalfHonestGuest(words, this.geometry);
    this.#rules = new Rules(words, this.geometry, plan.policy === 'refuse-duplicates');
    this.#client = this.#newClient(false);
    this.#session = this.#newSession(false);
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }

  get isFaulted(): boolean {
    return this.#session.isFaulted;
  }

  #newClient(keepGranted: boolean): TmemClient {
    const { slotCount } = this.geometry;
    const policy = parsePolicy(this.#plan.policy);
    return new TmemClient({
      slotCount,
      state: this.#state,
      quota: this.#quota,
      policy,
      keepGranted,
    });
  }

  #newSession(takeOver: boolean): Session {
    return new Session({
      region: this.#watch.region,
      geometry: this.geometry,
      client: this.#client,
      hostEpoch: this.#hostEpoch,
      hostPeer: 0,
      ring: (vector) => this.#rings.push(vector),
      onFault: (fault) => this.faults.push(fault),
      record: this.#record,
      takeOver,
    });
  }

  #check(holds: boolean, what: () => string): void {
    if (!holds) throw new Finding(what());
  }

  // --- Steps ------------------------------------------------------------------------------------

  /** @throws Finding */
  apply(step: Step): void {
    switch (step.do) {
      case 'post':
        if (!this.guest.post(step)) this.#serve([], -1);
        break;
      case 'serve':
        this.#serve(step.races, step.dieAfter);
        break;
      case 'poke':
        this.#poke(step.word, step.value);
        break;
      case 'attach':
        this.guest.attach(step.epoch, step.features);
        break;
      case 'detach':
        this.guest.detach();
        break;
      case 'sleep':
        this.#sleep();
        break;
      case 'restart':
        this.#restart();
        break;
      case 'takeOver':
        this.#takeOver();
        break;
      case 'quota':
        this.#quota.limit = step.pages;
        break;
      case 'refuse':
        this.#session.refusePuts(step.refuse);
        break;
    }
  }

  #poke(word: number, value: number): void {
    this.region.words[word] = value;
    this.#noteSlotWord(word);
  }

  /** The guest wrote this word, in a slot or not. */
  #noteSlotWord(word: number): void {
    const slotWord = word - this.geometry.slotPage * 1024;
    if (slotWord >= 0) this.#slots[slotWord] = this.region.words[word]!;
  }

  #sleep(): void {
    const { words } = this.region;
    const isOdd = (): boolean => (words[header.host_sleep]! & 1) === 1;
    let work = false;
    this.#run(() => {
      this.#session.announceSleep();
      work = this.#session.hasWork();
    });
    this.#check(isOdd() || !this.#exact, () => 'the host sleeps and does not say so');
    this.#run(() => this.#session.announceAwake());
    this.#check(!isOdd() || !this.#exact, () => 'the host is awake, and says that it sleeps');
    const served = this.#serve([], -1);
    this.#check(work || served === 0 || !this.#exact, () => `slept beside ${served} operations`);
  }

  #restart(): void {
    this.#checkTables();
    this.#checkNeighbour();
    const same = isSame(this.#slots, this.#slotsNow);
    this.#check(same, () => 'bytes of a slot changed');
    this.#hostEpoch += 1;
    this.#session.restart(this.#hostEpoch);
    this.#rules.forget();
    this.#slots.fill(0);
    this.#exact = !this.#isRaced;
    const { words, memory } = this.region;
    const { freeSlots, slots } = this.#client;
    this.#check(freeSlots === slots.count, () => `${slots.count - freeSlots} slots left over`);
    if (!this.#exact) return;
    this.#check(words[header.host_state] === HostState.READY, () => 'not READY for a new machine');
    this.#check(words[header.guest_epoch] === 0, () => 'a word of the last guest was left');
    const isClear = isSame(new Int32Array(memory, 4096), zeros);
    this.#check(isClear, () => 'the last guest’s bytes were left');
  }

  #takeOver(): void {
    const { grantedSlots, usedSlots } = this.#client;
    for (let page = 0; page < grantedSlots + usedSlots; page += 1) this.#quota.release();
    this.#client = this.#newClient(true);
    this.#session = this.#newSession(true);
    this.#rings.length = 0;
    this.#rules.forgetRings();
    this.#checkCounts();
  }

  // --- One call of the host ---------------------------------------------------------------------

  #run<T>(host: () => T, races: readonly Race[] = [], dieAfter = -1): T | undefined {
    try {
      return this.#watch.run(host, races, dieAfter);
    } catch (error) {
      if (error instanceof Crash) {
        this.#takeOver();
        return undefined;
      }
      throw new Finding(`the host threw: ${(error as Error).stack}`);
    } finally {
      this.#checkTouched();
    }
  }

  /** @returns operations answered */
  #serve(races: readonly Race[], dieAfter: number): number {
    if (races.length > 0 || dieAfter !== -1) this.#exact = false;
    const expected = this.#exact ? this.#rules.expect() : undefined;
    this.#rings.length = 0;
    const faults = this.faults.length;
    const { counters } = this.#record;
    const operations = counters[Count.operations]!;
    const wasFaulted = this.#session.isFaulted;
    const served = this.#run(() => this.#session.serve(), races, dieAfter) ?? 0;
    for (const { word } of races) this.#noteSlotWord(word);
    const told = this.faults.length - faults;
    this.#serves += 1;
    this.descriptors += counters[Count.operations]! - operations + told;
    const most = this.geometry.queueCount * this.geometry.queueEntries;
    this.#check(served <= most, () => `${served} operations in one call, of at most ${most}`);
    this.#check(!wasFaulted || (served === 0 && told === 0), () => 'served after it was cut off');
    this.#check(told === 0 || this.#session.isFaulted, () => 'a fault that cut nobody off');
    if (expected !== undefined) this.#compare(expected, served);
    this.#checkCounts();
    this.guest.readReplies();
    if (this.#serves % NEIGHBOUR_EVERY === 0) this.#checkNeighbour();
    if (this.#serves % AUDIT_EVERY === 0) this.#checkTables();
    return served;
  }

  #compare(expected: Expected, served: number): void {
    const { words } = this.region;
    const rules = this.#rules;
    this.#check(served === expected.served, () => `served ${served}, not ${expected.served}`);
    const { isFaulted } = this.#session;
    const fault = isFaulted ? this.faults.at(-1) : 0;
    this.#check(fault === rules.fault, () => `cut off for ${fault}, not ${rules.fault}`);
    for (const each of expected.replies) this.#compareReply(each);
    const rings = String(this.#rings);
    this.#check(rings === String(expected.rings), () => `rang ${rings}, not ${expected.rings}`);
    if (expected.begins) {
      this.#check(words[header.session_epoch]! >>> 0 === rules.epoch, () => 'not this life served');
    }
    if (expected.fault !== 0) {
      const state = words[header.host_state];
      this.#check(state === HostState.FAULTED, () => `host_state is ${state} after a fault`);
      this.#check(
        words[header.fault] === fault,
        () => `the fault is told as ${words[header.fault]}`,
      );
      return;
    }
    if (isFaulted) return;
    for (let queue = 0; queue < rules.heads.length; queue += 1) {
      const head = this.#record.head(queue);
      this.#check(head === rules.heads[queue], () => `queue ${queue} at ${head}`);
    }
    this.#compareGrants();
  }

  #compareReply(expected: ExpectedReply): void {
    const { words } = this.region;
    const { queue, sequence } = expected;
    const at = this.guest.replyWord(queue, sequence);
    const what = (): string =>
      `queue ${queue}, ${sequence}: answered ${[...words.subarray(at, at + 4)]}, not ` +
      JSON.stringify(expected);
    this.#check(words[at + reply.result] === expected.result, what);
    this.#check(words[at + reply.sequence]! >>> 0 === sequence, what);
    this.#check(words[at + reply.epoch] === this.#hostEpoch, what);
    const head = words[this.guest.queueWord(queue, queueControl.head)]! >>> 0;
    this.#check(this.#rules.fault !== 0 || head === this.#rules.heads[queue], what);
    // No slot is told where none is given: -1.
    const slot = expected.slot | (expected.granted ? 0x8000_0000 : 0);
    this.#check(words[at + reply.slot] === slot, what);
  }

  #compareGrants(): void {
    const rules = this.#rules;
    const { creditOffset, creditEntries, slotCount } = this.geometry;
    const { creditTail } = this.#record;
    const count = (creditTail - rules.creditTail) >>> 0;
    this.#check(count <= slotCount, () => `${count} credits at once`);
    for (; rules.creditTail !== creditTail; rules.creditTail = (rules.creditTail + 1) >>> 0) {
      const entry = creditOffset / 4 + (rules.creditTail & (creditEntries - 1));
      const wrong = rules.take(this.region.words[entry]!);
      this.#check(wrong === undefined, () => wrong!);
    }
    const client = this.#client;
    for (let slot = 0; rules.used !== client.usedSlots && slot < slotCount; slot += 1) {
      if (rules.states[slot] !== 2 || client.slots.state(slot) === 2) continue;
      const wrong = rules.evict(slot);
      this.#check(wrong === undefined, () => wrong!);
    }
    const { taken, limit } = this.#quota;
    this.#check(count === 0 || taken <= limit, () => `granted to ${taken} pages of ${limit}`);
    const full = client.freeSlots === 0 || taken >= limit;
    this.#check(full || !rules.isServed, () => `${client.freeSlots} slots free and none granted`);
  }

  // --- What always holds ------------------------------------------------------------------------

  #checkTouched(): void {
    const { read, reads, written } = this.#watch;
    for (const word of written) {
      this.#check(this.#owners[word] === Owner.HOST, () => `the host wrote word ${word}`);
    }
    for (const word of read) {
      this.#check(this.#owners[word] === Owner.GUEST, () => `the host relied on word ${word}`);
      // Whether a life has ended meanwhile is asked once more each time that it would be cut off.
      // The epoch is read on both sides of the state.
      const looks = LIFE_LOOKS[word] ?? 0;
      const most = looks === 0 ? 1 : looks * (2 + this.geometry.queueCount);
      this.#check(reads[word]! <= most, () => `the host read word ${word} ${reads[word]} times`);
    }
  }

  #checkCounts(): void {
    const { grantedSlots, usedSlots } = this.#client;
    if (this.#exact) {
      const { granted, used } = this.#rules;
      this.#check(grantedSlots === granted, () => `${grantedSlots} slots granted, not ${granted}`);
      this.#check(usedSlots === used, () => `${usedSlots} slots used, not ${used}`);
    }
    const taken = grantedSlots + usedSlots + this.#neighbour.pagesTaken;
    this.#check(this.#quota.taken === taken, () => `${this.#quota.taken} of quota, not ${taken}`);
    const idle = this.#session.isFaulted || this.#session.guestEpoch === 0;
    this.#check(!idle || grantedSlots + usedSlots === 0, () => 'slots held for no guest');
  }

  #checkNeighbour(): void {
    const wrong = this.#neighbour.use();
    this.#check(wrong === undefined, () => `the neighbour: ${wrong}`);
  }

  #checkTables(): void {
    const wrong = audit(this.#client, this.#state);
    this.#check(wrong === undefined, () => wrong!);
  }
}

const zeros = new Int32Array((REGION_BYTES - 4096) / 4);

function isSame(one: Int32Array, other: Int32Array): boolean {
  return Buffer.compare(bytesOf(one), bytesOf(other)) === 0;
}

function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}
