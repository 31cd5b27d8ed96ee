/**
 * The store's thread: maps the shared region, serves its guest, sleeps when there is nothing to do.
 *
 * What the next store needs if this one dies is in the region and the state file; the maps of both
 * go with the process. It looks for work for a bounded time, then says in shared memory that it
 * sleeps, looks once more, and blocks in ppoll(2) until the guest or the supervisor rings. The loop
 * never returns to the event loop while the store runs; messages are taken off the port by hand.
 */
import { type MessagePort, parentPort, receiveMessageOnPort } from 'node:worker_threads';
import { codeOf } from '../errors.js';
import { drainEventFd, mapShared, PollSet, ringEventFd, threadId } from '../native/libc.js';
import { parsePolicy } from '../policy/put-policy.js';
import { computeGeometry } from '../protocol/geometry.js';
import { PoolFlag, TMEM_SPEC_VERSION } from '../protocol/layout.js';
import { objectId, TmemClient } from '../store/client.js';
import { PageQuota } from '../store/quota.js';
import { HOST_PEER } from '../transport/ivshmem-server.js';
import { LinkHost } from '../transport/link-host.js';
import { LinkRecord } from '../transport/link-record.js';
import { SharedRegion } from '../transport/region.js';
import { LinkPort } from './link-port.js';
import type { StoreMessage, StoreRequest, StoreSetup, StoreStats } from './messages.js';
import { FAULT_NAMES, Session } from './session.js';
import { Count } from './session-counters.js';
import { SessionRecord } from './session-record.js';
import { linkRecordOffset, recordOffset, storeStateBytes } from './state-file.js';

/** Looks at the queues between two looks at the clock; each look at a link is a system call. */
const LOOKS_PER_CLOCK = 32;
/** Time between two looks at the descriptors, under a load without a pause. */
const POLL_MS = 5;
/** A guest that waits for no answer is looked at this often while it posts. */
const NAP_MICROS = 100;
/** Such a guest that has posted nothing for so long is left to ring. */
const NAP_QUIET_MICROS = 5000;
/** A sleep this long ends by itself, so that even a lost doorbell costs no more than this. */
const SLEEP_MICROS_MAX = 1_000_000;
/** Turns that it makes, with nothing to do, in the time after which it would be taken to hang. */
const TURNS_MIN = 4;

/** Enough for V8 to compile the loops over slots; found by trial. */
const WARM_SLOTS = 1024;
const WARM_TIMES = 30;
const WARM_POOL = PoolFlag.PERSIST | (TMEM_SPEC_VERSION << PoolFlag.VERSION_SHIFT);

class StoreThread {
  readonly #setup: StoreSetup;
  readonly #port: MessagePort;
  readonly #region: SharedRegion;
  readonly #quota: PageQuota;
  readonly #client: TmemClient;
  readonly #session: Session;
  readonly #record: SessionRecord;
  readonly #counters: Float64Array;
  /** Where the guest shares no memory. */
  readonly #link: LinkPort | undefined;
  readonly #poll: PollSet;
  #stopped = false;

