/**
 * The native client's log: what happened to the keys that all its threads use, judged key by key,
 * and the waits that took long.
 *
 * Records are of load.h's `struct record`: 32 bytes each, of a thread in order, of all in none.
 */
import { KeyHistory, type Kind, type Operation } from '../history/linearizable.js';
import type { Kill } from './killer.js';

const RECORD_BYTES = 32;
const KINDS: readonly Kind[] = ['put', 'get', 'flush'];
const WAIT = 3;
const RESULT_UNKNOWN = 0xffff_ffff;
/** Keys of the first object are in the ephemeral pool. */
const EPHEMERAL_KEYS = 16;
const NS_PER_MS = 1e6;

export interface Wait {
  readonly beginNs: number;
  readonly endNs: number;
}

interface Entry extends Wait {
  readonly kind: Kind;
  readonly value: number;
  readonly result: number;
}

export interface LogFindings {
  readonly operations: number;
  /** Keys whose history nothing explains, in words. */
  readonly problems: string[];
  readonly waits: Wait[];
}

function time(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

/** Whether one order of operations, each between its begin and its end, gives all results. */
function isExplained(entries: readonly Entry[], ephemeral: boolean): boolean {
  const events = entries.flatMap((entry) => [
    { entry, ns: entry.beginNs, ends: false },
    { entry, ns: entry.endNs, ends: true },
  ]);
  // What begins when another ends may have been before its end.
  events.sort((a, b) => a.ns - b.ns || Number(a.ends) - Number(b.ends));
  const history = new KeyHistory({ ephemeral });
  const open = new Map<Entry, Operation>();
  let good = true;
  for (const { entry, ends } of events) {
    const operation = open.get(entry);
    if (!ends || operation === undefined) open.set(entry, history.begin(entry.kind, entry.value));
    else if (entry.result === RESULT_UNKNOWN) good = history.abandon(operation) && good;
    else good = history.end(operation, entry.result) && good;
    if (ends) open.delete(entry);
  }
  return good;
}

export function judgeLog(bytes: Uint8Array): LogFindings {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const waits: Wait[] = [];
  const keys = new Map<number, Entry[]>();
  for (let at = 0; at + RECORD_BYTES <= bytes.byteLength; at += RECORD_BYTES) {
    const [beginNs, endNs] = [time(view, at), time(view, at + 8)];
    const kind = view.getUint32(at + 16, true);
    if (kind === WAIT) {
      waits.push({ beginNs, endNs });
      continue;
    }
    const key = view.getUint32(at + 20, true);
    const value = view.getUint32(at + 24, true);
    const result = view.getUint32(at + 28, true);
    const entries = keys.get(key) ?? [];
    entries.push({ beginNs, endNs, kind: KINDS[kind]!, value, result });
    keys.set(key, entries);
  }
  const problems: string[] = [];
  let operations = 0;
  for (const [key, entries] of keys) {
    operations += entries.length;
    if (isExplained(entries, key < EPHEMERAL_KEYS)) continue;
    problems.push(`nothing explains what ${entries.length} operations saw of shared key ${key}`);
  }
  return { operations, problems, waits };
}

/** For each kill the longest wait, in milliseconds, that it can have caused; 0 for none. */
export function pausesMs(kills: readonly Kill[], waits: readonly Wait[]): number[] {
  return kills.map(({ atNs, servedNs }) => {
    let longest = 0;
    for (const { beginNs, endNs } of waits) {
      if (endNs > atNs && beginNs < servedNs) longest = Math.max(longest, endNs - beginNs);
    }
    return longest / NS_PER_MS;
  });
}

/** The value that a share of all do not exceed; 0 of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
