/**
 * Bugs of the store and of the session that honest guests meet, at once or when a store has died:
 * for the models, the enumeration of death points and the simulator to find.
 *
 * `find` is what the compiler makes of the source.
 */
import type { PlantedBug } from './plant.js';

type Bug = readonly [proof: string, name: string, find: string, replace: string];

const CLIENT: readonly Bug[] = [
  [
    'store-model',
    'a flush is dropped',
    'stats.flushesFound += 1;\n            this.#dropPage(slot);',
    'stats.flushesFound += 1;',
  ],
  [
    'store-model',
    'a duplicate that is refused leaves the old page',
    'stats.duplicatesFlushed += 1;\n        this.#dropPage(old);',
    'stats.duplicatesFlushed += 1;',
  ],
  [
    'store-model',
    'a page that is replaced keeps its slot',
    'this.#dropSlot(old, object);\n            stats.duplicatesReplaced += 1;',
    'stats.duplicatesReplaced += 1;',
  ],
  [
    'store-model',
    'a slot that is freed stays in the quota',
    'this.#freeCount += 1;\n        this.#quota.release();',
    'this.#freeCount += 1;',
  ],
  [
    'store-model',
    'an ephemeral page stays where its get has given its slot away',
    'this.#journal.take(slot);\n            this.#unlinkPage(slot);',
    'this.#journal.take(slot);',
  ],
  [
    'store-model',
    'a pool that goes leaves its pages',
    'for (let object = objects.firstOf(pool); object !== -1;',
    'for (let object = -1; object !== -1;',
  ],
  [
    'crash-points',
    'the older of two pages wins when a store is built anew',
    'if (rival !== -1 && !this.slots.isNewer(slot, rival))',
    'if (rival !== -1 && this.slots.isNewer(slot, rival))',
  ],
  [
    'ring-model',
    'a get is answered with another slot',
    'stats.getsFound += 1;\n        this.gotSlot = slot;',
    'stats.getsFound += 1;\n        this.gotSlot = slot ^ 1;',
  ],
  [
    'crash-points',
    'a put that was carried out is refused when it is carried out again',
    'return there === slot ? Result.SUCCESS : Result.EFAULT;',
    'return Result.EFAULT;',
  ],
  [
    'crash-points',
    'a put that was refused when its store died leaves the old page',
    'this.#dropPage(there);',
    '',
  ],
];

const SESSION: readonly Bug[] = [
  [
    'crash-points',
    'what was under way when a store died is left undone',
    'this.#client.redo(() => this.#serveOne(queue, this.#heads[queue], true));',
    'this.#publishHead(queue);',
  ],
  [
    'crash-points',
    'an operation is carried out again as if it were new',
    'this.#client.redo(() => this.#serveOne(queue, this.#heads[queue], true));',
    'this.#serveOne(queue, this.#heads[queue], false);',
  ],
  [
    'crash-points',
    'a slot whose promise was not counted is lost',
    'this.#client.reclaim(uncounted);',
    '',
  ],
  [
    'crash-points',
    'an answer is told of before it is written',
    'const result = this.#execute();',
    'this.#record.setHead(queue, sequence + 1);\n        const result = this.#execute();',
  ],
  ['simulator', 'a store that sleeps does not say so', 'this.#record.sleepCount |= 1;', ''],
  [
    'simulator',
    'a store that takes over wakes nobody',
    'this.#publishHeader();\n        this.#wakeSleepers();',
    'this.#publishHeader();',
  ],
  [
    'simulator',
    'a store goes to sleep without a last look',
    'if (tail !== this.#heads[queue])\n                return true;',
    '',
  ],
  [
    'simulator',
    'a new life of the guest finds the pages of the last',
    'this.#record.clear();\n        this.#client.reset();',
    'this.#record.clear();',
  ],
  [
    'simulator',
    'a guest that sleeps is not rung for',
    'this.#wakeIfAsleep(queue);\n        return waiting;',
    'return waiting;',
  ],
];

function inFile(file: string, bugs: readonly Bug[]): PlantedBug[] {
  return bugs.map(([proof, name, find, replace]) => ({ proof, name, find, replace, file }));
}

export const HOST_BUGS: readonly PlantedBug[] = [
  ...inFile('emulator/store/client.ts', CLIENT),
  ...inFile('emulator/session/session.ts', SESSION),
];
