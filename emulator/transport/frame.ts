/**
 * Frames: how queues' contents travel over a stream of bytes (PROTOCOL.md section 9).
 *
 * A writer builds one frame at a time in its own buffer. A reader takes bytes in as they come, in
 * pieces of any size, and gives whole, undamaged frames out; whatever else is in the stream is
 * skipped and counted, so that the next frame is found after any loss. Both reuse their buffers:
 * what they give out holds until their next call.
 *
 * Bytes may come from an enemy. So a reader's work is bounded by how many have come, whatever they
 * are: each is checked once, and once more where a frame may lie in what looked like another's
 * payload; what is moved is paid for by what was taken.
 */
import { crc32 } from 'node:zlib';
import { FRAME, FRAME_MAGIC, FRAME_PAYLOAD_MAX, wordsOf } from '../protocol/layout.js';

const frame = wordsOf(FRAME);
const FRAME_BYTES_MAX = FRAME.bytes + FRAME_PAYLOAD_MAX;
/** What a header's own checksum covers. */
const HEAD_CRC_BYTES = frame.head_crc * 4;
const MAGIC_BYTES = new Uint8Array(Uint32Array.of(FRAME_MAGIC).buffer);

export interface Frame {
  readonly kind: number;
  readonly epoch: number;
  readonly credits: number;
  readonly status: number;
  /** Whole words, on a word boundary of its buffer. */
  readonly payload: Uint8Array;
}

function headChecksum(bytes: Uint8Array, start: number): number {
  return crc32(bytes.subarray(start, start + HEAD_CRC_BYTES));
}

function payloadChecksum(bytes: Uint8Array, start: number, length: number): number {
  return crc32(bytes.subarray(start + FRAME.bytes, start + FRAME.bytes + length));
}

/** The words of a header that its sender chooses. */
export interface FrameHead {
  readonly kind: number;
  readonly epoch: number;
  readonly credits?: number;
  readonly status?: number;
}

export class FrameWriter {
  readonly #bytes = new Uint8Array(new ArrayBuffer(FRAME_BYTES_MAX));
  readonly #words = new Int32Array(this.#bytes.buffer);
  #end = FRAME.bytes;

  /** Bytes of payload that still fit. */
  get room(): number {
    return FRAME_BYTES_MAX - this.#end;
  }

  /** Bytes of payload so far. */
  get length(): number {
    return this.#end - FRAME.bytes;
  }

  clear(): void {
    this.#end = FRAME.bytes;
  }

  addWord(word: number): void {
    this.#words[this.#end / 4] = word;
    this.#end += 4;
  }

  addWords(words: ArrayLike<number>): void {
    this.#words.set(words, this.#end / 4);
    this.#end += words.length * 4;
  }

  /** Copies `count` words from word `from` of a region. */
  addWordsOf(words: Int32Array, from: number, count: number): void {
    for (let word = 0; word < count; word += 1) this.addWord(words[from + word]!);
  }

