/**
 * Writes the C view of the wire layout (`guest-kmod/tmem_abi.h`) and the tables of PROTOCOL.md.
 *
 * Pure text from `layout.ts`; the files on disk are compared with this text by a test.
 */
import {
  CONSTANTS,
  type ConstantGroup,
  type Field,
  fieldBytes,
  LAYOUTS,
  type Layout,
} from './layout.js';

const C_TYPES = { u32: '__le32', i32: '__le32', u64: '__le64' } as const;

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function constantLines(group: ConstantGroup): string[] {
  const lines = [`/* ${group.doc} */`];
  for (const [name, value] of Object.entries(group.values)) {
    const macro = `TMEM_${group.prefix}${name}`;
    const text = value > 0xffff ? `${hex(value)}u` : String(value);
    lines.push(`#define ${macro}${' '.repeat(Math.max(1, 32 - macro.length))}${text}`);
  }
  return [...lines, ''];
}

function memberLines(field: Field): string[] {
  const array = field.count === undefined ? '' : `[${field.count}]`;
  return [
    `\t/* ${field.writer}: ${field.doc} */`,
    `\t${C_TYPES[field.type]} ${field.name}${array};`,
  ];
}

function structLines(layout: Layout): string[] {
  const lines = [`/* ${layout.doc} */`, `struct ${layout.name} {`];
  let end = 0;
  let gaps = 0;
  for (const field of layout.fields) {
    if (field.offset > end) lines.push(...gapLines(gaps++, field.offset - end));
    lines.push(...memberLines(field));
    end = field.offset + fieldBytes(field);
  }
  if (layout.bytes > end) lines.push(...gapLines(gaps, layout.bytes - end));
  return [...lines, '};', ''];
}

function gapLines(number: number, bytes: number): string[] {
  return ['\t/* nobody: zero */', `\t__u8 unused${number}[${bytes}];`];
}

function assertLines(layout: Layout): string[] {
  const lines = [`TMEM_ABI_ASSERT(sizeof(struct ${layout.name}) == ${layout.bytes});`];
  for (const field of layout.fields) {
    const place = `offsetof(struct ${layout.name}, ${field.name})`;
    lines.push(`TMEM_ABI_ASSERT(${place} == ${hex(field.offset)});`);
  }
  return lines;
}

/** The whole text of `tmem_abi.h`. */
export function abiHeader(): string {
  const lines = [
    '/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */',
    '/*',
    ' * Words shared by a tmem guest and its host: generated from emulator/protocol/layout.ts by',
    ' * `npm run generate`; PROTOCOL.md is the normative text. The comment before each member names',
    ' * the only side that writes it.',
    ' */',
    '#ifndef TMEM_ABI_H',
    '#define TMEM_ABI_H',
    '',
    '#ifdef __KERNEL__',
    '#include <linux/build_bug.h>',
    '#include <linux/stddef.h>',
    '#include <linux/types.h>',
    '#define TMEM_ABI_ASSERT(condition) static_assert(condition)',
    '#else',
    '#include <linux/types.h>',
    '#include <stddef.h>',
    '#define TMEM_ABI_ASSERT(condition) _Static_assert(condition, #condition)',
    '#endif',
    '',
    ...CONSTANTS.flatMap(constantLines),
    ...LAYOUTS.flatMap(structLines),
    ...LAYOUTS.flatMap(assertLines),
    '',
    '#endif /* TMEM_ABI_H */',
  ];
  return `${lines.join('\n')}\n`;
}

/** The PROTOCOL.md table of one structure. */
export function markdownTable(layout: Layout): string {
  const rows = layout.fields.map((field) => {
    const type = field.count === undefined ? field.type : `${field.type}[${field.count}]`;
    return `| ${hex(field.offset)} | ${type} | \`${field.name}\` | ${field.writer} | ${field.doc} |`;
  });
  return [
    `\`${layout.name}\`, ${layout.bytes} bytes. ${layout.doc}`,
    '',
    '| offset | type | field | writer | meaning |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

/** The PROTOCOL.md table of one group of constants. */
export function markdownConstants(group: ConstantGroup): string {
  const rows = Object.entries(group.values).map(
    ([name, value]) => `| \`${group.prefix}${name}\` | ${value > 0xffff ? hex(value) : value} |`,
  );
  return [group.doc, '', '| name | value |', '| --- | --- |', ...rows].join('\n');
}

/**
 * PROTOCOL.md with its generated tables brought up to date. A table stands between
 * `<!-- layout NAME -->` or `<!-- constants PREFIX -->` and `<!-- end -->`.
 */
export function refreshProtocolTables(text: string): string {
  return text.replace(
    /<!-- (layout|constants) (\S*) -->\n[\s\S]*?<!-- end -->/g,
    (_whole, kind: string, name: string) => {
      return `<!-- ${kind} ${name} -->\n${tableFor(kind, name)}\n<!-- end -->`;
    },
  );
}

function tableFor(kind: string, name: string): string {
  if (kind === 'layout') {
    const layout = LAYOUTS.find((candidate) => candidate.name === name);
    if (layout !== undefined) return markdownTable(layout);
  } else {
    const prefix = name === 'IDENTITY' ? '' : name;
    const group = CONSTANTS.find((candidate) => candidate.prefix === prefix);
    if (group !== undefined) return markdownConstants(group);
  }
  throw new Error(`PROTOCOL.md asks for an unknown ${kind} table: ${name}`);
}
