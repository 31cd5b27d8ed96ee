// What `query-qmp-schema` returns (qapi/introspect.json of QEMU 7.2), checked entry by entry before
// anything is made of it. Names of commands and events are the protocol's; names of types are
// masked by QEMU (numbers that differ from build to build) and mean nothing outside one answer.

import { QmpError } from '../errors.js';

/** `QMP_SCHEMA`: the answer is no QMP schema, or names a type it does not define. */
export class QmpSchemaError extends QmpError {
  constructor(message: string) {
    super('QMP_SCHEMA', message);
  }
}

export interface SchemaMember {
  readonly name: string;
  readonly type: string;
  /** Present (null) when the member may be left out. */
  readonly default?: unknown;
  readonly features?: readonly string[];
}

interface EntryBase {
  readonly name: string;
  readonly features?: readonly string[];
}
export interface CommandEntry extends EntryBase {
  readonly 'meta-type': 'command';
  readonly 'arg-type': string;
  readonly 'ret-type': string;
  readonly 'allow-oob'?: boolean;
}
export interface EventEntry extends EntryBase {
  readonly 'meta-type': 'event';
  readonly 'arg-type': string;
}
export interface BuiltinEntry extends EntryBase {
  readonly 'meta-type': 'builtin';
  readonly 'json-type': string;
}
export interface EnumEntry extends EntryBase {
  readonly 'meta-type': 'enum';
  readonly values: readonly string[];
}
export interface ArrayEntry extends EntryBase {
  readonly 'meta-type': 'array';
  readonly 'element-type': string;
}
export interface ObjectEntry extends EntryBase {
  readonly 'meta-type': 'object';
  readonly members: readonly SchemaMember[];
  readonly tag?: string;
  readonly variants?: readonly { readonly case: string; readonly type: string }[];
}
export interface AlternateEntry extends EntryBase {
  readonly 'meta-type': 'alternate';
  readonly members: readonly { readonly type: string }[];
}
export type TypeEntry = BuiltinEntry | EnumEntry | ArrayEntry | ObjectEntry | AlternateEntry;
export type SchemaEntry = CommandEntry | EventEntry | TypeEntry;

type Json = Readonly<Record<string, unknown>>;

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isList(value: unknown, check: (entry: Json) => boolean): boolean {
  return (
    Array.isArray(value) &&
    value.every((entry) => typeof entry === 'object' && entry !== null && check(entry as Json))
  );
}

const CHECKS: Readonly<Record<string, (entry: Json) => boolean>> = {
  command: (entry) => isText(entry['arg-type']) && isText(entry['ret-type']),
  event: (entry) => isText(entry['arg-type']),
  builtin: (entry) => isText(entry['json-type']),
  enum: (entry) => Array.isArray(entry.values) && entry.values.every(isText),
  array: (entry) => isText(entry['element-type']),
  alternate: (entry) => isList(entry.members, (member) => isText(member.type)),
  object: (entry) =>
    isList(entry.members, (member) => isText(member.name) && isText(member.type)) &&
    (entry.variants === undefined ||
      (isText(entry.tag) &&
        isList(entry.variants, (variant) => isText(variant.case) && isText(variant.type)))),
};

function referencesOf(entry: SchemaEntry): readonly string[] {
  switch (entry['meta-type']) {
    case 'command':
      return [entry['arg-type'], entry['ret-type']];
    case 'event':
      return [entry['arg-type']];
    case 'array':
      return [entry['element-type']];
    case 'alternate':
      return entry.members.map((member) => member.type);
    case 'object':
      return [...entry.members, ...(entry.variants ?? [])].map((member) => member.type);
    default:
      return [];
  }
}

export interface Schema {
  /** Sorted by name, so that two runs of a generator differ only where the schemas do. */
  readonly commands: readonly CommandEntry[];
  readonly events: readonly EventEntry[];
  /** @throws QmpSchemaError for a name that is no type */
  type(name: string): TypeEntry;
}

function byName(left: { name: string }, right: { name: string }): number {
  return left.name < right.name ? -1 : left.name > right.name ? 1 : 0;
}

/**
 * Check and index the `return` of `query-qmp-schema`.
 * @throws QmpSchemaError naming the first entry that is wrong
 */
export function readSchema(value: unknown): Schema {
  if (!Array.isArray(value)) throw new QmpSchemaError('A QMP schema is a list of entries');
  const types = new Map<string, TypeEntry>();
  const commands: CommandEntry[] = [];
  const events: EventEntry[] = [];
  for (const entry of value as unknown[]) {
    const kind = (entry as Json | null)?.['meta-type'];
    const check = isText(kind) ? CHECKS[kind] : undefined;
    if (!check?.(entry as Json) || !isText((entry as Json).name)) {
      const text = JSON.stringify(entry)?.slice(0, 200);
      throw new QmpSchemaError(`No entry of a QMP schema: ${text}`);
    }
    const known = entry as SchemaEntry;
    if (known['meta-type'] === 'command') commands.push(known);
    else if (known['meta-type'] === 'event') events.push(known);
    else types.set(known.name, known);
  }
  for (const entry of [...commands, ...events, ...types.values()]) {
    const missing = referencesOf(entry).find((name) => !types.has(name));
    if (missing !== undefined) {
      throw new QmpSchemaError(`${entry.name} names the type "${missing}", which is not defined`);
    }
  }
  commands.sort(byName);
  events.sort(byName);
  return {
    commands,
    events,
    type(name) {
      const entry = types.get(name);
      if (!entry) throw new QmpSchemaError(`"${name}" is no type of this schema`);
      return entry;
    },
  };
}
