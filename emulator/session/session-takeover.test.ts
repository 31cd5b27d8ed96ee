/**
 * A session that takes over from one that died, at every instruction.
 *
 * Each operation runs with its stores to the three memories recorded: the store's state, the
 * session's record, the region. Between two atomic stores the plain ones may have happened in part,
 * so every subset of them is tried. From each torn state a new session goes on; the guest must see
 * the operation's effect once, its answer once, and no slot lost or in two places. Dying again
 * while taking over changes nothing.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parsePolicy } from '../policy/put-policy.js';
import { computeGeometry } from '../protocol/geometry.js';
import {
  Command,
  GuestState,
  HEADER,
  PoolFlag,
  QUEUE_CONTROL,
  REPLY,
  REPLY_SLOT_GRANTED,
  wordsOf,
} from '../protocol/layout.js';
import { objectId, TmemClient } from '../store/client.js';
import { PageQuota } from '../store/quota.js';
import { SlotState } from '../store/slot-table.js';
import { FakeGuest, headerOffset, type RawDescriptor } from '../testing/index.js';
import { SharedRegion } from '../transport/region.js';
import { Session } from './session.js';
import { SessionRecord } from './session-record.js';

const geometry = computeGeometry({ regionBytes: 1024 * 1024, queueCount: 2, queueEntries: 16 });
const OBJECTS = [objectId(1), objectId(2, 3), objectId(4, 5, 6)];
const VERSION = 1 << 24;
const EPOCH = 77;
const header = wordsOf(HEADER);
const control = wordsOf(QUEUE_CONTROL);
const reply = wordsOf(REPLY);

/** All that outlives a store: in this order, the state, the record, the region. */
type Memories = readonly [ArrayBuffer, ArrayBuffer, ArrayBuffer];

interface Life {
  readonly memories: Memories;
  readonly client: TmemClient;
  readonly session: Session;
  readonly rings: number[];
}

function begin(memories: Memories, policy: string, takeOver: boolean): Life {
  const [state, record, memory] = memories;
  const client = new TmemClient({
    slotCount: geometry.slotCount,
    state,
    quota: new PageQuota(),
    policy: parsePolicy(policy),
    keepGranted: takeOver,
  });
  const rings: number[] = [];
  const session = new Session({
    region: new SharedRegion(memory),
    geometry,
    client,
    hostEpoch: 5,
    hostPeer: 0,
    ring: (vector) => rings.push(vector),
    record: new SessionRecord(record),
    takeOver,
  });
  return { memories, client, session, rings };
}

function emptyMemories(): Memories {
  const bytes = [TmemClient.stateBytes(geometry.slotCount), SessionRecord.bytes, 1024 * 1024];
  return bytes.map((count) => new ArrayBuffer(count)) as unknown as Memories;
}

function copied(memories: Memories): Memories {
  return memories.map((memory) => memory.slice(0)) as unknown as Memories;
}

/** A guest with two pools, three persistent pages in two objects, and one ephemeral one. */
class Scene {
  readonly life: Life;
  readonly guest: FakeGuest;
  /** Slots that the guest took off the ring, or was given, and has not put. */
  readonly held: number[] = [];

  constructor(policy = 'accept') {
    this.life = begin(emptyMemories(), policy, false);
    this.guest = new FakeGuest({
      region: new SharedRegion(this.life.memories[2]),
      pump: () => this.life.session.serve(),
    });
    this.guest.attach(EPOCH);
    this.run(0, { command: Command.NEW_POOL, flags: PoolFlag.PERSIST | VERSION });
    this.run(0, { command: Command.NEW_POOL, flags: VERSION });
    this.run(0, this.put(0, 0, 0));
    this.run(1, this.put(0, 0, 1));
    this.run(0, this.put(0, 1, 0));
    this.run(1, this.put(1, 0, 0));
  }

  run(queue: number, words: RawDescriptor): void {
    this.guest.post(queue, words);
    while (this.life.session.serve() !== 0);
  }

