/**
 * Folders of the host in the guest, over 9p: what `--share` names, and the host's whole root.
 *
 * A guest sees such a folder with the eyes of who runs QEMU: what that user may read, a hostile
 * guest may. Only a share that says `rw` can be written. Names are shell-quoted here, and nowhere
 * taken from the guest.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { basename, isAbsolute, resolve } from 'node:path';
import { type OptionProperties, shellQuote } from '@qemu-tmem/qmp';
import type { Kernel } from '../../images/index.js';
import { TmemError } from '../errors.js';

/** A folder of the host's that the guest may see. */
export interface HostFolder {
  readonly path: string;
  /** The name by which the guest mounts it. */
  readonly tag: string;
  readonly writable: boolean;
}

/** A folder for `--share`, and where it is mounted. */
export interface Share {
  readonly path: string;
  readonly writable: boolean;
}

/** Where the guest keeps what its commands see as their root; images/guest/agent.h has the same. */
const SYSROOT = '/sysroot';
const ROOT_TAG = 'tmem-root';
/** The most that virtio-9p takes from QEMU's command line and a shell line stays readable with. */
const SHARES_MAX = 16;

/**
 * 32 KiB a message: what the guest's 9p allocates for one is then of an order that its kernel goes
 * on trying for (PAGE_ALLOC_COSTLY_ORDER), also while it swaps.
 */
const MOUNT_OPTIONS = 'trans=virtio,version=9p2000.L,msize=32768';

/** The host's root, which nothing in the guest can write. */
export const HOST_ROOT: HostFolder = { path: '/', tag: ROOT_TAG, writable: false };

/** Kernel modules that the folders need. */
export function folderModules(folders: readonly HostFolder[]): string[] {
  if (folders.length === 0) return [];
  return ['9p', '9pnet_virtio', ...(folders.includes(HOST_ROOT) ? ['overlay'] : [])];
}

/** @throws TmemError (FOLDER_UNSUPPORTED) when the kernel cannot mount what is wanted */
export function checkFolders(kernel: Kernel, folders: readonly HostFolder[]): void {
  if (folders.length === 0) return;
  const root = folders.includes(HOST_ROOT);
  const wanted = ['9P_FS', 'NET_9P_VIRTIO', ...(root ? ['OVERLAY_FS'] : [])];
  const missing = wanted.filter((name) => !/^[ym]$/.test(kernel.config.get(name) ?? ''));
  if (missing.length === 0) return;
  throw new TmemError(
    'FOLDER_UNSUPPORTED',
    `${kernel.name} (${kernel.release}) is built without CONFIG_${missing.join(', CONFIG_')}, which ` +
      `${root ? '--root host' : '--share'} needs; debian-6.1 and the source- kernels have it, and ` +
      '--with and --data-from need none of it',
  );
}

/**
 * What the guest may see of the host.
 * @throws TmemError (FOLDER_UNUSABLE)
 */
export function sharedFolders(shares: readonly Share[], root: boolean): HostFolder[] {
  if (shares.length > SHARES_MAX) {
    throw new TmemError('FOLDER_UNUSABLE', `no more than ${SHARES_MAX} folders can be shared`);
  }
  const points = new Set<string>();
  const folders = shares.map(({ path, writable }, index) => {
    const absolute = resolve(path);
    const point = mountPoint(absolute);
    const isFolder = statSync(absolute, { throwIfNoEntry: false })?.isDirectory() ?? false;
    if (!isFolder) throw new TmemError('FOLDER_UNUSABLE', `--share ${path}: no such folder`);
    if (points.has(point)) {
      throw new TmemError('FOLDER_UNUSABLE', `--share ${path}: another one is on ${point} already`);
    }
    points.add(point);
    return { path: absolute, tag: `tmem-share${index}`, writable };
  });
  return root ? [...folders, HOST_ROOT] : folders;
}

