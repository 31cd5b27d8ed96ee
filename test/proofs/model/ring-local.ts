/**
 * A guest, the queues, a session and a store in one thread: operations are posted many at a time,
 * several of one key among them, and each answer is compared with the model's, the page's bytes
 * too.
 *
 * A key's operations go to one queue, so their order is known; an operation that touches other keys
 * than its own is posted alone. The session dies at any of its atomic stores, and another takes
 * over; guest and host begin new lives.
 */
import { acceptAll, type PutPolicy } from '../../../emulator/policy/put-policy.js';
import { computeGeometry } from '../../../emulator/protocol/geometry.js';
import { Command, PAGE_BYTES, REPLY_SLOT_GRANTED } from '../../../emulator/protocol/layout.js';
import { Session } from '../../../emulator/session/session.js';
import { SessionRecord } from '../../../emulator/session/session-record.js';
import { objectId, TmemClient } from '../../../emulator/store/client.js';
import type { ObjectId } from '../../../emulator/store/object-table.js';
import { PageQuota } from '../../../emulator/store/quota.js';
import { Result } from '../../../emulator/store/results.js';
import { FakeGuest, type GuestReply } from '../../../emulator/testing/index.js';
import { SharedRegion } from '../../../emulator/transport/region.js';
import type { Random } from '../random.js';
import { Death, type Reaper } from './death.js';
import { Model, NONE } from './model.js';
import { Pages } from './page.js';
import { Divergence } from './store-log.js';

const REGION_BYTES = 2 ** 20;
const EMPTY = Buffer.alloc(REGION_BYTES);
const VERSION = 1 << 24;
const INDICES = [0, 1, 2, 3, 4, 5, 6, 7, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const POOLS = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, -1];
const QUOTAS = [0, 1, 4, 20, 40, 60, 100, 100, 1000, 1000, 1000, 1000];
const OBJECTS = [objectId(1), objectId(0, 2), objectId(-1, -1, -1, -1, -1, -1), objectId()];
/** Atomic stores at most from when a session begins to serve until it dies. */
const STORES_MAX = 200;
/** Times that a session may serve until all is answered. */
const ROUNDS_MAX = 100;
const NO_SLOT = 0xffff_ffff;

interface Posted {
  readonly command: number;
  readonly pool: number;
  readonly object: number;
  readonly index: number;
  readonly slot: number;
  readonly flags: number;
  readonly sequence: number;
}

export class LocalRings {
  readonly #random: Random;
  readonly #reaper: Reaper;
  readonly #model = new Model();
  readonly #geometry;
  readonly #state: ArrayBuffer;
  readonly #record = new ArrayBuffer(SessionRecord.bytes);
  readonly #region = new SharedRegion(new ArrayBuffer(REGION_BYTES));
  readonly #pages: Pages;
  readonly #policy: PutPolicy;
  readonly #guest: FakeGuest;
  /** Operations without an answer, by queue. */
  readonly #posted: Posted[][];
  /** Number of the put whose page is in each slot. */
  readonly #numbers: Int32Array;
  #quota = new PageQuota();
  #client!: TmemClient;
  #session: Session;
  readonly #refusesSome: boolean;
  /** Since the last answers were read. */
  #tookOver = false;
  #puts = 0;
  #lives = 0;
  done = 0;
  takeovers = 0;

  constructor(random: Random, reaper: Reaper) {
    this.#random = random;
    this.#reaper = reaper;
    const queueCount = random.pick([1, 2, 4]);
    this.#geometry = computeGeometry({ regionBytes: REGION_BYTES, queueCount, queueEntries: 16 });
    const { slotCount, slotPage } = this.#geometry;
    this.#state = new ArrayBuffer(TmemClient.stateBytes(slotCount));
    this.#numbers = new Int32Array(slotCount);
    this.#pages = new Pages(this.#region, slotPage);
    this.#posted = Array.from({ length: queueCount }, () => []);
    this.#refusesSome = random.oneIn(2);
    this.#policy = { ...acceptAll, acceptsAll: !this.#refusesSome, admits: () => this.#admits() };
    this.#session = this.#begin(false);
    this.#guest = new FakeGuest({ region: this.#region, pump: () => this.#serve() });
    this.#quota.limit = random.pick(QUOTAS);
  }

