/**
 * What goes into a guest and comes out of it on the command line: stdin, a terminal, programs,
 * trees and results.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { withoutProgress } from './tmem.js';

const MAIN = join(import.meta.dirname, '../../dist/emulator/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'tmem-streams-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const COMMAND_MS_MAX = 200_000;
const TCG = ['--accel', 'tcg', '--mem', '160'];
/** Without the closing line. */
const QUIET = ['-q', ...TCG];
const env = { ...process.env, TMPDIR: folder };

class Running {
  stdout = '';
  stderr = '';
  readonly child: ChildProcess;
  readonly code: Promise<number | null>;

  constructor(program: string, args: string[]) {
    this.child = spawn(program, args, { env, cwd: folder, stdio: 'pipe' });
    const timer = setTimeout(() => this.child.kill('SIGKILL'), COMMAND_MS_MAX);
    this.child.stdout!.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    this.child.stderr!.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    // Whoever does not read its stdin to its end is not wrong.
    this.child.stdin!.on('error', () => {});
    this.code = new Promise((resolve) =>
      this.child.on('close', (code) => {
        clearTimeout(timer);
        resolve(code);
      }),
    );
  }

  /** Waits until more has been printed that matches, or it has ended. */
  async until(pattern: RegExp): Promise<void> {
    for (;;) {
      const found = pattern.exec(this.stdout);
      if (found !== null) {
        this.stdout = this.stdout.slice(found.index + found[0].length);
        return;
      }
      const more = new Promise<'more'>((resolve) =>
        this.child.stdout!.once('data', () => resolve('more')),
      );
      const said = await Promise.race([more, this.code]);
      if (said !== 'more') throw new Error(`no ${pattern}: ${this.stdout}${this.stderr}`);
    }
  }
}

const tmem = (...args: string[]): Running => new Running(process.execPath, [MAIN, ...args]);

describe('stdin', () => {
  it('is passed on as it is taken, and let go when the command ends', async () => {
    const run = tmem('run', ...QUIET, '--', 'head -n 2; exit 3');
    let written = 0;
    const feed = (): void => {
      while (run.child.stdin!.writable && run.child.stdin!.write('y\n'.repeat(512)))
        written += 1024;
    };
    run.child.stdin!.on('drain', feed);
    feed();
    expect(await run.code).toBe(3);
    expect(run.stdout).toBe('y\ny\n');
    expect(withoutProgress(run.stderr)).toBe('');
    expect(written).toBeLessThan(1024 * 1024);
  });
});