/** Where a shared folder is in the guest. */
export function mountPoint(path: string): string {
  return `/mnt/${basename(resolve(path)) || 'root'}`;
}

/** What QEMU is told: a file system device, and the PCI device that carries it. */
export function folderDevices(folders: readonly HostFolder[]): {
  fsdevs: OptionProperties[];
  devices: { driver: string; fsdev: string; mount_tag: string }[];
} {
  return {
    fsdevs: folders.map(({ path, tag, writable }) => ({
      fsdriver: 'local',
      id: tag,
      path,
      security_model: 'none',
      readonly: !writable,
      // A folder may hold mount points, whose inode numbers would collide.
      multidevs: 'remap',
    })),
    devices: folders.map(({ tag }) => ({
      driver: 'virtio-9p-pci',
      fsdev: tag,
      mount_tag: tag,
    })),
  };
}

/** The shell command that mounts the shares; below `/sysroot` when the host's root is there. */
export function shareCommand(folders: readonly HostFolder[], root: boolean): string {
  const commands = folders.map(({ path, tag, writable }) => {
    const point = shellQuote([`${root ? SYSROOT : ''}${mountPoint(path)}`]);
    // Nothing is kept that may change on the host, but what programs have mapped.
    const options = `${MOUNT_OPTIONS},cache=mmap,${writable ? 'rw' : 'ro'}`;
    return `mkdir -p ${point} && mount -t 9p -o ${options} ${tag} ${point}`;
  });
  return commands.join(' && ') || 'true';
}

function mayEnter(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** `path` is `folder`, or lies in it. */
function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/**
 * The shell command that makes the host's root, which is read as it is needed, the lower side of an
 * overlay whose upper side is memory of the guest's. /run and /tmp are the guest's own, and /root
 * is where the host's cannot be read; but a folder stays in which `start` is. The guest's first
 * root is on /run/tmem, with its programs and modules.
 */
export function rootCommand(start: string): string {
  const options = `${MOUNT_OPTIONS},ro,cache=loose`;
  const own = ['/tmp', '/root'].filter(
    (folder) => !isWithin(start, folder) && !(folder === '/root' && mayEnter(folder)),
  );
  const upper = '/run/sysroot';
  return [
    'set -e',
    `mkdir -p /run/host ${upper} ${SYSROOT}`,
    `mount -t 9p -o ${options} ${ROOT_TAG} /run/host`,
    `mount -t tmpfs -o mode=0755 tmpfs ${upper}`,
    `mkdir ${upper}/upper ${upper}/work`,
    `sides=lowerdir=/run/host,upperdir=${upper}/upper,workdir=${upper}/work`,
    `mount -t overlay -o $sides overlay ${SYSROOT}`,
    `cd ${SYSROOT}`,
    ...['proc', 'sys', 'dev'].map((name) => `mkdir -p ${name}; mount --rbind /${name} ${name}`),
    'mkdir -p run; mount -t tmpfs -o mode=0755 tmpfs run',
    ...own.map((folder) => {
      const mode = folder === '/tmp' ? '1777' : '0700';
      return `mkdir -p .${folder}; mount -t tmpfs -o mode=${mode} tmpfs .${folder}`;
    }),
    'mkdir run/tmem run/lock; mount --bind / run/tmem',
    // Where programs look for them. A host that has its own of a name keeps that.
    'mkdir -p lib/modules boot',
    'for d in bin/busybox lib/tmem lib/modules/$(uname -r) boot/config-$(uname -r); do',
    '[ -e $d ] || ln -s /run/tmem/$d $d 2>/dev/null || true',
    'done',
  ].join('\n');
}

/** Where programs are looked for, busybox's last, when the host's root is the guest's. */
export function rootPath(hostPath: string | undefined): string {
  const usual = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  const mine = (hostPath ?? '').split(':').filter(isAbsolute);
  return [...new Set([...mine, ...usual, '/run/tmem/usr/bin', '/run/tmem/usr/sbin'])].join(':');
}
