/**
 * Which stores count as hanging, with a clock and a thread of the test's own.
 */
import { expect, it } from 'vitest';
import { threadUse } from './thread-use.js';
import { Watch } from './watch.js';

const HANG_MS = 1_000_000;

/** A thread that is looked at each fifth of the time that a store may hang. */
function watched() {
  const thread = { turns: 0, isBusy: false, isStopped: false, cpuMs: 0 };
  const clock = { ms: 0 };
  const said: string[] = [];
  const watch = new Watch({
    hangMs: HANG_MS,
    turns: () => thread.turns,
    use: () => ({ ...thread }),
    onHang: (how) => said.push(how),
    now: () => clock.ms,
  });
  const looks = (count: number, each: () => void = () => {}): void => {
    for (let look = 0; look < count && said.length === 0; look += 1) {
      clock.ms += HANG_MS / 5;
      each();
      watch.look();
    }
    watch[Symbol.dispose]();
  };
  return { thread, clock, said, looks };
}

it('one that is stopped, or waits in a call, hangs', () => {
  const stopped = watched();
  stopped.thread.isStopped = true;
  stopped.looks(4);
  expect(stopped.said).toEqual([]);
  stopped.looks(1);
  expect(stopped.said).toEqual(['is stopped']);
  const waiting = watched();
  waiting.looks(5);
  expect(waiting.said).toEqual(['waits']);
});

it('one that makes turns does not, however it looks in between', () => {
  const { thread, looks, said } = watched();
  looks(100, () => {
    thread.turns += 1;
  });
  expect(said).toEqual([]);
});

it('one that goes round in a loop hangs once it has had the time for it', () => {
  const { thread, looks, said } = watched();
  thread.isBusy = true;
  // A hundredth of a CPU; the first look only tells what it had before.
  looks(500, () => {
    thread.cpuMs += HANG_MS / 500;
  });
  expect(said).toEqual([]);
  looks(1, () => {
    thread.cpuMs += HANG_MS / 500;
  });
  expect(said).toEqual(['goes round in a loop']);
});

it('one that waits for a CPU, or for its memory, does not', () => {
  const { thread, looks, said } = watched();
  thread.isBusy = true;
  looks(1000);
  expect(said).toEqual([]);
});

it('time in which the supervisor itself was stopped does not count', () => {
  const { clock, looks, said } = watched();
  clock.ms += 100 * HANG_MS;
  looks(1);
  expect(said).toEqual([]);
});

it('the kernel tells what a thread is at', () => {
  expect(threadUse(process.pid, process.pid)).toMatchObject({ isBusy: true, isStopped: false });
  expect(threadUse(process.pid, 1)).toBeUndefined();
});
