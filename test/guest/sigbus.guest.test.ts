/**
 * Pages that cannot be had are SIGBUS for who needs them, never other bytes: pages that a store has
 * spoilt, as their check values tell, and those of one that goes away and does not come back. Other
 * processes and the guest live on, the log says so in a line, and no disk slot is read that was
 * never written.
 */
import { bootGuest, type Guest, type GuestCounters, troubleIn } from 'qemu-tmem';
import { describe, expect, it } from 'vitest';
import { LyingStore } from '../proofs/liar/lying-store.js';

const STORM_MS_MAX = 120_000;
const SECTORS_A_PAGE = 8;
/** The storm has paged out by then, and goes on until its pages are asked for. */
const GONE_AFTER_MS = 1500;
const STORM_SECONDS = 4;
/** For each fault, and not for each page that is read ahead with it. */
const WAIT_MS = 400;
/** A line of a kind in five seconds: STORM_SECONDS, and what a busy machine adds. */
const LINES_MAX = 4;

interface Storm {
  readonly code: number;
  readonly pagesVerified: number;
  readonly pagesWrong: number;
  readonly pagesLost: number;
  readonly processesDied: number;
}

async function storm(guest: Guest, words: string): Promise<Storm> {
  const command = `exec storm --json ${words}`;
  const { code, stdout } = await guest.exec(command, { timeoutMs: STORM_MS_MAX });
  return { code, ...(JSON.parse(stdout.trim().split('\n').at(-1)!) as Omit<Storm, 'code'>) };
}

/** What must hold of a storm, whatever it lost. */
const RIGHT = { code: 0, pagesWrong: 0, processesDied: 0 };

/** Sectors of the disk read since, by the kernel, and pages that the fail-stop device let pass. */
function reads(before: GuestCounters, after: GuestCounters): [sectors: number, pages: number] {
  const passed = after.module.disk_reads! - before.module.disk_reads!;
  return [after.disks.vda!.read - before.disks.vda!.read, passed];
}

describe.each([
  ['debian-6.1', 'frontswap'],
  ['debian-5.10', 'frontswap'],
  ['debian-6.12', 'zswap'],
  ['debian-6.1', 'block'],
])('%s, %s', (kernel, frontEnd) => {
  it('pages spoilt, then gone, are lost and never wrong', async () => {
    let store!: LyingStore;
    await using guest = await bootGuest({
      kernel,
      frontEnd,
      memoryMib: 160,
      accel: 'tcg',
      moduleParameters: ['direct_gets=0', 'check_pages=1', 'put_timeout_ms=100'],
      between: async (path) => {
        store = await LyingStore.listen(`${path}.liar`, 1);
        return store;
      },
    });
    store.spoil(0.2);
    const spoilt = await storm(guest, '--mib 4 --passes 1 --pageout --survive');
    expect(spoilt).toMatchObject(RIGHT);
    expect(spoilt.pagesLost).toBeGreaterThan(100);
    const before = await guest.counters();
    expect(before.module.gets_mismatched).toBeGreaterThanOrEqual(spoilt.pagesLost);
    expect(before.module.lost).toBe(0);
    expect(await guest.dmesg()).toMatch(/tmem: page \d+ of area \d+ came back with other bytes/);

    store.tellTruth();
    const running = storm(
      guest,
      `--mib 1 --passes 1000000 --seconds ${STORM_SECONDS} --pageout --survive`,
    );
    const bystander = storm(guest, `--mib 2 --passes 1000000 --seconds ${STORM_SECONDS}`);
    await new Promise((resolve) => setTimeout(resolve, GONE_AFTER_MS));
    await guest.sh(`echo ${WAIT_MS} >/sys/module/tmem/parameters/get_timeout_ms`);
    await store[Symbol.asyncDispose]();
    const { sleeps } = (await guest.counters()).module;
    const gone = await running;
    expect(gone).toMatchObject(RIGHT);
    expect(gone.pagesLost).toBeGreaterThan(10);
    expect(await bystander).toMatchObject({ ...RIGHT, pagesLost: 0 });

    // What is swapped from here on goes to the disk, or stays.
    const next = await storm(guest, '--mib 4 --passes 1 --pageout');
    expect(next).toMatchObject({ ...RIGHT, pagesLost: 0 });
    const after = await guest.counters();
    expect(after.module.lost).toBeGreaterThanOrEqual(gone.pagesLost);
    expect(after.module.sleeps! - sleeps!).toBeLessThan(gone.pagesLost / 2);
    if (frontEnd === 'frontswap') {
      const [sectors, pages] = reads(before, after);
      expect(sectors).toBe(pages * SECTORS_A_PAGE);
      const refused = after.module.disk_reads_refused!;
      expect(refused).toBeGreaterThanOrEqual(spoilt.pagesLost + gone.pagesLost);
    }
    const log = await guest.dmesg();
    const said = /tmem: page \d+ of area \d+ cannot be had \(-110\): SIGBUS/g;
    expect(log.match(said)?.length).toBeGreaterThan(0);
    expect(log.match(said)?.length).toBeLessThanOrEqual(LINES_MAX);
    const other = /I\/O error|space allocation error|(Read|Write)-error on swap|\btmem\b/;
    expect(troubleIn(log).filter((line) => !other.test(line))).toEqual([]);
  });
});
