/**
 * What is kept, and what is shown, of a guest that died, hung or did not boot.
 *
 * Its run folder goes with it, so what console, QEMU, monitor and kernel said is copied to a folder
 * of its own, which every such error names. Without a place of the caller's that is below the cache,
 * where the newest FAILURES_MAX stay. Nothing here throws but the error that it is asked for:
 * keeping may fail, and then the message says why.
 */
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from '@qemu-tmem/qmp';
import { printable } from '../../images/index.js';
import { codeOf, TmemError, type TmemErrorCode } from '../errors.js';
import { fromTrouble } from './kernel-log.js';

/** Folders that are kept below the cache. */
export const FAILURES_MAX = 16;
/** Of a console from its first trouble on: two stacks and their registers. */
const SHOWN_LINES = 80;
const TAIL_LINES = 20;
/** For QEMU to be gone and its console whole, after it closed the agent's socket. */
const VANISH_MS_MAX = 2000;
/** 2026-11-30T21-45-07.123Z-4711 */
const FOLDER_NAME = /^\d{4}-\d\d-\d\dT[\d.-]+Z-\d+$/;

/** Where failures are kept. */
export interface FailurePlace {
  readonly directory: string;
  /** Whether it is the caller's own: then nothing in it is ever removed. */
  readonly own: boolean;
}

/** The caller's place, or the cache's. */
export function failurePlace(own: string | undefined, cacheDir: string): FailurePlace {
  if (own !== undefined) return { directory: own, own: true };
  return { directory: join(cacheDir, 'failures'), own: false };
}

function removeOldest({ directory, own }: FailurePlace): void {
  if (own) return;
  const names = readdirSync(directory).filter((name) => FOLDER_NAME.test(name));
  const old = names.sort().slice(0, Math.max(0, names.length - FAILURES_MAX));
  for (const name of old) {
    try {
      rmSync(join(directory, name), { recursive: true, force: true });
    } catch {
      // Another run removes it, or it is somebody else's.
    }
  }
}

function copy(from: string | undefined, to: string): void {
  if (from === undefined) return;
  try {
    copyFileSync(from, to);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/**
 * Copies a machine's logs, and whatever else is known, to a folder of their own.
 * @returns its path; an Error where it could not be made
 */
export function keepFailure(
  machine: Pick<Machine, 'consolePath' | 'logPath' | 'qmpLogPath' | 'command'>,
  place: FailurePlace,
  texts: Readonly<Record<string, string>> = {},
): string | Error {
  const now = new Date().toISOString().replaceAll(':', '-');
  const folder = join(place.directory, `${now}-${process.pid}`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    copy(machine.consolePath, join(folder, 'console.log'));
    copy(machine.logPath, join(folder, 'qemu.log'));
    copy(machine.qmpLogPath, join(folder, 'qmp.log'));
    writeFileSync(join(folder, 'command.txt'), `${machine.command}\n`);
    for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text);
    removeOldest(place);
    return folder;
  } catch (error) {
    return error as Error;
  }
}

/** An error whose message ends with where the logs are. */
export function failure(
  code: TmemErrorCode,
  message: string,
  kept: string | Error,
  cause?: unknown,
): TmemError {
  const where =
    typeof kept === 'string'
      ? `kept in ${kept}: console.log, qemu.log, qmp.log and more`
      : `its logs could not be kept (--keep DIR for another place): ${kept.message}`;
  const error = new TmemError(code, `${message.trimEnd()}\n${where}`, cause);
  if (typeof kept === 'string') error.kept = kept;
  return error;
}

/** The console from its first trouble on, or its last lines where there is none. */
function consoleWords(machine: Machine): string {
  const console = machine.consoleText();
  const trouble = fromTrouble(console, SHOWN_LINES);
  if (trouble !== undefined) return `its console from the first trouble on:\n${trouble}`;
  const last = console.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
  return `its console's last lines:\n${printable(last) || '(nothing)'}`;
}

function qemuWords(machine: Machine): string {
  const log = machine.logTail(TAIL_LINES);
  return log === '' ? '' : `\nQEMU said:\n${printable(log)}`;
}

/** What became of a guest whose agent went away; `booted` where it had answered before. */
export async function vanished(
  machine: Machine,
  place: FailurePlace,
  booted: boolean,
  cause: unknown,
): Promise<TmemError> {
  await machine.wait({ timeoutMs: VANISH_MS_MAX }).catch(() => {});
  const panic = /Kernel panic - not syncing.*/.exec(machine.consoleText())?.[0];
  const exit = machine.exited;
  const signal = exit?.signal ? `; ${exit.signal} ended QEMU` : '';
  const what = panic === undefined ? `the guest is gone${signal}` : `the guest panicked: ${panic}`;
  const when = booted ? '' : ' before it answered';
  const after = panic === undefined ? 'GUEST_VANISHED' : 'GUEST_PANICKED';
  const message = `${what}${when}; ${consoleWords(machine)}${qemuWords(machine)}`;
  const code = booted ? after : 'GUEST_BOOT_FAILED';
  return failure(code, message, keepFailure(machine, place), cause);
}

/** A guest whose agent did not answer in time. */
export function bootTimeout(
  machine: Machine,
  place: FailurePlace,
  timeoutMs: number,
  cause?: unknown,
): TmemError {
  const message =
    `the guest did not come up within ${timeoutMs / 1000} s; give --boot-timeout more, or see ` +
    `what it says: ${consoleWords(machine)}${qemuWords(machine)}`;
  return failure('GUEST_BOOT_TIMEOUT', message, keepFailure(machine, place), cause);
}
