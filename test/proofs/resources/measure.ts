/**
 * What processes take of the machine, as the kernel counts it (proc(5)). A process that has gone
 * takes nothing.
 */
import { readdirSync, readFileSync } from 'node:fs';

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

export function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
