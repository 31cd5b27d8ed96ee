/**
 * A link whose stream is damaged: nothing is lost, nothing is done twice, and nobody is cut off for
 * it. What an honest guest would not send cuts it off with FAULT_FRAME.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DESCRIPTOR,
  Fault,
  FRAME,
  FRAME_ITEM,
  FrameKind,
  PAGE_BYTES,
  PoolFlag,
} from '../protocol/layout.js';
import { objectId } from '../store/client.js';
import { createLinkLoopback, type Direction, type LinkLoopback } from '../testing/index.js';
import { FrameReader, FrameWriter } from './frame.js';
import { LinkHost } from './link-host.js';
import { LinkRecord } from './link-record.js';

const OID = objectId(3);
const EPOCH = 0x77;

function pageOf(fill: number): Uint8Array {
  return new Uint8Array(PAGE_BYTES).fill(fill);
}

function attached(damage?: (bytes: Uint8Array, direction: Direction) => Uint8Array): LinkLoopback {
  const loop = createLinkLoopback({
    queueCount: 2,
    regionBytes: 2 ** 21,
    quietMs: 2,
    ...(damage === undefined ? {} : { damage }),
  });
  loop.guest.attach(EPOCH);
  return loop;
}

/** What becomes of the n-th frame that is sent. */
type Accident = 'turn a bit' | 'cut' | 'drop' | 'double' | 'noise' | 'fine';

function accident(bytes: Uint8Array, kind: Accident, where: number): Uint8Array {
  const at = where % bytes.length;
  switch (kind) {
    case 'turn a bit': {
      const copy = bytes.slice();
      copy[at]! ^= 1 << (where % 8);
      return copy;
    }
    case 'cut':
      return bytes.slice(0, at);
    case 'drop':
      return new Uint8Array(0);
    case 'double':
      return Uint8Array.from([...bytes, ...bytes]);
    case 'noise':
      return Uint8Array.from([...bytes.slice(0, 40), ...bytes]);
    case 'fine':
      return bytes.slice();
  }
}

describe('a damaged link', { timeout: 120_000 }, () => {
  it('loses no operation, and carries out none twice', () => {
    const kinds: Accident[] = ['turn a bit', 'cut', 'drop', 'double', 'noise', 'fine', 'fine'];
    const accidents = fc.infiniteStream(
      fc.record({ kind: fc.constantFrom(...kinds), where: fc.nat() }),
    );
    fc.assert(
      fc.property(accidents, (all) => {
        let harm = false;
        const loop = attached((bytes) => {
          if (!harm) return bytes.slice();
          const { kind, where } = all.next().value;
          return accident(bytes, kind, where);
        });
        const pool = loop.guest.newPool(PoolFlag.PERSIST);
        harm = true;
        for (let index = 0; index < 12; index += 1) {
          expect(loop.guest.put(pool, OID, index, pageOf(index + 1))).toBe(1);
        }
        for (let index = 0; index < 12; index += 1) {
          expect(loop.guest.get(pool, OID, index).page).toEqual(pageOf(index + 1));
        }
        expect(loop.guest.flushPage(pool, OID, 3)).toBe(1);
        expect(loop.guest.get(pool, OID, 3).result).toBe(0);
        expect(loop.session.counters).toMatchObject({ puts: 12, gets: 13, flushes: 1, faults: 0 });
      }),
      { numRuns: 20 },
    );
  });

  it('gives an exclusive page once, though its reply is lost', () => {
    let drop = 0;
    const loop = attached((bytes, direction) => {
      if (direction === 'to guest' && drop > 0) {
        drop -= 1;
        return new Uint8Array(0);
      }
      return bytes.slice();
    });
    const pool = loop.guest.newPool(0);
    for (let index = 0; index < 40; index += 1) loop.guest.put(pool, OID, index, pageOf(index));
    for (let index = 0; index < 40; index += 4) {
      drop = 1;
      expect(loop.guest.get(pool, OID, index).page).toEqual(pageOf(index));
      expect(loop.guest.get(pool, OID, index).result).toBe(0);
    }
    expect(loop.client.usedSlots).toBe(30);
  });
});