  #begin(takeOver: boolean): Session {
    this.#quota = new PageQuota(this.#quota.limit);
    this.#client = new TmemClient({
      slotCount: this.#geometry.slotCount,
      state: this.#state,
      quota: this.#quota,
      policy: this.#policy,
      keepGranted: takeOver,
    });
    return new Session({
      region: this.#region,
      geometry: this.#geometry,
      client: this.#client,
      hostEpoch: 5,
      hostPeer: 0,
      ring: () => {},
      record: new SessionRecord(this.#record),
      takeOver,
    });
  }

  #admits(): boolean {
    return !this.#refusesSome || !this.#random.oneIn(6);
  }

  /** Has the session answer; another takes over from one that dies, and may die as well. */
  #serve(): number {
    let takeOver = this.#random.oneIn(200);
    for (;;) {
      if (this.#random.oneIn(8)) this.#reaper.await(this.#random.below(STORES_MAX));
      try {
        if (takeOver) {
          this.takeovers += 1;
          this.#tookOver = true;
          this.#session = this.#begin(true);
        }
        return this.#session.serve();
      } catch (error) {
        if (!(error instanceof Death)) throw error;
        takeOver = true;
      } finally {
        this.#reaper.spare();
      }
    }
  }

  /** @throws Divergence */
  run(operations: number): void {
    this.#beginLife();
    while (this.done < operations) {
      const { length } = this.#posted;
      const some = this.#random.below(16 * length) + 1;
      for (let at = 0; at < some; at += 1) this.#postAny();
      this.#serve();
      this.#collect();
      if (this.#random.oneIn(4)) this.#alone();
      if (this.#session.isFaulted) throw new Divergence('the guest is cut off');
    }
    this.#settle();
    this.#readAll();
  }

  /** Until each operation is answered. */
  #settle(): void {
    for (let round = 0; this.#posted.some((queue) => queue.length > 0); round += 1) {
      if (round === ROUNDS_MAX) throw new Divergence('operations are never answered');
      this.#serve();
      this.#collect();
    }
  }

  /** Every page of the model's is there. */
  #readAll(): void {
    for (const [id, pool] of [...this.#model.pools]) {
      for (const [object, pages] of [...pool.objects]) {
        for (const index of [...pages.keys()]) {
          this.#post(Command.GET_PAGE, id, object, index);
          this.#settle();
        }
      }
    }
  }

  // --- Posting ----------------------------------------------------------------------------------

  #queueOf(pool: number, object: number, index: number): number {
    return this.#guest.queueOf(pool, OBJECTS[object]!, index);
  }

  /**
   * Posts an operation, unless its queue has no place: an answer's place is free once it is read.
   */
  #post(
    command: number,
    pool: number,
    object: number,
    index: number,
    slot = 0,
    flags = 0,
  ): boolean {
    const queue = this.#queueOf(pool, object, index);
    const posted = this.#posted[queue]!;
    if (posted.length >= this.#geometry.queueEntries) return false;
    const oid: ObjectId = OBJECTS[object]!;
    const sequence = this.#guest.post(queue, { command, pool, oid, index, slot, flags });
    posted.push({ command, pool, object, index, slot, flags, sequence });
    return true;
  }

  #postAny(): void {
    const random = this.#random;
    const pool = random.pick(POOLS);
    const object = random.below(OBJECTS.length);
    const index = random.pick(INDICES);
    const dice = random.below(16);
    if (dice < 7) this.#put(pool, object, index);
    else if (dice < 13) this.#post(Command.GET_PAGE, pool, object, index);
    else this.#post(Command.FLUSH_PAGE, pool, object, index);
  }

  /** With no credit the guest refuses by itself: the old page must go. */
  #put(pool: number, object: number, index: number): void {
    const queue = this.#queueOf(pool, object, index);
    if (this.#posted[queue]!.length >= this.#geometry.queueEntries) return;
    const isRefused = this.#guest.peekHeader('refuse') !== 0;
    const slot = isRefused ? NONE : this.#guest.takeCredit();
    if (slot === NONE) {
      this.#post(Command.FLUSH_PAGE, pool, object, index);
      return;
    }
    this.#puts += 1;
    this.#numbers[slot] = this.#puts;
    this.#pages.fill(slot, this.#puts);
    this.#post(Command.PUT_PAGE, pool, object, index, slot);
  }

  /** What touches more than one key, with nothing else under way. */
  #alone(): void {
    const random = this.#random;
    this.#settle();
    this.#checkSlots();
    const dice = random.below(40);
    if (dice < 4) this.#post(Command.FLUSH_OBJECT, random.pick(POOLS), random.below(4), 0);
    else if (dice < 8) this.#newPool(random.oneIn(2) ? VERSION : VERSION | 1);
    else if (dice < 9) this.#post(Command.DESTROY_POOL, random.pick(POOLS), 0, 0);
    else if (dice < 10) this.#post(random.pick([Command.CONTROL, 3, 99, -1]), 0, 0, 0);
    else if (dice < 14) this.#quota.limit = random.pick(QUOTAS);
    else if (dice < 16) this.#session.refusePuts(random.oneIn(8));
    else if (dice < 17) this.#beginLife();
    this.#settle();
  }

  /** Each slot that is promised is with the guest, or in the ring; what is used, is by a page. */
  #checkSlots(): void {
    const { grantedSlots, usedSlots } = this.#client;
    const model = this.#model;
    const most = model.pages;
    const least = most - model.ephemeralPages;
    if (grantedSlots !== this.#guest.credits) {
      throw new Divergence(
        `${grantedSlots} slots are promised, the guest has ${this.#guest.credits}`,
      );
    }
    if (usedSlots < least || usedSlots > most) {
      throw new Divergence(`${usedSlots} slots are used for ${least} to ${most} pages`);
    }
  }

  #newPool(flags: number): void {
    if (this.#model.pools.size < 3) this.#post(Command.NEW_POOL, 0, 0, 0, 0, flags);
  }

  /** The guest begins again, with operations under way or without, the host too or not. */
  #beginLife(): void {
    const random = this.#random;
    this.#lives += 1;
    if (this.#lives > 1) for (let at = random.below(20); at > 0; at -= 1) this.#postAny();
    if (random.oneIn(4)) this.#restartHost();
    if (this.#lives > 1 && random.oneIn(4)) this.#guest.detach();
    this.#guest.attach(this.#lives);
    for (const queue of this.#posted) queue.length = 0;
    this.#model.reset();
    this.#newPool(VERSION | 1);
    this.#settle();
    this.#newPool(VERSION);
    this.#settle();
  }

  /** Another machine comes: it finds nothing of the last one's. */
  #restartHost(): void {
    this.#session.restart(this.#lives);
    const bytes = Buffer.from(this.#region.memory, this.#geometry.slotPage * PAGE_BYTES);
    if (bytes.compare(EMPTY, 0, bytes.length, 0, bytes.length) === 0) return;
    throw new Divergence('the memory is not clear after a restart');
  }

  // --- Answers ----------------------------------------------------------------------------------

  /** Reads all answers there are, before a slot that came free meanwhile can be filled again. */
  #collect(): void {
    for (const [queue, posted] of this.#posted.entries()) {
      const head = this.#guest.peek(this.#guest.queueOffset(queue, 'head'));
      let count = 0;
      while (count < posted.length && ((head - posted[count]!.sequence - 1) | 0) >= 0) {
        const operation = posted[count]!;
        count += 1;
        this.#check(operation, this.#guest.waitReply(queue, operation.sequence));
      }
      posted.splice(0, count);
      this.done += count;
    }
    this.#tookOver = false;
  }

  #isEphemeral(pool: number): boolean {
    return this.#model.pools.get(pool)?.persistent === false;
  }

  #check(operation: Posted, reply: GuestReply): void {
    const { command, pool, object, index, slot, flags } = operation;
    const model = this.#model;
    const { result } = reply;
    switch (command) {
      case Command.PUT_PAGE: {
        const isRefused = result === Result.ENOMEM || result === Result.ENOSPC;
        if (isRefused && !this.#refusesSome) this.#differs(operation, reply, 'a refusal');
        // It may have been given up; and a put that is redone cannot know that it was there.
        const mayBeGone = this.#isEphemeral(pool) || this.#tookOver;
        if (result === Result.ENOMEM && mayBeGone) model.drop(pool, object, index);
        this.#expect(operation, reply, model.put(pool, object, index, slot, isRefused));
        break;
      }
      case Command.GET_PAGE:
        this.#checkGet(operation, reply);
        break;
      case Command.FLUSH_PAGE:
        this.#expect(operation, reply, model.flushPage(pool, object, index));
        break;
      case Command.FLUSH_OBJECT:
        this.#expect(operation, reply, model.flushObject(pool, object));
        break;
      case Command.NEW_POOL:
        this.#expect(operation, reply, model.newPool(flags));
        break;
      case Command.DESTROY_POOL:
        this.#expect(operation, reply, model.destroyPool(pool));
        break;
      case Command.CONTROL:
        this.#expect(operation, reply, Result.EOPNOTSUPP);
        break;
      default:
        this.#expect(operation, reply, Result.ENOSYS);
    }
  }

  /** Only an ephemeral page may be missing. The slot is the one that it was put in. */
  #checkGet(operation: Posted, reply: GuestReply): void {
    const { pool, object, index } = operation;
    const model = this.#model;
    const isEphemeral = this.#isEphemeral(pool);
    if (isEphemeral && reply.result === Result.MISS) model.drop(pool, object, index);
    this.#expect(operation, reply, model.get(pool, object, index), model.got, isEphemeral);
    if (model.got === NONE) return;
    const page = this.#pages.read(model.got);
    const number = this.#numbers[model.got]!;
    if (page !== number) this.#differs(operation, reply, `page ${page}, not that of put ${number}`);
    if (isEphemeral) this.#guest.addCredit(model.got);
  }

  #expect(operation: Posted, reply: GuestReply, result: number, slot = NONE, granted = false) {
    const flag = granted && slot !== NONE ? REPLY_SLOT_GRANTED : 0;
    const expected = slot === NONE ? NO_SLOT : (slot | flag) >>> 0;
    if (reply.result === result && reply.slot === expected) return;
    this.#differs(operation, reply, `the model has ${result}, slot 0x${expected.toString(16)}`);
  }

  #differs(operation: Posted, reply: GuestReply, what: string): never {
    const words = `${JSON.stringify(operation)} was answered ${JSON.stringify(reply)}`;
    throw new Divergence(`operation ${this.done} of this life, ${words}: ${what}`);
  }
}
