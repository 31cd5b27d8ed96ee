/**
 * A session over memories that outlive it, and what its guest sees: for trying what a store leaves
 * behind when it dies.
 *
 * Everything lives in one thread: the memories are ArrayBuffers that the caller owns, copies and
 * changes as a crash would.
 */
import { equal, deepEqual as same } from 'node:assert/strict';
import { parsePolicy } from '../policy/put-policy.js';
import { computeGeometry } from '../protocol/geometry.js';
import {
  Command,
  HEADER,
  PAGE_BYTES,
  PoolFlag,
  QUEUE_CONTROL,
  REPLY,
  REPLY_SLOT_GRANTED,
  TMEM_SPEC_VERSION,
  wordsOf,
} from '../protocol/layout.js';
import { Session } from '../session/session.js';
import { SessionRecord } from '../session/session-record.js';
import { objectId, TmemClient } from '../store/client.js';
import { PageQuota } from '../store/quota.js';
import { SlotState } from '../store/slot-table.js';
import { SharedRegion } from '../transport/region.js';
import { FakeGuest, type RawDescriptor } from './fake-guest.js';

const REGION_BYTES = 2 ** 20;
const QUEUE_ENTRIES = 16;
export const crashGeometry = computeGeometry({
  regionBytes: REGION_BYTES,
  queueCount: 2,
  queueEntries: QUEUE_ENTRIES,
});
export const CRASH_OBJECTS = [objectId(1), objectId(2, 3), objectId(4, 5, 6)];
export const CRASH_EPOCH = 77;
export const SPEC_VERSION_FLAG = TMEM_SPEC_VERSION << PoolFlag.VERSION_SHIFT;
const HOST_EPOCH = 5;
/** What a page holds in its first word: this, and the slot that it was put in. */
const PAGE_MARK = 1000;
const header = wordsOf(HEADER);
const control = wordsOf(QUEUE_CONTROL);
const reply = wordsOf(REPLY);
const { creditOffset, creditEntries, slotCount, slotPage } = crashGeometry;

/** All that outlives a store: in this order, the state, the record, the region. */
export type Memories = readonly [ArrayBuffer, ArrayBuffer, ArrayBuffer];

export interface Life {
  readonly memories: Memories;
  readonly client: TmemClient;
  readonly session: Session;
  readonly rings: number[];
}

/** A store over memories: the first one, or one that takes over. */
export function beginLife(memories: Memories, policy: string, takeOver: boolean): Life {
  const [state, record, memory] = memories;
  const client = new TmemClient({
    slotCount,
    state,
    quota: new PageQuota(),
    policy: parsePolicy(policy),
    keepGranted: takeOver,
  });
  const rings: number[] = [];
  const session = new Session({
    region: new SharedRegion(memory),
    geometry: crashGeometry,
    client,
    hostEpoch: HOST_EPOCH,
    hostPeer: 0,
    ring: (vector) => rings.push(vector),
    record: new SessionRecord(record),
    takeOver,
  });
  return { memories, client, session, rings };
}

export function emptyMemories(): Memories {
  const bytes = [TmemClient.stateBytes(slotCount), SessionRecord.bytes, REGION_BYTES];
  return bytes.map((count) => new ArrayBuffer(count)) as unknown as Memories;
}

export function copied(memories: Memories): Memories {
  return memories.map((memory) => memory.slice(0)) as unknown as Memories;
}

export function serveAll({ session }: Life): void {
  while (session.serve() !== 0);
}

/** Takes a slot off the ring as a guest does that keeps none in hand. */
function takeCredit(memory: ArrayBuffer): number {
  const words = new Int32Array(memory);
  const head = words[header.credit_head]!;
  if (words[header.credit_tail] === head) throw new Error('the guest has no credit');
  words[header.credit_head] = head + 1;
  return words[creditOffset / 4 + (head & (creditEntries - 1))]!;
}

/** A guest with two pools, three persistent pages in two objects, and one ephemeral one. */
export class CrashScene {
  readonly life: Life;
  readonly policy: string;
  readonly guest: FakeGuest;
  /** Slots that the guest took off the ring, or was given, and has not put. */
  readonly held: number[] = [];