  /** A put of the next slot in the ring, which says by its first word what was put. */
  put(pool: number, object: number, index: number): RawDescriptor {
    const slot = takeCredit(this.life.memories[2]);
    const words = new Int32Array(this.life.memories[2]);
    words[((geometry.slotPage + slot) * 4096) / 4] = slot + 1000;
    return { command: Command.PUT_PAGE, pool, oid: OBJECTS[object]!, index, slot };
  }
}

/** Takes a slot off the ring as a guest does that keeps none in hand. */
function takeCredit(memory: ArrayBuffer): number {
  const words = new Int32Array(memory);
  const head = words[header.credit_head]!;
  expect(words[header.credit_tail]! - head).toBeGreaterThan(0);
  words[header.credit_head] = head + 1;
  return words[geometry.creditOffset / 4 + (head & (geometry.creditEntries - 1))]!;
}

function queueWord(queue: number, word: number): number {
  return (geometry.queueOffset + queue * geometry.queueStride) / 4 + word;
}

// --- Crashes ------------------------------------------------------------------------------------

const atomicStore = Atomics.store;
afterEach(() => vi.restoreAllMocks());

/** A word of one of the memories that a run has changed. */
interface Change {
  readonly memory: number;
  readonly word: number;
  readonly value: number;
}

/**
 * The words that `run` changes, as batches: within one, any subset may have happened at a crash; a
 * batch ends before and after each atomic store.
 */
function record(memories: Memories, run: () => unknown): Change[][] {
  const views = memories.map((memory) => new Int32Array(memory));
  let seen = views.map((view) => view.slice());
  const batches: Change[][] = [];
  const cut = (): void => {
    const batch: Change[] = [];
    for (const [memory, view] of views.entries()) {
      const old = seen[memory]!;
      if (Buffer.compare(Buffer.from(view.buffer), Buffer.from(old.buffer)) === 0) continue;
      for (let word = 0; word < view.length; word += 1) {
        if (view[word] !== old[word]) batch.push({ memory, word, value: view[word]! });
      }
    }
    if (batch.length === 0) return;
    batches.push(batch);
    seen = views.map((view) => view.slice());
  };
  vi.spyOn(Atomics, 'store').mockImplementation(((words: Int32Array, at: number, value: number) => {
    cut();
    const stored = atomicStore(words, at, value);
    cut();
    return stored;
  }) as typeof Atomics.store);
  run();
  vi.restoreAllMocks();
  cut();
  return batches;
}

function apply(memories: Memories, changes: readonly Change[]): void {
  for (const { memory, word, value } of changes) new Int32Array(memories[memory]!)[word] = value;
}

const SUBSET_WORDS_MAX = 8;

/** Subsets of a batch: all of them, or of a large one each prefix, suffix and single word. */
function* subsets(batch: readonly Change[]): Generator<Change[]> {
  if (batch.length > SUBSET_WORDS_MAX) {
    for (let at = 0; at <= batch.length; at += 1) yield batch.slice(0, at);
    for (let at = 1; at < batch.length; at += 1) yield batch.slice(at);
    for (const change of batch) yield [change];
    return;
  }
  for (let subset = 0; subset < 2 ** batch.length; subset += 1) {
    yield batch.filter((_, bit) => (subset & (1 << bit)) !== 0);
  }
}

// --- What must hold -----------------------------------------------------------------------------

interface Outcome {
  /** Result of the operation's answer; what its slot holds, for a get that hit. */
  readonly answer: string;
  readonly pages: string[];
  readonly pools: number[];
}

/** Slots that the guest has: those in the ring and those that it was given. */
function guestSlots(memory: ArrayBuffer, given: readonly number[]): number[] {
  const words = new Int32Array(memory);
  const slots = [...given];
  const tail = words[header.credit_tail]!;
  for (let at = words[header.credit_head]!; at !== tail; at += 1) {
    slots.push(words[geometry.creditOffset / 4 + (at & (geometry.creditEntries - 1))]!);
  }
  return slots.sort((a, b) => a - b);
}

