/**
 * A store on a link that dies anywhere: at each atomic store, with the plain ones before it done in
 * part or not at all, after each read from the stream, after any part of each write to it. Another
 * one goes on with the same memory and the same stream.
 *
 * A run is the same each time, so each death is a run of its own. The guest, a real LinkGuest with
 * its timers off, must see what it sees when nobody dies: each operation's effect and answer once,
 * then as many puts as there are slots, and no fault.
 */
import { describe, expect, it } from 'vitest';
import { parsePolicy } from '../policy/put-policy.js';
import { computeGeometry } from '../protocol/geometry.js';
import { Command, PAGE_BYTES, PoolFlag } from '../protocol/layout.js';
import { objectId, TmemClient } from '../store/client.js';
import { PageQuota } from '../store/quota.js';
import { FakeGuest, LinkGuest } from '../testing/index.js';
import { Pipe } from '../testing/link-loopback.js';
import { LinkHost } from '../transport/link-host.js';
import { LinkRecord } from '../transport/link-record.js';
import { SharedRegion } from '../transport/region.js';
import { Session } from './session.js';
import { SessionRecord } from './session-record.js';

const QUEUES = { queueCount: 2, queueEntries: 16 };
const geometry = computeGeometry({ regionBytes: 2 ** 20, ...QUEUES });
const QUOTA = 10;
const EPOCH = 77;
const OID = objectId(3, 1);
const OTHER = objectId(4);

/** All that outlives a store: its state, the session's record, the link's, the region. */
const MEMORY_BYTES = [
  TmemClient.stateBytes(geometry.slotCount),
  SessionRecord.bytes,
  LinkRecord.bytes,
  2 ** 20,
];

class Death extends Error {}

/** What a run counts: a store dies at one of them. `bytes`: what is about to be written. */
interface Event {
  readonly kind: 'store' | 'read' | 'write';
  readonly bytes?: number;
}

/** A death at the event of that number. */
interface Plan {
  readonly at: number;
  /** Of the words that changed since the event before, those that did; default: all. */
  readonly torn?: (changed: number) => (place: number) => boolean;
  /** Bytes of a write that went out. */
  readonly bytes?: number;
}

const atomicStore = Atomics.store;

/** One guest, one stream, and the stores that serve it one after the other. */
class World {
  readonly memories = MEMORY_BYTES.map((bytes) => new ArrayBuffer(bytes));
  readonly events: Event[] = [];
  readonly guest: FakeGuest;
  /** The guest's own. */
  readonly region: SharedRegion;
  /** Words that changed before the last death. */
  changed = 0;
  deaths = 0;
  session!: Session;
  client!: TmemClient;
  #host!: LinkHost;
  readonly #toHost = new Pipe();
  readonly #toGuest = new Pipe();
  readonly #plans: Plan[];
  readonly #policy: string;
  #before: Int32Array[] = [];
  /** Whether events count yet. */
  counts = false;

  constructor({ policy = 'accept', quietMs = Number.POSITIVE_INFINITY }: Scenario, plans: Plan[]) {
    this.#plans = [...plans];
    this.#policy = policy;
    this.#begin(false);
    const link = new LinkGuest({
      ...QUEUES,
      quietMs,
      send: (bytes) => this.#toHost.push(bytes),
      receive: (reader) => this.#toGuest.pour(reader),
    });
    const pump = (): void => {
      link.pump();
      this.#turn();
    };
    this.region = link.region;
    this.guest = new FakeGuest({ region: link.region, pump });
  }

