/**
 * The host: the real store and session over plain memory, in the loop of session/worker.ts, and its
 * supervisor, as in session/store-process.ts.
 *
 * The store runs for real; at each atomic load and store of its own, guests may come in between, or
 * it may die there. What outlives it then is the region and the state, with any of the plain stores
 * since the last atomic one undone. The host owns both memories.
 */
import { parsePolicy } from '../../../emulator/policy/put-policy.js';
import { HEADER, HostState, wordsOf } from '../../../emulator/protocol/layout.js';
import { FAULT_NAMES, Session } from '../../../emulator/session/session.js';
import { SessionRecord } from '../../../emulator/session/session-record.js';
import {
  linkRecordOffset,
  recordOffset,
  storeStateBytes,
} from '../../../emulator/session/state-file.js';
import { TmemClient } from '../../../emulator/store/client.js';
import { PageQuota } from '../../../emulator/store/quota.js';
import { LinkHost } from '../../../emulator/transport/link-host.js';
import { LinkRecord } from '../../../emulator/transport/link-record.js';
import { SharedRegion } from '../../../emulator/transport/region.js';
import { Random } from '../random.js';
import { type Watcher, watched } from './atomics.js';
import { LinkEnd } from './link-end.js';
import type { Plan } from './plan.js';
import { type Act, MS, type Scheduler, SECOND, STEP, type Task } from './scheduler.js';
import type { ByteStream } from './stream.js';
import { Problem } from './trace.js';

const header = wordsOf(HEADER);
/** As in session/worker.ts. */
const NAP = MS / 10;
const NAPS_MAX = 50;
const SLEEP_MAX = SECOND;

/**
 * Where it may die beside the stores: at a load in so many, and in its sleep as at so many stores.
 */
const DEATHS_AT_LOADS = 16;
const DEATHS_ASLEEP = 2;

/** What the store dies with. */
const DEATH = Symbol('death');

export type HostRequest =
  | { readonly kind: 'stats' }
  | { readonly kind: 'quota'; readonly pages: number }
  | { readonly kind: 'refuse'; readonly refuse: boolean }
  | { readonly kind: 'restart'; readonly hostEpoch: number; readonly done: () => void };

/** Whether anything goes wrong at present. */
export interface Faults {
  on: boolean;
}

export interface HostOptions {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly hostEpoch: number;
  /** Of a link: bytes from the guest, and to it. */
  readonly streams: { readonly in: ByteStream; readonly out: ByteStream };
  /** Interrupts the guest. */
  readonly ring: (vector: number) => void;
  /** The store has looked at every queue. */
  readonly served: () => void;
  /** The store was woken at `at`, by a doorbell or whatever came first. */
  readonly woken: (at: number) => void;
}

export class Host implements Watcher {
  readonly region: SharedRegion;
  /** Of the store that serves; undefined while none does. */
  session: Session | undefined;
  client: TmemClient | undefined;
  #link: LinkEnd | undefined;
  quota = new PageQuota();
  /** Until when none served. */
  servingSince = 0;
  crashes = 0;
  quotaPages: number;
  refuse = false;
  hostEpoch: number;
  sleeps = false;
  readonly #options: HostOptions;
  readonly #state: ArrayBuffer;
  readonly #requests: HostRequest[] = [];
  readonly #lasting: readonly Int32Array[];
  #task: Task | undefined;
  #bell = false;
  #bellAt: number | undefined;
  #takesOver = false;
  /** What lasts, as it was after the last atomic store: the store dies before the next. */
  #armed: Int32Array[] | undefined;

  constructor(options: HostOptions) {
    this.#options = options;
    const { geometry, quota } = options.plan;
    this.hostEpoch = options.hostEpoch;
    this.quotaPages = quota;
    this.region = new SharedRegion(new ArrayBuffer(geometry.regionBytes));
    this.#state = new ArrayBuffer(storeStateBytes(geometry.slotCount));
    // The store never writes a page's bytes.
    const shared = new Int32Array(this.region.memory, 0, geometry.slotPage * 1024);
    this.#lasting = [new Int32Array(this.#state), shared];
    this.#start(false);
  }

  // --- Death -------------------------------------------------------------------------------------

