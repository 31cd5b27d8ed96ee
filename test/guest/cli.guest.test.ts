/**
 * The command line as its users call it: exit codes, streams, what it leaves behind.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { withoutProgress } from './tmem.js';

const MAIN = join(import.meta.dirname, '../../dist/emulator/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'tmem-cli-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const COMMAND_MS_MAX = 120_000;
/** More than enough for all that there is to read, were it not waited with. */
const UNREAD_MS = 8000;

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

function tmem(
  args: string[],
  options: { interruptOn?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Outcome> {
  const env = { ...process.env, TMPDIR: folder, ...options.env };
  const child = spawn(process.execPath, [MAIN, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), COMMAND_MS_MAX);
  let wanted = options.interruptOn;
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
    if (wanted !== undefined && stderr.includes(wanted)) {
      wanted = undefined;
      child.kill('SIGINT');
    }
  });
  return new Promise((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

/** Where the logs of guests that fail go. */
const kept = join(folder, 'kept');
const TCG = ['--accel', 'tcg', '--mem', '128', '--keep', kept];

/** `tmem run`, whose output is the caller's to read or not. */
function runUnread(script: string) {
  return spawn(process.execPath, [MAIN, 'run', '-q', ...TCG, '--', script], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Processes of this test's runs that are still there. */
function leftovers(): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).length > 0 && commandOf(pid).includes(folder);
    } catch {
      return false;
    }
  });
}

function commandOf(pid: string): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
}

function expectNothingLeft(): void {
  expect(readdirSync(folder).filter((name) => name.startsWith('qemu-tmem'))).toEqual([]);
  expect(leftovers()).toEqual([]);
  expect(readdirSync('/dev/shm').filter((name) => name.startsWith('tmem'))).toEqual([]);
}

