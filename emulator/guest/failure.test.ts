/** What is kept of a guest that fails. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FAILURES_MAX, failure, failurePlace, keepFailure } from './failure.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tmem-failure-'));
  writeFileSync(join(folder, 'c'), 'the console');
  writeFileSync(join(folder, 'q'), 'the log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function machine() {
  const [consolePath, logPath] = [join(folder, 'c'), join(folder, 'q')];
  return { consolePath, logPath, qmpLogPath: join(folder, 'none'), command: 'qemu' };
}

test('logs are copied to a folder that the message names', () => {
  const kept = keepFailure(machine(), failurePlace(join(folder, 'own'), folder), { 'a.txt': 'A' });
  const error = failure('GUEST_HUNG', 'it hangs\n', kept);
  expect(error.kept).toBe(kept);
  expect(error.message).toMatch(/^it hangs\nkept in .*\/own\/\d{4}-/);
  const files = readdirSync(kept as string).sort();
  expect(files).toEqual(['a.txt', 'command.txt', 'console.log', 'qemu.log']);
  expect(readFileSync(join(kept as string, 'console.log'), 'utf8')).toBe('the console');
});

test('the newest stay in the cache; what is the own of a caller is never removed', () => {
  const cache = failurePlace(undefined, folder);
  mkdirSync(cache.directory);
  const stranger = 'not-a-failure';
  mkdirSync(join(cache.directory, stranger));
  const old = Array.from({ length: FAILURES_MAX + 3 }, (_, at) => {
    return `2020-01-01T00-00-${String(at).padStart(2, '0')}.000Z-1`;
  });
  for (const name of old) mkdirSync(join(cache.directory, name));
  const kept = keepFailure(machine(), cache) as string;
  const names = readdirSync(cache.directory);
  expect(names).toHaveLength(FAILURES_MAX + 1);
  expect(names).toContain(stranger);
  expect(names).not.toContain(old[3]);
  expect(names).toContain(old[4]);
  expect(readdirSync(kept)).toContain('console.log');
  keepFailure(machine(), { directory: cache.directory, own: true });
  expect(readdirSync(cache.directory)).toHaveLength(FAILURES_MAX + 2);
});

test('a place that cannot be written is told in the error, which stands', () => {
  const kept = keepFailure(machine(), failurePlace(join(folder, 'c', 'below'), folder));
  expect(kept).toBeInstanceOf(Error);
  const error = failure('GUEST_PANICKED', 'it panicked', kept);
  expect(error.message).toMatch(/^it panicked\nits logs could not be kept \(--keep DIR.*ENOTDIR/);
  expect(error.kept).toBeUndefined();
});
