/**
 * Options as they become a guest's, and what is refused before anything starts; runs what is built.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { defaultCacheDir } from '../guest/paths.js';
import { addBootOptions, type BootFlags, gdbHint, guestOptions, kernelChoice } from './options.js';

const MAIN = join(import.meta.dirname, '../../dist/emulator/cli/main.js');
const COMMAND_MS_MAX = 60_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tmem-options-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

function tmem(...args: string[]) {
  const env = { ...process.env, TMEM_CACHE_DIR: join(folder, 'cache'), TMPDIR: folder };
  return spawnSync(process.execPath, [MAIN, ...args], {
    env,
    encoding: 'utf8',
    timeout: COMMAND_MS_MAX,
  });
}

function flagsOf(args: string[], without: string[] = []): BootFlags {
  const command = addBootOptions(new Command().exitOverride(), { without });
  command.configureOutput({ writeErr: () => {} }).parse(args, { from: 'user' });
  return command.opts();
}

describe('options', () => {
  it('let gdb attach, and QEMU be told more', () => {
    const flags = flagsOf(['--gdb', '--qemu-arg', '-S', '--qemu-arg', '-d', '--append', 'x']);
    expect(guestOptions(flags)).toMatchObject({
      qemuArguments: ['-gdb', 'tcp:127.0.0.1:1234', '-S', '-d'],
      kernelArguments: ['nokaslr', 'x'],
      bootTimeoutMs: 3_600_000,
    });
    expect(gdbHint(flags)).toContain("-ex 'target remote 127.0.0.1:1234'");
    expect(guestOptions(flagsOf(['--gdb', '4321'])).qemuArguments).toEqual([
      '-gdb',
      'tcp:127.0.0.1:4321',
    ]);
    const plain = guestOptions(flagsOf([]));
    expect(plain).toMatchObject({ qemuArguments: [], kernelArguments: [], bootTimeoutMs: 60_000 });
    expect(gdbHint(flagsOf([]))).toBeUndefined();
  });

  it('take a kernel by the folder where it was built, or by its image there', () => {
    const image = join(folder, 'arch/x86/boot/bzImage');
    expect(() => kernelChoice({ kernel: folder })).toThrow(/no kernel was built in .* run make/);
    mkdirSync(join(folder, 'arch/x86/boot'), { recursive: true });
    writeFileSync(image, '');
    const own = { kernel: { image, buildDir: folder } };
    expect(kernelChoice({ kernel: folder })).toEqual(own);
    expect(kernelChoice({ kernel: image })).toEqual({ kernel: { image, buildDir: `${folder}/` } });
    expect(kernelChoice({ kernel: image, kbuild: folder })).toEqual(own);
    expect(kernelChoice({ kernel: 'debian-6.1' })).toEqual({ kernel: 'debian-6.1' });
  });

  it('that a command decides itself have their default, and are not known', () => {
    const { transport } = flagsOf([], ['--transport']);
    expect(transport).toBe('ivshmem');
    expect(() => flagsOf(['--transport', 'ivshmem'], ['--transport'])).toThrow(/unknown option/);
  });
});

describe('before anything starts', { timeout: 120_000 }, () => {
  it.each([
    [['run', '--size', '3M', '--', 'true'], 2, 'power of two'],
    [['run', '--disk-dir', '/no/such', '--', 'true'], 2, 'no such folder'],
    [['serve', '--socket', 'x', '--shm-dir', '/no/such'], 2, 'no such folder'],
    [['serve', '--socket', ''], 2, 'path of a socket'],
    [['run', '--module-param', 'a b', '--', 'true'], 2, 'name=value'],
    [['run', '--kernel', 'debain-6.1', '--', 'true'], 2, 'did you mean debian-6.1?'],
    [['matrix', '--kernels', 'source-6.2'], 2, 'did you mean source-6.1?'],
    [['matrix', '--front-end', 'block'], 2, 'unknown option'],
    [['bench', '--swap', 'zram'], 2, 'unknown option'],
    [['strom'], 2, 'Did you mean storm?'],
    [['kernels', '--dry-run'], 2, '--prune'],
    [['run', '--dry-run'], 69, 'KERNEL_NOT_CACHED'],
  ])('%j ends with %i and says why', (args, code, message) => {
    const { status, stdout, stderr } = tmem(...args);
    expect(stderr).toContain(message);
    expect(status).toBe(code);
    expect(stdout).toBe('');
  });

  it('a cache folder that cannot be made is named', () => {
    writeFileSync(join(folder, 'cache'), 'a file');
    const { status, stderr } = tmem('run', '--', 'true');
    expect(stderr).toMatch(/^tmem: CACHE_UNUSABLE: .*\/cache cannot be made: .*TMEM_CACHE_DIR/);
    expect(status).toBe(69);
    expect(tmem('doctor').stdout).toMatch(/NO {2}cache .*\n.*TMEM_CACHE_DIR/);
  });

  it('doctor downloads nothing, and says what a first use would', () => {
    const { stdout } = tmem('doctor', '--kernel', 'source-6.1');
    expect(stdout).toMatch(/-- {2}kernel +source-6.1 is not in the cache: built in .*\n.*--fetch/);
  });
});

it('a socket whose server is gone is taken, one that is answered is not', async () => {
  const path = join(folder, 'x.sock');
  const listen = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', listen, path], { timeout: COMMAND_MS_MAX });
  const script = `timeout -s INT 5 "$0" "$@"`;
  const words = ['-c', script, process.execPath, MAIN, 'serve', '--socket', path];
  const stale = spawnSync('sh', words, { encoding: 'utf8', timeout: COMMAND_MS_MAX });
  expect(stale.stderr).toContain(`removed ${path}, whose server was gone`);
  expect(stale.stdout).toContain(`path=${path}`);
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const used = spawnSync('sh', words, { encoding: 'utf8', timeout: COMMAND_MS_MAX });
  expect(used.stderr).toContain('SOCKET_IN_USE');
  await new Promise((resolve) => server.close(resolve));
});

describe('completion', () => {
  const complete = (...words: string[]): string[] => {
    const script =
      `eval "$("$0" "${MAIN}" completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); ` +
      `_tmem; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const args = ['-c', script, process.execPath, ...words];
    const { stdout } = spawnSync('bash', args, { encoding: 'utf8', timeout: COMMAND_MS_MAX });
    return stdout.split('\n').filter((line) => line !== '');
  };

  it('knows commands, options, and the values of options', () => {
    expect(complete('tmem', 'st')).toEqual(['storm']);
    expect(complete('tmem', 'run', '--front')).toEqual(['--front-end']);
    expect(complete('tmem', 'run', '--kernel', 'debian-5')).toEqual(['debian-5.10']);
    expect(complete('tmem', 'storm', '--transport', 'iv')).toEqual(['ivshmem']);
    expect(complete('tmem', 'matrix', '--front')).toEqual([]);
    expect(complete('tmem', 'completion', '')).toEqual(['bash', 'zsh']);
  });
});

it('the cache of a checkout is in it, and another place is taken by its variable', () => {
  vi.stubEnv('TMEM_CACHE_DIR', undefined);
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'xdg'));
  expect(defaultCacheDir()).toBe(join(import.meta.dirname, '../../.cache'));
  vi.stubEnv('TMEM_CACHE_DIR', folder);
  expect(defaultCacheDir()).toBe(folder);
});
