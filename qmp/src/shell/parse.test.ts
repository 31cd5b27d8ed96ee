// The shell's command language.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { completeLine, describeCommand } from '../schema/describe.js';
import { readSchema } from '../schema/introspection.js';
import { parseWords, splitWords } from './parse.js';

const schema = readSchema([
  { name: 'str', 'meta-type': 'builtin', 'json-type': 'string' },
  { name: 'int', 'meta-type': 'builtin', 'json-type': 'int' },
  { name: 'bool', 'meta-type': 'builtin', 'json-type': 'boolean' },
  { name: '0', 'meta-type': 'object', members: [] },
  { name: '1', 'meta-type': 'enum', values: ['one', '2', 'on'] },
  {
    name: '2',
    'meta-type': 'object',
    members: [
      { name: 'kind', type: '1' },
      { name: 'id', type: 'str' },
      { name: 'size', type: 'int', default: null },
      { name: 'live', type: 'bool', default: null },
      { name: 'inner', type: '3', default: null },
    ],
    tag: 'kind',
    variants: [{ case: 'one', type: '4' }],
  },
  { name: '3', 'meta-type': 'object', members: [{ name: 'name', type: 'str' }] },
  { name: '4', 'meta-type': 'object', members: [{ name: 'extra', type: 'str' }] },
  { name: 'make', 'meta-type': 'command', 'arg-type': '2', 'ret-type': '0' },
  { name: 'yank', 'meta-type': 'command', 'arg-type': '0', 'ret-type': '0', 'allow-oob': true },
]);

describe('splitWords', () => {
  it('groups by quotes and by JSON', () => {
    expect(splitWords(`a  b="c d" e='f "g' h\\ i`)).toEqual(['a', 'b=c d', 'e=f "g', 'h i']);
    expect(splitWords('x={"a b": [1, "}"]} y')).toEqual(['x={"a b": [1, "}"]}', 'y']);
    expect(splitWords('x={"a": "\\"q\\" }"}')).toEqual(['x={"a": "\\"q\\" }"}']);
    expect(splitWords('""')).toEqual(['']);
    expect(() => splitWords('a "b')).toThrow(/never closed/);
    expect(() => splitWords('a {b')).toThrow(/never closed/);
  });

  it('keeps any JSON object in one word', () => {
    const property = fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const words = splitWords(`set value=${JSON.stringify(value)} end`);
      expect(words).toHaveLength(3);
      const parsed = parseWords(words.slice(0, 2));
      expect(JSON.stringify(parsed.arguments?.value)).toBe(JSON.stringify(value));
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe('parseWords', () => {
  it('nests dotted keys and reads JSON values', () => {
    const words = ['make', 'a.b=1', 'a.c=text', 'd=true', 'e=[1]', 'f=null', 'g=x=y'];
    expect(parseWords(words).arguments).toEqual({
      a: { b: 1, c: 'text' },
      d: true,
      e: [1],
      f: null,
      g: 'x=y',
    });
    expect(parseWords(['stop'])).toEqual({ command: 'stop', arguments: undefined, oob: false });
    expect(parseWords(['oob', 'yank'])).toMatchObject({ command: 'yank', oob: true });
  });

  it('lets the schema decide between text and number', () => {
    const words = ['make', 'id=12', 'size=12', 'kind=2', 'inner.name=true', 'extra=7', 'live=on'];
    expect(parseWords(words, schema).arguments).toEqual({
      id: '12',
      size: 12,
      kind: '2',
      inner: { name: 'true' },
      extra: '7',
      live: true,
    });
    expect(parseWords(['other', 'id=12'], schema).arguments).toEqual({ id: 12 });
  });

  it('takes a whole JSON command', () => {
    const text = '{"exec-oob": "yank", "arguments": {"x": 1}, "id": 5}';
    expect(parseWords([text])).toEqual({ command: 'yank', arguments: { x: 1 }, oob: true });
  });

  it('refuses what it cannot mean', () => {
    const wrong = [
      [],
      ['make', 'novalue'],
      ['make', '=1'],
      ['make', 'a=1', 'a=2'],
      ['make', 'a=1', 'a.b=2'],
      ['make', 'a={"b"}'],
      ['{"arguments": {}}'],
      ['{"execute": "x", "arguments": 5}'],
      ['{"execute": "x"}', 'a=1'],
    ];
    for (const words of wrong) {
      expect(() => parseWords(words), words.join(' ')).toThrow(
        expect.objectContaining({ code: 'QMP_BAD_ARGUMENT' }),
      );
    }
  });

  it('makes plain members of dangerous names', () => {
    const { arguments: args } = parseWords(['make', '__proto__.polluted=1', 'constructor=2']);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(JSON.stringify(args)).toBe('{"__proto__":{"polluted":1},"constructor":2}');
  });
});

describe('completeLine and describeCommand', () => {
  it('completes commands, keys, nested keys and values', () => {
    expect(completeLine(schema, 'm', ['more'])).toEqual([['make', 'more'], 'm']);
    expect(completeLine(schema, 'oob ')).toEqual([['yank'], '']);
    expect(completeLine(schema, 'help ma')).toEqual([['make'], 'ma']);
    const keys = ['kind=', 'size=', 'live=', 'inner.', 'extra='];
    expect(completeLine(schema, 'make id=1 ')).toEqual([keys, '']);
    expect(completeLine(schema, 'make inner.n')).toEqual([['inner.name='], 'inner.n']);
    expect(completeLine(schema, 'make kind=o')).toEqual([['kind=one', 'kind=on'], 'kind=o']);
    expect(completeLine(schema, 'make live=')).toEqual([['live=true', 'live=false'], 'live=']);
    expect(completeLine(schema, 'nothing x')).toEqual([[], 'x']);
  });

  it('describes a command', () => {
    const text =
      'make\n  kind: one|2|on\n  id: string\n  size?: int\n  live?: boolean\n' +
      '  inner?: object\n  extra?: string';
    expect(describeCommand(schema, 'make')).toBe(text);
    expect(describeCommand(schema, 'yank')).toBe('yank (out of band)');
    expect(describeCommand(schema, 'none')).toBeUndefined();
  });
});
