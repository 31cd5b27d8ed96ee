/**
 * No room: for shared memory, at the start and later, and for a guest's files. The file systems that
 * fill up are in mount namespaces of their own and go with the processes in them.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { fstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { packageRoot, type RunDir } from '../../../emulator/guest/paths.js';
import { Lifetime } from '../../../emulator/lifetime.js';
import { IvshmemClient } from '../../../emulator/testing/index.js';
import { type LimitCase, must } from './case.js';
import { BLOCK_BYTES, Filler } from './filler.js';
import { mib } from './measure.js';

const MAIN = join(packageRoot, 'dist/emulator/cli/main.js');
const COMMAND_MS_MAX = 30_000;
const GUEST_MS_MAX = 400_000;
const SERVING_MS_MAX = 30_000;
const LOOK_MS = 20;

/** The words that run a shell script in a namespace with a file system of `size` at `$0`. */
function onSmallDisk(folder: RunDir, size: string, script: string, words: string[]): string[] {
  const disk = folder.file('disk');
  mkdirSync(disk);
  const mount = `mount -t tmpfs -o size=${size} none "$0" && ${script}`;
  return ['-rm', 'sh', '-c', mount, disk, process.execPath, MAIN, ...words];
}

async function noRoomForMemory(folder: RunDir): Promise<void> {
  const serve = ['serve', '--socket', folder.file('x.sock'), '--size', '8M'];
  const words = [...serve, '--shm-dir', folder.file('disk')];
  const { status, stderr } = spawnSync('unshare', onSmallDisk(folder, '4m', 'exec "$@"', words), {
    encoding: 'utf8',
    timeout: COMMAND_MS_MAX,
  });
  must(status === 69 && stderr.startsWith('tmem: SHM_FULL: '), `${status}: ${stderr}`);
}

/** Until it says so on stderr. */
async function untilSaid(child: ChildProcess, words: string): Promise<void> {
  let said = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const deadline = performance.now() + SERVING_MS_MAX;
  while (!said.includes(words)) {
    must(performance.now() < deadline && child.exitCode === null, `not "${words}": ${said}`);
    await delay(LOOK_MS);
  }
}

/** The file system of the memory is full once the server runs: each page was taken before. */
async function memoryOnDiskThatFills(folder: RunDir): Promise<void> {
  await using lifetime = new Lifetime();
  const socketPath = folder.file('x.sock');
  const serve = ['serve', '--socket', socketPath, '--size', '4M'];
  const fill = `"$@" & until [ -S "${socketPath}" ]; do sleep 0.05; done
    head -c 64m /dev/zero >"$0/fill" 2>/dev/null; echo full >&2; wait`;
  const words = onSmallDisk(folder, '6m', fill, [...serve, '--shm-dir', folder.file('disk')]);
  const child = spawn('unshare', words, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  lifetime.defer(async () => {
    process.kill(-child.pid!, 'SIGKILL');
    await ended;
  });
  await untilSaid(child, 'full\n');
  const options = { socketPath, vectors: 4, regionBytes: 4 * 2 ** 20, isPersistent: true };
  {
    // Before any page is touched, which would end this process if there were none.
    using client = await IvshmemClient.connect(socketPath, options.vectors);
    const bytes = fstatSync(client.memoryFd).blocks * BLOCK_BYTES;
    must(bytes >= options.regionBytes, `only ${mib(bytes)} are there for sure`);
  }
  const filler = lifetime.use(await Filler.connect(options));
  const taken = filler.put(filler.slots);
  filler.check();
  must(taken === filler.slots, `${taken} of ${filler.slots} pages were taken`);
  must(filler.wrong === 0, `${filler.wrong} pages were wrong`);
}

async function noRoomForGuest(folder: RunDir): Promise<void> {
  const script = 'TMPDIR="$0" "$@"; echo "left: $(ls "$0")"';
  const words = onSmallDisk(folder, '1m', script, ['run', '--mem', '128', '--', ':']);
  const options = { encoding: 'utf8', timeout: COMMAND_MS_MAX } as const;
  const { stdout, stderr } = spawnSync('unshare', words, options);
  must(stderr.startsWith('tmem: RUN_DIR_UNUSABLE: ') && stderr.includes('ENOSPC'), stderr);
  must(stdout === 'left: \n', stdout);
}

/** Where the guest's disks, console, log and sockets are there is no room any more once it runs. */
async function filesThatFill(folder: RunDir): Promise<void> {
  const script = `(TMPDIR="$0" exec "$@") & run=$!
    until grep -qs swap-is-on "$0"/qemu-tmem-*/run-*/console.log; do sleep 0.05; done
    head -c 100m /dev/zero >"$0/fill" 2>/dev/null; wait $run`;
  const guest =
    'echo swap-is-on >/dev/console; sleep 2; dmesg >/dev/console; ' +
    'storm --mib 160 --passes 1 --json && echo done';
  const words = onSmallDisk(folder, '64m', script, ['run', '--mem', '128', '--', guest]);
  const options = { encoding: 'utf8', timeout: GUEST_MS_MAX } as const;
  const { status, stdout, stderr } = spawnSync('unshare', words, options);
  must(status === 0, `${status}: ${stderr}`);
  must(/"pagesWrong":0,/.test(stdout) && stdout.endsWith('done\n'), stdout);
}

/** The guest's kernel ends what it finds no room for, and says so; guest and host go on. */
async function swapDiskThatFills(folder: RunDir): Promise<void> {
  const guest = 'storm --mib 192 --passes 1 --json; echo "storm $?"; cat /proc/swaps';
  const run = ['run', '--mem', '128', '--quota', '2000', '--disk-dir', folder.file('disk')];
  const words = onSmallDisk(folder, '16m', 'exec "$@"', [...run, '--', guest]);
  const options = { encoding: 'utf8', timeout: GUEST_MS_MAX } as const;
  const { status, stdout, stderr } = spawnSync('unshare', words, options);
  // Its last command succeeds, and the disk's errors count all the same.
  must(status === 1, `${status}: ${stderr}`);
  must(/^tmem: kernel log: .*(I\/O error|error, dev|-error on swap)/m.test(stderr), stderr);
  must(/"pagesWrong":0,/.test(stdout), stdout);
  must(/^storm 3\n/m.test(stdout) && stdout.includes('/dev/failstop0'), stdout);
}

export const ROOM_CASES: readonly LimitCase[] = [
  { name: 'no room for the memory', run: noRoomForMemory },
  { name: 'no room left where the memory is', run: memoryOnDiskThatFills },
  { name: 'no room for the files of a guest', isLong: true, run: noRoomForGuest },
  { name: 'no room left for the files of a guest', isLong: true, run: filesThatFill },
  { name: 'no room left for a swap disk', isLong: true, run: swapDiskThatFills },
];