describe('tmem run', () => {
  it("passes the command's streams and exit code on", async () => {
    const outcome = await tmem(['run', ...TCG, '--', 'cat /proc/swaps; echo oops >&2; exit 7']);
    expect(outcome.stdout).toContain('/dev/failstop0');
    expect(withoutProgress(outcome.stderr)).toBe(
      'oops\ntmem: 0 puts, 0 gets, 0 pages to disk, nothing swapped; kernel log clean\n',
    );
    expect(outcome.code).toBe(7);
    expectNothingLeft();
  });

  it('keeps the words of a command apart', async () => {
    const words = ['printf', '%s|', 'a b', "it's", '$HOME'];
    const outcome = await tmem(['run', '-q', ...TCG, '--', ...words]);
    expect(outcome).toMatchObject({ code: 0, stdout: "a b|it's|$HOME|" });
    expect(withoutProgress(outcome.stderr)).toBe('');
  });

  it('lets the command wait for a reader that does not read, and holds little meanwhile', async () => {
    const script = 'echo begins >&2; head -c 60000000 /dev/zero; echo ends >&2';
    const child = runUnread(script);
    const ended = new Promise((resolve) => child.on('close', resolve));
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    await vi.waitFor(() => expect(stderr).toContain('begins\n'), { timeout: COMMAND_MS_MAX });
    await delay(UNREAD_MS);
    expect(withoutProgress(stderr)).toBe('begins\n');
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    expect(Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1])).toBeLessThan(80_000);
    let bytes = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    expect(await ended).toBe(0);
    expect(withoutProgress(stderr)).toBe('begins\nends\n');
    expect(bytes).toBe(60_000_000);
  });

  it('ends as SIGPIPE would end it when the reader goes, and leaves nothing', async () => {
    const child = runUnread('yes');
    const ended = new Promise((resolve) => child.on('close', resolve));
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.stdout.destroy();
    expect(await ended).toBe(141);
    expect(withoutProgress(stderr)).toBe('');
    expectNothingLeft();
  });

  it('mounts a disk for files', async () => {
    const script = 'echo kept >/data/file && sync && cat /data/file && grep /data /proc/mounts';
    const outcome = await tmem(['run', ...TCG, '--data-size', '64M', '--', script]);
    expect(outcome.stdout).toMatch(/^kept\n\/dev\/vdb \/data ext4 /);
    expect(outcome.code).toBe(0);
  });

  it('takes host programs along', async () => {
    const script = join(folder, 'hello.txt');
    writeFileSync(script, 'hello from the host\n');
    const outcome = await tmem([
      'run',
      ...TCG,
      '--with',
      script,
      '--with',
      'sha256sum',
      '--',
      `sha256sum ${script}`,
    ]);
    expect(outcome.stdout).toMatch(/^[0-9a-f]{64} /);
    expect(outcome.code).toBe(0);
  });

  it('says 3 when the guest panics, with the frame at fault, and keeps its words', async () => {
    const outcome = await tmem(['run', ...TCG, '--', 'echo c >/proc/sysrq-trigger; sleep 60']);
    expect(outcome.stderr).toMatch(
      /^tmem: GUEST_PANICKED: .*Kernel panic .*: sysrq triggered crash/,
    );
    expect(outcome.stderr).toMatch(/Kernel panic.*Call Trace:.*sysrq_handle_crash\+0x/s);
    const [, where] = /^kept in (.*): console\.log/m.exec(outcome.stderr) ?? [];
    expect(where?.startsWith(kept)).toBe(true);
    const console = readFileSync(join(where!, 'console.log'), 'utf8');
    expect(console).toContain('sysrq_handle_crash+0x');
    expect(outcome.code).toBe(3);
    expectNothingLeft();
  });

  it('says 124 when the command takes too long', async () => {
    const outcome = await tmem(['run', ...TCG, '--timeout', '1', '--', 'sleep 60']);
    expect(outcome.code).toBe(124);
    expect(outcome.stderr).toContain('TIMEOUT');
  });

  it('prints the QEMU command and runs nothing with --dry-run', async () => {
    const outcome = await tmem(['run', ...TCG, '--dry-run']);
    expect(outcome.stdout).toMatch(/^qemu-system-x86_64 .*ivshmem-doorbell/);
    expect(outcome.code).toBe(0);
    expectNothingLeft();
  });

  it('leaves nothing behind when it is interrupted while it boots', async () => {
    const outcome = await tmem(['run', '-v', ...TCG, '--', 'sleep 60'], { interruptOn: 'booting' });
    expect(outcome.code).toBe(130);
    expectNothingLeft();
  });

  it('tells a guest that never boots, with what its console said', async () => {
    const outcome = await tmem([
      'run',
      ...TCG,
      '--append',
      'rdinit=/bin/false',
      '--boot-timeout',
      '20',
      '--',
      'true',
    ]);
    expect(outcome.stderr).toMatch(/GUEST_BOOT_(FAILED|TIMEOUT)/);
    expect(outcome.stderr).toContain('Attempted to kill init');
    expect(outcome.code).toBe(4);
    expectNothingLeft();
  });
});

describe('tmem storm', () => {
  it('prints one JSON object on stdout and the rest on stderr', async () => {
    const outcome = await tmem(['storm', ...TCG, '--mib', '160', '--passes', '1', '--json']);
    const report = JSON.parse(outcome.stdout) as Record<string, unknown>;
    expect(report).toMatchObject({
      frontEnd: 'frontswap',
      transport: 'ivshmem',
      accelerator: 'tcg',
      pagesWrong: 0,
      ok: true,
    });
    expect(outcome.stdout.split('\n')).toHaveLength(2);
    expect(outcome.stderr).toContain('booting Linux');
    expect(outcome.code).toBe(0);
    expectNothingLeft();
  });

  it('prints one JSON object also when it fails', async () => {
    const outcome = await tmem(['storm', '--kernel', 'no-such', '--json']);
    expect(JSON.parse(outcome.stdout)).toEqual({
      ok: false,
      error: { code: 'KERNEL_UNKNOWN', message: expect.stringContaining('no-such') },
    });
    expect(outcome.stderr).toContain('KERNEL_UNKNOWN');
    expect(outcome.code).toBe(2);
  });

  it('leaves nothing behind when it is interrupted in the storm', async () => {
    const outcome = await tmem(['storm', ...TCG], { interruptOn: 'pages held' });
    expect(outcome.code).toBe(130);
    expect(outcome.stdout).toBe('');
    expectNothingLeft();
  });
});