/** What the guest sees once the session has come to rest; fails if a slot is lost or doubled. */
function look(life: Life, queue: number, sequence: number, held: readonly number[]): Outcome {
  while (life.session.serve() !== 0);
  const { client, memories, session } = life;
  const words = new Int32Array(memories[2]);
  expect(session.isFaulted).toBe(false);
  expect(words[queueWord(queue, control.head)]).toBe(sequence + 1);
  const at = queueWord(queue, (geometry.replyOffset + (sequence & 15) * REPLY.bytes) / 4);
  expect(words[at + reply.sequence]).toBe(sequence);
  expect(words[at + reply.epoch]).toBe(5);
  const result = words[at + reply.result]!;
  const slotWord = words[at + reply.slot]!;
  const given = slotWord < -1 ? [...held, slotWord & ~REPLY_SLOT_GRANTED] : held;
  const got = slotWord === -1 ? -1 : slotWord & ~REPLY_SLOT_GRANTED;
  const page = got === -1 ? '' : ` page ${words[((geometry.slotPage + got) * 4096) / 4]}`;
  const granted = Array.from({ length: geometry.slotCount }, (_, slot) => slot).filter(
    (slot) => client.slots.state(slot) === SlotState.GRANTED,
  );
  expect(granted).toEqual(guestSlots(memories[2], given));
  expect(client.freeSlots).toBe(0);
  expect(client.grantedSlots + client.usedSlots).toBe(geometry.slotCount);
  const pages: string[] = [];
  for (const { id } of client.pools()) {
    for (const [object, oid] of OBJECTS.entries()) {
      for (const index of [0, 1]) {
        if (client.get(id, oid, index) !== 1) continue;
        const bytes = words[((geometry.slotPage + client.gotSlot) * 4096) / 4];
        pages.push(`pool ${id} object ${object} index ${index}: ${bytes}`);
      }
    }
  }
  return { answer: `${result}${page}`, pages, pools: client.pools().map(({ id }) => id) };
}

/**
 * Posts an operation, lets a session die at each point of serving it, and the next one too while
 * it takes over. @returns deaths tried, and every outcome that was seen
 */
function dieEverywhere(
  scene: Scene,
  queue: number,
  words: RawDescriptor,
  policy = 'accept',
): { deaths: number; outcomes: Set<string>; undisturbed: string } {
  const sequence = scene.guest.post(queue, words);
  const before = copied(scene.life.memories);
  const { session } = scene.life;
  const batches = record(scene.life.memories, () => {
    while (session.serve() !== 0);
  });
  const undisturbed = JSON.stringify(
    look(begin(copied(scene.life.memories), policy, true), queue, sequence, scene.held),
  );
  const outcomes = new Set<string>();
  let deaths = 0;
  const trial = (memories: Memories): void => {
    const life = begin(copied(memories), policy, true);
    expect(life.rings.length).toBe(geometry.queueCount);
    outcomes.add(JSON.stringify(look(life, queue, sequence, scene.held)));
    deaths += 1;
  };
  for (const batch of batches) {
    for (const subset of subsets(batch)) {
      const torn = copied(before);
      apply(torn, subset);
      trial(torn);
    }
    apply(before, batch);
    // Once more, in the middle of taking over.
    const again = copied(before);
    const steps = record(again, () => begin(again, policy, true));
    const second = copied(before);
    for (const step of steps) {
      apply(second, step);
      trial(second);
    }
  }
  return { deaths, outcomes, undisturbed };
}

