/**
 * A copy of the project with one bug in it, and a proof run there: a check that finds no bug that
 * is surely there is no check.
 *
 * The copy has what runs (the compiled code, the guest's sources) and finds its packages where this
 * project does, since it lies beneath it. It is removed afterwards.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultCacheDir, packageRoot } from '../../../emulator/guest/paths.js';
import type { ProofReport } from '../prove.js';

const RUNS = ['dist/emulator', 'dist/images', 'dist/test', 'guest-kmod', 'images', 'package.json'];
/** A quick cut takes seconds. One that does not end has met a bug that hangs, and so found it. */
const RUN_MS_MAX = 120_000;
const ATTEMPTS = 3;

export interface PlantedBug {
  /** What goes wrong, as one would report it. */
  readonly name: string;
  /** A source file; of a TypeScript one its compiled form is changed. */
  readonly file: string;
  /** Stands in that file once. */
  readonly find: string;
  readonly replace: string;
  /** The proof that must find it, and its sizes where the quick ones are not enough. */
  readonly proof: string;
  readonly sizes?: Readonly<Record<string, number>>;
}

/** `code` BUG_NOT_PLANTED: the source has changed; the bug needs another place. */
export class PlantError extends Error {
  readonly code = 'BUG_NOT_PLANTED';
  override readonly name = 'PlantError';
}

/** @throws PlantError */
export function withBug(bug: PlantedBug, text: string): string {
  const times = text.split(bug.find).length - 1;
  if (times === 1) return text.replace(bug.find, () => bug.replace);
  throw new PlantError(
    `"${bug.name}": ${bug.file} has ${times} times what it replaces, not once: ${bug.find}`,
  );
}

function plant(bug: PlantedBug, folder: string): void {
  for (const part of RUNS) cpSync(join(packageRoot, part), join(folder, part), { recursive: true });
  const compiled = bug.file.endsWith('.ts')
    ? join('dist', bug.file.replace(/\.ts$/, '.js'))
    : bug.file;
  const path = join(folder, compiled);
  writeFileSync(path, withBug(bug, readFileSync(path, 'utf8')));
}

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** It was killed for taking so long. */
  readonly hung: boolean;
}

function prove(bug: PlantedBug, folder: string, seed: number, signal: AbortSignal): Promise<Ended> {
  const sizes = Object.entries(bug.sizes ?? {}).flatMap(([name, size]) => [`--${name}`, `${size}`]);
  const main = join(folder, 'dist/test/proofs/main.js');
  const args = [main, 'prove', bug.proof, '--quick', '--json', '--seed', `${seed}`, ...sizes];
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, TMEM_CACHE_DIR: defaultCacheDir() },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const end = (): boolean => child.kill('SIGTERM');
  let hung = false;
  const timer = setTimeout(() => {
    hung = child.kill('SIGKILL');
  }, RUN_MS_MAX);
  signal.addEventListener('abort', end, { once: true });
  return new Promise((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve({ code, stdout, stderr, hung });
    });
  });
}

/**
 * Runs the bug's proof where the bug is, with other seeds too when it finds nothing: a quick
 * cut is some thousandth of the whole one.
 * @returns what the proof found first; undefined when it found nothing
 * @throws PlantError; Error when the proof did not come to a result
 */
export async function findBug(
  bug: PlantedBug,
  seed: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const parent = join(packageRoot, '.cache/planted');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'bug-'));
  try {
    plant(bug, folder);
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const ended = await prove(bug, folder, (seed + attempt) >>> 0, signal);
      if (ended.hung) return 'it did not come to an end';
      const { code, stdout, stderr } = ended;
      const line = stdout.trim().split('\n').at(-1) ?? '';
      if (!line.startsWith('{')) {
        throw new Error(`"${bug.name}": ${bug.proof} ended with ${code}: ${stderr.slice(-2000)}`);
      }
      const report = JSON.parse(line) as ProofReport;
      if (!report.held) return report.problems[0];
    }
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
