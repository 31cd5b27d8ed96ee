/**
 * The errors of images/. Match on `code`, which never changes; the message says what failed, why,
 * and what to do next, and is free to change.
 */
import { printable } from './printable.js';

export type ImagesErrorCode =
  | 'AGENT_CONNECT_FAILED'
  | 'AGENT_GONE'
  | 'AGENT_PROTOCOL'
  | 'AGENT_REFUSED'
  | 'AGENT_TIMEOUT'
  | 'COMMAND_FAILED'
  | 'COMMAND_TIMEOUT'
  | 'INITRAMFS_PATH_MISSING'
  | 'INITRAMFS_PATH_UNUSABLE'
  | 'INITRAMFS_TOO_LARGE'
  | 'KERNEL_BUILD_FAILED'
  | 'KERNEL_CONFIG_MISSING'
  | 'KERNEL_FETCH_FAILED'
  | 'KERNEL_IMAGE_INVALID'
  | 'KERNEL_MODULE_UNKNOWN'
  | 'KERNEL_PATCH_FAILED'
  | 'KERNEL_PATCH_UNUSABLE'
  | 'KERNEL_RELEASE_MISMATCH'
  | 'KERNEL_UNKNOWN'
  | 'LOCK_TIMEOUT'
  | 'MIRROR_INVALID'
  | 'MODULE_BUILD_FAILED'
  | 'MODULE_INVALID'
  | 'MODULE_MISMATCH'
  | 'MODULE_PARAMETER_UNKNOWN'
  | 'TOOLS_BUILD_FAILED'
  | 'TOOLS_MISSING';

/** An error with a stable code. `cause` holds the underlying error where there is one. */
export class ImagesError extends Error {
  readonly code: ImagesErrorCode;

  constructor(code: ImagesErrorCode, message: string, options?: ErrorOptions) {
    super(printable(message), options);
    this.name = 'ImagesError';
    this.code = code;
  }
}
