/**
 * Kernels x front ends x transports: a verified storm in each combination that can be, and the
 * reason for each that cannot.
 *
 * A kernel that cannot be had (its packages are gone from the mirror, its build failed) fills its
 * own rows with that reason, and the others go on. Each combination is a guest of its own.
 */
import { ensureKernel, type Kernel, type Progress } from '../../images/index.js';
import { TmemError } from '../errors.js';
import type { Transport } from '../transport/transports.js';
import { runFileStorm } from './file-storm.js';
import { chooseFrontEnds, FRONT_ENDS_STORMED, type FrontEnd } from './front-end.js';
import { bootGuest, type Guest, type GuestOptions } from './guest.js';
import { defaultCacheDir } from './paths.js';
import { runStorm } from './storm.js';

export interface MatrixOptions {
  /** Names from `kernelCatalogue()`. */
  readonly kernels: readonly string[];
  readonly transports: readonly Transport[];
  /** What every guest has in common. */
  readonly guest: GuestOptions;
  readonly mib: number;
  readonly passes: number;
  /** As in StormOptions; of no meaning to cleancache. */
  readonly thp?: boolean;
  readonly timeoutMs: number;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
  /** Called with each row as it is known. */
  readonly onRow?: (row: MatrixRow) => void;
}

/**
 * `ok`: every page came back right, counters agree, the kernel log is clean. `cannot`: the kernel
 * has no such hook. `absent`: the kernel could not be had. `failed`: the rest; never a pass.
 */
export type MatrixOutcome = 'ok' | 'failed' | 'cannot' | 'absent';

export interface MatrixRow {
  readonly kernel: string;
  /** As `uname -r` says; empty when the kernel is absent. */
  readonly release: string;
  readonly frontEnd: FrontEnd;
  readonly transport: Transport;
  readonly outcome: MatrixOutcome;
  /** Why it is not ok; empty when it is. */
  readonly reason: string;
  readonly puts: number;
  readonly gets: number;
  readonly pagesVerified: number;
  readonly pagesWrong: number;
  readonly bootSeconds: number;
  readonly stormSeconds: number;
}

const NOTHING = {
  puts: 0,
  gets: 0,
  pagesVerified: 0,
  pagesWrong: 0,
  bootSeconds: 0,
  stormSeconds: 0,
};

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The kernel, or why it cannot be had. */
async function kernelOf(name: string, options: MatrixOptions): Promise<Kernel | string> {
  const { cacheDir = defaultCacheDir(), mirror, kernelPatches } = options.guest;
  try {
    return await ensureKernel(name, {
      cacheDir,
      progress: options.progress,
      patches: kernelPatches ?? [],
      ...(mirror === undefined ? {} : { mirror }),
    });
  } catch (error) {
    return messageOf(error);
  }
}

function obstacle(kernel: Kernel, frontEnd: FrontEnd): string | undefined {
  try {
    chooseFrontEnds(kernel, frontEnd);
    return undefined;
  } catch (error) {
    if (error instanceof TmemError) return error.message;
    throw error;
  }
}

type Cell = Pick<MatrixRow, 'kernel' | 'release' | 'frontEnd' | 'transport'>;

type Outcome = Omit<MatrixRow, keyof Cell | 'outcome' | 'reason' | 'bootSeconds'> & {
  readonly problems: readonly string[];
};

async function swapStorm(guest: Guest, options: MatrixOptions): Promise<Outcome> {
  const { mib, passes, timeoutMs, signal, thp } = options;
  const more = {
    ...(signal === undefined ? {} : { signal }),
    ...(thp === undefined ? {} : { thp }),
  };
  const report = await runStorm(guest, { mib, passes, timeoutMs, ...more });
  // A storm that never reached the store proves nothing about this combination.
  const nothing = report.puts > 0 ? [] : ['no page reached the store'];
  const { puts, gets, pagesVerified, pagesWrong } = report;
  const problems = [...report.problems, ...nothing];
  return { puts, gets, pagesVerified, pagesWrong, problems, stormSeconds: report.seconds.storm };
}

/** Clean pages of files: what counts is that some of them come back from the store. */
async function fileStorm(guest: Guest, options: MatrixOptions): Promise<Outcome> {
  const { mib, passes, timeoutMs, signal } = options;
  const more = signal === undefined ? {} : { signal };
  const report = await runFileStorm(guest, { mib, passes, timeoutMs, ...more });
  const { pagesVerified, pagesWrong, hits: gets } = report;
  const nothing = gets > 0 ? [] : ['no page came from the store'];
  const puts = (report.host?.puts ?? 0) - (report.host?.putsRefused ?? 0);
  const problems = [...report.problems, ...nothing];
  return { puts, gets, pagesVerified, pagesWrong, problems, stormSeconds: report.seconds };
}

async function storm(cell: Cell, options: MatrixOptions): Promise<MatrixRow> {
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const { kernel, frontEnd, transport } = cell;
  const files = frontEnd === 'cleancache';
  try {
    const store = { ...options.guest.store, transport };
    const data = files ? { dataMib: options.mib * 2 + 64 } : {};
    const chosen = { ...options.guest, ...signal, ...data, kernel, frontEnd, store };
    await using guest = await bootGuest(chosen);
    const { problems, ...outcome } = await (files ? fileStorm : swapStorm)(guest, options);
    return {
      ...cell,
      ...outcome,
      outcome: problems.length === 0 ? 'ok' : 'failed',
      reason: problems.join('; '),
      bootSeconds: guest.bootSeconds.boot,
    };
  } catch (error) {
    options.signal?.throwIfAborted();
    return { ...cell, ...NOTHING, outcome: 'failed', reason: messageOf(error) };
  }
}

/**
 * Runs every combination, one guest at a time.
 * @throws only the signal's reason: whatever else goes wrong is a row
 */
export async function runMatrix(options: MatrixOptions): Promise<MatrixRow[]> {
  const rows: MatrixRow[] = [];
  const add = (row: MatrixRow): void => {
    rows.push(row);
    options.onRow?.(row);
  };
  for (const name of options.kernels) {
    const kernel = await kernelOf(name, options);
    options.signal?.throwIfAborted();
    for (const frontEnd of FRONT_ENDS_STORMED) {
      for (const transport of options.transports) {
        const where = { kernel: name, frontEnd, transport };
        if (typeof kernel === 'string') {
          add({ ...where, ...NOTHING, release: '', outcome: 'absent', reason: kernel });
          continue;
        }
        const cell = { ...where, release: kernel.release };
        const why = obstacle(kernel, frontEnd);
        if (why === undefined) add(await storm(cell, options));
        else add({ ...cell, ...NOTHING, outcome: 'cannot', reason: why });
      }
    }
  }
  return rows;
}
