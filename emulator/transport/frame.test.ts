/** Frames through a stream that is cut, damaged and filled with noise: PROTOCOL.md section 9. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { headsOf } from '../../test/heads.js';
import { FRAME, FRAME_PAYLOAD_MAX } from '../protocol/layout.js';
import { FrameReader, FrameWriter } from './frame.js';

/** A frame of kind `kind` whose payload is `words` times its kind. */
function frameOf(kind: number, words: number): Uint8Array {
  const writer = new FrameWriter();
  for (let word = 0; word < words; word += 1) writer.addWord(kind);
  return writer.finish({ kind, epoch: 7, credits: kind + 1, status: 2 }).slice();
}

function feed(reader: FrameReader, bytes: Uint8Array): number[] {
  const kinds: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const space = reader.space;
    const count = Math.min(space.length, bytes.length - at);
    space.set(bytes.subarray(at, at + count));
    reader.filled(count);
    at += count;
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
      const words = new Int32Array(frame.payload.slice().buffer);
      expect(words.every((word) => word === frame.kind)).toBe(true);
      kinds.push(frame.kind);
    }
  }
  return kinds;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

describe('frames', () => {
  it('come out as they went in, however the stream is cut', () => {
    const sizes = fc.array(fc.nat(200), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(sizes, fc.infiniteStream(fc.integer({ min: 1, max: 90 })), (words, cuts) => {
        const whole = concat(words.map((count, at) => frameOf(at + 1, count)));
        const reader = new FrameReader();
        const kinds: number[] = [];
        for (let at = 0; at < whole.length; ) {
          const end = at + cuts.next().value;
          kinds.push(...feed(reader, whole.subarray(at, end)));
          at = end;
        }
        expect(kinds).toEqual(words.map((_count, at) => at + 1));
        expect(reader).toMatchObject({ damaged: false, skippedBytes: 0, badChecksums: 0 });
      }),
      { numRuns: 60 },
    );
  });

  it('carry the words of the header, and the largest payload there is', () => {
    const reader = new FrameReader();
    const largest = frameOf(3, FRAME_PAYLOAD_MAX / 4);
    reader.space.set(largest);
    reader.filled(largest.length);
    const found = reader.next();
    expect(found).toMatchObject({ kind: 3, epoch: 7, credits: 4, status: 2 });
    expect(found?.payload).toHaveLength(FRAME_PAYLOAD_MAX);
  });

  it('are found again behind noise, with noise between them and one bit turned in any place', () => {
    const noise = fc.uint8Array({ maxLength: 70 });
    const bit = fc.record({ byte: fc.nat(FRAME.bytes + 79), mask: fc.nat(7) });
    fc.assert(
      fc.property(noise, noise, bit, (before, between, { byte, mask }) => {
        const damaged = frameOf(2, 20);
        damaged[byte]! ^= 1 << mask;
        const reader = new FrameReader();
        const stream = [before, frameOf(1, 5), between, damaged, frameOf(3, 0), frameOf(4, 9)];
        const kinds = feed(reader, concat(stream));
        // Noise of ours holds no header, since its checksum would have to be right.
        expect(kinds).toEqual([1, 3, 4]);
        expect(reader.damaged).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('are found again after bytes were lost, once the cut one is given up', () => {
    fc.assert(
      fc.property(fc.nat(99), fc.integer({ min: 1, max: 99 }), (from, count) => {
        const cut = frameOf(2, 25);
        const left = concat([cut.subarray(0, from), cut.subarray(from + count)]);
        const reader = new FrameReader();
        const kinds = feed(reader, concat([left, frameOf(3, 2)]));
        while (reader.isWaiting) {
          reader.giveUp();
          kinds.push(...feed(reader, new Uint8Array(0)));
          for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
            kinds.push(frame.kind);
          }
        }
        expect(kinds).toEqual([3]);
      }),
      { numRuns: 300 },
    );
  });

  it('of another size than a frame may have are noise', () => {
    const reader = new FrameReader();
    const words = new Int32Array(frameOf(1, 1).buffer);
    words[2] = FRAME_PAYLOAD_MAX + 4;
    expect(feed(reader, new Uint8Array(words.buffer))).toEqual([]);
    expect(reader.skippedBytes).toBeGreaterThan(0);
  });

  it('cost no more than some looks at each byte that comes, whatever comes', () => {
    const whole = frameOf(1, 1);
    const streams = {
      'heads of the largest frame': headsOf(8192),
      'heads of half of one': headsOf(8192, FRAME_PAYLOAD_MAX / 2),
      'heads of small frames': headsOf(8192, 64),
      'first bytes of a magic number': new Uint8Array(200_000).fill(0x54),
      'magic numbers': new Uint8Array(
        Uint32Array.from({ length: 50_000 }, () => 0x5246_4d54).buffer,
      ),
      'small frames': concat(Array.from({ length: 4000 }, () => whole)),
      'small frames, none on a word': concat(
        Array.from({ length: 4000 }, () => [new Uint8Array(1), whole]).flat(),
      ),
    };
    for (const [name, bytes] of Object.entries(streams)) {
      for (const piece of [bytes.length, 4096, 32, 7]) {
        const reader = new FrameReader();
        for (let at = 0; at < bytes.length; at += piece) {
          feed(reader, bytes.subarray(at, at + piece));
        }
        const work = reader.workBytes / bytes.length;
        expect.soft(work, `${name}, ${piece} bytes at a time`).toBeLessThan(8);
      }
    }
  });
});