  constructor(setup: StoreSetup, port: MessagePort) {
    this.#setup = setup;
    this.#port = port;
    const geometry = computeGeometry(setup);
    this.#region = SharedRegion.map(setup.regionFd, setup.regionBytes);
    this.#quota = new PageQuota(setup.quotaPages);
    const { stateFd, takeOver } = setup;
    const state = mapShared(stateFd, storeStateBytes(geometry.slotCount)).buffer;
    this.#client = new TmemClient({
      slotCount: geometry.slotCount,
      state,
      keepGranted: takeOver,
      quota: this.#quota,
      policy: parsePolicy(setup.policy),
    });
    const record = new SessionRecord(state, recordOffset(geometry.slotCount));
    record.thread = threadId();
    this.#record = record;
    this.#counters = record.counters;
    this.#session = new Session({
      region: this.#region,
      geometry,
      client: this.#client,
      hostEpoch: setup.hostEpoch,
      hostPeer: HOST_PEER,
      record,
      takeOver,
      ring: (vector) => ringEventFd(setup.vectorFds[vector]!),
      onFault: (fault) => this.#post({ fault: FAULT_NAMES[fault] ?? `FAULT_${fault}` }),
    });
    const link = new LinkHost({
      region: this.#region,
      geometry,
      slots: this.#client.slots,
      record: new LinkRecord(state, linkRecordOffset(geometry.slotCount)),
      cutOff: (fault) => this.#session.cutOff(fault),
    });
    this.#link =
      setup.transport === 'virtio-serial'
        ? new LinkPort(link, this.#counters, () => this.#post({ linkEnded: true }))
        : undefined;
    this.#poll = new PollSet([setup.doorbellFd, setup.controlFd, -1]);
  }

  #post(message: StoreMessage): void {
    this.#port.postMessage(message);
  }

  run(): void {
    this.#post({ ready: true });
    while (!this.#stopped) {
      this.#serveWhileBusy();
      this.#sleep();
    }
  }

  /** The guest must see DOWN before the supervisor hears that all is done. */
  #stop(): void {
    this.#stopped = true;
    this.#session.close();
  }

  /** Serves what is there. @returns 0 when nothing was */
  #serve(): number {
    this.#record.countTurn();
    const link = this.#link;
    if (link === undefined) return this.#session.serve();
    return link.receive() + this.#session.serve() + link.send();
  }

  /**
   * Serves until nothing has come for a while, or the supervisor has rung. While a guest waits
   * for answers it looks without pause for `spinMicros`; for one that only posts it naps between
   * looks, so that the guest has the CPUs and need not ring.
   */
  #serveWhileBusy(): void {
    const looksPerClock = this.#link === undefined ? LOOKS_PER_CLOCK : 1;
    let quietSince = performance.now();
    let polledAt = quietSince;
    for (let look = 1; ; look += 1) {
      // A guest that never pauses, and has whole queues or a new life ready for each look, must not
      // keep the supervisor waiting.
      if (look % looksPerClock === 0 && performance.now() - polledAt >= POLL_MS) {
        if (this.#poll.wait(0) !== 0) return;
        polledAt = performance.now();
      }
      if (this.#serve() !== 0) {
        this.#noteUse();
        quietSince = -1;
        continue;
      }
      const naps = this.#session.guestOnlyPosts;
      if (!naps && look % looksPerClock !== 0) continue;
      const now = performance.now();
      if (quietSince === -1) quietSince = now;
      const limit = naps ? NAP_QUIET_MICROS : this.#setup.spinMicros;
      if ((now - quietSince) * 1000 >= limit) return;
      if (naps && this.#poll.wait(NAP_MICROS) !== 0) return;
    }
  }

  #noteUse(): void {
    const { usedSlots } = this.#client;
    if (usedSlots > this.#counters[Count.pagesUsedMax]!) {
      this.#counters[Count.pagesUsedMax] = usedSlots;
    }
  }

  get #sleepMicros(): number {
    const { hangMs } = this.#setup;
    if (hangMs === 0) return SLEEP_MICROS_MAX;
    return Math.min(SLEEP_MICROS_MAX, (hangMs * 1000) / TURNS_MIN);
  }

  #sleep(): void {
    this.#session.announceSleep();
    if (this.#link !== undefined) this.#poll.replace(2, this.#link.fd, this.#link.isBlocked);
    if (!this.#session.hasWork()) {
      this.#counters[Count.sleeps]! += 1;
      this.#poll.wait(this.#sleepMicros);
    } else {
      this.#poll.wait(0);
    }
    this.#session.announceAwake();
    if (this.#poll.isReady(0)) {
      this.#counters[Count.doorbellsReceived]! += 1;
      drainEventFd(this.#setup.doorbellFd);
    }
    if (!this.#poll.isReady(1)) return;
    drainEventFd(this.#setup.controlFd);
    for (;;) {
      const received = receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      this.#answer(received.message as StoreRequest);
    }
  }

  /** A request that fails is one that is refused: the guest is served on. */
  #answer(request: StoreRequest): void {
    try {
      this.#carryOut(request);
    } catch (error) {
      const refused = { code: codeOf(error) ?? 'STORE_REQUEST', why: (error as Error).message };
      this.#post({ id: request.id, refused });
      return;
    }
    this.#post({ id: request.id, stats: this.#stats() });
  }

  #carryOut(request: StoreRequest): void {
    switch (request.kind) {
      case 'stats':
        // What was posted before the question counts in the answer.
        this.#serve();
        break;
      case 'quota':
        this.#quota.limit = request.pages;
        break;
      case 'refuse':
        this.#session.refusePuts(request.refuse);
        break;
      case 'link':
        if (request.fd === -1) this.#link?.drop();
        else this.#link?.connect(request.fd);
        break;
      case 'stop':
        this.#stop();
        break;
      default:
        throw new Error(`a store knows no request ${JSON.stringify(request)}`);
    }
  }

  #stats(): StoreStats {
    return {
      ...this.#session.counters,
      slots: this.#client.slots.count,
      pagesUsed: this.#client.usedSlots,
      pagesGranted: this.#client.grantedSlots,
      quotaPages: this.#quota.limit,
      attached: this.#session.guestEpoch !== 0 && !this.#session.isFaulted,
      pools: this.#client.pools(),
    };
  }
}

/**
 * Takes a small store over again and again, on memory of its own, so that what a take-over runs is
 * compiled by then: it reads every slot of a large one.
 */
function warmUp(): void {
  const slotCount = WARM_SLOTS;
  const state = new ArrayBuffer(TmemClient.stateBytes(slotCount));
  const client = new TmemClient({ slotCount, state });
  const pool = client.newPool(WARM_POOL, new Int32Array(4));
  for (let index = 0; index < slotCount / 2; index += 1) {
    client.put(pool, objectId(0), index, client.grant());
  }
  for (let times = 0; times < WARM_TIMES; times += 1) {
    new TmemClient({ slotCount, state, keepGranted: true });
  }
}

warmUp();
/** The first message is the setup: until it comes, this thread waits with its code loaded. */
const port = parentPort as MessagePort;
port.once('message', (setup: StoreSetup) => new StoreThread(setup, port).run());
