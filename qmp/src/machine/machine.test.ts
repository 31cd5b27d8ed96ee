// The life cycle of a real QEMU 7.2, with no guest (-S): launch, commands, events, every way to
// end.

import { ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Machine, MachineLaunchError } from './machine.js';
import { inheritedFd, type MachineSpec } from './spec.js';
import { fileTail } from './tail.js';

// Real processes on a busy machine: the limit is against hanging, not a measure.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let logDir: string;
beforeEach(() => {
  logDir = fs.mkdtempSync(path.join(os.tmpdir(), 'qmp-machine-'));
});
afterEach(() => {
  fs.rmSync(logDir, { recursive: true, force: true });
});

function spec(more: Partial<MachineSpec> = {}): MachineSpec {
  return {
    logDir,
    machine: 'none',
    accel: 'tcg',
    defaults: false,
    userConfig: false,
    paused: true,
    ...more,
  };
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('Machine', () => {
  it('launches, answers, tells events and quits', async () => {
    const machine = await Machine.launch(spec());
    expect(machine.qmp.greeting.version.qemu.major).toBeGreaterThanOrEqual(7);
    expect(machine.qmp.oob).toBe(true);
    using stops = machine.qmp.listen(['STOP', 'RESUME']);
    await machine.cont();
    await machine.stop();
    expect((await stops.next()).event).toBe('RESUME');
    expect((await stops.next()).event).toBe('STOP');
    using shutdown = machine.qmp.listen('SHUTDOWN');
    const ended = await machine.quit();
    expect(ended).toEqual({ code: 0, signal: null, method: 'quit' });
    expect((await shutdown.next()).data).toMatchObject({ reason: 'host-qmp-quit' });
    expect(alive(machine.pid)).toBe(false);
    expect((await machine.quit()).method).toBe('gone');
  });

  it('escalates to SIGKILL when QEMU neither answers nor obeys', async () => {
    const machine = await Machine.launch(spec());
    process.kill(machine.pid, 'SIGSTOP');
    const ended = await machine.quit({ timeoutMs: 50, termTimeoutMs: 50 });
    expect(ended).toEqual({ code: null, signal: 'SIGKILL', method: 'SIGKILL' });
  });

  it('QMP_MACHINE_STUCK: says so when nothing ends it', async () => {
    const machine = await Machine.launch(spec());
    process.kill(machine.pid, 'SIGSTOP');
    // A process inside the kernel takes no signal; here they are held back instead.
    const kill = vi.spyOn(ChildProcess.prototype, 'kill').mockReturnValue(true);
    const limits = { timeoutMs: 20, termTimeoutMs: 20, killTimeoutMs: 20 };
    await expect(machine.quit(limits)).rejects.toMatchObject({ code: 'QMP_MACHINE_STUCK' });
    expect(kill.mock.calls).toEqual([['SIGTERM'], ['SIGKILL']]);
    kill.mockRestore();
    machine.kill();
    await machine.wait();
  });

  it('ends an iteration over events quietly when QEMU was asked to quit', async () => {
    const machine = await Machine.launch(spec());
    const names: string[] = [];
    const iterating = (async () => {
      for await (const { event } of machine.qmp.listen()) names.push(event);
    })();
    await machine.quit();
    await iterating;
    expect(names).toEqual(['SHUTDOWN']);
  });

  it('goes on to SIGTERM at once when the monitor is closed', async () => {
    const machine = await Machine.launch(spec());
    await machine.qmp.close();
    const ended = await machine.quit({ timeoutMs: 55_000 });
    expect(ended).toEqual({ code: 0, signal: null, method: 'SIGTERM' });
    expect(machine.logTail(1)).toMatch(/terminating on signal 15/);
  });

  it('tells a launch failure with exit code, command and output', async () => {
    const launching = Machine.launch(spec({ devices: [{ driver: 'no-such, device' }] }));
    const error = await launching.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(MachineLaunchError);
    const failure = error as MachineLaunchError;
    expect(failure.code).toBe('QMP_MACHINE_LAUNCH');
    expect(failure.exit).toEqual({ code: 1, signal: null });
    expect(failure.output).toContain('no-such, device');
    expect(failure.command).toContain("-device 'no-such,, device'");
  });

  it('tells a missing binary', async () => {
    const launching = Machine.launch(spec({ binary: 'qemu-system-none-such' }));
    await expect(launching).rejects.toMatchObject({ code: 'QMP_MACHINE_LAUNCH' });
    await expect(launching).rejects.toThrow(/qemu-system-none-such/);
  });
});

describe('what a machine keeps and is given', () => {
  it('keeps console and log, and passes descriptors on', async () => {
    const console = path.join(logDir, 'kept', 'console.log');
    const file = path.join(logDir, 'given');
    const fd = fs.openSync(file, 'w+');
    let hear: (chunk: Buffer) => void = () => {};
    const heard = new Promise<Buffer>((resolve) => {
      hear = resolve;
    });
    await using machine = await Machine.launch(
      spec({ machine: 'pc', console, fds: [fd], args: [['add-fd', `fd=${inheritedFd(0)},set=7`]] }),
      { onConsole: (chunk) => hear(chunk) },
    );
    fs.closeSync(fd);
    const sets = await machine.qmp.execute('query-fdsets');
    expect(sets.map((set) => set['fdset-id'])).toEqual([7]);
    // The guest's serial port is written by hand: there is no guest.
    await machine.qmp.execute('human-monitor-command', { 'command-line': 'o /b 0x3f8 0x41' });
    expect((await heard).toString()).toBe('A');
    fs.appendFileSync(console, 'last line\n');
    expect(machine.consoleTail(1)).toBe('Alast line');
    expect(machine.consoleText()).toBe('Alast line\n');
    expect(machine.logTail(10)).toBe('');
    const traffic = fs.readFileSync(machine.qmpLogPath, 'utf8');
    expect(traffic).toMatch(/^\d+\.\d{3} < {"QMP": .*\n.* > {"execute":"qmp_capabilities"/);
    expect(machine.command).toContain('-mon chardev=qmp,mode=control');
    expect(machine.guarded).toBe(true);
  });

  it('may run no program and change no user in a sandbox', async () => {
    await using machine = await Machine.launch(spec({ sandbox: true }));
    const status = fs.readFileSync(`/proc/${machine.pid}/status`, 'utf8');
    expect(status).toMatch(/^Seccomp:\t2$/m);
    expect(machine.command).toContain(
      '-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny',
    );
  });

  it('waits with a limit, and kill() ends it at once', async () => {
    await using machine = await Machine.launch(spec());
    await expect(machine.wait({ timeoutMs: 5 })).rejects.toMatchObject({ code: 'QMP_TIME_LIMIT' });
    machine.kill();
    expect(await machine.wait()).toEqual({ code: null, signal: 'SIGKILL' });
    expect(machine.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('gives up a launch that takes too long or was called off, and leaves nothing', async () => {
    // A socket server that waits for its client keeps QEMU from ever serving QMP.
    const held = path.join(logDir, 'held.sock');
    const holding = spec({
      chardevs: [{ backend: 'socket', id: 'c', path: held, server: true, wait: true }],
    });
    const late = Machine.launch({ ...holding, launchTimeoutMs: 300 });
    await expect(late).rejects.toMatchObject({ code: 'QMP_MACHINE_LAUNCH' });
    await expect(late).rejects.toThrow(/did not answer within 300 ms/);
    const abort = new AbortController();
    const off = Machine.launch(holding, { signal: abort.signal });
    setImmediate(() => abort.abort('changed'));
    await expect(off).rejects.toMatchObject({ code: 'QMP_ABORTED', cause: 'changed' });
    const before = Machine.launch(holding, { signal: AbortSignal.abort('no') });
    await expect(before).rejects.toMatchObject({ code: 'QMP_ABORTED' });
    expect(qemusNaming(held)).toEqual([]);
  });

  it('refuses a log folder it cannot make', async () => {
    const file = path.join(logDir, 'file');
    fs.writeFileSync(file, '');
    const launching = Machine.launch(spec({ logDir: path.join(file, 'below') }));
    await expect(launching).rejects.toMatchObject({ code: 'QMP_MACHINE_SPEC' });
  });
});

describe('fileTail', () => {
  it('gives the last lines, of a large file too, and nothing of none', () => {
    const file = path.join(logDir, 'lines');
    expect(fileTail(file, 3)).toBe('');
    fs.writeFileSync(file, 'a\nb\r\nc\n');
    expect(fileTail(file, 2)).toBe('b\nc');
    expect(fileTail(file, 9)).toBe('a\nb\nc');
    expect(fileTail(file, 0)).toBe('');
    const lines = Array.from({ length: 50_000 }, (_, index) => `line ${index}`);
    fs.writeFileSync(file, lines.join('\n'));
    expect(fileTail(file, 2)).toBe('line 49998\nline 49999');
    expect(fileTail(file, 50_000).length).toBeLessThanOrEqual(65_536);
  });
});

/** Processes whose command line names this path. */
function qemusNaming(text: string): string[] {
  return fs.readdirSync('/proc').filter((entry) => {
    if (!/^[0-9]+$/.test(entry)) return false;
    try {
      return fs.readFileSync(`/proc/${entry}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  });
}
