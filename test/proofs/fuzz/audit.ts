/**
 * Whether a client's tables agree with each other: what it counts, what stands in the slot table, and
 * what another client makes of the same memory.
 */
import { TmemClient } from '../../../emulator/store/client.js';
import { SlotState } from '../../../emulator/store/slot-table.js';

function totals(client: TmemClient): string {
  const pools = client.pools().map(({ id, pages, objects }) => `${id}: ${pages} in ${objects}`);
  return `${client.freeSlots} free, ${client.grantedSlots} granted, pools ${pools.join(', ')}`;
}

/** `state`: the client's memory, if the caller has it. @returns what does not agree */
export function audit(client: TmemClient, state?: ArrayBuffer): string | undefined {
  const { slots } = client;
  const counts = [0, 0, 0];
  for (let slot = 0; slot < slots.count; slot += 1) {
    const slotState = slots.state(slot);
    if (!(slotState in counts)) return `slot ${slot} is in state ${slotState}`;
    counts[slotState]! += 1;
  }
  const seen = `${counts[SlotState.FREE]} free, ${counts[SlotState.GRANTED]} granted`;
  const { freeSlots, grantedSlots } = client;
  const counted = `${freeSlots} free, ${grantedSlots} granted`;
  if (seen !== counted) return `the slot table has ${seen}, the client counts ${counted}`;
  const pages = client.pools().reduce((sum, pool) => sum + pool.pages, 0);
  if (pages !== client.usedSlots) return `${pages} pages in pools, ${client.usedSlots} in slots`;
  if (state === undefined) return undefined;
  const again = new TmemClient({
    slotCount: slots.count,
    state: state.slice(0),
    keepGranted: true,
  });
  const rebuilt = totals(again);
  const now = totals(client);
  if (rebuilt !== now) return `the client has ${now}; built anew it has ${rebuilt}`;
  again.reset();
  return again.freeSlots === slots.count ? undefined : 'a page is in no list';
}
