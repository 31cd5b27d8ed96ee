// The life cycle of a real QEMU 7.2, with no guest (-S): launch, commands, events, every way to end.

import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Machine, MachineLaunchError } from './machine.js';
import type { MachineSpec } from './spec.js';

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
    const ended = await machine.quit({ timeoutMs: 50 });
    expect(ended).toEqual({ code: null, signal: 'SIGKILL', method: 'SIGKILL' });
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
