/**
 * gcc in a memory cgroup of a quarter of what it takes: the object is byte for byte the one that it
 * makes here, where nothing is short.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LARGE_GUESTS } from './guests.js';
import { describeSuite } from './suite.js';

const FUNCTIONS = 60;
const CASES = 8;
/** Freestanding, since the guest has no headers, not even the one that every file gets. */
const FLAGS = '-ffreestanding -O2 -x c -c - -o source.o';

/** A function with what optimisers like: a loop to unroll, a switch, a list, a call to the last. */
function functionNamed(at: number): string {
  const cases = Array.from({ length: CASES }, (_, label) => {
    const word = `t[${(label * 7 + at) % 16}] * ${at * 31 + label}ul + list->value`;
    return `    case ${label}: sum += ${word}; t[${(label + at) % 16}] ^= sum >> ${label + 1}; break;`;
  });
  return [
    `unsigned long mix_${at}(unsigned long a, unsigned long b, struct node *list) {`,
    `  unsigned long t[16], sum = ${at}ul;`,
    '  for (int i = 0; i < 16; i++) t[i] = a * (i + 1) ^ b >> i;',
    `  for (; list; list = list->next) {\n    switch (list->key % ${CASES}) {`,
    ...cases,
    '    }\n  }',
    at === 0 ? '  return sum;' : `  return sum + mix_${at - 1}(t[${at % 16}], sum, 0);`,
    '}',
  ].join('\n');
}

const source = [
  'struct node { unsigned long key, value; struct node *next; };',
  ...Array.from({ length: FUNCTIONS }, (_, at) => functionNamed(at)),
  '',
].join('\n');

/** The object as it is made without pressure, by its sum. */
function referenceSum(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tmem-peers-'));
  try {
    execFileSync('gcc', FLAGS.split(' '), { input: source, cwd: folder });
    return createHash('sha256')
      .update(readFileSync(join(folder, 'source.o')))
      .digest('hex');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const part = (name: string): string =>
  execFileSync('gcc', [`-print-prog-name=${name}`], { encoding: 'utf8' }).trim();

describeSuite({
  name: 'gcc',
  guests: LARGE_GUESTS,
  options: { with: ['gcc', part('cc1'), part('as')] },
  cases: [
    {
      name: 'the object of a large file',
      script: `gcc ${FLAGS} && sha256sum <source.o`,
      stdin: source,
      limitMib: 14,
      putsMin: 2000,
      says: new RegExp(`^${referenceSum()} `),
    },
  ],
});
