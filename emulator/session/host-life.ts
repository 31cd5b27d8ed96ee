/**
 * What one machine is given: memory and eventfds of its own, and a store of its own that serves
 * them. The next machine is given others, so that whoever kept something of these reads and writes
 * what is nobody's any more.
 *
 * It owns all of that, but for the spare process. The process that makes it never maps the memory:
 * a machine may have cut a file of it shorter, and whoever touches that dies of it.
 */
import { randomInt } from 'node:crypto';
import { writeSync } from 'node:fs';
import { Lifetime } from '../lifetime.js';
import { closeFd, eventFd, mapShared, unmap } from '../native/libc.js';
import type { Geometry } from '../protocol/geometry.js';
import { HEADER, HostState, wordsOf } from '../protocol/layout.js';
import { RegionFile } from '../transport/region.js';
import type { StoreSetup } from './messages.js';
import { SessionRecord } from './session-record.js';
import { recordOffset, storeStateBytes } from './state-file.js';
import { StoreProcess, type StoreProcessOptions } from './store-process.js';

const HOST_STATE_OFFSET = 4 * wordsOf(HEADER).host_state;

/** A random 32-bit life number, never 0. */
export function newEpoch(): number {
  return randomInt(1, 0x7fff_ffff);
}

/** For a store to end after its machine; it may have words of it left to say. */
const LEAVE_MS_MAX = 1000;

type SetupOptions = Pick<
  StoreSetup,
  'transport' | 'policy' | 'quotaPages' | 'spinMicros' | 'hangMs'
>;
type ProcessOptions = Pick<StoreProcessOptions, 'spare' | 'onMessage' | 'onEvent'>;

export interface HostLifeOptions extends SetupOptions, ProcessOptions {
  readonly geometry: Geometry;
  /** A tmpfs directory for the memory; default: a nameless memfd. */
  readonly shmDir?: string;
  /** What the life before this one leaves to it. */
  readonly legacy?: Legacy;
}

/** What goes on from life to life: nothing of the guest's. */
export interface Legacy {
  readonly counters: Float64Array;
  readonly refuse: boolean;
}

/** By a write, since the memory is not mapped here. */
function sayDown(regionFd: number): void {
  try {
    writeSync(regionFd, new Int32Array([HostState.DOWN]), 0, 4, HOST_STATE_OFFSET);
  } catch {
    // What became of the file is the machine's doing: it is told nothing then.
  }
}

export class HostLife implements AsyncDisposable {
  readonly #lifetime: Lifetime;
  readonly #setup: StoreSetup;
  readonly #record: SessionRecord;
  #store: StoreProcess | undefined;

  private constructor(lifetime: Lifetime, options: HostLifeOptions) {
    this.#lifetime = lifetime;
    const { geometry, shmDir, legacy } = options;
    const { regionBytes, queueCount, queueEntries, slotCount } = geometry;
    const ownedEventFd = (): number => lifetime.adopt(eventFd(), closeFd);
    const region = lifetime.use(RegionFile.create(regionBytes, shmDir));
    const stateBytes = storeStateBytes(slotCount);
    const state = lifetime.use(RegionFile.create(stateBytes, undefined, true));
    const mapping = lifetime.adopt(mapShared(state.fd, stateBytes), unmap);
    this.#record = new SessionRecord(mapping.buffer, recordOffset(slotCount));
    if (legacy !== undefined) {
      this.#record.counters.set(legacy.counters);
      this.#record.refuse = legacy.refuse;
    }
    const { transport, policy, quotaPages, spinMicros, hangMs } = options;
    this.#setup = {
      transport,
      policy,
      quotaPages,
      spinMicros,
      hangMs,
      regionFd: region.fd,
      regionBytes,
      stateFd: state.fd,
      takeOver: false,
      queueCount,
      queueEntries,
      doorbellFd: ownedEventFd(),
      controlFd: ownedEventFd(),
      vectorFds: Array.from({ length: queueCount }, ownedEventFd),
      hostEpoch: newEpoch(),
    };
  }

  /** @throws RegionError, DescriptorLimitError, StoreGoneError */
  static async begin(options: HostLifeOptions): Promise<HostLife> {
    const lifetime = new Lifetime();
    try {
      const life = new HostLife(lifetime, options);
      await life.#start(options);
      return life;
    } catch (error) {
      await lifetime[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start({ spare, onMessage, onEvent }: ProcessOptions): Promise<void> {
    const { regionFd } = this.#setup;
    this.#store = this.#lifetime.use(
      await StoreProcess.start({
        setup: this.#setup,
        record: this.#record,
        spare,
        onMessage,
        onEvent,
        sayDown: () => sayDown(regionFd),
      }),
    );
  }

  get store(): StoreProcess {
    return this.#store!;
  }

  get memoryFd(): number {
    return this.#setup.regionFd;
  }

  /** Rung by the guest. */
  get doorbellFd(): number {
    return this.#setup.doorbellFd;
  }

  /** Rung by the store. */
  get vectorFds(): readonly number[] {
    return this.#setup.vectorFds;
  }

  /** The machine is gone: ends the store, and gives the memory back. */
  async end(): Promise<Legacy> {
    await this.store.end(LEAVE_MS_MAX);
    const { counters, refuse } = this.#record;
    const legacy = { counters: counters.slice(), refuse };
    sayDown(this.#setup.regionFd);
    await this.#lifetime[Symbol.asyncDispose]();
    return legacy;
  }

  /** Has the store tell the guest that it is gone; pages that the guest reads by itself stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }
}
