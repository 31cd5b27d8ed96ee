/**
 * What a session that takes over says to a guest that nobody did anything for meanwhile. Deaths at
 * every instruction: testing/crash-points.ts, run by test/proofs/kill.
 */
import { describe, expect, it } from 'vitest';
import { Command, GuestState } from '../protocol/layout.js';
import {
  beginLife,
  CRASH_EPOCH,
  CrashScene,
  copied,
  crashGeometry,
  emptyMemories,
} from '../testing/crash-scene.js';
import { FakeGuest, headerOffset } from '../testing/index.js';
import { SharedRegion } from '../transport/region.js';

const { slotCount } = crashGeometry;

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
