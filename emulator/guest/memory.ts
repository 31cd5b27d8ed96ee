/**
 * Whether a guest's memory holds what it boots from, found out before it boots: a kernel that runs
 * out while it unpacks its root panics with words that name something else.
 *
 * A lower bound: what passes may still be too small to do anything in.
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { TmemError } from '../errors.js';

/** What a kernel takes in memory until it is up (Documentation/arch/x86/boot.rst, init_size). */
const INIT_SIZE_OFFSET = 0x260;
/** What a kernel that is up has taken beside that, at the least: page structs, slabs, threads. */
const ROOM_BYTES = 16 * 2 ** 20;

function initSize(image: string): number {
  const field = Buffer.alloc(4);
  const fd = openSync(image, 'r');
  try {
    readSync(fd, field, 0, field.length, INIT_SIZE_OFFSET);
  } finally {
    closeSync(fd);
  }
  return field.readUInt32LE();
}

function mib(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}

/**
 * `image` is the kernel's bzImage.
 * @throws TmemError (GUEST_MEMORY_TOO_SMALL)
 */
export function checkMemory(memoryMib: number, image: string, initramfs: string): void {
  const kernel = initSize(image);
  const root = statSync(initramfs).size;
  // The archive is in memory until all of it is unpacked.
  const needed = mib(kernel + 2 * root + ROOM_BYTES);
  if (memoryMib >= needed) return;
  throw new TmemError(
    'GUEST_MEMORY_TOO_SMALL',
    `${memoryMib} MiB are too small a guest: this kernel takes ${mib(kernel)} MiB to start, and its ` +
      `root of ${mib(root)} MiB is there twice while it is unpacked; give --mem ${needed} or more` +
      (root > ROOM_BYTES
        ? ', take less along (--with), have it on a disk (--data-from), or --root host'
        : ''),
  );
}