it('a host’s end that takes over ends half a frame, however long, and says where it is', () => {
  const { region, geometry, client, guest } = attached();
  guest.newPool(PoolFlag.PERSIST);
  const writer = new FrameWriter();
  writer.addBytes(new Uint8Array(60_000).fill(0x54));
  const cut = writer.finish({ kind: FrameKind.REPLIES, epoch: EPOCH });
  const record = new LinkRecord();
  record.sending = cut.length;
  const cutOff = (fault: number) => expect.unreachable(`fault ${fault}`);
  const host = new LinkHost({ region, geometry, slots: client.slots, record, cutOff });
  host.resume();
  const reader = new FrameReader();
  const arrive = (bytes: Uint8Array): void => {
    reader.space.set(bytes);
    reader.filled(bytes.length);
  };
  arrive(cut.subarray(0, 40));
  expect(reader.next()).toBeUndefined();
  arrive(host.nextFrame()!);
  expect(reader.next()).toBeUndefined();
  const resync = host.nextFrame()!;
  expect(record.sending).toBe(resync.length);
  arrive(resync);
  expect(reader.next()).toMatchObject({ kind: FrameKind.RESYNC, epoch: EPOCH });
  while (host.nextFrame() !== undefined);
  expect(record.sending).toBe(0);
});

describe('back-pressure', () => {
  it('lets no more puts come than there are slots for, and tells of new ones', () => {
    const loop = createLinkLoopback({ queueCount: 1, regionBytes: 2 ** 20 });
    loop.guest.attach(EPOCH);
    const pool = loop.guest.newPool(PoolFlag.PERSIST);
    const { count } = loop.client.slots;
    let taken = 0;
    while (loop.guest.put(pool, OID, taken, pageOf(taken)) === 1) taken += 1;
    expect(taken).toBe(count);
    for (let index = 0; index < 10; index += 1) loop.guest.flushPage(pool, OID, index);
    expect(loop.guest.put(pool, OID, 3, pageOf(99))).toBe(1);
    expect(loop.guest.get(pool, OID, 3).page).toEqual(pageOf(99));
    expect(loop.session.isFaulted).toBe(false);
  });

  it('passes the host’s refusal on, though nothing else is sent', () => {
    const loop = attached();
    const pool = loop.guest.newPool(PoolFlag.PERSIST);
    loop.session.refusePuts(true);
    loop.guest.flushPage(pool, OID, 0);
    expect(loop.guest.put(pool, OID, 0, pageOf(1))).toBe(-12);
    loop.session.refusePuts(false);
    loop.guest.flushPage(pool, OID, 0);
    expect(loop.guest.put(pool, OID, 0, pageOf(1))).toBe(1);
  });
});

/** A frame of OPERATIONS with acknowledgements and one item. */
function operations(
  acknowledged: number[],
  item: number[],
  descriptor: number[],
  page?: Uint8Array,
) {
  const writer = new FrameWriter();
  writer.addWords(acknowledged);
  writer.addWords(item);
  const words = new Int32Array(DESCRIPTOR.bytes / 4);
  words.set(descriptor);
  writer.addWords(words);
  if (page !== undefined) writer.addBytes(page);
  return writer.finish({ kind: FrameKind.OPERATIONS, epoch: EPOCH }).slice();
}

