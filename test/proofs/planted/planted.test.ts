/**
 * Some of the planted bugs are found, which ones changes from run to run; all of them can still be
 * planted.
 */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../../emulator/guest/paths.js';
import { runQuick } from '../proof.js';
import { BUGS } from './bugs.js';
import { withBug } from './plant.js';
import { planted } from './proof.js';

const RUN_MS_MAX = 300_000;

function compiled(file: string): string {
  return file.endsWith('.ts') ? `dist/${file.replace(/\.ts$/, '.js')}` : file;
}

describe('a planted bug', () => {
  it.each(BUGS)('"$name" stands where it can be planted', (bug) => {
    const text = readFileSync(`${packageRoot}/${compiled(bug.file)}`, 'utf8');
    expect(withBug(bug, text)).not.toBe(text);
  });

  it('that can be planted nowhere, or twice, is refused', () => {
    const bug = { name: 'none', file: 'x.ts', find: 'a', replace: 'b', proof: 'none' };
    expect(() => withBug(bug, 'xyz')).toThrow(/0 times/);
    expect(() => withBug(bug, 'a a')).toThrow(/2 times/);
  });

  it(
    'is found',
    async () => {
      const { problems, numbers } = await runQuick(planted, randomInt(2 ** 32));
      expect(problems).toEqual([]);
      expect(numbers.found).toBeGreaterThan(0);
    },
    RUN_MS_MAX,
  );
});
