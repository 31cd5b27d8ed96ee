/**
 * The verified swap storm: images/workloads/storm in a guest, with the counters of all three sides.
 *
 * The workload checks every byte of every page that it gets back. The report then holds what guest
 * kernel, module and store each counted, and says in `problems` whatever does not fit together.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { printable } from '../../images/index.js';
import {
  any,
  type Checks,
  called,
  checkOptions,
  listOf,
  part,
  text,
  truth,
  whole,
} from '../option-check.js';
import type { StoreStats } from '../session/messages.js';
import type { Transport } from '../transport/transports.js';
import type { GuestCounters } from './counters.js';
import type { FrontEnd } from './front-end.js';
import type { Guest } from './guest.js';
import { type SwapShare, swapShare } from './swap-share.js';
import { guestTrouble } from './verdict.js';
import { execWatched } from './watched.js';

export interface StormOptions {
  /** MiB touched; more than the guest has, or nothing is swapped. */
  readonly mib: number;
  /** Times that all of it is verified and partly rewritten. */
  readonly passes: number;
  /** Processes that do so at the same time, sharing `mib`; default 1. */
  readonly processes?: number;
  /** Further words for the workload: --fork, --shm, --pageout. */
  readonly extra?: readonly string[];
  /**
   * True: in huge pages, which are turned on in the guest, and a storm that got none has a problem.
   * False: in single pages. Default: as the guest's kernel decides.
   */
  readonly thp?: boolean;
  /**
   * Less of what was swapped than this (0 to 1) having reached tmem is a problem, unless a quota, a
   * policy or a full store refused the rest; default 0.5. Give 0 where the host is disturbed.
   */
  readonly shareMin?: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Called about twice a second with what the store holds. */
  readonly onProgress?: (stats: StoreStats | undefined, line: string) => void;
}

/** What the workload prints. */
export interface StormResult {
  readonly pagesWritten: number;
  readonly pagesVerified: number;
  readonly pagesWrong: number;
  readonly seconds: number;
}

/**
 * Why the module did not put a page: no credit (or the host is away or says refuse), the host
 * refused it, it was one of a huge page that came whole, the area is off, the flush of the page
 * before it is still to be posted, anything else.
 */
export type RefusalReason = 'credit' | 'host' | 'huge' | 'off' | 'pending' | 'other';

export const REFUSAL_REASONS: readonly RefusalReason[] = [
  'credit',
  'host',
  'huge',
  'off',
  'pending',
  'other',
];

/** Transparent huge pages of the guest since it booted. */
export interface HugePages {
  /** Made for processes and shared memory. */
  readonly made: number;
  /** Split into single pages, for swapping or else. */
  readonly split: number;
  /** Written to a swap device whole: to a disk past tmem, or to /dev/tmemN. */
  readonly writtenWhole: number;
}

export interface StormReport {
  readonly kernel: string;
  /** Their names, with commas between. */
  readonly frontEnd: string;
  readonly transport: Transport | 'none';
  readonly accelerator: string;
  readonly cpus: number;
  readonly memoryMib: number;
  readonly stormMib: number;
  /** Pages that the host took, gave back, dropped on the guest's word, and refused (both sides). */
  readonly puts: number;
  readonly gets: number;
  readonly flushes: number;
  readonly refusals: number;
  /** The refusals by reason, as the module names them in its counters. */
  readonly refusedBy: Readonly<Record<RefusalReason, number>>;
  /** How much of what was swapped tmem saw; see `swapShare`. Null when nothing was. */
  readonly share: number | null;
  readonly pagesToDisk: number;
  readonly hugePages: HugePages;
  readonly pagesVerified: number;
  readonly pagesWrong: number;
  readonly guest: GuestCounters;
  readonly host: StoreStats | null;
  readonly seconds: {
    readonly prepare: number;
    readonly boot: number;
    readonly swap: number;
    readonly storm: number;
    readonly total: number;
  };
  /** What the guest's kernel log tells of trouble: reports, each with all its lines. */
  readonly kernelTrouble: readonly string[];
  /** Whatever does not fit together, in words. */
  readonly problems: readonly string[];
  readonly ok: boolean;
}

const PROGRESS_MS = 500;
const SETTLE_MS_MAX = 5000;
const SETTLE_POLL_MS = 50;

/** A store that held so much of what it has slots for was full. */
const FULL_SHARE = 0.95;
const SHARE_MIN = 0.5;

/** frontswap's own counters are plain increments (mm/frontswap.c): CPUs may lose some. */
const FRONTSWAP_DRIFT = 0.02;

/** Whether a counter of the kernel's own is further from ours than lost increments can explain. */
export function differs(a: number, b: number): boolean {
  return Math.abs(a - b) > FRONTSWAP_DRIFT * Math.max(a, b) + 16;
}

