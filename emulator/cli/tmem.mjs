#!/usr/bin/env node
/**
 * `npx tmem`: runs the program, and in a checkout where nothing was built yet has the bootstrap
 * build it first. Plain JavaScript, since it is there before anything is compiled.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const program = new URL('../../dist/emulator/cli/main.js', import.meta.url);

if (existsSync(program)) {
  await import(program.href);
} else {
  const [verb = '--help', ...args] = process.argv.slice(2);
  const bootstrap = fileURLToPath(new URL('./bootstrap.mjs', import.meta.url));
  const child = spawn(process.execPath, [bootstrap, verb, ...args], { stdio: 'inherit' });
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    // In a terminal Ctrl-C reaches the child by itself; it ends, and this process with it.
    process.on(name, () => {
      if (name !== 'SIGINT' || !process.stderr.isTTY) child.kill(name);
    });
  }
  child.on('close', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}