  #start(takeOver: boolean): void {
    this.#takesOver = takeOver;
    this.#task = this.#options.scheduler.startHost(this.#live(takeOver));
  }

  *#live(takeOver: boolean): Act {
    try {
      yield* this.#serve(takeOver);
    } catch (error) {
      if (error !== DEATH) throw error;
      this.#died();
    }
  }

  /** The supervisor: notices, says so, starts another. */
  #died(): void {
    const { scheduler, plan } = this.#options;
    this.session = undefined;
    this.client = undefined;
    this.#link = undefined;
    this.sleeps = false;
    this.#task = undefined;
    this.servingSince = Number.POSITIVE_INFINITY;
    scheduler.after(scheduler.spread(1, plan.noticeMax), () => {
      this.region.store(header.host_state * 4, HostState.DOWN);
      scheduler.note('down');
      scheduler.after(scheduler.spread(1, plan.downMax), () => this.#start(true));
    });
  }

  #chance(): boolean {
    const { faults, plan, scheduler } = this.#options;
    const oneIn = this.#takesOver ? plan.crashAgainOneIn : plan.crashOneIn;
    if (oneIn === 0 || !faults.on || this.crashes >= plan.crashesMax) return false;
    return scheduler.random.oneIn(oneIn);
  }

  before(isStore: boolean): void {
    if (this.#armed === undefined) this.#letOthersIn();
    else if (isStore || this.#options.scheduler.random.oneIn(4)) this.#die();
  }

  after(isStore: boolean): void {
    if (this.#armed !== undefined) return;
    const { random } = this.#options.scheduler;
    // Most loads are of one who looks for work; dying there is as dying before them.
    const mayDie = isStore || random.oneIn(DEATHS_AT_LOADS);
    if (!mayDie || !this.#chance()) this.#letOthersIn();
    else if (!isStore || random.oneIn(2)) this.#die();
    else this.#armed = this.#lasting.map((words) => words.slice());
  }

  #letOthersIn(): void {
    const { scheduler, plan } = this.#options;
    const { random } = scheduler;
    while (random.below(256) < plan.interleave) {
      if (!watched(undefined, () => scheduler.between())) return;
    }
  }

  #die(): never {
    const { scheduler } = this.#options;
    this.crashes += 1;
    scheduler.note('dies', this.#armed === undefined ? 0 : this.#tear(this.#armed));
    this.#armed = undefined;
    throw DEATH;
  }

  /** Undoes all, some or none of the plain stores since the last atomic one. @returns how many */
  #tear(before: readonly Int32Array[]): number {
    const { random } = this.#options.scheduler;
    const share = random.below(5);
    let undone = 0;
    for (const [memory, words] of this.#lasting.entries()) {
      const old = before[memory]!;
      for (let word = 0; word < words.length; word += 1) {
        if (words[word] === old[word] || random.below(4) >= share) continue;
        words[word] = old[word]!;
        undone += 1;
      }
    }
    return undone;
  }

  /** Runs the store's own code. */
  #run<T>(code: () => T): T {
    const result = watched(this, code);
    if (this.#armed !== undefined) this.#die();
    return result;
  }

  // --- Its loop ----------------------------------------------------------------------------------

  #begin(takeOver: boolean): void {
    const { plan, hostEpoch, ring } = this.#options;
    const { geometry, policy } = plan;
    if (takeOver) this.#options.scheduler.note('takeOver');
    this.quota = new PageQuota(this.quotaPages);
    const { slotCount } = geometry;
    const client = new TmemClient({
      slotCount,
      state: this.#state,
      keepGranted: takeOver,
      quota: this.quota,
      policy: parsePolicy(policy),
      fillTables: (tables) => this.#fillTables(tables),
    });
    this.session = new Session({
      region: this.region,
      geometry,
      client,
      hostEpoch,
      hostPeer: 0,
      record: new SessionRecord(this.#state, recordOffset(slotCount)),
      takeOver,
      ring,
      onFault: (fault) => {
        throw new Problem(`an honest guest is cut off: ${FAULT_NAMES[fault]}`);
      },
    });
    this.client = client;
    if (plan.link) this.#connect(client);
  }

  /** Goes on with the stream that the supervisor holds. */
  #connect(client: TmemClient): void {
    const { plan, scheduler, streams } = this.#options;
    const { geometry } = plan;
    const host = new LinkHost({
      region: this.region,
      geometry,
      slots: client.slots,
      record: new LinkRecord(this.#state, linkRecordOffset(geometry.slotCount)),
      cutOff: (fault) => this.session!.cutOff(fault),
    });
    this.#link = new LinkEnd(host, scheduler, streams);
    this.#link.connect();
  }

  /** Other hashes in each life of the store, and the same when the seed is run again. */
  #fillTables(tables: Int32Array): void {
    const random = new Random(this.#options.scheduler.random.next());
    for (let at = 0; at < tables.length; at += 1) tables[at] = random.next();
  }

  *#serve(takeOver: boolean): Act {
    const { scheduler } = this.#options;
    this.#run(() => this.#begin(takeOver));
    this.#takesOver = false;
    this.servingSince = scheduler.now;
    if (takeOver) scheduler.note('ready');
    for (;;) {
      yield* this.#serveWhileBusy();
      yield* this.#sleep();
    }
  }

  #serveOnce(): number {
    const served = this.#run(() => {
      const link = this.#link;
      if (link === undefined) return this.session!.serve();
      return link.receive() + this.session!.serve() + link.send();
    });
    if (served > 0) this.#options.scheduler.note('served', served);
    this.#options.served();
    return served;
  }

  *#serveWhileBusy(): Act {
    const { scheduler, plan } = this.#options;
    for (let quiet = 0; ; ) {
      yield STEP;
      if (this.#serveOnce() !== 0) {
        quiet = 0;
        continue;
      }
      quiet += 1;
      const naps = this.session!.guestOnlyPosts;
      if (quiet >= (naps ? Math.min(NAPS_MAX, plan.hostLooks) : plan.hostLooks)) return;
      if (!naps) continue;
      if (!this.#isRung) yield scheduler.now + NAP;
      if (this.#isRung) return;
    }
  }

  get #isRung(): boolean {
    return this.#bell || this.#requests.length > 0 || this.#link?.isBusy === true;
  }

  *#sleep(): Act {
    const { scheduler, woken } = this.#options;
    const session = this.session!;
    this.#run(() => session.announceSleep());
    yield STEP;
    if (!this.#run(() => session.hasWork())) {
      scheduler.note('sleeps');
      const since = scheduler.now;
      this.sleeps = true;
      while (!this.#isRung && scheduler.now < since + SLEEP_MAX) yield since + SLEEP_MAX;
      this.sleeps = false;
      scheduler.note('wakes');
      for (let chance = 0; chance < DEATHS_ASLEEP; chance += 1) if (this.#chance()) this.#die();
      woken(this.#bellAt ?? scheduler.now);
    }
    const rung = this.#bell;
    this.#run(() => session.announceAwake());
    yield STEP;
    if (rung) {
      this.#bell = false;
      this.#bellAt = undefined;
    }
    while (this.#requests.length > 0) this.#answer(this.#requests[0]!);
  }

  // --- What the supervisor asks ------------------------------------------------------------------

  #answer(request: HostRequest): void {
    const { scheduler } = this.#options;
    const session = this.session!;
    switch (request.kind) {
      case 'stats':
        this.#serveOnce();
        break;
      case 'quota':
        this.quota.limit = request.pages;
        scheduler.note('quota', request.pages);
        break;
      case 'refuse':
        this.#run(() => session.refusePuts(request.refuse));
        this.refuse = request.refuse;
        scheduler.note('refuse', request.refuse ? 1 : 0);
        break;
      case 'restart':
        this.#run(() => session.restart(request.hostEpoch));
        // The next machine's stream.
        for (const stream of Object.values(this.#options.streams)) stream.reset();
        this.#run(() => this.#link?.drop());
        this.#run(() => this.#link?.connect());
        this.hostEpoch = request.hostEpoch;
        scheduler.note('restart', request.hostEpoch);
        request.done();
        break;
    }
    this.#requests.shift();
  }

  /** Asks the store; if it dies over it, the next one is asked again. */
  request(request: HostRequest): void {
    if (request.kind === 'quota') this.quotaPages = request.pages;
    this.#requests.push(request);
    this.#wake();
  }

  /** Whether a guest is served. */
  get isServing(): boolean {
    return this.session?.guestEpoch !== 0;
  }

  get hasRequests(): boolean {
    return this.#requests.length > 0;
  }

  #wake(): void {
    if (this.#task !== undefined) this.#options.scheduler.wake(this.#task);
  }

  /** Somebody wakes a store that sleeps: bytes have arrived. */
  nudge(): void {
    this.#wake();
  }

  /** The guest's doorbell arrives. */
  hear(): void {
    this.#bell = true;
    this.#bellAt ??= this.#options.scheduler.now;
    this.#wake();
  }
}
