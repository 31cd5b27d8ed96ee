/**
 * Makes inputs from a seed, a step at a time: mostly what an honest guest does, with single words
 * that are wrong, at places and of values where a check may be missing.
 *
 * It looks at the target to find such places, and at nothing else: the same seed against the same
 * host gives the same steps.
 */
import { Command, HEADER, QUEUE_CONTROL, wordsOf } from '../../../emulator/protocol/layout.js';
import type { Random } from '../random.js';
import { type Post, Slot, type Step } from './steps.js';
import type { Target, TargetPlan } from './target.js';
import type { Race } from './watch.js';

const header = wordsOf(HEADER);
const queueControl = wordsOf(QUEUE_CONTROL);

/** Queues and entries: the smallest, and some with several queues. */
const SHAPES = [
  [1, 16],
  [2, 16],
  [4, 32],
  [2, 64],
] as const;
/** Steps of one machine, most of them descriptors. */
const LIFE_STEPS = 400;
const SPEC = 1 << 24;
/** What NEW_POOL may be asked for: most often a pool that there can be. */
const FLAGS = [SPEC | 1, SPEC, SPEC | 1, SPEC, SPEC | 2, SPEC | 3, SPEC | 4, 1, SPEC | 0x10, 0, -1];
const COMMANDS = [0, 2, 3, 8, 10, 101, 102, 0x7fff_ffff, -1, -0x8000_0000];
const POOLS = [-1, -0x8000_0000, 63, 64, 65, 0x7fff_ffff, 0x100_0000];
const HEADER_WORDS = 0x150 / 4;

/** How wild an input is; in one of so many cases, 0 for never. */
interface Mood {
  readonly spoilOneIn: number;
  readonly pokeOneIn: number;
  readonly raceOneIn: number;
  readonly dieOneIn: number;
}

const MOODS: readonly Mood[] = [
  { spoilOneIn: 0, pokeOneIn: 0, raceOneIn: 0, dieOneIn: 0 },
  { spoilOneIn: 400, pokeOneIn: 200, raceOneIn: 0, dieOneIn: 0 },
  { spoilOneIn: 100, pokeOneIn: 40, raceOneIn: 0, dieOneIn: 0 },
  { spoilOneIn: 0, pokeOneIn: 12, raceOneIn: 0, dieOneIn: 0 },
  { spoilOneIn: 1000, pokeOneIn: 400, raceOneIn: 6, dieOneIn: 0 },
  { spoilOneIn: 200, pokeOneIn: 100, raceOneIn: 2, dieOneIn: 40 },
];

export function planOf(random: Random, plainReads: boolean): TargetPlan {
  const [queueCount, queueEntries] = random.pick(SHAPES);
  const policy = random.oneIn(6) ? 'refuse-duplicates' : 'accept';
  return { queueCount, queueEntries, policy, plainReads };
}

export class Generator {
  readonly #random: Random;
  readonly #target: Target;
  #mood: Mood = MOODS[0]!;
  #left = 0;
  /** Steps that come next whatever is drawn, last one first. */
  readonly #queued: Step[] = [];

  constructor(random: Random, target: Target) {
    this.#random = random;
    this.#target = target;
  }

  next(): Step {
    const queued = this.#queued.pop();
    if (queued !== undefined) return queued;
    if (this.#left <= 0) return this.#newMachine();
    this.#left -= this.#target.isFaulted ? 40 : 1;
    const random = this.#random;
    const { pokeOneIn } = this.#mood;
    if (pokeOneIn > 0 && random.oneIn(pokeOneIn)) return this.#poke();
    const draw = random.below(1000);
    if (draw < 850) return this.#post();
    return draw < 978 ? this.#serve() : this.#rare(draw);
  }

  /** Another machine, whose guest attaches and makes a pool of each kind. */
  #newMachine(): Step {
    this.#mood = this.#random.pick(MOODS);
    this.#left = LIFE_STEPS;
    this.#queued.push(serveOnce, this.#newPool(SPEC), this.#newPool(SPEC | 1));
    this.#queued.push(serveOnce, this.#attach());
    return { do: 'restart' };
  }

  #attach(): Step {
    const epoch = this.#random.oneIn(8) ? this.#strange() : 1 + this.#random.below(3);
    return { do: 'attach', epoch: epoch | 0, features: this.#random.below(4) };
  }

