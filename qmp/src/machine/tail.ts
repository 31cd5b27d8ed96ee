// The end of a log file. What always holds: no more than TAIL_BYTES are read, whatever the file's
// size; a file that is not there is an empty one (QEMU may have died before making it).

import * as fs from 'node:fs';

const TAIL_BYTES = 64 * 1024;

/** The last `lines` lines, at most 64 KiB of them, without the final line feed. */
export function fileTail(path: string, lines: number): string {
  let descriptor: number;
  try {
    descriptor = fs.openSync(path, 'r');
  } catch {
    return '';
  }
  try {
    const { size } = fs.fstatSync(descriptor);
    const length = Math.min(size, TAIL_BYTES);
    const bytes = Buffer.alloc(length);
    const count = fs.readSync(descriptor, bytes, 0, length, size - length);
    const text = bytes.toString('utf8', 0, count).replaceAll('\r\n', '\n').replace(/\n$/, '');
    const all = text.split('\n');
    return all.slice(Math.max(0, all.length - Math.max(0, lines))).join('\n');
  } finally {
    fs.closeSync(descriptor);
  }
}
