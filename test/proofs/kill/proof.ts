/**
 * The store is killed at random moments, under a load that knows what each page must hold: in a
 * real guest, and under a native client of the same protocol that does far more in the same time.
 *
 * The seed chooses the load and the moments, but not how threads and processes meet: another run
 * of the same seed is alike, not the same.
 */
import { Feature } from '../../../emulator/protocol/layout.js';
import { count, PROBLEMS_MAX, type Proof, type ProofResult, type ProofRun } from '../proof.js';
import { type GuestRound, type GuestRoundResult, runGuestRound } from './guest-round.js';
import { percentile } from './log.js';
import { buildClient } from './native-client.js';
import { type NativeRound, type RoundResult, runNativeRound } from './native-round.js';

const BOTH = Feature.POSTED_PUTS | Feature.DIRECT_GETS;
/** The aim for the longest wait that a kill causes; judged where there are many kills. */
const PAUSE_P99_MS_MAX = 1000;
const KILLS_TO_JUDGE_PAUSES = 100;

/** A small region is full, a large one takes the next store longest to go through. */
const NATIVE_ROUNDS: readonly NativeRound[] = [
  { name: 'answered', features: 0, regionMib: 16, policy: 'accept' },
  { name: 'posted, direct gets', features: BOTH, regionMib: 16, policy: 'accept' },
  { name: 'duplicates refused', features: 0, regionMib: 16, policy: 'refuse-duplicates' },
  { name: 'posted', features: Feature.POSTED_PUTS, regionMib: 512, policy: 'accept' },
  { name: 'posted, direct gets, large', features: BOTH, regionMib: 512, policy: 'accept' },
  { name: 'answered, large', features: 0, regionMib: 512, policy: 'accept' },
];
/** The quick cut takes the small ones. */
const QUICK_ROUNDS = 3;

const GUEST_ROUNDS: readonly GuestRound[] = [
  {
    name: 'every put and get answered',
    transport: 'ivshmem',
    moduleParameters: ['posted_puts=0', 'direct_gets=0'],
    waits: true,
  },
  {
    name: 'posted puts and direct gets',
    transport: 'ivshmem',
    moduleParameters: [],
    waits: false,
  },
  {
    name: 'over a stream of bytes',
    transport: 'virtio-serial',
    moduleParameters: ['posted_puts=0'],
    waits: true,
  },
];

/** Splits `total` over `rounds` as evenly as it goes. */
function share(total: number, rounds: number, round: number): number {
  return Math.floor((total * (round + 1)) / rounds) - Math.floor((total * round) / rounds);
}

interface Found {
  readonly native: RoundResult[];
  readonly guest: GuestRoundResult[];
  readonly problems: string[];
}

/** Adds a round's result; one that cannot go on to its end is a problem of the promise. */
async function add<T extends { problems: string[] }>(
  run: ProofRun,
  found: Found,
  results: T[],
  name: string,
  round: () => Promise<T>,
): Promise<void> {
  run.signal.throwIfAborted();
  try {
    const result = await round();
    results.push(result);
    found.problems.push(...result.problems.map((problem) => `${name}: ${problem}`));
  } catch (error) {
    run.signal.throwIfAborted();
    found.problems.push(`${name}: ${(error as Error).message}`);
  }
}

async function killUnderClient(run: ProofRun, kills: number, found: Found): Promise<void> {
  const program = await buildClient();
  const rounds = run.quick ? NATIVE_ROUNDS.slice(0, QUICK_ROUNDS) : NATIVE_ROUNDS;
  for (const [at, round] of rounds.entries()) {
    const name = `native client, ${round.name}`;
    const onKill = (done: number) => run.progress(`${name}: ${done} stores killed`);
    const size = { kills: share(kills, rounds.length, at), seed: run.seed + at };
    const options = { ...size, program, signal: run.signal, onKill };
    await add(run, found, found.native, name, () => runNativeRound(round, options));
  }
}

