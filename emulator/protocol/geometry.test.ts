/** Every geometry that the host can make passes the guest's checks; every other size is refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SharedRegion } from '../transport/region.js';
import { computeGeometry, GeometryError, isPowerOfTwo } from './geometry.js';
import { PAGE_BYTES } from './layout.js';

const MIB = 2 ** 20;

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof GeometryError) return error.code;
  }
  return 'none';
}

describe('computeGeometry', () => {
  it.each([
    ['region no power of two', { regionBytes: 3 * MIB }],
    ['region below 1 MiB', { regionBytes: MIB / 2 }],
    ['region above 4 GiB', { regionBytes: 8192 * MIB }],
    ['region 0', { regionBytes: 0 }],
    ['region negative', { regionBytes: -MIB }],
    ['region not a number', { regionBytes: Number.NaN }],
    ['region infinite', { regionBytes: Number.POSITIVE_INFINITY }],
    ['no queue', { regionBytes: MIB, queueCount: 0 }],
    ['three queues', { regionBytes: MIB, queueCount: 3 }],
    ['128 queues', { regionBytes: 64 * MIB, queueCount: 128 }],
    ['half a queue', { regionBytes: MIB, queueCount: 0.5 }],
    ['8 entries', { regionBytes: MIB, queueEntries: 8 }],
    ['8192 entries', { regionBytes: MIB, queueEntries: 8192 }],
    ['100 entries', { regionBytes: MIB, queueEntries: 100 }],
    ['queues that leave no slot', { regionBytes: MIB, queueCount: 64, queueEntries: 4096 }],
  ])('refuses %s', (_what, options) => {
    expect(codeOf(() => computeGeometry(options))).toBe('GEOMETRY_INVALID');
  });

  it('says what is wrong and what to do', () => {
    expect(() => computeGeometry({ regionBytes: 3 })).toThrow(/1048576 to 4294967296; choose/);
  });

  it('takes the smallest and the largest', () => {
    expect(computeGeometry({ regionBytes: MIB }).slotCount).toBeGreaterThan(1);
    expect(computeGeometry({ regionBytes: 4096 * MIB }).creditEntries).toBe(MIB);
  });

  it('lays out header, queues, ring and slots in that order, with no overlap', () => {
    const regionBytes = fc.integer({ min: 20, max: 32 }).map((bits) => 2 ** bits);
    const queueCount = fc.integer({ min: 0, max: 6 }).map((bits) => 2 ** bits);
    const queueEntries = fc.integer({ min: 4, max: 12 }).map((bits) => 2 ** bits);
    fc.assert(
      fc.property(fc.record({ regionBytes, queueCount, queueEntries }), (options) => {
        if (codeOf(() => computeGeometry(options)) !== 'none') return;
        const made = computeGeometry(options);
        const queueBytes = 256 + 80 * made.queueEntries;
        expect(made.queueOffset).toBe(PAGE_BYTES);
        expect(made.queueStride).toBeGreaterThanOrEqual(queueBytes);
        expect(made.queueStride % 64).toBe(0);
        const queuesEnd = made.queueOffset + made.queueCount * made.queueStride;
        expect(made.creditOffset).toBeGreaterThanOrEqual(queuesEnd);
        const ringEnd = made.creditOffset + 4 * made.creditEntries;
        expect(made.slotPage * PAGE_BYTES).toBeGreaterThanOrEqual(ringEnd);
        expect((made.slotPage + made.slotCount) * PAGE_BYTES).toBe(made.regionBytes);
        expect(made.creditEntries).toBeGreaterThanOrEqual(made.slotCount);
        expect(isPowerOfTwo(made.creditEntries)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe('isPowerOfTwo', () => {
  it('is exact from 1 to 2^52', () => {
    for (let bits = 0; bits <= 52; bits += 1) {
      expect(isPowerOfTwo(2 ** bits)).toBe(true);
      if (bits > 1) expect(isPowerOfTwo(2 ** bits - 1) || isPowerOfTwo(2 ** bits + 1)).toBe(false);
    }
    for (const bad of [0, -1, -2, 0.5, 1.5, Number.NaN]) expect(isPowerOfTwo(bad)).toBe(false);
  });
});

describe('SharedRegion', () => {
  it('copies pages in and out of slots, and words as they are', () => {
    const region = new SharedRegion(new ArrayBuffer(8 * PAGE_BYTES));
    const page = new Uint8Array(PAGE_BYTES).map((_, at) => at * 7);
    region.copyPageIn(2, 3, page);
    const back = new Uint8Array(PAGE_BYTES);
    region.copyPageOut(2, 3, back);
    expect(back).toEqual(page);
    region.store(8, 0xffff_fffe);
    expect(region.load(8)).toBe(0xffff_fffe);
    expect(region.load(4)).toBe(0);
    const words = new Int32Array(3);
    region.copyWords(4, words);
    expect([...words]).toEqual([0, -2, 0]);
    region.scrub();
    expect(region.words.every((word) => word === 0)).toBe(true);
  });
});
