/**
 * The verified file storm: images/workloads/filestorm on the guest's /data, with the counters of
 * cleancache, module and store.
 *
 * The workload checks every byte of every page that it reads. The report then says in `problems`
 * whatever does not fit together.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { printable } from '../../images/index.js';
import { any, type Checks, checkOptions, truth, whole } from '../option-check.js';
import type { StoreStats } from '../session/messages.js';
import type { GuestCounters } from './counters.js';
import type { Guest } from './guest.js';
import { differs, doorbellProblems, type StormResult } from './storm.js';
import { guestTrouble } from './verdict.js';
import { execWatched } from './watched.js';

export interface FileStormOptions {
  /** MiB of files; more than the guest has memory, or nothing leaves its page cache. */
  readonly mib: number;
  /** Times that all files are verified and partly rewritten; once more at the end. */
  readonly passes: number;
  /** Default 16. */
  readonly files?: number;
  /** Has the kernel drop its clean pages after each pass. */
  readonly dropCaches?: boolean;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface FileStormReport {
  readonly kernel: string;
  readonly pagesWritten: number;
  readonly pagesVerified: number;
  readonly pagesWrong: number;
  readonly seconds: number;
  /** Reads that were spared the disk. */
  readonly hits: number;
  readonly guest: GuestCounters;
  readonly host: StoreStats | null;
  /** Lines of the guest's kernel log that tell of trouble. */
  readonly kernelTrouble: readonly string[];
  /** Whatever does not fit together, in words. */
  readonly problems: readonly string[];
  readonly ok: boolean;
}

const SETTLE_MS_MAX = 5000;
const SETTLE_MS = 200;

/** What cleancache, module and store say against each other. */
function counterProblems(guest: GuestCounters, host: StoreStats): string[] {
  const problems: string[] = [];
  const { module, cleancache } = guest;
  const count = (name: string): number => module[name] ?? 0;
  const same = (what: string, ours: number, theirs: number): void => {
    if (ours !== theirs) problems.push(`module counts ${ours} ${what}, store ${theirs}`);
  };
  const near = (what: string, ours: number, theirs = 0): void => {
    if (differs(ours, theirs)) problems.push(`module counts ${ours} ${what}, cleancache ${theirs}`);
  };
  const puts = count('puts') + count('refused_host') + count('ephemeral_puts');
  same('puts', puts, host.puts);
  same('hits', count('gets') + count('ephemeral_gets'), host.gets - host.getsMissed);
  same('misses', count('ephemeral_misses') + count('lost'), host.getsMissed);
  same('flushes', count('flushes') + count('ephemeral_flushes'), host.flushes);
  same('object flushes', count('ephemeral_object_flushes'), host.objectFlushes);
  near('puts', count('ephemeral_puts') + count('ephemeral_refused'), cleancache.puts);
  near('hits', count('ephemeral_gets'), cleancache.succ_gets);
  near('misses', count('ephemeral_misses') + count('ephemeral_unasked'), cleancache.failed_gets);
  if (count('lost') > 0) problems.push(`${count('lost')} pages were lost`);
  if (count('host_errors') > 0) problems.push('the host broke the protocol');
  if (host.faults > 0) problems.push('the guest was cut off');
  problems.push(...doorbellProblems(guest, host));
  return problems;
}

interface Sides {
  readonly counters: GuestCounters;
  readonly host: StoreStats | null;
  readonly differences: readonly string[];
}

/** Looks at all sides until they agree, for a while: the module's worker may be posting yet. */
async function settle(guest: Guest): Promise<Sides> {
  const deadline = performance.now() + SETTLE_MS_MAX;
  for (;;) {
    const counters = await guest.counters();
    const host = (await guest.store?.stats()) ?? null;
    const differences = host === null ? [] : counterProblems(counters, host);
    if (differences.length === 0 || performance.now() > deadline) {
      return { counters, host, differences };
    }
    await delay(SETTLE_MS);
  }
}

const CHECKS: Checks<FileStormOptions> = {
  mib: whole(1),
  passes: whole(1),
  files: whole(1),
  dropCaches: truth,
  timeoutMs: whole(1),
  signal: any,
};

function command(options: FileStormOptions): string {
  const words = ['filestorm --dir /data --json', '--mib', options.mib, '--passes', options.passes];
  words.push('--files', options.files ?? 16);
  if (options.dropCaches === true) words.push('--drop-caches');
  return words.join(' ');
}

/**
 * Runs a file storm in a guest with a file system on /data, and reports.
 * @throws TmemError (OPTION_INVALID), and what `execWatched` throws
 */
export async function runFileStorm(
  guest: Guest,
  options: FileStormOptions,
): Promise<FileStormReport> {
  checkOptions('runFileStorm', options, CHECKS);
  const { stdout, stderr, code } = await execWatched(guest, command(options), {
    timeoutMs: options.timeoutMs,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const last = stdout.trim().split('\n').at(-1) ?? '';
  const nothing = { pagesWritten: 0, pagesVerified: 0, pagesWrong: 0, seconds: 0 };
  const result = last.startsWith('{') ? (JSON.parse(last) as StormResult) : nothing;
  const { counters, host, differences } = await settle(guest);
  const trouble = await guestTrouble(guest);
  const problems = [
    ...(code === 0 ? [] : [`the workload ended with ${code}:\n${stderr}`]),
    ...(result.pagesVerified > 0 ? [] : ['no page was verified']),
    ...differences,
    ...trouble.map(({ line }) => `kernel log: ${line}`),
  ].map(printable);
  return {
    kernel: guest.kernel.release,
    ...result,
    hits: counters.module.ephemeral_gets ?? 0,
    guest: counters,
    host,
    kernelTrouble: trouble.map(({ report }) => report),
    problems,
    ok: problems.length === 0,
  };
}
