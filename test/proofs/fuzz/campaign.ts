/**
 * Runs case after case until so many descriptors were taken, and says what came of them.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Campaign, caseNumber, type Input, runCase } from './cases.js';

export interface CampaignTask {
  readonly campaign: Campaign;
  readonly seed: number;
  readonly descriptors: number;
  /** Of every `of` cases this one runs number `part`. */
  readonly part: number;
  readonly of: number;
}

export interface Finds {
  descriptors: number;
  cases: number;
  /** How often guests were cut off, by fault. */
  readonly faults: Record<number, number>;
  /** Bytes by which the heap grew over all cases but the first tenth. */
  grownBytes: number;
  finding?: { readonly number: number; readonly message: string; readonly input: Input };
}

export function noFinds(): Finds {
  return { descriptors: 0, cases: 0, faults: {}, grownBytes: 0 };
}

/** Heap and buffers in use by this thread, once all that is not was collected. */
export function usedBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** `onCase`: before each case, with its number. Ends with the first finding. */
export function runCampaign(
  task: CampaignTask,
  onCase: (number: number, descriptors: number) => void,
): Finds {
  const finds = noFinds();
  let before = -1;
  for (let turn = task.part; finds.descriptors < task.descriptors; turn += task.of) {
    if (before === -1 && finds.descriptors >= task.descriptors / 10) before = usedBytes();
    const number = caseNumber(task.campaign, turn);
    onCase(number, finds.descriptors);
    const { descriptors, faults, finding, input } = runCase(task.seed, number);
    finds.descriptors += descriptors;
    finds.cases += 1;
    for (const fault of faults) finds.faults[fault] = (finds.faults[fault] ?? 0) + 1;
    if (finding === undefined) continue;
    finds.finding = { number, message: finding, input };
    break;
  }
  finds.grownBytes = before === -1 ? 0 : usedBytes() - before;
  return finds;
}
