/**
 * What a store must not lose beside the pages: the store's tables, then the session's record, then
 * the words of a link's host end, in one memory file that the supervisor makes and each store maps.
 */
import { QUEUE_COUNT_MAX } from '../protocol/geometry.js';
import { TmemClient } from '../store/client.js';
import { SessionRecord } from './session-record.js';

/** Where the session's record begins, in bytes. */
export function recordOffset(slotCount: number): number {
  return Math.ceil(TmemClient.stateBytes(slotCount) / 8) * 8;
}

/** Where a link keeps how many replies of each queue its guest has, in bytes. */
export function deliveredOffset(slotCount: number): number {
  return recordOffset(slotCount) + SessionRecord.bytes;
}

/** Bytes of the whole file. */
export function storeStateBytes(slotCount: number): number {
  return deliveredOffset(slotCount) + QUEUE_COUNT_MAX * 4;
}
