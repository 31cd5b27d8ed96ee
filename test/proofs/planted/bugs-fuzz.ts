/**
 * Bugs that the proof `fuzz` must find: a check of a guest's word that is not there, a word of the
 * host's that is read back from where the guest can write, a count that goes wrong.
 *
 * `find` is what the compiler makes of the source.
 */
import type { PlantedBug } from './plant.js';

type Bug = readonly [name: string, find: string, replace: string];

const SESSION: readonly Bug[] = [
  [
    "a descriptor's sequence is not looked at",
    'if (copy[descriptor.sequence] >>> 0 !== sequence)',
    'if (false)',
  ],
  [
    'a descriptor of another life is carried out',
    'if (copy[descriptor.epoch] >>> 0 !== this.#guestEpoch)',
    'if (false)',
  ],
  [
    "a put of a slot that is not the guest's is answered, and no fault",
    'if (result === Result.EFAULT)',
    'if (false)',
  ],
  [
    'a tail may be any number of descriptors ahead',
    'if (waiting > this.#geometry.queueEntries) {',
    'if (false) {',
  ],
  [
    'a credit head may be anywhere',
    'if ((this.#record.creditTail - head) >>> 0 > this.#geometry.creditEntries) {',
    'if (false) {',
  ],
  [
    'one that is cut off has its other queues served',
    'if (this.#faulted)\n                return served;',
    '',
  ],
  [
    'a guest is cut off again for each bad frame',
    'if (this.#faulted || this.#askedEpoch() !== this.#guestEpoch)',
    'if (this.#askedEpoch() !== this.#guestEpoch)',
  ],
  [
    'the head is read back from where the guest can write',
    'const head = this.#heads[queue];',
    'const head = Atomics.load(this.#words, this.#queueWord(queue, queueControl.head)) >>> 0;',
  ],
  [
    'the credit tail is read back from where the guest can write',
    'const before = record.creditTail;',
    'const before = Atomics.load(this.#words, header.credit_tail) >>> 0;',
  ],
  [
    'a sequence is checked where the guest can still change it',
    'if (copy[descriptor.sequence] >>> 0 !== sequence)',
    'if (words[from + descriptor.sequence] >>> 0 !== sequence)',
  ],
  ['a reply tells a slot of the get before', 'client.gotSlot = -1;', ''],
  [
    'the guest is rung at each look while it sleeps',
    'if ((sleep & 1) === 0 || sleep === this.#rung[queue])',
    'if ((sleep & 1) === 0)',
  ],
  [
    'a wake-up is lost: the host sleeps beside work',
    'if (tail !== this.#heads[queue])',
    'if (false)',
  ],
  ['the host sleeps and does not say so', 'this.#record.sleepCount |= 1;', ''],
  ['a control operation is an unknown one', 'return Result.EOPNOTSUPP;', 'return Result.ENOSYS;'],
  ["the next machine finds the last one's bytes", 'this.#options.region.scrub();', ''],
];

const STORE: readonly Bug[] = [
  ['any slot number is taken', 'if (!(slot >= 0 && slot < this.slots.count))', 'if (false)'],
  [
    'a free slot may be put',
    'if (this.slots.state(slot) !== SlotState.GRANTED) {',
    'if (this.slots.state(slot) === SlotState.USED) {',
  ],
  [
    'a slot with a page may be put',
    'if (this.slots.state(slot) !== SlotState.GRANTED) {',
    'if (this.slots.state(slot) === SlotState.FREE) {',
  ],
  [
    'a pool is destroyed twice',
    'if (!this.#pools.isLive(pool))\n            return Result.MISS;',
    '',
  ],
  [
    'a refused duplicate leaves the old page',
    'stats.duplicatesFlushed += 1;',
    'stats.duplicatesFlushed += 1;\n        if (old !== -1) return Result.ENOSPC;',
  ],
  ['a duplicate put keeps the old slot', 'this.#dropSlot(old, object);', ''],
  [
    'an exclusive get does not count its credit',
    'this.slots.setState(slot, SlotState.GRANTED);\n            this.#grantedCount += 1;',
    'this.slots.setState(slot, SlotState.GRANTED);',
  ],
  [
    'a persistent page is evicted',
    'if (this.#pools.isPersistent(pool))\n                continue;',
    '',
  ],
  [
    'grants know no quota',
    'if (!this.#quota.tryTake()) {',
    'this.#quota.take();\n        if (false) {',
  ],
  ['the quota is not given back', 'this.#quota.release();', ''],
  [
    'an end of a life keeps the credits',
    'if (this.slots.state(slot) === SlotState.GRANTED)',
    'if (false)',
  ],
  [
    'a page goes from the front of a list and takes the rest along',
    'this.#objects.firstSlots[object] = next;\n        else\n            this.#next[previous] = next;',
    'this.#objects.firstSlots[object] = next;',
  ],
];

