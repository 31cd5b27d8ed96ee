/**
 * The README's examples: the code blocks under "Tasks" and before, as they stand there.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

export interface Example {
  readonly language: 'sh' | 'ts';
  /** A block of ts, or one command of a block of sh. */
  readonly text: string;
}

/** Commands of a block: a line each, continued by a backslash, without comments behind them. */
function commandsOf(block: string): string[] {
  return block
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.replace(/\s+# .*$/, '').trim())
    .filter((line) => line !== '');
}

/** All examples that can be run, in order. Blocks without a language are what something prints. */
export function readmeExamples(): Example[] {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const examples: Example[] = [];
  for (const [, language, block] of text.matchAll(/^```(\w+)\n(.*?)^```$/gms)) {
    if (language === 'ts') examples.push({ language, text: block! });
    else if (language === 'sh') {
      examples.push(...commandsOf(block!).map((one) => ({ language: 'sh' as const, text: one })));
    } else throw new Error(`nothing runs the README's blocks of ${language}`);
  }
  return examples;
}
