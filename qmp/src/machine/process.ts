// Starting QEMU so that it cannot outlive us. What always holds: QEMU asks the kernel for SIGKILL
// on our death before it runs (setpriv's --pdeathsig, which survives exec), and a shell between the
// two checks that we had not died already, so there is no moment in which it could become an
// orphan. The kernel ties this to the *thread* that spawned: a machine started in a worker dies
// with it.

import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import type * as net from 'node:net';
import * as path from 'node:path';

/** Runs the rest of its words if its parent is still the process named by $0. */
const PARENT_CHECK = '[ "$PPID" = "$0" ] || exit 127; exec "$@"';

export interface SpawnedQemu {
  readonly child: ChildProcess;
  /** Our end of the pair whose other end QEMU has as descriptor 3. */
  readonly monitor: net.Socket;
  /** Of the pair whose other end is QEMU's descriptor `consoleFd`, if it was asked for. */
  readonly console: net.Socket | undefined;
  /** False where util-linux's setpriv is missing: then only an orderly exit of ours ends QEMU. */
  readonly guarded: boolean;
}

function findInPath(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    const candidate = path.join(folder || '.', name);
    try {
      fs.accessSync(candidate, fs.constants.X_OK);
      return candidate;
    } catch {
      // Not in this folder: try the next.
    }
  }
  return undefined;
}

const live = new Set<ChildProcess>();
let exitHooked = false;

function killOnExit(child: ChildProcess): void {
  live.add(child);
  child.once('exit', () => live.delete(child));
  if (exitHooked) return;
  exitHooked = true;
  process.on('exit', () => {
    for (const survivor of live) survivor.kill('SIGKILL');
  });
}

/**
 * Spawn `argv` with descriptor 3 as one end of a socket pair (Node makes its extra pipes that way)
 * and `fds` from 4 on, then another pair for the console. Standard output and error are pipes. A
 * failure to start is the child's 'error' event.
 */
export function spawnQemu(
  argv: readonly string[],
  options: {
    readonly console: boolean;
    readonly fds: readonly number[];
    readonly env: Readonly<Record<string, string>> | undefined;
  },
): SpawnedQemu {
  const setpriv = process.platform === 'linux' ? findInPath('setpriv') : undefined;
  const guard = ['--pdeathsig', 'KILL', '--', '/bin/sh', '-c', PARENT_CHECK, `${process.pid}`];
  const command = setpriv ? [setpriv, ...guard, ...argv] : [...argv];
  const pair = ['pipe' as const];
  const child = spawn(command[0]!, command.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', ...options.fds, ...(options.console ? pair : [])],
    // Its own session: a Ctrl-C in our terminal is ours to handle, not QEMU's.
    detached: true,
    ...(options.env && { env: { ...options.env } }),
  });
  killOnExit(child);
  const console = options.console ? child.stdio[4 + options.fds.length] : undefined;
  return {
    child,
    monitor: child.stdio[3] as net.Socket,
    console: console as net.Socket | undefined,
    guarded: setpriv !== undefined,
  };
}
