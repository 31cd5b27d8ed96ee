/**
 * The proof `soak`: an hour of load, with machines that come and go, stores that die and real guests
 * in between, leaves memory, descriptors and threads as they were, and no page is wrong.
 *
 * Two servers take turns: the store of one lives through the whole run, those of the other are
 * killed. This process supervises both. Not replayable.
 */
import { closeSync, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { bootGuest } from '../../../emulator/guest/guest.js';
import { RunDir } from '../../../emulator/guest/paths.js';
import { runStorm } from '../../../emulator/guest/storm.js';
import { Lifetime } from '../../../emulator/lifetime.js';
import { Feature } from '../../../emulator/protocol/layout.js';
import { TmemServer } from '../../../emulator/session/server.js';
import { IvshmemClient } from '../../../emulator/testing/index.js';
import { killStores } from '../kill/killer.js';
import { buildClient, type ClientReport, NativeClient } from '../kill/native-client.js';
import { count, PROBLEMS_MAX, type Proof, type ProofResult, type ProofRun } from '../proof.js';
import { Random } from '../random.js';
import { mib, usageOfAll } from './measure.js';
import { growthOf, moreOf, Samples } from './samples.js';

const REGION_BYTES = 64 * 2 ** 20;
const THREADS = 2;
const KEYS = 8192;
const FEATURES = [0, Feature.POSTED_PUTS, Feature.POSTED_PUTS | Feature.DIRECT_GETS];
const ROUND_MS_MAX = 20_000;
const ROUNDS_MIN = 5;
const SAMPLE_MS = 250;
/** After a machine has gone, until its memory is cleared and a spare store has loaded its code. */
const QUIET_MS = 500;
const STORM = { mib: 96, passes: 2, timeoutMs: 300_000 } as const;
const GUEST_MIB = 128;
/** Where a run is too short to tell whether anything grows. */
const QUICK_BYTES_MAX = 400 * 2 ** 20;

/** Counts of the client's that must be zero. */
const WRONG = [
  'lost',
  'stale',
  'torn',
  'foreign',
  'wrongResults',
  'timeouts',
  'hostErrors',
] as const;

interface Side {
  readonly server: TmemServer;
  readonly socketPath: string;
  readonly isKilled: boolean;
}

class Soak {
  readonly #run: ProofRun;
  readonly #random: Random;
  readonly #program: string;
  readonly #sides: readonly Side[];
  readonly #began = performance.now();
  readonly supervisor = new Samples();
  readonly stores = new Samples();
  readonly descriptors = new Samples();
  readonly threads = new Samples();
  readonly problems: string[] = [];
  operations = 0;
  verified = 0;
  kills = 0;
  storms = 0;

  constructor(run: ProofRun, program: string, sides: readonly Side[]) {
    this.#run = run;
    this.#random = new Random(run.seed);
    this.#program = program;
    this.#sides = sides;
  }

  get #ms(): number {
    return performance.now() - this.#began;
  }

  #say(problem: string | undefined): void {
    if (problem !== undefined && this.problems.length < PROBLEMS_MAX) this.problems.push(problem);
  }

  async rounds(): Promise<void> {
    const ms = this.#run.sizes.seconds! * 1000;
    const roundMs = Math.min(ROUND_MS_MAX, ms / ROUNDS_MIN);
    let guestMs = 0;
    for (let round = 0; this.#ms < ms && this.problems.length === 0; round += 1) {
      this.#run.signal.throwIfAborted();
      const from = this.#ms;
      if (guestMs * 100 < from * this.#run.sizes.guest! && round >= this.#sides.length) {
        await this.#storm();
        guestMs += this.#ms - from;
      } else {
        await this.#load(this.#sides[round % this.#sides.length]!, roundMs);
      }
      await this.#rest();
    }
  }

  /** A machine with a load in it, for a part of the round. */
  async #load(side: Side, roundMs: number): Promise<void> {
    const { server, socketPath, isKilled } = side;
    const workMs = (roundMs * this.#run.sizes.share!) / 100;
    await using lifetime = new Lifetime();
    const machine = lifetime.use(await IvshmemClient.connect(socketPath, server.vectors));
    const log = lifetime.adopt(openSync('/dev/null', 'a'), closeSync);
    const client = lifetime.use(
      new NativeClient(this.#program, {
        machine,
        log,
        regionBytes: REGION_BYTES,
        features: this.#random.pick(FEATURES),
        threads: THREADS,
        keys: KEYS,
        seed: this.#random.next(),
      }),
    );
    await this.#sampleFor(workMs / 2);
    if (isKilled) {
      this.kills += (await killStores(server, 1, this.#random, this.#run.signal)).length;
    }
    await this.#sampleFor(workMs / 2);
    this.#count(await client.finish());
    const { pagesUsed } = await server.stats();
    if (pagesUsed > 0) this.#say(`${pagesUsed} slots are used of no page`);
    this.#run.progress(this.#figure());
    await lifetime[Symbol.asyncDispose]();
    await this.#sampleFor(roundMs - workMs);
  }

  #count(report: ClientReport): void {
    this.operations += report.puts + report.gets + report.flushes;
    this.verified += report.verified;
    for (const name of WRONG) if (report[name] > 0) this.#say(`${report[name]} ${name}`);
  }

  /** A real guest, with a store of its own. */
  async #storm(): Promise<void> {
    const { signal } = this.#run;
    await using guest = await bootGuest({ memoryMib: GUEST_MIB, signal });
    const report = await runStorm(guest, { ...STORM, signal, onProgress: () => this.#sample() });
    this.storms += 1;
    this.verified += report.pagesVerified;
    for (const problem of report.problems) this.#say(`a guest: ${problem}`);
  }

  async #sampleFor(ms: number): Promise<void> {
    const end = this.#ms + ms;
    do {
      this.#sample();
      await delay(Math.max(0, Math.min(SAMPLE_MS, end - this.#ms)));
    } while (this.#ms < end);
  }

  #sample(): void {
    const stores = this.#sides.flatMap(({ server }) => server.storePids);
    this.supervisor.add(this.#ms, usageOfAll([process.pid]).memoryBytes);
    this.stores.add(this.#ms, usageOfAll(stores).memoryBytes);
  }

  /** Nothing is under way: what is open now is open for good. */
  async #rest(): Promise<void> {
    for (const { server } of this.#sides) await server.stats();
    await delay(QUIET_MS);
    const stores = this.#sides.flatMap(({ server }) => server.storePids);
    if (stores.length < 2 * this.#sides.length) return;
    const { descriptors, threads } = usageOfAll([process.pid, ...stores]);
    this.descriptors.add(this.#ms, descriptors);
    this.threads.add(this.#ms, threads);
  }

  #figure(): string {
    return (
      `${count(this.operations)} operations, ${count(this.verified)} pages verified, ` +
      `${this.kills} kills, ${this.storms} storms in guests; ` +
      `supervisor ${mib(this.supervisor.last)}, stores ${mib(this.stores.last)}, ` +
      `${this.descriptors.last} descriptors, ${this.threads.last} threads`
    );
  }

  /** What stayed, or did not, is in words. */
  judge(): ProofResult {
    this.#say(moreOf('descriptors', this.descriptors));
    this.#say(moreOf('threads', this.threads));
    if (this.#run.quick) {
      const most = Math.max(this.supervisor.max, this.stores.max);
      if (most > QUICK_BYTES_MAX) this.#say(`the host took ${mib(most)} for itself`);
    } else {
      this.#say(growthOf('memory of the supervisor', this.supervisor));
      this.#say(growthOf('memory of the stores', this.stores));
    }
    return {
      problems: this.problems,
      figure: this.#figure(),
      numbers: {
        operations: this.operations,
        verified: this.verified,
        kills: this.kills,
        storms: this.storms,
        supervisorBytes: this.supervisor.last,
        storeBytes: this.stores.last,
        descriptors: this.descriptors.last,
        threads: this.threads.last,
      },
    };
  }
}

async function prove(run: ProofRun): Promise<ProofResult> {
  const program = await buildClient();
  await using lifetime = new Lifetime();
  const runDir = lifetime.use(new RunDir());
  const sides: Side[] = [];
  for (const isKilled of [false, true]) {
    const socketPath = runDir.file(isKilled ? 'killed.sock' : 'store.sock');
    const server = lifetime.use(await TmemServer.start({ socketPath, regionBytes: REGION_BYTES }));
    sides.push({ server, socketPath, isKilled });
  }
  const soak = new Soak(run, program, sides);
  await soak.rounds();
  return soak.judge();
}

export const soak: Proof = {
  name: 'soak',
  about: 'a long load leaves memory, descriptors and threads as they were, and no page wrong',
  sizes: {
    seconds: { quick: 10, full: 3600, about: 'seconds of load' },
    share: { quick: 50, full: 50, about: 'percent of the time in which the load works' },
    guest: { quick: 0, full: 20, about: 'percent of the time in real guests' },
  },
  run: prove,
};
