/**
 * Files of the module as a kernel without SMP would have them, in machine code: what such a kernel
 * shares with its host it shares with another CPU, whatever it knows of CPUs of its own.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultCacheDir } from '../../emulator/guest/paths.js';
import { ensureKernel } from '../../images/index.js';

const MS_MAX = 120_000;
const SOURCES = join(import.meta.dirname, '../../guest-kmod');
const OBJECTS = ['queue.o', 'transport_ivshmem.o', 'histogram.o'];

let folder = '';
beforeAll(async () => {
  const cacheDir = defaultCacheDir();
  const { buildDir } = await ensureKernel('debian-6.1', { cacheDir, progress: () => {} });
  folder = mkdtempSync(join(cacheDir, 'test-barriers-'));
  cpSync(SOURCES, folder, { recursive: true });
  const alone = join(folder, 'alone.h');
  writeFileSync(alone, '#undef CONFIG_SMP\n');
  const words = ['-C', buildDir, `M=${folder}`, `KCFLAGS=-include ${alone}`, ...OBJECTS];
  execFileSync('make', words, { timeout: MS_MAX, stdio: 'pipe' });
}, MS_MAX);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const objdump = (...words: string[]): string =>
  execFileSync('objdump', words, { cwd: folder, encoding: 'utf8', timeout: MS_MAX });

/** Instructions after which no load passes a store that came before. */
function barriers(object: string): number {
  const found = objdump('-d', object).match(/\t(lock addl |lock orl |mfence|xchg .*\()/g);
  return found?.length ?? 0;
}

describe('without SMP', () => {
  it('a tail is out before the host’s sleep word is read, and ours before its head', () => {
    expect(barriers('queue.o')).toBe(2);
  });

  it('the host sees DETACHED before anything that the next life writes', () => {
    expect(barriers('transport_ivshmem.o')).toBe(1);
  });
});

it('words of the region are read and written with the barriers for another machine', () => {
  const files = ['queue.c', 'credit.c', 'region.c', 'transport_ivshmem.c'];
  const weak = files.flatMap((file) =>
    readFileSync(join(SOURCES, file), 'utf8')
      // There a link's thread plays the host, and both are of this kernel.
      .replace(/^void tmem_queue_deliver\([\s\S]*?^}/m, '')
      .split('\n')
      .filter((line) => /\bsmp_\w+\(/.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(weak).toEqual([]);
});

it('no per-CPU memory is taken from what all modules share', () => {
  expect(objdump('-h', 'histogram.o')).not.toContain('percpu');
});
