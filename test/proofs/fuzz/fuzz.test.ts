/**
 * The corpus, input by input, and a look at whether the fuzzer finds what it is there to find.
 *
 * A file of the corpus says why it is there, what the guest is cut off for and how many descriptors
 * the host takes of it, so that an input which does not come to its point any more is noticed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Session } from '../../../emulator/session/session.js';
import { TmemClient } from '../../../emulator/store/client.js';
import { PageQuota } from '../../../emulator/store/quota.js';
import { SlotTable } from '../../../emulator/store/slot-table.js';
import { runQuick } from '../proof.js';
import { CAMPAIGNS, type Campaign, caseNumber, type Input, runCase, runInput } from './cases.js';
import { fuzz } from './proof.js';
import { shrink } from './shrink.js';

const CORPUS = join(import.meta.dirname, 'corpus');

afterEach(() => {
  vi.restoreAllMocks();
});

type Entry = Input & {
  readonly why: string;
  readonly faults: readonly number[];
  readonly descriptors: number;
};

describe('the corpus', () => {
  const names = readdirSync(CORPUS);

  it('has something for each fault', () => {
    const faults = names.flatMap((name) => {
      return (JSON.parse(readFileSync(join(CORPUS, name), 'utf8')) as Entry).faults;
    });
    expect([...new Set(faults)].sort()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it.each(names)('%s', (name) => {
    const entry = JSON.parse(readFileSync(join(CORPUS, name), 'utf8')) as Entry;
    expect(entry.why).toMatch(/^[A-Z].*\.$/);
    const { finding, faults, descriptors } = runInput(entry);
    expect(finding).toBeUndefined();
    expect({ faults, descriptors }).toEqual({
      faults: entry.faults,
      descriptors: entry.descriptors,
    });
  });
});

describe('a case', () => {
  it.each(CAMPAIGNS)('is the same again, and comes to a few thousand descriptors: %s', (name) => {
    const number = caseNumber(name, 3);
    const one = runCase(11, number);
    expect(one.finding).toBeUndefined();
    expect(one.descriptors).toBeGreaterThan(2000);
    expect(one.faults.length).toBeGreaterThan(0);
    const again = runInput(JSON.parse(JSON.stringify(one.input)) as Input);
    expect(again).toMatchObject({ descriptors: one.descriptors, faults: one.faults });
    expect(JSON.stringify(runCase(11, number).input)).toBe(JSON.stringify(one.input));
    expect(JSON.stringify(runCase(12, number).input)).not.toBe(JSON.stringify(one.input));
  });
});

/** The first finding of some cases. */
function search(campaign: Campaign, cases = 12): ReturnType<typeof runCase> | undefined {
  for (let turn = 0; turn < cases; turn += 1) {
    const outcome = runCase(1, caseNumber(campaign, turn));
    if (outcome.finding !== undefined) return outcome;
  }
  return undefined;
}

describe('the fuzzer finds', () => {
  it('a host that lets anyone put into any slot, and shows it in a few steps', () => {
    const { state } = SlotTable.prototype;
    vi.spyOn(SlotTable.prototype, 'state').mockImplementation(function (this: SlotTable, slot) {
      return Math.min(1, Reflect.apply(state, this, [slot]));
    });
    const found = search('shared');
    expect(found?.finding).toBeDefined();
    const small = shrink(found!.input);
    expect(small.steps.length).toBeLessThan(12);
    vi.restoreAllMocks();
    expect(runInput(small).finding).toBeUndefined();
  });

  it('a quota that is not given back', () => {
    vi.spyOn(PageQuota.prototype, 'release').mockReturnValue(undefined);
    expect(search('shared')?.finding).toMatch(/of quota, not/);
  });

  it('a session that never cuts off', () => {
    vi.spyOn(Session.prototype, 'cutOff').mockReturnValue(undefined);
    expect(search('shared')?.finding).toBeDefined();
    expect(search('link')?.finding).toBeDefined();
  });

  it('a store that throws', () => {
    vi.spyOn(TmemClient.prototype, 'flushObject').mockImplementation(() => {
      throw new Error('planted');
    });
    expect(search('link')?.finding).toMatch(/the host threw: Error: planted/);
  });
});

it('holds for a while', { timeout: 120_000 }, async () => {
  const result = await runQuick(fuzz, 2026, { descriptors: 60_000 });
  expect(result.problems).toEqual([]);
  expect(result.numbers.descriptors).toBeGreaterThanOrEqual(60_000);
  expect(result.numbers.cutOff).toBeGreaterThan(100);
});
