/**
 * How many descriptors this process may have open, and the error for when none is left.
 *
 * Imports nothing of this program: the command line asks before it loads the rest of itself, which
 * takes descriptors too.
 */
import { closeSync, openSync, readFileSync } from 'node:fs';

/** Most descriptors that may be open at once: RLIMIT_NOFILE, which Node raises as far as it may. */
export function descriptorLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
}

/** `code` DESCRIPTOR_LIMIT: no descriptor is left, or too few are allowed to begin with. */
export class DescriptorLimitError extends Error {
  readonly code = 'DESCRIPTOR_LIMIT';
  override readonly name = 'DescriptorLimitError';

  constructor(what: string) {
    super(`${what}; raise the limit (ulimit -n, or LimitNOFILE= of a systemd unit)`);
  }
}

/** Whether so many more could be opened now. */
export function hasDescriptors(count: number): boolean {
  const held: number[] = [];
  try {
    while (held.length < count) held.push(openSync('/dev/null', 'r'));
    return true;
  } catch {
    return false;
  } finally {
    for (const fd of held) closeSync(fd);
  }
}

/** @throws DescriptorLimitError when `what` takes more than there are */
export function needDescriptors(count: number, what: string): void {
  if (hasDescriptors(count)) return;
  throw new DescriptorLimitError(`${what} takes ${count} descriptors, and fewer are left`);
}