  /** Whole words, such as a page. */
  addBytes(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Closes the frame around what was added; the next one may be begun when it has been sent. */
  finish(head: FrameHead): Uint8Array {
    const words = this.#words;
    words[frame.magic] = FRAME_MAGIC;
    words[frame.kind] = head.kind;
    words[frame.length] = this.length;
    words[frame.epoch] = head.epoch;
    words[frame.credits] = head.credits ?? 0;
    words[frame.status] = head.status ?? 0;
    words[frame.head_crc] = headChecksum(this.#bytes, 0);
    words[frame.payload_crc] = payloadChecksum(this.#bytes, 0, this.length);
    const whole = this.#bytes.subarray(0, this.#end);
    this.clear();
    return whole;
  }
}

export class FrameReader {
  /** Two frames: one that is looked at and one that arrives. */
  readonly #bytes = new Uint8Array(new ArrayBuffer(2 * FRAME_BYTES_MAX));
  /** The same; it searches faster. */
  readonly #buffer = Buffer.from(this.#bytes.buffer);
  readonly #view = new DataView(this.#bytes.buffer);
  #start = 0;
  #end = 0;
  /** Bytes that may be checked once more: as many as have come, and not more than a frame has. */
  #spare = 0;
  /** Whether bytes were skipped since this was last set to false. */
  damaged = false;
  /** Bytes that were in no frame. */
  skippedBytes = 0;
  /** Runs that looked like a frame and had another checksum. */
  badChecksums = 0;
  /** Bytes that were looked through, checked or moved: what the stream has cost. */
  workBytes = 0;

  /** Where the stream's next bytes go; half a frame at least. Say `filled` how many came. */
  get space(): Uint8Array {
    // Less than a frame is left, so that there is room until then.
    if (this.#start >= FRAME_BYTES_MAX / 2) this.#compact();
    return this.#bytes.subarray(this.#end);
  }

  filled(count: number): void {
    this.#end += count;
    this.#spare = Math.min(this.#spare + count, FRAME_BYTES_MAX);
  }

  /** Forgets what came so far: a new stream begins. */
  reset(): void {
    this.#start = 0;
    this.#end = 0;
    this.damaged = false;
  }

  #compact(): void {
    this.workBytes += this.#end - this.#start;
    this.#bytes.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
  }

  #word(index: number): number {
    return this.#view.getUint32(this.#start + 4 * index, true);
  }

  #skip(count: number): void {
    this.damaged = true;
    this.skippedBytes += count;
    this.#start += count;
  }

  /** Whether a header stands at the start; its checksum is looked at last, for it costs most. */
  #isHead(): boolean {
    if (this.#word(frame.magic) !== FRAME_MAGIC) return false;
    const length = this.#word(frame.length);
    if (length > FRAME_PAYLOAD_MAX || length % 4 !== 0) return false;
    this.workBytes += HEAD_CRC_BYTES;
    return headChecksum(this.#bytes, this.#start) === this.#word(frame.head_crc);
  }

  /** Moves to the next header; false when none is whole yet. */
  #seek(): boolean {
    while (this.#end - this.#start >= FRAME.bytes) {
      if (this.#isHead()) return true;
      const count = this.#toMagic();
      this.workBytes += count;
      this.#skip(count);
    }
    return false;
  }

  /** Bytes from the start to the next that may begin a header, or to the end. */
  #toMagic(): number {
    const rest = this.#buffer.subarray(this.#start + 1, this.#end);
    const next = rest.indexOf(MAGIC_BYTES);
    if (next !== -1) return 1 + next;
    // Of another magic number only the first bytes may have come.
    const begun = rest.indexOf(MAGIC_BYTES[0]!, rest.length + 1 - MAGIC_BYTES.length);
    return 1 + (begun === -1 ? rest.length : begun);
  }

  /** Whether a frame has begun and is not whole. */
  get isWaiting(): boolean {
    return this.#end - this.#start > 0;
  }

  /**
   * Gives up a frame that has begun and does not end: bytes were lost, and what follows is another
   * frame's. Call when one has waited for longer than its sender can take.
   */
  giveUp(): void {
    if (this.isWaiting) this.#skip(1);
  }

  /** The next whole frame; undefined until more bytes come. */
  next(): Frame | undefined {
    while (this.#seek()) {
      const length = this.#word(frame.length);
      if (this.#end - this.#start < FRAME.bytes + length) return undefined;
      this.workBytes += length;
      const expected = this.#word(frame.payload_crc);
      if (payloadChecksum(this.#bytes, this.#start, length) === expected) return this.#take(length);
      this.badChecksums += 1;
      this.#skip(this.#spend(length) ? 1 : FRAME.bytes + length);
    }
    return undefined;
  }

  /**
   * Whether a damaged payload is looked through: after a loss, the next frame lies inside of what
   * looked like this one's. Where every head claims more than follows, what is there is sent again.
   */
  #spend(length: number): boolean {
    if (length > this.#spare) return false;
    this.#spare -= length;
    return true;
  }

  #take(length: number): Frame {
    const end = this.#start + FRAME.bytes + length;
    const aligned = this.#start - (this.#start % 4);
    if (aligned !== this.#start) {
      this.workBytes += end - this.#start;
      this.#bytes.copyWithin(aligned, this.#start, end);
      this.#start = aligned;
    }
    const at = aligned + FRAME.bytes;
    const found = {
      kind: this.#word(frame.kind),
      epoch: this.#word(frame.epoch),
      credits: this.#word(frame.credits),
      status: this.#word(frame.status),
      payload: this.#bytes.subarray(at, at + length),
    };
    this.#start = end;
    return found;
  }
}
