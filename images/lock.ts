/**
 * A lock between processes that share a cache folder. The kernel holds it (flock) in the name of a
 * small child whose stdin we own: when this process dies in any way the child reads EOF and the
 * lock is free, so there is never a stale lock to clean up. The lock files themselves stay; they
 * are empty.
 */
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ImagesError } from './errors.js';

const LOCK_WAIT_SECONDS_MAX = 1800;

async function acquire(cacheDir: string, name: string): Promise<() => Promise<void>> {
  const dir = join(cacheDir, 'locks');
  await mkdir(dir, { recursive: true });
  const file = join(dir, name);
  const child = spawn(
    'flock',
    ['-w', String(LOCK_WAIT_SECONDS_MAX), file, 'sh', '-c', 'echo held; exec cat >/dev/null'],
    { stdio: ['pipe', 'pipe', 'ignore'], detached: true },
  );
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('error', (cause) => {
      const message = `flock could not be started (${cause.message}); install util-linux`;
      reject(new ImagesError('LOCK_TIMEOUT', message, { cause }));
    });
    child.once('close', () => {
      const message =
        `${file} was held by another process for ${LOCK_WAIT_SECONDS_MAX} s; ` +
        `end that process ("fuser ${file}" names it) and try again`;
      reject(new ImagesError('LOCK_TIMEOUT', message));
    });
  });
  return async () => {
    child.stdin.end();
    await ended;
  };
}

/** Runs `work` while no other process runs work under the same name in the same cache folder. */
export async function withLock<T>(
  cacheDir: string,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  const release = await acquire(cacheDir, name);
  try {
    return await work();
  } finally {
    await release();
  }
}
