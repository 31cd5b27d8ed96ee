/** The rules that every shared structure keeps, and that `assertLayout` holds them to. */
import { describe, expect, it } from 'vitest';
import {
  assertLayout,
  DESCRIPTOR,
  type Field,
  fieldBytes,
  HEADER,
  LAYOUTS,
  QUEUE_CONTROL,
  REPLY,
  wordsOf,
} from './layout.js';

const field = (offset: number, extra: Partial<Field> = {}): Field => ({
  name: `at${offset}`,
  offset,
  type: 'u32',
  writer: 'host',
  doc: '',
  ...extra,
});
const layout = (bytes: number, ...fields: Field[]) => ({ name: 'test', bytes, doc: '', fields });

describe('assertLayout', () => {
  it('takes fields in order, aligned, within the size', () => {
    expect(() =>
      assertLayout(layout(24, field(0), field(8, { type: 'u64', count: 2 }))),
    ).not.toThrow();
  });

  it.each([
    ['overlap', layout(16, field(0, { count: 2 }), field(4))],
    ['run backwards', layout(16, field(8), field(0))],
    ['are not aligned', layout(16, field(2))],
    ['are not aligned to 8 bytes', layout(16, field(4, { type: 'u64' }))],
  ])('refuses fields that %s', (_what, bad) => {
    expect(() => assertLayout(bad)).toThrow('bad offset');
  });

  it('refuses fields beyond the end', () => {
    expect(() => assertLayout(layout(16, field(8, { count: 3 })))).toThrow('fields end at 20');
  });
});

describe('the shared structures', () => {
  it('have the sizes that PROTOCOL.md names', () => {
    expect(LAYOUTS.map((each) => each.bytes)).toEqual([4096, 256, 64, 16, 32, 8, 24, 8]);
    expect(fieldBytes(DESCRIPTOR.fields[2])).toBe(24);
  });

  it('keep words of different writers, and of different purpose, in different cache lines', () => {
    const lines = new Map<number, string>();
    for (const { offset, writer } of [...HEADER.fields]) {
      const line = offset >>> 6;
      expect(lines.get(line) ?? writer).toBe(writer);
      lines.set(line, writer);
    }
    const control = QUEUE_CONTROL.fields.map((each) => each.offset >>> 6);
    expect(new Set(control).size).toBe(control.length);
  });

  it('are found by word', () => {
    expect(wordsOf(DESCRIPTOR).oid).toBe(2);
    expect(wordsOf(REPLY).epoch).toBe(3);
    expect(wordsOf(HEADER).credit_head).toBe(0x50);
  });
});
