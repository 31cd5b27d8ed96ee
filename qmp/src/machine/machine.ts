// A QEMU process and its monitor. What always holds: a Machine returned by launch() answers QMP;
// one that failed to launch is dead before the error comes; the monitor is a socket pair QEMU
// inherited, so no path can be raced for; after quit() or disposal the process is gone; the log
// files stay.

import type { ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import { QmpClient } from '../client.js';
import { QmpAbortedError, QmpError } from '../errors.js';
import { bounded, timeLimitOf, type WaitOptions } from '../waiting.js';
import { MachineLogs } from './logs.js';
import { shellQuote } from './options.js';
import { spawnQemu } from './process.js';
import { inheritedFd, type MachineSpec, machineCommand } from './spec.js';
import { fileTail } from './tail.js';

const LAUNCH_TIMEOUT_DEFAULT_MS = 30_000;
const QUIT_TIMEOUT_DEFAULT_MS = 5_000;
const TERM_TIMEOUT_MS = 2_000;
/** SIGKILL needs no cooperation; past this the process hangs inside the kernel. */
const KILL_TIMEOUT_MS = 10_000;
const OUTPUT_LINES = 20;
const MONITOR_ARGUMENTS = ['-chardev', 'socket,id=qmp,fd=3', '-mon', 'chardev=qmp,mode=control'];

/** How QEMU ended: an exit code, or the signal that killed it. */
export interface MachineExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** What quit() had to do: `quit` over QMP, SIGTERM, SIGKILL, or nothing (`gone` before). */
export type QuitMethod = 'gone' | 'quit' | 'SIGTERM' | 'SIGKILL';

export interface QuitOptions {
  /** For the graceful part, milliseconds. Default 5 s. */
  readonly timeoutMs?: number;
  /** For SIGTERM to take effect, milliseconds. Default 2 s. */
  readonly termTimeoutMs?: number;
  /** For SIGKILL to take effect, milliseconds. Default 10 s. */
  readonly killTimeoutMs?: number;
}

export interface LaunchOptions {
  readonly signal?: AbortSignal;
  /** Is given what the guest writes to its console, as it comes. It must not throw. */
  readonly onConsole?: (chunk: Buffer) => void;
}

/** `QMP_MACHINE_LAUNCH`: QEMU did not start, or ended, or did not answer in time. */
export class MachineLaunchError extends QmpError {
  readonly exit: MachineExit | undefined;
  /** The whole command, shell-quoted. */
  readonly command: string;
  /** The last lines QEMU printed. */
  readonly output: string;

  constructor(
    what: string,
    details: { exit: MachineExit | undefined; command: string; output: string; cause: unknown },
  ) {
    const output = details.output === '' ? 'It printed nothing.' : `It said:\n${details.output}`;
    const text = `${what}. ${output}\nThe command was:\n${details.command}`;
    super('QMP_MACHINE_LAUNCH', text, { cause: details.cause });
    this.exit = details.exit;
    this.command = details.command;
    this.output = details.output;
  }
}

function describeExit(exit: MachineExit): string {
  return exit.signal ? `was killed by ${exit.signal}` : `exited with code ${exit.code}`;
}

export class Machine implements AsyncDisposable {
  readonly qmp: QmpClient;
  readonly pid: number;
  /** The command with everything launch() added, as QEMU got it. */
  readonly argv: readonly string[];
  /** Whether QEMU dies with this process even when that is killed by SIGKILL. */
  readonly guarded: boolean;
  readonly logPath: string;
  /** What went over the monitor. */
  readonly qmpLogPath: string;
  readonly consolePath: string | undefined;
  readonly #child: ChildProcess;
  readonly #exit: Promise<MachineExit>;
  #exited: MachineExit | undefined;

  private constructor(parts: {
    qmp: QmpClient;
    child: ChildProcess;
    exit: Promise<MachineExit>;
    argv: readonly string[];
    guarded: boolean;
    logs: MachineLogs;
    consolePath: string | undefined;
  }) {
    this.qmp = parts.qmp;
    this.pid = parts.child.pid!;
    this.argv = parts.argv;
    this.guarded = parts.guarded;
    this.logPath = parts.logs.path;
    this.qmpLogPath = parts.logs.qmpPath;
    this.consolePath = parts.consolePath;
    this.#child = parts.child;
    this.#exit = parts.exit;
    void parts.exit.then((exit) => {
      this.#exited = exit;
    });
  }

  /**
   * Start QEMU and negotiate QMP with it. A guest that is not `paused` may be running by then.
   * @throws MachineSpecError before anything runs; MachineLaunchError with exit code, command and
   *   last output, QmpAbortedError, the process gone
   */
  static async launch(spec: MachineSpec, options: LaunchOptions = {}): Promise<Machine> {
    const fds = spec.fds ?? [];
    const argv = [...machineCommand(spec, inheritedFd(fds.length)), ...MONITOR_ARGUMENTS];
    const timeoutMs = timeLimitOf(
      { timeoutMs: spec.launchTimeoutMs ?? LAUNCH_TIMEOUT_DEFAULT_MS },
      1,
    );
    if (options.signal?.aborted) {
      throw new QmpAbortedError('launching QEMU', options.signal.reason);
    }
    const logs = new MachineLogs(spec);
    let spawned: ReturnType<typeof spawnQemu>;
    try {
      spawned = spawnQemu(argv, { console: spec.console !== undefined, fds, env: spec.env });
    } catch (error) {
      logs.close();
      throw error;
    }
    const { child, monitor, guarded } = spawned;
    const logged = logs.take(child, spawned.console, options.onConsole);
    const failed = new Promise<never>((_, reject) => child.once('error', reject));
    // Its end is told once its logs are whole.
    const exit = logged.then(() => ({ code: child.exitCode, signal: child.signalCode }));
    try {
      const { signal } = options;
      const limits = { timeoutMs, trace: logs.trace, ...(signal && { signal }) };
      const connecting = QmpClient.connect({ socket: monitor }, limits);
      const qmp = await Promise.race([connecting, failed]);
      const consolePath = spec.console;
      return new Machine({ qmp, child, exit, argv, guarded, logs, consolePath });
    } catch (cause) {
      failed.catch(() => {});
      monitor.destroy();
      throw await launchError(cause, { child, exit, argv, logPath: logs.path, timeoutMs });
    }
  }

  /** How QEMU ended; undefined while it runs. */
  get exited(): MachineExit | undefined {
    return this.#exited;
  }

  /** The whole command on one line, for people. */
  get command(): string {
    return shellQuote(this.argv);
  }

  /**
   * Settles when QEMU is gone. Without options for as long as it runs.
   * @throws QmpTimeLimitError, QmpAbortedError; QEMU runs on then
   */
  wait(options: WaitOptions = {}): Promise<MachineExit> {
    const timeoutMs = timeLimitOf(options, Number.POSITIVE_INFINITY);
    return bounded(this.#exit, 'waiting for QEMU to end', { timeoutMs, signal: options.signal });
  }

  /** Pause the guest's CPUs (`stop`). To end QEMU use quit(). */
  async stop(): Promise<void> {
    await this.qmp.execute('stop');
  }

  /** Let the guest's CPUs run (`cont`). */
  async cont(): Promise<void> {
    await this.qmp.execute('cont');
  }

  /**
   * End QEMU: `quit` over QMP, then SIGTERM, then SIGKILL, each with a time limit.
   * @throws MachineStuckError when not even SIGKILL ended it
   */
  async quit(options: QuitOptions = {}): Promise<MachineExit & { method: QuitMethod }> {
    const timeoutMs = timeLimitOf(options, QUIT_TIMEOUT_DEFAULT_MS);
    const termTimeoutMs = timeLimitOf({ timeoutMs: options.termTimeoutMs ?? TERM_TIMEOUT_MS }, 1);
    const killTimeoutMs = timeLimitOf({ timeoutMs: options.killTimeoutMs ?? KILL_TIMEOUT_MS }, 1);
    try {
      if (this.#exited) return { ...this.#exited, method: 'gone' };
      // The reply may be lost as QEMU goes: only its end counts.
      const asked = !this.qmp.closed;
      if (asked) this.qmp.execute('quit', undefined, { timeoutMs }).catch(() => {});
      if (asked && (await this.#endsWithin(timeoutMs))) return this.#endedBy('quit');
      this.#child.kill('SIGTERM');
      if (await this.#endsWithin(termTimeoutMs)) return this.#endedBy('SIGTERM');
      this.#child.kill('SIGKILL');
      if (await this.#endsWithin(killTimeoutMs)) return this.#endedBy('SIGKILL');
      throw new MachineStuckError(this.pid);
    } finally {
      await this.qmp.close();
    }
  }

  /** SIGKILL at once. wait() tells when it is gone. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** The last lines of the guest's console file; empty without `console`. */
  consoleTail(lines: number): string {
    return this.consolePath === undefined ? '' : fileTail(this.consolePath, lines);
  }

  /** All that is kept of the guest's console, with line feeds alone; empty without `console`. */
  consoleText(): string {
    if (this.consolePath === undefined) return '';
    try {
      return fs.readFileSync(this.consolePath, 'utf8').replaceAll('\r\n', '\n');
    } catch {
      return '';
    }
  }

  /** The last lines QEMU itself printed. */
  logTail(lines: number): string {
    return fileTail(this.logPath, lines);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.quit();
  }

  #endedBy(method: QuitMethod): MachineExit & { method: QuitMethod } {
    return { ...this.#exited!, method };
  }

  async #endsWithin(timeoutMs: number): Promise<boolean> {
    try {
      await bounded(this.#exit, 'waiting for QEMU to end', { timeoutMs });
      return true;
    } catch {
      return false;
    }
  }
}

/** `QMP_MACHINE_STUCK`: the process survived SIGKILL, as one stuck inside the kernel does. */
export class MachineStuckError extends QmpError {
  constructor(pid: number) {
    super('QMP_MACHINE_STUCK', `QEMU (pid ${pid}) survived SIGKILL: see /proc/${pid}/stack`);
  }
}

async function launchError(
  cause: unknown,
  launch: {
    child: ChildProcess;
    exit: Promise<MachineExit>;
    argv: readonly string[];
    logPath: string;
    timeoutMs: number;
  },
): Promise<QmpError> {
  const { child, exit, argv, logPath, timeoutMs } = launch;
  // A QEMU that is about to exit closes its monitor first: its own exit code says more than ours.
  const gone = (limitMs: number): Promise<MachineExit | undefined> =>
    bounded(exit, 'waiting for QEMU to end', { timeoutMs: limitMs }).catch(() => undefined);
  const code = cause instanceof QmpError ? causeCode(cause) : undefined;
  const timedOut = code === 'QMP_TIME_LIMIT';
  const given = timedOut || code === 'QMP_ABORTED';
  const ended = given ? undefined : await gone(TERM_TIMEOUT_MS);
  let what: string;
  if (child.pid === undefined) what = `${argv[0]} could not be started (${String(cause)})`;
  else if (ended) what = `${argv[0]} ${describeExit(ended)} before QMP answered`;
  else if (timedOut) what = `${argv[0]} runs, but QMP did not answer within ${timeoutMs} ms`;
  else what = `${argv[0]} runs, but QMP failed (${String(cause)})`;
  if (!ended) {
    child.kill('SIGKILL');
    await gone(KILL_TIMEOUT_MS);
  }
  if (cause instanceof QmpAbortedError) return cause;
  const output = fileTail(logPath, OUTPUT_LINES);
  return new MachineLaunchError(what, { exit: ended, command: shellQuote(argv), output, cause });
}

function causeCode(error: QmpError): string {
  return error.cause instanceof QmpError ? error.cause.code : error.code;
}
