/**
 * What one seed is about: sizes, who does what, and which faults come how often. Each is drawn by
 * itself, and often left out, so that runs differ in kind and not only in order.
 */
import { computeGeometry, type Geometry } from '../../../emulator/protocol/geometry.js';
import { Feature, PAGE_BYTES } from '../../../emulator/protocol/layout.js';
import type { Random } from '../random.js';
import { MS, SECOND } from './scheduler.js';

export interface Plan {
  /** The guest is at the other end of a link, and shares no memory. */
  readonly link: boolean;
  /** A piece of a link's bytes in so many does not arrive as it was; 0: none. */
  readonly damageOneIn: number;
  readonly geometry: Geometry;
  /** Feature bits that the guest would use. */
  readonly features: number;
  readonly policy: string;
  /** Pages, or Infinity. */
  readonly quota: number;
  readonly vcpus: number;
  readonly phases: number;
  /** Operations of all vCPUs in a phase. */
  readonly operations: number;
  /** How often the swap area, the cache of files and the raw operations are used. */
  readonly mix: readonly ('swap' | 'cache' | 'raw')[];
  readonly offsets: number;
  /** Of 256 points within the host, those at which others come in between, each time. */
  readonly interleave: number;
  /** Of 256 steps, those of the host when it can go on. */
  readonly hostShare: number;
  /** A step in so many stands still for a while; 0: none. */
  readonly stallOneIn: number;
  /** A turn of the host in so many is followed by a while of standing still; 0: none. */
  readonly hostStallOneIn: number;
  readonly stallMax: number;
  /** A store of the host in so many is where it dies; 0: none. */
  readonly crashOneIn: number;
  readonly crashesMax: number;
  /** The same, while it takes over. */
  readonly crashAgainOneIn: number;
  /** Until a death is noticed, and from then until another store begins. */
  readonly noticeMax: number;
  readonly downMax: number;
  /** Of 256 doorbells, those that are lost. */
  readonly bellLoss: number;
  readonly bellDelayMax: number;
  /** An operation in so many comes with such an event; 0: none. */
  readonly quotaOneIn: number;
  readonly refuseOneIn: number;
  readonly statsOneIn: number;
  readonly resetOneIn: number;
  readonly unplugOneIn: number;
  readonly leaveOneIn: number;
  readonly swapoffOneIn: number;
  /** All pages are dropped in a row, as when a process ends or a file is cut. */
  readonly burstOneIn: number;
  /** After an operation in so many nothing comes for a while. */
  readonly pauseOneIn: number;
  readonly putTimeout: number;
  readonly getTimeout: number;
  /** A load that meets the bound fails; otherwise it waits for ever. */
  readonly mayFail: boolean;
  /** Looks of a guest that waits before it sleeps, and of the host. */
  readonly guestLooks: number;
  readonly hostLooks: number;
}

/** 0 in about `never` of 4 cases, else one of `values`. */
function maybe(random: Random, never: number, values: readonly number[]): number {
  return random.below(4) < never ? 0 : random.pick(values);
}

function sized(queueCount: number, slotCount: number): Geometry {
  const geometry = computeGeometry({ regionBytes: 2 ** 20, queueCount, queueEntries: 16 });
  let creditEntries = 4;
  while (creditEntries < slotCount) creditEntries *= 2;
  const regionBytes = (geometry.slotPage + slotCount) * PAGE_BYTES;
  return { ...geometry, slotCount, creditEntries, regionBytes };
}

type Faults =
  | 'crashOneIn'
  | 'crashesMax'
  | 'crashAgainOneIn'
  | 'noticeMax'
  | 'downMax'
  | 'bellLoss'
  | 'bellDelayMax'
  | 'stallOneIn'
  | 'hostStallOneIn'
  | 'stallMax';

