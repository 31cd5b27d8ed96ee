/**
 * Makes inputs for a link from a seed, a step at a time: frames that an honest guest might send,
 * and among them some with one thing wrong.
 */
import { FrameKind, PROTOCOL_VERSION } from '../../../emulator/protocol/layout.js';
import type { Random } from '../random.js';
import type { Item, LinkStep } from './link-steps.js';
import type { LinkPlan, LinkTarget } from './link-target.js';

const SHAPES = [
  [1, 16],
  [2, 16],
  [4, 32],
] as const;
const LIFE_STEPS = 120;
const SPEC = 1 << 24;
/** In one of so many frames something is wrong. */
const MOODS = [0, 0, 200, 60, 20, 6];
const MAGIC_BYTES = [0x54, 0x4d, 0x46, 0x52];

export function linkPlanOf(random: Random): LinkPlan {
  const [queueCount, queueEntries] = random.pick(SHAPES);
  return { queueCount, queueEntries };
}

const serveOnce: LinkStep = { do: 'serve', lose: false };
const plainFrame: LinkStep & { do: 'frame' } = {
  do: 'frame',
  kind: FrameKind.OPERATIONS,
  epoch: 0,
  acknowledge: 0,
  items: [],
  grow: 0,
  turn: -1,
  greedy: false,
};

export class LinkGenerator {
  readonly #random: Random;
  readonly #target: LinkTarget;
  #wrongOneIn = 0;
  #left = 0;
  readonly #queued: LinkStep[] = [];

  constructor(random: Random, target: LinkTarget) {
    this.#random = random;
    this.#target = target;
  }

  next(): LinkStep {
    const queued = this.#queued.pop();
    if (queued !== undefined) return queued;
    if (this.#left <= 0) return this.#newMachine();
    this.#left -= this.#target.isFaulted ? 12 : 1;
    const random = this.#random;
    if (random.oneIn(3)) return random.oneIn(8) ? this.#lose() : serveOnce;
    if (random.oneIn(60)) return this.#rare();
    if (this.#wrongOneIn > 0 && random.oneIn(this.#wrongOneIn)) return this.#wrong();
    return { ...plainFrame, items: this.#items() };
  }

  #newMachine(): LinkStep {
    const random = this.#random;
    this.#wrongOneIn = random.pick(MOODS);
    this.#left = LIFE_STEPS;
    const pool = (flags: number): Item => ({ ...this.#item(), ...plain, command: 1, flags });
    this.#queued.push(serveOnce);
    this.#queued.push({ ...plainFrame, items: [pool(SPEC | 1), pool(SPEC)] });
    this.#queued.push(serveOnce, this.#hello());
    return { do: 'restart' };
  }

  /** What the host sends is lost; the guest asks for it again. */
  #lose(): LinkStep {
    this.#queued.push(serveOnce, { ...plainFrame, kind: FrameKind.RESYNC });
    return { do: 'serve', lose: true };
  }

  /** Most often the host sees that a life begins or ends before anything else comes. */
  #serveFirst(): void {
    if (!this.#random.oneIn(8)) this.#queued.push(serveOnce);
  }

  #hello(): LinkStep {
    return { do: 'hello', epoch: 1 + this.#random.below(3), version: PROTOCOL_VERSION };
  }

  #items(): Item[] {
    const count = 1 + this.#random.below(this.#random.pick([2, 6, 14]));
    return Array.from({ length: count }, () => this.#item());
  }

  #item(): Item {
    const random = this.#random;
    return {
      queue: random.below(4),
      command: random.pick(COMMANDS),
      pool: random.oneIn(60) ? random.pick([-1, 2, 64, 0x7fff_ffff]) : random.below(2),
      object: random.below(4),
      index: random.below(12),
      flags: random.pick([SPEC, SPEC | 1, SPEC | 3, 0]),
      ahead: 0,
      spoil: [],
    };
  }

  #rare(): LinkStep {
    const random = this.#random;
    switch (random.below(5)) {
      case 0:
        return { ...plainFrame, kind: FrameKind.RESYNC };
      case 1:
        this.#serveFirst();
        return this.#hello();
      case 2:
        this.#serveFirst();
        this.#queued.push(this.#hello());
        this.#serveFirst();
        return { ...plainFrame, kind: FrameKind.GOODBYE };
      case 3:
        return { do: 'hello', epoch: random.below(4), version: random.pick([0, 2, -1]) };
      default:
        return { do: 'giveUp' };
    }
  }

  /** A frame, or bytes, with one thing that is wrong. */
  #wrong(): LinkStep {
    const random = this.#random;
    const items = this.#items();
    const frame = { ...plainFrame, items };
    const strange = random.pick(STRANGE);
    switch (random.below(13)) {
      case 0:
        return { ...frame, turn: random.below(8 * 200) };
      case 1:
        return { ...frame, kind: random.pick([0, 2, 4, 5, 6, 7, 8, -1]) };
      case 2:
        return { ...frame, epoch: random.pick([-1, 1, 2, 3, 4]) };
      case 3:
        return { ...frame, acknowledge: random.pick([1, 2, 17, -1, 0x7fff_ffff, -0x8000_0000]) };
      case 4:
        return { ...frame, grow: random.pick([1, 2, 18, -1, -2, -17, -1000]) };
      case 5:
        return this.#greedy();
      case 6:
        return { ...frame, items: [{ ...items[0]!, ahead: random.pick([1, -1, 16, strange]) }] };
      case 7:
        return { ...frame, items: [{ ...items[0]!, spoil: [[random.below(18), strange]] }] };
      case 8:
        return { ...frame, items: [{ ...items[0]!, spoil: [[0, strange]] }] };
      case 9:
        return { ...frame, items: [{ ...items[0]!, spoil: [[1, random.below(3)]] }] };
      case 10:
        // Not even a count for each queue.
        return { ...plainFrame, kind: random.pick([3, 5]), grow: -1 };
      case 11:
        return this.#heads();
      default:
        return { do: 'noise', bytes: this.#noise() };
    }
  }

  /** Of a length that cannot be, or many that claim the same bytes, or what follows each. */
  #heads(): LinkStep {
    const random = this.#random;
    if (random.oneIn(2)) return { do: 'head', length: random.pick([0, 4, 3, 65_540, -4, 1 << 30]) };
    const length = random.pick([64, 2048, 65_536]);
    return { do: 'head', length, count: 1 + random.below(length / 16) };
  }

  /** More than its credits, or more than a queue has places for, in frames one after the other. */
  #greedy(): LinkStep {
    const item = { ...this.#item(), command: this.#random.pick([4, 5]) };
    const frame = { ...plainFrame, items: new Array<Item>(12).fill(item), greedy: true };
    this.#queued.push(frame, frame);
    return frame;
  }

  #noise(): number[] {
    const random = this.#random;
    const bytes = Array.from({ length: random.below(80) }, () => random.below(256));
    return random.oneIn(2) ? [...MAGIC_BYTES, ...bytes] : bytes;
  }
}

const COMMANDS = [4, 4, 4, 4, 5, 5, 5, 6, 6, 7, 1, 2, 0, 3, -1];
const STRANGE = [0, 1, 2, 4, 5, 15, 16, 17, 64, -1, -2, 0x7fff_ffff, -0x8000_0000, 0x10_0000];
const plain = { ahead: 0, spoil: [], queue: 0, pool: 0, object: 0, index: 0 } as const;
