/**
 * The judge of the native client's log: what it must find, and what it must not.
 */
import { describe, expect, it } from 'vitest';
import { judgeLog, pausesMs, percentile } from './log.js';

const [PUT, GET, FLUSH, WAIT] = [0, 1, 2, 3];
const UNKNOWN = 0xffff_ffff;

/** A record as struct record of load.h has it. */
interface Row {
  readonly begin: number;
  readonly end: number;
  readonly kind: number;
  readonly key?: number;
  readonly value?: number;
  readonly result?: number;
}

function log(...rows: readonly Row[]): Uint8Array {
  const bytes = new Uint8Array(rows.length * 32);
  const view = new DataView(bytes.buffer);
  for (const [at, { begin, end, kind, key = 40, value = 0, result = 0 }] of rows.entries()) {
    view.setBigUint64(at * 32, BigInt(begin), true);
    view.setBigUint64(at * 32 + 8, BigInt(end), true);
    for (const [word, number] of [kind, key, value, result].entries()) {
      view.setUint32(at * 32 + 16 + word * 4, number!, true);
    }
  }
  return bytes;
}

const put = (begin: number, end: number, value: number, result = 1): Row => {
  return { begin, end, kind: PUT!, value, result };
};
const get = (begin: number, end: number, result: number): Row => {
  return { begin, end, kind: GET!, result };
};

describe('a log', () => {
  it('in any order of its records is read by their times', () => {
    const good = log(get(30, 40, 2), put(0, 10, 1), get(50, 60, 2), put(15, 20, 2));
    expect(judgeLog(good)).toEqual({ operations: 4, problems: [], waits: [] });
  });

  it.each([
    ['an older page', [put(0, 10, 1), put(15, 20, 2), get(30, 40, 1)]],
    ['a page that was refused', [put(0, 10, 1, 0), get(30, 40, 1)]],
    ['none of a page that was kept', [put(0, 10, 1), get(30, 40, 0)]],
    ['a flushed page', [put(0, 10, 1), { begin: 12, end: 14, kind: FLUSH! }, get(30, 40, 1)]],
  ])('in which a get sees %s is a problem', (_name, rows) => {
    expect(judgeLog(log(...rows)).problems).toEqual([expect.stringContaining('shared key 40')]);
  });

  it('lets a page of the ephemeral pool vanish, and be taken once', () => {
    const key = 3;
    const rows = [put(0, 10, 1), get(20, 30, 0), put(40, 50, 2), get(60, 70, 2)];
    const ephemeral = rows.map((row) => ({ ...row, key }));
    expect(judgeLog(log(...ephemeral)).problems).toEqual([]);
    const twice = [...ephemeral, { ...get(80, 90, 2), key }];
    expect(judgeLog(log(...twice)).problems).toHaveLength(1);
  });

  it('lets a put without an answer happen late, or never', () => {
    const late = [put(0, 10, 1), put(20, 30, 2, UNKNOWN), get(40, 50, 1), get(60, 70, 2)];
    expect(judgeLog(log(...late)).problems).toEqual([]);
    expect(judgeLog(log(...late, get(80, 90, 1))).problems).toHaveLength(1);
  });
});

describe('the pause of a kill', () => {
  const ms = (from: number, to: number) => ({ begin: from * 1e6, end: to * 1e6, kind: WAIT! });

  it('is the longest wait between the kill and the next answer', () => {
    const { waits } = judgeLog(log(ms(0, 9), ms(8, 12), ms(11, 17), ms(21, 90)));
    const kill = { atNs: 10e6, servedNs: 20e6 };
    expect(pausesMs([kill, { atNs: 100e6, servedNs: 101e6 }], waits)).toEqual([6, 0]);
  });

  it('has percentiles that were seen', () => {
    const values = Array.from({ length: 200 }, (_, at) => 200 - at);
    expect([0.5, 0.99, 1].map((share) => percentile(values, share))).toEqual([100, 198, 200]);
    expect(percentile([], 0.5)).toBe(0);
  });
});
