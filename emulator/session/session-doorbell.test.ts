/** Sleeping and doorbells: PROTOCOL.md section 8. */
import { describe, expect, it } from 'vitest';
import { Command } from '../protocol/layout.js';
import { createLoopback } from '../testing/index.js';

function attached() {
  const loop = createLoopback({ queueCount: 2 });
  loop.guest.attach(1);
  loop.guest.newPool(0);
  loop.rings.length = 0;
  loop.guestRings = 0;
  return loop;
}

describe('the host rings the guest', () => {
  it('not while the guest is awake', () => {
    const { guest, rings } = attached();
    for (const awake of [0, 2, 0xffff_fffe]) {
      guest.poke(guest.queueOffset(1, 'guest_sleep'), awake);
      guest.submit(1, { command: Command.GET_PAGE });
    }
    expect(rings).toEqual([]);
  });

  it('once for each odd value, by the vector of the queue', () => {
    const { guest, rings, session } = attached();
    guest.poke(guest.queueOffset(1, 'guest_sleep'), 1);
    guest.submit(1, { command: Command.GET_PAGE });
    guest.submit(1, { command: Command.GET_PAGE });
    expect(rings).toEqual([1]);
    guest.poke(guest.queueOffset(1, 'guest_sleep'), 3);
    guest.submit(1, { command: Command.GET_PAGE });
    expect(rings).toEqual([1, 1]);
    guest.poke(guest.queueOffset(0, 'guest_sleep'), 0xffff_ffff);
    guest.submit(0, { command: Command.GET_PAGE });
    expect(rings).toEqual([1, 1, 0]);
    expect(session.counters.doorbellsSent).toBe(3);
  });

  it('not for a queue on which nothing was answered', () => {
    const { guest, rings } = attached();
    guest.poke(guest.queueOffset(0, 'guest_sleep'), 1);
    guest.submit(1, { command: Command.GET_PAGE });
    expect(rings).toEqual([]);
  });

  it('for the first sleep of a new life, though the value is an old one', () => {
    const { guest, rings } = attached();
    guest.poke(guest.queueOffset(1, 'guest_sleep'), 1);
    guest.submit(1, { command: Command.GET_PAGE });
    guest.attach(2);
    guest.poke(guest.queueOffset(1, 'guest_sleep'), 1);
    guest.submit(1, { command: Command.GET_PAGE });
    expect(rings).toEqual([1, 1]);
  });
});

describe('the host sleeps', () => {
  it('makes its word odd, and even again when it wakes, each time another value', () => {
    const { guest, session } = attached();
    const seen: number[] = [];
    for (let sleep = 0; sleep < 3; sleep += 1) {
      session.announceSleep();
      seen.push(guest.peekHeader('host_sleep'));
      session.announceAwake();
      seen.push(guest.peekHeader('host_sleep'));
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('is rung once a sleep', () => {
    const loop = attached();
    const { guest, session } = loop;
    guest.post(0, { command: Command.GET_PAGE });
    expect(loop.guestRings).toBe(0);
    session.serve();
    session.announceSleep();
    guest.post(0, { command: Command.GET_PAGE });
    guest.post(1, { command: Command.GET_PAGE });
    expect(loop.guestRings).toBe(1);
    session.announceAwake();
    session.serve();
    session.announceSleep();
    guest.post(0, { command: Command.GET_PAGE });
    expect(loop.guestRings).toBe(2);
  });

  it('sees, after it said that it sleeps, whatever came before', () => {
    const { guest, session } = attached();
    expect(session.hasWork()).toBe(false);
    guest.post(1, { command: Command.GET_PAGE });
    session.announceSleep();
    expect(session.hasWork()).toBe(true);
    session.announceAwake();
    expect(session.serve()).toBe(1);
    expect(session.hasWork()).toBe(false);
    guest.announce(2);
    expect(session.hasWork()).toBe(true);
    session.serve();
    guest.pokeHeader('guest_state', 0);
    expect(session.hasWork()).toBe(true);
  });
});
