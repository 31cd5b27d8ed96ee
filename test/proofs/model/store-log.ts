/**
 * The last operations of a store's life, kept for when an answer differs; and how a life's next
 * operation is drawn.
 */

/** Operations, in the order of a shape's weights. */
export const Op = {
  PUT: 0,
  GET: 1,
  FLUSH_PAGE: 2,
  FLUSH_OBJECT: 3,
  NEW_POOL: 4,
  DESTROY_POOL: 5,
  GRANT: 6,
  RECLAIM: 7,
  QUOTA: 8,
  RESTART: 9,
  RESET: 10,
} as const;

const FORMS: Readonly<Record<number, (words: Float64Array) => string>> = {
  [Op.PUT]: ([, pool, object, index, slot, result]) =>
    `put ${pool}/${object}/${index} from slot ${slot}: ${result}`,
  [Op.GET]: ([, pool, object, index, slot, result]) =>
    `get ${pool}/${object}/${index}: ${result}, slot ${slot}`,
  [Op.FLUSH_PAGE]: ([, pool, object, index, , result]) =>
    `flush ${pool}/${object}/${index}: ${result}`,
  [Op.FLUSH_OBJECT]: ([, pool, object, , , result]) => `flush object ${pool}/${object}: ${result}`,
  [Op.NEW_POOL]: ([, flags, , , , result]) => `new pool, flags 0x${flags!.toString(16)}: ${result}`,
  [Op.DESTROY_POOL]: ([, pool, , , , result]) => `destroy pool ${pool}: ${result}`,
  [Op.GRANT]: ([, mayEvict, , , slot]) => `grant${mayEvict ? ', may evict' : ''}: slot ${slot}`,
  [Op.RECLAIM]: ([, , , , slot]) => `reclaim slot ${slot}`,
  [Op.QUOTA]: ([, limit]) => `quota ${limit}`,
  [Op.RESTART]: ([, keep]) => `restart${keep ? '' : ', promised slots taken back'}`,
  [Op.RESET]: () => 'reset',
};

/** Throws there are: 16 bits. */
const DICE = 2 ** 16;
const ENTRIES = 12;
const WORDS = 6;

/** Each throw's operation, by weight. */
export function diceOf(weights: readonly number[]): Uint8Array {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const dice = new Uint8Array(DICE).fill(Op.PUT);
  let at = DICE;
  for (const [operation, weight] of weights.entries()) {
    if (operation === Op.PUT) continue;
    const from = at - Math.ceil((weight / sum) * DICE);
    dice.fill(operation, from, at);
    at = from;
  }
  return dice;
}

/** What differs, and the operations that led there. */
export class Divergence extends Error {
  override readonly name = 'Divergence';
}

export class OperationLog {
  readonly #words = new Float64Array(ENTRIES * WORDS);
  #count = 0;

  /** Operations so far. */
  get count(): number {
    return this.#count;
  }

  /** The last operation as it was added. */
  get last(): [number, number, number, number, number, number] {
    const at = ((this.#count - 1) % ENTRIES) * WORDS;
    const words = this.#words.subarray(at, at + WORDS);
    return [...words] as [number, number, number, number, number, number];
  }

  /** Six numbers, of which each operation has meanings of its own (FORMS). */
  add(
    operation: number,
    pool: number,
    object: number,
    index: number,
    slot: number,
    result: number,
  ): void {
    const at = (this.#count % ENTRIES) * WORDS;
    const words = this.#words;
    words[at] = operation;
    words[at + 1] = pool;
    words[at + 2] = object;
    words[at + 3] = index;
    words[at + 4] = slot;
    words[at + 5] = result;
    this.#count += 1;
  }

  /** @throws Divergence */
  diverge(what: string): never {
    const lines: string[] = [];
    for (let entry = Math.max(0, this.#count - ENTRIES); entry < this.#count; entry += 1) {
      const at = (entry % ENTRIES) * WORDS;
      const words = this.#words.subarray(at, at + WORDS);
      lines.push(FORMS[words[0]!]!(words));
    }
    throw new Divergence(`${what}; the last operations:\n    ${lines.join('\n    ')}`);
  }
}
