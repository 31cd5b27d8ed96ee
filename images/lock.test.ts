/**
 * The lock between processes, and folders made in one step.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { makeDirAtomic } from './files.js';
import { keepInUse, whenUnused, withLock } from './lock.js';
import { interruptible, run } from './run.js';
import { leftUnfinished, unfinishedName } from './unfinished.js';

let dir: string;
const said: string[] = [];
const LOCK = { what: 'builds it', progress: (line: string) => void said.push(line) };

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tmem-lock-'));
});

afterEach(async () => {
  said.length = 0;
  await rm(dir, { recursive: true, force: true });
});

/** The state letter of a process; empty when there is none. */
function stateOf(pid: string): string {
  try {
    return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
  } catch {
    return '';
  }
}

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
  const runs = Array.from({ length: 5 }, () => withLock(dir, 'name', LOCK, work));
  const results = await Promise.allSettled(runs);
  expect(most).toBe(1);
  expect(results.every((result) => result.status === 'rejected')).toBe(true);
});

test('another process that holds it is waited for, and its death frees it', async () => {
  await withLock(dir, 'name', LOCK, async () => {});
  const args = ['-x', join(dir, 'locks/name'), 'sh', '-c', 'echo held; exec cat'];
  const holder = spawn('flock', args, { stdio: ['pipe', 'pipe', 'ignore'] });
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  let entered = false;
  const waiting = withLock(dir, 'name', LOCK, async () => {
    entered = true;
  });
  expect(entered).toBe(false);
  await vi.waitFor(() => expect(said).toHaveLength(1), { timeout: 30_000 });
  // The last to write its number there was this process.
  expect(said).toEqual([`waiting for process ${process.pid}, which builds it`]);
  holder.stdin.destroy();
  await waiting;
  expect(entered).toBe(true);
});

test('who waits for a lock, or for a program, can be interrupted', async () => {
  const interrupt = new AbortController();
  const { signal } = interrupt;
  const outer = await interruptible(signal, () =>
    withLock(dir, 'name', LOCK, async () => {
      const waiting = withLock(dir, 'name', LOCK, async () => {});
      // A group: the shell's own child must go as well.
      const script = `sleep 1000 & echo $! >${dir}/pid; wait`;
      const running = run('sh', ['-c', script], { timeoutMs: 600_000 });
      await vi.waitFor(() => expect(existsSync(join(dir, 'pid'))).toBe(true), { timeout: 30_000 });
      await vi.waitFor(async () => expect(await readFile(join(dir, 'pid'), 'utf8')).toMatch(/\n/));
      interrupt.abort(new Error('enough'));
      return await Promise.allSettled([waiting, running]);
    }),
  );
  for (const result of outer) {
    expect(result).toMatchObject({ status: 'rejected', reason: { message: 'enough' } });
  }
  const pid = (await readFile(join(dir, 'pid'), 'utf8')).trim();
  await vi.waitFor(() => expect(stateOf(pid)).toMatch(/^[ZX]?$/));
  await expect(interruptible(signal, () => run('true', [], { timeoutMs: 1000 }))).rejects.toThrow(
    'enough',
  );
  // What was interrupted left the lock free, and tidies up all the same.
  const target = join(dir, 'made');
  const broken = interruptible(signal, () =>
    makeDirAtomic(target, () => run('true', [], { timeoutMs: 1000 }).then(() => {})),
  );
  await expect(broken).rejects.toThrow('enough');
  expect((await readdir(dir)).sort()).toEqual(['locks', 'pid']);
  await withLock(dir, 'name', LOCK, async () => {});
});

test('what a process uses is not removed until it ends', async () => {
  const use = `import('${new URL('../dist/images/lock.js', import.meta.url)}').then((lock) =>
    lock.keepInUse('${dir}', 'kernel')).then(() => { console.log('used'); })`;
  const user = spawn(process.execPath, ['-e', `${use}; process.stdin.resume()`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => user.stdout.once('data', resolve));
  let removed = 0;
  const remove = async (): Promise<void> => {
    removed += 1;
  };
  expect(await whenUnused(dir, 'kernel', remove)).toBe(false);
  await keepInUse(dir, 'kernel');
  user.stdin.end();
  expect(await new Promise((resolve) => user.once('close', resolve))).toBe(0);
  expect(await whenUnused(dir, 'kernel', remove)).toBe(false);
  expect(removed).toBe(0);
  expect(await whenUnused(dir, 'another', remove)).toBe(true);
  expect(removed).toBe(1);
});

test('finds what a process that is gone left, and nothing else', async () => {
  const script = `import('${new URL('../dist/images/unfinished.js', import.meta.url)}').then(
    ({ unfinishedName }) => console.log(unfinishedName('.part-x') + '\\n' + unfinishedName('.apt')))`;
  const { stdout } = await run(process.execPath, ['-e', script], { timeoutMs: 30_000 });
  const left = stdout.trim().split('\n');
  const [stranger, mine] = ['.part-x-01234567.1.2-0123456789ab', unfinishedName('.part-x')];
  for (const name of [...left, stranger, mine, 'source-6.1']) {
    await mkdir(join(dir, 'kernels', name), { recursive: true });
  }
  const found = async (now?: number): Promise<string[]> =>
    (await leftUnfinished(dir, now)).map((path) => basename(path)).sort();
  expect(await found()).toEqual([...left].sort());
  const later = Date.now() + 25 * 60 * 60_000;
  expect(await found(later)).toEqual([...left, stranger].sort());
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
