/**
 * What a thread of this machine is at, as the kernel tells it (proc(5), /proc/PID/task/TID/stat).
 */
import { readFileSync } from 'node:fs';

/** Clock ticks a second: fixed at 100 for user space on x86. */
const MS_PER_TICK = 10;

export interface ThreadUse {
  /** It waits for a CPU, has one, or waits for the system to bring memory or a disk's block. */
  readonly isBusy: boolean;
  /** Stopped by a signal or a debugger. */
  readonly isStopped: boolean;
  /** CPU time that it has had, in milliseconds. */
  readonly cpuMs: number;
}

/** @returns undefined when there is no such thread */
export function threadUse(pid: number, thread: number): ThreadUse | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // What follows the name, which may have any character: field 3, the state, and on.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0]!;
  return {
    isBusy: state === 'R' || state === 'D',
    isStopped: state === 'T' || state === 't',
    cpuMs: (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK,
  };
}
