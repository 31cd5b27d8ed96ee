// The shell on a real QEMU: one command, a script on standard input, a conversation, exit codes.

import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Machine } from '../machine/machine.js';
import { FakeQmpServer, NO_REPLY } from '../testing/index.js';
import { runShell } from './shell.js';

// Real processes on a busy machine: the limit is against hanging, not a measure.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let folder: string;
let monitorPath: string;
let machine: Machine;

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'qmp-shell-'));
  monitorPath = path.join(folder, 'qmp.sock');
  machine = await Machine.launch({
    logDir: folder,
    machine: 'pc',
    accel: 'tcg',
    defaults: false,
    userConfig: false,
    paused: true,
    monitorPath,
    devices: [{ driver: 'qemu-xhci', id: 'usb' }],
  });
});
afterAll(async () => {
  await machine.quit();
  fs.rmSync(folder, { recursive: true, force: true });
});

class Tty extends PassThrough {
  readonly isTTY = true;
}

function streams(stdin: PassThrough) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const text = { out: '', err: '' };
  let changed = (): void => {};
  stdout.on('data', (chunk: Buffer) => {
    text.out += chunk;
    changed();
  });
  stderr.on('data', (chunk: Buffer) => {
    text.err += chunk;
    changed();
  });
  /** Settles once the output so far fits. */
  const seen = (fits: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      changed = () => fits() && resolve();
      changed();
    });
  const env = { QMP_HISTORY: path.join(folder, 'history') };
  return { io: { stdin, stdout, stderr, env }, text, seen };
}

async function run(argv: readonly string[], input?: string) {
  const stdin = new PassThrough();
  if (input !== undefined) stdin.end(input);
  const { io, text } = streams(stdin);
  const code = await runShell(argv, io);
  return { code, ...text };
}

describe('one command', () => {
  it('prints the reply alone and ends with 0', async () => {
    const found = await run([monitorPath, 'query-status']);
    expect(found).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(found.out)).toMatchObject({ status: 'prelaunch' });
    expect(found.out.split('\n')).toHaveLength(2);
    const pretty = await run(['-p', monitorPath, 'query-status']);
    expect(pretty.out.split('\n').length).toBeGreaterThan(3);
  });

  it('types arguments by the schema', async () => {
    const added = await run([monitorPath, 'device_add', 'driver=usb-tablet', 'id=t5', 'bus=usb.0']);
    expect(added).toMatchObject({ code: 0, out: '{}\n' });
    const numeric = await run([monitorPath, 'qom-list', 'path=12']);
    expect(numeric).toMatchObject({ code: 1, out: '' });
    expect(numeric.err).toMatch(/DeviceNotFound.*'12'/);
  });

  it('waits for an event that the command causes', async () => {
    await run([monitorPath, 'device_add', 'driver=usb-tablet', 'id=t6', 'bus=usb.0']);
    const found = await run([monitorPath, '-w', 'DEVICE_DELETED', 'device_del', 'id=t6']);
    expect(found.code).toBe(0);
    const [reply, event] = found.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(reply).toEqual({});
    expect(event).toMatchObject({ event: 'DEVICE_DELETED', data: { device: 't6' } });
  });

  it('speaks to the human monitor, dashes and all, and out of band', async () => {
    expect((await run(['-H', monitorPath, 'info', 'status'])).out).toContain('VM status: paused');
    expect((await run(['-H', monitorPath, 'info', 'mtree', '-f'])).out).toContain('FlatView');
    expect((await run([monitorPath, 'oob', 'query-yank'])).out).toContain('"qmp-second"');
  });

  it('ends with the code that says why', async () => {
    expect((await run([monitorPath, 'no-such'])).code).toBe(1);
    expect((await run([monitorPath, 'stop', 'novalue'])).code).toBe(2);
    expect((await run(['--no-such-option', monitorPath])).code).toBe(2);
    expect((await run([])).code).toBe(2);
    expect((await run([path.join(folder, 'nobody.sock'), 'stop'])).code).toBe(69);
    expect((await run(['--help'])).out).toContain('Exit codes');
    await using server = await FakeQmpServer.start();
    server.on('stop', () => NO_REPLY);
    const { path: slow } = server.address as { path: string };
    expect((await run(['-t', '30', slow, 'stop'])).code).toBe(124);
  });
});

describe('standard input', () => {
  it('runs line by line and stops at the first failure', async () => {
    const script = '# a comment\n\nquery-status\nno-such\nquery-status\n';
    const found = await run([monitorPath], script);
    expect(found.code).toBe(1);
    expect(found.out.trim().split('\n')).toHaveLength(1);
    expect(found.err).toContain('CommandNotFound');
    const all = await run(['-k', monitorPath], script);
    expect(all.code).toBe(1);
    expect(all.out.trim().split('\n')).toHaveLength(2);
  });

  it('shows events on standard error only', async () => {
    const found = await run(['-e', monitorPath], 'cont\nstop\n');
    expect(found).toMatchObject({ code: 0, out: '{}\n{}\n' });
    expect(found.err).toMatch(/RESUME \{\}\n.*STOP \{\}/);
  });
});

describe('a terminal', () => {
  it('prompts, runs, shows events as they come, and ends on exit', async () => {
    const stdin = new Tty();
    const { io, text, seen } = streams(stdin);
    const ending = runShell([monitorPath], io);
    await seen(() => text.out.includes('(QEMU) '));
    stdin.write('query-name\n');
    await seen(() => text.out.includes('{}\n'));
    await machine.cont();
    await machine.stop();
    await seen(() => text.err.includes('RESUME') && text.err.includes('STOP'));
    stdin.write('nonsense\n');
    await seen(() => text.err.includes('CommandNotFound'));
    stdin.write('help device_add\n');
    await seen(() => text.out.includes('driver: string'));
    stdin.write('exit\n');
    expect(await ending).toBe(0);
  });

  it('says when the connection is lost', async () => {
    await using server = await FakeQmpServer.start();
    const stdin = new Tty();
    const { io, text, seen } = streams(stdin);
    const ending = runShell([(server.address as { path: string }).path], io);
    await seen(() => text.out.includes('(QEMU) '));
    server.connection.disconnect();
    expect(await ending).toBe(1);
    expect(text.err).toContain('QMP_INTERRUPTED');
  });
});
