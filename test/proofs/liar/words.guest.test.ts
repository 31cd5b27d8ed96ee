/**
 * One false word at a time, each shown to a real module until it has dealt with it: what it does
 * then is an error that it names, within its time limits, and the truth serves it again afterwards.
 */
import { bootGuest, type Guest, troubleIn } from 'qemu-tmem';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LyingStore } from './lying-store.js';

const MS_MAX = 30_000;
const ETIMEDOUT = -110;
const ENOMEM = -12;
const ENODEV = -19;
const LIMITS = 'put_timeout_ms=800 get_timeout_ms=300';
/** Bad entries that are passed over in one go (guest-kmod/credit.c). */
const SKIPS_MAX = 16;

let guest: Guest;
let store: LyingStore;
beforeAll(async () => {
  guest = await bootGuest({
    memoryMib: 128,
    cpus: 2,
    accel: 'tcg',
    swap: 'none',
    between: async (path) => {
      store = await LyingStore.listen(`${path}.liar`, 1);
      return store;
    },
  });
});
afterAll(() => guest[Symbol.asyncDispose]());

function sh(command: string): Promise<string> {
  return guest.sh(command, { timeoutMs: MS_MAX });
}

/** The result of one operation. */
async function ctl(words: string): Promise<number> {
  const { stdout } = await guest.exec(`tmemctl --json ${words}`, { timeoutMs: MS_MAX });
  return (JSON.parse(stdout) as { result: number }).result;
}

async function hostErrors(): Promise<number> {
  return (await guest.counters()).module.host_errors!;
}

/** Loads the module anew: a new life. */
async function load(words = 'front_end=none'): Promise<void> {
  await sh(
    `rmmod tmem 2>/dev/null; dmesg -c >/dev/null; insmod /lib/tmem/tmem.ko ${LIMITS} ${words}`,
  );
}

async function worksAgain(): Promise<void> {
  const verified = await sh('tmemctl hammer 1 --verify');
  expect(JSON.parse(verified)).toMatchObject({ wrong: 0, odd: 0 });
  const { errors, operations } = JSON.parse(verified) as Record<string, number>;
  // No command but those that there are not is refused.
  expect(errors!).toBeLessThan(operations! / 16);
}

beforeEach(async () => {
  store.tellTruth();
  await load();
});

describe('a head', () => {
  it.each(['ahead', 'still'] as const)(
    'that is %s costs time limits and no more',
    async (heads) => {
      const pool = await ctl('new-pool --persistent');
      expect(await ctl(`put ${pool} 1 0 --fill 1`)).toBe(1);
      store.showHeads(heads);
      expect(await ctl(`get ${pool} 1 0`)).toBe(ETIMEDOUT);
      expect(await ctl(`put ${pool} 1 0 --fill 2`)).toBe(ETIMEDOUT);
      store.showHeads('true');
      await expect.poll(() => ctl(`get ${pool} 1 0`)).toBe(1);
      await worksAgain();
    },
  );
});

describe('a credit', () => {
  it('that is promised again while its put waits is not taken twice', async () => {
    store.showGrants(1);
    // A slow guest must come to the second put while the first still waits.
    await load('front_end=none put_timeout_ms=4000');
    const pool = await ctl('new-pool --persistent');
    const before = store.counts().putsForged;
    // No room in any queue, as far as the guest can tell: the put waits, with the one slot there
    // is.
    store.showHeads('ahead');
    const waiting = ctl(`put ${pool} 1 0 --fill 1`);
    await sh('until grep -qs "\\[tmem\\]" /proc/$(pidof tmemctl)/stack; do sleep 0.05; done');
    store.promiseAgain();
    await sh('sleep 0.1');
    // It gets no credit, and the flush that must stand for it finds no room either.
    expect(await ctl(`put ${pool} 1 1 --fill 2`)).toBe(ETIMEDOUT);
    expect(await hostErrors()).toBe(1);
    expect(await waiting).toBe(ETIMEDOUT);
    store.showHeads('true');
    await expect.poll(() => ctl(`put ${pool} 1 0 --fill 3`)).toBe(1);
    expect(await ctl(`put ${pool} 1 1 --fill 4`)).toBe(ENOMEM);
    expect(store.counts().putsForged).toBe(before);
  });

  it('that names no slot is passed over, few at a time', async () => {
    const entries = 100;
    store.grantNonsense(entries);
    await load();
    store.grantNonsense(0);
    const pool = await ctl('new-pool --persistent');
    for (let put = 1; put <= entries / SKIPS_MAX; put += 1) {
      expect(await ctl(`put ${pool} 1 0 --fill 1`)).toBe(ENOMEM);
      expect(await hostErrors()).toBe(put * SKIPS_MAX);
    }
    expect(await ctl(`put ${pool} 1 0 --fill 1`)).toBe(1);
    expect(await hostErrors()).toBe(entries);
    await worksAgain();
  });
});

describe('the id of a pool', () => {
  it.each([64, 2 ** 31 - 1])('that is %i is none, and no swap goes there', async (id) => {
    store.nameNewPools(id);
    expect(
      (await guest.exec('rmmod tmem; insmod /lib/tmem/tmem.ko front_end=block')).code,
    ).not.toBe(0);
    expect(await guest.dmesg()).toContain('area 32 gets no pool (-5)');
    store.nameNewPools(undefined);
    await load();
    await worksAgain();
  });
});

describe('the header', () => {
  it('that is false in any way is refused or got along with, and the true one serves', async () => {
    const outcomes = { refused: 0, taken: 0 };
    await sh('rmmod tmem');
    for (let nth = 1; nth <= 24; nth += 1) {
      store.lieOfIdentity(nth);
      const { code } = await guest.exec('insmod /lib/tmem/tmem.ko front_end=none && rmmod tmem', {
        timeoutMs: MS_MAX,
      });
      outcomes[code === 0 ? 'taken' : 'refused'] += 1;
    }
    expect(outcomes.refused).toBeGreaterThan(8);
    expect(troubleIn(await guest.dmesg()).filter((line) => !/\btmem\b/.test(line))).toEqual([]);
    store.lieOfIdentity(0);
    await load();
    expect(await ctl('get 5 1 0')).toBe(ENODEV);
    await worksAgain();
  });
});