/** A store that died may have counted its last operation, which the next one counts again. */
function agree(ours: number, theirs: number, host: StoreStats): boolean {
  return theirs >= ours && theirs - ours <= host.takeovers;
}

function refusalsOf({ module }: GuestCounters): Record<RefusalReason, number> {
  const of = (reason: RefusalReason) => [reason, module[`refused_${reason}`] ?? 0] as const;
  return Object.fromEntries(REFUSAL_REASONS.map(of)) as Record<RefusalReason, number>;
}

function hugePagesOf({ vmstat }: GuestCounters): HugePages {
  const { thp_fault_alloc = 0, thp_file_alloc = 0, thp_split_page = 0, thp_swpout = 0 } = vmstat;
  return {
    made: thp_fault_alloc + thp_file_alloc,
    split: thp_split_page,
    writtenWhole: thp_swpout,
  };
}

/** A storm that went past tmem proves nothing about it, whatever the pages came back as. */
export function shareProblems(
  { tmem, disk }: SwapShare,
  guest: GuestCounters,
  host: StoreStats,
  shareMin: number,
): string[] {
  // What a quota or a policy refuses went to the disk because it was told to.
  if (Number.isFinite(host.quotaPages) || host.putsRefused > 0) return [];
  const { credit } = refusalsOf(guest);
  const full = host.pagesUsedMax >= FULL_SHARE * host.slots;
  const explained = full ? Math.min(disk, credit) : 0;
  if (disk === 0 || (tmem + explained) / (tmem + disk) >= shareMin) return [];
  const percent = ((100 * tmem) / (tmem + disk)).toFixed(0);
  return [
    `only ${percent}% of the swapped pages reached tmem: ${disk} went to the disk, ` +
      `${hugePagesOf(guest).writtenWhole} huge pages whole, and ${credit} were refused for want ` +
      'of a credit',
  ];
}

/** The store looks by itself once a second, so that doorbells that get lost only cost time. */
export function doorbellProblems(guest: GuestCounters, host: StoreStats): string[] {
  const { doorbells = 0 } = guest.module;
  // One or two may still be on their way.
  if (doorbells < 3 || host.doorbellsReceived > 0 || host.framesReceived > 0) return [];
  return [`the host heard none of ${doorbells} doorbells`];
}

/** What the three sides' counters say against each other, of swapped pages. */
export function counterProblems(
  guest: GuestCounters,
  host: StoreStats,
  frontEnds: readonly FrontEnd[],
): string[] {
  const problems: string[] = [];
  const { puts = 0, gets = 0, untold_gets = 0, lost = 0, host_errors = 0 } = guest.module;
  // Clean pages of files, which may be refused and missed.
  const { ephemeral_puts = 0, ephemeral_gets = 0, ephemeral_misses = 0 } = guest.module;
  const refused = guest.module.refused_host ?? 0;
  const expect = (what: string, holds: boolean): void => {
    if (!holds) problems.push(what);
  };
  expect(
    `module counts ${puts} + ${refused} + ${ephemeral_puts} puts, store ${host.puts}`,
    agree(puts + refused + ephemeral_puts, host.puts, host),
  );
  expect(
    `module counts ${gets} + ${ephemeral_gets} gets, store ${host.gets - host.getsMissed}`,
    agree(gets + ephemeral_gets, host.gets - host.getsMissed, host),
  );
  const missed = host.getsMissed - ephemeral_misses;
  expect(`${missed} gets found nothing`, missed === 0);
  expect(`the host was not told of ${untold_gets} gets`, untold_gets === 0);
  expect(`${lost} pages were lost`, lost === 0);
  problems.push(...doorbellProblems(guest, host));
  expect(`the host broke the protocol ${host_errors} times`, host_errors === 0);
  expect(`the guest was cut off ${host.faults} times`, host.faults === 0);
  if (!frontEnds.includes('frontswap')) return problems;
  const { succ_stores = 0, loads = 0 } = guest.frontswap;
  expect(`frontswap counts ${succ_stores} stores, module ${puts}`, !differs(succ_stores, puts));
  expect(`frontswap counts ${loads} loads, module ${gets}`, !differs(loads, gets));
  return problems;
}

const CHECKS: Checks<StormOptions> = {
  mib: whole(1),
  passes: whole(1),
  thp: truth,
  shareMin: part,
  processes: whole(1),
  extra: listOf(text),
  timeoutMs: whole(1),
  signal: any,
  onProgress: called,
};

function command(options: StormOptions): string {
  const words = ['storm', '--mib', options.mib, '--passes', options.passes];
  if (options.thp !== undefined) words.push(options.thp ? '--thp' : '--no-thp');
  words.push('--procs', options.processes ?? 1, ...(options.extra ?? []), '--progress', '--json');
  return words.join(' ');
}

