/**
 * The thread of a link, as tmem_link_thread() of guest-kmod/link.c: moves frames whenever something
 * has come or gone out, and looks by itself now and then. LinkGuest does the moving.
 */
import { computeGeometry, type Geometry } from '../../../../emulator/protocol/geometry.js';
import { LinkGuest } from '../../../../emulator/testing/index.js';
import type { SharedRegion } from '../../../../emulator/transport/region.js';
import type { Plan } from '../plan.js';
import { type Act, MS, type Scheduler, type Task } from '../scheduler.js';
import type { ByteStream } from '../stream.js';
import type { Device } from './device.js';

/** As TMEM_LINK_QUIET_MIN. */
const QUIET_MS = 200;
/** Longest between two looks. */
const LOOK_MAX = 50 * MS;

export class LinkThread {
  readonly geometry: Geometry;
  readonly #scheduler: Scheduler;
  readonly #link: LinkGuest;
  #task: Task | undefined;
  #kicked = false;

  constructor(
    plan: Plan,
    scheduler: Scheduler,
    streams: { readonly toHost: ByteStream; readonly toGuest: ByteStream },
  ) {
    this.#scheduler = scheduler;
    const { queueCount, queueEntries } = plan.geometry;
    this.#link = new LinkGuest({
      queueCount,
      queueEntries,
      quietMs: QUIET_MS,
      now: () => scheduler.now / MS,
      send: (bytes) => streams.toHost.send(bytes),
      receive: (reader) => reader.filled(streams.toGuest.read(reader.space)),
    });
    const regionBytes = this.#link.region.memory.byteLength;
    this.geometry = computeGeometry({ regionBytes, queueCount, queueEntries });
  }

  get region(): SharedRegion {
    return this.#link.region;
  }

  /** Whether it has seen to all that it was kicked for. */
  get isIdle(): boolean {
    return !this.#kicked;
  }

  /** Something has come, or is to go out. */
  kick(): void {
    this.#kicked = true;
    if (this.#task !== undefined) this.#scheduler.wake(this.#task);
  }

  *run(device: Device): Act {
    this.#task = this.#scheduler.current!;
    for (;;) {
      this.#kicked = false;
      this.#link.pump();
      device.deliver();
      const end = this.#scheduler.now + LOOK_MAX;
      while (!this.#kicked && this.#scheduler.now < end) yield end;
      yield this.#scheduler.now + 1;
    }
  }
}
