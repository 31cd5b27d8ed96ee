/**
 * The proof `limits`: what the machine does not have is named at the start, with nothing left
 * behind; what runs out later is survived and served again; and whoever does not read keeps nobody
 * from being served, nor memory from staying as it is.
 */
import { RunDir } from '../../../emulator/guest/paths.js';
import type { Proof, ProofResult, ProofRun } from '../proof.js';
import type { LimitCase } from './case.js';
import { DESCRIPTOR_CASES } from './descriptor-cases.js';
import { READER_CASES } from './reader-cases.js';
import { ROOM_CASES } from './room-cases.js';

async function prove(run: ProofRun): Promise<ProofResult> {
  const all: readonly LimitCase[] = [...ROOM_CASES, ...DESCRIPTOR_CASES, ...READER_CASES];
  const cases = all.filter((one) => !(run.quick && one.isLong));
  const problems: string[] = [];
  for (const { name, run: runCase } of cases) {
    run.signal.throwIfAborted();
    run.progress(name);
    await using folder = new RunDir();
    try {
      await runCase(folder, run);
    } catch (error) {
      run.signal.throwIfAborted();
      problems.push(`${name}: ${(error as Error).message}`);
    }
  }
  const held = cases.length - problems.length;
  return {
    problems,
    figure: `${held} of ${cases.length} shortages named at the start or survived`,
    numbers: { cases: cases.length, held },
  };
}

export const limits: Proof = {
  name: 'limits',
  about: 'a full disk, few descriptors and slow readers are named at the start, or survived',
  sizes: {},
  run: prove,
};
