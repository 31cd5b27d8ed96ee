/**
 * How much of what a guest swapped out reached tmem, and how much went past it to a swap disk.
 */
import type { GuestCounters } from './counters.js';

/** Pages swapped out since the guest booted. */
export interface SwapShare {
  /** That the host took. */
  readonly tmem: number;
  /** That went to a swap device other than /dev/tmemN, and not to tmem too. */
  readonly disk: number;
  /** tmem's part of both, 0 to 1; undefined when nothing was swapped. */
  readonly share: number | undefined;
}

const SECTORS_A_PAGE = 8;

/**
 * Reads the share from a guest's counters. What is written to /dev/tmemN by a program counts as
 * swapped to tmem.
 */
export function swapShare({ vmstat, module, disks }: GuestCounters): SwapShare {
  const { puts: tmem = 0, written_through = 0 } = module;
  let disk = (vmstat.pswpout ?? 0) - written_through;
  for (const [name, { written }] of Object.entries(disks)) {
    if (name.startsWith('tmem')) disk -= written / SECTORS_A_PAGE;
  }
  disk = Math.max(0, disk);
  return { tmem, disk, share: tmem + disk > 0 ? tmem / (tmem + disk) : undefined };
}
