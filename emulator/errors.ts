/**
 * The error of everything that a person starts: a stable code, what failed, why, and what to do
 * next.
 *
 * Layers below have errors of their own, all with a `code`; the command line turns each into one
 * message and an exit code.
 */

/** Exit codes of `tmem`; docs/cli.md lists them. `run` passes its command's own code through. */
export const ExitCode = {
  OK: 0,
  /** A check in the guest failed: a wrong page, a warning in its kernel log. */
  FAILED: 1,
  /** The command line or a file named on it is wrong. */
  USAGE: 2,
  /** This machine cannot run a guest: something is missing or full. */
  UNAVAILABLE: 69,
  /** A bug of this program. */
  INTERNAL: 70,
  TIMEOUT: 124,
  INTERRUPTED: 130,
  /** Nobody reads the results any more: what a shell gives for SIGPIPE. */
  READER_GONE: 141,
  /** The guest panicked or vanished. */
  GUEST_GONE: 255,
} as const;

export type TmemErrorCode =
  | 'ACCEL_UNAVAILABLE'
  | 'CACHE_UNUSABLE'
  | 'DATA_DISK_UNUSABLE'
  | 'FOLDER_UNSUPPORTED'
  | 'FOLDER_UNUSABLE'
  | 'FRONT_END_UNSUPPORTED'
  | 'GUEST_BOOT_TIMEOUT'
  | 'GUEST_MEMORY_TOO_SMALL'
  | 'GUEST_SETUP_FAILED'
  | 'GUEST_VANISHED'
  | 'KERNEL_NOT_CACHED'
  | 'OPTION_INVALID'
  | 'RESULT_UNUSABLE'
  | 'RUN_DIR_UNUSABLE'
  | 'TIMEOUT';

const EXIT_CODES: Readonly<Record<string, number>> = {
  ACCEL_UNAVAILABLE: ExitCode.UNAVAILABLE,
  FOLDER_UNSUPPORTED: ExitCode.USAGE,
  FOLDER_UNUSABLE: ExitCode.USAGE,
  FRONT_END_UNSUPPORTED: ExitCode.USAGE,
  GEOMETRY_INVALID: ExitCode.USAGE,
  GUEST_BOOT_TIMEOUT: ExitCode.TIMEOUT,
  GUEST_MEMORY_TOO_SMALL: ExitCode.USAGE,
  GUEST_VANISHED: ExitCode.GUEST_GONE,
  INITRAMFS_PATH_MISSING: ExitCode.USAGE,
  INITRAMFS_PATH_UNUSABLE: ExitCode.USAGE,
  INITRAMFS_TOO_LARGE: ExitCode.USAGE,
  KERNEL_CONFIG_MISSING: ExitCode.USAGE,
  KERNEL_IMAGE_INVALID: ExitCode.USAGE,
  KERNEL_PATCH_FAILED: ExitCode.USAGE,
  KERNEL_RELEASE_MISMATCH: ExitCode.USAGE,
  KERNEL_UNKNOWN: ExitCode.USAGE,
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

  constructor(code: TmemErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
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