  #newPool(flags: number): Step {
    return { ...plainPost, command: Command.NEW_POOL, flags };
  }

  #post(): Step {
    const random = this.#random;
    const { spoilOneIn } = this.#mood;
    const isSpoilt = spoilOneIn > 0 && random.oneIn(spoilOneIn);
    const flags = random.pick(FLAGS);
    return {
      do: 'post',
      queue: random.below(4),
      command: this.#command(),
      pool: random.oneIn(50) ? random.pick(POOLS) : random.below(2),
      object: random.below(6),
      index: random.oneIn(30) ? random.next() | 0 : random.below(12),
      flags,
      ...(isSpoilt ? this.#spoil() : honest),
    };
  }

  #command(): number {
    const draw = this.#random.below(100);
    if (draw < 45) return Command.PUT_PAGE;
    if (draw < 72) return Command.GET_PAGE;
    if (draw < 90) return Command.FLUSH_PAGE;
    if (draw < 95) return Command.FLUSH_OBJECT;
    return draw < 98 ? Command.NEW_POOL : this.#random.pick(COMMANDS);
  }

  /** One thing that is wrong with a descriptor. */
  #spoil(): Pick<Post, 'slot' | 'spoil' | 'by'> & { command?: number } {
    const random = this.#random;
    const entries = this.#target.geometry.queueEntries;
    switch (random.below(4)) {
      case 0:
        return { ...honest, spoil: [[random.below(16), this.#strange() | 0]] };
      case 1:
        return { ...honest, slot: random.pick([Slot.LAST_PUT, Slot.IN_HAND]), command: 4 };
      case 2:
        return { ...honest, slot: this.#strange() & 0x7fff_ffff, command: 4 };
      default:
        return { ...honest, by: random.pick([0, 2, entries, entries + 1, -1, 0x8000_0000]) };
    }
  }

  #serve(): Step {
    const random = this.#random;
    const { raceOneIn, dieOneIn } = this.#mood;
    const races: Race[] = [];
    if (raceOneIn > 0 && random.oneIn(raceOneIn)) {
      do races.push(this.#race());
      while (random.oneIn(2));
    }
    const dies = dieOneIn > 0 && random.oneIn(dieOneIn);
    return { do: 'serve', races, dieAfter: dies ? random.below(60) : -1 };
  }

  #race(): Race {
    const random = this.#random;
    const after = 1 + random.below(random.pick([8, 40, 200]));
    return { after, word: this.#word(), value: this.#strange() | 0 };
  }

  #poke(): Step {
    return { do: 'poke', word: this.#word(), value: this.#strange() | 0 };
  }

  #rare(draw: number): Step {
    const random = this.#random;
    if (draw < 986) return { do: 'sleep' };
    if (draw < 990) return this.#attach();
    if (draw < 992) return { do: 'detach' };
    if (draw < 996) return { do: 'takeOver' };
    if (draw < 999) return { do: 'quota', pages: random.pick([0, 260, 300, 600, 600, 600]) };
    return { do: 'refuse', refuse: random.oneIn(2) };
  }

  /** A word of the region, most often one that matters now. */
  #word(): number {
    const random = this.#random;
    const { guest, geometry } = this.#target;
    const queue = random.below(geometry.queueCount);
    const ahead = random.below(6);
    const tail = guest.tails[queue]!;
    switch (random.below(10)) {
      case 0:
      case 1:
      case 2:
        return guest.descriptorWord(queue, (tail - 1 - ahead) >>> 0) + random.below(16);
      case 3:
        return guest.descriptorWord(queue, (tail + ahead) >>> 0) + random.below(16);
      case 4:
        return guest.queueWord(queue, random.pick(CONTROL_WORDS));
      case 5:
        return guest.replyWord(queue, (tail - 1 - ahead) >>> 0) + random.below(4);
      case 6:
        return random.pick(LIFE_WORDS);
      case 7:
        return random.below(HEADER_WORDS);
      case 8:
        return geometry.creditOffset / 4 + random.below(geometry.creditEntries);
      default:
        return random.below(geometry.regionBytes / 4);
    }
  }

  /** A value where a check may be missing. */
  #strange(): number {
    const random = this.#random;
    const { guest, geometry } = this.#target;
    const { queueEntries, slotCount, creditEntries } = geometry;
    switch (random.below(8)) {
      case 0:
        return random.pick([0, 1, 2, 3, 4, 5]);
      case 1:
        return random.pick([-1, -2, 0x7fff_ffff, -0x8000_0000, 0x10_0000, 0x4000_0000]);
      case 2:
        return slotCount + random.pick([-1, 0, 1]);
      case 3:
        return random.pick([queueEntries, creditEntries]) + random.pick([-1, 0, 1]);
      case 4:
        return guest.epoch + random.pick([-1, 0, 1]);
      case 5:
        return guest.tails[random.below(guest.tails.length)]! + random.below(5) - 2;
      case 6:
        return random.below(slotCount);
      default:
        return random.next();
    }
  }
}

const CONTROL_WORDS = [queueControl.tail, queueControl.guest_sleep, queueControl.head];
const LIFE_WORDS = [
  header.guest_state,
  header.guest_epoch,
  header.guest_features,
  header.credit_head,
  header.session_epoch,
  header.credit_tail,
  header.host_state,
];
const honest = { slot: Slot.CREDIT, spoil: [], by: 1 };
const plainPost: Post = {
  do: 'post',
  queue: 0,
  command: Command.CONTROL,
  pool: 0,
  object: 0,
  index: 0,
  flags: 0,
  ...honest,
};
const serveOnce: Step = { do: 'serve', races: [], dieAfter: -1 };
