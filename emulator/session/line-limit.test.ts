/**
 * Lines that a guest causes are few, however many times it comes, breaks a rule and goes, and none
 * is left out without a word.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Lifetime } from '../lifetime.js';
import { ringEventFd } from '../native/libc.js';
import { HostState } from '../protocol/layout.js';
import { FakeGuest, IvshmemClient } from '../testing/index.js';
import { SharedRegion } from '../transport/region.js';
import { LineLimit } from './line-limit.js';
import { TmemServer } from './server.js';

function limited() {
  const lines: string[] = [];
  const clock = { ms: 0 };
  const limit = new LineLimit(
    (line) => lines.push(line),
    () => clock.ms,
  );
  return { limit, lines, clock };
}

it('says all of a few lines, as they are', () => {
  const { limit, lines } = limited();
  for (let line = 0; line < 20; line += 1) limit.say(`line ${line}`);
  limit.tellLeftOut();
  expect(lines).toEqual(Array.from({ length: 20 }, (_, line) => `line ${line}`));
});

it('says 21 of 30,000 at once: the last tells how many were left out', () => {
  const { limit, lines } = limited();
  for (let line = 0; line < 30_000; line += 1) limit.say(`line ${line}`);
  limit.tellLeftOut();
  limit.tellLeftOut();
  expect(lines).toHaveLength(21);
  expect(lines[20]).toBe('29980 more lines about guests were left out');
});

it('says one in 10 s of those that never end, and a burst again after a quiet time', () => {
  const { limit, lines, clock } = limited();
  for (; clock.ms < 100_000; clock.ms += 10) limit.say('again');
  const about = lines.filter((line) => line !== 'again');
  expect(lines.filter((line) => line === 'again')).toHaveLength(20 + 9);
  expect(about.length).toBe(9);
  expect(about[1]).toBe('999 more lines about guests were left out');
  lines.length = 0;
  clock.ms += 1_000_000;
  for (let line = 0; line < 30; line += 1) limit.say('later');
  expect(lines.filter((line) => line === 'later')).toHaveLength(20);
});

const REGION_BYTES = 2 ** 20;
/** More than there is room for: each makes three lines. */
const ROUNDS = 12;

it('a server whose guests come, are cut off and go says no more', { timeout: 60_000 }, async () => {
  await using lifetime = new Lifetime();
  const folder = mkdtempSync(join(tmpdir(), 'tmem-lines-'));
  lifetime.defer(() => rmSync(folder, { recursive: true, force: true }));
  const lines: string[] = [];
  const server = await TmemServer.start({
    socketPath: join(folder, 'socket'),
    regionBytes: REGION_BYTES,
    queueCount: 1,
    queueEntries: 16,
    onEvent: (line) => lines.push(line),
  });
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      using client = await IvshmemClient.connect(server.socketPath, 1);
      using region = SharedRegion.map(client.memoryFd, REGION_BYTES);
      const ring = (): void => ringEventFd(client.hostEventFd);
      const guest = new FakeGuest({ region, ring });
      guest.attach();
      expect(() => guest.submit(0, { command: 4, slot: -1 })).toThrow(
        'cut this guest off: fault 4',
      );
      for (let more = 0; more < 10; more += 1) guest.announce(more + 1);
      expect(guest.peekHeader('host_state')).toBe(HostState.FAULTED);
    }
    expect((await server.stats()).faults).toBe(ROUNDS);
  } finally {
    await server[Symbol.asyncDispose]();
  }
  const leftOut = lines.filter((line) => line.includes('left out'));
  expect(lines.length - leftOut.length).toBeLessThan(25);
  expect(leftOut.length).toBeGreaterThan(0);
  const counted = leftOut.reduce((sum, line) => sum + Number.parseInt(line, 10), 0);
  // Each machine comes, breaks a rule and goes; the last one's going may not be heard any more.
  const said = lines.length - leftOut.length + counted;
  expect([3 * ROUNDS, 3 * ROUNDS - 1]).toContain(said);
});
