/**
 * The seed's promises, shown in real guests: every page that Linux swaps out to us comes back
 * right, and the counters of guest kernel, module and store agree.
 */
import { bootGuest, type GuestOptions, runStorm, type StormReport } from 'qemu-tmem';
import { describe, expect, it } from 'vitest';

const STORM_MS_MAX = 240_000;

async function stormIn(
  options: GuestOptions,
  storm: { mib: number; passes: number; processes?: number; extra?: string[] },
): Promise<StormReport> {
  await using guest = await bootGuest({ memoryMib: 128, accel: 'tcg', ...options });
  return await runStorm(guest, { ...storm, timeoutMs: STORM_MS_MAX });
}

/** What must hold of every storm, whatever was refused. */
function expectRight(report: StormReport): void {
  expect(report.problems).toEqual([]);
  expect(report.pagesWrong).toBe(0);
  expect(report.pagesVerified).toBeGreaterThan(10_000);
  expect(report.ok).toBe(true);
}

describe('a verified storm', () => {
  it('with posted puts and direct gets', async () => {
    const report = await stormIn({}, { mib: 192, passes: 2 });
    expectRight(report);
    expect(report.guest.module.features).toBe(3);
    expect(report.puts).toBeGreaterThan(20_000);
    expect(report.gets).toBeGreaterThan(10_000);
    // A store that gets no CPU for a while grants no slots; what is refused then goes to the disk.
    expect(report.refusals).toBeLessThan(report.puts / 20);
    expect(report.guest.disks.vda?.written).toBeLessThan(100 + 8 * 4 * (report.refusals + 1));
  });

  it('with every put and get answered', async () => {
    const moduleParameters = ['posted_puts=0', 'direct_gets=0'];
    const storm = { mib: 48, passes: 1, extra: ['--pageout'] };
    const report = await stormIn({ moduleParameters }, storm);
    expectRight(report);
    expect(report.guest.module.features).toBe(0);
    expect(report.puts).toBeGreaterThan(5_000);
    expect(report.gets).toBeGreaterThan(5_000);
  });

  it('on two CPUs, several processes at once', async () => {
    const storm = { mib: 64, passes: 1, processes: 4, extra: ['--pageout'] };
    const report = await stormIn({ cpus: 2 }, storm);
    expectRight(report);
    expect(report.cpus).toBe(2);
    expect(report.puts).toBeGreaterThan(10_000);
  });

  it('of pages shared copy-on-write with forked children', async () => {
    const report = await stormIn({}, { mib: 128, passes: 1, processes: 2, extra: ['--fork'] });
    expectRight(report);
    expect(report.puts).toBeGreaterThan(5_000);
  });

  it('of a shared-memory file', async () => {
    const report = await stormIn({}, { mib: 160, passes: 1, extra: ['--shm'] });
    expectRight(report);
    expect(report.puts).toBeGreaterThan(5_000);
  });
});

describe('refused pages go to the swap disk and come back right', () => {
  it('when the quota is met', async () => {
    const storm = { mib: 48, passes: 1, extra: ['--pageout'] };
    const report = await stormIn({ store: { quotaPages: 4000 } }, storm);
    expectRight(report);
    expect(report.refusals).toBeGreaterThan(1000);
    expect(report.host?.pagesUsedMax).toBeLessThanOrEqual(4000);
    expect(report.guest.disks.vda?.written).toBeGreaterThan(8 * 1000);
  });

  it('when a policy refuses every third put', async () => {
    const storm = { mib: 48, passes: 1, extra: ['--pageout'] };
    const report = await stormIn({ store: { policy: 'refuse-every=3' } }, storm);
    expectRight(report);
    expect(report.guest.module.features).toBe(2);
    expect(report.host?.putsRefused).toBeGreaterThan(1000);
    expect(report.host?.putsRefused).toBe(report.guest.module.refused_host);
  });

  it('when the host says refuse in the middle', async () => {
    await using guest = await bootGuest({ memoryMib: 128, accel: 'tcg' });
    const storm = runStorm(guest, {
      mib: 192,
      passes: 1,
      shareMin: 0,
      timeoutMs: STORM_MS_MAX,
      onProgress: (stats) => {
        if (stats !== undefined && stats.puts > 2000) void guest.store?.refusePuts(true);
      },
    });
    const report = await storm;
    expectRight(report);
    expect(report.guest.module.refused_credit).toBeGreaterThan(1000);
  });
});