  #begin(takeOver: boolean): void {
    const [state, record, linkRecord, memory] = this.memories;
    const region = new SharedRegion(memory!);
    const options = { slotCount: geometry.slotCount, state: state!, keepGranted: takeOver };
    const policy = parsePolicy(this.#policy);
    this.client = new TmemClient({ ...options, quota: new PageQuota(QUOTA), policy });
    this.session = new Session({
      region,
      geometry,
      client: this.client,
      hostEpoch: 5,
      hostPeer: 0,
      ring: () => {},
      record: new SessionRecord(record!),
      takeOver,
    });
    this.#host = new LinkHost({
      region,
      geometry,
      slots: this.client.slots,
      record: new LinkRecord(linkRecord!),
      cutOff: (fault) => this.session.cutOff(fault),
    });
    this.#host.resume();
  }

  /** What the store's thread does in one turn; when it dies, the next store does so too. */
  #turn(): void {
    Atomics.store = ((words: Int32Array, at: number, value: number) => {
      this.#event({ kind: 'store' });
      const stored = atomicStore(words, at, value);
      this.#remember();
      return stored;
    }) as typeof Atomics.store;
    try {
      this.#live(false);
    } finally {
      Atomics.store = atomicStore;
    }
  }

  #live(takeOver: boolean): void {
    try {
      if (takeOver) this.#begin(true);
      this.#serve();
    } catch (error) {
      if (!(error instanceof Death)) throw error;
      this.deaths += 1;
      this.#live(true);
    }
  }

  #serve(): void {
    this.#toHost.pour(this.#host.reader);
    this.#event({ kind: 'read' });
    this.#remember();
    this.#host.receive();
    this.session.serve();
    for (;;) {
      const frame = this.#host.nextFrame();
      if (frame === undefined) return;
      const bytes = this.#event({ kind: 'write', bytes: frame.length });
      this.#toGuest.push(frame.subarray(0, bytes));
      if (bytes !== undefined) throw new Death();
      this.#remember();
    }
  }

  /** @returns how much of a write goes out before the store dies of it */
  #event(event: Event): number | undefined {
    if (!this.counts) return undefined;
    const number = this.events.length;
    this.events.push(event);
    const plan = this.#plans[0];
    if (plan?.at !== number) return undefined;
    this.#plans.shift();
    if (plan.torn !== undefined) this.#tear(plan.torn);
    if (plan.bytes !== undefined && event.kind === 'write') return plan.bytes;
    throw new Death();
  }

  /** After the event before a death: from here on plain stores may be lost. */
  #remember(): void {
    if (!this.counts || this.#plans[0]?.at !== this.events.length) return;
    this.#before = this.#words().map((words) => words.slice());
  }

  #words(): Int32Array[] {
    return this.memories.map((memory) => new Int32Array(memory));
  }

  /** Takes changes since the event before back, but for those that are said to have happened. */
  #tear(torn: (changed: number) => (place: number) => boolean): void {
    const changes: (() => void)[] = [];
    for (const [memory, words] of this.#words().entries()) {
      const old = this.#before[memory];
      if (old === undefined || Buffer.compare(bytesOf(words), bytesOf(old)) === 0) continue;
      for (const [at, value] of old.entries()) {
        if (words[at] !== value) changes.push(() => words.fill(value, at, at + 1));
      }
    }
    this.changed = changes.length;
    const happened = torn(changes.length);
    for (const [place, undo] of changes.entries()) if (!happened(place)) undo();
  }
}

function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

// --- What a guest does --------------------------------------------------------------------------

function pageOf(seed: number): Uint8Array {
  return new Uint8Array(PAGE_BYTES).fill(seed);
}

/** A page by its seed; `torn` for any other bytes. */
function nameOf(page: Uint8Array): string {
  return Buffer.compare(page, pageOf(page[0]!)) === 0 ? `page ${page[0]}` : 'torn';
}

/** A guest that writes down what it is answered. */
class Actor {
  readonly answers: string[] = [];
  readonly #guest: FakeGuest;
  readonly #region: SharedRegion;

  constructor({ guest, region }: World) {
    this.#guest = guest;
    this.#region = region;
  }

  attach(epoch: number): void {
    this.#guest.attach(epoch);
  }

  detach(): void {
    this.#guest.detach();
  }

  pool(flags: number): number {
    return this.#say(this.#guest.newPool(flags));
  }

  put(pool: number, index: number, seed: number, oid = OID): void {
    this.#say(this.#guest.put(pool, oid, index, pageOf(seed)));
  }

  get(pool: number, index: number, oid = OID): void {
    const { result, page } = this.#guest.get(pool, oid, index);
    this.#say(page === undefined ? result : nameOf(page));
  }

  flush(pool: number, index: number): void {
    this.#say(this.#guest.flushPage(pool, OID, index));
  }

  flushObject(pool: number): void {
    this.#say(this.#guest.flushObject(pool, OID));
  }

  destroyPool(pool: number): void {
    this.#say(this.#guest.destroyPool(pool));
  }

