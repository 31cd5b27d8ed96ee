/**
 * Every point at which a store can die within one operation, and every state that it can leave.
 *
 * An operation runs with its stores to the memories recorded. Between two atomic stores the plain
 * ones may have happened in part, so every subset of them is tried. From each torn state another
 * session takes over, and dies again while it does. The guest must see the operation's effect once,
 * its answer once, and no slot lost or in two places.
 */
import { equal, deepEqual as same } from 'node:assert/strict';
import { Command, REPLY_SLOT_GRANTED } from '../protocol/layout.js';
import {
  beginLife,
  CRASH_OBJECTS,
  CrashScene,
  copied,
  crashGeometry,
  type Memories,
  type Outcome,
  outcomeOf,
  SPEC_VERSION_FLAG,
  serveAll,
} from './crash-scene.js';
import type { RawDescriptor } from './fake-guest.js';

/** A word of one of the memories that a run has changed. */
export interface Change {
  readonly memory: number;
  readonly word: number;
  readonly value: number;
}

/**
 * The words that `run` changes, as batches: within one, any subset may have happened at a crash; a
 * batch ends before and after each atomic store.
 */
export function recordChanges(memories: Memories, run: () => unknown): Change[][] {
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
  const store = Atomics.store;
  Atomics.store = ((words: Int32Array, at: number, value: number) => {
    cut();
    const stored = store(words, at, value);
    cut();
    return stored;
  }) as typeof Atomics.store;
  try {
    run();
  } finally {
    Atomics.store = store;
  }
  cut();
  return batches;
}

export function applyChanges(memories: Memories, changes: readonly Change[]): void {
  for (const { memory, word, value } of changes) new Int32Array(memories[memory]!)[word] = value;
}

const SUBSET_WORDS_MAX = 8;

