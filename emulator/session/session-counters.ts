/**
 * What a session counts, in memory that may outlive it.
 */
import { Command } from '../protocol/layout.js';
import { Result } from '../store/results.js';

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
  doorbellsReceived: 14,
  /** Times that the store waited for a doorbell. */
  sleeps: 15,
  pagesUsedMax: 16,
  /** Of a link; 0 with shared memory. */
  framesReceived: 17,
  framesSent: 18,
  /** Bytes of a link that were in no undamaged frame. */
  streamBytesSkipped: 19,
} as const;

/** What sessions have done, since the host began. */
export type SessionCounters = Record<keyof typeof Count, number>;

/** The counters by name, as they are now. */
export function readCounters(values: Float64Array): SessionCounters {
  const entries = Object.entries(Count).map(([name, place]) => [name, values[place]!]);
  return Object.fromEntries(entries) as SessionCounters;
}

/** Counts an operation that is done. */
export function countOperation(counters: Float64Array, command: number, result: number): void {
  counters[Count.operations]! += 1;
  switch (command) {
    case Command.PUT_PAGE:
      counters[Count.puts]! += 1;
      if (result !== Result.SUCCESS) counters[Count.putsRefused]! += 1;
      break;
    case Command.GET_PAGE:
      counters[Count.gets]! += 1;
      if (result !== Result.SUCCESS) counters[Count.getsMissed]! += 1;
      break;
    case Command.FLUSH_PAGE:
      counters[Count.flushes]! += 1;
      break;
    case Command.FLUSH_OBJECT:
      counters[Count.objectFlushes]! += 1;
      break;
    case Command.NEW_POOL:
      if (result >= 0) counters[Count.poolsMade]! += 1;
      break;
    case Command.DESTROY_POOL:
      if (result === Result.SUCCESS) counters[Count.poolsDestroyed]! += 1;
      break;
    case Command.CONTROL:
      break;
    default:
      counters[Count.unknownCommands]! += 1;
  }
}
