// Readable names for QEMU's masked types. QEMU numbers its types anew in every build, so a type is
// named after the shortest way that leads to it: `query-block` returns a list, its element is
// `QueryBlockItem`, the member `inserted` of that is `QueryBlockItemInserted`. What always holds:
// names are unique, and depend only on the protocol's own names, so a newer QEMU changes few.

import type { ObjectEntry, Schema, TypeEntry } from './introspection.js';

/** `block-dirty-bitmap-add` and `BLOCK_JOB_READY` become BlockDirtyBitmapAdd and BlockJobReady. */
export function pascalCase(name: string): string {
  return name
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
    .map((word) => {
      const rest = word === word.toUpperCase() ? word.slice(1).toLowerCase() : word.slice(1);
      return word[0]!.toUpperCase() + rest;
    })
    .join('');
}

interface Visit {
  readonly typeName: string;
  readonly wish: string;
}

/** Types that get a declaration of their own. */
function isDeclared(entry: TypeEntry): boolean {
  if (entry['meta-type'] === 'object') return entry.members.length > 0 || hasVariants(entry);
  return entry['meta-type'] === 'enum' || entry['meta-type'] === 'alternate';
}

export function hasVariants(entry: ObjectEntry): boolean {
  return (entry.variants?.length ?? 0) > 0;
}

function childrenOf(entry: TypeEntry, wish: string): Visit[] {
  switch (entry['meta-type']) {
    case 'array':
      return [{ typeName: entry['element-type'], wish }];
    case 'alternate':
      return entry.members.map((member, index) => ({
        typeName: member.type,
        wish: `${wish}Choice${index + 1}`,
      }));
    case 'object': {
      const members = entry.members.map(({ name, type }) => ({
        typeName: type,
        wish: wish + pascalCase(name),
      }));
      const variants = (entry.variants ?? []).map((variant) => ({
        typeName: variant.type,
        wish: wish + pascalCase(variant.case),
      }));
      return [...members, ...variants];
    }
    default:
      return [];
  }
}

/** Masked name to readable name, for every declared type that a command or event leads to. */
export function nameTypes(schema: Schema): Map<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  const seen = new Set<string>();
  let level: Visit[] = [
    ...schema.commands.flatMap((command) => {
      const returned = schema.type(command['ret-type'])['meta-type'] === 'array';
      return [
        { typeName: command['arg-type'], wish: `${pascalCase(command.name)}Arguments` },
        {
          typeName: command['ret-type'],
          wish: pascalCase(command.name) + (returned ? 'Item' : 'Result'),
        },
      ];
    }),
    ...schema.events.map((event) => ({
      typeName: event['arg-type'],
      wish: `${pascalCase(event.name)}Data`,
    })),
  ];
  // Level by level, so that the shortest way names the type; each type is visited once.
  while (level.length > 0) {
    const next: Visit[] = [];
    for (const { typeName, wish } of level) {
      if (seen.has(typeName)) continue;
      seen.add(typeName);
      const entry = schema.type(typeName);
      if (isDeclared(entry)) {
        let name = wish;
        for (let count = 2; taken.has(name); count += 1) name = `${wish}${count}`;
        taken.add(name);
        names.set(typeName, name);
      }
      next.push(...childrenOf(entry, wish));
    }
    level = next;
  }
  return names;
}
