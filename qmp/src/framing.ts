// Cuts a byte stream into lines. QMP sends one JSON object a line (qmp-spec, "Protocol
// Specification": messages end in CRLF). What always holds: no more than `lineLimit` bytes of an
// unfinished line are kept; a line comes out once, whole, whatever the chunks were. The pieces of
// an unfinished line belong to this object; chunks handed in are kept by reference, never changed.

import { Buffer } from 'node:buffer';
import { QmpBadReplyError } from './errors.js';

const LINE_FEED = 0x0a;
/** How much of an over-long line is kept in the error, bytes. */
const EXCERPT_BYTES = 256;

/** The default bound for one line, bytes; `query-qmp-schema` of QEMU 7.2 is about 190 kB. */
export const LINE_LIMIT_DEFAULT = 16 * 1024 * 1024;

export class LineSplitter {
  readonly #lineLimit: number;
  #pieces: Buffer[] = [];
  #heldBytes = 0;

  /** @param lineLimit longest line accepted, bytes without its line feed, at least 1 */
  constructor(lineLimit: number = LINE_LIMIT_DEFAULT) {
    this.#lineLimit = lineLimit;
  }

  /** Bytes of the unfinished line held now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Take a chunk; `onLine` is called for each finished line, decoded as UTF-8, without line feed.
   * Lines already found come out before an over-long one throws.
   * @throws QmpBadReplyError `QMP_LINE_TOO_LONG`; the splitter must not be used after it
   */
  push(chunk: Buffer, onLine: (line: string) => void): void {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start);
      if (end < 0) break;
      onLine(this.#finish(chunk, start, end));
      start = end + 1;
    }
    if (start < chunk.length) this.#hold(start === 0 ? chunk : chunk.subarray(start));
  }

  #finish(chunk: Buffer, start: number, end: number): string {
    if (this.#heldBytes === 0) {
      if (end - start > this.#lineLimit) throw this.#tooLong(chunk.subarray(start, end));
      return chunk.toString('utf8', start, end);
    }
    this.#hold(chunk.subarray(start, end));
    const line = Buffer.concat(this.#pieces, this.#heldBytes).toString('utf8');
    this.#pieces = [];
    this.#heldBytes = 0;
    return line;
  }

  #hold(piece: Buffer): void {
    if (this.#heldBytes + piece.length > this.#lineLimit) {
      throw this.#tooLong(Buffer.concat([...this.#pieces, piece]));
    }
    this.#pieces.push(piece);
    this.#heldBytes += piece.length;
  }

  #tooLong(bytes: Buffer): QmpBadReplyError {
    return new QmpBadReplyError(
      `The server sent a line of more than ${this.#lineLimit} bytes. ` +
        'Raise lineLimit if the peer is really QEMU and the reply is really that large.',
      bytes.toString('utf8', 0, EXCERPT_BYTES),
      'QMP_LINE_TOO_LONG',
    );
  }
}
