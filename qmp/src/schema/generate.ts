// TypeScript from a QMP schema. What always holds: the text depends only on the schema; it imports
// nothing; a member the schema calls optional is optional; a union is told apart by its tag.

import type {
  AlternateEntry,
  EnumEntry,
  ObjectEntry,
  Schema,
  SchemaMember,
} from './introspection.js';
import { hasVariants, nameTypes } from './naming.js';

export interface GenerateOptions {
  /** Name of the exported interface that carries all. Default `QemuSchema`. */
  readonly name?: string;
  /** Said in the first comment: which QEMU this is of. */
  readonly origin?: string;
}

/**
 * Commands that take more than the schema says: QAPI marks their arguments `'gen': false`, which
 * introspection does not show (qapi/qdev.json: device_add takes the device's own properties).
 */
const OPEN_COMMANDS: ReadonlySet<string> = new Set(['device_add']);

/** The empty object: no members at all. */
const EMPTY = 'Empty';

const BUILTINS: Readonly<Record<string, string>> = {
  string: 'string',
  boolean: 'boolean',
  int: 'number',
  number: 'number',
  null: 'null',
  value: 'unknown',
};

function quoteKey(name: string): string {
  return /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(name) ? name : `'${name}'`;
}

function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

function notes(features: readonly string[] | undefined, indent: string): string {
  const marks = features ?? [];
  const texts: string[] = [];
  if (marks.includes('deprecated')) texts.push('@deprecated QEMU may remove it');
  if (marks.includes('unstable')) texts.push('@experimental QEMU may change it');
  return texts.length === 0 ? '' : `${indent}/** ${texts.join('; ')} */\n`;
}

function wrapUnion(parts: readonly string[], indent: string): string {
  const flat = parts.join(' | ');
  if (flat.length + indent.length < 80) return ` ${flat}`;
  return parts.map((part) => `\n${indent}| ${part}`).join('');
}

class Writer {
  readonly #schema: Schema;
  readonly #names: Map<string, string>;

  constructor(schema: Schema) {
    this.#schema = schema;
    this.#names = nameTypes(schema);
  }

  reference(typeName: string): string {
    const entry = this.#schema.type(typeName);
    switch (entry['meta-type']) {
      case 'builtin':
        return BUILTINS[entry['json-type']] ?? 'unknown';
      case 'array': {
        const element = this.reference(entry['element-type']);
        return element.startsWith('readonly ')
          ? `readonly (${element})[]`
          : `readonly ${element}[]`;
      }
      default:
        return this.#names.get(typeName) ?? EMPTY;
    }
  }

  declarations(): string[] {
    const blocks = [...this.#names].map(([typeName, name]): [string, string] => {
      const entry = this.#schema.type(typeName);
      if (entry['meta-type'] === 'enum') return [name, this.#enum(name, entry)];
      if (entry['meta-type'] === 'alternate') return [name, this.#alternate(name, entry)];
      return [name, this.#object(name, entry as ObjectEntry)];
    });
    blocks.sort(([left], [right]) => (left < right ? -1 : 1));
    return blocks.map(([, text]) => text);
  }

  #enum(name: string, entry: EnumEntry): string {
    const values =
      entry.values.length === 0 ? ' never' : wrapUnion(entry.values.map(literal), '  ');
    return `export type ${name} =${values};`;
  }

  #alternate(name: string, entry: AlternateEntry): string {
    const choices = entry.members.map((member) => this.reference(member.type));
    return `export type ${name} =${wrapUnion(choices, '  ')};`;
  }

  #member(member: SchemaMember): string {
    const optional = 'default' in member ? '?' : '';
    const text = `  readonly ${quoteKey(member.name)}${optional}: ${this.reference(member.type)};`;
    return notes(member.features, '  ') + text;
  }

  #object(name: string, entry: ObjectEntry): string {
    if (!hasVariants(entry)) {
      const members = entry.members.map((member) => this.#member(member)).join('\n');
      return `export interface ${name} {\n${members}\n}`;
    }
    const base = entry.members.filter((member) => member.name !== entry.tag);
    const tag = entry.members.find((member) => member.name === entry.tag)!;
    const parts = this.#variants(entry, tag);
    const union = parts.map((part) => `\n  | ${part}`).join('');
    if (base.length === 0) return `export type ${name} =${union};`;
    const members = base.map((member) => this.#member(member)).join('\n');
    const baseName = `${name}Common`;
    const common = `export interface ${baseName} {\n${members}\n}`;
    return `${common}\nexport type ${name} = ${baseName} & (${union}\n);`;
  }

  /** One part for each value of the tag; those without members share one. */
  #variants(entry: ObjectEntry, tag: SchemaMember): string[] {
    const key = `readonly ${quoteKey(tag.name)}${'default' in tag ? '?' : ''}`;
    const tagType = this.#schema.type(tag.type) as EnumEntry;
    const byCase = new Map(entry.variants!.map((variant) => [variant.case, variant.type]));
    const bare: string[] = [];
    const parts: string[] = [];
    for (const value of tagType.values) {
      const typeName = byCase.get(value);
      const reference = typeName === undefined ? EMPTY : this.reference(typeName);
      if (reference === EMPTY) bare.push(literal(value));
      else parts.push(`({ ${key}: ${literal(value)} } & ${reference})`);
    }
    if (bare.length > 0) parts.push(`{ ${key}: ${bare.join(' | ')} }`);
    return parts;
  }

  commands(): string {
    return this.#schema.commands
      .map((command) => {
        const open = OPEN_COMMANDS.has(command.name) ? ' & OpenArguments' : '';
        const args = this.reference(command['arg-type']) + open;
        const result = this.reference(command['ret-type']);
        const oob = command['allow-oob'] === true;
        const text =
          `  ${quoteKey(command.name)}: {\n    arguments: ${args};\n` +
          `    result: ${result};\n    oob: ${oob};\n  };`;
        return notes(command.features, '  ') + text;
      })
      .join('\n');
  }

  events(): string {
    return this.#schema.events
      .map((event) => {
        const text = `  ${quoteKey(event.name)}: ${this.reference(event['arg-type'])};`;
        return notes(event.features, '  ') + text;
      })
      .join('\n');
  }
}

/** The text of a module that types every command, argument, result and event of the schema. */
export function generateTypes(schema: Schema, options: GenerateOptions = {}): string {
  const name = options.name ?? 'QemuSchema';
  const origin = options.origin ? ` of ${options.origin}` : '';
  const writer = new Writer(schema);
  const counts = `${schema.commands.length} commands, ${schema.events.length} events`;
  return [
    `// Generated from query-qmp-schema${origin} by qmp-types.`,
    `// Do not edit: generate it anew. ${counts}.`,
    '',
    '/** No members. */',
    `export type ${EMPTY} = Readonly<Record<string, never>>;`,
    '/** Members the schema does not show: the properties of a device. */',
    'export type OpenArguments = Readonly<Record<string, unknown>>;',
    '',
    'export interface Commands {',
    writer.commands(),
    '}',
    '',
    'export interface Events {',
    writer.events(),
    '}',
    '',
    '/** What a client is parametrised with. */',
    `export interface ${name} {`,
    '  commands: Commands;',
    '  events: Events;',
    '}',
    '',
    writer.declarations().join('\n\n'),
    '',
  ].join('\n');
}
