// The command language of the shell: `command key=value nested.key=1 other={"json": true}`, or a
// whole JSON object as it goes over the wire. What always holds: nothing is guessed where the
// schema knows better: a value for a string stays text even when it looks like a number.

import { QmpArgumentError } from '../errors.js';
import type { ObjectEntry, Schema, TypeEntry } from '../schema/introspection.js';

export interface ParsedCommand {
  readonly command: string;
  readonly arguments: Record<string, unknown> | undefined;
  readonly oob: boolean;
}

/**
 * Split a line into words as a shell would: quotes group, a backslash takes the next character as
 * it is outside single quotes. Braces and brackets group too, so JSON needs no quoting.
 * @throws QmpArgumentError for a quote or bracket that is never closed
 */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  let depth = 0;
  for (let index = 0; index < line.length; index += 1) {
    const char = line[index]!;
    if (quote !== '') {
      // Inside JSON the quotes and backslashes are JSON's own and stay.
      const json = depth > 0;
      if (char === '\\' && quote === '"') {
        index += 1;
        word += (json ? char : '') + (line[index] ?? '');
      } else if (char !== quote) {
        word += char;
      } else {
        if (json) word += char;
        quote = '';
      }
      continue;
    }
    if (/\s/.test(char) && depth === 0) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= '';
    if (char === '"' || (char === "'" && depth === 0)) {
      quote = char;
      if (depth > 0) word += char;
      continue;
    }
    if (char === '\\' && depth === 0) {
      index += 1;
      word += line[index] ?? '';
      continue;
    }
    if (char === '{' || char === '[') depth += 1;
    if (char === '}' || char === ']') depth -= 1;
    word += char;
  }
  if (quote !== '') throw new QmpArgumentError(`A ${quote} is never closed`);
  if (depth > 0) throw new QmpArgumentError('A { or [ is never closed');
  if (word !== undefined) words.push(word);
  return words;
}

function objectOf(entry: TypeEntry | undefined): ObjectEntry | undefined {
  return entry?.['meta-type'] === 'object' ? entry : undefined;
}

/** The type of a member, looked for in the variants too when the object has any. */
function memberType(schema: Schema, entry: ObjectEntry, name: string): TypeEntry | undefined {
  const own = entry.members.find((member) => member.name === name);
  if (own) return schema.type(own.type);
  for (const variant of entry.variants ?? []) {
    const found = objectOf(schema.type(variant.type))?.members.find((one) => one.name === name);
    if (found) return schema.type(found.type);
  }
  return undefined;
}

function isTextual(entry: TypeEntry | undefined): boolean {
  if (entry?.['meta-type'] === 'enum') return true;
  return entry?.['meta-type'] === 'builtin' && entry['json-type'] === 'string';
}

/** JSON where it is JSON, text where it is not, and where the schema wants text. */
export function parseValue(text: string, type?: TypeEntry): unknown {
  if (isTextual(type)) return text;
  if (text === 'on' || text === 'off') {
    if (type?.['meta-type'] === 'builtin' && type['json-type'] === 'boolean') return text === 'on';
    return text;
  }
  try {
    return JSON.parse(text);
  } catch {
    if (!/^[{[]/.test(text)) return text;
    throw new QmpArgumentError(`${text} is no JSON`);
  }
}

function put(target: Record<string, unknown>, keys: readonly string[], value: unknown): void {
  let at = target;
  for (const key of keys.slice(0, -1)) {
    const next = Object.hasOwn(at, key) ? at[key] : undefined;
    if (next !== undefined && (typeof next !== 'object' || next === null)) {
      throw new QmpArgumentError(`${keys.join('.')} is a member of ${key}, which is no object`);
    }
    if (next === undefined) define(at, key, {});
    at = at[key] as Record<string, unknown>;
  }
  const last = keys.at(-1)!;
  if (Object.hasOwn(at, last)) throw new QmpArgumentError(`${keys.join('.')} is given twice`);
  define(at, last, value);
}

/** A plain own member, even for a name such as `__proto__`. */
function define(target: object, key: string, value: unknown): void {
  const own = { value, writable: true, enumerable: true, configurable: true };
  Object.defineProperty(target, key, own);
}

/**
 * Words to a command. `oob` as the first word sends it out of band.
 * @throws QmpArgumentError
 */
export function parseWords(words: readonly string[], schema?: Schema): ParsedCommand {
  const oob = words[0] === 'oob' && words.length > 1;
  const [command, ...rest] = oob ? words.slice(1) : words;
  if (command === undefined || command === '') throw new QmpArgumentError('No command was given');
  if (command.startsWith('{')) return parseJson(command, rest);
  const entry = schema?.commands.find((one) => one.name === command);
  const root = entry && objectOf(schema?.type(entry['arg-type']));
  const args: Record<string, unknown> = {};
  for (const word of rest) {
    const sign = word.indexOf('=');
    if (sign <= 0) throw new QmpArgumentError(`"${word}" is no key=value`);
    const keys = word.slice(0, sign).split('.');
    let type: TypeEntry | undefined = root;
    for (const key of keys) {
      const object = objectOf(type);
      type = object && schema ? memberType(schema, object, key) : undefined;
    }
    put(args, keys, parseValue(word.slice(sign + 1), type));
  }
  return { command, arguments: rest.length > 0 ? args : undefined, oob };
}

function parseJson(text: string, rest: readonly string[]): ParsedCommand {
  const message = parseValue(text) as Record<string, unknown>;
  const command = message.execute ?? message['exec-oob'];
  const args = message.arguments;
  if (rest.length > 0 || typeof command !== 'string') {
    throw new QmpArgumentError('A JSON command is one object with "execute" or "exec-oob"');
  }
  if (args !== undefined && (typeof args !== 'object' || args === null || Array.isArray(args))) {
    throw new QmpArgumentError('"arguments" must be an object');
  }
  return {
    command,
    arguments: args as Record<string, unknown> | undefined,
    oob: message['exec-oob'] !== undefined,
  };
}
