/**
 * The command line where hardly any file may be opened; runs what is built.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const MAIN = join(import.meta.dirname, '../../dist/emulator/cli/main.js');

function tmem(descriptors: number, ...args: string[]) {
  const prefix = [`--nofile=${descriptors}:${descriptors}`, process.execPath, MAIN];
  return spawnSync('prlimit', [...prefix, ...args], { encoding: 'utf8', timeout: 30_000 });
}

describe('with few descriptors', { timeout: 60_000 }, () => {
  it.each([24, 64, 255])('of %d allowed it says what is missing, and does nothing', (count) => {
    const { status, stdout, stderr } = tmem(count, 'kernels');
    expect(status).toBe(69);
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      new RegExp(
        `^tmem: DESCRIPTOR_LIMIT: .* ${count} descriptors, and 256 are needed; raise.*\n$`,
      ),
    );
  });

  it('256 are enough', () => {
    expect(tmem(256, 'kernels').status).toBe(0);
  });
});
