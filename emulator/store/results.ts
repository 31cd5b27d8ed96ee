/**
 * Results of tmem operations, as Xen gives them (xen/common/tmem.c of 4.12; Linux errno numbers).
 *
 * 1 is success, 0 is a miss, a negative number an error.
 */
export const Result = {
  SUCCESS: 1,
  MISS: 0,
  /** NEW_POOL: wrong version, shared and persistent, page size, reserved bits, no pool left. */
  EPERM: -1,
  /** PUT_PAGE: no room, within the quota or at all; the page was not there before. */
  ENOMEM: -12,
  /** PUT_PAGE: the slot is not the guest's to put. */
  EFAULT: -14,
  /** No such pool. */
  ENODEV: -19,
  /** PUT_PAGE of a page that was there: failed, and the old page is gone. */
  ENOSPC: -28,
  /** Unknown command. */
  ENOSYS: -38,
  /** A control operation, which a guest may not ask for. */
  EOPNOTSUPP: -95,
} as const;
