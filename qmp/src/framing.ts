// Cuts a byte stream into messages. QMP sends one JSON object a line (qmp-spec, "Protocol
// Specification": messages end in CRLF). With `pretty=on` QEMU spreads it over lines, and the first
// is its bracket alone: such a message ends at the first line feed outside of all brackets. A line
// feed inside a string, where JSON has none, ends it too. What always holds: no more than
// `lineLimit` bytes of an unfinished message are kept; each byte is looked at once; a message comes
// out once, whole, whatever the chunks were. The pieces of an unfinished message belong to this
// object; chunks handed in are kept by reference, never changed.

import { Buffer } from 'node:buffer';
import { QmpBadReplyError } from './errors.js';

const LINE_FEED = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** `{` and `}`; those of arrays are 0x20 less. */
const OPEN = 0x7b;
const CLOSE = 0x7d;
const ARRAY = 0x20;
/** How much of a message that was refused is kept in the error, bytes. */
const EXCERPT_BYTES = 256;

/** The default bound for one message, bytes; `query-qmp-schema` of QEMU 7.2 is about 190 kB. */
export const LINE_LIMIT_DEFAULT = 16 * 1024 * 1024;
/** The first line of a message that is spread over several: no more than this, bytes. */
const FIRST_LINE_BYTES = 8;
const FIRST_LINE = /^[ \t]*[{[][ \t]*\r?$/;

export class MessageSplitter {
  readonly #lineLimit: number;
  #pieces: Buffer[] = [];
  #heldBytes = 0;
  /** Brackets open in a message that is spread over lines; 0 in one that is a line. */
  #depth = 0;
  /** All brackets of the message that is spread over lines are closed: its line feed is due. */
  #closed = false;
  #inString = false;
  #escaped = false;

  /** @param lineLimit longest message accepted, bytes without its last line feed, at least 1 */
  constructor(lineLimit: number = LINE_LIMIT_DEFAULT) {
    this.#lineLimit = lineLimit;
  }

  /** Bytes of the unfinished message held now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Take a chunk; `onMessage` is called for each finished message, decoded as UTF-8, without its
   * last line feed, and with its length in bytes. Messages already found come out before an
   * over-long one throws.
   * @throws QmpBadReplyError `QMP_LINE_TOO_LONG`; the splitter must not be used after it
   */
  push(chunk: Buffer, onMessage: (text: string, bytes: number) => void): void {
    let start = 0;
    let from = 0;
    for (;;) {
      const end = this.#depth > 0 ? this.#findEnd(chunk, from) : chunk.indexOf(LINE_FEED, from);
      if (end < 0) break;
      from = end + 1;
      if (this.#depth === 0 && this.#isFirstLine(chunk, start, end)) {
        this.#depth = 1;
        continue;
      }
      const message = this.#finish(chunk, start, end);
      onMessage(message.toString('utf8'), message.length);
      start = from;
    }
    if (start < chunk.length) this.#hold(start === 0 ? chunk : chunk.subarray(start));
  }

  #isFirstLine(chunk: Buffer, start: number, end: number): boolean {
    if (this.#heldBytes + end - start > FIRST_LINE_BYTES) return false;
    const line = Buffer.concat([...this.#pieces, chunk.subarray(start, end)]);
    return FIRST_LINE.test(line.toString('latin1'));
  }

  /** Where the message that is spread over lines ends; -1 when that is not in this chunk. */
  #findEnd(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at += 1) {
      const byte = chunk[at]!;
      if (byte === LINE_FEED) {
        if (this.#closed || this.#inString) return at;
      } else if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inString = false;
      } else if (byte === QUOTE) {
        this.#inString = true;
      } else if (byte === OPEN || byte === OPEN - ARRAY) {
        this.#depth += 1;
      } else if (byte === CLOSE || byte === CLOSE - ARRAY) {
        // The depth of a message that goes on is never 0: that is how one is told from a line.
        if (this.#depth === 1) this.#closed = true;
        else this.#depth -= 1;
      }
    }
    return -1;
  }

  #finish(chunk: Buffer, start: number, end: number): Buffer {
    this.#depth = 0;
    this.#closed = false;
    this.#inString = false;
    this.#escaped = false;
    const piece = chunk.subarray(start, end);
    if (this.#heldBytes === 0) {
      if (piece.length > this.#lineLimit) throw this.#tooLong(piece);
      return piece;
    }
    this.#hold(piece);
    const message = Buffer.concat(this.#pieces, this.#heldBytes);
    this.#pieces = [];
    this.#heldBytes = 0;
    return message;
  }

  #hold(piece: Buffer): void {
    if (this.#heldBytes + piece.length > this.#lineLimit) throw this.#tooLong(piece);
    this.#pieces.push(piece);
    this.#heldBytes += piece.length;
  }

  /** The beginning of the unfinished message, of which `piece` is the newest part. */
  #excerpt(piece: Buffer): string {
    const parts: Buffer[] = [];
    let room = EXCERPT_BYTES;
    for (const part of [...this.#pieces, piece]) {
      parts.push(part.subarray(0, room));
      room -= Math.min(room, part.length);
      if (room === 0) break;
    }
    return Buffer.concat(parts).toString('utf8');
  }

  #tooLong(piece: Buffer): QmpBadReplyError {
    return new QmpBadReplyError(
      `The server sent a message of more than ${this.#lineLimit} bytes. ` +
        'Raise lineLimit if the peer is really QEMU and the reply is really that large.',
      this.#excerpt(piece),
      'QMP_LINE_TOO_LONG',
    );
  }
}
