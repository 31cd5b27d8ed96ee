/**
 * What a host may say that is not so: hostile words for replies, heads, credits, the header and the
 * bytes of pages, drawn from a seed.
 *
 * Each lie is a function of the seed and of what it is about (the queue and the number of a reply,
 * the number of a grant or a put), so that a seed tells the same lies of the same things again,
 * however guest and host take turns.
 */
import {
  HEADER,
  type Layout,
  PAGE_BYTES,
  REPLY,
  REPLY_SLOT_GRANTED,
  wordsOf,
} from '../../../emulator/protocol/layout.js';
import { Random } from '../random.js';

const header = wordsOf(HEADER);
const reply = wordsOf(REPLY);

/** What is lied about; counted by these names. */
export const LIES = [
  'result',
  'slot',
  'granted',
  'sequence',
  'epoch',
  'reply',
  'early',
  'rewritten',
  'late',
  'head',
  'bell',
  'credit',
  'creditTail',
  'header',
  'page',
] as const;

export type Lie = (typeof LIES)[number];

/** What `Liar.about` is told a thing is. */
export const ABOUT = { identity: 0, reply: 1, credit: 2, page: 3, header: 4 } as const;

/** Whether to lie about a thing, when `share` of its kind are lied about. */
export function lies(random: Random, share: number): boolean {
  return share > 0 && random.below(1 << 16) < share * (1 << 16);
}

/** Results that a reply may carry, honest or not, and some that none does. */
const RESULTS = [0, 1, 2, -1, -5, -12, -19, -28, -38, -95, -110, 64, 1 << 30, ~0 << 31];

/** Words of the header that are the host's. */
function hostWords(layout: Layout): number[] {
  return layout.fields
    .filter(({ writer }) => writer === 'host')
    .map(({ offset }) => offset / 4)
    .filter((word) => word !== header.credit_tail);
}

export const HOST_WORDS: readonly number[] = hostWords(HEADER);

/** Those that stay as they are while a machine is connected: PROTOCOL.md section 3. */
export const IDENTITY_WORDS = HOST_WORDS.filter((word) => word < header.host_state);

/** Numbers that are at the edge of something. */
export function edge(random: Random, near: number): number {
  const edges = [0, 1, near - 1, near, near + 1, 2 * near, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
  return random.oneIn(3) ? random.next() : random.pick(edges) >>> 0;
}

/** The lies of one seed. */
export class Liar {
  readonly #seed: number;
  readonly #slotCount: number;

  constructor(seed: number, slotCount: number) {
    this.#seed = seed;
    this.#slotCount = slotCount;
  }

  /** Draws for one thing that may be lied about. */
  about(kind: number, a: number, b = 0): Random {
    const mixed = Math.imul(a ^ 0x9e37_79b9, 0x85eb_ca6b) ^ Math.imul(b + kind, 0xc2b2_ae35);
    return new Random(this.#seed ^ mixed ^ (mixed >>> 15));
  }

  /**
   * Makes the four words of an honest reply false. `soft`: of a page that somebody swaps, whose
   * loading waits and asks again after most lies: rather one that is found out at once.
   */
  reply(random: Random, words: Int32Array, soft: boolean): Lie {
    const kind = soft && !random.oneIn(8) ? 1 : random.below(6);
    switch (kind) {
      case 0:
        words[reply.result] = this.#otherThan(words[reply.result]!, random.pick(RESULTS));
        return 'result';
      case 1:
        words[reply.slot] = soft
          ? this.#otherThan(words[reply.slot]!, random.below(this.#slotCount))
          : edge(random, this.#slotCount);
        return 'slot';
      case 2:
        words[reply.slot] = REPLY_SLOT_GRANTED | edge(random, this.#slotCount);
        return 'granted';
      case 3:
        words[reply.sequence] = this.#otherThan(words[reply.sequence]!, edge(random, words[2]!));
        return 'sequence';
      case 4:
        words[reply.epoch] = this.#otherThan(words[reply.epoch]!, edge(random, words[3]!));
        return 'epoch';
      default:
        for (let word = 0; word < words.length; word += 1) words[word] = random.next();
        return 'reply';
    }
  }

  #otherThan(truth: number, lie: number): number {
    return (lie | 0) === truth ? truth + 1 : lie;
  }

  /** A head that is not `truth`. */
  head(random: Random, truth: number, entries: number): number {
    const ahead = 1 + random.below(entries / 4);
    return (truth + random.pick([ahead, -ahead, entries, entries + 1, random.next()])) >>> 0;
  }

  /** A slot for the credit ring, of which some look like honest ones. */
  credit(random: Random): number {
    return random.oneIn(2) ? random.below(this.#slotCount) : edge(random, this.#slotCount);
  }

  creditTail(random: Random, truth: number, entries: number): number {
    return (truth + random.pick([-1, -entries, entries + 1, 0x8000_0000, random.next()])) >>> 0;
  }

  /** A word of the host's in the header, and what it shall say. */
  header(random: Random): { readonly word: number; readonly value: number } {
    return { word: random.pick(HOST_WORDS), value: edge(random, this.#slotCount) };
  }

  /** The header as a guest finds it that attaches for the nth time: some words are false. */
  identity(nth: number, words: Int32Array): void {
    const random = this.about(ABOUT.identity, nth);
    for (let lies = 1 + random.below(3); lies > 0; lies -= 1) {
      const word = random.pick(IDENTITY_WORDS);
      const truth = words[word]!;
      const small = random.pick([truth * 2, truth / 2, truth + 1, truth - 1, truth ^ 64]);
      words[word] = random.oneIn(2) ? small : edge(random, truth);
    }
  }

  /** Spoils a page: `at(slot)` gives the bytes of a slot. */
  page(random: Random, slot: number, at: (slot: number) => Uint8Array): void {
    const bytes = at(slot);
    const other = at(random.below(this.#slotCount));
    const half = PAGE_BYTES / 2;
    switch (random.below(5)) {
      case 0:
        bytes[random.below(PAGE_BYTES)]! ^= 1 << random.below(8);
        break;
      case 1:
        bytes.fill(0);
        break;
      case 2:
        bytes.set(other);
        break;
      case 3:
        bytes.set(other.subarray(half), half);
        break;
      default:
        bytes.copyWithin(0, 8);
    }
  }
}
