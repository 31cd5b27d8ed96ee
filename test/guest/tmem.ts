/** The command line, started as its users start it. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '../../dist/emulator/cli/main.js');
const COMMAND_MS_MAX = 120_000;

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Without what a slow machine, or the first to use a kernel, is told meanwhile. */
export function withoutProgress(stderr: string): string {
  return stderr.replaceAll(/^\[ *\d+\.\d s\] .*\n/gm, '');
}

/** Runs `tmem` to its end. */
export function tmem(args: readonly string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), COMMAND_MS_MAX);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  return new Promise((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}
