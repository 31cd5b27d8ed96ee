/**
 * A thread that writes hostile words to a region until it is told to stop: a guest's other CPU.
 */
import { workerData } from 'node:worker_threads';
import { Random } from '../random.js';

export interface MutatorSetup {
  readonly raced: SharedArrayBuffer;
  /** One word: not 0 to stop. */
  readonly stop: SharedArrayBuffer;
  readonly seed: number;
  /** Words of the region that it writes to, from the first on, and where the queues begin. */
  readonly words: number;
  readonly queues: number;
}

const STRANGE = [0, 1, 2, 4, 5, 15, 64, 251, 252, -1, 0x7fff_ffff, -0x8000_0000, 0x10_0000];
/** Turns between two writes, at most: a guest that is cut off at once shows nothing. */
const PAUSE_MAX = 20_000;

function mutate({ raced, stop, seed, words, queues }: MutatorSetup): void {
  const random = new Random(seed);
  const region = new Int32Array(raced);
  const stopped = new Int32Array(stop);
  while (Atomics.load(stopped, 0) === 0) {
    const word = random.oneIn(8) ? random.below(queues) : queues + random.below(words - queues);
    const value = random.oneIn(3) ? random.next() : random.pick(STRANGE);
    Atomics.store(region, word, value | 0);
    for (let turns = random.below(PAUSE_MAX); turns > 0; turns -= 1) Atomics.load(stopped, 0);
  }
}

mutate(workerData as MutatorSetup);
