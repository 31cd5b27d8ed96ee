/**
 * A reader of the README: a folder outside of the checkout where the package is installed, and a
 * shell in it. The package is what `npm pack` makes, unpacked; what it depends on is the checkout's,
 * so that no network is needed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultCacheDir } from '../../emulator/guest/paths.js';
import { ROOT } from './examples.js';

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Reader implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'tmem-reader-'));
  readonly #children = new Set<ChildProcess>();

  /** Installs the package in a project of the reader's own. */
  static async install(): Promise<Reader> {
    const reader = new Reader();
    const { folder } = reader;
    await reader.must(`npm pack --ignore-scripts --pack-destination ${folder}`, { cwd: ROOT });
    const modules = join(folder, 'node_modules');
    mkdirSync(join(modules, '.bin'), { recursive: true });
    await reader.must(`tar -xzf qemu-tmem-*.tgz -C node_modules && rm qemu-tmem-*.tgz`);
    await reader.must('mv node_modules/package node_modules/qemu-tmem');
    const manifest = readFileSync(join(modules, 'qemu-tmem/package.json'), 'utf8');
    const { dependencies } = JSON.parse(manifest) as { dependencies: Record<string, string> };
    const needed = Object.keys(dependencies).filter((name) => !name.startsWith('@qemu-tmem/'));
    for (const name of [...needed, 'vitest', '@types']) {
      symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
    }
    symlinkSync('../qemu-tmem/emulator/cli/tmem.mjs', join(modules, '.bin/tmem'));
    writeFileSync(join(folder, 'package.json'), '{ "name": "reader", "type": "module" }\n');
    return reader;
  }

  /** Starts a line of shell. */
  start(
    line: string,
    options: { cwd?: string } = {},
  ): { ended: Promise<Outcome>; child: ChildProcess } {
    const child = spawn('sh', ['-c', line], {
      cwd: options.cwd ?? this.folder,
      env: {
        ...process.env,
        TMEM_CACHE_DIR: defaultCacheDir(),
        NO_UPDATE_NOTIFIER: '1',
        npm_config_update_notifier: 'false',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#children.add(child);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const ended = new Promise<Outcome>((resolve) => {
      child.on('close', (code) => {
        this.#children.delete(child);
        resolve({ code, stdout, stderr });
      });
    });
    return { ended, child };
  }

  run(line: string, options: { cwd?: string } = {}): Promise<Outcome> {
    return this.start(line, options).ended;
  }

  /** A line that must succeed. */
  async must(line: string, options: { cwd?: string } = {}): Promise<Outcome> {
    const outcome = await this.run(line, options);
    if (outcome.code === 0) return outcome;
    throw new Error(`${line}\nends with ${outcome.code}:\n${outcome.stdout}\n${outcome.stderr}`);
  }

  write(name: string, text: string): void {
    appendFileSync(join(this.folder, name), text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      try {
        process.kill(-child.pid!, 'SIGTERM');
      } catch {
        // Gone meanwhile.
      }
    }
    while (this.#children.size > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
