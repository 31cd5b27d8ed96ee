/**
 * A disk with a file system for the guest's files: ext4, made empty on the host, mounted on /data.
 *
 * Blocks are as large as pages: with smaller ones the kernel hands no page to cleancache
 * (fs/ext4/readpage.c).
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { TmemError } from '../errors.js';

/** Kernel modules that the mount needs; ext4 asks for its checksum by the algorithm's name. */
export const DATA_MODULES: readonly string[] = ['crc32c_generic', 'ext4'];

const MKE2FS_MS_MAX = 60_000;

/**
 * Makes the disk's file, sparse, in a folder.
 * @returns its path
 * @throws TmemError (DATA_DISK_UNUSABLE)
 */
export function makeDataDisk(directory: string, mib: number): string {
  const path = join(directory, `tmem-data-${process.pid}.raw`);
  const words = ['-q', '-F', '-t', 'ext4', '-b', '4096', '-m', '0', path, `${mib}M`];
  const { status, stderr, error } = spawnSync('mke2fs', words, {
    encoding: 'utf8',
    timeout: MKE2FS_MS_MAX,
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  });
  if (status === 0) return path;
  throw new TmemError(
    'DATA_DISK_UNUSABLE',
    `no file system of ${mib} MiB can be made in ${directory}: ${error?.message ?? stderr.trim()}; ` +
      'mke2fs is in the package e2fsprogs',
  );
}

/** The shell command that mounts it; `disk` counts from 0. Below /sysroot for `sysroot`. */
export function mountCommand(disk: number, sysroot = false): string {
  const device = `/dev/vd${String.fromCharCode(97 + disk)}`;
  const point = sysroot ? '/sysroot/data' : '/data';
  return `mkdir -p ${point} && mount -t ext4 ${device} ${point}`;
}
