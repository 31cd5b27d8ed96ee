/**
 * sqlite3 with a database on tmpfs, a cache that holds all of it, and less memory than either: it
 * checks its own tables and indices, and prints sums of them that must be those it prints here.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LARGE_GUESTS } from './guests.js';
import { describeSuite } from './suite.js';

const sql = readFileSync(join(import.meta.dirname, 'scripts/tables.sql'), 'utf8');
const expected = execFileSync('sqlite3', [':memory:'], { input: sql, encoding: 'utf8' });
const literal = expected.replaceAll(/[|.]/g, '\\$&');

describeSuite({
  name: 'sqlite3',
  guests: LARGE_GUESTS,
  options: { with: ['sqlite3'] },
  cases: [
    {
      name: 'integrity_check',
      script: 'sqlite3 tables.db',
      stdin: sql,
      limitMib: 20,
      putsMin: 5000,
      says: new RegExp(`^${literal}$`),
    },
  ],
});
