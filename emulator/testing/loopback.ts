/**
 * A store, a session and a fake guest over plain memory, in one thread: no QEMU, no file, no
 * descriptor.
 *
 * The guest's waits run the session, so each of its operations is complete when it returns.
 * Nothing to free.
 */
import type { PutPolicy } from '../policy/put-policy.js';
import { computeGeometry, type Geometry } from '../protocol/geometry.js';
import { Session } from '../session/session.js';
import { TmemClient } from '../store/client.js';
import { PageQuota } from '../store/quota.js';
import { SharedRegion } from '../transport/region.js';
import { FakeGuest } from './fake-guest.js';

export interface LoopbackOptions {
  /** Default 1 MiB, the smallest. */
  readonly regionBytes?: number;
  /** Default 2. */
  readonly queueCount?: number;
  /** Default 16, the fewest. */
  readonly queueEntries?: number;
  readonly quota?: PageQuota;
  readonly policy?: PutPolicy;
  readonly hostEpoch?: number;
}

export interface Loopback {
  readonly region: SharedRegion;
  readonly geometry: Geometry;
  readonly quota: PageQuota;
  readonly client: TmemClient;
  readonly session: Session;
  readonly guest: FakeGuest;
  /** Vectors that the host rang, in order. */
  readonly rings: number[];
  /** Faults that the session reported, in order. */
  readonly faults: number[];
  /** Doorbells that the guest rang. */
  guestRings: number;
}

/** Makes all of it; the guest has not attached yet. */
export function createLoopback(options: LoopbackOptions = {}): Loopback {
  const { regionBytes = 1024 * 1024, queueCount = 2, queueEntries = 16 } = options;
  const geometry = computeGeometry({ regionBytes, queueCount, queueEntries });
  const region = new SharedRegion(new ArrayBuffer(regionBytes));
  const quota = options.quota ?? new PageQuota();
  const client = new TmemClient({
    slotCount: geometry.slotCount,
    quota,
    ...(options.policy === undefined ? {} : { policy: options.policy }),
  });
  const rings: number[] = [];
  const faults: number[] = [];
  const session = new Session({
    region,
    geometry,
    client,
    hostEpoch: options.hostEpoch ?? 0x1057,
    hostPeer: 0,
    ring: (vector) => rings.push(vector),
    onFault: (fault) => faults.push(fault),
  });
  const guest = new FakeGuest({
    region,
    pump: () => session.serve(),
    ring: () => {
      loopback.guestRings += 1;
    },
  });
  const loopback: Loopback = {
    region,
    geometry,
    quota,
    client,
    session,
    guest,
    rings,
    faults,
    guestRings: 0,
  };
  return loopback;
}
