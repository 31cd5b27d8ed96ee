/** The byte images against `layout.ts`, and against what a session and a guest really write. */
import { describe, expect, it } from 'vitest';
import { CONSTANTS, DESCRIPTOR, FRAME, HEADER, REPLY } from '../../emulator/protocol/layout.js';
import { objectId } from '../../emulator/store/client.js';
import { createLoopback } from '../../emulator/testing/index.js';
import { FrameWriter } from '../../emulator/transport/frame.js';
import {
  decode,
  encode,
  imageBytes,
  layoutNamed,
  readConstants,
  readVectorFiles,
  type Vector,
  vectorOf,
} from './vectors.js';

const GUEST_EPOCH = 0x1234_abcd;

for (const file of readVectorFiles()) {
  describe(`vectors of ${file.layout}`, () => {
    const layout = layoutNamed(file.layout);

    it('have the size of the structure', () => {
      expect(file.bytes).toBe(layout.bytes);
    });

    it.each(file.vectors.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
      const image = imageBytes(vector, layout.bytes);
      expect(decode(layout, image)).toEqual(vector.fields);
      expect(encode(layout, vector.fields)).toEqual(image);
    });
  });
}

it('the constants are those of layout.ts, all of them', () => {
  const defined = CONSTANTS.flatMap(({ prefix, values }) =>
    Object.entries(values).map(([name, value]) => [`${prefix}${name}`, value]),
  );
  expect(readConstants()).toEqual(Object.fromEntries(defined));
});

describe('what the host writes', () => {
  it('is the header "ready", and "attached" once a guest has taken 32 credits', () => {
    const { region, guest } = createLoopback();
    const page0 = () => new Uint8Array(region.memory.slice(0, HEADER.bytes));
    expect(page0()).toEqual(imageBytes(vectorOf(HEADER, 'ready'), HEADER.bytes));
    guest.attach(GUEST_EPOCH);
    guest.takeCredit();
    expect(page0()).toEqual(imageBytes(vectorOf(HEADER, 'attached'), HEADER.bytes));
  });

  it('is the reply of each result', () => {
    const { region, guest, client } = createLoopback({ queueCount: 1 });
    guest.attach(GUEST_EPOCH);
    const replyTo = (command: number, words: object): Uint8Array => {
      const sequence = guest.post(0, { command, ...words });
      guest.waitReply(0, sequence);
      const at = guest.replyOffset(0, sequence);
      return new Uint8Array(region.memory.slice(at, at + REPLY.bytes));
    };
    const expected = (name: string) => imageBytes(vectorOf(REPLY, name), REPLY.bytes);
    client.newPool(0x0100_0001, new Int32Array(4));
    expect(replyTo(6, {})).toEqual(expected('success'));
    expect(replyTo(5, {})).toEqual(expected('miss'));
    const persistent = expected('get_persistent');
    client.put(0, objectId(0), 0, 251);
    expect(replyTo(5, {})).toEqual(persistent);
    client.newPool(0x0100_0000, new Int32Array(4));
    client.put(1, objectId(0), 0, 5);
    expect(replyTo(5, { pool: 1 })).toEqual(expected('get_exclusive'));
    expect(replyTo(1, { flags: 0 })).toEqual(expected('eperm'));
    client.policy = { name: 'none', acceptsAll: false, admits: () => false };
    expect(replyTo(4, { index: 9, slot: 7 })).toEqual(expected('enomem'));
    expect(replyTo(5, { pool: 9 })).toEqual(expected('enodev'));
    expect(replyTo(4, { slot: 8 })).toEqual(expected('enospc'));
    expect(replyTo(99, {})).toEqual(expected('enosys'));
  });
});

describe('what a frame writer writes', () => {
  it('is each header, checksums and all', () => {
    const headOf = (frame: Uint8Array): Uint8Array => frame.slice(0, FRAME.bytes);
    const expected = (name: string) => imageBytes(vectorOf(FRAME, name), FRAME.bytes);
    const writer = new FrameWriter();
    const epoch = GUEST_EPOCH;
    expect(headOf(writer.finish({ kind: 7, epoch }))).toEqual(expected('goodbye'));
    writer.addWords([1, 1]);
    expect(headOf(writer.finish({ kind: 1, epoch }))).toEqual(expected('hello'));
    const status = writer.finish({ kind: 6, epoch, credits: 1024, status: 0x101 });
    expect(headOf(status)).toEqual(expected('status'));
    const faulted = writer.finish({ kind: 6, epoch, credits: 1024, status: 0x60002 });
    expect(headOf(faulted)).toEqual(expected('faulted'));
  });
});

describe('what the fake guest writes', () => {
  const file = readVectorFiles().find((each) => each.layout === DESCRIPTOR.name)!;

  it.each(file.vectors.map((vector) => [vector.name, vector] as const))(
    'is %s',
    (_name, vector) => {
      const { region, guest } = createLoopback({ queueCount: 1 });
      guest.attach(GUEST_EPOCH);
      const { sequence, ...words } = wordsOf(vector);
      guest.writeDescriptor(0, sequence, words);
      const at = guest.descriptorOffset(0, sequence);
      const written = new Uint8Array(region.memory.slice(at, at + DESCRIPTOR.bytes));
      expect(written).toEqual(imageBytes(vector, DESCRIPTOR.bytes));
    },
  );
});

function wordsOf(vector: Vector) {
  const { command, pool, oid, index, slot, flags, sequence } = vector.fields;
  const bits = (oid as readonly string[]).map((text) => BigInt(text));
  const number = (value: unknown): number => value as number;
  return {
    command: number(command),
    pool: number(pool),
    oid: new Int32Array(BigUint64Array.from(bits).buffer),
    index: number(index),
    slot: number(slot),
    flags: number(flags),
    sequence: number(sequence),
  };
}
