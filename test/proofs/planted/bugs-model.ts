/**
 * Bugs of the store's tables and of what a session answers, for the models to find.
 *
 * `find` is what the compiler makes of the source.
 */
import type { PlantedBug } from './plant.js';

type Bug = readonly [file: string, name: string, find: string, replace: string];

const STORE: readonly Bug[] = [
  [
    'quota.ts',
    'one page more than the quota is taken',
    'if (this.#taken >= this.#limit)',
    'if (this.#taken > this.#limit)',
  ],
  [
    'object-table.ts',
    'an object is found in another pool',
    'words[at] === pool + 1 &&',
    'words[at] !== 0 &&',
  ],
  [
    'object-table.ts',
    'a full table of objects takes one more',
    'if (this.#freeCount === 0)',
    'if (this.#freeCount === -1)',
  ],
  [
    'page-index.ts',
    'a page behind one that was removed is lost',
    '>= ((probe - hole) & mask)) {',
    '> ((probe - hole) & mask)) {',
  ],
  [
    'client.ts',
    'a page is evicted and its slot taken whatever the quota says',
    'this.#evict() && this.#quota.tryTake()',
    'this.#evict()',
  ],
  [
    'client.ts',
    'a pool is made again when its making is carried out again',
    'return made === -1 ? this.#pools.create(flags, uuid, serial) : made;',
    'return this.#pools.create(flags, uuid, serial);',
  ],
];

const SESSION: readonly Bug[] = [
  [
    'session.ts',
    'a get does not say that the slot is the guest’s',
    '(this.#client.gotExclusive ? REPLY_SLOT_GRANTED : 0)',
    '0',
  ],
  [
    'session.ts',
    'a store that takes over mixes up the queues',
    'this.#heads[queue] = record.head(queue);',
    'this.#heads[queue] = record.head(0);',
  ],
  [
    'session.ts',
    'a credit is written one place too far',
    '(record.creditTail & (creditEntries - 1))] = slot;',
    '((record.creditTail + 1) & (creditEntries - 1))] = slot;',
  ],
];

function foundBy(proof: string, folder: string, bugs: readonly Bug[]): PlantedBug[] {
  return bugs.map(([file, name, find, replace]) => ({
    proof,
    name,
    find,
    replace,
    file: `${folder}/${file}`,
  }));
}

export const MODEL_BUGS: readonly PlantedBug[] = [
  ...foundBy('store-model', 'emulator/store', STORE),
  ...foundBy('ring-model', 'emulator/session', SESSION),
];
