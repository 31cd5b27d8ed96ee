/**
 * Where the queues, the credit ring and the slots lie in a shared region of a given size.
 *
 * The host computes this once and writes it to the header; the guest believes nothing and checks
 * each number against the size of its BAR with the rules of PROTOCOL.md section 3.
 */
import { DESCRIPTOR, PAGE_BYTES, QUEUE_CONTROL, REPLY } from './layout.js';

/** Smallest and largest region, in bytes: QEMU needs a power of two for a PCI BAR. */
export const REGION_BYTES_MIN = 1024 * 1024;
export const REGION_BYTES_MAX = 4 * 1024 * 1024 * 1024;

export const QUEUE_COUNT_MAX = 64;
export const QUEUE_ENTRIES_MIN = 16;
export const QUEUE_ENTRIES_MAX = 4096;

export interface GeometryOptions {
  /** Region size in bytes, a power of two from REGION_BYTES_MIN to REGION_BYTES_MAX. */
  readonly regionBytes: number;
  /** Power of two, 1 to QUEUE_COUNT_MAX; default 4. One interrupt vector each. */
  readonly queueCount?: number;
  /** Power of two, QUEUE_ENTRIES_MIN to QUEUE_ENTRIES_MAX; default 256. */
  readonly queueEntries?: number;
}

/** Offsets in bytes from the start of the region unless the name says otherwise. */
export interface Geometry {
  readonly regionBytes: number;
  readonly queueCount: number;
  readonly queueEntries: number;
  readonly queueOffset: number;
  readonly queueStride: number;
  readonly descriptorOffset: number;
  readonly replyOffset: number;
  readonly creditOffset: number;
  readonly creditEntries: number;
  readonly slotPage: number;
  readonly slotCount: number;
}

/** A size that the protocol does not allow; `code` is GEOMETRY_INVALID. */
export class GeometryError extends Error {
  readonly code = 'GEOMETRY_INVALID';
  override readonly name = 'GeometryError';
}

export function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(value) && value > 0 && 2 ** Math.round(Math.log2(value)) === value;
}

function requirePowerOfTwo(what: string, value: number, min: number, max: number): void {
  if (isPowerOfTwo(value) && value >= min && value <= max) return;
  throw new GeometryError(
    `${what} is ${value}: it must be a power of two from ${min} to ${max}; choose one in that range`,
  );
}

function roundUpToPage(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

/**
 * Lays a region out: header, queues, credit ring, then slots to the end.
 *
 * The credit ring has room for every slot, so that granting can never overflow it.
 * @throws GeometryError (GEOMETRY_INVALID) for a size out of range or no power of two
 */
export function computeGeometry(options: GeometryOptions): Geometry {
  const { regionBytes, queueCount = 4, queueEntries = 256 } = options;
  requirePowerOfTwo('region size in bytes', regionBytes, REGION_BYTES_MIN, REGION_BYTES_MAX);
  requirePowerOfTwo('queue count', queueCount, 1, QUEUE_COUNT_MAX);
  requirePowerOfTwo('queue entries', queueEntries, QUEUE_ENTRIES_MIN, QUEUE_ENTRIES_MAX);
  const descriptorOffset = QUEUE_CONTROL.bytes;
  const replyOffset = descriptorOffset + queueEntries * DESCRIPTOR.bytes;
  const queueStride = roundUpToPage(replyOffset + queueEntries * REPLY.bytes);
  const queueOffset = PAGE_BYTES;
  const creditOffset = queueOffset + queueCount * queueStride;
  const creditEntries = regionBytes / PAGE_BYTES;
  const slotPage = roundUpToPage(creditOffset + creditEntries * 4) / PAGE_BYTES;
  const slotCount = regionBytes / PAGE_BYTES - slotPage;
  if (slotCount < 1) {
    throw new GeometryError(
      `a region of ${regionBytes} bytes has no room for slots behind ${queueCount} queues of ` +
        `${queueEntries} entries; choose a larger region or fewer queues`,
    );
  }
  return {
    regionBytes,
    queueCount,
    queueEntries,
    queueOffset,
    queueStride,
    descriptorOffset,
    replyOffset,
    creditOffset,
    creditEntries,
    slotPage,
    slotCount,
  };
}

/**
 * The smallest region with room for so many pages; the largest there is where none has.
 * @throws GeometryError (GEOMETRY_INVALID)
 */
export function regionBytesFor(
  pages: number,
  queues: Omit<GeometryOptions, 'regionBytes'> = {},
): number {
  let regionBytes = REGION_BYTES_MIN;
  while (regionBytes < REGION_BYTES_MAX && slotsIn(regionBytes, queues) < pages) regionBytes *= 2;
  return regionBytes;
}

function slotsIn(regionBytes: number, queues: Omit<GeometryOptions, 'regionBytes'>): number {
  try {
    return computeGeometry({ ...queues, regionBytes }).slotCount;
  } catch (error) {
    // So small that it has no room for the queues; what else is wrong shows with the largest, too.
    if (error instanceof GeometryError && regionBytes < REGION_BYTES_MAX) return -1;
    throw error;
  }
}
