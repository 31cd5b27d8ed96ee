/**
 * `npm run generate`: rewrites the files that follow from `layout.ts`.
 *
 * Run from the repository's top folder after a build; prints each file that changed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { abiHeader, refreshProtocolTables } from './abi-header.js';

function refresh(path: string, text: string, previous: string): void {
  if (text === previous) return;
  writeFileSync(path, text);
  process.stdout.write(`${path}\n`);
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

refresh('guest-kmod/tmem_abi.h', abiHeader(), readOrEmpty('guest-kmod/tmem_abi.h'));
const protocol = readFileSync('PROTOCOL.md', 'utf8');
refresh('PROTOCOL.md', refreshProtocolTables(protocol), protocol);
