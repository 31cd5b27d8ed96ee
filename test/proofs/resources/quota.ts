/**
 * The proof `quota`: whatever a guest puts, the host holds no more than the quota says, and what it
 * takes beyond that is a constant. A quota that is met is a refusal, and no page is lost by it.
 *
 * Slots are used again in the order in which they were freed, the last first, so the memory for
 * pages is at most what the largest quota so far allows, of a guest that writes only where it may.
 * No process of the host's keeps it once the machine has gone.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { RunDir } from '../../../emulator/guest/paths.js';
import { Lifetime } from '../../../emulator/lifetime.js';
import { PAGE_BYTES } from '../../../emulator/protocol/layout.js';
import { TmemServer } from '../../../emulator/session/server.js';
import { count, type Proof, type ProofResult, type ProofRun } from '../proof.js';
import { Filler } from './filler.js';
import { hasFile, mib, usageOfAll } from './measure.js';

/** What stores and their supervisor, which this process is, may take more than in the beginning. */
const OWN_BYTES_MAX = 64 * 2 ** 20;
const CLEARED_MS_MAX = 20_000;
const LOOK_MS = 10;
const NO_QUOTA = Number.POSITIVE_INFINITY;

interface Step {
  readonly name: string;
  /** Of all slots; or pages, where it is no fraction. */
  readonly quota: number;
  /** Pages dropped before, as a part of those that are there. */
  readonly flush?: number;
}

/** One after the other; what is there stays from each to the next. */
const STEPS: readonly Step[] = [
  { name: 'none', quota: 0 },
  { name: 'one page', quota: 1 },
  { name: 'half', quota: 0.5 },
  { name: 'shrunk while full', quota: 0.25 },
  { name: 'shrunk, some flushed', quota: 0.25, flush: 0.75 },
  { name: 'nothing while full', quota: 0 },
  { name: 'more than there is', quota: NO_QUOTA },
  { name: 'shrunk again', quota: 0.5, flush: 0.9 },
];

class QuotaRun {
  readonly #run: ProofRun;
  readonly #server: TmemServer;
  readonly #filler: Filler;
  /** After the first step: by then a spare store has loaded its code. */
  #ownBytes: number | undefined;
  /** Most pages that any quota so far allowed. */
  #pagesMax = 0;
  ownBytesMax = 0;
  readonly problems: string[] = [];

  constructor(run: ProofRun, server: TmemServer, filler: Filler) {
    this.#run = run;
    this.#server = server;
    this.#filler = filler;
  }

  #expect(holds: boolean, problem: string): void {
    if (!holds) this.problems.push(problem);
  }

  async step({ name, quota, flush = 0 }: Step): Promise<void> {
    const filler = this.#filler;
    const server = this.#server;
    const some = quota > 0 && quota < 1;
    const limit = some ? Math.floor(filler.slots * quota) : Math.min(quota, filler.slots);
    await server.setQuota(some ? limit : quota);
    const before = await server.stats();
    filler.flush(Math.floor(before.pagesUsed * flush));
    const left = await server.stats();
    const taken = filler.put(this.#run.sizes.puts!);
    const after = await server.stats();
    filler.check();
    const held = after.pagesUsed + after.pagesGranted;
    const most = Math.max(limit, left.pagesUsed + left.pagesGranted);
    this.#pagesMax = Math.max(this.#pagesMax, limit);
    this.#expect(held <= most, `${name}: ${held} pages are held of ${most}`);
    // What was promised before the quota shrank may still be put.
    const room = Math.max(0, most - left.pagesUsed);
    this.#expect(taken > 0 || room === 0, `${name}: no page was taken, and there was room`);
    this.#expect(held >= Math.min(limit, 1), `${name}: no page is there`);
    this.#checkMemory(name);
    this.#run.progress(`${name}: ${count(held)} pages held, ${mib(filler.memoryBytes)}`);
  }

  #checkMemory(name: string): void {
    const { memoryBytes, headBytes } = this.#filler;
    const most = this.#pagesMax * PAGE_BYTES + headBytes;
    this.#expect(memoryBytes <= most, `${name}: ${mib(memoryBytes)} of memory for ${mib(most)}`);
    const used = usageOfAll([process.pid, ...this.#server.storePids]).memoryBytes;
    this.#ownBytes ??= used;
    const own = used - this.#ownBytes;
    this.ownBytesMax = Math.max(this.ownBytesMax, own);
    this.#expect(own <= OWN_BYTES_MAX, `${name}: the host took ${mib(own)} more for itself`);
  }
}

/** The memory comes back once the machine has gone. @returns processes that hold it all the same */
async function awaitCleared(server: TmemServer, inode: number): Promise<number[]> {
  const deadline = performance.now() + CLEARED_MS_MAX;
  for (;;) {
    const holders = [process.pid, ...server.storePids].filter((pid) => hasFile(pid, inode));
    if (holders.length === 0 || performance.now() > deadline) return holders;
    await delay(LOOK_MS);
  }
}

interface PoolOutcome {
  readonly puts: number;
  readonly wrong: number;
  readonly ownBytesMax: number;
  readonly problems: readonly string[];
}

async function provePool(run: ProofRun, isPersistent: boolean): Promise<PoolOutcome> {
  await using lifetime = new Lifetime();
  const runDir = lifetime.use(new RunDir());
  const socketPath = runDir.file('store.sock');
  const regionBytes = run.sizes.mib! * 2 ** 20;
  const server = lifetime.use(await TmemServer.start({ socketPath, regionBytes, quotaPages: 0 }));
  const { vectors } = server;
  const options = { socketPath, vectors, regionBytes, isPersistent };
  const filler = lifetime.use(await Filler.connect(options));
  const steps = new QuotaRun(run, server, filler);
  for (const step of STEPS) {
    run.signal.throwIfAborted();
    await steps.step(step);
  }
  filler.flush(Number.POSITIVE_INFINITY);
  const { inode, memoryBytes } = filler;
  filler[Symbol.dispose]();
  const holders = await awaitCleared(server, inode);
  const problems = [...steps.problems];
  if (filler.wrong > 0) problems.push(`${filler.wrong} pages were wrong or gone`);
  if (holders.length > 0) {
    problems.push(`${mib(memoryBytes)} were kept after the machine by ${holders.length} processes`);
  }
  const { puts, wrong } = filler;
  const kind = isPersistent ? 'swap' : 'cache';
  return {
    puts,
    wrong,
    ownBytesMax: steps.ownBytesMax,
    problems: problems.map((problem) => `${kind}, ${problem}`),
  };
}

async function prove(run: ProofRun): Promise<ProofResult> {
  const swap = await provePool(run, true);
  const cache = await provePool(run, false);
  const puts = swap.puts + cache.puts;
  const wrong = swap.wrong + cache.wrong;
  const ownBytes = Math.max(swap.ownBytesMax, cache.ownBytesMax);
  return {
    problems: [...swap.problems, ...cache.problems],
    figure:
      `${count(puts)} puts under ${2 * STEPS.length} quotas: memory for pages within each, ` +
      `${mib(ownBytes)} more for the host itself, ${wrong} pages wrong`,
    numbers: { puts, wrong, ownBytes },
  };
}

export const quota: Proof = {
  name: 'quota',
  about: 'a quota that is met is a refusal; memory stays within the quota and a constant',
  sizes: {
    puts: { quick: 1200, full: 20_000, about: 'puts under each quota' },
    mib: { quick: 4, full: 64, about: 'MiB of memory for pages, a power of two' },
  },
  run: prove,
};
