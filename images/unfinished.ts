/**
 * Folders of the cache that are not finished: what they are called, and which of them nobody works
 * on any more.
 *
 * A name ends in its owner: the machine's boot and process namespace, the process, and when that
 * began, so that neither a number used again nor another container's is taken for it. A process
 * removes its own; what one leaves that was killed is found by the next run. Of an owner that is
 * not to be looked up from here (another machine that shares the cache) a folder counts as left
 * when it is older than any build.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Progress } from './progress.js';
import { run } from './run.js';

const REMOVE_TIMEOUT_MS = 5 * 60_000;
const UNFINISHED = /^\.(part|apt)-/;
const OWNER = /-([0-9a-f]{8})\.(\d+)\.(\d+)-[0-9a-f]{12}$/;
const STRANGER_MS_MAX = 24 * 60 * 60_000;

/** When a process began, in clock ticks since the boot; undefined when it is gone. */
function beginOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // proc(5): the name in brackets is field 2 and may hold anything; starttime is field 22.
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    return undefined;
  }
}

/** Process numbers mean the same wherever this is the same. */
function machine(): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
  const namespace = readlinkSync('/proc/self/ns/pid');
  return createHash('sha256').update(boot).update(namespace).digest('hex').slice(0, 8);
}

/** A name for something that this process is about to make. */
export function unfinishedName(stem: string): string {
  const owner = `${machine()}.${process.pid}.${beginOf(process.pid)}`;
  return `${stem}-${owner}-${randomBytes(6).toString('hex')}`;
}

/** What is being made under such a name: the stem. */
export function stemOf(name: string): string {
  return name.replace(OWNER, '');
}

async function isLeft(parent: string, name: string, now: number): Promise<boolean> {
  if (!UNFINISHED.test(name)) return false;
  const [, where, pid, begin] = OWNER.exec(name) ?? [];
  if (where === machine()) return beginOf(Number(pid)) !== Number(begin);
  const found = await stat(join(parent, name)).catch(() => undefined);
  return found !== undefined && now - found.mtimeMs > STRANGER_MS_MAX;
}

/** Paths of all unfinished folders of the cache that nobody works on. */
export async function leftUnfinished(cacheDir: string, now = Date.now()): Promise<string[]> {
  const list = (dir: string): Promise<string[]> => readdir(dir).catch(() => []);
  const groups = (await list(join(cacheDir, 'build'))).map((name) => join('build', name));
  const left: string[] = [];
  for (const group of ['.', 'kernels', 'tools', 'vmlinux', ...groups]) {
    const parent = join(cacheDir, group);
    for (const name of await list(parent)) {
      if (await isLeft(parent, name, now)) left.push(join(parent, name));
    }
  }
  return left;
}

/** Removes what processes that were killed left in the cache. */
export async function sweepCache(cacheDir: string, progress: Progress): Promise<void> {
  for (const path of await leftUnfinished(cacheDir)) {
    progress(`removing what a run that was killed left: ${basename(path)}`);
    await run('rm', ['-rf', '--', path], { timeoutMs: REMOVE_TIMEOUT_MS });
  }
}
