/** No text of a guest's does anything to a terminal. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printable, printableJson } from './printable.js';

test.each([
  ['plain text, tabs\tand\nlines', 'plain text, tabs\tand\nlines'],
  ['\x1b]0;owned\x07\x1b[2J', '\\x1b]0;owned\\x07\\x1b[2J'],
  ['a\r\nb\rc', 'a\nb\\x0dc'],
  ['\x9b31m \x7f \0', '\\x9b31m \\x7f \\x00'],
  ['ab\u202edc\u2069 \u2028', 'ab\\u202edc\\u2069 \\u2028'],
  ['\ud800 half', '\\ud800 half'],
  ['größe, 大, \u{1f600}', 'größe, 大, \u{1f600}'],
])('%j is shown as %j', (text, expected) => {
  expect(printable(text)).toBe(expected);
});

const anything = fc.string({ unit: 'binary' });

test('nothing but tab and line feed is left that does not show', () => {
  const property = fc.property(anything, (text) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be left.
    expect(printable(text)).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]/);
  });
  fc.assert(property);
});

test('JSON stays what it was', () => {
  const property = fc.property(anything, (text) => {
    const line = printableJson({ text });
    expect(JSON.parse(line)).toEqual({ text });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be left.
    expect(line).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202a-\u202e]/);
  });
  fc.assert(property);
});
