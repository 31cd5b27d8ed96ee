/**
 * Every word that a guest may write, and PROTOCOL.md's rule for it: what an honest guest writes is
 * served, what breaks a rule marked *(fault)* cuts it off by that name, and whatever else it writes
 * changes nothing for the host.
 *
 * The rules of queues, slots and credits are in session-faults.test.ts, those of frames within an
 * item in link.test.ts; here are the others.
 */
import { describe, expect, it } from 'vitest';
import {
  Command,
  DESCRIPTOR,
  Fault,
  Feature,
  FRAME_ITEM,
  FrameKind,
  HEADER,
  HostState,
  PAGE_BYTES,
  PoolFlag,
  PROTOCOL_VERSION,
  wordsOf,
} from '../protocol/layout.js';
import { objectId } from '../store/client.js';
import {
  createLinkLoopback,
  createLoopback,
  type HeaderField,
  type Loopback,
} from '../testing/index.js';
import { type Frame, FrameReader, FrameWriter } from '../transport/frame.js';

const descriptor = wordsOf(DESCRIPTOR);
const OID = objectId(3, 1);
const EPOCH = 0x1234;
const page = new Uint8Array(PAGE_BYTES).fill(0x77);
const STRANGE = [0, 1, 2, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/** An attached guest with a page in persistent pool 0. */
function attached(): Loopback {
  const loop = createLoopback();
  loop.guest.attach(EPOCH);
  loop.guest.newPool(PoolFlag.PERSIST);
  loop.guest.put(0, OID, 0, page);
  return loop;
}

/** The host still has the page, and carries out what is asked for. */
function expectServed({ guest, session }: Loopback): void {
  expect(session.isFaulted).toBe(false);
  expect(guest.get(0, OID, 0).page).toEqual(page);
  expect(guest.put(0, OID, 1, page)).toBe(1);
  expect(guest.flushPage(0, OID, 1)).toBe(1);
}

describe('section 3: words of the host that a guest overwrites are not read back', () => {
  const hosts = HEADER.fields.filter(({ writer }) => writer === 'host').map(({ name }) => name);
  /** What the guest itself must find right, to go on. */
  const needed = ['host_state', 'host_epoch', 'refuse', 'credit_tail'];

  it.each(hosts)('%s', (name) => {
    const field = name as HeaderField;
    for (const value of STRANGE) {
      const loop = attached();
      const before = loop.guest.peekHeader(field);
      loop.guest.pokeHeader(field, value);
      loop.session.serve();
      expect(loop.session.isFaulted).toBe(false);
      expect(loop.client.usedSlots).toBe(1);
      if (needed.includes(name)) loop.guest.pokeHeader(field, before);
      expectServed(loop);
    }
  });

  it('the head of a queue, and its replies', () => {
    for (const value of STRANGE) {
      const loop = attached();
      const { guest } = loop;
      for (const queue of [0, 1]) {
        const head = guest.peek(guest.queueOffset(queue, 'head'));
        guest.poke(guest.queueOffset(queue, 'head'), value);
        for (let word = 0; word < 64; word += 1)
          guest.poke(guest.replyOffset(queue, 0) + word * 4, value);
        loop.session.serve();
        guest.poke(guest.queueOffset(queue, 'head'), head);
      }
      expectServed(loop);
    }
  });

  it('the entries of the credit ring', () => {
    const loop = attached();
    const { creditOffset, creditEntries } = loop.geometry;
    const before = loop.region.words.slice(creditOffset / 4, creditOffset / 4 + creditEntries);
    for (let entry = 0; entry < creditEntries; entry += 1)
      loop.guest.poke(creditOffset + entry * 4, 5);
    const granted = loop.client.grantedSlots;
    loop.session.serve();
    expect(loop.client.grantedSlots).toBe(granted);
    loop.region.words.set(before, creditOffset / 4);
    expectServed(loop);
  });
});

describe('section 4: attaching', () => {
  it.each([2, 3, 0x7fff_ffff, 0xffff_ffff])('guest_state %i is not ATTACHED', (state) => {
    const loop = attached();
    loop.guest.pokeHeader('guest_state', state);
    loop.session.serve();
    expect(loop.session.guestEpoch).toBe(0);
    expect(loop.client.freeSlots).toBe(loop.client.slots.count);
  });

  it('guest_epoch 0 is no life, even while it is ATTACHED', () => {
    const loop = attached();
    loop.guest.pokeHeader('guest_epoch', 0);
    loop.session.serve();
    expect(loop.session.guestEpoch).toBe(0);
    loop.guest.post(0, { command: Command.NEW_POOL, flags: 1 << 24, epoch: 0 });
    expect(loop.session.serve()).toBe(0);
    expect(loop.client.pools()).toEqual([]);
  });

  it.each(STRANGE)('guest_version, guest_peer and guest_sleep may be %i', (value) => {
    const loop = attached();
    loop.guest.pokeHeader('guest_version', value);
    loop.guest.pokeHeader('guest_peer', value);
    for (const queue of [0, 1])
      loop.guest.poke(loop.guest.queueOffset(queue, 'guest_sleep'), value);
    expectServed(loop);
  });

  it('guest_features are those of the life’s beginning, as far as they were offered', () => {
    const loop = createLoopback();
    loop.guest.announce(EPOCH);
    loop.guest.pokeHeader('guest_features', 0xffff_fffc);
    loop.session.serve();
    loop.guest.pokeHeader('guest_features', Feature.POSTED_PUTS | Feature.DIRECT_GETS);
    loop.guest.newPool(PoolFlag.PERSIST);
    expect(loop.session.guestOnlyPosts).toBe(false);
  });

  it('a life that is asked for again after its end has nothing of before', () => {
    const loop = attached();
    loop.guest.detach();
    loop.guest.attach(EPOCH);
    expect(loop.guest.get(0, OID, 0).result).toBe(-19);
  });

  it('TAIL_RANGE: tails and a credit head left from the life before', () => {
    const loop = attached();
    const tail = loop.guest.peek(loop.guest.queueOffset(0, 'tail'));
    loop.guest.announce(EPOCH + 1);
    loop.guest.poke(loop.guest.queueOffset(0, 'tail'), tail + 17);
    loop.session.serve();
    loop.session.serve();
    expect(loop.faults).toEqual([Fault.TAIL_RANGE]);
  });

  it('FAULTED: not served any more, neither this life nor the next, but the next machine is', () => {
    const loop = attached();
    loop.guest.post(0, { command: Command.GET_PAGE, sequence: 99 });
    loop.session.serve();
    for (const epoch of [EPOCH, EPOCH + 1]) {
      loop.guest.announce(epoch);
      expect(loop.session.serve()).toBe(0);
      expect(loop.guest.peekHeader('host_state')).toBe(HostState.FAULTED);
    }
    loop.session.restart(77);
    loop.guest.attach(EPOCH + 2);
    loop.guest.newPool(PoolFlag.PERSIST);
    expect(loop.guest.put(0, OID, 0, page)).toBe(1);
    expectServed(loop);
  });
});

describe('sections 5 and 6: words of a descriptor that its command does not use', () => {
  it.each(STRANGE)('may be %i', (value) => {
    const loop = attached();
    const { guest } = loop;
    const sequence = guest.peek(guest.queueOffset(0, 'tail'));
    const get = { command: Command.GET_PAGE, oid: OID, slot: value, flags: value };
    guest.writeDescriptor(0, sequence, get);
    for (const at of [0x34, 0x38, 0x3c])
      guest.poke(guest.descriptorOffset(0, sequence) + at, value);
    guest.poke(guest.queueOffset(0, 'tail'), sequence + 1);
    expect(guest.waitReply(0, sequence).result).toBe(1);
    expectServed(loop);
  });

  it.each([
    ['a spec version that is not 1', 2 << 24],
    ['none', 0],
    ['shared and persistent', (1 << 24) | 3],
    ['precompressed', (1 << 24) | 4],
    ['a page size', (1 << 24) | 0x10],
    ['reserved bits', (1 << 24) | 0x0080_0000],
  ])('NEW_POOL with %s is EPERM', (_what, flags) => {
    const loop = attached();
    expect(loop.guest.submit(0, { command: Command.NEW_POOL, flags }).result).toBe(-1);
    expectServed(loop);
  });

  it('NEW_POOL beyond 64 pools is EPERM', () => {
    const loop = attached();
    const results = Array.from({ length: 65 }, () => loop.guest.newPool(0));
    expect(results.slice(0, 63)).toEqual(Array.from({ length: 63 }, (_, pool) => pool + 1));
    expect(results.slice(63)).toEqual([-1, -1]);
    expectServed(loop);
  });
});

// --- Over a link ---------------------------------------------------------------------------------

interface Sent {
  readonly kind: number;
  readonly epoch?: number;
  readonly words?: readonly number[];
  readonly credits?: number;
  readonly status?: number;
}

/** A guest on a link, as far as `frames`; what the host answers to them. */
function overLink(frames: readonly Sent[]) {
  const loop = createLinkLoopback({ queueCount: 2, queueEntries: 16 });
  const writer = new FrameWriter();
  const reader = new FrameReader();
  const answers: Frame[] = [];
  for (const { kind, epoch = EPOCH, words = [], credits = 0, status = 0 } of frames) {
    writer.addWords(words);
    const bytes = writer.finish({ kind, epoch, credits, status });
    loop.host.reader.space.set(bytes);
    loop.host.reader.filled(bytes.length);
    loop.host.receive();
    loop.session.serve();
    for (let next = loop.host.nextFrame(); next !== undefined; next = loop.host.nextFrame()) {
      reader.space.set(next);
      reader.filled(next.length);
      const answer = reader.next()!;
      answers.push({ ...answer, payload: answer.payload.slice() });
    }
  }
  return { loop, answers, kinds: answers.map(({ kind }) => kind) };
}

const hello: Sent = { kind: FrameKind.HELLO, words: [PROTOCOL_VERSION, 0] };
/** An item of queue 0: the descriptor at `sequence`. */
function operation(sequence: number, command: number = Command.CONTROL, flags = 0): number[] {
  const words = new Int32Array((FRAME_ITEM.bytes + DESCRIPTOR.bytes) / 4);
  const at = FRAME_ITEM.bytes / 4;
  words[at + descriptor.command] = command;
  words[at + descriptor.flags] = flags;
  words[at + descriptor.sequence] = sequence;
  words[at + descriptor.epoch] = EPOCH;
  return [...words];
}

describe('section 9: HELLO', () => {
  it('is answered by WELCOME, and again while that life is served', () => {
    expect(overLink([hello, hello]).kinds).toEqual([FrameKind.WELCOME, FrameKind.WELCOME]);
  });

  it('of another version is answered by ours, and begins no life', () => {
    const { loop, answers } = overLink([{ kind: FrameKind.HELLO, words: [9, 0] }]);
    expect(answers).toMatchObject([{ kind: FrameKind.WELCOME, epoch: 0 }]);
    expect(loop.session.guestEpoch).toBe(0);
  });

  it.each([
    ['epoch 0', { ...hello, epoch: 0 }],
    ['a payload that is too short', { ...hello, words: [PROTOCOL_VERSION] }],
  ])('with %s is nothing', (_what, frame) => {
    const { loop, kinds } = overLink([frame]);
    expect(kinds).toEqual([]);
    expect(loop.session.guestEpoch).toBe(0);
  });

  it('never has DIRECT_GETS in use', () => {
    const { loop } = overLink([{ ...hello, words: [PROTOCOL_VERSION, -1] }]);
    expect(loop.session.guestEpoch).toBe(EPOCH);
    expect(loop.session.guestOnlyPosts).toBe(false);
  });
});

describe('section 9: frames of a life that is served', () => {
  const acknowledge = [0, 0];

  it.each([
    ['WELCOME', { kind: FrameKind.WELCOME, words: [1, 0, 1, 2, 16, 4] }],
    ['REPLIES', { kind: FrameKind.REPLIES, words: [0, 0, 1, 0, 0, 1] }],
    ['STATUS', { kind: FrameKind.STATUS }],
    ['kind 0', { kind: 0 }],
    ['OPERATIONS without acknowledgements', { kind: FrameKind.OPERATIONS, words: [0] }],
    ['OPERATIONS that acknowledge too much', { kind: FrameKind.OPERATIONS, words: [0, 1] }],
    ['RESYNC that acknowledges too much', { kind: FrameKind.RESYNC, words: [1, 0] }],
    ['RESYNC that is too short', { kind: FrameKind.RESYNC, words: [0] }],
    ['an item that ends early', { kind: FrameKind.OPERATIONS, words: [...acknowledge, 0] }],
  ])('FRAME: %s', (_what, frame) => {
    expect(overLink([hello, frame]).loop.faults).toEqual([Fault.FRAME]);
  });

  it('FRAME: more descriptors than the queue has places for', () => {
    const items = Array.from({ length: 17 }, (_, sequence) => operation(sequence)).flat();
    const full = { kind: FrameKind.OPERATIONS, words: [...acknowledge, ...items.slice(0, -18)] };
    expect(overLink([hello, full]).loop.faults).toEqual([]);
    const over = { kind: FrameKind.OPERATIONS, words: [...acknowledge, ...items] };
    expect(overLink([hello, over]).loop.faults).toEqual([Fault.FRAME]);
  });

  it('a descriptor that was taken before, or is too early, is not taken', () => {
    const words = [...acknowledge, ...operation(0), ...operation(0), ...operation(5)];
    const { loop, kinds } = overLink([hello, { kind: FrameKind.OPERATIONS, words }]);
    expect(loop.faults).toEqual([]);
    expect(loop.session.counters.operations).toBe(1);
    // Something was lost: the host says so before it answers.
    expect(kinds.slice(1)).toEqual([FrameKind.RESYNC, FrameKind.REPLIES]);
  });

  it('credits and status are the host’s words: nobody reads them from a guest', () => {
    const words = [...acknowledge, ...operation(0)];
    const frame = { kind: FrameKind.OPERATIONS, words, credits: 0x7fff_ffff, status: -1 };
    const { loop, kinds } = overLink([hello, frame]);
    expect(loop.faults).toEqual([]);
    expect(kinds.at(-1)).toBe(FrameKind.REPLIES);
  });

  it('of another life, or before any, are nothing', () => {
    const words = [...acknowledge, ...operation(0)];
    const other = { kind: FrameKind.OPERATIONS, words, epoch: EPOCH + 1 };
    expect(overLink([other]).kinds).toEqual([]);
    const { loop, kinds } = overLink([hello, other, { kind: 99, epoch: EPOCH + 1 }]);
    expect(loop.faults).toEqual([]);
    expect(kinds).toEqual([FrameKind.WELCOME]);
    expect(loop.session.counters.operations).toBe(0);
  });

  it('GOODBYE ends the life: what it had is gone, and what follows is nothing', () => {
    const words = [...acknowledge, ...operation(0, Command.NEW_POOL, 1 << 24)];
    const pool = { kind: FrameKind.OPERATIONS, words };
    expect(overLink([hello, pool]).loop.client.pools()).toHaveLength(1);
    const { loop } = overLink([hello, pool, { kind: FrameKind.GOODBYE }, { kind: 99 }]);
    expect(loop.faults).toEqual([]);
    expect(loop.session.guestEpoch).toBe(0);
    expect(loop.client.freeSlots).toBe(loop.client.slots.count);
  });
});
