/**
 * The bootstrap in a checkout made of stand-ins: a compiler, an npm and a main program that say
 * what was asked of them. The machine's own tools are only looked for, never installed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

vi.setConfig({ testTimeout: 60_000 });

const PACKAGES = {
  'node_modules/one': { version: '1.0.0' },
  'node_modules/two': { optional: true },
};

let root: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tmem-bootstrap-'));
  await cp(new URL('./bootstrap.mjs', import.meta.url), join(root, 'emulator/cli/bootstrap.mjs'));
  await put('package-lock.json', JSON.stringify({ packages: PACKAGES }));
  await put('node_modules/.package-lock.json', JSON.stringify({ packages: PACKAGES }));
  await put('node_modules/one/package.json', '{}');
  await put('node_modules/typescript/bin/tsc', '');
  await put('dist/emulator/cli/main.js', 'console.log(JSON.stringify(process.argv.slice(2)));');
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(root, { recursive: true, force: true });
});

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

/** An npm that logs its arguments and then runs `script`. */
async function putNpm(script: string): Promise<void> {
  await put('bin/npm', `#!/bin/sh\necho "$@" >>"${root}/npm.log"\n${script}\n`);
  await chmod(join(root, 'bin/npm'), 0o755);
}

function start(args: string[], path = `${join(root, 'bin')}:${process.env.PATH}`): ChildProcess {
  const { npm_execpath: _npm, ...env } = process.env;
  const child = spawn(process.execPath, [join(root, 'emulator/cli/bootstrap.mjs'), ...args], {
    cwd: root,
    env: { ...env, PATH: path },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  return child;
}

async function run(args: string[], path?: string) {
  const child = start(args, path);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  return { code, stdout, stderr };
}

test('with nothing to do it says nothing and passes the arguments on', async () => {
  const result = await run(['storm', '--json', 'a b']);
  expect(result).toEqual({ code: 0, stdout: '["storm","--json","a b"]\n', stderr: '' });
});

test('runs vitest for the verb test', async () => {
  await put('node_modules/vitest/vitest.mjs', 'console.log(process.argv.slice(2).join());');
  await put('test/peers/needs.json', '[]');
  const { stdout } = await run(['test', 'images']);
  expect(stdout).toBe('run,--project=unit,--project=guest,images\n');
});

test('passes the exit code on', async () => {
  await put('dist/emulator/cli/main.js', 'process.exitCode = 42;');
  expect((await run(['storm'])).code).toBe(42);
});

test('without a verb it explains itself', async () => {
  const result = await run([]);
  expect(result).toMatchObject({ code: 2, stdout: '' });
  expect(result.stderr).toContain('usage:');
});

test('shows the end of what the compiler said, and where the rest is', async () => {
  await put('node_modules/typescript/bin/tsc', 'console.log("a.ts(1,1): wrong"); process.exit(1);');
  const result = await run(['storm']);
  expect(result).toMatchObject({ code: 70, stdout: '' });
  expect(result.stderr).toContain('a.ts(1,1): wrong');
  expect(result.stderr).toContain('.cache/logs/bootstrap-tsc.log');
  expect(await readFile(join(root, '.cache/logs/bootstrap-tsc.log'), 'utf8')).toContain('wrong');
});

test('installs when a package is missing or of another version', async () => {
  await putNpm('exit 0');
  await put('node_modules/.package-lock.json', JSON.stringify({ packages: {} }));
  const result = await run(['storm']);
  expect(await readFile(join(root, 'npm.log'), 'utf8')).toMatch(/^ci --ignore-scripts /);
  expect(result).toMatchObject({ code: 0, stdout: '["storm"]\n' });
  expect(result.stderr).toMatch(/^\[ +\d+\.\d s\] installing the npm dependencies \(npm ci\)\n$/);
});

test('falls back on npm install only when npm ci finds the lock file out of step', async () => {
  await rm(join(root, 'node_modules/one'), { recursive: true });
  await putNpm('[ "$1" = install ] || { echo EUSAGE; exit 1; }');
  expect((await run(['storm'])).code).toBe(0);
  expect(await readFile(join(root, 'npm.log'), 'utf8')).toContain('\ninstall --no-save --ignore');
  await rm(join(root, 'npm.log'));
  await putNpm('echo no network; exit 1');
  const failed = await run(['storm']);
  expect(failed.code).toBe(69);
  expect(failed.stderr).toContain('no network');
  expect(await readFile(join(root, 'npm.log'), 'utf8')).not.toContain('install');
});

test('says what to install where it cannot', async () => {
  const result = await run(['storm'], join(root, 'bin'));
  expect(result).toMatchObject({ code: 69, stdout: '' });
  expect(result.stderr).toMatch(/no apt-get here.*qemu-system-x86_64/s);
  expect(result.stderr).toContain('apt-get install -y --no-install-recommends qemu-system-x86 gcc');
});

test('what a kernel build takes is asked for only where a kernel is built', async () => {
  const needs = JSON.stringify([
    { program: 'no-such-flex', package: 'flex' },
    { header: 'no-such.h', package: 'libsuch-dev' },
  ]);
  await put('images/kernels/build-needs.json', needs);
  for (const args of [['storm', '--kernel', 'source-6.1'], ['test:kernels']]) {
    expect((await run(args, join(root, 'bin'))).stderr).toMatch(/no-such-flex.* flex libsuch-dev/s);
  }
  const plain = await run(['storm', '--kernel', 'debian-6.1'], join(root, 'bin'));
  expect(plain.stderr).not.toContain('flex');
});

test('other people’s programs are asked for by the suites that run them', async () => {
  const needs = JSON.stringify([
    { program: 'no-such-stress', package: 'stress', thin: true },
    { program: 'no-such-redis', package: 'redis' },
  ]);
  await put('images/kernels/build-needs.json', '[]');
  await put('test/peers/needs.json', needs);
  const asked = async (verb: string) => (await run([verb], join(root, 'bin'))).stderr;
  expect(await asked('test:peers')).toMatch(/no-such-stress, no-such-redis.* stress redis$/ms);
  expect(await asked('test')).toMatch(/ stress$/m);
  expect(await asked('storm')).not.toContain('stress');
});

test('passes a signal on and ends as the verb does', async () => {
  const script = `process.on('SIGTERM', () => process.exit(9)); setInterval(() => {}, 1000);
    console.log('ready');`;
  await put('dist/emulator/cli/main.js', script);
  const child = start(['storm']);
  child.stdout?.once('data', () => child.kill('SIGTERM'));
  expect(await new Promise((resolve) => child.once('close', resolve))).toBe(9);
});
