/**
 * Reads a region's header as a guest must: each word once, every rule of PROTOCOL.md section 3
 * checked before a number is used. Owns nothing; what it returns is a copy.
 */
import {
  isPowerOfTwo,
  QUEUE_COUNT_MAX,
  QUEUE_ENTRIES_MAX,
  QUEUE_ENTRIES_MIN,
} from '../protocol/geometry.js';
import {
  DESCRIPTOR,
  HEADER,
  MAGIC_HI,
  MAGIC_LO,
  PAGE_BYTES,
  PROTOCOL_VERSION,
  QUEUE_CONTROL,
  REPLY,
  wordsOf,
} from '../protocol/layout.js';
import type { SharedRegion } from '../transport/region.js';
import { FakeGuestError } from './guest-error.js';

const header = wordsOf(HEADER);

export type HeaderField = keyof typeof header;

/** Byte offset of a header word. */
export function headerOffset(field: HeaderField): number {
  return header[field] * 4;
}

/** The identity words of the header, checked. Offsets and strides in bytes, slots of 4096 bytes. */
export interface GuestHeader {
  readonly features: number;
  readonly totalPages: number;
  readonly queueCount: number;
  readonly queueEntries: number;
  readonly queueOffset: number;
  readonly queueStride: number;
  readonly creditOffset: number;
  readonly creditEntries: number;
  readonly slotPage: number;
  readonly slotCount: number;
  readonly hostPeer: number;
}

interface Range {
  readonly what: string;
  readonly from: number;
  readonly to: number;
}

function refuse(reason: string): never {
  throw new FakeGuestError(
    'GUEST_HEADER_INVALID',
    `the header breaks PROTOCOL.md section 3: ${reason}; the host must be mended`,
  );
}

function checkIdentity(region: SharedRegion): void {
  const magicLo = region.load(headerOffset('magic_lo'));
  const magicHi = region.load(headerOffset('magic_hi'));
  if (magicLo !== MAGIC_LO || magicHi !== MAGIC_HI) {
    refuse(`magic is 0x${magicLo.toString(16)}, 0x${magicHi.toString(16)}`);
  }
  const version = region.load(headerOffset('version'));
  if (version === PROTOCOL_VERSION) return;
  throw new FakeGuestError(
    'GUEST_VERSION_MISMATCH',
    `the host speaks protocol version ${version}, this guest ${PROTOCOL_VERSION}; ` +
      'use a host and a guest of one version',
  );
}

function checkCounts(seen: GuestHeader, barBytes: number): void {
  if (seen.totalPages * PAGE_BYTES > barBytes) refuse(`${seen.totalPages} pages exceed the BAR`);
  if (!isPowerOfTwo(seen.queueCount) || seen.queueCount > QUEUE_COUNT_MAX) {
    refuse(`queue_count is ${seen.queueCount}`);
  }
  const { queueEntries, creditEntries } = seen;
  const inRange = queueEntries >= QUEUE_ENTRIES_MIN && queueEntries <= QUEUE_ENTRIES_MAX;
  if (!isPowerOfTwo(queueEntries) || !inRange) refuse(`queue_entries is ${queueEntries}`);
  if (!isPowerOfTwo(creditEntries)) refuse(`credit_entries is ${creditEntries}`);
  if (creditEntries < seen.slotCount) {
    refuse(`a ring of ${creditEntries} credits is too short for ${seen.slotCount} slots`);
  }
  if (seen.slotCount < 1) refuse('slot_count is 0');
}

function rangesOf(seen: GuestHeader): Range[] {
  const queueBytes = QUEUE_CONTROL.bytes + seen.queueEntries * (DESCRIPTOR.bytes + REPLY.bytes);
  const ranges: Range[] = [{ what: 'the header', from: 0, to: PAGE_BYTES }];
  for (let queue = 0; queue < seen.queueCount; queue += 1) {
    const from = seen.queueOffset + queue * seen.queueStride;
    if (from % 64 !== 0) refuse(`queue ${queue} starts at ${from}, no multiple of 64`);
    ranges.push({ what: `queue ${queue}`, from, to: from + queueBytes });
  }
  const ring = seen.creditOffset;
  if (ring % 4 !== 0) refuse(`the credit ring starts at ${ring}, no multiple of 4`);
  ranges.push({ what: 'the credit ring', from: ring, to: ring + seen.creditEntries * 4 });
  const slots = seen.slotPage * PAGE_BYTES;
  ranges.push({ what: 'the slots', from: slots, to: slots + seen.slotCount * PAGE_BYTES });
  return ranges;
}

function checkRanges(seen: GuestHeader): void {
  const end = seen.totalPages * PAGE_BYTES;
  const ranges = rangesOf(seen).sort((a, b) => a.from - b.from);
  let previous: Range | undefined;
  for (const range of ranges) {
    if (range.to > end) refuse(`${range.what} end(s) at ${range.to}, behind the region's ${end}`);
    if (previous !== undefined && range.from < previous.to) {
      refuse(`${range.what} overlap(s) ${previous.what}`);
    }
    previous = range;
  }
}

/**
 * Copies the header's identity and checks it.
 * @param barBytes size of the memory that the guest can see
 * @throws FakeGuestError (GUEST_HEADER_INVALID, GUEST_VERSION_MISMATCH)
 */
export function readHeader(region: SharedRegion, barBytes: number): GuestHeader {
  checkIdentity(region);
  const load = (field: HeaderField): number => region.load(headerOffset(field));
  const seen: GuestHeader = {
    features: load('features'),
    totalPages: load('total_pages'),
    queueCount: load('queue_count'),
    queueEntries: load('queue_entries'),
    queueOffset: load('queue_offset'),
    queueStride: load('queue_stride'),
    creditOffset: load('credit_offset'),
    creditEntries: load('credit_entries'),
    slotPage: load('slot_page'),
    slotCount: load('slot_count'),
    hostPeer: load('host_peer'),
  };
  checkCounts(seen, barBytes);
  checkRanges(seen);
  return seen;
}
