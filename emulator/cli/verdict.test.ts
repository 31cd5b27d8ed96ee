/** How a run closes: what is said of its swap and its kernel, and with which exit code. */
import { Writable } from 'node:stream';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import type { SwapVerdict } from '../guest/verdict.js';
import { consoleWriter } from './console.js';
import {
  addVerdictOptions,
  closingLine,
  troubleLines,
  type VerdictFlags,
  verdictCode,
} from './verdict.js';

const TROUBLE = { line: 'BUG: x', report: 'BUG: x\n y' };

function verdict(parts: Partial<SwapVerdict> = {}): SwapVerdict {
  return {
    puts: 65_796,
    gets: 60_214,
    share: { tmem: 65_796, disk: 0, share: 1 },
    counters: {} as SwapVerdict['counters'],
    host: {} as SwapVerdict['host'],
    trouble: [],
    ...parts,
  };
}

describe('the closing line', () => {
  it.each([
    [
      verdict(),
      'tmem: 65,796 puts, 60,214 gets, 0 pages to disk, tmem saw 100.0% of swap; kernel log clean',
    ],
    [
      verdict({ puts: 1, gets: 0, share: { tmem: 1, disk: 3, share: 0.25 }, trouble: [TROUBLE] }),
      'tmem: 1 put, 0 gets, 3 pages to disk, tmem saw 25.0% of swap; 1 trouble in the kernel log',
    ],
    [
      verdict({ puts: 0, gets: 0, share: { tmem: 0, disk: 0, share: undefined } }),
      'tmem: 0 puts, 0 gets, 0 pages to disk, nothing swapped; kernel log clean',
    ],
    [
      verdict({ host: null, share: { tmem: 0, disk: 9, share: 0 }, trouble: [TROUBLE, TROUBLE] }),
      'tmem: no tmem, 9 pages to disk; 2 troubles in the kernel log',
    ],
  ])('%#: says what swap did', (given, line) => {
    expect(closingLine(given)).toBe(line);
  });
});

describe('the exit code', () => {
  it.each([
    [0, verdict(), {}, 0],
    [0, verdict({ trouble: [TROUBLE] }), {}, 1],
    [7, verdict({ trouble: [TROUBLE] }), { requirePuts: 10 ** 9 }, 7],
    [0, verdict(), { requirePuts: 65_796 }, 0],
    [0, verdict(), { requirePuts: 65_797 }, 1],
    [0, verdict({ trouble: [TROUBLE] }), { quiet: true as const }, 1],
  ])('%#: the command had %i', (own, given, flags, code) => {
    expect(verdictCode(own, given, flags)).toBe(code);
  });
});

describe('reports on stderr', () => {
  it('are shown whole, but not without end', () => {
    expect(troubleLines(['a\n\tb'])).toEqual(['tmem: kernel log: a', 'tmem: kernel log: \tb']);
    const long = Array.from({ length: 100 }, (_, at) => `line ${at}`).join('\n');
    expect(troubleLines([long]).at(-1)).toBe('tmem: kernel log: (40 more lines)');
    const many = Array.from({ length: 30 }, () => 'x');
    expect(troubleLines(many)).toHaveLength(21);
    expect(troubleLines(many).at(-1)).toBe('tmem: kernel log: (10 more reports)');
  });
});

function parse(...args: string[]): VerdictFlags {
  const command = addVerdictOptions(new Command()).exitOverride();
  command.configureOutput({ writeErr: () => {} });
  return command.parse(args, { from: 'user' }).opts();
}

describe('options', () => {
  it('take patterns, again and again', () => {
    expect(parse('--allow-log', 'a.c', '--allow-log', '^b')).toEqual({ allowLog: [/a.c/, /^b/] });
    expect(parse('--require-puts', '3', '-q')).toEqual({ requirePuts: 3, quiet: true });
  });

  it.each([
    [['--allow-log', '(']],
    [['--allow-log', '']],
    [['--allow-log', 'x'.repeat(1001)]],
    [Array.from({ length: 130 }, (_, at) => (at % 2 ? 'x' : '--allow-log'))],
    [['--require-puts', '0']],
  ])('%#: refuse what has no bound or no meaning', (args) => {
    expect(() => parse(...args)).toThrow();
  });
});

describe("the guest's console on ours", () => {
  it('comes line by line and harmless, whatever the chunks', () => {
    const text = 'one\r\ntwo \x1b]0;owned\x07 größe\r\nthree';
    const bytes = Buffer.from(text);
    for (const size of [1, 2, 3, 1000]) {
      let shown = '';
      const output = new Writable({
        write: (chunk: Buffer, _encoding, done) => {
          shown += chunk.toString();
          done();
        },
      });
      const write = consoleWriter(output);
      for (let at = 0; at < bytes.length; at += size) write(bytes.subarray(at, at + size));
      expect(shown).toBe('one\ntwo \\x1b]0;owned\\x07 größe\n');
    }
  });

  it('waits for nobody and holds little', () => {
    const output = new Writable({ write: () => {} });
    const write = consoleWriter(output);
    const line = Buffer.from(`${'x'.repeat(100_000)}\n`);
    for (let count = 0; count < 100; count += 1) write(line);
    expect(output.writableLength).toBeLessThan(2 * 2 ** 20);
  });
});
