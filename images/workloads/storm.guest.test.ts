/**
 * The storm under real memory pressure: a guest with less memory than the storm writes, and an
 * ordinary swap disk. No tmem is involved; this proves the storm, and that the agent lives through
 * thrashing.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootFixture, SETUP_TIMEOUT_MS } from '../testing/fixture.js';
import type { TestGuest } from '../testing/guest.js';

const STORM_TIMEOUT_MS = 300_000;

let guest: TestGuest;

beforeAll(async () => {
  ({ guest } = await bootFixture('storm', { memoryMib: 96, cpus: 2, diskMib: 1024 }));
  const swapon = await guest.agent.exec(
    // One page at a time, as readahead would only multiply the work of the random pass.
    'mkswap /dev/vda && swapon /dev/vda && echo 0 >/proc/sys/vm/page-cluster',
  );
  expect(swapon).toMatchObject({ code: 0 });
}, SETUP_TIMEOUT_MS);

afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
});

async function swappedOut(): Promise<number> {
  const { stdout } = await guest.agent.exec('grep pswpout /proc/vmstat');
  return Number(stdout.split(' ')[1]);
}

async function storm(options: string): Promise<Record<string, unknown>> {
  const before = await swappedOut();
  const result = await guest.agent.exec(`storm --json ${options}`, { timeoutMs: STORM_TIMEOUT_MS });
  expect(result.stderr).toBe('');
  expect(result.code).toBe(0);
  const report = JSON.parse(result.stdout) as Record<string, unknown>;
  expect(report).toMatchObject({ pagesWrong: 0, processesDied: 0 });
  expect(await swappedOut()).toBeGreaterThan(before + 2000);
  return report;
}

test(
  'anonymous memory of two processes, more than the guest has',
  async () => {
    const report = await storm('--mib 64 --passes 1 --procs 2');
    expect(report).toMatchObject({ mib: 64, passes: 1, processes: 2, timeUp: false });
    expect(report.pagesVerified).toBe(2 * 64 * 256);
  },
  STORM_TIMEOUT_MS,
);

test(
  'pages shared copy-on-write with forked children',
  async () => {
    await storm('--mib 24 --passes 1 --procs 2 --fork --pageout');
  },
  STORM_TIMEOUT_MS,
);

test(
  'shared memory, and memory pushed out on request',
  async () => {
    await storm('--mib 24 --passes 1 --shm --pageout');
    await storm('--mib 24 --passes 1 --pageout');
  },
  STORM_TIMEOUT_MS,
);

test(
  'the agent answers while the guest thrashes',
  async () => {
    const running = guest.agent.exec('storm --mib 80 --seconds 5 --procs 4 --json', {
      timeoutMs: STORM_TIMEOUT_MS,
    });
    let answers = 0;
    let over = false;
    running.finally(() => {
      over = true;
    });
    while (!over) {
      expect((await guest.agent.exec('echo alive')).stdout).toBe('alive\n');
      answers += 1;
    }
    expect(JSON.parse((await running).stdout)).toMatchObject({ pagesWrong: 0 });
    expect(answers).toBeGreaterThan(0);
  },
  STORM_TIMEOUT_MS,
);