/** Off in a guest of less than 512 MiB (mm/huge_memory.c, hugepage_init()) until somebody says. */
const THP_COMMAND = [
  'cd /sys/kernel/mm/transparent_hugepage',
  'echo always >enabled',
  '{ [ ! -e shmem_enabled ] || echo advise >shmem_enabled; }',
].join(' && ');

async function runWorkload(guest: Guest, options: StormOptions): Promise<[StormResult, string]> {
  let line = '';
  const timer = setInterval(() => {
    const tell = options.onProgress;
    if (tell === undefined) return;
    if (guest.store === undefined) tell(undefined, line);
    else
      guest.store
        .stats()
        .then((stats) => tell(stats, line))
        .catch(() => {});
  }, PROGRESS_MS);
  let errors = '';
  try {
    const { stdout, code } = await execWatched(guest, command(options), {
      timeoutMs: options.timeoutMs,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      onStderr: (chunk) => {
        const lines = chunk.toString().trimEnd().split('\n');
        line = lines.at(-1) ?? line;
        errors = [...errors.split('\n'), ...lines].slice(-20).join('\n');
      },
    });
    const last = stdout.trim().split('\n').at(-1) ?? '';
    if (!last.startsWith('{')) {
      const result = { pagesWritten: 0, pagesVerified: 0, pagesWrong: 0, seconds: 0 };
      return [result, `the workload ended with ${code} and no result:${errors}`];
    }
    const result = JSON.parse(last) as StormResult;
    return [result, code === 0 ? '' : `the workload ended with ${code}:${errors}`];
  } finally {
    clearInterval(timer);
  }
}

/**
 * Both sides' counters once the store has seen all that was posted; as they are when it has not
 * within SETTLE_MS_MAX. A busy machine may leave a queue full of posted gets behind the guest.
 */
export async function settledCounters(
  guest: Guest,
): Promise<{ counters: GuestCounters; host: StoreStats | null }> {
  const end = performance.now() + SETTLE_MS_MAX;
  for (;;) {
    const counters = await guest.counters();
    const host = (await guest.store?.stats()) ?? null;
    const { puts, gets } = counters.module;
    const agreed =
      host === null ||
      (agree(puts ?? 0, host.puts - host.putsRefused, host) &&
        agree(gets ?? 0, host.gets - host.getsMissed, host));
    if (agreed || performance.now() > end) return { counters, host };
    await delay(SETTLE_POLL_MS);
  }
}

/**
 * Runs a storm in a guest that has its swap set up, and reports.
 * @throws TmemError (OPTION_INVALID), and what `execWatched` throws
 */
export async function runStorm(guest: Guest, options: StormOptions): Promise<StormReport> {
  checkOptions('runStorm', options, CHECKS);
  if (options.thp) await guest.sh(THP_COMMAND);
  const start = performance.now();
  const [result, failure] = await runWorkload(guest, options);
  const storm = (performance.now() - start) / 1000;
  const { counters, host } = await settledCounters(guest);
  const trouble = await guestTrouble(guest);
  const share = swapShare(counters);
  const refusedBy = refusalsOf(counters);
  const hugePages = hugePagesOf(counters);
  const { shareMin = SHARE_MIN } = options;
  const problems = [
    ...(failure === '' ? [] : [failure]),
    ...(result.pagesWrong === 0 ? [] : [`${result.pagesWrong} pages came back wrong`]),
    ...(result.pagesVerified > 0 ? [] : ['no page was verified']),
    ...(options.thp && hugePages.made === 0 ? ['no huge page was made'] : []),
    ...(host === null ? [] : counterProblems(counters, host, guest.frontEnds)),
    ...(host === null ? [] : shareProblems(share, counters, host, shareMin)),
    ...trouble.map(({ line }) => `kernel log: ${line}`),
  ].map(printable);
  const boot = guest.bootSeconds;
  return {
    kernel: guest.kernel.release,
    frontEnd: guest.frontEnds.join(','),
    transport: guest.store?.transport ?? 'none',
    accelerator: guest.accelerator,
    cpus: guest.cpus,
    memoryMib: guest.memoryMib,
    stormMib: options.mib,
    puts: host === null ? 0 : host.puts - host.putsRefused,
    gets: host === null ? 0 : host.gets - host.getsMissed,
    flushes: host?.flushes ?? 0,
    refusals: Object.values(refusedBy).reduce((sum, pages) => sum + pages, 0),
    refusedBy,
    share: share.share ?? null,
    pagesToDisk: share.disk,
    hugePages,
    pagesVerified: result.pagesVerified,
    pagesWrong: result.pagesWrong,
    guest: counters,
    host,
    seconds: { ...boot, storm, total: boot.prepare + boot.boot + boot.swap + storm },
    kernelTrouble: trouble.map(({ report }) => report),
    problems,
    ok: problems.length === 0,
  };
}