describe('a frame that comes in parts', () => {
  const whole = operations([0, 0], [0, 1], [4, 0], pageOf(1));
  const bringIn = (host: LinkHost, bytes: Uint8Array, now: number): number => {
    host.reader.space.set(bytes);
    return host.bringIn(bytes.length, now);
  };

  it('is waited for, however long nothing came before it', () => {
    const { host } = attached();
    expect(bringIn(host, whole.subarray(0, 2000), 3_600_000)).toBe(0);
    expect(bringIn(host, whole.subarray(2000), 3_600_200)).toBe(1);
    // The next one begins within the same bytes.
    const parts = new Uint8Array([...whole, ...whole.subarray(0, 40)]);
    expect(bringIn(host, parts, 3_700_000)).toBe(1);
    expect(bringIn(host, whole.subarray(40, 60), 3_700_200)).toBe(0);
    expect(bringIn(host, whole.subarray(60), 3_700_240)).toBe(1);
    expect(host.reader.skippedBytes).toBe(0);
  });

  it('is given up when bytes go on and it does not end', () => {
    const { host } = attached();
    expect(bringIn(host, whole.subarray(0, 2000), 1000)).toBe(0);
    const other = new FrameWriter().finish({ kind: FrameKind.OPERATIONS, epoch: EPOCH + 1 });
    expect(bringIn(host, other, 1200)).toBe(0);
    expect(bringIn(host, other, 1300)).toBe(2);
    expect(host.reader.skippedBytes).toBe(2000);
  });
});

describe('a whole frame that no honest guest sends', () => {
  const GET = [5, 0];
  const PUT = [4, 0];
  const cases: [string, Uint8Array][] = [
    ['acknowledges what was never sent', operations([1, 0], [0, 0], GET)],
    ['names a queue that is not there', operations([0, 0], [2, 0], GET)],
    ['names a queue below 0', operations([0, 0], [-1, 0], GET)],
    ['has a put without its page', operations([0, 0], [0, 0], PUT)],
    ['has a page that is no put', operations([0, 0], [0, 1], GET, pageOf(1))],
    ['ends within an item', operations([0, 0], [0, 1], PUT, pageOf(1).subarray(0, 64))],
    ['has no acknowledgements', new FrameWriter().finish({ kind: 3, epoch: EPOCH }).slice()],
    ['is of an unknown kind', new FrameWriter().finish({ kind: 99, epoch: EPOCH }).slice()],
    [
      'is of a kind that only hosts send',
      new FrameWriter().finish({ kind: 4, epoch: EPOCH }).slice(),
    ],
  ];

  it.each(cases)('cuts it off: %s', (_name, frame) => {
    const loop = attached();
    loop.host.reader.space.set(frame);
    loop.host.reader.filled(frame.length);
    loop.host.receive();
    expect(loop.faults).toEqual([Fault.FRAME]);
    expect(() => loop.guest.newPool(0)).toThrow(/cut this guest off: fault 6/);
  });

  it('puts more than its credits', () => {
    const loop = attached();
    loop.guest.newPool(PoolFlag.PERSIST);
    const slots = loop.client.slots.count;
    for (let sequence = 0; sequence <= slots && loop.faults.length === 0; sequence += 1) {
      const words = [4, 0, 0, 0, 0, 0, 0, 0, sequence, 0, 0, sequence, EPOCH];
      const frame = operations([0, sequence], [1, 1], words, pageOf(1));
      loop.host.reader.space.set(frame);
      loop.host.reader.filled(frame.length);
      loop.host.receive();
      while (loop.session.serve() > 0 && loop.host.nextFrame() !== undefined);
    }
    expect(loop.faults).toEqual([Fault.FRAME]);
    expect(loop.client.usedSlots).toBe(0);
  });

  it('of another life is nothing, and harms no one', () => {
    const loop = attached();
    const frame = new FrameWriter().finish({ kind: 99, epoch: EPOCH + 1 });
    loop.host.reader.space.set(frame);
    loop.host.reader.filled(frame.length);
    expect(loop.host.receive()).toBe(1);
    expect(loop.faults).toEqual([]);
    expect(FRAME.bytes + FRAME_ITEM.bytes).toBe(40);
  });
});
