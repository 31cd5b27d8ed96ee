/**
 * The frame codec, and that C and TypeScript agree on the numbers.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  AGENT_VERSION,
  COMMANDS_MAX,
  CONTROL_FRAME_MAX,
  EXEC_HEADER_BYTES,
  EXEC_SYSROOT,
  EXEC_TERMINAL,
  encodeExec,
  encodeFrame,
  encodeSync,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_MAX,
  type Frame,
  FrameDecoder,
  FrameType,
  OUTPUT_WINDOW,
  STDIN_WINDOW,
  SYNC_MAGIC,
  SYNC_TOKEN_BYTES,
  SYSROOT,
} from './frames.js';

const header = readFileSync(new URL('./agent.h', import.meta.url), 'utf8');

function defined(name: string): string {
  const match = new RegExp(`^#define ${name}\\s+(.+)$`, 'm').exec(header);
  return match?.[1]?.trim() ?? `agent.h does not define ${name}`;
}

test('agent.h has the same frame types', () => {
  const names = [...header.matchAll(/^#define FRAME_(\w+)\s+(\d+)$/gm)]
    .filter(([, name]) => !['HEADER_BYTES', 'PAYLOAD_MAX'].includes(name!))
    .map(([, name, value]) => [name, Number(value)]);
  expect(Object.fromEntries(names)).toEqual(FrameType);
});

test('agent.h has the same bounds', () => {
  const bounds = {
    AGENT_VERSION,
    CONTROL_FRAME_MAX,
    EXEC_HEADER_BYTES,
    EXEC_TERMINAL,
    EXEC_SYSROOT,
    FRAME_HEADER_BYTES,
    FRAME_PAYLOAD_MAX,
    COMMANDS_MAX,
    STDIN_WINDOW,
    OUTPUT_WINDOW,
    SYNC_TOKEN_BYTES,
  };
  for (const [name, value] of Object.entries(bounds)) {
    expect([name, Number(defined(name))]).toEqual([name, value]);
  }
  expect(defined('SYNC_MAGIC')).toBe(`"${SYNC_MAGIC}"`);
  expect(defined('SYSROOT')).toBe(`"${SYSROOT}"`);
});

function decodeIn(pieces: Buffer[], decoder: FrameDecoder): Frame[] {
  return pieces.flatMap((piece) =>
    decoder.push(piece).map((frame) => ({ ...frame, payload: Buffer.from(frame.payload) })),
  );
}

test('frames come out as they went in, however the stream is cut', () => {
  const frame = fc.record({
    type: fc.nat(0xffffffff),
    id: fc.nat(0xffffffff),
    payload: fc.uint8Array({ maxLength: 300 }),
  });
  fc.assert(
    fc.property(fc.array(frame), fc.array(fc.nat(2000)), (sent, cuts) => {
      const stream = Buffer.concat(sent.map((f) => encodeFrame(f.type, f.id, f.payload)));
      const at = [0, ...cuts.map((cut) => cut % (stream.length + 1)), stream.length];
      at.sort((a, b) => a - b);
      const pieces = at.slice(1).map((end, index) => stream.subarray(at[index], end));
      const got = decodeIn(pieces, new FrameDecoder());
      expect(got).toEqual(sent.map((f) => ({ ...f, payload: Buffer.from(f.payload) })));
    }),
  );
});

test('whatever an earlier host left is dropped until the HELLO with our token', () => {
  const token = randomBytes(16);
  const hello = encodeFrame(FrameType.HELLO, 0, Buffer.concat([token, Buffer.from('{}')]));
  const old = encodeFrame(FrameType.HELLO, 0, Buffer.concat([randomBytes(16), Buffer.from('{}')]));
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.integer({ min: 1, max: 64 }),
      (noise, step) => {
        const stream = Buffer.concat([noise, old, hello, encodeFrame(FrameType.EXIT, 7, noise)]);
        const pieces: Buffer[] = [];
        for (let at = 0; at < stream.length; at += step)
          pieces.push(stream.subarray(at, at + step));
        const got = decodeIn(pieces, new FrameDecoder(token));
        expect(got.map((frame) => frame.type)).toEqual([FrameType.HELLO, FrameType.EXIT]);
      },
    ),
  );
});

test('refuses a frame over the bound, in both directions', () => {
  const bytes = Buffer.alloc(FRAME_PAYLOAD_MAX + 1);
  expect(() => encodeFrame(1, 1, bytes)).toThrow(RangeError);
  const head = Buffer.alloc(FRAME_HEADER_BYTES);
  head.writeUInt32LE(bytes.length, 8);
  expect(() => new FrameDecoder().push(head)).toThrow(RangeError);
});

test('an EXEC holds flags, size, folder, environment and command line, in this order', () => {
  const frame = encodeExec(7, 'exit 3', {
    folder: '/a b',
    environment: { X: '1', Y: '' },
    sysroot: true,
    terminal: { rows: 24, columns: 100_000 },
  });
  expect(frame.readUInt32LE(12)).toBe(EXEC_TERMINAL | EXEC_SYSROOT);
  expect([frame.readUInt16LE(16), frame.readUInt16LE(18)]).toEqual([24, 0xffff]);
  expect(frame.toString('utf8', 20)).toBe('/a b\0X=1\0Y=\0\0exit 3');
  expect(encodeExec(7, 'true').toString('utf8', 20)).toBe('\0\0true');
  expect(() => encodeExec(7, 'a\0b')).toThrow(RangeError);
  expect(() => encodeExec(7, 'x'.repeat(FRAME_PAYLOAD_MAX))).toThrow(RangeError);
});

test('a SYNC holds magic, token and complement', () => {
  const sync = encodeSync(Buffer.alloc(16, 0x0f));
  expect(sync.length).toBe(12 + 8 + 32);
  expect(sync.toString('latin1', 12, 20)).toBe('tmemSYNC');
  expect(sync.subarray(36).every((byte) => byte === 0xf0)).toBe(true);
});