async function killInGuest(run: ProofRun, kills: number, found: Found): Promise<void> {
  for (const [at, round] of GUEST_ROUNDS.entries()) {
    const name = `guest, ${round.name}`;
    const onKill = (done: number) => run.progress(`${name}: ${done} stores killed`);
    const size = { kills: share(kills, GUEST_ROUNDS.length, at), seed: run.seed + at };
    const options = { ...size, signal: run.signal, onKill, progress: run.progress };
    await add(run, found, found.guest, name, () => runGuestRound(round, options));
  }
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
}

/** Percentiles of pauses by name, and the same in words. */
function pauses(name: string, ms: readonly number[]): [Record<string, number>, string] {
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => Math.round(percentile(ms, share)));
  const numbers = { [`${name}P50Ms`]: p50!, [`${name}P99Ms`]: p99!, [`${name}MaxMs`]: max! };
  return [numbers, `p50 ${p50}, p99 ${p99}, max ${max} ms`];
}

/** What every run of some size must have done for its figures to mean anything. */
function vacuous(native: readonly RoundResult[]): string[] {
  if (native.length === 0) return [];
  const done = {
    'pages verified': sum(native, ({ client }) => client.verified),
    'pages put': sum(native, ({ client }) => client.puts),
    'operations of shared keys judged': sum(native, ({ judged }) => judged),
  };
  return Object.entries(done).flatMap(([what, number]) => (number > 0 ? [] : [`no ${what}`]));
}

/** Late where there are enough kills for a percentile to mean anything. */
function lateness(name: string, ms: readonly number[]): string[] {
  const p99 = percentile(ms, 0.99);
  if (ms.length < KILLS_TO_JUDGE_PAUSES || p99 < PAUSE_P99_MS_MAX) return [];
  return [`${name}: the p99 of the pause is ${p99.toFixed(0)} ms, and must be below 1 s`];
}

function reportOn({ native, guest, problems }: Found): ProofResult {
  const killed = {
    native: sum(native, ({ kills }) => kills),
    guest: sum(guest, ({ kills }) => kills),
  };
  const verified =
    sum(native, ({ client }) => client.verified) + sum(guest, (one) => one.pagesVerified);
  const judged = sum(native, (one) => one.judged);
  const [nativeMs, guestMs, outageMs] = [
    native.flatMap((one) => one.pausesMs),
    guest.flatMap((one) => one.pausesMs),
    guest.flatMap((one) => one.outagesMs),
  ];
  const [nativeNumbers, nativeText] = pauses('nativePause', nativeMs);
  const [guestNumbers, guestText] = pauses('guestPause', guestMs);
  const [outageNumbers, outageText] = pauses('guestOutage', outageMs);
  const figures = [
    `${count(killed.guest + killed.native)} stores killed, ${count(killed.guest)} of them in a guest`,
    `${count(verified)} pages verified`,
    ...(native.length > 0 ? [`${count(judged)} operations judged`, `pause ${nativeText}`] : []),
    ...(guest.length > 0 ? [`in the guest ${guestText}, next store after ${outageText}`] : []),
  ];
  const late = [...lateness('native client', nativeMs), ...lateness('guest', guestMs)];
  return {
    problems: [...problems, ...vacuous(native), ...late].slice(0, PROBLEMS_MAX),
    figure: figures.join('; '),
    numbers: {
      kills: killed.guest + killed.native,
      killsInGuest: killed.guest,
      verified,
      judged,
      refusedWhileDown: sum(native, ({ client }) => client.refusedWhileDown),
      operations: sum(native, ({ client }) => client.puts + client.gets + client.flushes),
      ...(native.length > 0 ? nativeNumbers : {}),
      ...(guest.length > 0 ? { ...guestNumbers, ...outageNumbers } : {}),
    },
  };
}

async function run(run: ProofRun): Promise<ProofResult> {
  const found: Found = { native: [], guest: [], problems: [] };
  if (run.sizes.native! > 0) await killUnderClient(run, run.sizes.native!, found);
  if (run.sizes.guest! > 0) await killInGuest(run, run.sizes.guest!, found);
  return reportOn(found);
}

export const kills: Proof = {
  name: 'kills',
  about: 'kill the store at random moments under verified load: nothing lost, old or torn',
  sizes: {
    native: { quick: 12, full: 800, about: 'kills under a native client' },
    guest: { quick: 0, full: 200, about: 'kills in a real guest' },
  },
  run,
};
