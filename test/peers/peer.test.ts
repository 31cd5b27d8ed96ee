/**
 * What of a kernel log is a program's own doing.
 */
import { expect, it } from 'vitest';
import { withoutKills } from './peer.js';

it('a kill that a cgroup asked for is no trouble, one of the whole guest is', () => {
  const report = (constraint: string, killed: string) =>
    `[1] a invoked oom-killer: gfp\n[1] Call Trace:\n[1] oom-kill:constraint=${constraint},x\n${killed}\n`;
  const own = report('CONSTRAINT_MEMCG', '[1] Memory cgroup out of memory: Killed process 1 (a)');
  const all = report('CONSTRAINT_NONE', '[1] Out of memory: Killed process 1 (a)');
  expect(withoutKills(`${own}[2] fine\n`)).toBe('\n[2] fine\n');
  expect(withoutKills(all + own)).toBe(`${all}\n`);
});
