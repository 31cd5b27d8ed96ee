// The package as other programs meet it, compiled: its bins, its public entry points, and what is
// left of QEMU when the program that launched it dies.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { built } from '../test-support/built.js';
import { Machine } from './machine/machine.js';

// Real processes on a busy machine: the limit is against hanging, not a measure.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const run = promisify(execFile);
const here = path.dirname(new URL(import.meta.url).pathname);
const bins = path.join(here, '..', 'bin');
let dist: string;
let folder: string;

beforeAll(() => {
  dist = built();
}, 120_000);
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'qmp-programs-'));
});
afterEach(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

function launch(): Promise<Machine> {
  return Machine.launch({
    logDir: folder,
    machine: 'none',
    accel: 'tcg',
    defaults: false,
    paused: true,
    monitorPath: path.join(folder, 'qmp.sock'),
  });
}

/** Settles when a process is gone, by its own pid file under /proc. */
async function gone(pid: number): Promise<boolean> {
  const until = performance.now() + 10_000;
  while (performance.now() < until) {
    const stat = await fs.promises.readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    // A zombie has ended; only its new parent has not looked yet.
    if (stat === '' || /\) Z /.test(stat)) return true;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return false;
}

describe('no orphan', () => {
  /** A program that launches a machine, tells its pid, and then does as told. */
  async function launcher(
    ending: string,
    env = process.env,
  ): Promise<{ child: ChildProcess; qemu: number }> {
    const program = `
      import { Machine } from ${JSON.stringify(path.join(dist, 'index.js'))};
      const machine = await Machine.launch({ logDir: ${JSON.stringify(folder)}, machine: 'none',
        accel: 'tcg', defaults: false, paused: true });
      process.stdout.write(machine.pid + '\\n');
      ${ending}
      await machine.wait();`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env,
    });
    const line = await new Promise<string>((resolve, reject) => {
      child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString()));
      child.once('exit', (code) => reject(new Error(`the launcher ended with ${code}`)));
    });
    return { child, qemu: Number(line) };
  }

  it('is left when Node dies by SIGKILL', async () => {
    const { child, qemu } = await launcher('');
    expect(fs.readFileSync(`/proc/${qemu}/cmdline`, 'utf8')).toContain('qemu-system');
    child.kill('SIGKILL');
    expect(await gone(qemu)).toBe(true);
  });

  it('is left by an exit where there is no setpriv', async () => {
    // Nothing but QEMU is found in this PATH, so the kernel is not asked to end it.
    const { stdout } = await run('sh', ['-c', 'command -v qemu-system-x86_64']);
    fs.symlinkSync(stdout.trim(), path.join(folder, 'qemu-system-x86_64'));
    const unguarded = 'if (machine.guarded) process.exit(9);';
    const exits = await launcher(`${unguarded} process.exit(0);`, { PATH: folder });
    const code = await new Promise((resolve) => exits.child.once('close', resolve));
    expect(code).toBe(0);
    expect(await gone(exits.qemu)).toBe(true);
  });

  it('is left when Node exits or is interrupted', async () => {
    const exits = await launcher('process.exit(0);');
    expect(await gone(exits.qemu)).toBe(true);
    const interrupted = await launcher('');
    interrupted.child.kill('SIGINT');
    expect(await gone(interrupted.qemu)).toBe(true);
  });
});

describe('qmp-types', () => {
  it('makes the committed types from a QEMU of their version', async () => {
    const committed = fs.readFileSync(path.join(here, 'generated', 'qemu-7.2.ts'), 'utf8');
    const file = path.join(folder, 'made.ts');
    const cli = path.join(bins, 'qmp-types.mjs');
    await run(process.execPath, [cli, '--name', 'Qemu72Schema', '--output', file]);
    const made = fs.readFileSync(file, 'utf8');
    const origin = /of QEMU ([0-9]+\.[0-9]+)/.exec(made)?.[1];
    // Another QEMU has another schema: then what was made must only be whole.
    if (origin === '7.2') expect(made.split('\n').slice(1)).toEqual(committed.split('\n').slice(1));
    expect(made).toContain("'query-status': {");
  });

  it('asks a running QEMU and reads a saved answer, with the same result', async () => {
    await using _machine = await launch();
    const cli = path.join(bins, 'qmp-types.mjs');
    const limit = { maxBuffer: 10_000_000 };
    const socket = ['--socket', path.join(folder, 'qmp.sock')];
    const asked = await run(process.execPath, [cli, ...socket], limit);
    const raw = await run(process.execPath, [cli, ...socket, '--raw'], limit);
    const saved = path.join(folder, 'schema.json');
    fs.writeFileSync(saved, raw.stdout);
    const read = await run(process.execPath, [cli, '--schema', saved], limit);
    const body = (text: string): string => text.slice(text.indexOf('\n'));
    expect(body(read.stdout)).toBe(body(asked.stdout));
    const wrong = run(process.execPath, [cli, '--nonsense']);
    await expect(wrong).rejects.toMatchObject({ code: 2 });
    fs.writeFileSync(saved, '{"return": [{"meta-type": "command"}]}');
    const broken = run(process.execPath, [cli, '--schema', saved]);
    await expect(broken).rejects.toMatchObject({ code: 1 });
  });
});

describe('the qmp bin', () => {
  it('answers one command and ends with its code', async () => {
    await using _machine = await launch();
    const bin = path.join(bins, 'qmp.mjs');
    const monitor = path.join(folder, 'qmp.sock');
    const found = await run(process.execPath, [bin, monitor, 'query-status']);
    expect(JSON.parse(found.stdout)).toMatchObject({ running: false });
    const failed = run(process.execPath, [bin, monitor, 'no-such']);
    await expect(failed).rejects.toMatchObject({ code: 1 });
  });

  it('completes from the schema and keeps a history at a terminal', async () => {
    await using _machine = await launch();
    const monitor = path.join(folder, 'qmp.sock');
    const history = path.join(folder, 'state', 'history');
    const bin = path.join(bins, 'qmp.mjs');
    // script(1) gives it a real terminal.
    const command = `${process.execPath} ${bin} ${monitor}`;
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      env: { ...process.env, QMP_HISTORY: history, TERM: 'xterm' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      let text = '';
      let changed = (): void => {};
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk;
        changed();
      });
      const seen = (wanted: string) =>
        new Promise<void>((resolve) => {
          changed = () => text.includes(wanted) && resolve();
          changed();
        });
      await seen('(QEMU) ');
      // An answered help has waited for the schema: from here on completion knows it.
      child.stdin.write('help stop\r');
      await seen('\nstop');
      child.stdin.write('query-vers');
      await seen('query-vers');
      // By itself: readline takes a tab inside a longer piece for pasted text.
      child.stdin.write('\t');
      await seen('ion');
      child.stdin.write('\r');
      await seen('"major":');
      child.stdin.write('exit\r');
      const code = await new Promise((resolve) => child.once('exit', resolve));
      expect(code).toBe(0);
      expect(fs.readFileSync(history, 'utf8')).toBe('help stop\nquery-version\nexit\n');
      expect(fs.statSync(history).mode & 0o777).toBe(0o600);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
