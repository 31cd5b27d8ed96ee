/**
 * The proof `isolation`: while one guest floods its store, or lies to it, another one's pages are
 * right and its answers come about as fast as without that.
 *
 * A store serves one guest, in a process of its own, so that what two guests share is the machine.
 * Who has which CPU is for the host's owner to say; here each guest has one for itself and its
 * store. What is left is what tmem does to memory, caches and the kernel. Rounds with and without
 * the attack follow each other, and medians are compared, since a machine that does other work as
 * well is never twice the same. Not replayable.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../../emulator/guest/paths.js';
import { Lifetime } from '../../../emulator/lifetime.js';
import { Hosted } from '../hosted/hosted.js';
import { count, type Proof, type ProofResult, type ProofRun } from '../proof.js';
import { ATTACKS, type Attack } from './attacks.js';
import type { GuestOrder, Measured } from './guest.js';

/** The command that gives a process its CPU. */
type Cpu = readonly [string, ...string[]];

const REGION_BYTES = 64 * 2 ** 20;
const RATIO_MAX = 2;
/** Lines that all attacks together may make: see LineLimit. */
const LINES_MAX = 100;
/** For a guest to answer, beyond the time that it was told to take. */
const ANSWER_MS_MAX = 60_000;

class GuestProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor(path: string, cpu: Cpu) {
    // The compiled one, also where the proof itself runs from its source.
    const program = join(packageRoot, 'dist/test/proofs/isolation/guest.js');
    this.#child = fork(program, [path, String(REGION_BYTES)], {
      execPath: cpu[0],
      execArgv: [...cpu.slice(1), process.execPath],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#exited = new Promise((resolve) => this.#child.once('exit', resolve));
  }

  /** @throws Error when it fails, ends or does not answer */
  async tell<T>(order: GuestOrder): Promise<T> {
    const child = this.#child;
    const timer = setTimeout(() => child.kill('SIGKILL'), order.ms + ANSWER_MS_MAX);
    const reply = new Promise<{ answer?: T; error?: string }>((resolve) => {
      child.once('message', resolve);
    });
    const end = this.#exited.then(() => ({ error: 'the guest’s process ended' }));
    child.send(order, () => {});
    const { answer, error } = await Promise.race<{ answer?: T; error?: string }>([reply, end]);
    clearTimeout(timer);
    if (error !== undefined) throw new Error(error);
    return answer as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

interface Round {
  readonly kind: Attack;
  readonly quiet: Measured;
  readonly attacked: Measured;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

/** How much longer the slowest in a hundred take beside attacks, by the median of rounds. */
function ratioOf(rounds: readonly Round[]): number {
  const quiet = median(rounds.map((round) => round.quiet.p99Micros));
  return median(rounds.map((round) => round.attacked.p99Micros)) / quiet;
}

/** The CPUs that this process may use; with one only, all share it. */
function twoCpus(): [Cpu, Cpu] {
  const status = readFileSync('/proc/self/status', 'utf8');
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? '0';
  const all = list.split(',').flatMap((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
  return [
    ['taskset', '-c', `${all[0]}`],
    ['taskset', '-c', `${all[1] ?? all[0]}`],
  ];
}

async function serve(path: string, cpu: Cpu): Promise<Hosted> {
  const host = new Hosted(cpu);
  const geometry = { regionBytes: REGION_BYTES, queueCount: 1, queueEntries: 1024 };
  // A guest and a store on one CPU: who waits sleeps.
  const { code } = await host.start({ socketPath: path, ...geometry, spinMicros: 0 });
  if (code !== undefined) throw new Error(`the store did not start: ${code}`);
  return host;
}

/** @returns machines that attacked, and lines that the hostile guest's host wrote */
async function runRounds(run: ProofRun, rounds: Round[]): Promise<[number, number]> {
  await using lifetime = new Lifetime();
  const folder = mkdtempSync(join(tmpdir(), 'tmem-isolation-'));
  lifetime.defer(() => rmSync(folder, { recursive: true, force: true }));
  const [here, there] = [join(folder, 'honest'), join(folder, 'hostile')];
  const [one, other] = twoCpus();
  lifetime.use(await serve(here, one));
  const hostile = lifetime.use(await serve(there, other));
  const guest = lifetime.use(new GuestProcess(here, one));
  const attacker = lifetime.use(new GuestProcess(there, other));
  const ms = run.sizes.milliseconds!;
  await guest.tell({ do: 'measure', ms });
  let machines = 0;
  for (let round = 0; round < run.sizes.rounds!; round += 1) {
    for (const kind of ATTACKS) {
      run.signal.throwIfAborted();
      run.progress(`isolation: round ${round + 1}, ${kind}`);
      const quiet = await guest.tell<Measured>({ do: 'measure', ms });
      const attack = attacker.tell<number>({ do: 'attack', kind, ms: ms * 1.2 });
      const attacked = await guest.tell<Measured>({ do: 'measure', ms });
      // The supervisor is heard, whatever its guest does.
      await hostile.tell({ do: 'stats' });
      machines += await attack;
      rounds.push({ kind, quiet, attacked });
    }
  }
  return [machines, hostile.events.length];
}

async function prove(run: ProofRun): Promise<ProofResult> {
  const rounds: Round[] = [];
  const [machines, lines] = await runRounds(run, rounds);
  const ratio = ratioOf(rounds);
  const wrong = rounds.reduce((sum, { quiet, attacked }) => sum + quiet.wrong + attacked.wrong, 0);
  const operations = rounds.reduce((sum, { attacked }) => sum + attacked.operations, 0);
  const quietP99 = median(rounds.map(({ quiet }) => quiet.p99Micros));
  const byKind = ATTACKS.map((kind) => {
    return [kind, ratioOf(rounds.filter((round) => round.kind === kind))] as const;
  });
  const problems: string[] = [];
  if (wrong > 0) problems.push(`${count(wrong)} answers were wrong`);
  if (lines > LINES_MAX) problems.push(`the hostile guest made ${lines} lines`);
  // A quick run is too short, on a machine that does too much else, to tell.
  if (ratio > RATIO_MAX && !run.quick) problems.push(`p99 is ${ratio.toFixed(2)} times as long`);
  return {
    problems,
    figure:
      `p99 ${ratio.toFixed(2)} times that without attacks (${quietP99.toFixed(1)} µs; ` +
      `${byKind.map(([kind, each]) => `${kind} ${each.toFixed(2)}`).join(', ')}), ` +
      `${count(operations)} answers beside ${count(machines)} hostile machines, ` +
      `${wrong} wrong, ${lines} lines`,
    numbers: { ratio, quietP99, operations, wrong, machines, lines },
  };
}

export const isolation: Proof = {
  name: 'isolation',
  about: 'beside a guest that floods or lies, another one’s pages are right and its p99 holds',
  sizes: {
    rounds: { quick: 1, full: 10, about: 'rounds of each attack' },
    milliseconds: { quick: 300, full: 1500, about: 'milliseconds of a round’s halves' },
  },
  run: prove,
};