describe('bad input', () => {
  it.each([
    [['run', '--mem', '12', '--', 'true'], 2, '--mem'],
    [['run', '--no-such', '--', 'true'], 2, '--no-such'],
    [['run', '--kernel', 'no-such', '--', 'true'], 2, 'KERNEL_UNKNOWN'],
    [['run', '--kernel', './bzImage', '--', 'true'], 2, '--kbuild'],
    [['run', '--mirror', 'http://a.example/ x', '--', 'true'], 2, '--mirror'],
    [['run', '--allow-log', '(', '--', 'true'], 2, '--allow-log'],
    [['run', '--policy', 'no-such', '--', 'true'], 2, 'no-such'],
    [['run', '--size', '3M', '--', 'true'], 2, 'power of two'],
    [['run', '--with', '/no/such/file', '--', 'true'], 2, 'INITRAMFS_PATH_MISSING'],
    [['run', '--accel', 'kvm', '--append', 'x', '--', 'true'], 69, 'ACCEL_UNAVAILABLE'],
    [['run'], 2, 'nothing to run'],
    [[], 2, 'Usage'],
  ])('%j ends with %i', async (args, code, message) => {
    const outcome = await tmem(args);
    expect(outcome.stderr).toContain(message);
    expect(outcome.code).toBe(code);
    expect(outcome.stdout).toBe('');
    expectNothingLeft();
  });

  it('names a socket that is in use', async () => {
    const path = join(folder, 'used.sock');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const outcome = await tmem(['serve', '--socket', path]);
    await new Promise((resolve) => server.close(resolve));
    expect(outcome.stderr).toContain('SOCKET_IN_USE');
    expect(outcome.code).toBe(2);
  });

  it('tells that the shared memory does not fit its tmpfs', async () => {
    // A mount namespace of our own: a tmpfs of 4 MiB that goes with the process.
    const shm = join(folder, 'shm');
    mkdirSync(shm);
    const serve = ['serve', '--socket', join(folder, 'x.sock'), '--shm-dir', shm, '--size', '8M'];
    const script = 'mount -t tmpfs -o size=4m none "$0" && exec "$@"';
    const words = ['-rm', 'sh', '-c', script, shm, process.execPath, MAIN, ...serve];
    const { status, stderr } = spawnSync('unshare', words, { timeout: COMMAND_MS_MAX });
    expect(stderr.toString()).toContain('SHM_FULL');
    expect(status).toBe(69);
  });
});

describe('tmem run with no room', () => {
  it('tells which folder is full, and leaves nothing in it', () => {
    const full = join(folder, 'full');
    mkdirSync(full);
    const script = 'mount -t tmpfs -o size=1m none "$0" && TMPDIR="$0" "$@"; ls "$0"';
    const words = [
      '-rm',
      'sh',
      '-c',
      script,
      full,
      process.execPath,
      MAIN,
      'run',
      ...TCG,
      '--',
      ':',
    ];
    const { stdout, stderr } = spawnSync('unshare', words, { timeout: COMMAND_MS_MAX });
    expect(stderr.toString()).toMatch(/^tmem: RUN_DIR_UNUSABLE: .*full\/.* no room .*ENOSPC/);
    expect(stdout.toString()).toBe('');
  });
});

describe('tmem serve', () => {
  it('prints what QEMU needs and goes away cleanly', async () => {
    const path = join(folder, 'serve.sock');
    const outcome = await tmem(['serve', '--socket', path], { interruptOn: 'serving' });
    expect(outcome.stdout).toBe(
      `-chardev socket,id=tmem,path=${path} -device ivshmem-doorbell,chardev=tmem,vectors=4\n`,
    );
    expect(outcome.code).toBe(0);
    expect(readdirSync(folder)).not.toContain('serve.sock');
  });
});

describe('tmem doctor', () => {
  it('finds this machine fit', async () => {
    const outcome = await tmem(['doctor', '--json']);
    const checks = JSON.parse(outcome.stdout) as { name: string; state: string }[];
    expect(checks.filter((check) => check.state === 'no')).toEqual([]);
    expect(checks.map((check) => check.name)).toContain('ivshmem-doorbell');
    expect(outcome.code).toBe(0);
  });

  it('names what is missing and how to mend it', async () => {
    const outcome = await tmem(['doctor'], { env: { PATH: folder } });
    expect(outcome.stdout).toMatch(/NO {2}qemu +not found\n +apt-get install qemu-system-x86/);
    expect(outcome.code).toBe(69);
  });
});
