/**
 * Runs a guest against a real server: one with a policy that takes all, then one that refuses.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { Lifetime } from '../../../emulator/lifetime.js';
import { TmemServer } from '../../../emulator/session/server.js';
import { IvshmemClient } from '../../../emulator/testing/index.js';
import { count, type ProofRun } from '../proof.js';
import { Random } from '../random.js';
import { RemoteRings } from './ring-remote.js';

const POLICIES = ['accept', 'refuse-every=5', 'refuse-duplicates'];
/** A store that is killed sooner counts as one that does not start. */
const SERVICE_MS_MIN = 60;
/** Rounds, on average, between two changes of the quota, or lives of the guest. */
const ROUNDS_PER_CHANGE = 200;
const ROUNDS_PER_LIFE = 2000;

export interface RemoteOutcome {
  readonly done: number;
  readonly kills: number;
  readonly problems: string[];
}

/** Kills stores at moments spread over a run. */
class Killer {
  readonly #server: TmemServer;
  readonly #operations: number;
  readonly #kills: number;
  #pid = 0;
  #since = 0;
  kills = 0;

  constructor(server: TmemServer, operations: number, kills: number) {
    this.#server = server;
    this.#operations = operations;
    this.#kills = kills;
  }

  /** Kills the store if it is time to, after so many operations. */
  look(done: number): void {
    const { storePid } = this.#server;
    const now = performance.now();
    if (storePid === undefined) return;
    if (storePid !== this.#pid) {
      this.#pid = storePid;
      this.#since = now;
    }
    const isDue = done * (this.#kills + 1) > this.#operations * (this.kills + 1);
    if (!isDue || now - this.#since < SERVICE_MS_MIN || this.kills === this.#kills) return;
    process.kill(storePid, 'SIGKILL');
    this.#pid = 0;
    this.kills += 1;
  }
}

/** Operations until there are enough, and at last every page. */
async function storm(
  run: ProofRun,
  server: TmemServer,
  rings: RemoteRings,
  killer: Killer,
  operations: number,
): Promise<void> {
  const random = new Random(run.seed + operations);
  await rings.attach();
  while (rings.done < operations && rings.problems.length === 0) {
    rings.round();
    await turn();
    run.signal.throwIfAborted();
    killer.look(rings.done);
    if (random.oneIn(ROUNDS_PER_CHANGE)) await server.setQuota(random.pick([0, 1, 20, 60, 1000]));
    if (random.oneIn(ROUNDS_PER_LIFE)) await rings.attach();
    run.progress(`${count(rings.done)} operations to another process, ${killer.kills} SIGKILLs`);
  }
  if (rings.problems.length > 0) return;
  await rings.settle();
  await rings.readAll();
}

async function runPolicy(
  run: ProofRun,
  policy: string,
  operations: number,
  kills: number,
): Promise<RemoteOutcome> {
  await using lifetime = new Lifetime();
  const folder = mkdtempSync(join(tmpdir(), 'tmem-rings-'));
  lifetime.defer(() => rmSync(folder, { recursive: true, force: true }));
  const socketPath = join(folder, 'socket');
  const options = { socketPath, regionBytes: 2 ** 20, queueEntries: 64, policy };
  const server = lifetime.use(await TmemServer.start(options));
  const client = lifetime.use(await IvshmemClient.connect(socketPath, server.vectors));
  const random = new Random(run.seed ^ policy.length);
  const rings = lifetime.use(new RemoteRings({ server, client, random }));
  const killer = new Killer(server, operations, kills);
  const problems: string[] = [];
  try {
    await storm(run, server, rings, killer, operations);
  } catch (error) {
    // A guest that is cut off, or gets no answer, or one that no host gives.
    run.signal.throwIfAborted();
    problems.push((error as Error).message);
  }
  problems.push(...rings.problems);
  return {
    done: rings.done,
    kills: killer.kills,
    problems: problems.map((problem) => `policy ${policy}: ${problem}`),
  };
}

/** So many operations and kills, under each policy in turn. */
export async function runRemoteRings(
  run: ProofRun,
  operations: number,
  kills: number,
): Promise<RemoteOutcome> {
  const problems: string[] = [];
  let done = 0;
  let killed = 0;
  for (const [at, policy] of POLICIES.entries()) {
    if (problems.length > 0) break;
    const share = POLICIES.length - at;
    const some = Math.ceil((operations - done) / share);
    const outcome = await runPolicy(run, policy, some, Math.ceil((kills - killed) / share));
    done += outcome.done;
    killed += outcome.kills;
    problems.push(...outcome.problems);
  }
  return { done, kills: killed, problems };
}
