/**
 * The C side of the wire: `tmem_abi.h` and PROTOCOL.md are what `layout.ts` gives, and a C program
 * compiled against the header reads the byte images as the JSON files say.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { abiHeader, refreshProtocolTables } from '../../emulator/protocol/abi-header.js';
import { CONSTANTS, LAYOUTS } from '../../emulator/protocol/layout.js';
import {
  type FieldValue,
  imageBytes,
  readConstants,
  readVectorFiles,
  type VectorFile,
} from './vectors.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const COMPILE_MS_MAX = 30_000;

describe('generated text', () => {
  it('tmem_abi.h is what layout.ts gives (npm run generate)', () => {
    expect(readFileSync(join(ROOT, 'guest-kmod/tmem_abi.h'), 'utf8')).toBe(abiHeader());
  });

  it("PROTOCOL.md's tables are what layout.ts gives (npm run generate)", () => {
    const text = readFileSync(join(ROOT, 'PROTOCOL.md'), 'utf8');
    expect(text).toBe(refreshProtocolTables(text));
  });

  it('PROTOCOL.md has a table of every structure and of every group of constants', () => {
    const text = readFileSync(join(ROOT, 'PROTOCOL.md'), 'utf8');
    for (const { name } of LAYOUTS) expect(text).toContain(`<!-- layout ${name} -->`);
    for (const { prefix } of CONSTANTS) {
      expect(text).toContain(`<!-- constants ${prefix === '' ? 'IDENTITY' : prefix} -->`);
    }
  });

  it('a table that has changed is seen, and one of no structure is refused', () => {
    const stale = '<!-- layout tmem_reply -->\nold\n<!-- end -->';
    expect(refreshProtocolTables(stale)).toContain('| 0x8 | u32 | `sequence` |');
    expect(() => refreshProtocolTables('<!-- layout nothing -->\n<!-- end -->')).toThrow('nothing');
  });
});

function cValue(value: number | string): string {
  return typeof value === 'string' ? `${value}ull` : `${value >>> 0}u`;
}

function fieldLines(struct: string, name: string, value: FieldValue): string[] {
  if (!Array.isArray(value)) return [`FIELD(${struct}, ${name}, ${cValue(value as number)});`];
  return value.map((one, place) => `ELEMENT(${struct}, ${name}, ${place}, ${cValue(one)});`);
}

/** The text of vectors_table.h. */
function tableOf(files: VectorFile[], constants: Readonly<Record<string, number>>): string {
  const lines = Object.entries(constants).map(([name, value]) => {
    return `CONSTANT(TMEM_${name}, ${cValue(value)});`;
  });
  for (const { layout, bytes, vectors } of files) {
    lines.push(`SIZE(${layout}, ${bytes}u);`);
    for (const vector of vectors) {
      const image = [...imageBytes(vector, bytes)].join(',');
      lines.push(`IMAGE("${layout} ${vector.name}", ${image});`);
      for (const [name, value] of Object.entries(vector.fields)) {
        lines.push(...fieldLines(layout, name, value));
      }
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Compiles vectors.c with a table in `folder` and runs it. */
function runTable(folder: string, table: string): { status: number | null; output: string } {
  writeFileSync(join(folder, 'vectors_table.h'), table);
  const program = join(folder, 'vectors');
  const source = join(ROOT, 'test/conformance/vectors.c');
  const includes = ['-I', folder, '-I', join(ROOT, 'guest-kmod')];
  const strict = ['-std=gnu11', '-Wall', '-Wextra', '-Werror'];
  const options = { timeout: COMPILE_MS_MAX, stdio: 'pipe' } as const;
  execFileSync('gcc', [...strict, ...includes, '-o', program, source], options);
  const run = spawnSync(program, { timeout: COMPILE_MS_MAX, encoding: 'utf8' });
  return { status: run.status, output: run.stdout };
}

describe('vectors.c, compiled against tmem_abi.h', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tmem-vectors-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('reads every image as the JSON says', () => {
    const table = tableOf(readVectorFiles(), readConstants());
    const count = table.match(/^(FIELD|ELEMENT|CONSTANT|SIZE)\(/gm)?.length;
    const { status, output } = runTable(folder, table);
    expect(output).toBe(`${count} checks, 0 differences\n`);
    expect(status).toBe(0);
  }, 60_000);

  it('fails when one value is another', () => {
    const files = readVectorFiles();
    const table = tableOf(files, { ...readConstants(), CMD_PUT_PAGE: 3 });
    const { status, output } = runTable(folder, table);
    expect(output).toContain('TMEM_CMD_PUT_PAGE: 0x4, expected 0x3');
    expect(status).toBe(1);
  }, 60_000);
});
