/**
 * Boots the catalogue's default kernel with the real init and agent, and uses the agent the way its
 * callers do. One guest serves all tests of the file, in order; the last one ends it.
 */
import { createHash, randomBytes } from 'node:crypto';
import { on } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { imagesSourceDir } from '../files.js';
import { buildModule } from '../kernels/build-module.js';
import { bootFixture, CACHE_DIR, SETUP_TIMEOUT_MS } from '../testing/fixture.js';
import type { TestGuest } from '../testing/guest.js';
import { GuestAgent } from './agent.js';
import {
  AGENT_VERSION,
  COMMANDS_MAX,
  encodeExec,
  encodeFrame,
  encodeSync,
  encodeU32Frame,
  FrameDecoder,
  FrameType,
  OUTPUT_WINDOW,
} from './frames.js';

vi.setConfig({ testTimeout: 120_000 });

const SIGKILL = 9;
const SIGTERM = 15;

let guest: TestGuest;
let agent: GuestAgent;
let release: string;
/** A folder of the host, below its /tmp, that goes into the guest. */
let temporary: string;

beforeAll(async () => {
  const sourceDir = join(imagesSourceDir(), 'testing/module-fixture');
  temporary = await mkdtemp(join(tmpdir(), 'tmem-boot-'));
  await writeFile(join(temporary, 'file'), 'from the host\n');
  const booted = await bootFixture('boot', {
    memoryMib: 256,
    withPaths: ['/usr/bin/env', temporary],
    modules: async (kernel) => {
      const options = { sourceDir, name: 'fixture', cacheDir: CACHE_DIR, progress: () => {} };
      return [await buildModule(kernel, options)];
    },
  });
  guest = booted.guest;
  agent = guest.agent;
  release = booted.kernel.release;
}, SETUP_TIMEOUT_MS);

/**
 * Waits until no such process is left: a killed process is gone only once it has been scheduled.
 * The bound is a number of looks, not a time.
 */
async function expectGone(pattern: string): Promise<void> {
  const looks =
    'n=0; while ps -o stat,args | grep -q "$P"; do [ $((n+=1)) -lt 200 ] || exit 1; done';
  expect((await agent.exec(`P='${pattern}'; ${looks}`)).code).toBe(0);
}

afterAll(async () => {
  await agent?.close();
  await guest?.[Symbol.asyncDispose]();
  await rm(temporary, { recursive: true, force: true });
});

test('says which kernel it runs, and gives commands a plain environment', async () => {
  expect(agent.hello).toEqual({ release, agentVersion: AGENT_VERSION });
  const { stdout } = await agent.exec('uname -r; pwd; echo $HOME; cat /proc/self/oom_score_adj');
  expect(stdout).toBe(`${release}\n/root\n/root\n0\n`);
});

test('is protected from swapping and from the OOM killer', async () => {
  const { stdout } = await agent.exec(
    'cat /proc/1/oom_score_adj; grep -E "VmLck|VmRSS" /proc/1/status',
  );
  expect(stdout).toMatch(/^-1000\n/);
  expect(stdout).toMatch(/VmLck:\s+[1-9]/);
});

test('keeps stdout and stderr apart and passes the exit code', async () => {
  const result = await agent.exec('echo out; echo err >&2; exit 7');
  expect(result).toEqual({ code: 7, stdout: 'out\n', stderr: 'err\n', truncated: false });
});

test('loads a module built for this kernel', async () => {
  const result = await agent.exec('insmod /lib/tmem/fixture.ko && dmesg | grep fixture:');
  expect(result.stdout).toContain('fixture: loaded');
  expect(result.code).toBe(0);
});

test('brings a host program with its libraries, and a host file', async () => {
  const host = await agent.exec('/usr/bin/env --version | head -1');
  expect(host.stdout).toMatch(/^env \(GNU coreutils\)/);
  const { stdout } = await agent.exec(`cat ${join(temporary, 'file')}`);
  expect(stdout).toBe('from the host\n');
});

