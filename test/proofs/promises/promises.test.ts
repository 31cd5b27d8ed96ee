/**
 * SPECIFICATION.md is what is run: each of its rows names a command that exists and that the tests
 * run as well, and a command that fails, or shows nothing, is a promise not held.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { packageRoot } from '../../../emulator/guest/paths.js';
import { PROOFS } from '../proofs.js';
import { judge, runPromises, wordsOf } from './run.js';
import { parseSpecification, readSpecification } from './specification.js';

/** The variable that a proof is: `store-model` is storeModel. */
function variableOf(name: string): string {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function row(command: string, number = '1.1'): string {
  return `| ${number} | it holds | always | ${command} |`;
}

describe('SPECIFICATION.md', () => {
  const promises = readSpecification(packageRoot);
  const proofTests = readdirSync(`${packageRoot}/test/proofs`, {
    recursive: true,
    encoding: 'utf8',
  })
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => readFileSync(`${packageRoot}/test/proofs/${path}`, 'utf8'));

  it('has promises', () => {
    expect(promises.length).toBeGreaterThan(10);
  });

  it.each(promises)('$number: the command is there, and npm test runs it too', ({ command }) => {
    if (command.kind === 'test') {
      for (const file of command.files)
        expect(existsSync(`${packageRoot}/${file}`), file).toBe(true);
      expect(command.files.filter((file) => !/\.test\.ts$/.test(file))).toEqual([]);
      return;
    }
    const proof = PROOFS.find(({ name }) => name === command.proof);
    expect(proof, command.text).toBeDefined();
    const quick = new RegExp(`runQuick\\(\\s*${variableOf(proof!.name)}\\b`);
    expect(proofTests.some((text) => quick.test(text))).toBe(true);
  });

  it('promises what each proof shows', () => {
    const shown = promises.map(({ command }) => (command.kind === 'prove' ? command.proof : ''));
    expect(PROOFS.map(({ name }) => name).filter((name) => !shown.includes(name))).toEqual([]);
  });
});

describe('a row', () => {
  it('is number, promise, aim and command', () => {
    expect(parseSpecification(row('`npm run prove -- kills`'))).toEqual([
      {
        number: '1.1',
        promise: 'it holds',
        aim: 'always',
        command: { kind: 'prove', proof: 'kills', text: 'npm run prove -- kills' },
      },
    ]);
    const [tests] = parseSpecification(row('`npm test -- a.test.ts b.test.ts`'));
    expect(tests!.command).toMatchObject({ kind: 'test', files: ['a.test.ts', 'b.test.ts'] });
  });

  it.each([
    ['another command', row('`rm -rf`')],
    ['a column too many', `${row('`npm test -- a.test.ts`')} more |`],
    ['a number twice', `${row('`npm test -- a`')}\n${row('`npm test -- b`')}`],
  ])('with %s is refused', (_, text) => {
    expect(() => parseSpecification(text)).toThrow(/1\.1/);
  });
});

describe('a command', () => {
  const [proof] = parseSpecification(row('`npm run prove -- kills`'));
  const [tests] = parseSpecification(row('`npm test -- a.test.ts`'));
  const answer = { held: true, figure: '5 of 5', problems: [] };
  const ended = (stdout: string, code: number | null = 0) => ({ code, stdout, stderr: 'why' });

  it('has the quick cut and an answer for a program asked of it', () => {
    expect(wordsOf(proof!.command, true).slice(-3)).toEqual(['kills', '--quick', '--json']);
    expect(wordsOf(proof!.command, false).slice(-2)).toEqual(['kills', '--json']);
    expect(wordsOf(tests!.command, true)).toEqual(['npm', 'test', '--', 'a.test.ts']);
  });

  it('held when it says so and ends well', () => {
    const text = `some line\n${JSON.stringify(answer)}\n`;
    expect(judge(proof!.command, ended(text))).toEqual(answer);
    expect(judge(tests!.command, ended('\n3 passed, 0 failed\n'))).toMatchObject({ held: true });
  });

  it.each([
    ['a proof that says it did not', ended(JSON.stringify({ ...answer, held: false }), 1)],
    ['one that ends badly all the same', ended(JSON.stringify(answer), 1)],
    ['one that says nothing', ended('')],
    ['one that was killed', ended(JSON.stringify(answer), null)],
  ])('%s did not hold', (_, how) => {
    expect(judge(proof!.command, how).held).toBe(false);
  });

  it.each([
    ['a test that failed', ended('2 passed, 1 failed', 1)],
    ['one that was skipped', ended('2 passed, 0 failed, 1 skipped')],
    ['no test at all', ended('0 passed, 0 failed')],
    ['a bad end', ended('2 passed, 0 failed', 1)],
  ])('%s is a promise not held, and says why', (_, how) => {
    expect(judge(tests!.command, how)).toMatchObject({ held: false });
    expect(judge(tests!.command, how).problems.join()).toContain('why');
  });
});

it('runs each command once, whatever number of promises it shows', async () => {
  const spec = [row('`npm test -- none.test.ts`'), row('`npm test -- none.test.ts`', '1.2')];
  const started: string[] = [];
  const reports = await runPromises({
    promises: parseSpecification(spec.join('\n')),
    root: '/nonexistent',
    quick: true,
    signal: new AbortController().signal,
    onStart: (command) => started.push(command),
    onEnd: () => {},
  });
  expect(started).toEqual(['npm test -- none.test.ts']);
  expect(reports.map(({ number, held }) => [number, held])).toEqual([
    ['1.1', false],
    ['1.2', false],
  ]);
});
