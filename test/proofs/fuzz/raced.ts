/**
 * The campaign that no seed replays: another thread writes to the region all the time, whatever the
 * host reads there at that moment. One host lives through all of it, so that it must not grow.
 */
import { Worker } from 'node:worker_threads';
import { Random } from '../random.js';
import { type Finds, noFinds, usedBytes } from './campaign.js';
import { Finding } from './finding.js';
import { Generator } from './generate.js';
import type { MutatorSetup } from './mutator.js';
import type { Step } from './steps.js';
import { Target, type TargetPlan } from './target.js';

const REGION_BYTES = 2 ** 20;
const PLAN: TargetPlan = {
  queueCount: 2,
  queueEntries: 64,
  policy: 'accept',
  plainReads: false,
};

/** `onCase`: now and again, with the descriptors so far. */
export async function runRaced(
  seed: number,
  most: number,
  onCase: (number: number, descriptors: number) => void,
): Promise<Finds> {
  const raced = new SharedArrayBuffer(REGION_BYTES);
  const stop = new SharedArrayBuffer(4);
  using target = new Target(PLAN, { raced });
  const { slotPage, queueOffset } = target.geometry;
  const setup: MutatorSetup = {
    raced,
    stop,
    seed,
    words: slotPage * 1024,
    queues: queueOffset / 4,
  };
  const mutator = new Worker(new URL('./mutator.js', import.meta.url), { workerData: setup });
  await new Promise((resolve) => mutator.once('online', resolve));
  const finds = noFinds();
  const steps: Step[] = [];
  try {
    race(new Random(seed), target, most, steps, finds, onCase);
  } catch (error) {
    if (!(error instanceof Finding)) throw error;
    const input = { campaign: 'shared' as const, plan: PLAN, steps: steps.splice(-20) };
    finds.finding = { number: 0, message: `${error.message}, raced`, input };
  } finally {
    Atomics.store(new Int32Array(stop), 0, 1);
    await mutator.terminate();
  }
  finds.descriptors = target.descriptors;
  return finds;
}

/** Steps whose last ones are told with a finding. */
const STEPS_KEPT = 1000;

function race(
  random: Random,
  target: Target,
  most: number,
  steps: Step[],
  finds: Finds,
  onCase: (number: number, descriptors: number) => void,
): void {
  const generator = new Generator(random, target);
  let before = -1;
  for (let count = 1; target.descriptors < most; count += 1) {
    const step = generator.next();
    if (steps.length === STEPS_KEPT) steps.length = 0;
    steps.push(step);
    target.apply(step);
    if (count % 10_000 === 0) onCase(0, target.descriptors);
    if (before === -1 && target.descriptors > most / 10) before = usedBytes();
    for (const fault of target.faults.splice(0)) {
      finds.faults[fault] = (finds.faults[fault] ?? 0) + 1;
    }
  }
  finds.cases = 1;
  finds.grownBytes = usedBytes() - before;
}