test('carries a megabyte in and out unchanged, through every window', async () => {
  const bytes = randomBytes(1024 * 1024);
  const child = agent.spawn('cat');
  const digest = createHash('sha256');
  await Promise.all([
    pipeline(Readable.from([bytes]), child.stdin),
    (async () => {
      for await (const chunk of child.stdout) digest.update(chunk as Buffer);
    })(),
  ]);
  expect(await child.exit).toBe(0);
  expect(digest.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
});

test('bounds what it keeps of a large output, and passes all of it on', async () => {
  const mib = 18;
  let seen = 0;
  const result = await agent.exec(`dd if=/dev/zero bs=1M count=${mib}`, {
    onStdout: (chunk) => {
      seen += chunk.length;
    },
  });
  expect(seen).toBe(mib * 1024 * 1024);
  expect(result.stdout.length).toBe(16 * 1024 * 1024);
  expect(result.truncated).toBe(true);
});

test('runs many commands at a time without mixing them up', async () => {
  const numbers = Array.from({ length: COMMANDS_MAX }, (_value, index) => index);
  const results = await Promise.all(
    numbers.map((n) =>
      agent.exec(`for i in 1 2 3; do echo ${n}; done; cat; exit ${n}`, { stdin: `in ${n}` }),
    ),
  );
  for (const n of numbers) {
    expect(results[n]).toMatchObject({ code: n, stdout: `${n}\n${n}\n${n}\nin ${n}` });
  }
});

test('refuses one command too many and goes on', async () => {
  const children = Array.from({ length: COMMANDS_MAX }, () => agent.spawn('cat'));
  await expect(agent.exec('true')).rejects.toMatchObject({ code: 'AGENT_REFUSED' });
  for (const child of children) child.stdin.end();
  const codes = await Promise.all(children.map((child) => child.exit));
  expect(codes.every((code) => code === 0)).toBe(true);
  expect((await agent.exec('true')).code).toBe(0);
});

test('a command without input or without a reader holds up no other', async () => {
  const deaf = agent.spawn('exec sleep 1000');
  deaf.stdin.write(Buffer.alloc(1024 * 1024));
  const loud = agent.spawn('exec yes');
  await new Promise((resolve) => loud.stdout.once('readable', resolve));
  expect((await agent.exec('echo through')).stdout).toBe('through\n');
  deaf.kill(SIGKILL);
  loud.kill(SIGTERM);
  loud.stdout.resume();
  expect(await deaf.exit).toBe(128 + SIGKILL);
  expect(await loud.exit).toBe(128 + SIGTERM);
});

test('a signal reaches the whole process group', async () => {
  const child = agent.spawn('sleep 1001 & sleep 1001 & echo ready; wait');
  child.stdout.once('data', () => child.kill(SIGKILL));
  expect(await child.exit).toBe(128 + SIGKILL);
  await expectGone('sleep 1001$');
});

test('a background process does not keep the command alive', async () => {
  const result = await agent.exec('sleep 1002 & echo $!');
  expect(result.code).toBe(0);
  expect((await agent.exec(`kill -9 ${result.stdout}`)).code).toBe(0);
});

test('kills the command when the time is up or the caller gives up', async () => {
  await expect(agent.exec('exec sleep 1003', { timeoutMs: 200 })).rejects.toMatchObject({
    code: 'AGENT_TIMEOUT',
  });
  const controller = new AbortController();
  const aborted = agent.exec('exec sleep 1003', { signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(aborted).rejects.toThrow('enough');
  await expectGone('sleep 1003$');
});

test('leaves no zombies', async () => {
  await agent.exec('for i in 1 2 3 4 5; do (sleep 0 &) ; done');
  await expectGone('^Z');
});

test('when the host goes, what it started ends, and another can follow', async () => {
  const path = join(guest.dir, 'agent');
  const child = agent.spawn('echo started; exec sleep 1004');
  await new Promise((resolve) => child.stdout.once('data', resolve));
  await Promise.all([
    agent.close(),
    expect(child.exit).rejects.toMatchObject({ code: 'AGENT_GONE' }),
  ]);
  expect(() => agent.spawn('true')).toThrow(expect.objectContaining({ code: 'AGENT_GONE' }));
  agent = await GuestAgent.connect({ path, timeoutMs: 60_000 });
  await expectGone('sleep 1004$');
});

test('hosts may come and go as fast as they like', async () => {
  const path = join(guest.dir, 'agent');
  await agent.close();
  // The guest once missed, in one of some hundred, that the next host was there.
  for (let n = 0; n < 200; n += 1) {
    await using next = await GuestAgent.connect({ path, timeoutMs: 60_000 });
    if (n % 3) expect((await next.exec(`echo ${n}`)).stdout).toBe(`${n}\n`);
  }
  agent = await GuestAgent.connect({ path, timeoutMs: 60_000 });
});

test('finds the beginning of a session in whatever was left in the pipe', async () => {
  const path = join(guest.dir, 'agent');
  await agent.close();
  const raw = createConnection({ path });
  const hello = async (token: Buffer): Promise<void> => {
    const decoder = new FrameDecoder(token);
    for await (const chunk of on(raw, 'data')) {
      if (decoder.push(chunk[0] as Buffer).length > 0) return;
    }
  };
  const tokens = [randomBytes(16), randomBytes(16), randomBytes(16)] as const;
  // The beginning of a frame, and then no more of it but a new session.
  const half = encodeFrame(FrameType.EXEC, 9, Buffer.alloc(60_000, 'exit 1;')).subarray(0, 1000);
  // No frame at all: a length over the bound.
  const noise = Buffer.alloc(70_000, 0xee);
  for (const [index, before] of [Buffer.alloc(0), half, noise].entries()) {
    const answered = hello(tokens[index]!);
    raw.write(Buffer.concat([before, encodeSync(tokens[index]!)]));
    await answered;
  }
  raw.write(half);
  raw.destroy();
  agent = await GuestAgent.connect({ path, timeoutMs: 60_000 });
  expect((await agent.exec('echo in step')).stdout).toBe('in step\n');
});

test('a command whose input overruns its window is dropped, and no other', async () => {
  const path = join(guest.dir, 'agent');
  await agent.close();
  const raw = createConnection({ path });
  const token = randomBytes(16);
  const decoder = new FrameDecoder(token);
  raw.write(encodeSync(token));
  raw.write(encodeExec(1, 'exec sleep 1006'));
  // Its pipe takes 64 KiB; the window is 32.
  for (let n = 0; n < 8; n += 1) raw.write(encodeFrame(FrameType.STDIN, 1, Buffer.alloc(30_000)));
  raw.write(encodeExec(2, 'exit 5'));
  const ends: [number, number][] = [];
  for await (const chunk of on(raw, 'data')) {
    for (const { type, id } of decoder.push(chunk[0] as Buffer)) {
      if (type === FrameType.EXIT || type === FrameType.FAILED) ends.push([id, type]);
    }
    if (ends.length === 2) break;
  }
  expect(ends.sort()).toEqual([
    [1, FrameType.FAILED],
    [2, FrameType.EXIT],
  ]);
  raw.destroy();
  agent = await GuestAgent.connect({ path, timeoutMs: 60_000 });
  await expectGone('sleep 1006$');
});

test('a command sends what it has credit for, and no more', async () => {
  const path = join(guest.dir, 'agent');
  await agent.close();
  const raw = createConnection({ path });
  const token = randomBytes(16);
  const decoder = new FrameDecoder(token);
  raw.write(encodeSync(token));
  raw.write(encodeExec(1, 'yes'));
  const extra = 1000;
  let allowed = OUTPUT_WINDOW;
  let seen = 0;
  for await (const chunk of on(raw, 'data')) {
    const frames = decoder.push(chunk[0] as Buffer);
    for (const { id, payload } of frames) if (id === 1) seen += payload.length;
    // Frames keep their order, so after another command's end nothing of the first is on its way.
    if (seen === allowed) raw.write(encodeExec(2, 'true'));
    const over = frames.some(({ id, type }) => id === 2 && type === FrameType.EXIT);
    if (over && allowed > OUTPUT_WINDOW) break;
    if (!over) continue;
    expect(seen).toBe(allowed);
    allowed += extra;
    raw.write(encodeU32Frame(FrameType.OUTPUT_CREDIT, 1, extra));
  }
  expect(seen).toBe(allowed);
  raw.destroy();
  agent = await GuestAgent.connect({ path, timeoutMs: 60_000 });
});

test('every call under way ends when the guest does', async () => {
  const child = agent.spawn('echo started; exec sleep 1005');
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const output = text(child.stderr).catch(() => 'cut off');
  guest.qemu.kill('SIGKILL');
  await expect(child.exit).rejects.toMatchObject({ code: 'AGENT_GONE' });
  await agent.closed;
  await output;
});
