/**
 * The systemd unit of docs/untrusted-guests.md, as systemd reads it, where it is there.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const VERIFY_MS_MAX = 30_000;
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

it.runIf(hasSystemd)('has no word that systemd does not know', () => {
  const text = readFileSync(join(ROOT, 'docs/untrusted-guests.md'), 'utf8');
  const unit = /```ini\n(.*?)```/s.exec(text)?.[1];
  expect(unit).toContain('MemoryMax=');
  const folder = mkdtempSync(join(tmpdir(), 'tmem-unit-'));
  try {
    const path = join(folder, 'tmem-guest@one.service');
    // The program need not be installed here.
    writeFileSync(path, unit!.replace('/usr/bin/tmem', '/bin/true'));
    const options = { encoding: 'utf8', timeout: VERIFY_MS_MAX } as const;
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', path], options);
    expect(stderr).toBe('');
    expect(status).toBe(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
