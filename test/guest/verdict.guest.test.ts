/**
 * The verdict on a guest: what its kernel log says counts, what it says is harmless, and when it
 * hangs or dies its words are kept and say where.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootGuest, type Guest, guestTrouble, swapVerdict, type TmemError } from 'qemu-tmem';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultCacheDir } from '../../emulator/guest/paths.js';
import { execWatched } from '../../emulator/guest/watched.js';
import { buildModule, ensureKernel } from '../../images/index.js';
import { tmem } from './tmem.js';

const folder = mkdtempSync(join(tmpdir(), 'tmem-verdict-'));
let trouble: string;
let guest: Guest;

beforeAll(async () => {
  const shared = { cacheDir: defaultCacheDir(), progress: () => {} };
  const sourceDir = join(import.meta.dirname, 'trouble-module');
  const kernel = await ensureKernel('debian-6.1', shared);
  trouble = await buildModule(kernel, { ...shared, sourceDir, name: 'trouble' });
  guest = await bootGuest({ accel: 'tcg', memoryMib: 128, with: [trouble], keepDir: folder });
});
afterAll(async () => {
  await guest[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** What a command that does not end within a second is told. */
async function late(command: string): Promise<TmemError> {
  const running = execWatched(guest, command, { timeoutMs: 1000 });
  return running.then(
    () => expect.unreachable(),
    (error: TmemError) => error,
  );
}

function kept(error: TmemError, name: string): string {
  return readFileSync(join(error.kept!, name), 'utf8');
}

/** In this order, in one guest: the last one is its end. */
describe('a guest', () => {
  it('whose swap worked is told with what it did', async () => {
    const storm = await guest.exec('storm --mib 144 --passes 1 --json');
    expect(storm.code).toBe(0);
    const verdict = await swapVerdict(guest);
    expect(verdict.puts).toBeGreaterThan(1000);
    expect(verdict.gets).toBeGreaterThan(1000);
    expect(verdict.share).toMatchObject({ tmem: verdict.counters.module.puts });
    expect(verdict.trouble).toEqual([]);
  });

  it('that fills its console fills no disk', async () => {
    await guest.sh(
      "yes 'this line floods the console, again and again' | head -n 32000 >/dev/ttyS0",
    );
    await guest.sh('echo "the last line" >/dev/ttyS0');
    await expect.poll(() => guest.consoleTail(1), { timeout: 60_000 }).toBe('the last line');
    const { size } = statSync(guest.machine.consolePath!);
    expect(size).toBeLessThan(1_400_000);
  });

  it('that is ended by a limit of its own is no trouble; a warning is, with its frame', async () => {
    await guest.sh(
      'mount -t cgroup2 none /sys/fs/cgroup; echo +memory >/sys/fs/cgroup/cgroup.subtree_control;' +
        'mkdir /sys/fs/cgroup/m; echo 4M >/sys/fs/cgroup/m/memory.max;' +
        'echo 0 >/sys/fs/cgroup/m/memory.swap.max; echo 511 >/proc/sys/kernel/sysrq;' +
        "sh -c 'echo $$ >/sys/fs/cgroup/m/cgroup.procs; exec tail /dev/zero';" +
        'echo w >/proc/sysrq-trigger; echo l >/proc/sysrq-trigger;' +
        'echo "<12>BUG: said by a program" >/dev/kmsg',
    );
    const log = await guest.dmesg();
    expect(log).toContain('Memory cgroup out of memory: Killed process');
    expect(log).toContain('NMI backtrace for cpu 0');
    expect(await guestTrouble(guest)).toEqual([]);
    await guest.exec(`insmod ${trouble} kind=warn`);
    // insmod tries twice.
    for (const { line, report } of await guestTrouble(guest)) {
      expect(line).toContain('WARNING: CPU');
      expect(report).toMatch(/cut here.*a warning that was asked for.*trouble_init.*end trace/s);
    }
    expect(await guestTrouble(guest)).not.toEqual([]);
    expect(await guestTrouble(guest, { allow: [/asked for/] })).toEqual([]);
  });

  it('whose log was cleared is not taken for one without trouble', async () => {
    await guest.sh('dmesg -c >/dev/null');
    const [lost] = await guestTrouble(guest);
    expect(lost?.line).toContain('the beginning of the kernel log is lost');
  });

  it('that is late is asked what it waits for', async () => {
    const error = await late('echo "waiting \x1b[2J" >&2; exec sleep 1000');
    expect(error.code).toBe('TIMEOUT');
    expect(error.message).toContain('its last words: waiting \\x1b[2J');
    expect(error.message).toContain('sysrq: Show Blocked State');
    expect(kept(error, 'dmesg.log')).toContain('sysrq: Show Blocked State');
    expect(readdirSync(error.kept!).sort()).toEqual(
      ['command.txt', 'console.log', 'dmesg.log', 'qemu.log', 'qmp.log', 'state.txt'].sort(),
    );
  });

  it('that is paused is told to be', async () => {
    await guest.machine.stop();
    const error = await late('true');
    expect(error.code).toBe('GUEST_HUNG');
    expect(error.message).toMatch(
      /the guest does not answer\n--- QEMU\npaused\n--- CPUs\nCPU 0: RIP/,
    );
    expect(error.message).not.toContain('(no answer');
    expect(kept(error, 'state.txt')).toContain('EFER=');
    await guest.machine.cont();
    expect((await guest.exec('echo back')).stdout).toBe('back\n');
  });

  it('whose kernel hangs says where', async () => {
    const error = await late(`insmod ${trouble} kind=spin`);
    expect(error.code).toBe('GUEST_HUNG');
    expect(error.message).toMatch(/CPU 0: RIP [0-9a-f]{16}.*, interrupts off/);
    expect(error.message).toContain('trouble_spin');
    expect(error.message).toContain(error.kept);
    expect(kept(error, 'console.log')).toContain('trouble_spin');
    expect(kept(error, 'qmp.log')).toContain('inject-nmi');
  });
});

describe('tmem run', () => {
  it('fails a command that succeeds when the kernel complains', async () => {
    const script = `printf '<4>tmem: \\033]0;owned\\007 oh\\n' >/dev/kmsg; insmod ${trouble} kind=oops; true`;
    const options = ['--mem', '128', '--accel', 'tcg', '--with', trouble, '--require-puts', '5'];
    const outcome = await tmem(['run', ...options, '--console', '--', script]);
    expect(outcome.stderr).toMatch(/^\[ +\d+\.\d+\] tmem: loading out-of-tree/m);
    expect(outcome.stderr).toMatch(/^tmem: kernel log: .*BUG: .*NULL pointer/m);
    expect(outcome.stderr).toMatch(/^tmem: kernel log: .*RIP: 0010:trouble_/m);
    expect(outcome.stderr).toMatch(
      /^tmem: 0 puts, 0 gets, 0 pages to disk, nothing swapped; \d troubles? in the kernel log$/m,
    );
    expect(outcome.stderr).toContain('tmem: 5 puts were required, there are 0');
    for (const sign of ['\x1b', '\x07']) expect(outcome.stderr).not.toContain(sign);
    expect(outcome.code).toBe(1);
  });
});
