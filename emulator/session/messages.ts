/**
 * What the supervisor and the store's thread say to each other, through the store's process.
 *
 * The thread blocks in ppoll(2), so a message counts as sent once the control eventfd is rung
 * too. Each request carries a number and gets exactly one answer with that number.
 */
import type { PolicySpec } from '../policy/put-policy.js';
import type { PoolInfo } from '../store/pool-table.js';
import type { Transport } from '../transport/transports.js';
import type { SessionCounters } from './session-counters.js';

/**
 * Handed to the store when it is to serve. The supervisor owns the descriptors and outlives it; the
 * store has its own of each.
 */
export interface StoreSetup {
  readonly transport: Transport;
  readonly regionFd: number;
  readonly regionBytes: number;
  /** What the next store needs if this one dies; `storeStateBytes` long. */
  readonly stateFd: number;
  /** A store before this one died: go on where it stopped. */
  readonly takeOver: boolean;
  readonly queueCount: number;
  readonly queueEntries: number;
  /** Rung by the guest. */
  readonly doorbellFd: number;
  /** Rung by the supervisor after each message. */
  readonly controlFd: number;
  /** Rung by the store to interrupt the guest: one a queue. */
  readonly vectorFds: readonly number[];
  readonly policy: PolicySpec;
  /** Pages, or Infinity. */
  readonly quotaPages: number;
  readonly hostEpoch: number;
  /** How long the store looks for work before it sleeps, in microseconds. */
  readonly spinMicros: number;
  /** Milliseconds without a turn of its loop after which it is taken to hang; 0: never. */
  readonly hangMs: number;
}

export type StoreRequest =
  | { readonly id: number; readonly kind: 'stats' }
  | { readonly id: number; readonly kind: 'quota'; readonly pages: number }
  | { readonly id: number; readonly kind: 'refuse'; readonly refuse: boolean }
  /** The link's socket, or -1: let go of it. */
  | { readonly id: number; readonly kind: 'link'; readonly fd: number }
  | { readonly id: number; readonly kind: 'stop' };

/** Numbers of one store and its guest. Pages are of 4096 bytes. */
export interface StoreStats extends SessionCounters {
  readonly slots: number;
  readonly pagesUsed: number;
  readonly pagesGranted: number;
  readonly quotaPages: number;
  readonly attached: boolean;
  readonly pools: PoolInfo[];
}

/** Descriptors of a setup, in the order in which they are handed over. */
export function descriptorsOf(setup: StoreSetup): number[] {
  const { regionFd, stateFd, doorbellFd, controlFd, vectorFds } = setup;
  return [regionFd, stateFd, doorbellFd, controlFd, ...vectorFds];
}

/** The setup with other numbers for the same descriptors. */
export function renumbered(setup: StoreSetup, fds: readonly number[]): StoreSetup {
  const [regionFd, stateFd, doorbellFd, controlFd, ...vectorFds] = fds;
  return {
    ...setup,
    regionFd: regionFd!,
    stateFd: stateFd!,
    doorbellFd: doorbellFd!,
    controlFd: controlFd!,
    vectorFds,
  };
}

export type StoreMessage =
  | { readonly id: number; readonly stats: StoreStats }
  /** What was asked cannot be done; nothing else has changed. */
  | { readonly id: number; readonly refused: { readonly code: string; readonly why: string } }
  | { readonly ready: true }
  /** The link's other side has gone, and its descriptor is let go of. */
  | { readonly linkEnded: true }
  | { readonly fault: string };
