// A log file that somebody else can fill: what a guest writes to its console, what QEMU prints.
// What always holds: the file has the first HEAD_BYTES and at least the last TAIL_BYTES of what
// came, in order, with one line between them that says how much was left out; it is never longer
// than both, that line and another TAIL_BYTES. A disk that is full ends the log, never the process.

import * as fs from 'node:fs';

/** Enough for the beginning of a boot. */
export const HEAD_BYTES = 256 * 1024;
/** Enough for every CPU's stack and what led to it. */
export const TAIL_BYTES = 512 * 1024;

function gapLine(bytes: number): string {
  return `\n[${bytes} bytes were left out here]\n`;
}

export class BoundedLog {
  readonly path: string;
  /** Undefined once nothing more can be written. */
  #fd: number | undefined;
  /** Bytes of the file that are never moved: the head. */
  #head = 0;
  /** Bytes of the file after the head and the line that says what is missing. */
  #tail = 0;
  /** Where the tail begins in the file. */
  #tailAt = HEAD_BYTES;
  #leftOut = 0;

  /** Makes the file, or empties it. Throws what `open` does. */
  constructor(path: string) {
    this.path = path;
    this.#fd = fs.openSync(path, 'w+');
  }

  write(chunk: Buffer): void {
    if (this.#fd === undefined) return;
    try {
      const head = chunk.subarray(0, HEAD_BYTES - this.#head);
      if (head.length > 0) this.#put(head, this.#head);
      this.#head += head.length;
      const rest = chunk.subarray(head.length);
      // Pieces, so that no single write passes the bound either.
      for (let at = 0; at < rest.length; at += TAIL_BYTES) {
        this.#append(rest.subarray(at, at + TAIL_BYTES));
      }
    } catch {
      this.close();
    }
  }

  close(): void {
    if (this.#fd === undefined) return;
    const fd = this.#fd;
    this.#fd = undefined;
    fs.closeSync(fd);
  }

  #append(piece: Buffer): void {
    if (this.#tail + piece.length > 2 * TAIL_BYTES) this.#shorten();
    this.#put(piece, this.#tailAt + this.#tail);
    this.#tail += piece.length;
  }

  #put(bytes: Buffer, at: number): void {
    let done = 0;
    while (done < bytes.length) {
      done += fs.writeSync(this.#fd!, bytes, done, bytes.length - done, at + done);
    }
  }

  /** Keeps the last TAIL_BYTES of the tail, in a new file that takes the old one's place. */
  #shorten(): void {
    const kept = Buffer.alloc(Math.min(TAIL_BYTES, this.#tail));
    const from = this.#tail - kept.length;
    fs.readSync(this.#fd!, kept, 0, kept.length, this.#tailAt + from);
    const head = Buffer.alloc(this.#head);
    fs.readSync(this.#fd!, head, 0, head.length, 0);
    this.#leftOut += from;
    const gap = Buffer.from(gapLine(this.#leftOut));
    const part = `${this.path}.part`;
    const fd = fs.openSync(part, 'w+');
    const old = this.#fd!;
    this.#fd = fd;
    fs.closeSync(old);
    this.#put(Buffer.concat([head, gap, kept]), 0);
    fs.renameSync(part, this.path);
    this.#tailAt = this.#head + gap.length;
    this.#tail = kept.length;
  }
}
