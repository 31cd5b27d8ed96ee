/**
 * What of the cache can go: patched kernels, kernels of a configuration that is no more, what goes
 * with kernels that are not there, and what runs that were killed left half made. Kernels that
 * `--kernel` names as they are now stay, and so does whatever a process uses.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { removeTree } from '../files.js';
import { whenUnused } from '../lock.js';
import { run } from '../run.js';
import { leftUnfinished } from '../unfinished.js';
import { kernelCatalogue } from './catalogue.js';
import { KERNEL_RECORD, type KernelRecord } from './fetch.js';
import { kernelDir, OWN_KERNELS } from './kernel.js';
import { imageHash } from './vmlinux.js';

const MEASURE_TIMEOUT_MS = 5 * 60_000;
const DAY_MS = 24 * 60 * 60_000;

export interface PruneOptions {
  readonly cacheDir: string;
  /** Only what was last used so many days ago; default 0. */
  readonly olderThanDays?: number;
  /** Find out, and remove nothing. */
  readonly dryRun?: boolean;
}

/** A folder of the cache that can go. */
export interface Prunable {
  readonly path: string;
  readonly why: string;
  /** What its removal gives back: sources shared with another kernel's tree are not counted. */
  readonly bytes: number;
  readonly lastUsed: Date;
  /** `used`: a process uses it, so it stayed. */
  readonly outcome: 'removed' | 'used' | 'would be removed';
}

interface Candidate {
  readonly path: string;
  readonly why: string;
  /** What `keepInUse` calls it; without one nobody can be using it. */
  readonly use?: string;
}

const list = (dir: string): Promise<string[]> => readdir(dir).catch(() => []);

async function kernelCandidates(cacheDir: string): Promise<Candidate[]> {
  const current = new Set<string>();
  for (const entry of kernelCatalogue()) current.add(basename(await kernelDir(entry, cacheDir)));
  const found: Candidate[] = [];
  for (const name of await list(join(cacheDir, 'kernels'))) {
    if (current.has(name) || name.startsWith('.')) continue;
    const why = name.includes('+') ? 'a patched kernel' : 'no kernel is configured so any more';
    found.push({ path: join(cacheDir, 'kernels', name), why, use: name });
  }
  return found;
}

/** A kernel's name in build/, which has no hash of its configuration. */
function buildName(kernel: string): string {
  return kernel.replace(/^(source-.*)-[0-9a-f]{16}(\+|$)/, '$1$2');
}

/**
 * What goes with kernels, where `stays` are all that the cache has: modules built for them, unpacked
 * images. A user's own kernels are not in the cache, so a use of one keeps them all.
 */
async function companionCandidates(
  cacheDir: string,
  stays: readonly string[],
): Promise<Candidate[]> {
  const found: Candidate[] = [];
  const names = new Set(stays.map(buildName));
  for (const name of await list(join(cacheDir, 'build'))) {
    if (names.has(name)) continue;
    const path = join(cacheDir, 'build', name);
    found.push({ path, why: 'modules of a kernel that is not here', use: OWN_KERNELS });
  }
  const images = new Set<string>();
  for (const name of stays) {
    const folder = join(cacheDir, 'kernels', name);
    if (!existsSync(join(folder, KERNEL_RECORD))) continue;
    const record = await readFile(join(folder, KERNEL_RECORD), 'utf8');
    const { image } = JSON.parse(record) as KernelRecord;
    const bytes = await readFile(join(folder, image)).catch(() => undefined);
    if (bytes !== undefined) images.add(imageHash(bytes));
  }
  for (const name of await list(join(cacheDir, 'vmlinux'))) {
    if (images.has(name) || name.startsWith('.')) continue;
    const path = join(cacheDir, 'vmlinux', name);
    found.push({ path, why: 'the image of a kernel that is not here', use: OWN_KERNELS });
  }
  return found;
}

async function bytesOf(path: string): Promise<number> {
  const script = `find "$1" \\( -type d -o -links 1 \\) -printf '%b\\n' | awk '{ n += $1 } END { print n * 512 }'`;
  const { stdout } = await run('sh', ['-c', script, 'measure', path], {
    timeoutMs: MEASURE_TIMEOUT_MS,
  });
  return Number(stdout);
}

/** When a process last said that it uses it, or else when it was made. */
async function lastUse(cacheDir: string, { path, use }: Candidate): Promise<Date> {
  const files = [path, ...(use === undefined ? [] : [join(cacheDir, 'locks', `use-${use}`)])];
  const found = await Promise.all(files.map((file) => stat(file).catch(() => undefined)));
  return new Date(Math.max(0, ...found.map((one) => one?.mtimeMs ?? 0)));
}

/** Removes what can go, or says what would. */
export async function pruneKernels(options: PruneOptions): Promise<Prunable[]> {
  const cacheDir = resolve(options.cacheDir);
  const before = Date.now() - (options.olderThanDays ?? 0) * DAY_MS;
  const pruned: Prunable[] = [];
  const prune = async (candidate: Candidate): Promise<void> => {
    const { path, why, use } = candidate;
    const lastUsed = await lastUse(cacheDir, candidate);
    if (lastUsed.getTime() > before) return;
    const bytes = await bytesOf(path);
    const remove = async (): Promise<void> => {
      if (!options.dryRun) await removeTree(path);
    };
    let free = true;
    if (use === undefined) await remove();
    else free = await whenUnused(cacheDir, use, remove);
    const done = options.dryRun ? 'would be removed' : 'removed';
    pruned.push({ path, why, bytes, lastUsed, outcome: free ? done : 'used' });
  };
  for (const path of await leftUnfinished(cacheDir)) await prune({ path, why: 'left half made' });
  for (const candidate of await kernelCandidates(cacheDir)) await prune(candidate);
  const gone = new Set(pruned.filter(({ outcome }) => outcome !== 'used').map(({ path }) => path));
  const kernels = (await list(join(cacheDir, 'kernels'))).filter((name) => !name.startsWith('.'));
  const stays = kernels.filter((name) => !gone.has(join(cacheDir, 'kernels', name)));
  for (const candidate of await companionCandidates(cacheDir, stays)) await prune(candidate);
  return pruned;
}
