// From a schema to types: what is checked, how types are named, what is written.

import { describe, expect, it } from 'vitest';
import { generateTypes } from './generate.js';
import { readSchema } from './introspection.js';
import { nameTypes, pascalCase } from './naming.js';

const EMPTY = { name: '0', 'meta-type': 'object', members: [] };
const STR = { name: 'str', 'meta-type': 'builtin', 'json-type': 'string' };

function command(name: string, args: string, result: string, more: object = {}) {
  return { name, 'meta-type': 'command', 'arg-type': args, 'ret-type': result, ...more };
}

describe('readSchema', () => {
  it('QMP_SCHEMA: refuses what is no schema, and names that lead nowhere', () => {
    const wrong: unknown[] = [
      {},
      [null],
      [{ name: 'x' }],
      [{ name: 'x', 'meta-type': 'unheard-of' }],
      [{ 'meta-type': 'builtin', 'json-type': 'string' }],
      [{ name: 'e', 'meta-type': 'enum', values: [1] }],
      [{ name: 'o', 'meta-type': 'object', members: [{ name: 'a' }] }],
      [{ name: 'o', 'meta-type': 'object', members: [], variants: [] }],
      [command('c', 'nowhere', 'nowhere')],
      [{ name: '[x]', 'meta-type': 'array', 'element-type': 'x' }],
    ];
    for (const schema of wrong) {
      expect(() => readSchema(schema), JSON.stringify(schema)).toThrow(
        expect.objectContaining({ code: 'QMP_SCHEMA' }),
      );
    }
    expect(() => readSchema([EMPTY]).type('1')).toThrow(/no type/);
  });
});

describe('nameTypes', () => {
  it('names by the shortest way and never twice', () => {
    const schema = readSchema([
      EMPTY,
      STR,
      { name: '1', 'meta-type': 'object', members: [{ name: 'in-ner', type: '2' }] },
      { name: '2', 'meta-type': 'object', members: [{ name: 'self', type: '1' }] },
      { name: '3', 'meta-type': 'object', members: [{ name: 'x', type: 'str' }] },
      { name: '[1]', 'meta-type': 'array', 'element-type': '1' },
      command('query-a', '0', '[1]'),
      command('query_a', '0', '3'),
      command('query.a', '3', '2'),
    ]);
    expect(Object.fromEntries(nameTypes(schema))).toEqual({
      1: 'QueryAItem',
      2: 'QueryAResult',
      3: 'QueryAArguments',
    });
    const clash = readSchema([
      EMPTY,
      STR,
      { name: '1', 'meta-type': 'object', members: [{ name: 'a', type: 'str' }] },
      { name: '2', 'meta-type': 'object', members: [{ name: 'b', type: 'str' }] },
      command('do-it', '1', '0'),
      command('do_it', '2', '0'),
    ]);
    expect([...nameTypes(clash).values()]).toEqual(['DoItArguments', 'DoItArguments2']);
    expect(pascalCase('BLOCK_JOB_READY')).toBe('BlockJobReady');
    expect(pascalCase('x-colo-lost-heartbeat')).toBe('XColoLostHeartbeat');
  });
});

describe('generateTypes', () => {
  it('writes every kind of type', () => {
    const schema = readSchema([
      EMPTY,
      STR,
      { name: 'any', 'meta-type': 'builtin', 'json-type': 'value' },
      { name: 'null', 'meta-type': 'builtin', 'json-type': 'null' },
      { name: '[str]', 'meta-type': 'array', 'element-type': 'str' },
      { name: '[[str]]', 'meta-type': 'array', 'element-type': '[str]' },
      { name: '9', 'meta-type': 'alternate', members: [{ type: 'str' }, { type: 'null' }] },
      { name: '8', 'meta-type': 'enum', values: ['on', "it's", 'bare'] },
      { name: '7', 'meta-type': 'object', members: [{ name: 'x', type: 'any' }] },
      {
        name: '1',
        'meta-type': 'object',
        members: [
          { name: 'kind', type: '8' },
          { name: 'a-b', type: '9', default: null },
          { name: 'lists', type: '[[str]]', features: ['deprecated'] },
        ],
        tag: 'kind',
        variants: [
          { case: 'on', type: '7' },
          { case: 'bare', type: '0' },
        ],
      },
      command('make', '1', '0', { 'allow-oob': true, features: ['unstable'] }),
      { name: 'MADE', 'meta-type': 'event', 'arg-type': '7' },
    ]);
    const text = generateTypes(schema, { name: 'Own', origin: 'a test' });
    expect(text).toMatch(/^\/\/ Generated from query-qmp-schema of a test by qmp-types\.\n/);
    const body = text.slice(text.indexOf('export interface Commands'));
    expect(body).toBe(`export interface Commands {
  /** @experimental QEMU may change it */
  make: {
    arguments: MakeArguments;
    result: Empty;
    oob: true;
  };
}

export interface Events {
  MADE: MadeData;
}

/** What a client is parametrised with. */
export interface Own {
  commands: Commands;
  events: Events;
}

export interface MadeData {
  readonly x: unknown;
}

export interface MakeArgumentsCommon {
  readonly 'a-b'?: MakeArgumentsAB;
  /** @deprecated QEMU may remove it */
  readonly lists: readonly (readonly string[])[];
}
export type MakeArguments = MakeArgumentsCommon & (
  | ({ readonly kind: 'on' } & MadeData)
  | { readonly kind: 'it\\'s' | 'bare' }
);

export type MakeArgumentsAB = string | null;

export type MakeArgumentsKind = 'on' | 'it\\'s' | 'bare';
`);
  });
});
