/**
 * Reads the release string out of a bzImage (Linux Documentation/arch/x86/boot.rst, "The Real-Mode
 * Kernel Header"): magic "HdrS" at 0x202, offset of the version string minus 0x200 at 0x20E.
 */
import { open } from 'node:fs/promises';
import { ImagesError } from '../errors.js';

const SETUP_BYTES_MAX = 64 * 1024;
const MAGIC_OFFSET = 0x202;
const VERSION_POINTER_OFFSET = 0x20e;
const VERSION_BASE = 0x200;

/** The kernel release, as `uname -r` will say. Errors: KERNEL_IMAGE_INVALID. */
export async function bzImageRelease(path: string): Promise<string> {
  const head = await readHead(path);
  if (
    head.length < VERSION_BASE + 16 ||
    head.toString('latin1', MAGIC_OFFSET, MAGIC_OFFSET + 4) !== 'HdrS'
  ) {
    throw invalid(path, 'it has no x86 boot header; give arch/x86/boot/bzImage, not vmlinux');
  }
  const start = head.readUInt16LE(VERSION_POINTER_OFFSET) + VERSION_BASE;
  const end = head.indexOf(0, start);
  const release = end > start ? head.toString('latin1', start, end).split(' ')[0] : undefined;
  if (!release || !/^\d+\.\d+/.test(release)) {
    throw invalid(path, 'its boot header names no kernel release');
  }
  return release;
}

async function readHead(path: string): Promise<Buffer> {
  try {
    const file = await open(path, 'r');
    try {
      const buffer = Buffer.alloc(SETUP_BYTES_MAX);
      const { bytesRead } = await file.read(buffer, 0, SETUP_BYTES_MAX, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw invalid(path, (cause as Error).message, cause);
  }
}

function invalid(path: string, why: string, cause?: unknown): ImagesError {
  return new ImagesError('KERNEL_IMAGE_INVALID', `${path} is not a usable kernel image: ${why}`, {
    cause,
  });
}
