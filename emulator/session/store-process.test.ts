/**
 * The store's process dies, or the one that supervises it does. The children run what is built
 * (`npm run build`).
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../lifetime.js';
import { TmemServer } from './server.js';

const WAIT_MS_MAX = 20_000;
const ROOT = join(import.meta.dirname, '../..');

let lifetime: Lifetime;
let socketPath: string;
beforeEach(() => {
  lifetime = new Lifetime();
  const folder = mkdtempSync(join(tmpdir(), 'tmem-store-'));
  lifetime.defer(() => rmSync(folder, { recursive: true, force: true }));
  socketPath = join(folder, 'socket');
});
afterEach(() => lifetime[Symbol.asyncDispose]());

async function serve() {
  const events: string[] = [];
  const onEvent = (line: string) => events.push(line);
  const options = { socketPath, regionBytes: 2 ** 20, queueEntries: 16, onEvent };
  return { server: lifetime.use(await TmemServer.start(options)), events };
}

async function until(what: string, done: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!done()) {
    if (performance.now() > deadline) throw new Error(`waited too long until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a store that dies', { timeout: 60_000 }, () => {
  it('is followed by another, which answers what it was asked', async () => {
    const { server, events } = await serve();
    const first = server.storePid!;
    const answer = server.setQuota(17);
    process.kill(first, 'SIGKILL');
    await answer;
    await until('another serves', () => events.length > 0);
    expect(server.storePid).not.toBe(first);
    expect(await server.stats()).toMatchObject({ takeovers: 1, quotaPages: 17 });
    expect(events).toEqual([expect.stringMatching(/SIGKILL\); another took over in \d+ ms$/)]);
  });

  it('again and again with hardly any service is given up', async () => {
    const { server, events } = await serve();
    const killed = new Set<number>();
    await until('it is given up', () => {
      const pid = server.storePid;
      if (pid !== undefined && !killed.has(pid)) {
        killed.add(pid);
        process.kill(pid, 'SIGKILL');
      }
      return events.at(-1) === 'the store died (SIGKILL)';
    });
    expect(killed.size).toBeGreaterThan(5);
    await expect(server.setQuota(1)).rejects.toMatchObject({ code: 'STORE_GONE' });
  });
});

it('a store goes with the process that started it, without a word', async () => {
  const script = `
    import { TmemServer } from ${JSON.stringify(join(ROOT, 'dist/emulator/index.js'))};
    const server = await TmemServer.start({ socketPath: ${JSON.stringify(socketPath)} });
    process.stdout.write(String(server.storePid));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
  lifetime.defer(() => {
    child.kill('SIGKILL');
  });
  const errors = text(child.stderr);
  const store = Number(
    await new Promise<Buffer>((resolve) => {
      child.stdout.once('data', resolve);
    }),
  );
  expect(isAlive(store)).toBe(true);
  child.kill('SIGKILL');
  await until('the store is gone', () => !isAlive(store));
  expect(await errors).toBe('');
}, 60_000);
