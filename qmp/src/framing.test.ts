// Framing: whatever the chunks, the same lines come out, and never more is held than allowed.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MessageSplitter } from './framing.js';

/** Cut bytes at the given places (taken modulo the length). */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const marks = [...new Set(places.map((place) => place % (bytes.length + 1)))];
  marks.sort((left, right) => left - right);
  const ends = [...marks, bytes.length];
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1]!, end));
}

function lineArbitrary() {
  const text = fc.string({ unit: 'binary', maxLength: 40 });
  return text.map((line) => Buffer.from(line.replaceAll('\n', '')).toString());
}

describe('MessageSplitter', () => {
  it('gives back the lines that were joined, however the bytes were cut', () => {
    const places = fc.array(fc.nat(), { maxLength: 30 });
    const property = fc.property(fc.array(lineArbitrary()), places, (lines, marks) => {
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
      const splitter = new MessageSplitter();
      const found: string[] = [];
      for (const chunk of cut(bytes, marks)) splitter.push(chunk, (line) => found.push(line));
      expect(found).toEqual(lines);
      expect(splitter.heldBytes).toBe(0);
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('holds exactly the unfinished rest', () => {
    const property = fc.property(lineArbitrary(), lineArbitrary(), (line, rest) => {
      const splitter = new MessageSplitter();
      const found: string[] = [];
      splitter.push(Buffer.from(`${line}\n${rest}`), (text) => found.push(text));
      expect(found).toEqual([line]);
      expect(splitter.heldBytes).toBe(Buffer.byteLength(rest));
    });
    fc.assert(property);
  });

  it('takes a line of the limit and refuses one byte more, however it was cut', () => {
    const places = fc.array(fc.nat(), { maxLength: 10 });
    const property = fc.property(fc.integer({ min: 1, max: 200 }), places, (limit, marks) => {
      const fits = Buffer.from(`${'x'.repeat(limit)}\n`);
      const over = Buffer.from(`${'x'.repeat(limit + 1)}\n`);
      const push = (bytes: Buffer): string[] => {
        const splitter = new MessageSplitter(limit);
        const found: string[] = [];
        for (const chunk of cut(bytes, marks)) splitter.push(chunk, (line) => found.push(line));
        return found;
      };
      expect(push(fits)).toEqual(['x'.repeat(limit)]);
      expect(() => push(over)).toThrow(expect.objectContaining({ code: 'QMP_LINE_TOO_LONG' }));
    });
    fc.assert(property);
  });

  it('refuses a line that never ends before it is held whole', () => {
    const splitter = new MessageSplitter(1_000);
    const chunk = Buffer.alloc(300, 'y');
    for (let count = 0; count < 3; count += 1) splitter.push(chunk, () => {});
    expect(() => splitter.push(chunk, () => {})).toThrow(/more than 1000 bytes/);
  });

  it('gives back JSON spread over lines whole, beside lines, however the bytes were cut', () => {
    const value = fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue()));
    // QEMU's two ways to write: pretty=off, and pretty=on with an indentation of four.
    const written = fc.record({ value, indent: fc.constantFrom(undefined, 4) });
    const places = fc.array(fc.nat(), { maxLength: 30 });
    const endings = fc.constantFrom('\n', '\r\n');
    const property = fc.property(fc.array(written), places, endings, (list, marks, ending) => {
      const texts = list.map((one) => JSON.stringify(one.value, null, one.indent));
      const bytes = Buffer.from(texts.map((text) => text + ending).join(''));
      const splitter = new MessageSplitter();
      const found: unknown[] = [];
      let length = 0;
      for (const chunk of cut(bytes, marks)) {
        splitter.push(chunk, (text, size) => {
          found.push(JSON.parse(text));
          length += size + 1;
        });
      }
      expect(found).toEqual(list.map((one) => JSON.parse(JSON.stringify(one.value))));
      expect(length).toBe(bytes.length);
      expect(splitter.heldBytes).toBe(0);
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('ends what is no JSON at a line feed, and bounds what is spread over lines', () => {
    const found: string[] = [];
    const splitter = new MessageSplitter(100);
    const text = '{"a": \n[\n{\n"a\n}]\n{\n"b": "\\"}"\n}\n';
    splitter.push(Buffer.from(text), (line) => found.push(line));
    expect(found).toEqual(['{"a": ', '[\n{\n"a', '}]', '{\n"b": "\\"}"\n}']);
    splitter.push(Buffer.from('{\n'), () => {});
    const more = Buffer.from('{\n'.repeat(30));
    expect(() => {
      for (let count = 0; count < 3; count += 1) splitter.push(more, () => {});
    }).toThrow(expect.objectContaining({ code: 'QMP_LINE_TOO_LONG' }));
  });
});
