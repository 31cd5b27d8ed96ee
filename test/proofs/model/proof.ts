/**
 * The model agrees: random operations on the store alone, and through the rings, have the answers
 * that a plain model gives, and those under way at once can be put into an order that explains
 * them.
 */
import { count, type Proof, type ProofResult, type ProofRun } from '../proof.js';
import { Random } from '../random.js';
import { Reaper } from './death.js';
import { LocalRings } from './ring-local.js';
import { runRemoteRings } from './ring-server.js';
import { StoreLife } from './store-life.js';
import { Divergence } from './store-log.js';
import { drawShape } from './store-shape.js';

/** Operations of one life. */
const STORE_LIFE = 2 ** 17;
const RING_LIFE = 2 ** 15;

/** Lets the process hear signals, and whoever waits. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Of a life alone, so that each can be seen again without those before it. */
function randomOf(seed: number, life: number): Random {
  return new Random(seed + Math.imul(life, 0x9e37_79b1));
}

/** What a life of so many operations ends with; undefined when it is as the model has it. */
function problemOf(run: () => void): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return error instanceof Divergence ? error.message : (error as Error).stack!;
  }
}

async function proveStore(run: ProofRun): Promise<ProofResult> {
  const operations = run.sizes.operations!;
  const problems: string[] = [];
  let done = 0;
  for (let life = Math.floor(run.sizes.from! / STORE_LIFE); done < operations; life += 1) {
    await turn();
    run.signal.throwIfAborted();
    const some = Math.min(STORE_LIFE, operations - done);
    const random = randomOf(run.seed, life);
    const problem = problemOf(() => new StoreLife(drawShape(life, random), random).run(some));
    done += some;
    run.progress(`${count(done)} operations, life ${life}`);
    if (problem === undefined) continue;
    problems.push(`life ${life}, which --from ${life * STORE_LIFE} begins with: ${problem}`);
    break;
  }
  return {
    problems,
    figure: `${count(done)} operations on the store, ${problems.length} divergences`,
    numbers: { operations: done, divergences: problems.length },
  };
}

export const storeModel: Proof = {
  name: 'store-model',
  about: 'random operations on the store have the answers of a plain model, across restarts',
  sizes: {
    operations: { quick: 1e6, full: 1e8, about: 'operations' },
    from: { quick: 0, full: 0, about: 'begin with the life that has this operation' },
  },
  run: proveStore,
};

/** Rings in this thread, where the order of a key's operations is known. */
async function proveLocalRings(
  run: ProofRun,
  operations: number,
): Promise<{ done: number; takeovers: number; problems: string[] }> {
  using reaper = new Reaper();
  const problems: string[] = [];
  let done = 0;
  let takeovers = 0;
  for (let life = 0; done < operations && problems.length === 0; life += 1) {
    await turn();
    run.signal.throwIfAborted();
    const rings = new LocalRings(randomOf(run.seed, life), reaper);
    const problem = problemOf(() => rings.run(Math.min(RING_LIFE, operations - done)));
    done += rings.done;
    takeovers += rings.takeovers;
    run.progress(`${count(done)} operations in one thread, ${count(takeovers)} take-overs`);
    if (problem !== undefined) problems.push(`life ${life}: ${problem}`);
  }
  return { done, takeovers, problems };
}

async function proveRings(run: ProofRun): Promise<ProofResult> {
  const half = run.sizes.operations! / 2;
  const local = await proveLocalRings(run, half);
  const remote =
    local.problems.length > 0
      ? { done: 0, kills: 0, problems: [] }
      : await runRemoteRings(run, half, run.sizes.kills!);
  const problems = [...local.problems, ...remote.problems];
  const done = local.done + remote.done;
  return {
    problems,
    figure:
      `${count(done)} operations through the rings, ${count(remote.done)} of them to another ` +
      `process; ${count(local.takeovers)} take-overs and ${remote.kills} SIGKILLs, ` +
      `${problems.length} divergences`,
    numbers: {
      operations: done,
      remoteOperations: remote.done,
      takeovers: local.takeovers,
      kills: remote.kills,
      divergences: problems.length,
    },
  };
}

export const ringModel: Proof = {
  name: 'ring-model',
  about:
    'operations posted through the rings, many of one key at once, have answers that an order ' +
    'explains, across stores that die; the half to another process depends on time as well',
  sizes: {
    operations: { quick: 2e5, full: 1e7, about: 'operations, half of them to another process' },
    kills: { quick: 4, full: 100, about: 'stores killed' },
  },
  run: proveRings,
};
