/**
 * What this machine needs to run a guest, each thing looked at by itself.
 *
 * A check never throws: it tells what it found and, where that will not do, how to mend it.
 */
import { execFile } from 'node:child_process';
import { existsSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildNeeds, type Progress, type UserKernel } from '../../images/index.js';
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

async function checkKernel(kernel: string | UserKernel, progress: Progress): Promise<Check> {
  const name = 'kernel';
  try {
    const cacheDir = defaultCacheDir();
    const ready = await prepare({ kernel, cacheDir, progress });
    return { name, state: 'yes', found: `${ready.kernel.release}, module built` };
  } catch (error) {
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
  const directory = defaultCacheDir();
  const found = existsSync(join(directory, 'kernels')) ? directory : `${directory} (empty yet)`;
  return { name: 'cache', state: 'yes', found };
}

/** Runs every check; `kernel` is also fetched and its module built when it is not there yet. */
export async function runDoctor(kernel: string | UserKernel, progress: Progress): Promise<Check[]> {
  return [
    checkNode(),
    checkNative(),
    await checkQemu(),
    await checkIvshmem(),
    await checkKvm(),
    await checkProgram('gcc', 'gcc libc6-dev'),
    await checkProgram('make', 'make'),
    await checkProgram('setpriv', 'util-linux'),
    checkRoom('temporary', tmpdir()),
    checkRoom('shared memory', '/dev/shm'),
    checkKernelBuilds(),
    checkCache(),
    await checkKernel(kernel, progress),
  ];
}
