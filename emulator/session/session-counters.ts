/**
 * What a session counts, in memory that may outlive it.
 */

/** Place of each counter. */
export const Count = {
  sessions: 0,
  operations: 1,
  puts: 2,
  putsRefused: 3,
  gets: 4,
  getsMissed: 5,
  flushes: 6,
  objectFlushes: 7,
  poolsMade: 8,
  poolsDestroyed: 9,
  unknownCommands: 10,
  doorbellsSent: 11,
  faults: 12,
  /** Stores that took over from one that died. */
  takeovers: 13,
} as const;

/** What sessions have done, since the host began. */
export type SessionCounters = Record<keyof typeof Count, number>;

/** The counters by name, as they are now. */
export function readCounters(values: Float64Array): SessionCounters {
  const entries = Object.entries(Count).map(([name, place]) => [name, values[place]!]);
  return Object.fromEntries(entries) as SessionCounters;
}
