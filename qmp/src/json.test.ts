// 64-bit integers, both ways.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from './json.js';

describe('stringify and parse', () => {
  it('write and read every 64-bit integer as it is', () => {
    const property = fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
      const text = stringify({ value, list: [value] });
      expect(text).toBe(`{"value":${value},"list":[${value}]}`);
      const { value: read } = parse(text, true) as { value: bigint | number };
      expect(BigInt(read)).toBe(value);
      expect(typeof read).toBe(Number.isSafeInteger(Number(value)) ? 'number' : 'bigint');
    });
    fc.assert(property);
  });

  it('are JSON for everything else, digits in strings included', () => {
    const property = fc.property(fc.jsonValue(), (value) => {
      const text = stringify(value);
      expect(text).toBe(JSON.stringify(value));
      expect(parse(text, false)).toEqual(JSON.parse(text));
      expect(stringify(parse(text, true))).toBe(text);
    });
    fc.assert(property, { numRuns: 300 });
    const text = '{"a \\" 12345678901234567890":"18446744073709551615","b":1.2345678901234567e20}';
    expect(parse(text, true)).toEqual(JSON.parse(text));
    expect(parse('[18446744073709551615]', true)).toEqual([18_446_744_073_709_551_615n]);
    expect(parse('[18446744073709551615]', false)).toEqual([18_446_744_073_709_552_000]);
  });

  it('throw for a cycle and for no JSON', () => {
    const cycle: Record<string, unknown> = { big: 1n };
    cycle.self = cycle;
    expect(() => stringify(cycle)).toThrow(TypeError);
    expect(() => parse('{"a":18446744073709551615', true)).toThrow(SyntaxError);
  });

  it('read any text as JSON.parse does, or refuse it as that does', () => {
    const token = fc.constantFrom(
      ...['{', '}', '[', ']', ',', ':', '"', '\\', '\\"', '"\\\\"', ' ', '-', '0', '.', 'e+'],
      ...['18446744073709551615', '1.0000000000000000001', '1e18446744073709551615', '"a"'],
      '123456789012345678901234567890',
    );
    const rounded = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? Number(one) : one)));
    const outcome = (read: () => unknown): unknown => {
      try {
        return { value: read() };
      } catch (error) {
        return (error as Error).name;
      }
    };
    const wrapped = fc.array(token).map((parts) => `[18446744073709551615${parts.join('')}]`);
    const property = fc.property(wrapped, (text) => {
      expect(outcome(() => rounded(parse(text, true)))).toEqual(
        outcome(() => rounded(JSON.parse(text))),
      );
    });
    fc.assert(property, { numRuns: 3000 });
  });

  it('read what is as large as a message may be', () => {
    const long = 'x\\"'.repeat(5 * 2 ** 20);
    const text = JSON.stringify({ long, list: [1.5] }).replace('1.5', '18446744073709551615');
    expect(parse(text, true)).toEqual({ long, list: [18_446_744_073_709_551_615n] });
    const digits = '9'.repeat(8 * 2 ** 20);
    expect(parse(`[${digits}]`, true)).toEqual([Number.POSITIVE_INFINITY]);
    expect(() => parse(`["${'\\'.repeat(16 * 2 ** 20)}`, true)).toThrow(SyntaxError);
  });
});
