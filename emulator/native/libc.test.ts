/** The native seam: each call does what it says, and its failure carries errno. */
import { fstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../lifetime.js';
import { RegionFile, SharedRegion } from '../transport/region.js';
import {
  closeFd,
  drainEventFd,
  eventFd,
  mapShared,
  memfdCreate,
  NativeError,
  PollSet,
  reserve,
  ringEventFd,
  truncate,
} from './libc.js';

const lifetime = new Lifetime();
afterEach(() => lifetime[Symbol.asyncDispose]());

function errnoOf(run: () => unknown): number {
  try {
    run();
  } catch (error) {
    if (error instanceof NativeError) return error.errno;
    throw error;
  }
  return 0;
}

describe('memory files', () => {
  it('keep their size, whoever has their descriptor', () => {
    const file = lifetime.use(RegionFile.create(2 ** 20));
    const EPERM = 1;
    expect(errnoOf(() => truncate(file.fd, 2 ** 16))).toBe(EPERM);
    expect(errnoOf(() => truncate(file.fd, 2 ** 21))).toBe(EPERM);
    const region = lifetime.use(SharedRegion.map(file.fd, 2 ** 20));
    region.words.fill(7);
    region.scrub();
    expect(region.words.every((word) => word === 0)).toBe(true);
  });

  it('are of the size asked for, zeroed, and shared by all their mappings', () => {
    const file = lifetime.use(RegionFile.create(2 ** 20));
    expect(fstatSync(file.fd).size).toBe(2 ** 20);
    const one = lifetime.use(SharedRegion.map(file.fd, 2 ** 20));
    const other = lifetime.use(SharedRegion.map(file.fd, 2 ** 20));
    expect(one.words.every((word) => word === 0)).toBe(true);
    one.store(2 ** 20 - 4, 0x8000_0001);
    expect(other.load(2 ** 20 - 4)).toBe(0x8000_0001);
    other.scrub();
    expect(one.load(2 ** 20 - 4)).toBe(0);
  });

  it('of a directory are unlinked at once, their room reserved', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tmem-region-'));
    lifetime.defer(() => rmSync(folder, { recursive: true, force: true }));
    const file = lifetime.use(RegionFile.create(2 ** 20, folder));
    expect(readdirSync(folder)).toEqual([]);
    expect(fstatSync(file.fd).nlink).toBe(0);
    expect(fstatSync(file.fd).blocks * 512).toBeGreaterThanOrEqual(2 ** 20);
  });

  it('take no memory for pages that were never written, nor after a scrub', () => {
    const file = lifetime.use(RegionFile.create(2 ** 26));
    const region = lifetime.use(SharedRegion.map(file.fd, 2 ** 26));
    for (let at = 0; at < 2 ** 20; at += 4096) region.store(at, 7);
    expect(fstatSync(file.fd).blocks * 512).toBe(2 ** 20);
    region.scrub();
    expect(fstatSync(file.fd).blocks).toBe(0);
    expect(region.load(4096)).toBe(0);
    region.store(4096, 8);
    expect(region.load(4096)).toBe(8);
  });

  it('of a directory keep their room when they are scrubbed', () => {
    const file = lifetime.use(RegionFile.create(2 ** 20, tmpdir()));
    const region = lifetime.use(SharedRegion.map(file.fd, 2 ** 20));
    region.store(4096, 7);
    region.scrub();
    expect(region.words.every((word) => word === 0)).toBe(true);
    expect(fstatSync(file.fd).blocks * 512).toBeGreaterThanOrEqual(2 ** 20);
  });

  it('in no directory are SHM_UNUSABLE; too large for it, SHM_FULL', () => {
    const code = (run: () => unknown) =>
      expect(run).toThrow(expect.objectContaining({ code: expect.stringMatching(/^SHM_/) }));
    code(() => RegionFile.create(2 ** 20, '/nonexistent'));
    expect(() => RegionFile.create(2 ** 20, '/nonexistent')).toThrow(
      expect.objectContaining({ code: 'SHM_UNUSABLE' }),
    );
    expect(() => RegionFile.create(2 ** 50, '/dev/shm')).toThrow(
      expect.objectContaining({ code: 'SHM_FULL' }),
    );
  });
});

describe('errors', () => {
  it('carry errno', () => {
    expect(errnoOf(() => closeFd(-1))).toBe(9);
    expect(errnoOf(() => truncate(-1, 1))).toBe(9);
    expect(errnoOf(() => reserve(-1, 1))).toBe(9);
    expect(errnoOf(() => mapShared(-1, 4096))).toBe(9);
    expect(errnoOf(() => ringEventFd(-1))).toBe(9);
    expect(() => closeFd(-1)).toThrow(expect.objectContaining({ code: 'NATIVE_CALL_FAILED' }));
  });
});

describe('eventfd and poll', () => {
  it('a rung eventfd is ready until it is drained, however often it was rung', () => {
    const [first, second] = [eventFd(), eventFd()];
    lifetime.adopt(first, closeFd);
    lifetime.adopt(second, closeFd);
    const poll = new PollSet([first, second]);
    expect(poll.wait(0)).toBe(0);
    ringEventFd(second);
    ringEventFd(second);
    expect(poll.wait(0)).toBe(1);
    expect([poll.isReady(0), poll.isReady(1)]).toEqual([false, true]);
    drainEventFd(second);
    expect(poll.wait(0)).toBe(0);
    expect(poll.isReady(1)).toBe(false);
  });

  it('draining what was not rung does not block', () => {
    const fd = lifetime.adopt(eventFd(), closeFd);
    drainEventFd(fd);
    expect(new PollSet([fd]).wait(0)).toBe(0);
  });

  it('descriptors are new ones', () => {
    const fds = [lifetime.adopt(eventFd(), closeFd), lifetime.adopt(memfdCreate('x'), closeFd)];
    expect(new Set(fds).size).toBe(2);
  });
});
