/**
 * What a store must not lose beside the pages: the store's tables, then the session's record, in one
 * memory file that the supervisor makes and each store maps.
 */
import { TmemClient } from '../store/client.js';
import { SessionRecord } from './session-record.js';

/** Where the session's record begins, in bytes. */
export function recordOffset(slotCount: number): number {
  return Math.ceil(TmemClient.stateBytes(slotCount) / 8) * 8;
}

/** Bytes of the whole file. */
export function storeStateBytes(slotCount: number): number {
  return recordOffset(slotCount) + SessionRecord.bytes;
}
