/**
 * The lock between processes, and folders made in one step.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeDirAtomic } from './files.js';
import { withLock } from './lock.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tmem-lock-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

test('only one at a time, others wait; an error frees it too', async () => {
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside -= 1;
    throw new Error('failed inside');
  };
  const runs = Array.from({ length: 5 }, () => withLock(dir, 'name', work));
  const results = await Promise.allSettled(runs);
  expect(most).toBe(1);
  expect(results.every((result) => result.status === 'rejected')).toBe(true);
});

test('another process that holds it is waited for, and its death frees it', async () => {
  await withLock(dir, 'name', async () => {});
  const args = ['-x', join(dir, 'locks/name'), 'sh', '-c', 'echo held; exec cat'];
  const holder = spawn('flock', args, { stdio: ['pipe', 'pipe', 'ignore'] });
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  let entered = false;
  const waiting = withLock(dir, 'name', async () => {
    entered = true;
  });
  expect(entered).toBe(false);
  holder.stdin.destroy();
  await waiting;
  expect(entered).toBe(true);
});

test('a folder appears whole or not at all, and the first one made stays', async () => {
  const target = join(dir, 'made');
  await expect(
    makeDirAtomic(target, async (part) => {
      await writeFile(join(part, 'half'), '');
      throw new Error('broken off');
    }),
  ).rejects.toThrow('broken off');
  expect(await readdir(dir)).toEqual([]);
  await makeDirAtomic(target, (part) => writeFile(join(part, 'first'), ''));
  await makeDirAtomic(target, (part) => writeFile(join(part, 'second'), ''));
  expect(await readdir(dir)).toEqual(['made']);
  expect(await readdir(target)).toEqual(['first']);
});
