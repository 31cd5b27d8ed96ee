/** The errors of the fake guest: each has a stable `code`. */

export type FakeGuestErrorCode =
  /** The header breaks a rule of PROTOCOL.md section 3. */
  | 'GUEST_HEADER_INVALID'
  /** The host speaks another protocol version. */
  | 'GUEST_VERSION_MISMATCH'
  /** The host did not answer within the time given. */
  | 'GUEST_TIMEOUT'
  /** The host cut this guest off (HOST_FAULTED). */
  | 'GUEST_CUT_OFF'
  /** A reply or a granted slot that no correct host writes. */
  | 'GUEST_HOST_BUG'
  /** An operation before `attach` or after `detach`. */
  | 'GUEST_DETACHED';

export class FakeGuestError extends Error {
  override readonly name = 'FakeGuestError';
  readonly code: FakeGuestErrorCode;

  constructor(code: FakeGuestErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