  constructor(policy = 'accept') {
    this.policy = policy;
    this.life = beginLife(emptyMemories(), policy, false);
    this.guest = new FakeGuest({
      region: new SharedRegion(this.life.memories[2]),
      pump: () => this.life.session.serve(),
    });
    this.guest.attach(CRASH_EPOCH);
    this.run(0, { command: Command.NEW_POOL, flags: PoolFlag.PERSIST | SPEC_VERSION_FLAG });
    this.run(0, { command: Command.NEW_POOL, flags: SPEC_VERSION_FLAG });
    this.run(0, this.put(0, 0, 0));
    this.run(1, this.put(0, 0, 1));
    this.run(0, this.put(0, 1, 0));
    this.run(1, this.put(1, 0, 0));
  }

  run(queue: number, words: RawDescriptor): void {
    this.guest.post(queue, words);
    serveAll(this.life);
  }

  /** A put of the next slot in the ring, which says by its first word what was put. */
  put(pool: number, object: number, index: number): RawDescriptor {
    const slot = takeCredit(this.life.memories[2]);
    new Int32Array(this.life.memories[2])[firstWordOf(slot)] = slot + PAGE_MARK;
    return { command: Command.PUT_PAGE, pool, oid: CRASH_OBJECTS[object]!, index, slot };
  }
}

function firstWordOf(slot: number): number {
  return ((slotPage + slot) * PAGE_BYTES) / 4;
}

function queueWord(queue: number, word: number): number {
  return (crashGeometry.queueOffset + queue * crashGeometry.queueStride) / 4 + word;
}

/** Slots that the guest has: those in the ring and those that it was given. */
export function guestSlots(memory: ArrayBuffer, given: readonly number[]): number[] {
  const words = new Int32Array(memory);
  const slots = [...given];
  const tail = words[header.credit_tail]!;
  for (let at = words[header.credit_head]!; at !== tail; at += 1) {
    slots.push(words[creditOffset / 4 + (at & (creditEntries - 1))]!);
  }
  return slots.sort((a, b) => a - b);
}

export interface Outcome {
  /** Result of the operation's answer; what its slot holds, for a get that hit. */
  readonly answer: string;
  readonly pages: string[];
  readonly pools: number[];
}

/** All pages that the store has, by what they hold. Those of an ephemeral pool are gone then. */
function pagesOf({ client, memories }: Life): string[] {
  const words = new Int32Array(memories[2]);
  const pages: string[] = [];
  for (const { id } of client.pools()) {
    for (const [object, oid] of CRASH_OBJECTS.entries()) {
      for (const index of [0, 1]) {
        if (client.get(id, oid, index) !== 1) continue;
        const bytes = words[firstWordOf(client.gotSlot)];
        pages.push(`pool ${id} object ${object} index ${index}: ${bytes}`);
      }
    }
  }
  return pages;
}

/**
 * What the guest sees of the operation once the session has come to rest.
 * @throws AssertionError when it has no answer, or a slot is lost or in two places
 */
export function outcomeOf(
  life: Life,
  queue: number,
  sequence: number,
  held: readonly number[],
): Outcome {
  serveAll(life);
  const { client, memories, session } = life;
  const words = new Int32Array(memories[2]);
  equal(session.isFaulted, false, 'the guest was cut off');
  equal(words[queueWord(queue, control.head)], sequence + 1, 'the head');
  const place = sequence & (QUEUE_ENTRIES - 1);
  const at = queueWord(queue, (crashGeometry.replyOffset + place * REPLY.bytes) / 4);
  equal(words[at + reply.sequence], sequence, "the reply's sequence");
  equal(words[at + reply.epoch], HOST_EPOCH, "the reply's epoch");
  const result = words[at + reply.result]!;
  const slotWord = words[at + reply.slot]!;
  const given = slotWord < -1 ? [...held, slotWord & ~REPLY_SLOT_GRANTED] : held;
  const got = slotWord === -1 ? -1 : slotWord & ~REPLY_SLOT_GRANTED;
  const page = got === -1 ? '' : ` page ${words[firstWordOf(got)]}`;
  const granted = Array.from({ length: slotCount }, (_, slot) => slot).filter(
    (slot) => client.slots.state(slot) === SlotState.GRANTED,
  );
  const theirs = guestSlots(memories[2], given);
  const known = new Set(theirs);
  same(
    granted.filter((slot) => !known.has(slot)),
    [],
    'slots that are promised, and that the guest has not',
  );
  equal(theirs.length, granted.length, 'slots that the guest has');
  equal(client.freeSlots, 0, 'free slots');
  equal(client.grantedSlots + client.usedSlots, slotCount, 'slots');
  const pages = pagesOf(life);
  return { answer: `${result}${page}`, pages, pools: client.pools().map(({ id }) => id) };
}