  /** Posts operations with no wait in between, so that a frame has many; then waits for all. */
  many(operations: readonly (readonly [command: number, pool: number, index: number])[]): void {
    const guest = this.#guest;
    const { slotPage } = guest.header;
    const posted = operations.map(([command, pool, index]) => {
      const slot = command === Command.PUT_PAGE ? guest.takeCredit() : 0;
      this.#region.copyPageIn(slotPage, slot, pageOf(index));
      const queue = index & 1;
      return { command, queue, at: guest.post(queue, { command, pool, oid: OID, index, slot }) };
    });
    for (const { command, queue, at } of posted) {
      const { result, slot } = guest.waitReply(queue, at);
      const page = new Uint8Array(PAGE_BYTES);
      if (command !== Command.GET_PAGE || result !== 1) this.#say(result);
      else {
        this.#region.copyPageOut(slotPage, slot, page);
        this.#say(nameOf(page));
      }
    }
  }

  /** Puts until the store is full, and gets all of it back. */
  fill(): void {
    const pool = this.pool(PoolFlag.PERSIST);
    let taken = 0;
    while (this.#guest.put(pool, OTHER, taken, pageOf(taken)) === 1) taken += 1;
    this.#say(`${taken} taken`);
    for (let index = 0; index < taken; index += 1) this.get(pool, index, OTHER);
  }

  #say<T extends string | number>(answer: T): T {
    this.answers.push(`${answer}`);
    return answer;
  }
}

interface Scenario {
  readonly name: string;
  readonly policy?: string;
  /** The guest's timer; default: none, so that only the next store makes good what is lost. */
  readonly quietMs?: number;
  /** It attaches by itself. */
  readonly attaches?: boolean;
  /** A death may cost a page of an ephemeral pool. */
  readonly mayLose?: boolean;
  readonly run: (actor: Actor) => void;
}

const { PUT_PAGE, GET_PAGE, FLUSH_PAGE } = Command;

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'one operation after the other',
    run: (actor) => {
      const pool = actor.pool(PoolFlag.PERSIST);
      actor.put(pool, 0, 10);
      actor.put(pool, 1, 11);
      actor.put(pool, 0, 12);
      actor.get(pool, 0);
      actor.flush(pool, 1);
      actor.get(pool, 1);
      actor.put(pool, 1, 13);
      actor.get(pool, 1);
      actor.flushObject(pool);
      actor.get(pool, 0);
      actor.put(pool, 0, 14);
      actor.destroyPool(pool);
    },
  },
  {
    name: 'many operations a frame',
    run: (actor) => {
      const pool = actor.pool(PoolFlag.PERSIST);
      actor.many([0, 1, 2, 3].map((index) => [PUT_PAGE, pool, index]));
      actor.many([
        [GET_PAGE, pool, 0],
        [PUT_PAGE, pool, 5],
        [FLUSH_PAGE, pool, 2],
        [GET_PAGE, pool, 3],
        [PUT_PAGE, pool, 4],
        [GET_PAGE, pool, 2],
      ]);
      actor.many([4, 5, 1].map((index) => [GET_PAGE, pool, index]));
      actor.destroyPool(pool);
    },
  },
  {
    name: 'gets that grant the slot with the page',
    mayLose: true,
    run: (actor) => {
      const pool = actor.pool(0);
      actor.many([0, 1, 2, 3].map((index) => [PUT_PAGE, pool, index]));
      actor.many([0, 1, 2].map((index) => [GET_PAGE, pool, index]));
      actor.put(pool, 0, 20);
      actor.get(pool, 0);
      actor.get(pool, 0);
      actor.get(pool, 3);
      actor.destroyPool(pool);
    },
  },
  {
    name: 'puts that the policy refuses',
    policy: 'refuse-duplicates',
    run: (actor) => {
      const pool = actor.pool(PoolFlag.PERSIST);
      actor.put(pool, 0, 10);
      actor.put(pool, 0, 11);
      actor.get(pool, 0);
      actor.put(pool, 0, 12);
      actor.get(pool, 0);
      actor.destroyPool(pool);
    },
  },
  {
    name: 'a life of the guest, and the next',
    quietMs: 1,
    attaches: true,
    run: (actor) => {
      actor.attach(EPOCH);
      const pool = actor.pool(PoolFlag.PERSIST);
      actor.put(pool, 0, 10);
      actor.get(pool, 0);
      actor.detach();
      actor.attach(EPOCH + 1);
      actor.get(pool, 0);
    },
  },
];

