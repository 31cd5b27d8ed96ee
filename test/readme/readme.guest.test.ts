/**
 * The README's short examples, as they stand there, by a reader who has the package installed in a
 * folder of his own.
 */
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { defaultCacheDir } from '../../emulator/guest/paths.js';
import { ensureKernel, GuestAgent } from '../../images/index.js';
import { CASES, whereOf } from './cases.js';
import { ROOT, readmeExamples } from './examples.js';
import { Reader } from './reader.js';

const AGENT_MS_MAX = 120_000;

let reader: Reader;
beforeAll(async () => {
  reader = await Reader.install();
});
afterAll(() => reader[Symbol.asyncDispose]());

const examples = readmeExamples();

/** The command as it stands in the README. */
function command(begin: string): string {
  const found = examples.filter(({ text }) => text.startsWith(begin));
  expect(found.map(({ text }) => text)).toHaveLength(1);
  return found[0]!.text;
}

/** Starts a `serve` of the README's, by the program's own name so that signals reach it. */
async function serve(begin: string, says: string) {
  const line = command(begin).replace('npx tmem', 'exec node_modules/.bin/tmem');
  const serving = reader.start(line);
  let stdout = '';
  serving.child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  await vi.waitFor(() => expect(stdout).toContain(says), { timeout: 60_000 });
  return serving;
}

it('knows where each of the examples runs', () => {
  const commands = examples.filter(({ language }) => language === 'sh').map(({ text }) => text);
  expect(commands.filter((one) => whereOf(one) === undefined)).toEqual([]);
  const idle = CASES.filter((one) => !commands.some((text) => one.command.test(text)));
  expect(idle).toEqual([]);
});

describe('the package', () => {
  it('holds no tests, and says its version', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(await reader.must('npx tmem --version')).toMatchObject({ stdout: `${version}\n` });
    const { stdout } = await reader.must("find node_modules/qemu-tmem -name '*.test.*'");
    expect(stdout).toBe('');
    expect(existsSync(join(reader.folder, 'node_modules/qemu-tmem/test'))).toBe(false);
  });
});

describe('in a guest', () => {
  it('a command runs, and nothing is said beside it', async () => {
    const outcome = await reader.must(command("npx tmem run -- 'cat /proc/swaps"));
    expect(outcome.stdout).toMatch(/^\/dev\/failstop0 /m);
    const report = JSON.parse(outcome.stdout.split('\n').at(-2)!) as Record<string, unknown>;
    expect(report).toMatchObject({ pagesWrong: 0, pagesLost: 0, processesDied: 0 });
  });

  it("Xen's operations are sent from a shell", async () => {
    const outcome = await reader.must(command("npx tmem run -- 'p=$(tmemctl"));
    expect(outcome.stdout).toMatch(/^0000000( 5a5a){8}$/m);
  });

  it('gdb can attach', async () => {
    const outcome = await reader.must(command('npx tmem run --gdb'));
    expect(outcome.stdout).toContain('nokaslr');
    expect(outcome.stderr).toContain('target remote 127.0.0.1:1234');
  });

  it('a test is written', async () => {
    const { text } = examples.find(({ language }) => language === 'ts')!;
    reader.write('swap.test.ts', text);
    await reader.must('node node_modules/vitest/vitest.mjs run swap.test.ts');
  });
});

describe('by hand', () => {
  it('the store alone says what QEMU needs, and the module is built', async () => {
    const serving = await serve('npx tmem serve --socket /tmp', 'path=/tmp/tmem.sock');
    serving.child.kill('SIGINT');
    expect((await serving.ended).code).toBe(0);

    cpSync(join(ROOT, 'guest-kmod'), join(reader.folder, 'guest-kmod'), { recursive: true });
    const options = { cacheDir: defaultCacheDir(), progress: () => {} };
    const { buildDir } = await ensureKernel('debian-6.1', options);
    await reader.must(command('make -C guest-kmod').replace('/path/to/kernel/build', buildDir));
    expect(existsSync(join(reader.folder, 'guest-kmod/tmem.ko'))).toBe(true);
  });

  it('a guest is started from files that stay', async () => {
    await reader.must(command('npx tmem run --dry-run'));
    const serving = await serve('npx tmem serve --socket hand', 'hand/store.sock');
    const started = reader.start(command('sh hand.sh'));
    const agent = await GuestAgent.connect({
      path: join(reader.folder, 'hand/agent.sock'),
      timeoutMs: AGENT_MS_MAX,
    });
    const script =
      'insmod /lib/tmem/tmem.ko failstop=/dev/vda && mkswap /dev/failstop0 >/dev/null && ' +
      'swapon /dev/failstop0 && storm --mib 200 --passes 1 && dmesg';
    const result = await agent.exec(script, { timeoutMs: AGENT_MS_MAX });
    expect(result).toMatchObject({ code: 0 });
    expect(result.stdout).not.toMatch(/WARNING|BUG:/);
    agent.spawn('poweroff -f');
    await agent.close();
    expect((await started.ended).code).toBe(0);
    serving.child.kill('SIGINT');
    expect((await serving.ended).code).toBe(0);
  });
});