function drawFaults(random: Random): Pick<Plan, Faults> {
  return {
    crashOneIn: maybe(random, 1, [6, 25, 100, 500]),
    crashesMax: random.pick([1, 10, 200]),
    crashAgainOneIn: maybe(random, 1, [6, 25, 100]),
    noticeMax: random.pick([100, 5 * MS, 500 * MS]),
    downMax: random.pick([MS, 20 * MS, 500 * MS, 4 * SECOND, 60 * SECOND]),
    bellLoss: maybe(random, 2, [8, 64, 200]),
    bellDelayMax: random.pick([1, 100, 5 * MS, 50 * MS]),
    stallOneIn: maybe(random, 2, [300, 1500, 6000]),
    hostStallOneIn: maybe(random, 2, [4, 20, 100]),
    stallMax: random.pick([5 * MS, 300 * MS, 3 * SECOND]),
  };
}

function drawMix(random: Random): Plan['mix'] {
  const ways: Plan['mix'][] = [
    ['swap'],
    ['cache'],
    ['raw'],
    ['swap', 'cache', 'raw'],
    ['swap', 'swap', 'swap', 'raw'],
    ['swap', 'cache', 'cache'],
  ];
  return random.pick(ways);
}

/** What fills the queues: much swap, many pages, one queue, and a host that stands still. */
function stormOf(random: Random, plan: Plan): Plan {
  return {
    ...plan,
    geometry: sized(1, 48),
    quota: Number.POSITIVE_INFINITY,
    mix: random.pick([['swap'], ['swap', 'swap', 'cache']] as const),
    offsets: 40,
    hostStallOneIn: random.pick([2, 8, 30]),
    burstOneIn: random.pick([10, 30]),
    refuseOneIn: 0,
    quotaOneIn: 0,
    swapoffOneIn: 0,
    resetOneIn: 0,
    unplugOneIn: 0,
    leaveOneIn: 0,
  };
}

/** What a seed is about. */
export function drawPlan(random: Random): Plan {
  const plan = drawAny(random);
  return random.oneIn(6) ? stormOf(random, plan) : plan;
}

function drawAny(random: Random): Plan {
  const link = random.oneIn(4);
  const geometry = sized(random.pick([1, 2, 4]), random.pick([4, 8, 12, 24, 48]));
  const { slotCount } = geometry;
  return {
    ...drawFaults(random),
    link,
    damageOneIn: link ? maybe(random, 2, [10, 50, 300]) : 0,
    geometry,
    features: random.below(4) & (Feature.POSTED_PUTS | Feature.DIRECT_GETS),
    policy: random.pick(['accept', 'accept', 'accept', 'refuse-every=3', 'refuse-duplicates']),
    quota: random.pick([Number.POSITIVE_INFINITY, slotCount, slotCount >> 1, 3]),
    vcpus: 1 + random.below(5),
    phases: 1 + random.below(4),
    operations: 50 + random.below(400),
    mix: drawMix(random),
    offsets: random.pick([1, 3, 8, 24, 40]),
    interleave: random.pick([0, 16, 64, 160, 230]),
    hostShare: random.pick([2, 10, 40, 128, 220]),
    quotaOneIn: maybe(random, 2, [10, 50]),
    refuseOneIn: maybe(random, 3, [10, 50]),
    statsOneIn: maybe(random, 3, [10, 50]),
    resetOneIn: maybe(random, 2, [10, 40, 200]),
    unplugOneIn: maybe(random, 3, [20, 100]),
    leaveOneIn: maybe(random, 3, [20, 100]),
    swapoffOneIn: maybe(random, 2, [4, 20, 100]),
    burstOneIn: maybe(random, 1, [4, 15, 60]),
    pauseOneIn: maybe(random, 1, [1, 3, 10, 40]),
    putTimeout: random.pick([20 * MS, 2 * SECOND]),
    getTimeout: random.pick([200 * MS, 30 * SECOND]),
    mayFail: random.oneIn(2),
    guestLooks: random.pick([0, 2, 20]),
    hostLooks: random.pick([1, 4, 30]),
  };
}
