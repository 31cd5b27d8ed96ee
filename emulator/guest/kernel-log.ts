/**
 * The guest kernel's log as part of the verdict: a warning is a bug.
 */

/** What the kernel prints when something is wrong; the words are those that blktests looks for. */
const TROUBLE =
  /\b(BUG:|WARNING:|Oops|Kernel panic|general protection fault|KASAN:|UBSAN:|possible recursive locking|possible circular locking|inconsistent lock state|suspicious RCU|hung_task|blocked for more than|soft lockup|hard LOCKUP|rcu_\w+ (?:self-)?detected stall|Call Trace:|Unable to handle|I\/O error|Write-error on swap|Read-error on swap|tmem(?: [0-9a-f:.]+)?: (?!loading out-of-tree|module verification|\d+ slots))/;

/** Lines of a kernel log that tell of trouble, in order. */
export function troubleIn(log: string): string[] {
  return log.split('\n').filter((line) => TROUBLE.test(line));
}