describe('a session that dies anywhere in', () => {
  const operations: [string, number, (scene: Scene) => RawDescriptor][] = [
    ['a put to a new object', 1, (scene) => scene.put(0, 2, 0)],
    ['a put to an object that is there', 1, (scene) => scene.put(0, 1, 1)],
    ['a duplicate put', 0, (scene) => scene.put(0, 0, 0)],
    ['a duplicate put of a lone page', 0, (scene) => scene.put(0, 1, 0)],
    ['a duplicate put, ephemeral', 1, (scene) => scene.put(1, 0, 0)],
    ['a put to no pool', 1, (scene) => scene.put(9, 0, 0)],
    ['a get', 0, () => ({ command: Command.GET_PAGE, pool: 0, oid: OBJECTS[1]!, index: 0 })],
    ['a get of nothing', 0, () => ({ command: Command.GET_PAGE, pool: 0, oid: OBJECTS[2]! })],
    ['a flush', 1, () => ({ command: Command.FLUSH_PAGE, pool: 0, oid: OBJECTS[0]!, index: 1 })],
    ['a flush of a lone page', 0, () => ({ command: Command.FLUSH_PAGE, oid: OBJECTS[1]! })],
    ['a flush of an object', 0, () => ({ command: Command.FLUSH_OBJECT, oid: OBJECTS[0]! })],
    ['a new pool', 0, () => ({ command: Command.NEW_POOL, flags: VERSION })],
    ['the end of a pool', 0, () => ({ command: Command.DESTROY_POOL, pool: 0 })],
    ['the end of an ephemeral pool', 0, () => ({ command: Command.DESTROY_POOL, pool: 1 })],
    ['an unknown command', 0, () => ({ command: 99 })],
  ];

  it.each(operations)('%s has it done once, answered once', (_name, queue, words) => {
    const scene = new Scene();
    const { deaths, outcomes, undisturbed } = dieEverywhere(scene, queue, words(scene));
    expect([...outcomes]).toEqual([undisturbed]);
    expect(deaths).toBeGreaterThan(8);
  });

  it('a duplicate put that the policy refuses has the old page gone', () => {
    const scene = new Scene('refuse-duplicates');
    const { outcomes } = dieEverywhere(scene, 0, scene.put(0, 0, 0), 'refuse-duplicates');
    for (const outcome of outcomes) {
      const { answer, pages } = JSON.parse(outcome) as Outcome;
      // ENOSPC or ENOMEM: the guest takes both for a refusal.
      expect(['-28', '-12']).toContain(answer);
      expect(pages.join()).not.toContain('pool 0 object 0 index 0');
      expect(pages).toHaveLength(3);
    }
  });

  it('a get of an ephemeral page gives the page once, or has lost it', () => {
    const scene = new Scene();
    const get = { command: Command.GET_PAGE, pool: 1, oid: OBJECTS[0]!, index: 0 };
    const { outcomes, undisturbed } = dieEverywhere(scene, 1, get);
    expect(outcomes).toContain(undisturbed);
    for (const outcome of outcomes) {
      const { answer, pages } = JSON.parse(outcome) as Outcome;
      if (answer !== '0') expect(outcome).toBe(undisturbed);
      expect(pages.join()).not.toContain('pool 1');
    }
  });

  it('a get that finds nothing is not given what an earlier one took', () => {
    const scene = new Scene();
    const get = { command: Command.GET_PAGE, pool: 1, oid: OBJECTS[0]!, index: 0 };
    scene.run(1, get);
    const { result, slot } = scene.guest.waitReply(1, 2);
    expect(result).toBe(1);
    scene.held.push((slot & ~REPLY_SLOT_GRANTED) >>> 0);
    const { outcomes, undisturbed } = dieEverywhere(scene, 1, { ...get, index: 1 });
    expect([...outcomes]).toEqual([undisturbed]);
    expect(undisturbed).toContain('"answer":"0"');
  });

  it('a guest that leaves, leaves nothing', () => {
    const scene = new Scene();
    scene.guest.pokeHeader('guest_state', GuestState.DETACHED);
    const before = copied(scene.life.memories);
    for (const batch of record(scene.life.memories, () => scene.life.session.serve())) {
      apply(before, batch);
      const life = begin(copied(before), 'accept', true);
      while (life.session.serve() !== 0);
      expect(life.client.freeSlots).toBe(geometry.slotCount);
      expect(life.client.pools()).toEqual([]);
    }
  });

  it('a machine that is gone is not served anew', () => {
    const scene = new Scene();
    const before = copied(scene.life.memories);
    const batches = record(scene.life.memories, () => scene.life.session.restart(6));
    for (const batch of batches) {
      const life = begin(copied(before), 'accept', true);
      while (life.session.serve() !== 0);
      if (batch !== batches[0]) expect(life.client.pools()).toEqual([]);
      expect(life.session.isFaulted).toBe(false);
      apply(before, batch);
    }
  });

  it('a new life of the guest has nothing of the old one', () => {
    const scene = new Scene();
    scene.guest.announce(EPOCH + 1);
    const before = copied(scene.life.memories);
    const batches = record(scene.life.memories, () => {
      while (scene.life.session.serve() !== 0);
    });
    for (const batch of batches) {
      for (const subset of subsets(batch)) {
        const torn = copied(before);
        apply(torn, subset);
        const life = begin(torn, 'accept', true);
        while (life.session.serve() !== 0);
        const words = new Int32Array(torn[2]);
        expect(words[header.session_epoch]).toBe(EPOCH + 1);
        expect(life.client.pools()).toEqual([]);
        expect(life.client.usedSlots + life.client.freeSlots).toBe(0);
        expect(guestSlots(torn[2], [])).toHaveLength(geometry.slotCount);
        expect(new Set(guestSlots(torn[2], [])).size).toBe(geometry.slotCount);
      }
      apply(before, batch);
    }
  });
});

