// Round trips a second, ours against the npm clients and a bare socket, on a real QEMU and on an
// echo server that costs next to nothing. Every contender has a server of its own and they take
// turns in small batches, so that whatever else the machine does hits all alike; medians of the
// batches' ratios are compared. Exit code 1 when a promise is broken (on QEMU): at least as fast as
// the best npm client, at most 1.3 times the time of a bare socket.
// Options: --batches N (default 40), --no-npm (leave the npm clients out).

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
const SAME_FACTOR = 1.05;

type Mode = 'sequential' | 'concurrent';
/** Commands in one batch: some tens of milliseconds on QEMU. */
const BATCH: Record<Mode, number> = { sequential: 100, concurrent: 300 };
const WARM_UP_BATCHES = 3;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[sorted.length >> 1]!;
}

/** Milliseconds of each batch by contender's name; the same index is the same moment. */
async function race(
  racers: ReadonlyMap<string, Racer>,
  mode: Mode,
  batches: number,
): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>([...racers.keys()].map((name) => [name, []]));
  const order = [...racers];
  for (let batch = -WARM_UP_BATCHES; batch < batches; batch += 1) {
    for (const [name, racer] of order) {
      const begin = performance.now();
      await racer[mode](BATCH[mode]);
      if (batch >= 0) times.get(name)!.push(performance.now() - begin);
    }
    // Another one begins each time.
    order.push(order.shift()!);
  }
  return times;
}

function judge(server: string, mode: Mode, times: ReadonlyMap<string, number[]>): string[] {
  const broken: string[] = [];
  const head = `${server}  ${mode.padEnd(10)}`;
  const factor = (name: string, than: string): number =>
    median(times.get(name)!.map((took, batch) => took / times.get(than)![batch]!));
  const compare = (name: string, than: string, limit: number): void => {
    const text = `${name} takes ${factor(name, than).toFixed(2)} times the time of ${than}`;
    process.stdout.write(`${head}  ${text}\n`);
    if (server === 'qemu' && factor(name, than) > limit) broken.push(`${head}  ${text}`);
  };
  for (const [name, list] of times) {
    const rate = Math.round((BATCH[mode] / median(list)) * 1_000);
    process.stdout.write(`${head}  ${name.padEnd(18)}  ${rate} a second\n`);
  }
  compare('this client', 'bare socket', BARE_TIME_FACTOR_MAX);
  compare('this client, oob', 'bare socket, oob', BARE_TIME_FACTOR_MAX);
  // Compared with what is like them: no oob, one command in flight. qemu-qmp has no ids and takes
  // many at once on trust, which nobody else does: it is told, not judged by, where that matters.
  const mine = mode === 'sequential' ? 'this client' : 'this client, one';
  for (const name of times.keys()) {
    const trusting = mode === 'concurrent' && name.includes('qemu-qmp');
    if (name.startsWith('npm:')) compare(mine, name, trusting ? Infinity : SAME_FACTOR);
  }
  return broken;
}

/** @param address gives each contender, by its number, a server of its own */
async function raceAll(
  server: string,
  address: (index: number) => string,
  npm: readonly Contender[],
  batches: number,
): Promise<string[]> {
  const racers = new Map<string, Racer>();
  for (const [index, { name, connect }] of [...OWN, ...npm].entries()) {
    racers.set(name, await connect(address(index)));
  }
  const broken: string[] = [];
  for (const mode of ['sequential', 'concurrent'] as const) {
    broken.push(...judge(server, mode, await race(racers, mode, batches)));
  }
  for (const racer of racers.values()) await racer.close();
  return broken;
}

const OWN: readonly Contender[] = [
  ours('this client', { oob: false }),
  bareSocket(false),
  ours('this client, oob', {}),
  bareSocket(true),
  ours('this client, one', { oob: false, inFlightLimit: 1 }),
];

async function onQemu(folder: string, npm: readonly Contender[], batches: number) {
  const machines: Machine[] = [];
  const address = (index: number): string => path.join(folder, `qemu${index}.sock`);
  try {
    for (let index = 0; index < OWN.length + npm.length; index += 1) {
      const logDir = path.join(folder, `qemu${index}`);
      const spec = { logDir, machine: 'none', accel: 'tcg', defaults: false, paused: true };
      machines.push(await Machine.launch({ ...spec, monitorPath: address(index) }));
    }
    return await raceAll('qemu', address, npm, batches);
  } finally {
    await Promise.all(machines.map((machine) => machine.quit()));
  }
}

async function onEcho(folder: string, npm: readonly Contender[], batches: number) {
  const echoPath = path.join(folder, 'echo.sock');
  const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'echo-server.js');
  const echo = fork(script, [echoPath]);
  try {
    await once(echo, 'message');
    return await raceAll('echo', () => echoPath, npm, batches);
  } finally {
    echo.disconnect();
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      batches: { type: 'string', default: '40' },
      'no-npm': { type: 'boolean', default: false },
    },
  });
  const batches = Number(values.batches);
  if (!(batches >= 1)) throw new Error(`--batches ${values.batches} is no number of batches`);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'qmp-bench-'));
  const tell = (line: string): void => void process.stdout.write(`${line}\n`);
  try {
    const npm = values['no-npm'] ? [] : await fromNpm(folder, tell);
    const broken = await onQemu(folder, npm, batches);
    broken.push(...(await onEcho(folder, npm, batches)));
    for (const line of broken) tell(`BROKEN: ${line}`);
    if (broken.length > 0) process.exitCode = 1;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

await main();
