/**
 * Heads of frames that each claim the largest payload there is, with a right checksum of their own
 * and a false one of it: what costs a reader of a link most, byte for byte, if it looks at what a
 * head claims before it has moved past it.
 */
import { crc32 } from 'node:zlib';
import {
  FRAME,
  FRAME_MAGIC,
  FRAME_PAYLOAD_MAX,
  FrameKind,
  wordsOf,
} from '../emulator/protocol/layout.js';

const frame = wordsOf(FRAME);

/** So many of them, one behind the other. */
export function headsOf(count: number, claimed: number = FRAME_PAYLOAD_MAX): Uint8Array {
  const head = new Uint32Array(FRAME.bytes / 4);
  head[frame.magic] = FRAME_MAGIC;
  head[frame.kind] = FrameKind.REPLIES;
  head[frame.length] = claimed;
  head[frame.epoch] = 1;
  const bytes = new Uint8Array(head.buffer);
  head[frame.head_crc] = crc32(bytes.subarray(0, 4 * frame.head_crc));
  head[frame.payload_crc] = 0xbad0_bad0;
  const heads = new Uint8Array(count * bytes.length);
  for (let at = 0; at < heads.length; at += bytes.length) heads.set(bytes, at);
  return heads;
}
