/**
 * A session that takes over from one that died, at every instruction: see testing/crash-points.ts,
 * which has the operations and what must hold after each death.
 */
import { describe, expect, it } from 'vitest';
import { Command, GuestState, HEADER, wordsOf } from '../protocol/layout.js';
import {
  applyChanges,
  DEADLY_OPERATIONS,
  recordChanges,
  subsets,
  tryDeaths,
} from '../testing/crash-points.js';
import {
  beginLife,
  CRASH_EPOCH,
  CrashScene,
  copied,
  crashGeometry,
  emptyMemories,
  guestSlots,
  serveAll,
} from '../testing/crash-scene.js';
import { FakeGuest, headerOffset } from '../testing/index.js';
import { SharedRegion } from '../transport/region.js';

const header = wordsOf(HEADER);
const { slotCount } = crashGeometry;

describe('a session that dies anywhere in', () => {
  it.each(DEADLY_OPERATIONS.map((operation) => [operation.name, operation] as const))(
    '%s has it done once, answered once',
    (_name, operation) => {
      const { states, again, outcomes, undisturbed } = tryDeaths(operation);
      expect(states + again).toBeGreaterThan(8);
      expect(outcomes).toContain(undisturbed);
    },
  );

  it('a guest that leaves, leaves nothing', () => {
    const scene = new CrashScene();
    scene.guest.pokeHeader('guest_state', GuestState.DETACHED);
    const before = copied(scene.life.memories);
    for (const batch of recordChanges(scene.life.memories, () => scene.life.session.serve())) {
      applyChanges(before, batch);
      const life = beginLife(copied(before), 'accept', true);
      serveAll(life);
      expect(life.client.freeSlots).toBe(slotCount);
      expect(life.client.pools()).toEqual([]);
    }
  });

  it('a machine that is gone is not served anew', () => {
    const scene = new CrashScene();
    const before = copied(scene.life.memories);
    const batches = recordChanges(scene.life.memories, () => scene.life.session.restart(6));
    for (const batch of batches) {
      const life = beginLife(copied(before), 'accept', true);
      serveAll(life);
      if (batch !== batches[0]) expect(life.client.pools()).toEqual([]);
      expect(life.session.isFaulted).toBe(false);
      applyChanges(before, batch);
    }
  });

  it('a new life of the guest has nothing of the old one', () => {
    const scene = new CrashScene();
    scene.guest.announce(CRASH_EPOCH + 1);
    const before = copied(scene.life.memories);
    const batches = recordChanges(scene.life.memories, () => {
      serveAll(scene.life);
    });
    for (const batch of batches) {
      for (const subset of subsets(batch)) {
        const torn = copied(before);
        applyChanges(torn, subset);
        const life = beginLife(torn, 'accept', true);
        serveAll(life);
        const words = new Int32Array(torn[2]);
        expect(words[header.session_epoch]).toBe(CRASH_EPOCH + 1);
        expect(life.client.pools()).toEqual([]);
        expect(life.client.usedSlots + life.client.freeSlots).toBe(0);
        expect(guestSlots(torn[2], [])).toHaveLength(slotCount);
        expect(new Set(guestSlots(torn[2], [])).size).toBe(slotCount);
      }
      applyChanges(before, batch);
    }
  });
});

describe('a session that takes over', () => {
  it('goes on refusing, and rings for a sleep that the last one was rung for', () => {
    const scene = new CrashScene();
    scene.life.session.refusePuts(true);
    scene.life.session.announceSleep();
    const slept = scene.guest.peekHeader('host_sleep');
    const memories = copied(scene.life.memories);
    const region = new SharedRegion(memories[2]);
    // Whatever the guest wrote into the host's words meanwhile.
    region.store(headerOffset('refuse'), 0);
    region.store(headerOffset('slot_count'), 1 << 30);
    region.store(headerOffset('host_state'), 9);
    const { session } = beginLife(memories, 'accept', true);
    expect(region.load(headerOffset('refuse'))).toBe(1);
    expect(region.load(headerOffset('slot_count'))).toBe(slotCount);
    expect(region.load(headerOffset('host_state'))).toBe(1);
    expect(region.load(headerOffset('host_sleep')) & 1).toBe(0);
    session.announceSleep();
    expect(region.load(headerOffset('host_sleep')) & 1).toBe(1);
    expect(region.load(headerOffset('host_sleep'))).not.toBe(slept);
    expect(session.counters).toMatchObject({ takeovers: 1, puts: 4, sessions: 1 });
  });

  it('keeps a guest cut off that was', () => {
    const scene = new CrashScene();
    const { guest } = scene;
    guest.post(0, { command: Command.GET_PAGE, epoch: 1 });
    scene.life.session.serve();
    expect(scene.life.session.isFaulted).toBe(true);
    const life = beginLife(copied(scene.life.memories), 'accept', true);
    expect(life.session.isFaulted).toBe(true);
    expect(life.session.serve()).toBe(0);
    expect(life.client.usedSlots).toBe(0);
  });

  it('serves nobody when nobody was served', () => {
    const first = beginLife(emptyMemories(), 'accept', false);
    const life = beginLife(copied(first.memories), 'accept', true);
    expect(life.session.guestEpoch).toBe(0);
    const guest = new FakeGuest({
      region: new SharedRegion(life.memories[2]),
      pump: () => life.session.serve(),
    });
    guest.attach(CRASH_EPOCH);
    expect(guest.credits).toBe(slotCount);
    expect(guest.peekHeader('guest_state')).toBe(GuestState.ATTACHED);
  });
});