// --- Every death --------------------------------------------------------------------------------

interface Outcome {
  readonly answers: readonly string[];
  readonly events: readonly Event[];
  readonly world: World;
}

function play(scenario: Scenario, plans: Plan[] = []): Outcome {
  const world = new World(scenario, plans);
  const actor = new Actor(world);
  if (scenario.attaches !== true) actor.attach(EPOCH);
  world.counts = true;
  scenario.run(actor);
  const events = world.events.slice();
  actor.fill();
  return { answers: actor.answers, events, world };
}

/** Changed words that are looked at one by one. */
const TEARINGS_MAX = 3;
/** Events of taking over, and some of going on; every so many of them is another death. */
const SECOND_DEATHS = 30;
const SECOND_DEATH_STEP = 10;

/** Which of so many plain changes happened. */
function* tearings(changed: number): Generator<(place: number) => boolean> {
  yield () => false;
  const step = Math.ceil(changed / TEARINGS_MAX);
  for (let one = 0; one < changed; one += step) {
    yield (place) => place === one;
    yield (place) => place !== one;
  }
}

/** Deaths at an event that `play` counted. */
function* deathsAt(scenario: Scenario, event: Event, at: number): Generator<Plan> {
  const { bytes } = event;
  if (bytes !== undefined) {
    const places = [0, 1, 31, 32, 33, bytes >> 1, bytes - 1, bytes];
    for (const place of new Set(places)) if (place <= bytes) yield { at, bytes: place };
    return;
  }
  yield { at };
  const torn = (): (() => boolean) => () => true;
  const { changed } = play(scenario, [{ at, torn }]).world;
  for (const happened of tearings(changed)) yield { at, torn: () => happened };
}

/** Whether an answer may stand for that of a run without a death. */
function isAlike(seen: string | undefined, expected: string, { mayLose }: Scenario): boolean {
  if (seen === expected || (mayLose === true && seen === '0')) return true;
  // ENOMEM where it would have been ENOSPC.
  return seen === '-12' && expected === '-28';
}

/** Fails unless the guest saw what it sees when nobody dies. */
function expectSame(scenario: Scenario, plans: Plan[], undisturbed: Outcome): number {
  const { answers, world } = play(scenario, plans);
  const alike = undisturbed.answers.map((expected, at) => {
    return isAlike(answers[at], expected, scenario) ? expected : answers[at];
  });
  expect(alike).toEqual(undisturbed.answers);
  const lost = answers.filter((answer, at) => answer !== undisturbed.answers[at]);
  expect(lost.length).toBeLessThanOrEqual(plans.length);
  expect(world.deaths).toBe(plans.length);
  const { counters } = world.session;
  expect(counters.faults).toBe(0);
  const before = undisturbed.world.session.counters;
  // The operation under way may be counted twice.
  for (const name of ['puts', 'gets', 'flushes'] as const) {
    expect(counters[name] - before[name]).toBeGreaterThanOrEqual(0);
    expect(counters[name] - before[name]).toBeLessThanOrEqual(counters.takeovers);
  }
  return 1;
}

describe.each(SCENARIOS)('a store on a link that dies anywhere in $name', (scenario) => {
  const undisturbed = play(scenario);

  it('leaves the guest what it had', () => {
    let deaths = 0;
    for (const [at, event] of undisturbed.events.entries()) {
      for (const plan of deathsAt(scenario, event, at)) {
        deaths += expectSame(scenario, [plan], undisturbed);
      }
    }
    expect(deaths).toBeGreaterThan(2 * undisturbed.events.length);
  });

  it('may be followed by one that dies too', () => {
    for (const [at, event] of undisturbed.events.entries()) {
      const first = event.bytes === undefined ? { at } : { at, bytes: event.bytes >> 1 };
      for (
        let step = 1 + (at % SECOND_DEATH_STEP);
        step < SECOND_DEATHS;
        step += SECOND_DEATH_STEP
      ) {
        expectSame(scenario, [first, { at: at + step, bytes: 40 }], undisturbed);
      }
    }
  });
});
