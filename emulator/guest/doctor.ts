/**
 * What this machine needs to run a guest, each thing looked at by itself.
 *
 * A check never throws: it tells what it found and, where that will not do, how to mend it.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  buildNeeds,
  isCached,
  kernelCatalogue,
  type Progress,
  type UserKernel,
} from '../../images/index.js';
import { closeFd, memfdCreate } from '../native/libc.js';
import { kvmObstacle } from './accelerator.js';
import { prepare } from './assets.js';
import { defaultCacheDir } from './paths.js';

export interface Check {
  readonly name: string;
  /** `no` stops a guest from running; `note` is worth knowing. */
  readonly state: 'yes' | 'no' | 'note';
  readonly found: string;
  /** What to do, where there is something to do. */
  readonly remedy?: string;
}

const run = promisify(execFile);
const PROGRAM_MS_MAX = 10_000;
const NODE_LEAST: readonly [number, number] = [20, 19];
const QEMU_LEAST: readonly [number, number] = [7, 2];
const ROOM_MIB_LEAST = 2048;

async function firstLine(program: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { stdout } = await run(program, args, { timeout: PROGRAM_MS_MAX });
    return stdout.split('\n')[0] ?? '';
  } catch {
    return undefined;
  }
}

function atLeast(text: string, [major, minor]: readonly [number, number]): boolean {
  const match = /(\d+)\.(\d+)/.exec(text);
  if (match === null) return false;
  const found = [Number(match[1]), Number(match[2])] as const;
  return found[0] > major || (found[0] === major && found[1] >= minor);
}

function checkNode(): Check {
  const found = process.version;
  if (atLeast(found, NODE_LEAST)) return { name: 'node', state: 'yes', found };
  return {
    name: 'node',
    state: 'no',
    found,
    remedy: `install Node ${NODE_LEAST.join('.')} or newer`,
  };
}

async function checkQemu(): Promise<Check> {
  const name = 'qemu';
  const remedy = 'apt-get install qemu-system-x86 (7.2 or newer)';
  const found = await firstLine('qemu-system-x86_64', '--version');
  if (found === undefined) return { name, state: 'no', found: 'not found', remedy };
  return atLeast(found, QEMU_LEAST)
    ? { name, state: 'yes', found }
    : { name, state: 'no', found, remedy };
}

async function checkIvshmem(): Promise<Check> {
  const name = 'ivshmem-doorbell';
  try {
    const { stdout } = await run('qemu-system-x86_64', ['-device', 'help'], {
      timeout: PROGRAM_MS_MAX,
    });
    if (stdout.includes('"ivshmem-doorbell"')) return { name, state: 'yes', found: 'in this QEMU' };
  } catch {
    // Told by the check of QEMU itself.
  }
  const remedy = 'use a QEMU built with ivshmem (Debian: qemu-system-x86)';
  return { name, state: 'no', found: 'not in this QEMU', remedy };
}

async function checkProgram(program: string, debianPackage: string): Promise<Check> {
  const found = await firstLine(program, '--version');
  if (found !== undefined) return { name: program, state: 'yes', found };
  const remedy = `apt-get install ${debianPackage}`;
  return { name: program, state: 'no', found: 'not found', remedy };
}

function checkNative(): Check {
  const name = 'native calls';
  try {
    closeFd(memfdCreate('tmem-doctor'));
    return { name, state: 'yes', found: 'koffi loads, memfd works' };
  } catch (error) {
    const remedy = 'npm ci; the system must be Linux on x86-64 with glibc';
    return { name, state: 'no', found: (error as Error).message, remedy };
  }
}

function checkRoom(name: string, directory: string): Check {
  try {
    const { bavail, bsize } = statfsSync(directory);
    const mib = Math.floor((bavail * bsize) / 2 ** 20);
    const found = `${mib} MiB free in ${directory}`;
    if (mib >= ROOM_MIB_LEAST) return { name, state: 'yes', found };
    return {
      name,
      state: 'note',
      found,
      remedy: `a run may need ${ROOM_MIB_LEAST} MiB: free some`,
    };
  } catch (error) {
    return {
      name,
      state: 'no',
      found: (error as Error).message,
      remedy: `make ${directory} usable`,
    };
  }
}

async function checkKvm(): Promise<Check> {
  const obstacle = await kvmObstacle();
  if (obstacle === undefined) {
    return {
      name: 'kvm',
      state: 'yes',
      found: 'CPU and /dev/kvm look right; a probe guest decides',
    };
  }
  return {
    name: 'kvm',
    state: 'note',
    found: obstacle,
    remedy: 'guests run under TCG, more slowly',
  };
}

/** Whether a guest can boot this kernel at once. It is fetched or built only when asked for. */
async function checkKernel(kernel: string | UserKernel, options: DoctorOptions): Promise<Check> {
  const name = 'kernel';
  const cacheDir = defaultCacheDir();
  try {
    const entry = kernelCatalogue().find((one) => one.name === kernel);
    if (entry !== undefined && !options.fetch && !(await isCached(entry, cacheDir))) {
      const cost = entry.kind === 'source' ? `built in ~${entry.buildMinutes} min` : '~80 MB';
      return {
        name,
        state: 'note',
        found: `${entry.name} is not in the cache: ${cost} at its first use`,
        remedy: 'tmem doctor --fetch gets it now, and builds the module for it',
      };
    }
    const { progress, signal } = options;
    const ready = await prepare({ kernel, cacheDir, progress, ...(signal && { signal }) });
    return { name, state: 'yes', found: `${ready.kernel.release}, module built` };
  } catch (error) {
    options.signal?.throwIfAborted();
    const [found = '', ...rest] = (error as Error).message.split('\n');
    return { name, state: 'no', found, remedy: rest.join('\n') || 'see the message' };
  }
}

/** Not needed for Debian's own kernels, so what is missing is a note. */
function checkKernelBuilds(): Check {
  const name = 'kernel builds';
  const { packages, missing } = buildNeeds();
  if (missing.length === 0) return { name, state: 'yes', found: packages.join(', ') };
  return {
    name,
    state: 'note',
    found: `${missing.join(', ')} not found`,
    remedy: `only for kernels named source-...: apt-get install ${missing.join(' ')}`,
  };
}

function checkCache(): Check {
  const name = 'cache';
  const directory = defaultCacheDir();
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    const remedy = `make ${directory} usable, or set TMEM_CACHE_DIR to another place`;
    return { name, state: 'no', found: (error as Error).message, remedy };
  }
  const found = existsSync(join(directory, 'kernels')) ? directory : `${directory} (empty yet)`;
  return { name, state: 'yes', found };
}

export interface DoctorOptions {
  readonly progress: Progress;
  readonly signal?: AbortSignal;
  /** Fetch or build the kernel when it is not there. */
  readonly fetch?: boolean;
}

/** Runs every check, and gives each as it is known. */
export async function* runDoctor(
  kernel: string | UserKernel,
  options: DoctorOptions,
): AsyncGenerator<Check> {
  yield checkNode();
  yield checkNative();
  yield await checkQemu();
  yield await checkIvshmem();
  yield await checkKvm();
  yield await checkProgram('gcc', 'gcc libc6-dev');
  yield await checkProgram('make', 'make');
  yield await checkProgram('flock', 'util-linux');
  yield await checkProgram('setpriv', 'util-linux');
  yield checkRoom('temporary', tmpdir());
  yield checkRoom('shared memory', '/dev/shm');
  yield checkKernelBuilds();
  yield checkCache();
  yield await checkKernel(kernel, options);
}
