// The shell's history file: one line each, newest last, bounded. Losing it is no error: a shell on
// a read-only home works all the same.

import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

const HISTORY_LINES_MAX = 1_000;

/** `QMP_HISTORY`, else a file under XDG_STATE_HOME; empty text in QMP_HISTORY keeps none. */
export function historyPath(env: NodeJS.ProcessEnv): string | undefined {
  if (env.QMP_HISTORY !== undefined) return env.QMP_HISTORY === '' ? undefined : env.QMP_HISTORY;
  const state = env.XDG_STATE_HOME || path.join(env.HOME || os.homedir(), '.local', 'state');
  return path.join(state, 'qmp', 'history');
}

/** Newest first, as readline keeps it. */
export function readHistory(file: string | undefined): string[] {
  if (file === undefined) return [];
  try {
    const lines = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean);
    return lines.slice(-HISTORY_LINES_MAX).reverse();
  } catch {
    return [];
  }
}

/** Takes them newest first. */
export function writeHistory(file: string | undefined, lines: readonly string[]): void {
  if (file === undefined) return;
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    const kept = lines.slice(0, HISTORY_LINES_MAX).reverse();
    // Commands can carry passwords (set_password): the file is its owner's alone.
    fs.writeFileSync(file, kept.map((line) => `${line}\n`).join(''), { mode: 0o600 });
  } catch {
    // See above.
  }
}
