/**
 * One round: a store, the native client at work over it, and kills.
 *
 * Whatever does not hold is a problem in words; nothing is left of the round when it returns.
 */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { RunDir } from '../../../emulator/guest/paths.js';
import { Lifetime } from '../../../emulator/lifetime.js';
import { PAGE_BYTES } from '../../../emulator/protocol/layout.js';
import type { StoreStats } from '../../../emulator/session/messages.js';
import { TmemServer } from '../../../emulator/session/server.js';
import { headerOffset, IvshmemClient } from '../../../emulator/testing/index.js';
import { SharedRegion } from '../../../emulator/transport/region.js';
import { Random } from '../random.js';
import { type Kill, killStores } from './killer.js';
import { judgeLog, pausesMs } from './log.js';
import { type ClientCount, type ClientReport, NativeClient } from './native-client.js';

export interface NativeRound {
  readonly name: string;
  /** FEATURE_* bits that the client uses. */
  readonly features: number;
  readonly regionMib: number;
  readonly policy: string;
}

export interface RoundOptions {
  readonly program: string;
  readonly kills: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onKill: (kills: number) => void;
}

export interface RoundResult {
  readonly kills: number;
  readonly client: ClientReport;
  /** Operations of shared keys, judged. */
  readonly judged: number;
  /** For each kill. */
  readonly pausesMs: number[];
  readonly problems: string[];
}

const THREADS = 4;
/** More than the smallest region has slots. */
const KEYS = 4096;

/** Numbers of the client's that must be zero, and what each means. */
const WRONG: Partial<Record<ClientCount, string>> = {
  lost: 'pages were lost',
  stale: 'pages were stale',
  torn: 'pages were torn',
  foreign: "pages were another key's",
  wrongResults: 'results were wrong',
  timeouts: 'operations had no answer within 30 s',
  cutOff: 'guest was cut off',
  hostErrors: 'words were such as no correct host writes',
};

function clientProblems(client: ClientReport): string[] {
  const wrong = Object.entries(WRONG) as [ClientCount, string][];
  return wrong
    .filter(([name]) => client[name] !== 0)
    .map(([name, what]) => `${client[name]} ${what}`);
}

/** All pages are flushed: the store holds none, and each slot is free or known to be the guest's. */
function storeProblems(stats: StoreStats, client: ClientReport, region: SharedRegion): string[] {
  const inRing =
    region.load(headerOffset('credit_tail')) - region.load(headerOffset('credit_head'));
  const granted = client.hand + (inRing >>> 0);
  const pages = stats.pools.reduce((sum, pool) => sum + pool.pages, 0);
  return [
    ...(stats.pagesUsed === 0 ? [] : [`${stats.pagesUsed} slots are used of no page`]),
    ...(pages === 0 ? [] : [`${pages} pages are counted that were flushed`]),
    ...(stats.pagesGranted === granted
      ? []
      : [`the store counts ${stats.pagesGranted} promised slots, the guest ${granted}`]),
    ...(stats.attached ? [] : ['the guest is not served any more']),
  ];
}

/** The kills, then the client's last words, then what the store says. */
async function killAndFinish(
  server: TmemServer,
  client: NativeClient,
  options: RoundOptions,
): Promise<{ kills: Kill[]; report: ClientReport; stats: StoreStats }> {
  const random = new Random(options.seed);
  const kills = await killStores(server, options.kills, random, options.signal, options.onKill);
  const report = await client.finish();
  return { kills, report, stats: await server.stats() };
}

/** @throws what the server throws when it does not start, and when nobody serves any more */
export async function runNativeRound(
  round: NativeRound,
  options: RoundOptions,
): Promise<RoundResult> {
  await using lifetime = new Lifetime();
  const runDir = lifetime.use(new RunDir());
  const regionBytes = round.regionMib * 2 ** 20;
  const socketPath = runDir.file('store.sock');
  const { policy, features } = round;
  const server = lifetime.use(await TmemServer.start({ socketPath, regionBytes, policy }));
  const machine = lifetime.use(await IvshmemClient.connect(socketPath, server.vectors));
  const region = lifetime.use(SharedRegion.map(machine.memoryFd, PAGE_BYTES));
  const log = lifetime.adopt(openSync(runDir.file('log'), 'a'), closeSync);
  const load = { regionBytes, features, threads: THREADS, keys: KEYS, seed: options.seed };
  const client = lifetime.use(new NativeClient(options.program, { machine, log, ...load }));
  const { kills, report, stats } = await killAndFinish(server, client, options);
  const findings = judgeLog(readFileSync(runDir.file('log')));
  return {
    kills: kills.length,
    client: report,
    judged: findings.operations,
    pausesMs: pausesMs(kills, findings.waits),
    problems: [
      ...clientProblems(report),
      ...storeProblems(stats, report, region),
      ...findings.problems,
    ],
  };
}