describe('what a guest is given, and what it gives', () => {
  it('all comes along, and results come back though the command failed', async () => {
    const tree = join(folder, 'tree');
    mkdirSync(join(tree, 'sub'), { recursive: true });
    writeFileSync(join(tree, 'sub/file'), 'of the tree\n');
    const script = [
      'gnu() { "$@" --version | head -n 1 | cut -d" " -f1-2; }',
      'gnu sort; gnu env sort; gnu sh -c "sort --version"; echo --version | xargs sort | head -n 1',
      'printf "#!/bin/sh\\nsort --version\\n" >script; chmod +x script; ./script | head -n 1',
      'cat /data/sub/file; stat -c %U:%G /data; id -u nobody',
      'grep CONFIG_SWAP= /boot/config-$(uname -r); grep -o "^loop" /proc/modules',
      'sed 1d /proc/swaps; seq 9 | dd of=/dev/tmem0 conv=fsync 2>/dev/null',
      'echo 3 >/proc/sys/vm/drop_caches; head -c 6 /dev/tmem0',
      'mkdir -p out/deep; echo result >out/deep/file; ln -s /etc out/link; cat; exit 5',
    ];
    const given = ['--with', 'sort', '--data-from', tree, '--module', 'loop'];
    const disk = ['--swap', 'none', '--front-end', 'block', '--module-param', 'block_mib=16'];
    const wanted = ['--get', '/root/out:results', '--get', '/no/such', '--get', 'script'];
    const run = tmem('run', ...QUIET, ...given, ...disk, ...wanted, '--', script.join('\n'));
    run.child.stdin!.end('the end of the input\n');
    expect(await run.code).toBe(5);
    expect(run.stdout.split('\n')).toEqual([
      ...['sort (GNU', 'sort (GNU', 'sort (GNU'],
      ...[expect.stringMatching(/^sort \(GNU/), expect.stringMatching(/^sort \(GNU/)],
      ...['of the tree', 'root:root', '65534', 'CONFIG_SWAP=y', 'loop'],
      ...['1', '2', '3', 'the end of the input', ''],
    ]);
    expect(withoutProgress(run.stderr).split('\n')).toEqual([
      'tmem: /root/out: left out 1 links and devices',
      expect.stringMatching(/^tmem: RESULT_UNUSABLE: \/no\/such .*not there/),
      '',
    ]);
    expect(readFileSync(join(folder, 'results/deep/file'), 'utf8')).toBe('result\n');
    expect(readdirSync(join(folder, 'results'))).toEqual(['deep']);
    expect(existsSync(join(folder, 'script'))).toBe(true);
    expect(readdirSync(folder).filter((name) => name.startsWith('.tmem-get-'))).toEqual([]);
  });

  it('what cannot be is told before the guest boots', async () => {
    const big = join(folder, 'big');
    writeFileSync(big, '');
    truncateSync(big, 60 * 2 ** 20);
    mkdirSync(join(folder, 'taken/log'), { recursive: true });
    const cases: [string[], string][] = [
      [['run', ...TCG, '--with', big, '--', 'true'], 'GUEST_MEMORY_TOO_SMALL: 160 MiB .* --mem'],
      [['run', ...TCG, '--get', 'log:taken', '--', 'true'], 'taken/log is there already'],
      [['run', ...TCG, '--share', '/no/such', '--', 'true'], 'FOLDER_UNUSABLE'],
      [['run', ...TCG, '--module', 'no-such', '--', 'true'], 'KERNEL_MODULE_UNKNOWN'],
      [['run', ...TCG, '--tty', '--', 'true'], 'OPTION_INVALID: --tty needs a terminal'],
      [['shell', ...TCG], 'OPTION_INVALID: a shell needs a terminal'],
    ];
    for (const [args, message] of cases) {
      const run = tmem(...args);
      expect(await run.code, args.join(' ')).not.toBe(0);
      expect(run.stderr).toMatch(new RegExp(message));
    }
  });
});

describe('a terminal', () => {
  /** Runs a line of shell on a terminal of its own (util-linux's script). */
  const onTerminal = (line: string): Running => new Running('script', ['-qefc', line, '/dev/null']);

  it('is a shell’s in the guest, with jobs and size, and as before in the end', async () => {
    const shell = [process.execPath, MAIN, 'run', ...TCG].join(' ');
    const lines = ['stty rows 33 cols 101', 'tty >tty', 'stty -a >before'];
    const after = ['echo "code=$?"', 'stty -a >after'];
    const run = onTerminal([...lines, shell, ...after].join('; '));
    const type = (text: string): boolean => run.child.stdin!.write(text);
    await run.until(/~ # /);
    type('stty size; tty; echo TERM=$TERM\r');
    await run.until(/33 101\s+\/dev\/pts\/\d+\s+TERM=/);
    // What is typed next is the job's that runs in the foreground.
    type('sh -c "echo begun; exec sleep 1000"\r');
    await run.until(/\nbegun/);
    type('\x03');
    await run.until(/~ # /);
    type('echo code=$?\r');
    await run.until(/\ncode=130/);
    type('sh -c "echo begun; exec sleep 1001"\r');
    await run.until(/\nbegun/);
    type('\x1a');
    await run.until(/Stopped/);
    type('kill %1; fg; echo code=$?\r');
    await run.until(/\ncode=143/);
    const terminal = readFileSync(join(folder, 'tty'), 'utf8').trim();
    spawnSync('stty', ['-F', terminal, 'rows', '44', 'cols', '90']);
    type('until stty size | grep "44 90"; do :; done\r');
    await run.until(/\n44 90/);
    type('exit 7\r');
    await run.until(/code=7/);
    expect(await run.code).toBe(0);
    const modes = (name: string): string =>
      readFileSync(join(folder, name), 'utf8').replace(/rows \d+; columns \d+/, '');
    expect(modes('after')).toBe(modes('before'));
  });

  it('is a command’s with --tty, which Ctrl-] three times ends', async () => {
    const words = [
      process.execPath,
      MAIN,
      'run',
      ...TCG,
      '--tty',
      '--',
      '"stty raw; echo on; cat"',
    ];
    const run = onTerminal(`${words.join(' ')}; echo "code=$?"; stty -a | grep -o " icanon"`);
    await run.until(/on\s/);
    run.child.stdin!.write('a\x1db');
    // What is less than the way out is the command's.
    await run.until(/a.b/);
    run.child.stdin!.write('\x1d\x1d\x1d');
    await run.until(/code=130\s+icanon/);
    expect(await run.code).toBe(0);
  });
});
