/**
 * A disk with a file system for the guest's files: ext4, made on the host, empty or with a tree
 * of files, mounted on /data.
 *
 * Blocks are as large as pages: with smaller ones the kernel hands no page to cleancache
 * (fs/ext4/readpage.c).
 */
import { execFile } from 'node:child_process';
import { lstat, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { TmemError } from '../errors.js';

const execFileAsync = promisify(execFile);

/** Kernel modules that the mount needs; ext4 asks for its checksum by the algorithm's name. */
export const DATA_MODULES: readonly string[] = ['crc32c_generic', 'ext4'];

const MKE2FS_MS_MAX = 10 * 60_000;
const BLOCK_BYTES = 4096;
const INODE_BYTES = 256;
const ENTRIES_MAX = 1_000_000;
/** Inodes beyond those of the tree; one a 16 KiB, as mke2fs has it, is less for small disks. */
const SPARE_INODES = 4096;
/** Beyond the tree: journal, tables, and some room to write. */
const SPARE_MIB = 32;

export interface DataDiskOptions {
  /** Where the disk's file lies. */
  readonly directory: string;
  /** Default: what the tree needs and a little more. */
  readonly mib?: number | undefined;
  /** A folder of the host's whose tree is put on the disk. */
  readonly from?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes the disk's file, sparse, in a folder.
 * @returns its path
 * @throws TmemError (DATA_DISK_UNUSABLE), or the signal's reason
 */
export async function makeDataDisk(options: DataDiskOptions): Promise<string> {
  const { directory, from, signal } = options;
  const path = join(directory, `tmem-data-${process.pid}.raw`);
  const tree = from === undefined ? undefined : await measure(resolve(from));
  const mib = options.mib ?? Math.ceil(((tree?.bytes ?? 0) * 1.1) / 2 ** 20) + SPARE_MIB;
  const words = ['-q', '-F', '-t', 'ext4', '-b', String(BLOCK_BYTES), '-m', '0'];
  if (from !== undefined && tree !== undefined) {
    const inodes = tree.entries + SPARE_INODES;
    words.push('-E', 'root_owner=0:0', '-N', String(inodes), '-d', resolve(from));
  }
  try {
    await execFileAsync('mke2fs', [...words, path, `${mib}M`], {
      timeout: MKE2FS_MS_MAX,
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
      ...(signal === undefined ? {} : { signal }),
    });
    return path;
  } catch (cause) {
    signal?.throwIfAborted();
    const { stderr, message } = cause as Error & { stderr?: string };
    const what = from === undefined ? '' : ` with ${from}`;
    throw new TmemError(
      'DATA_DISK_UNUSABLE',
      `no file system of ${mib} MiB${what} can be made in ${directory}: ` +
        `${stderr?.trim() || message}; mke2fs is in the package e2fsprogs` +
        (tree === undefined ? '' : `, and the tree needs about ${mibOf(tree.bytes)} MiB`),
      cause,
    );
  }
}

function mibOf(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}

/** What a tree takes on a disk, about. */
async function measure(top: string): Promise<{ bytes: number; entries: number }> {
  let bytes = 0;
  let entries = 0;
  const folders = [top];
  try {
    for (let dir = folders.pop(); dir !== undefined; dir = folders.pop()) {
      for (const entry of await readdir(dir, { withFileTypes: true })) {
        const path = join(dir, entry.name);
        if (entry.isDirectory()) folders.push(path);
        const { size } = await lstat(path);
        bytes += Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES + INODE_BYTES;
        entries += 1;
        if (entries > ENTRIES_MAX) throw new Error(`it holds more than ${ENTRIES_MAX} files`);
      }
    }
  } catch (cause) {
    const message = `--data-from ${top}: ${(cause as Error).message}`;
    throw new TmemError('DATA_DISK_UNUSABLE', message, cause);
  }
  return { bytes, entries };
}

/** The shell command that mounts it; `disk` counts from 0. Below /sysroot for `sysroot`. */
export function mountCommand(disk: number, sysroot = false): string {
  const device = `/dev/vd${String.fromCharCode(97 + disk)}`;
  const point = sysroot ? '/sysroot/data' : '/data';
  return `mkdir -p ${point} && mount -t ext4 ${device} ${point}`;
}
