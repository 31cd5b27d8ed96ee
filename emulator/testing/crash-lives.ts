/**
 * Deaths of a store while a life of its guest ends or begins: whoever takes over must serve the
 * life that is there, and have nothing of the one before.
 */
import { equal, deepEqual as same } from 'node:assert/strict';
import { GuestState, HEADER, wordsOf } from '../protocol/layout.js';
import { applyChanges, recordChanges, subsets } from './crash-points.js';
import {
  beginLife,
  CRASH_EPOCH,
  CrashScene,
  copied,
  crashGeometry,
  guestSlots,
  type Life,
  serveAll,
} from './crash-scene.js';

const header = wordsOf(HEADER);
const { slotCount } = crashGeometry;
const NEXT_EPOCH = CRASH_EPOCH + 1;
const NEXT_HOST_EPOCH = 6;

/** An end or a beginning to die in. */
export interface DeadlyChange {
  readonly name: string;
  /** What the guest does. */
  readonly begin?: (scene: CrashScene) => void;
  /** What the session does; default: it serves. */
  readonly run?: (life: Life) => void;
  /** Whether plain stores are torn too; not where there are too many, as in scrubbing. */
  readonly torn: boolean;
  /** Looks at whoever took over. `begun`: some of it had happened. @throws AssertionError */
  readonly judge: (life: Life, begun: boolean) => void;
}

export const DEADLY_CHANGES: readonly DeadlyChange[] = [
  {
    name: 'a guest that leaves',
    begin: ({ guest }) => guest.pokeHeader('guest_state', GuestState.DETACHED),
    torn: true,
    judge: ({ client }) => {
      equal(client.freeSlots, slotCount, 'free slots');
      same(client.pools(), []);
    },
  },
  {
    name: 'a machine that is gone',
    run: ({ session }) => session.restart(NEXT_HOST_EPOCH),
    torn: false,
    judge: ({ client, session }, begun) => {
      // One that has heard nothing of it goes on until it is told.
      if (begun) same(client.pools(), []);
      equal(session.isFaulted, false, 'the next machine is cut off');
    },
  },
  {
    name: 'a new life of the guest',
    begin: ({ guest }) => guest.announce(NEXT_EPOCH),
    torn: true,
    judge: ({ client, memories }) => {
      equal(new Int32Array(memories[2])[header.session_epoch], NEXT_EPOCH, 'the life served');
      same(client.pools(), []);
      equal(client.usedSlots + client.freeSlots, 0, 'slots that the guest has not');
      const slots = guestSlots(memories[2], []);
      equal(slots.length, slotCount, "the guest's slots");
      equal(new Set(slots).size, slotCount, "the guest's slots, each once");
    },
  },
];

/** @throws AssertionError for what must not be */
export function tryDeathsInChange(change: DeadlyChange): { points: number; states: number } {
  const scene = new CrashScene();
  change.begin?.(scene);
  const before = copied(scene.life.memories);
  const run = change.run ?? serveAll;
  const batches = recordChanges(scene.life.memories, () => run(scene.life));
  let states = 0;
  for (const [at, batch] of batches.entries()) {
    for (const done of change.torn ? subsets(batch) : [[]]) {
      const torn = copied(before);
      applyChanges(torn, done);
      const life = beginLife(torn, scene.policy, true);
      serveAll(life);
      change.judge(life, at > 0);
      states += 1;
    }
    applyChanges(before, batch);
  }
  return { points: batches.length, states };
}
