// A log of which somebody else decides how much there is.

import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BoundedLog, HEAD_BYTES, TAIL_BYTES } from './bounded-log.js';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'qmp-log-'));
});
afterEach(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

/** A line that says which it is. */
function numbered(index: number): string {
  return `line ${String(index).padStart(10, '0')}\n`;
}
const LINE_BYTES = numbered(0).length;

describe('BoundedLog', () => {
  it('keeps everything while there is little', () => {
    const log = new BoundedLog(path.join(folder, 'little'));
    for (let index = 0; index < 100; index++) log.write(Buffer.from(numbered(index)));
    log.close();
    log.write(Buffer.from('after the end'));
    const text = fs.readFileSync(log.path, 'utf8');
    expect(text).toBe(Array.from({ length: 100 }, (_, index) => numbered(index)).join(''));
  });

  it.each([20, 4000])('keeps head and tail of a flood, by %d lines a write', (lines) => {
    const file = path.join(folder, 'flood');
    const log = new BoundedLog(file);
    const total = 400_000;
    const most = HEAD_BYTES + 2 * TAIL_BYTES + 100;
    for (let index = 0; index < total; index += lines) {
      const count = Math.min(lines, total - index);
      const text = Array.from({ length: count }, (_, at) => numbered(index + at)).join('');
      log.write(Buffer.from(text));
      if (index % 20_000 === 0) expect(fs.statSync(file).size).toBeLessThanOrEqual(most);
    }
    log.close();
    const text = fs.readFileSync(file, 'utf8');
    expect(text.length).toBeLessThanOrEqual(most);
    const first = Array.from({ length: HEAD_BYTES / LINE_BYTES + 1 }, (_, at) => numbered(at));
    expect(text.slice(0, HEAD_BYTES)).toBe(first.join('').slice(0, HEAD_BYTES));
    const [gap, leftOut] = /^\n\[(\d+) bytes were left out here\]\n/.exec(text.slice(HEAD_BYTES))!;
    const tail = text.slice(HEAD_BYTES + gap.length);
    expect(tail.length).toBeGreaterThanOrEqual(TAIL_BYTES);
    expect(tail.endsWith(numbered(total - 2) + numbered(total - 1))).toBe(true);
    expect(HEAD_BYTES + Number(leftOut) + tail.length).toBe(total * LINE_BYTES);
    expect(fs.readdirSync(folder)).toEqual(['flood']);
  });

  it('ends, and does not throw, when its disk is full', () => {
    const log = new BoundedLog('/dev/full');
    log.write(Buffer.from('no room'));
    log.write(Buffer.from('still none'));
    log.close();
  });
});
