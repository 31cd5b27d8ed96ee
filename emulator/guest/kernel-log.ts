/**
 * The guest kernel's log as part of the verdict: a warning is a bug.
 */

/** What the kernel prints when something is wrong; the words are those that blktests looks for. */
const KERNEL_WORDS = [
  'BUG:',
  'WARNING:',
  'Oops',
  'Kernel panic',
  'general protection fault',
  'KASAN:',
  'UBSAN:',
  'possible recursive locking',
  'possible circular locking',
  'inconsistent lock state',
  'suspicious RCU',
  'hung_task',
  'blocked for more than',
  'soft lockup',
  'hard LOCKUP',
  'detected stall',
  'Call Trace:',
  'Unable to handle',
  'I/O error',
  'Write-error on swap',
  'Read-error on swap',
];

/** Any line of our module's, but for those that every load prints. */
const MODULE_TROUBLE = /\btmem(?: [0-9a-f:.]+)?: (?!loading out-of-tree|module verif|\d+ slots)/;

/** Lines of a kernel log that tell of trouble, in order. */
export function troubleIn(log: string): string[] {
  return log
    .split('\n')
    .filter(
      (line) => KERNEL_WORDS.some((word) => line.includes(word)) || MODULE_TROUBLE.test(line),
    );
}