describe('a session that takes over', () => {
  it('goes on refusing, and rings for a sleep that the last one was rung for', () => {
    const scene = new Scene();
    scene.life.session.refusePuts(true);
    scene.life.session.announceSleep();
    const slept = scene.guest.peekHeader('host_sleep');
    const memories = copied(scene.life.memories);
    const region = new SharedRegion(memories[2]);
    // Whatever the guest wrote into the host's words meanwhile.
    region.store(headerOffset('refuse'), 0);
    region.store(headerOffset('slot_count'), 1 << 30);
    region.store(headerOffset('host_state'), 9);
    const { session } = begin(memories, 'accept', true);
    expect(region.load(headerOffset('refuse'))).toBe(1);
    expect(region.load(headerOffset('slot_count'))).toBe(geometry.slotCount);
    expect(region.load(headerOffset('host_state'))).toBe(1);
    expect(region.load(headerOffset('host_sleep')) & 1).toBe(0);
    session.announceSleep();
    expect(region.load(headerOffset('host_sleep')) & 1).toBe(1);
    expect(region.load(headerOffset('host_sleep'))).not.toBe(slept);
    expect(session.counters).toMatchObject({ takeovers: 1, puts: 4, sessions: 1 });
  });

  it('keeps a guest cut off that was', () => {
    const scene = new Scene();
    const { guest } = scene;
    guest.post(0, { command: Command.GET_PAGE, epoch: 1 });
    scene.life.session.serve();
    expect(scene.life.session.isFaulted).toBe(true);
    const life = begin(copied(scene.life.memories), 'accept', true);
    expect(life.session.isFaulted).toBe(true);
    expect(life.session.serve()).toBe(0);
    expect(life.client.usedSlots).toBe(0);
  });

  it('serves nobody when nobody was served', () => {
    const first = begin(emptyMemories(), 'accept', false);
    const life = begin(copied(first.memories), 'accept', true);
    expect(life.session.guestEpoch).toBe(0);
    const guest = new FakeGuest({
      region: new SharedRegion(life.memories[2]),
      pump: () => life.session.serve(),
    });
    guest.attach(EPOCH);
    expect(guest.credits).toBe(geometry.slotCount);
    expect(guest.peekHeader('guest_state')).toBe(GuestState.ATTACHED);
  });
});
