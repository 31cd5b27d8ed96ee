/**
 * Rules of the house that a machine can check, over every file that git tracks.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const CODE = /\.(ts|mjs|c|h|sh)$/;
const GENERATED = /(^|\/)generated\/|tmem_abi\.h$/;
const LINES_MAX = 500;
const COLUMNS_MAX = 100;
/** A message is not broken just to fit: whoever greps for it must find it. */
const HAS_STRING = /['"`]/;

const tracked = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' })
  .split('\n')
  .filter((path) => path !== '');
const code = tracked.filter((path) => CODE.test(path) && !GENERATED.test(path));

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** Layers may only look down this list. */
const LAYERS = ['cli', 'guest', 'session', 'transport', 'store', 'policy', 'protocol', 'native'];

/** Columns that a line takes, with tab stops every eight. */
function widthOf(line: string): number {
  let width = 0;
  for (const character of line) width += character === '\t' ? 8 - (width % 8) : 1;
  return width;
}

describe('tidy', () => {
  it('finds the code', () => {
    expect(code.length).toBeGreaterThan(50);
  });

  it('keeps files short', () => {
    const long = code.filter((path) => read(path).split('\n').length > LINES_MAX + 1);
    expect(long).toEqual([]);
  });

  it('keeps lines short', () => {
    const wide = code.flatMap((path) =>
      read(path)
        .split('\n')
        .map((line, at) => ({
          place: `${path}:${at + 1}`,
          width: widthOf(line),
          line,
        }))
        .filter(({ width, line }) => width > COLUMNS_MAX && !HAS_STRING.test(line))
        .map(({ place }) => place),
    );
    expect(wide).toEqual([]);
  });

  it('leaves no marks, and skips no test', () => {
    const mark = new RegExp(
      `\\b(${['TO', 'FIX', 'XX'].map((a, at) => a + ['DO', 'ME', 'X'][at]).join('|')})\\b`,
    );
    expect(code.filter((path) => mark.test(read(path)))).toEqual([]);
    const skip = new RegExp(`\\b(it|test|describe)\\.(${['skip', 'only', 'todo'].join('|')})\\(`);
    expect(code.filter((path) => skip.test(read(path)))).toEqual([]);
  });

  it('begins each source file with what it is', () => {
    const bare = code.filter((path) => !/^(#!.*\n)?(\/\/|\/\*)/.test(read(path)));
    expect(bare).toEqual([]);
  });

  it('lets a layer of the emulator use only those beneath it', () => {
    const wrong: string[] = [];
    for (const path of code) {
      const layer = /^emulator\/(\w+)\//.exec(path)?.[1];
      if (layer === undefined || path.endsWith('.test.ts') || !LAYERS.includes(layer)) continue;
      for (const [, target] of read(path).matchAll(/from '\.\.\/(?:\.\.\/)?(\w+)\//g)) {
        const below = LAYERS.indexOf(target!) >= LAYERS.indexOf(layer);
        if (LAYERS.includes(target!) && !below) wrong.push(`${path} uses ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});
