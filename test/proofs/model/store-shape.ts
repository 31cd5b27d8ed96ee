/**
 * What a life of the store's is like: how many slots, which keys, which operations how often.
 *
 * Shapes are there to reach what a uniform choice does not: a store of one slot, more objects than
 * its table has room for, keys that collide in the hash tables, numbers at either end of their
 * range.
 */
import { objectId } from '../../../emulator/store/client.js';
import { OBJECT_ID_WORDS, type ObjectId } from '../../../emulator/store/object-table.js';
import type { Random } from '../random.js';

export interface Shape {
  readonly slots: number;
  readonly objects: readonly ObjectId[];
  readonly indices: readonly number[];
  /** How often each operation comes, in Op's order. */
  readonly weights: readonly number[];
  /** Puts before all else, each of an object of its own. */
  readonly fill: number;
  /** One put in so many is refused; 0: none. */
  readonly refuses: number;
  /** Numbers of pools, most of which exist. */
  readonly pools: readonly number[];
  /** What hashes are made of: fewer bits, more keys that collide. */
  readonly hashMask: number;
}

const MANY = 70_000;
const EXTREMES = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];
const POOLS = [0, 0, 0, 0, 1, 1, 1, 2, 2, 3];
const WRONG_POOLS = [-1, -0x8000_0000, 0x7fff_ffff, 64, 63];

function dense(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}

function scattered(random: Random, count: number): number[] {
  return Array.from({ length: count }, () => random.next());
}

function denseIds(count: number): ObjectId[] {
  return dense(count).map((at) => objectId(at));
}

function scatteredIds(random: Random, count: number): ObjectId[] {
  return dense(count).map(() => objectId(...scattered(random, OBJECT_ID_WORDS)));
}

function extremeIds(): ObjectId[] {
  const ids = [objectId(), objectId(...new Array(OBJECT_ID_WORDS).fill(-1))];
  for (let word = 0; word < OBJECT_ID_WORDS; word += 1) {
    for (const value of [1, 0x8000_0000]) {
      const id = objectId();
      id[word] = value | 0;
      ids.push(id);
    }
  }
  return ids;
}

const ORDINARY = [90, 70, 20, 3, 6, 0.5, 10, 5, 4, 1, 0.1];
/** All that looks at each slot or object of a large store is rare. */
const LARGE = [90, 60, 25, 0.3, 0.1, 0.01, 10, 5, 0.1, 0.01, 0];

const ordinary = {
  slots: 24,
  weights: ORDINARY,
  fill: 0,
  refuses: 16,
  pools: [...POOLS, 4],
  hashMask: -1,
};

type Draw = (random: Random) => Shape;

const SHAPES: readonly Draw[] = [
  () => ({ ...ordinary, objects: denseIds(4), indices: [...dense(4), ...EXTREMES] }),
  (random) => ({
    ...ordinary,
    slots: 1 + random.below(4),
    objects: denseIds(3),
    indices: dense(2),
    pools: [...POOLS, ...WRONG_POOLS],
  }),
  (random) => ({
    ...ordinary,
    slots: 300,
    objects: [...extremeIds(), ...scatteredIds(random, 40)],
    indices: [...EXTREMES, ...scattered(random, 40)],
    refuses: 0,
  }),
  // One object, as a swap device has it: a dense range.
  () => ({ ...ordinary, slots: 4096, objects: denseIds(1), indices: dense(6000), weights: LARGE }),
  // Full tables whose keys fall into few places, at the end of them and on.
  (random) => ({
    ...ordinary,
    slots: 256,
    objects: scatteredIds(random, 300),
    indices: [0, 0xffff_ffff],
    refuses: 0,
    hashMask: 0x182,
  }),
  // Many small pools that come and go, up to the last there may be.
  () => ({
    ...ordinary,
    slots: 64,
    objects: denseIds(2),
    indices: dense(3),
    weights: [60, 40, 20, 4, 20, 5, 10, 5, 2, 1, 0.1],
    pools: [...dense(64), ...WRONG_POOLS],
  }),
  (random) => ({
    ...ordinary,
    slots: 2048,
    objects: scatteredIds(random, 3000),
    indices: [0, 0xffff_ffff],
    weights: LARGE,
  }),
  // More slots than there may be objects: the table of objects fills up first.
  (random) => ({
    ...ordinary,
    slots: MANY,
    objects: scatteredIds(random, MANY),
    indices: [0, 0, 0, 0, 0xffff_ffff],
    weights: [90, 60, 25, 3, 0.1, 0, 10, 5, 0.1, 0.01, 0],
    fill: 68_000,
    refuses: 64,
    pools: [0, 0, 0, 0, 0, 0, 0, 1],
  }),
];

/** Another for each life, each kind in turn. */
export function drawShape(life: number, random: Random): Shape {
  return SHAPES[life % SHAPES.length]!(random);
}
