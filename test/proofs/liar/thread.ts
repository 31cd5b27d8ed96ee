/**
 * The lying host's thread: turns the relay until it is told to stop. The setup's descriptors are its
 * maker's; the map goes with the process.
 */
import { workerData } from 'node:worker_threads';
import { drainEventFd, PollSet, ringEventFd } from '../../../emulator/native/libc.js';
import { computeGeometry } from '../../../emulator/protocol/geometry.js';
import { HOST_PEER } from '../../../emulator/transport/ivshmem-server.js';
import { SharedRegion } from '../../../emulator/transport/region.js';
import { type Heads, Relay } from './relay.js';
import { Tally } from './tally.js';

/** Words of the control memory, each written by the maker alone. */
export const CONTROL = {
  share: 0,
  identity: 1,
  stop: 2,
  /** A place in HEADS. */
  heads: 3,
  /** Grants that are shown; 0: all. */
  grantsMax: 4,
  badGrants: 5,
  /** Counts up: promise all again. */
  again: 6,
  /** As `share`, of pages. */
  spoilt: 8,
  /** The id of a new pool; -1: the true one. */
  poolId: 7,
} as const;
export const HEADS: readonly Heads[] = ['true', 'ahead', 'still'];
/** `share` as a whole number. */
export const SHARE_UNIT = 65536;

export interface ThreadSetup {
  readonly regionFd: number;
  readonly regionBytes: number;
  readonly queueCount: number;
  readonly queueEntries: number;
  readonly doorbellFd: number;
  readonly vectorFds: readonly number[];
  readonly hostEpoch: number;
  readonly seed: number;
  readonly control: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
}

/** Turns that find nothing before it naps between them; a turn takes a microsecond or two. */
const TURNS_UNTIL_NAP = 300;
const NAP_MICROS = 100;

/** Does what the maker wants. @returns a turn's work */
function obey(relay: Relay, control: Int32Array): () => void {
  let identity = 0;
  let again = 0;
  return () => {
    const wanted = (word: keyof typeof CONTROL): number => Atomics.load(control, CONTROL[word]);
    relay.share = wanted('share') / SHARE_UNIT;
    relay.spoilt = wanted('spoilt') / SHARE_UNIT;
    relay.heads = HEADS[wanted('heads')] ?? 'true';
    relay.promises.most = wanted('grantsMax') || Number.POSITIVE_INFINITY;
    relay.promises.nonsense = wanted('badGrants');
    relay.poolId = wanted('poolId') === -1 ? undefined : wanted('poolId');
    if (wanted('identity') !== identity) relay.showIdentity(wanted('identity'));
    identity = wanted('identity');
    if (wanted('again') !== again) relay.promises.again();
    again = wanted('again');
  };
}

function run(setup: ThreadSetup): void {
  const control = new Int32Array(setup.control);
  const relay = new Relay({
    region: SharedRegion.map(setup.regionFd, setup.regionBytes),
    geometry: computeGeometry(setup),
    seed: setup.seed,
    hostEpoch: setup.hostEpoch,
    hostPeer: HOST_PEER,
    ring: (vector) => ringEventFd(setup.vectorFds[vector]!),
    tally: new Tally(setup.counters),
  });
  const poll = new PollSet([setup.doorbellFd]);
  const takeOrders = obey(relay, control);
  let quiet = 0;
  while (Atomics.load(control, CONTROL.stop) === 0) {
    takeOrders();
    quiet = relay.turn() === 0 ? quiet + 1 : 0;
    if (quiet < TURNS_UNTIL_NAP) continue;
    poll.wait(NAP_MICROS);
    if (poll.isReady(0)) drainEventFd(setup.doorbellFd);
  }
  relay.close();
}

// Imported for its names too.
if (workerData !== null && 'regionFd' in (workerData as object)) run(workerData as ThreadSetup);
