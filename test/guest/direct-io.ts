/**
 * Compiles direct-io.c for guests: a static program that checks a block device through direct I/O
 * from huge pages.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FLAGS = ['-static', '-O2', '-std=gnu11', '-Wall', '-Wextra', '-Werror'];

/** @returns the program's path, in a folder that the caller owns */
export function compileDirectIo(directory: string): string {
  const program = join(directory, 'direct-io');
  const source = fileURLToPath(new URL('direct-io.c', import.meta.url));
  const { status, stderr } = spawnSync('gcc', [...FLAGS, '-o', program, source]);
  if (status !== 0) throw new Error(`gcc direct-io.c: ${stderr}`);
  return program;
}
