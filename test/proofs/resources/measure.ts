/**
 * What processes take of the machine, as the kernel counts it (proc(5)). A process that has gone
 * takes nothing.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';

export interface Usage {
  /** Memory of its own: neither files nor what it shares. */
  readonly memoryBytes: number;
  readonly descriptors: number;
  readonly threads: number;
}

const NOTHING: Usage = { memoryBytes: 0, descriptors: 0, threads: 0 };

function usageOf(pid: number): Usage {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const number = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
    return {
      memoryBytes: number('RssAnon') * 1024,
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
      threads: number('Threads'),
    };
  } catch {
    return NOTHING;
  }
}

/** Of all of them together. */
export function usageOfAll(pids: readonly number[]): Usage {
  return pids.map(usageOf).reduce(
    (sum, one) => ({
      memoryBytes: sum.memoryBytes + one.memoryBytes,
      descriptors: sum.descriptors + one.descriptors,
      threads: sum.threads + one.threads,
    }),
    NOTHING,
  );
}

/** Whether a process has a file open or mapped; one that has gone has not. */
export function hasFile(pid: number, inode: number): boolean {
  try {
    if (readFileSync(`/proc/${pid}/maps`, 'utf8').includes(` ${inode} /`)) return true;
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => {
      return statSync(`${folder}/${fd}`, { throwIfNoEntry: false })?.ino === inode;
    });
  } catch {
    return false;
  }
}

export function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
