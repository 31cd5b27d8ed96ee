/**
 * The guest kernel's own counters: frontswap's, /proc/vmstat's swap lines, and our module's.
 */

/** Numbers by name. */
export type Counters = Record<string, number>;

export interface Histogram {
  /** Observations. */
  readonly count: number;
  /** Nanoseconds; 0 while there is none. */
  readonly p50: number;
  readonly p99: number;
}

export interface GuestCounters {
  /** /sys/kernel/debug/frontswap (up to 6.5): loads, succ_stores, failed_stores, invalidates. */
  readonly frontswap: Counters;
  /** /sys/kernel/debug/cleancache (up to 5.16): succ_gets, failed_gets, puts, invalidates. */
  readonly cleancache: Counters;
  /**
   * pswpin and pswpout count pages that went to a swap device and came from there: /dev/tmemN is
   * one, a swap hook that takes a page leaves none. The lines of thp_ count huge pages: made
   * (thp_fault_alloc, thp_file_alloc), written to a device whole (thp_swpout), split because they
   * could not be (thp_swpout_fallback).
   */
  readonly vmstat: Counters;
  /** /sys/kernel/debug/tmem/stats. Empty without the module. */
  readonly module: Counters;
  readonly putLatency: Histogram;
  readonly getLatency: Histogram;
  /** Sectors of 512 bytes by disk, read and written. */
  readonly disks: Readonly<Record<string, { readonly read: number; readonly written: number }>>;
}

/** Prints every counter, each after a line that says where it is from. */
export const COUNTERS_COMMAND = [
  'echo @frontswap',
  'cd /sys/kernel/debug/frontswap 2>/dev/null && for f in *; do echo $f $(cat $f); done',
  'echo @cleancache',
  'cd /sys/kernel/debug/cleancache 2>/dev/null && for f in *; do echo $f $(cat $f); done',
  'echo @vmstat',
  "grep -E '^(pswp|pgmajfault |thp_(f[^ ]*_alloc|split_page|swpout))' /proc/vmstat",
  'cd /sys/kernel/debug/tmem 2>/dev/null && for f in *; do echo @$f; cat $f; done',
  'echo @disks',
  "awk '$3 ~ /^(vd|zram|tmem)/ {print $3, $6, $10}' /proc/diskstats",
].join('\n');

function numbers(lines: readonly string[]): Counters {
  const counters: Counters = {};
  for (const line of lines) {
    const [name, value] = line.split(' ');
    if (name !== undefined && value !== undefined) counters[name] = Number(value);
  }
  return counters;
}

/**
 * Reads a histogram of `floor count` lines. A percentile is the floor of the bucket that holds it.
 */
export function readHistogram(lines: readonly string[]): Histogram {
  const buckets = lines.map((line) => line.split(' ').map(Number) as [number, number]);
  const count = buckets.reduce((sum, [, n]) => sum + n, 0);
  const at = (share: number): number => {
    let seen = 0;
    for (const [floor, n] of buckets) {
      seen += n;
      if (seen >= share * count) return floor;
    }
    return 0;
  };
  return { count, p50: at(0.5), p99: at(0.99) };
}

/** Reads what COUNTERS_COMMAND printed. */
export function readCounters(text: string): GuestCounters {
  const sections = new Map<string, string[]>();
  let lines: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('@')) {
      lines = [];
      sections.set(line.slice(1), lines);
    } else if (line !== '') {
      lines.push(line);
    }
  }
  const section = (name: string): string[] => sections.get(name) ?? [];
  const disks = section('disks').map((line) => {
    const [name, read, written] = line.split(' ');
    return [name!, { read: Number(read), written: Number(written) }] as const;
  });
  return {
    frontswap: numbers(section('frontswap')),
    cleancache: numbers(section('cleancache')),
    vmstat: numbers(section('vmstat')),
    module: numbers(section('stats')),
    putLatency: readHistogram(section('put_latency')),
    getLatency: readHistogram(section('get_latency')),
    disks: Object.fromEntries(disks),
  };
}
