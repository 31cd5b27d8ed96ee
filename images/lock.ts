/**
 * A lock between processes that share a cache folder. The kernel holds it (flock) in the name of a
 * small child whose stdin we own: when this process dies in any way the child reads EOF and the
 * lock is free, so there is never a stale lock to clean up. The lock files themselves stay, with
 * the process number of whoever held it last.
 *
 * What a process uses it holds a shared lock on until it ends, and nobody removes that meanwhile.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ImagesError } from './errors.js';
import type { Progress } from './progress.js';
import { interruption } from './run.js';

const LOCK_WAIT_SECONDS_MAX = 1800;
/** Who waits longer than this is told for whom. */
const QUIET_MS = 200;
/** What flock exits with when the lock was not free; its own default says no more than "failed". */
const BUSY = 75;

export interface LockOptions {
  /** What the holder does, for who waits: "builds source-6.1". */
  readonly what: string;
  readonly progress: Progress;
}

type Release = () => Promise<void>;

function notStarted(cause: Error): ImagesError {
  const message = `flock could not be started (${cause.message}); install util-linux`;
  return new ImagesError('LOCK_TIMEOUT', message, { cause });
}

/** Undefined when it is not free within `waitSeconds`. */
async function acquire(file: string, waitSeconds: number): Promise<Release | undefined> {
  const wait = ['-w', String(waitSeconds), '-E', String(BUSY)];
  const hold = ['sh', '-c', 'echo held; exec cat >/dev/null'];
  const child = spawn('flock', [...wait, file, ...hold], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  });
  const signal = interruption();
  const onAbort = (): void => {
    child.kill('SIGKILL');
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  try {
    const held = await new Promise<boolean>((resolve, reject) => {
      child.stdout.once('data', () => resolve(true));
      child.once('error', (cause) => reject(notStarted(cause)));
      child.once('close', (code) => {
        if (signal?.aborted) return reject(signal.reason);
        if (code === BUSY) return resolve(false);
        reject(
          new ImagesError('LOCK_TIMEOUT', `${file} cannot be locked: flock exits with ${code}`),
        );
      });
    });
    if (!held) return undefined;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
  return async () => {
    child.stdin.end();
    await ended;
  };
}

async function lockFile(cacheDir: string, name: string): Promise<string> {
  const dir = join(cacheDir, 'locks');
  await mkdir(dir, { recursive: true });
  return join(dir, name);
}

/** The process that holds a lock, for a person; not to be relied on. */
async function holder(file: string): Promise<string> {
  const pid = await readFile(file, 'utf8').catch(() => '');
  return /^\d+$/.test(pid) ? `process ${pid}` : 'another process';
}

/**
 * Runs `work` while no other process runs work under the same name in the same cache folder.
 * Errors: LOCK_TIMEOUT, and the reason of the signal that interrupts the wait.
 */
export async function withLock<T>(
  cacheDir: string,
  name: string,
  options: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  const file = await lockFile(cacheDir, name);
  const timer = setTimeout(async () => {
    options.progress(`waiting for ${await holder(file)}, which ${options.what}`);
  }, QUIET_MS);
  const release = await acquire(file, LOCK_WAIT_SECONDS_MAX).finally(() => clearTimeout(timer));
  if (release === undefined) {
    throw new ImagesError(
      'LOCK_TIMEOUT',
      `${file} was held for ${LOCK_WAIT_SECONDS_MAX} s by ${await holder(file)}, ` +
        `which ${options.what}; end it and try again`,
    );
  }
  try {
    await writeFile(file, String(process.pid));
    return await work();
  } finally {
    await release();
  }
}

const used = new Map<string, Promise<void>>();

/** Shares the lock of a file through a descriptor of this process, which has it until it ends. */
async function share(file: string): Promise<void> {
  const fd = openSync(file, 'a');
  try {
    const flock = spawn('flock', ['-s', '-w', String(LOCK_WAIT_SECONDS_MAX), '3'], {
      stdio: ['ignore', 'ignore', 'ignore', fd],
    });
    const onAbort = (): void => void flock.kill('SIGKILL');
    interruption()?.addEventListener('abort', onAbort, { once: true });
    const code = await new Promise<number | null>((resolve, reject) => {
      flock.once('error', (cause) => reject(notStarted(cause)));
      flock.once('close', resolve);
    });
    interruption()?.removeEventListener('abort', onAbort);
    interruption()?.throwIfAborted();
    if (code !== 0) throw new ImagesError('LOCK_TIMEOUT', `${file} cannot be locked`);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * Keeps what the name stands for from being removed until this process ends; the lock's file has the
 * time of the last use. Before looking whether it is there, since whoever removes it is waited for.
 */
export async function keepInUse(cacheDir: string, name: string): Promise<void> {
  const file = await lockFile(cacheDir, `use-${name}`);
  const shared = used.get(file) ?? share(file);
  used.set(file, shared);
  try {
    await shared;
    const now = new Date();
    await utimes(file, now, now);
  } catch (error) {
    used.delete(file);
    throw error;
  }
}

/** Runs `work` while nobody uses what the name stands for. False when somebody does. */
export async function whenUnused(
  cacheDir: string,
  name: string,
  work: () => Promise<void>,
): Promise<boolean> {
  const file = await lockFile(cacheDir, `use-${name}`);
  const wasUsed = existsSync(file);
  const release = await acquire(file, 0);
  if (release === undefined) return false;
  // flock made the file, which says nothing of a use.
  if (!wasUsed) await utimes(file, 0, 0);
  try {
    await work();
    return true;
  } finally {
    await release();
  }
}