const POOLS: readonly Bug[] = [
  [
    'a pool id below 0 is looked up',
    'return (pool >= 0 && pool < POOL_COUNT_MAX',
    'return (pool < POOL_COUNT_MAX',
  ],
  [
    'a pool id past the last is looked up',
    'return (pool >= 0 && pool < POOL_COUNT_MAX',
    'return (pool >= 0',
  ],
  [
    'a pool may be shared and persistent',
    'return persistent && shared ? Result.EPERM : Result.SUCCESS;',
    'return Result.SUCCESS;',
  ],
];

const LINK: readonly Bug[] = [
  [
    'a frame may acknowledge what was never sent',
    'if (words.length < queues || open > queueEntries || ahead > open) {',
    'if (words.length < queues || open > queueEntries) {',
  ],
  [
    'a frame may be short of acknowledgements',
    'if (words.length < queues || open > queueEntries || ahead > open) {',
    'if (open > queueEntries || ahead > open) {',
  ],
  [
    'a page may come with anything',
    'if (end > words.length || queue >= this.#sent.length || !agrees) {',
    'if (end > words.length || queue >= this.#sent.length) {',
  ],
  [
    'a frame may end within an item',
    'if (end > words.length || queue >= this.#sent.length || !agrees) {',
    'if (queue >= this.#sent.length || !agrees) {',
  ],
  [
    'a frame may name any queue',
    'if (end > words.length || queue >= this.#sent.length || !agrees) {',
    'if (end > words.length || !agrees) {',
  ],
  ['a descriptor is taken again', 'if (ahead !== 0)', 'if (ahead > 0)'],
  [
    "a link's queue takes more than it has places",
    'if (waiting >= this.#options.geometry.queueEntries || slot === undefined) {',
    'if (slot === undefined) {',
  ],
  ['a slot is the number that the guest sent', 'this.#words[to + descriptor.slot] = slot;', ''],
  [
    'a frame of another life is taken in',
    'if (frame.epoch !== this.#epoch || this.#epoch === 0)',
    'if (this.#epoch === 0)',
  ],
];

const FRAMES: readonly Bug[] = [
  [
    'a header of any length is one',
    'if (length > FRAME_PAYLOAD_MAX || length % 4 !== 0)',
    'if (false)',
  ],
  [
    'a damaged payload is taken',
    'payloadChecksum(this.#bytes, this.#start, length) === expected',
    'true',
  ],
  [
    'a damaged payload is looked through however much of it there is',
    'this.#spend(length) ? 1 : FRAME.bytes + length',
    '1',
  ],
];

function bugsIn(file: string, bugs: readonly Bug[]): PlantedBug[] {
  return bugs.map(([name, find, replace]) => ({ name, file, find, replace, proof: 'fuzz' }));
}

export const FUZZ_BUGS: readonly PlantedBug[] = [
  ...bugsIn('emulator/session/session.ts', SESSION),
  ...bugsIn('emulator/store/client.ts', STORE),
  ...bugsIn('emulator/store/pool-table.ts', POOLS),
  ...bugsIn('emulator/transport/link-host.ts', LINK),
  ...bugsIn('emulator/transport/frame.ts', FRAMES),
];
