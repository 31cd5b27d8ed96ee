/**
 * The process that supervises the store is killed: its stores go with it, what they held is QEMU's
 * alone, loads end in SIGBUS, and the guest lives on.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { bootGuest, type StoreProxy, troubleIn } from 'qemu-tmem';
import { expect, it } from 'vitest';

const STORM_MS_MAX = 120_000;
const GONE_MS_MAX = 10_000;
/** SIGBUS; or SIGSEGV, where it was the kernel that touched the page (kernel/rseq.c). */
const KILLED_BY_LOSS = [128 + 7, 128 + 11];
/** What the module and the kernel say of such a page. */
const LOSS = /tmem: page \d+ of area 0 cannot be had|Read-error on swap-device/;
const INDEX = new URL('../../dist/emulator/index.js', import.meta.url).href;

/** A supervisor in a process of its own, listening beside `storeSocket`. */
class Supervisor implements StoreProxy {
  readonly socketPath: string;
  readonly #child: ChildProcess;
  stores: number[] = [];

  private constructor(storeSocket: string) {
    this.socketPath = `${storeSocket}.other`;
    const script = `
      import { TmemServer } from ${JSON.stringify(INDEX)};
      const server = await TmemServer.start({ socketPath: ${JSON.stringify(this.socketPath)} });
      setInterval(() => process.stdout.write(server.storePids.join(' ') + '\\n'), 20);`;
    const args = ['--input-type=module', '-e', script];
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  }

  static async listen(storeSocket: string): Promise<Supervisor> {
    const supervisor = new Supervisor(storeSocket);
    const lines = createInterface({ input: supervisor.#child.stdout! });
    lines.on('line', (line) => {
      supervisor.stores = line.split(' ').map(Number);
    });
    await once(lines, 'line');
    return supervisor;
  }

  async kill(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.kill();
  }
}

/** Numbers of the memory files that a process has open, and of processes that have one open. */
function memoryFiles(pid: number | string): number[] {
  try {
    const fds = readdirSync(`/proc/${pid}/fd`).map((fd) => statSync(`/proc/${pid}/fd/${fd}`));
    return fds.filter((file) => file.isFile() && file.nlink === 0).map(({ ino }) => ino);
  } catch {
    // It has gone meanwhile, or one of its descriptors.
    return [];
  }
}

function holdersOf(file: number): number[] {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return processes.filter((pid) => memoryFiles(pid).includes(file)).map(Number);
}

it('a supervisor that is killed leaves the guest alive, and nothing else', async () => {
  let supervisor: Supervisor | undefined;
  await using guest = await bootGuest({
    memoryMib: 128,
    accel: 'tcg',
    // Answered gets need the store; the bound is short so that the test is.
    moduleParameters: ['direct_gets=0', 'get_timeout_ms=500'],
    between: async (storeSocket) => {
      supervisor = await Supervisor.listen(storeSocket);
      return supervisor;
    },
  });
  const storm = guest.exec('storm --mib 192 --passes 1000 --json', { timeoutMs: STORM_MS_MAX });
  const deadline = performance.now() + STORM_MS_MAX;
  while (((await guest.counters()).module.gets ?? 0) < 2000) {
    expect(performance.now()).toBeLessThan(deadline);
    await delay(200);
  }
  const stores = supervisor!.stores;
  expect(stores.length).toBeGreaterThan(0);
  const region = memoryFiles(guest.machine.pid);
  expect(region).toHaveLength(1);
  await supervisor!.kill();

  const { code, stderr } = await storm;
  expect(stderr).toBe('');
  expect(KILLED_BY_LOSS).toContain(code);
  const gone = performance.now() + GONE_MS_MAX;
  while (holdersOf(region[0]!).length > 1 && performance.now() < gone) await delay(20);
  expect(holdersOf(region[0]!)).toEqual([guest.machine.pid]);
  expect(stores.flatMap((pid) => memoryFiles(pid))).toEqual([]);

  // The guest lives: what fits in memory still verifies, and what does not goes to the disk.
  const next = await guest.exec('storm --mib 160 --passes 1 --json', { timeoutMs: STORM_MS_MAX });
  expect(next.code).toBe(0);
  expect(JSON.parse(next.stdout.trim().split('\n').at(-1)!)).toMatchObject({ pagesWrong: 0 });
  expect(await guest.qmp.execute('query-status')).toMatchObject({ status: 'running' });
  const trouble = troubleIn(await guest.dmesg());
  expect(trouble.filter((line) => !LOSS.test(line))).toEqual([]);
  expect(trouble.join('\n')).toMatch(/tmem: page \d+ of area 0 cannot be had \(-\d+\): SIGBUS/);
});