/** Subsets of a batch: all of them, or of a large one each prefix, suffix and single word. */
export function* subsets(batch: readonly Change[]): Generator<Change[]> {
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

/**
 * Where a session that takes over dies again. `between`: between two batches, having begun between
 * two. `everywhere`: in each torn state, having begun in each.
 */
export type DieAgain = 'between' | 'everywhere';

export interface Deaths {
  /** Points at which the operation can be cut short: between its batches. */
  readonly points: number;
  /** Torn states from which a session took over. */
  readonly states: number;
  /** Sessions that died while they took over. */
  readonly again: number;
  /** Every outcome that was seen, as JSON; and the one when nobody dies. */
  readonly outcomes: ReadonlySet<string>;
  readonly undisturbed: string;
}

/**
 * Posts an operation and lets a session die at each point of serving it.
 * @throws AssertionError where an outcome is none, as `outcomeOf` says
 */
export function dieEverywhere(
  scene: CrashScene,
  queue: number,
  words: RawDescriptor,
  dieAgain: DieAgain = 'between',
): Deaths {
  const { policy, life, held } = scene;
  const sequence = scene.guest.post(queue, words);
  const before = copied(life.memories);
  const batches = recordChanges(life.memories, () => serveAll(life));
  const last = beginLife(copied(life.memories), policy, true);
  const undisturbed = JSON.stringify(outcomeOf(last, queue, sequence, held));
  const outcomes = new Set<string>();
  const count = { points: batches.length, states: 0, again: 0 };
  const takeOver = (memories: Memories): void => {
    const next = beginLife(copied(memories), policy, true);
    equal(next.rings.length, crashGeometry.queueCount, 'vectors that were rung');
    outcomes.add(JSON.stringify(outcomeOf(next, queue, sequence, held)));
  };
  const takeOverTwice = (memories: Memories): void => {
    const first = copied(memories);
    const steps = recordChanges(first, () => beginLife(first, policy, true));
    const second = copied(memories);
    for (const step of steps) {
      for (const subset of dieAgain === 'between' ? [step] : subsets(step)) {
        const torn = copied(second);
        applyChanges(torn, subset);
        takeOver(torn);
        count.again += 1;
      }
      applyChanges(second, step);
    }
  };
  for (const batch of batches) {
    for (const subset of subsets(batch)) {
      const torn = copied(before);
      applyChanges(torn, subset);
      takeOver(torn);
      count.states += 1;
      if (dieAgain === 'everywhere') takeOverTwice(torn);
    }
    applyChanges(before, batch);
    if (dieAgain === 'between') takeOverTwice(before);
  }
  return { ...count, outcomes, undisturbed };
}

/** An operation to die in: on which queue, what, and which outcomes are right. */
export interface DeadlyOperation {
  readonly name: string;
  readonly policy?: string;
  readonly queue: number;
  readonly words: (scene: CrashScene) => RawDescriptor;
  /** @throws AssertionError for an outcome that is wrong; default: nothing but the undisturbed */
  readonly judge?: (outcome: Outcome, undisturbed: Outcome) => void;
}

function isRefused({ answer, pages }: Outcome): void {
  // ENOSPC or ENOMEM: the guest takes both for a refusal.
  equal(['-28', '-12'].includes(answer), true, `the answer ${answer}`);
  equal(pages.join().includes('pool 0 object 0 index 0'), false, 'an old page is left');
  equal(pages.length, 3, 'pages');
}

function isTakenOrLost(outcome: Outcome, undisturbed: Outcome): void {
  if (outcome.answer !== '0') same(outcome, undisturbed);
  equal(outcome.pages.join().includes('pool 1'), false, 'the page is still there');
}

const GET_EPHEMERAL = { command: Command.GET_PAGE, pool: 1, oid: CRASH_OBJECTS[0]!, index: 0 };

/** A get that finds nothing, after one that took a page out: that one's slot is the guest's. */
function getAfterTake(scene: CrashScene): RawDescriptor {
  scene.run(1, GET_EPHEMERAL);
  const { result, slot } = scene.guest.waitReply(1, 2);
  equal(result, 1, 'the get that takes the page');
  scene.held.push((slot & ~REPLY_SLOT_GRANTED) >>> 0);
  return { ...GET_EPHEMERAL, index: 1 };
}

const [first, second, third] = CRASH_OBJECTS;
const { GET_PAGE, FLUSH_PAGE, FLUSH_OBJECT, NEW_POOL, DESTROY_POOL } = Command;

export const DEADLY_OPERATIONS: readonly DeadlyOperation[] = [
  { name: 'a put to a new object', queue: 1, words: (scene) => scene.put(0, 2, 0) },
  { name: 'a put to an object that is there', queue: 1, words: (scene) => scene.put(0, 1, 1) },
  { name: 'a duplicate put', queue: 0, words: (scene) => scene.put(0, 0, 0) },
  { name: 'a duplicate put of a lone page', queue: 0, words: (scene) => scene.put(0, 1, 0) },
  { name: 'a duplicate put, ephemeral', queue: 1, words: (scene) => scene.put(1, 0, 0) },
  {
    name: 'a duplicate put that the policy refuses',
    policy: 'refuse-duplicates',
    queue: 0,
    words: (scene) => scene.put(0, 0, 0),
    judge: isRefused,
  },
  { name: 'a put to no pool', queue: 1, words: (scene) => scene.put(9, 0, 0) },
  { name: 'a get', queue: 0, words: () => ({ command: GET_PAGE, oid: second! }) },
  { name: 'a get of nothing', queue: 0, words: () => ({ command: GET_PAGE, oid: third! }) },
  {
    name: 'a get of an ephemeral page',
    queue: 1,
    words: () => GET_EPHEMERAL,
    judge: isTakenOrLost,
  },
  { name: 'a get of nothing, after one that took a page', queue: 1, words: getAfterTake },
  { name: 'a flush', queue: 1, words: () => ({ command: FLUSH_PAGE, oid: first!, index: 1 }) },
  {
    name: 'a flush of a lone page',
    queue: 0,
    words: () => ({ command: FLUSH_PAGE, oid: second! }),
  },
  { name: 'a flush of an object', queue: 0, words: () => ({ command: FLUSH_OBJECT, oid: first! }) },
  { name: 'a new pool', queue: 0, words: () => ({ command: NEW_POOL, flags: SPEC_VERSION_FLAG }) },
  { name: 'the end of a pool', queue: 0, words: () => ({ command: DESTROY_POOL, pool: 0 }) },
  {
    name: 'the end of an ephemeral pool',
    queue: 0,
    words: () => ({ command: DESTROY_POOL, pool: 1 }),
  },
  { name: 'an unknown command', queue: 0, words: () => ({ command: 99 }) },
];

/**
 * Dies everywhere in the operation, and looks at what the guest sees then.
 * @throws AssertionError for what must not be
 */
export function tryDeaths(operation: DeadlyOperation, dieAgain?: DieAgain): Deaths {
  const scene = new CrashScene(operation.policy);
  const deaths = dieEverywhere(scene, operation.queue, operation.words(scene), dieAgain);
  const undisturbed = JSON.parse(deaths.undisturbed) as Outcome;
  for (const outcome of deaths.outcomes) {
    (operation.judge ?? same)(JSON.parse(outcome) as Outcome, undisturbed);
  }
  return deaths;
}
