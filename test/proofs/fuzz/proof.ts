/**
 * The proof `fuzz`: whatever a guest writes, the host lives, stays right, serves others right, and
 * cuts the guest off by name.
 *
 * The same seed gives the same run but for the share that is raced by another thread. A quick run
 * is in this thread; a release run takes two.
 */
import { Worker } from 'node:worker_threads';
import { FAULT_NAMES } from '../../../emulator/session/session.js';
import { count, type Proof, type ProofResult, type ProofRun } from '../proof.js';
import { type CampaignTask, type Finds, noFinds, runCampaign } from './campaign.js';
import { CAMPAIGNS, type Campaign, type Input, runCase } from './cases.js';
import { shrink } from './shrink.js';
import type { WorkerMessage, WorkerSetup } from './worker.js';

/** What part of the descriptors each campaign takes: those that cost more take fewer. */
const SHARES: Readonly<Record<Campaign, number>> = { shared: 0.79, watched: 0.1, link: 0.1 };
const RACED_SHARE = 0.01;
const THREADS = 2;
/** A case takes some 50 ms: one that takes this long does not end. */
const CASE_MS_MAX = 120_000;
/** What the heap may differ by between two looks at it. */
const GROWTH_BYTES_MAX = 16 * 2 ** 20;
/** An input that is longer is not told whole. */
const INPUT_CHARACTERS_MAX = 4000;

function tasksOf(run: ProofRun, part: number, of: number): CampaignTask[] {
  return CAMPAIGNS.map((campaign) => ({
    campaign,
    seed: run.seed,
    descriptors: Math.ceil((run.sizes.descriptors! * SHARES[campaign]) / of),
    part,
    of,
  }));
}

function add(sum: Finds, more: Finds): void {
  sum.descriptors += more.descriptors;
  sum.cases += more.cases;
  sum.grownBytes = Math.max(sum.grownBytes, more.grownBytes);
  for (const [fault, times] of Object.entries(more.faults)) {
    sum.faults[Number(fault)] = (sum.faults[Number(fault)] ?? 0) + times;
  }
}

/** What was found, with the smallest input that shows it and how to run it again. */
function describe(run: ProofRun, finds: Finds): string[] {
  const problems: string[] = [];
  if (finds.grownBytes > GROWTH_BYTES_MAX) {
    problems.push(`the heap grew by ${count(finds.grownBytes)} bytes`);
  }
  if (finds.finding === undefined) return problems;
  const { number, message, input } = finds.finding;
  const step = input.steps.length;
  if (number === 0) return [...problems, `${message}; not to be run again`];
  const again = `npm run prove -- fuzz --seed ${run.seed} --case ${number}`;
  return [...problems, `case ${number}, step ${step}: ${message}; ${again}`, told(shrink(input))];
}

function told(input: Input): string {
  const text = JSON.stringify(input);
  const isLong = text.length > INPUT_CHARACTERS_MAX;
  return `as few as ${input.steps.length} steps: ${text.slice(0, INPUT_CHARACTERS_MAX)}${isLong ? '…' : ''}`;
}

async function runThread(
  setup: WorkerSetup,
  onProgress: (descriptors: number) => void,
  signal: AbortSignal,
): Promise<{ finds: Finds[]; problems: string[] }> {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: setup });
  const finds: Finds[] = [];
  const problems: string[] = [];
  let last = 0;
  let done = 0;
  const stop = (): void => void worker.terminate();
  const watchdog = (): NodeJS.Timeout =>
    setTimeout(() => {
      problems.push(`about case ${last}: it does not end; seed ${setup.seed}`);
      stop();
    }, CASE_MS_MAX);
  let timer = watchdog();
  signal.addEventListener('abort', stop);
  worker.on('message', (message: WorkerMessage) => {
    clearTimeout(timer);
    timer = watchdog();
    if ('finds' in message) {
      finds.push(message.finds);
      done += message.finds.descriptors;
      onProgress(done);
      return;
    }
    last = message.number;
    onProgress(done + message.descriptors);
  });
  worker.on('error', (error) => problems.push(`the thread failed: ${error.stack}`));
  await new Promise((resolve) => worker.once('exit', resolve));
  clearTimeout(timer);
  signal.removeEventListener('abort', stop);
  return { finds, problems };
}

async function runThreads(run: ProofRun): Promise<{ finds: Finds[]; problems: string[] }> {
  const progress = new Array<number>(THREADS).fill(0);
  const raced = Math.ceil((run.sizes.descriptors! * RACED_SHARE) / THREADS);
  const threads = await Promise.all(
    progress.map((_, part) => {
      const setup = { tasks: tasksOf(run, part, THREADS), raced, seed: run.seed + part };
      const onProgress = (descriptors: number): void => {
        progress[part] = descriptors;
        run.progress(`fuzz: ${count(progress.reduce((a, b) => a + b, 0))} descriptors`);
      };
      return runThread(setup, onProgress, run.signal);
    }),
  );
  return {
    finds: threads.flatMap(({ finds }) => finds),
    problems: threads.flatMap(({ problems }) => problems),
  };
}

function runHere(run: ProofRun): { finds: Finds[]; problems: string[] } {
  const finds: Finds[] = [];
  for (const task of tasksOf(run, 0, 1)) {
    if (finds.some(({ finding }) => finding !== undefined)) break;
    finds.push(runCampaign(task, () => run.signal.throwIfAborted()));
  }
  return { finds, problems: [] };
}

function runOne(run: ProofRun): { finds: Finds[]; problems: string[] } {
  const number = run.sizes.case!;
  const { descriptors, finding, input } = runCase(run.seed, number);
  const finds: Finds = { ...noFinds(), descriptors, cases: 1 };
  if (finding !== undefined) finds.finding = { number, message: finding, input };
  return { finds: [finds], problems: [] };
}

async function prove(run: ProofRun): Promise<ProofResult> {
  const isOne = run.sizes.case !== 0;
  const { finds, problems } = isOne
    ? runOne(run)
    : run.quick
      ? runHere(run)
      : await runThreads(run);
  const sum = noFinds();
  for (const each of finds) add(sum, each);
  const cuts = Object.entries(sum.faults);
  const cut = cuts.reduce((all, [, times]) => all + times, 0);
  const names = cuts.map(([fault, times]) => `${FAULT_NAMES[Number(fault)]} ${count(times)}`);
  return {
    problems: [...problems, ...finds.flatMap((each) => describe(run, each))],
    figure:
      `${count(sum.descriptors)} hostile descriptors in ${count(sum.cases)} cases, ` +
      `${count(cut)} guests cut off (${names.join(', ')})`,
    numbers: { descriptors: sum.descriptors, cases: sum.cases, cutOff: cut },
  };
}

export const fuzz: Proof = {
  name: 'fuzz',
  about: 'a hostile guest writes anything anywhere: the host stays right, and others with it',
  sizes: {
    descriptors: { quick: 300_000, full: 100_000_000, about: 'descriptors that the host takes' },
    case: { quick: 0, full: 0, about: 'run this case alone; 0: as many as it takes' },
  },
  run: prove,
};
