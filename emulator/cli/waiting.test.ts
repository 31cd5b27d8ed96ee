/**
 * What takes long says so and can be stopped: a mirror that never answers stands for a slow one.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

const MAIN = join(import.meta.dirname, '../../dist/emulator/cli/main.js');

vi.setConfig({ testTimeout: 120_000 });

let folder: string;
let mirror: Server;
const sockets = new Set<Socket>();
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tmem-waiting-'));
  mirror = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => mirror.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => mirror.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

class Run {
  stderr = '';
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;

  constructor() {
    const { port } = mirror.address() as { port: number };
    const args = ['run', '--mirror', `http://127.0.0.1:${port}/debian`, '--', 'true'];
    this.child = spawn(process.execPath, [MAIN, ...args], {
      env: { ...process.env, TMEM_CACHE_DIR: join(folder, 'cache'), TMPDIR: folder },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    children.push(this.child);
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.ended = new Promise((resolve) => this.child.once('close', resolve));
  }

  async says(text: RegExp): Promise<void> {
    await vi.waitFor(() => expect(this.stderr).toMatch(text), { timeout: 60_000, interval: 50 });
  }
}

/** Programs that work in the folder. */
function atWork(): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
    } catch {
      return false;
    }
  });
}

it('says what it waits for, and ends at once without a trace when it is interrupted', async () => {
  const first = new Run();
  await first.says(/^\[ +\d\.\d s\] reading package lists of Debian bookworm from .*\n$/);
  expect(readdirSync(join(folder, 'cache')).some((name) => name.startsWith('.apt-'))).toBe(true);
  const second = new Run();
  await second.says(
    new RegExp(`waiting for process ${first.child.pid}, which makes debian-6\\.1\n$`),
  );
  for (const run of [second, first]) {
    run.child.kill('SIGINT');
    expect(await run.ended).toBe(130);
    expect(run.stderr).toMatch(/interrupted: taking everything down\n$/);
  }
  expect(readdirSync(join(folder, 'cache'))).toEqual(['locks']);
  expect(atWork()).toEqual([]);
});

it('removes what a run left that was killed', async () => {
  const first = new Run();
  await first.says(/reading package lists/);
  first.child.kill('SIGKILL');
  await first.ended;
  const left = readdirSync(join(folder, 'cache')).filter((name) => name.startsWith('.apt-'));
  expect(left).toHaveLength(1);
  const second = new Run();
  await second.says(/reading package lists/);
  expect(readdirSync(join(folder, 'cache'))).not.toContain(left[0]);
  second.child.kill('SIGINT');
  expect(await second.ended).toBe(130);
  expect(readdirSync(join(folder, 'cache'))).toEqual(['locks']);
});
