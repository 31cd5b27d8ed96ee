// Round trips a second, ours against the npm clients and a bare socket. Rounds are interleaved and
// the medians compared, because the machine's speed drifts. Exit code 1 when a promise is broken:
// at least as fast as the best npm client, at most 1.3 times the time of a bare socket.
// Options: --rounds N (default 7), --no-npm (leave the npm clients out).

import { fork } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Machine } from '../src/index.js';
import { bareSocket, type Contender, fromNpm, ours, type Racer } from './contenders.js';

const BARE_TIME_FACTOR_MAX = 1.3;
/** The noise allowed where two numbers ought to be the same. */
const SAME_FACTOR = 0.95;
const SEQUENTIAL_COUNT = 2_000;
const CONCURRENT_COUNT = 5_000;

type Mode = 'sequential' | 'concurrent';
const COUNTS: Record<Mode, number> = { sequential: SEQUENTIAL_COUNT, concurrent: CONCURRENT_COUNT };

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[sorted.length >> 1]!;
}

async function time(racer: Racer, mode: Mode): Promise<number> {
  const begin = performance.now();
  await racer[mode](COUNTS[mode]);
  return performance.now() - begin;
}

/** Median milliseconds by contender's name. One connection at a time: QEMU serves one. */
async function race(
  contenders: readonly Contender[],
  socketPath: string,
  mode: Mode,
  rounds: number,
): Promise<Map<string, number>> {
  const times = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  // The first round warms up and does not count.
  for (let round = 0; round <= rounds; round += 1) {
    for (const { name, connect } of contenders) {
      const racer = await connect(socketPath);
      const took = await time(racer, mode);
      await racer.close();
      if (round > 0) times.get(name)!.push(took);
    }
  }
  return new Map([...times].map(([name, list]) => [name, median(list)]));
}

function judge(server: string, mode: Mode, times: Map<string, number>): string[] {
  const broken: string[] = [];
  for (const [name, took] of times) {
    const rate = Math.round((COUNTS[mode] / took) * 1_000);
    process.stdout.write(`${server}  ${mode.padEnd(10)}  ${name.padEnd(18)}  ${rate} a second\n`);
  }
  const mine = Math.min(times.get('this client, oob')!, times.get('this client, one')!);
  const npm = [...times].filter(([name]) => name.startsWith('npm:')).map(([, took]) => took);
  if (npm.length > 0 && mine * SAME_FACTOR > Math.min(...npm)) {
    broken.push(`${server} ${mode}: slower than the best npm client`);
  }
  for (const suffix of ['', ', oob']) {
    const factor = times.get(`this client${suffix}`)! / times.get(`bare socket${suffix}`)!;
    const text = `${factor.toFixed(2)} times the time of a bare socket${suffix}`;
    process.stdout.write(`${server}  ${mode.padEnd(10)}  ${text}\n`);
    if (factor > BARE_TIME_FACTOR_MAX && server === 'qemu')
      broken.push(`${server} ${mode}: ${text}`);
  }
  return broken;
}

async function raceAll(server: string, socketPath: string, npm: Contender[], rounds: number) {
  const field = [
    ours('this client', { oob: false }),
    bareSocket(false),
    ours('this client, oob', {}),
    bareSocket(true),
    ours('this client, one', { inFlightLimit: 1 }),
    ...npm,
  ];
  const broken: string[] = [];
  for (const mode of ['sequential', 'concurrent'] as const) {
    broken.push(...judge(server, mode, await race(field, socketPath, mode, rounds)));
  }
  return broken;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '7' },
      'no-npm': { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.rounds);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'qmp-bench-'));
  const tell = (line: string): void => void process.stdout.write(`${line}\n`);
  try {
    const npm = values['no-npm'] ? [] : await fromNpm(folder, tell);
    const broken: string[] = [];
    const monitorPath = path.join(folder, 'qemu.sock');
    {
      const spec = { logDir: folder, machine: 'none', accel: 'tcg', defaults: false, monitorPath };
      await using _machine = await Machine.launch({ ...spec, paused: true });
      broken.push(...(await raceAll('qemu', monitorPath, npm, rounds)));
    }
    const echoPath = path.join(folder, 'echo.sock');
    const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'echo-server.js');
    const echo = fork(script, [echoPath]);
    await once(echo, 'message');
    broken.push(...(await raceAll('echo', echoPath, npm, rounds)));
    echo.disconnect();
    for (const line of broken) process.stdout.write(`BROKEN: ${line}\n`);
    if (broken.length > 0) process.exitCode = 1;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

await main();
