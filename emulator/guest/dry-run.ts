/**
 * A guest that is not started: what its kernel would cost, and its files, for whoever starts QEMU
 * by hand.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isCached, kernelCatalogue, type UserKernel } from '../../images/index.js';
import { TmemError } from '../errors.js';
import type { GuestMachineOptions } from './machine.js';
import type { RunDir } from './paths.js';

const COPY_MS_MAX = 5 * 60_000;

/** @throws TmemError (KERNEL_NOT_CACHED) for a kernel that would have to be fetched or built */
export async function requireCached(kernel: string | UserKernel, cacheDir: string): Promise<void> {
  const entry = kernelCatalogue().find(({ name }) => name === kernel);
  if (entry === undefined || (await isCached(entry, cacheDir))) return;
  const cost =
    entry.kind === 'source' ? `build it, ~${entry.buildMinutes} minutes` : 'fetch it, ~80 MB';
  throw new TmemError(
    'KERNEL_NOT_CACHED',
    `${entry.name} is not in the cache, and a run would first ${cost}; ` +
      `tmem doctor --fetch --kernel ${entry.name} does that alone`,
  );
}

/** Copies the files of a guest into the folder and gives the machine that uses them there. */
export async function moveFiles(
  { runDir, machine }: { runDir: RunDir; machine: GuestMachineOptions },
  folder: string,
): Promise<GuestMachineOptions> {
  if (folder === runDir.path) return machine;
  try {
    mkdirSync(folder, { recursive: true });
    const move = (path: string): string => {
      const target = join(folder, basename(path));
      // Disks are mostly holes.
      execFileSync('cp', ['--sparse=always', '--', path, target], { timeout: COPY_MS_MAX });
      return target;
    };
    return {
      ...machine,
      initramfs: move(machine.initramfs),
      disks: machine.disks.map(move),
      logDir: folder,
      consolePath: join(folder, basename(machine.consolePath)),
      agentSocket: join(folder, basename(machine.agentSocket)),
    };
  } catch (cause) {
    throw new TmemError(
      'RUN_DIR_UNUSABLE',
      `the guest's files cannot be made in ${folder}: ${(cause as Error).message}`,
      cause,
    );
  }
}
