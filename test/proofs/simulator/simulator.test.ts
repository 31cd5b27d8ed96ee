/**
 * The simulator in its quick cut, that it does the same again, and that it finds what is planted.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TmemClient } from '../../../emulator/store/client.js';
import { runQuick } from '../proof.js';
import { simulator } from './proof.js';
import { simulate } from './simulation.js';

afterEach(() => vi.restoreAllMocks());

describe('the simulator', () => {
  it('finds nothing wrong, though stores die and much else happens', async () => {
    const { problems, numbers } = await runQuick(simulator, 1);
    // A problem names its seed and the command that runs it again.
    expect(problems.join('\n')).toBe('');
    expect(numbers.seeds).toBe(300);
    expect(numbers.crashes).toBeGreaterThan(1000);
    expect(numbers.operations).toBeGreaterThan(100_000);
  });

  it('does the same for the same seed, and something else for another', () => {
    const [first, second, other] = [simulate(5), simulate(5, true), simulate(6)];
    expect(second.hash).toBe(first.hash);
    expect(second.lines.slice(-first.lines.length)).toEqual(first.lines);
    expect(other.hash).not.toBe(first.hash);
  });

  it('finds a flush that is dropped, and finds it again', async () => {
    vi.spyOn(TmemClient.prototype, 'flushPage').mockReturnValue(1);
    const { problems } = await runQuick(simulator, 1, { seeds: 20 });
    const [, seed, what] = /^seed (\d+): (.*)\n/.exec(problems[0] ?? '') ?? [];
    expect(problems[0]).toContain(`npm run prove -- simulator --seed ${seed} --seeds 1 --trace 1`);
    expect(problems[0]!.split('\n').length).toBeGreaterThan(20);
    expect(simulate(Number(seed)).problem).toBe(what);
  });
});
