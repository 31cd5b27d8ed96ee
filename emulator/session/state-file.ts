/**
 * What a store must not lose beside the pages: the store's tables, then the session's record and the
 * link's, in one memory file that the supervisor makes and each store maps.
 */
import { TmemClient } from '../store/client.js';
import { LinkRecord } from '../transport/link-record.js';
import { SessionRecord } from './session-record.js';

/** Where the session's record begins, in bytes. */
export function recordOffset(slotCount: number): number {
  return Math.ceil(TmemClient.stateBytes(slotCount) / 8) * 8;
}

/** Where the link's record begins, in bytes. */
export function linkRecordOffset(slotCount: number): number {
  return recordOffset(slotCount) + SessionRecord.bytes;
}

/** Bytes of the whole file. */
export function storeStateBytes(slotCount: number): number {
  return linkRecordOffset(slotCount) + LinkRecord.bytes;
}
