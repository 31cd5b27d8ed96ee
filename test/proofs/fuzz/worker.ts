/**
 * A thread's share of a release run: its part of each campaign, one after the other.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type CampaignTask, type Finds, runCampaign } from './campaign.js';
import { runRaced } from './raced.js';

export interface WorkerSetup {
  readonly tasks: readonly CampaignTask[];
  /** Descriptors with another thread writing meanwhile. */
  readonly raced: number;
  readonly seed: number;
}

export type WorkerMessage =
  /** The case that begins; 0: of none. Descriptors of this task so far. */
  { readonly number: number; readonly descriptors: number } | { readonly finds: Finds };

/** Between two words of how far it has come. */
const TELL_MS = 500;

function tell(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

let told = 0;
function onCase(number: number, descriptors: number): void {
  const now = performance.now();
  if (now - told < TELL_MS) return;
  told = now;
  tell({ number, descriptors });
}

const { tasks, raced, seed } = workerData as WorkerSetup;
let found = false;
for (const task of tasks) {
  const finds = runCampaign(task, onCase);
  tell({ finds });
  found = finds.finding !== undefined;
  if (found) break;
}
if (!found && raced > 0) tell({ finds: await runRaced(seed, raced, onCase) });
