/**
 * The error of everything that a person starts: a stable code, what failed, why, and what to do
 * next.
 *
 * Layers below have errors of their own, all with a `code`; the command line turns each into one
 * message and an exit code. A guest's words in a message are harmless to a terminal.
 */
import { printable } from '../images/printable.js';

/**
 * Exit codes of `tmem`; docs/cli.md lists them. `run` passes its command's own code through. What a
 * guest or its kernel does is below 128, so that `git bisect run` goes on; 125 has it skip.
 */
export const ExitCode = {
  OK: 0,
  /** A check in the guest failed: a wrong page, a warning in its kernel log. */
  FAILED: 1,
  /** The command line or a file named on it is wrong. */
  USAGE: 2,
  /** The guest panicked or vanished. */
  GUEST_GONE: 3,
  /** The guest's kernel did not boot: it panicked, vanished or was silent before it answered. */
  NOT_BOOTED: 4,
  /** This machine cannot run a guest: something is missing or full. */
  UNAVAILABLE: 69,
  /** A bug of this program. */
  INTERNAL: 70,
  TIMEOUT: 124,
  /** There is no such kernel to test: it does not compile, or its patch does not apply. */
  NOT_BUILT: 125,
  INTERRUPTED: 130,
  /** Nobody reads the results any more: what a shell gives for SIGPIPE. */
  READER_GONE: 141,
} as const;

export type TmemErrorCode =
  | 'ACCEL_UNAVAILABLE'
  | 'CACHE_UNUSABLE'
  | 'DATA_DISK_UNUSABLE'
  | 'FOLDER_UNSUPPORTED'
  | 'FOLDER_UNUSABLE'
  | 'FRONT_END_UNSUPPORTED'
  | 'GUEST_BOOT_FAILED'
  | 'GUEST_BOOT_TIMEOUT'
  | 'GUEST_HUNG'
  | 'GUEST_MEMORY_TOO_SMALL'
  | 'GUEST_PANICKED'
  | 'GUEST_SETUP_FAILED'
  | 'GUEST_VANISHED'
  | 'KERNEL_NOT_CACHED'
  | 'OPTION_INVALID'
  | 'RESULT_UNUSABLE'
  | 'RUN_DIR_UNUSABLE'
  | 'TIMEOUT';

const EXIT_CODES: Readonly<Record<string, number>> = {
  ACCEL_UNAVAILABLE: ExitCode.UNAVAILABLE,
  AGENT_GONE: ExitCode.GUEST_GONE,
  AGENT_PROTOCOL: ExitCode.GUEST_GONE,
  AGENT_TIMEOUT: ExitCode.TIMEOUT,
  FOLDER_UNSUPPORTED: ExitCode.USAGE,
  FOLDER_UNUSABLE: ExitCode.USAGE,
  FRONT_END_UNSUPPORTED: ExitCode.USAGE,
  GEOMETRY_INVALID: ExitCode.USAGE,
  GUEST_BOOT_FAILED: ExitCode.NOT_BOOTED,
  GUEST_BOOT_TIMEOUT: ExitCode.NOT_BOOTED,
  GUEST_HUNG: ExitCode.TIMEOUT,
  GUEST_MEMORY_TOO_SMALL: ExitCode.USAGE,
  GUEST_PANICKED: ExitCode.GUEST_GONE,
  GUEST_VANISHED: ExitCode.GUEST_GONE,
  INITRAMFS_PATH_MISSING: ExitCode.USAGE,
  INITRAMFS_PATH_UNUSABLE: ExitCode.USAGE,
  INITRAMFS_TOO_LARGE: ExitCode.USAGE,
  KERNEL_BUILD_FAILED: ExitCode.NOT_BUILT,
  KERNEL_CONFIG_MISSING: ExitCode.USAGE,
  KERNEL_IMAGE_INVALID: ExitCode.USAGE,
  KERNEL_PATCH_FAILED: ExitCode.NOT_BUILT,
  KERNEL_PATCH_UNUSABLE: ExitCode.USAGE,
  KERNEL_RELEASE_MISMATCH: ExitCode.USAGE,
  KERNEL_UNKNOWN: ExitCode.USAGE,
  MIRROR_INVALID: ExitCode.USAGE,
  MODULE_BUILD_FAILED: ExitCode.NOT_BUILT,
  MODULE_PARAMETER_UNKNOWN: ExitCode.USAGE,
  OPTION_INVALID: ExitCode.USAGE,
  POLICY_UNKNOWN: ExitCode.USAGE,
  RESULT_UNUSABLE: ExitCode.USAGE,
  SOCKET_IN_USE: ExitCode.USAGE,
  SOCKET_PATH_TOO_LONG: ExitCode.USAGE,
  STORE_GONE: ExitCode.INTERNAL,
  TIMEOUT: ExitCode.TIMEOUT,
};

export class TmemError extends Error {
  override readonly name = 'TmemError';
  readonly code: TmemErrorCode;
  /** The folder that holds the guest's logs, where it failed. */
  kept?: string;

  constructor(code: TmemErrorCode, message: string, cause?: unknown) {
    super(printable(message), { cause });
    this.code = code;
  }
}

/** The stable code of any error of this project's; undefined for a stranger. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** The exit code that tells an error: a known code's own, 69 for other named ones, 70 for bugs. */
export function exitCodeOf(error: unknown): number {
  const code = codeOf(error);
  if (code === undefined) return ExitCode.INTERNAL;
  return EXIT_CODES[code] ?? ExitCode.UNAVAILABLE;
}
