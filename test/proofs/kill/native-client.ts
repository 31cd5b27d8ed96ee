/**
 * The native client: client.c, compiled when its sources change, as a process over the descriptors
 * that an ivshmem server gave.
 *
 * It owns its process: `finish` ends its work, disposing it ends it however far it came.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { defaultCacheDir, packageRoot } from '../../../emulator/guest/paths.js';
import type { IvshmemClient } from '../../../emulator/testing/index.js';
import { hashFiles, listFiles, makeDirAtomic } from '../../../images/files.js';

const SOURCES = join(packageRoot, 'test/proofs/kill');
const ABI = '../../../guest-kmod/tmem_abi.h';
const FLAGS = ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror', '-pthread'];
const COMPILE_MS_MAX = 120_000;
/** From the end of its input to that of the process: it reads every page back. */
const FINISH_MS_MAX = 120_000;

/** What the client counts; see load.h. */
export type ClientCount =
  | 'puts'
  | 'refusedWhileDown'
  | 'refusedWithoutCredit'
  | 'refusedByHost'
  | 'gets'
  | 'directGets'
  | 'flushes'
  | 'objectFlushes'
  | 'pools'
  | 'verified'
  | 'ephemeralMisses'
  | 'lost'
  | 'stale'
  | 'torn'
  | 'foreign'
  | 'wrongResults'
  | 'timeouts'
  | 'hostErrors'
  | 'doorbells'
  | 'hand'
  | 'cutOff';

export type ClientReport = Readonly<Record<ClientCount, number>>;

export interface ClientOptions {
  readonly machine: IvshmemClient;
  readonly regionBytes: number;
  /** FEATURE_* bits that it uses if the host offers them. */
  readonly features: number;
  readonly threads: number;
  /** A multiple of 16. */
  readonly keys: number;
  readonly seed: number;
  /** Descriptor of the log, opened to append. */
  readonly log: number;
}

/** @returns the program's path */
export async function buildClient(): Promise<string> {
  const files = [...(await listFiles(SOURCES, (name) => /\.[ch]$/.test(name))), ABI];
  const tools = join(defaultCacheDir(), 'tools');
  const folder = join(tools, await hashFiles(SOURCES, files, FLAGS));
  if (!existsSync(folder)) {
    await mkdir(tools, { recursive: true });
    await makeDirAtomic(folder, async (part) => {
      const sources = files.filter((file) => file.endsWith('.c'));
      const include = ['-I', join(packageRoot, 'guest-kmod')];
      const output = ['-o', join(part, 'kill-client')];
      await promisify(execFile)('gcc', [...FLAGS, ...include, ...output, ...sources], {
        cwd: SOURCES,
        timeout: COMPILE_MS_MAX,
      });
    });
  }
  return join(folder, 'kill-client');
}

export class NativeClient implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #output: Promise<string>;
  readonly #errors: Promise<string>;
  readonly #ended: Promise<string>;

  constructor(program: string, options: ClientOptions) {
    const { machine, regionBytes, features, threads, keys, seed, log } = options;
    const numbers = [regionBytes, machine.vectorFds.length, features, threads, keys, seed];
    const fds = [machine.memoryFd, machine.hostEventFd, log, ...machine.vectorFds];
    this.#child = spawn(program, numbers.map(String), { stdio: ['pipe', 'pipe', 'pipe', ...fds] });
    this.#output = text(this.#child.stdout!);
    this.#errors = text(this.#child.stderr!);
    this.#ended = new Promise((resolve) => {
      this.#child.on('error', (error) => resolve(error.message));
      this.#child.on('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
  }

  /** Ends its work. @throws Error when it gives no numbers */
  async finish(): Promise<ClientReport> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), FINISH_MS_MAX);
    this.#child.stdin!.on('error', () => {});
    this.#child.stdin!.end();
    const how = await this.#ended;
    clearTimeout(timer);
    const output = await this.#output;
    if (how === 'exit code 0') return JSON.parse(output) as ClientReport;
    throw new Error(`the native client ended with ${how}: ${await this.#errors}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
