/**
 * Slot, object and page tables against plain maps: long random runs in small tables, so that probe
 * chains collide, wrap around the end and are shifted back.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { objectId } from './client.js';
import { OBJECT_ID_WORDS, ObjectTable } from './object-table.js';
import { PageIndex } from './page-index.js';
import { SlotState, SlotTable } from './slot-table.js';

function slotTable(count: number): SlotTable {
  return new SlotTable(new Int32Array(SlotTable.bytesFor(count) / 4), count);
}

function objectWords(capacity: number): Int32Array {
  return new Int32Array(ObjectTable.bytesFor(capacity) / 4);
}

describe('SlotTable', () => {
  it('keeps a record whole, its index unsigned', () => {
    const slots = slotTable(4);
    slots.commit(2, 7, 0xffff_fffe, -1);
    expect(slots.state(2)).toBe(SlotState.USED);
    expect([slots.object(2), slots.index(2)]).toEqual([7, 0xffff_fffe]);
    expect(slots.state(1)).toBe(SlotState.FREE);
    expect(slots.state(3)).toBe(SlotState.FREE);
    slots.setState(2, SlotState.GRANTED);
    expect(slots.state(2)).toBe(SlotState.GRANTED);
  });

  it('writes the state last: until then the record reads as it was before', () => {
    const words = new Int32Array(SlotTable.bytesFor(1) / 4);
    const writes: string[] = [];
    const watched = new Proxy(words, {
      get: (target, key) => Reflect.get(target, key, target),
      set: (target, key, value) => {
        writes.push(`word ${String(key)}, state ${target[0]}`);
        return Reflect.set(target, key, value, target);
      },
    });
    // The last store is atomic, which a proxy cannot carry: it throws after all plain stores.
    expect(() => new SlotTable(watched, 1).commit(0, 1, 2, -1)).toThrow(TypeError);
    expect(writes).toEqual(['word 1, state 0', 'word 2, state 0', 'word 3, state 0']);
  });

  it('knows which of two records of a page is the newer, however often it was replaced', () => {
    const words = new Int32Array(SlotTable.bytesFor(2) / 4);
    const slots = new SlotTable(words, 2);
    for (const version of [0, 0x7fff_fffe, 0x7fff_ffff, -0x8000_0000, -1]) {
      slots.commit(0, 1, 2, -1);
      words[3] = version;
      slots.commit(1, 1, 2, 0);
      expect([slots.isNewer(1, 0), slots.isNewer(0, 1)]).toEqual([true, false]);
    }
  });

  it('refuses memory that is too small', () => {
    expect(() => new SlotTable(new Int32Array(15), 4)).toThrow(RangeError);
  });
});

describe('ObjectTable', () => {
  it('tells ids apart by each of their words, and by the pool', () => {
    const objects = new ObjectTable(objectWords(16), 16);
    const base = objectId(1, 2, 3, 4, 5, 6);
    const made = objects.create(3, base);
    expect(objects.find(3, base)).toBe(made);
    expect(objects.find(2, base)).toBe(-1);
    for (let word = 0; word < OBJECT_ID_WORDS; word += 1) {
      const near = base.slice();
      near[word]! ^= 0x8000_0000;
      expect(objects.find(3, near)).toBe(-1);
    }
  });

  it('is full at its capacity, and not before', () => {
    const objects = new ObjectTable(objectWords(3), 3);
    const made = [0, 1, 2].map((id) => objects.create(0, objectId(id)));
    expect(new Set(made).size).toBe(3);
    expect(objects.create(0, objectId(9))).toBe(-1);
    objects.remove(made[1]!);
    expect(objects.size).toBe(2);
    expect(objects.create(0, objectId(9))).toBe(made[1]);
  });

  it('works with room for a single object', () => {
    const objects = new ObjectTable(objectWords(1), 1);
    expect(objects.find(0, objectId(0))).toBe(-1);
    expect(objects.create(0, objectId(0))).toBe(0);
    expect(objects.find(0, objectId(0))).toBe(0);
    expect(objects.find(0, objectId(1))).toBe(-1);
  });

  it('refuses memory that is too small', () => {
    expect(() => new ObjectTable(new Int32Array(8), 2)).toThrow(RangeError);
  });
});

describe('ObjectTable, at random', () => {
  it('does as a map does, and again after it is built anew from its records', () => {
    const step = fc.record({ pool: fc.nat(2), id: fc.nat(11), rebuild: fc.nat(30) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 50, maxLength: 200, size: 'max' }), (steps) => {
        const memory = objectWords(8);
        let objects = new ObjectTable(memory, 8);
        const model = new Map<string, number>();
        for (const { pool, id, rebuild } of steps) {
          const key = `${pool}/${id}`;
          const oid = objectId(id, 0, id);
          const known = model.get(key);
          expect(objects.find(pool, oid)).toBe(known ?? -1);
          if (known === undefined) {
            const made = objects.create(pool, oid);
            expect(made === -1).toBe(model.size === 8);
            if (made !== -1) model.set(key, made);
          } else {
            objects.remove(known);
            model.delete(key);
          }
          if (rebuild === 0) objects = new ObjectTable(memory, 8);
          expect(objects.size).toBe(model.size);
          const ofPool = [...model].filter(([other]) => other.startsWith(`${pool}/`));
          const first = objects.firstOf(pool);
          expect(first === -1).toBe(ofPool.length === 0);
          if (first !== -1) expect(ofPool.map(([, object]) => object)).toContain(first);
        }
        for (const [key, object] of model) {
          const [pool, id] = key.split('/').map(Number);
          expect(objects.find(pool!, objectId(id!, 0, id!))).toBe(object);
          expect(objects.poolOf(object)).toBe(pool);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe('PageIndex', () => {
  it('does as a map does: every page is found after every removal', () => {
    const step = fc.record({ object: fc.nat(3), index: fc.nat(7), high: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { minLength: 50, maxLength: 200, size: 'max' }), (steps) => {
        const slots = slotTable(16);
        const pages = new PageIndex(slots);
        const model = new Map<string, number>();
        const free = Array.from({ length: 16 }, (_, slot) => slot);
        for (const step of steps) {
          const { object } = step;
          const index = step.high ? 0xffff_fff0 + step.index : step.index;
          const key = `${object}/${index}`;
          const known = model.get(key);
          if (known !== undefined) {
            pages.remove(object, index);
            model.delete(key);
            free.push(known);
          } else if (free.length > 0) {
            const slot = free.pop()!;
            slots.commit(slot, object, index, -1);
            pages.set(object, index, slot);
            model.set(key, slot);
          }
          expect(pages.find(object, index)).toBe(model.get(key) ?? -1);
          const lost = [...model].filter(([other, slot]) => {
            const [from, at] = other.split('/').map(Number);
            return pages.find(from!, at!) !== slot;
          });
          expect(lost).toEqual([]);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('points a page at another slot in place', () => {
    const slots = slotTable(4);
    const pages = new PageIndex(slots);
    slots.commit(0, 5, 9, -1);
    pages.set(5, 9, 0);
    slots.commit(3, 5, 9, 0);
    pages.set(5, 9, 3);
    expect(pages.find(5, 9)).toBe(3);
    pages.remove(5, 9);
    expect(pages.find(5, 9)).toBe(-1);
  });
});
