// What a schema says about one command, for people: its members with types, and the words that can
// complete a line. Used by the shell.

import type { ObjectEntry, Schema, SchemaMember, TypeEntry } from './introspection.js';

/** Members of an arguments object, those of its variants (each once) included. */
export function membersOf(schema: Schema, entry: TypeEntry): SchemaMember[] {
  if (entry['meta-type'] !== 'object') return [];
  const found = new Map(entry.members.map((member) => [member.name, member]));
  for (const variant of entry.variants ?? []) {
    for (const member of membersOf(schema, schema.type(variant.type))) {
      // A member of one variant is needed only there.
      if (!found.has(member.name)) found.set(member.name, { ...member, default: null });
    }
  }
  return [...found.values()];
}

/** A type in a few words: `string`, `int`, `on|off`, `[object]`. */
export function describeType(schema: Schema, name: string): string {
  const entry = schema.type(name);
  switch (entry['meta-type']) {
    case 'builtin':
      return entry['json-type'] === 'value' ? 'any' : entry['json-type'];
    case 'enum':
      return entry.values.join('|');
    case 'array':
      return `[${describeType(schema, entry['element-type'])}]`;
    case 'alternate':
      return entry.members.map((member) => describeType(schema, member.type)).join(' or ');
    default:
      return 'object';
  }
}

/** The members of a command's arguments; undefined when the schema has no such command. */
export function argumentsOf(schema: Schema, command: string): SchemaMember[] | undefined {
  const entry = schema.commands.find((one) => one.name === command);
  return entry && membersOf(schema, schema.type(entry['arg-type']));
}

/** A text of some lines: the command, its arguments one a line, whether it may run out of band. */
export function describeCommand(schema: Schema, command: string): string | undefined {
  const members = argumentsOf(schema, command);
  if (!members) return undefined;
  const entry = schema.commands.find((one) => one.name === command)!;
  const marks = [...(entry['allow-oob'] ? ['out of band'] : []), ...(entry.features ?? [])];
  const head = marks.length > 0 ? `${command} (${marks.join(', ')})` : command;
  const lines = members.map((member) => {
    const optional = 'default' in member ? '?' : '';
    return `  ${member.name}${optional}: ${describeType(schema, member.type)}`;
  });
  return [head, ...lines].join('\n');
}

function follow(schema: Schema, from: TypeEntry, key: string): TypeEntry | undefined {
  const member = membersOf(schema, from).find((one) => one.name === key);
  return member && schema.type(member.type);
}

function valuesOf(entry: TypeEntry | undefined): readonly string[] {
  if (entry?.['meta-type'] === 'enum') return entry.values;
  if (entry?.['meta-type'] === 'builtin' && entry['json-type'] === 'boolean') {
    return ['true', 'false'];
  }
  return [];
}

/** What may stand after `=`, or the keys that may stand where `word` is being written. */
function completeWord(schema: Schema, root: ObjectEntry, word: string, given: Set<string>) {
  const sign = word.indexOf('=');
  const keys = (sign < 0 ? word : word.slice(0, sign)).split('.');
  let at: TypeEntry | undefined = root;
  for (const key of sign < 0 ? keys.slice(0, -1) : keys) {
    at = at && follow(schema, at, key);
  }
  if (!at) return [];
  if (sign >= 0) {
    const head = word.slice(0, sign + 1);
    return valuesOf(at).map((value) => head + value);
  }
  const head = keys
    .slice(0, -1)
    .map((key) => `${key}.`)
    .join('');
  return membersOf(schema, at)
    .map((member) => {
      const nested = schema.type(member.type)['meta-type'] === 'object';
      return `${head}${member.name}${nested ? '.' : '='}`;
    })
    .filter((text) => !given.has(text));
}

/**
 * Completions of the last word of a line, and that word, as Node's readline wants them.
 * @param extra words that may stand first besides the commands
 */
export function completeLine(
  schema: Schema,
  line: string,
  extra: readonly string[] = [],
): [string[], string] {
  const words = line.trimStart().split(/\s+/);
  const word = words.at(-1)!;
  const offset = words[0] === 'oob' || words[0] === 'help' ? 1 : 0;
  let candidates: string[];
  if (words.length <= offset + 1) {
    const oobOnly = words[0] === 'oob' && offset === 1;
    const commands = schema.commands.filter((entry) => !oobOnly || entry['allow-oob'] === true);
    const first = words.length === 1 ? [...extra] : [];
    candidates = [...commands.map((entry) => entry.name), ...first];
  } else {
    const entry = schema.commands.find((one) => one.name === words[offset]);
    const root = entry && schema.type(entry['arg-type']);
    const given = new Set(words.slice(0, -1).map((one) => one.replace(/=.*$/, '=')));
    candidates = root?.['meta-type'] === 'object' ? completeWord(schema, root, word, given) : [];
  }
  return [candidates.filter((text) => text.startsWith(word)), word];
}
