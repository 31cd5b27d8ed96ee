/**
 * What holds whenever host and guest have come to rest: every slot is in one place, and whoever
 * counts has counted right.
 */
import { HostState } from '../../../emulator/protocol/layout.js';
import { SlotState } from '../../../emulator/store/slot-table.js';
import { headerOffset } from '../../../emulator/testing/index.js';
import type { Host } from './host.js';
import type { Machine } from './machine.js';
import { Problem } from './trace.js';

function expectSame(what: string, seen: number, wanted: number): void {
  if (seen !== wanted) throw new Problem(`${what}: ${seen}, not ${wanted}`);
}

function slotsIn(host: Host, state: number): number[] {
  const { slots } = host.client!;
  const all = Array.from({ length: slots.count }, (_, slot) => slot);
  return all.filter((slot) => slots.state(slot) === state);
}

/** The store's own counts. */
function checkStore(host: Host): void {
  const client = host.client!;
  const used = slotsIn(host, SlotState.USED).length;
  const granted = slotsIn(host, SlotState.GRANTED).length;
  const free = slotsIn(host, SlotState.FREE).length;
  expectSame('slots used', client.usedSlots, used);
  expectSame('slots granted', client.grantedSlots, granted);
  expectSame('slots free', client.freeSlots, free);
  expectSame('quota taken', host.quota.taken, used + granted);
  let pages = 0;
  for (const pool of client.pools()) pages += pool.pages;
  expectSame('pages of all pools', pages, used);
}

function checkHeader(host: Host): void {
  const word = (field: Parameters<typeof headerOffset>[0]): number =>
    host.region.load(headerOffset(field));
  expectSame('host_state', word('host_state'), HostState.READY);
  expectSame('host_epoch', word('host_epoch'), host.hostEpoch);
  expectSame('refuse', word('refuse'), host.refuse ? 1 : 0);
  expectSame('fault', word('fault'), 0);
}

/** The area's pages are where the guest has put them, and there are no others. */
function checkArea(host: Host, machine: Machine): void {
  const { area } = machine;
  const client = host.client!;
  if (area.pool < 0) return;
  const placed = [...area.placed].filter((slot) => slot !== 0);
  for (const slot of machine.device.staged ? [] : placed) {
    expectSame(`state of slot ${slot - 1}`, client.slots.state(slot - 1), SlotState.USED);
  }
  const pool = client.pools().find(({ id }) => id === area.pool);
  if (!area.leaks) expectSame('pages of the area', pool?.pages ?? -1, placed.length);
}

/** Over a link the guest may put as often as slots stand ready, once it has said what it has. */
function checkLinkCredits(machine: Machine, granted: number, held: number): void {
  if (held > granted) throw new Problem(`${granted} slots are granted, the guest counts ${held}`);
  // Those that a get gave are told of with the next frame, and so are those that a lost one told.
  if (!machine.usesCache && machine.device.plan.damageOneIn === 0 && held !== granted) {
    throw new Problem(`${granted} slots are granted, the guest knows of ${held}`);
  }
}

export function checkAtRest(host: Host, machine: Machine): void {
  checkStore(host);
  checkHeader(host);
  const granted = slotsIn(host, SlotState.GRANTED);
  const { credits, orphans } = machine.device;
  const held = [...credits.slots(), ...orphans.slots()].sort((a, b) => a - b);
  if (machine.device.staged) checkLinkCredits(machine, granted.length, held.length);
  else if (granted.join() !== held.join()) {
    throw new Problem(`granted are ${granted.join()}, but the guest has ${held.join()}`);
  }
  const { client, quota } = host;
  if (client!.freeSlots > 0 && quota.taken < quota.limit) {
    throw new Problem(`${client!.freeSlots} slots stay free, quota ${quota.taken}/${quota.limit}`);
  }
  checkArea(host, machine);
  const { pools } = machine;
  if (pools !== undefined) expectSame('pools', client!.pools().length, pools);
}

/** No guest is there: nothing is held for one. */
export function checkEmpty(host: Host): void {
  const client = host.client!;
  checkStore(host);
  checkHeader(host);
  expectSame('pages left', client.usedSlots, 0);
  expectSame('slots left with a guest', client.grantedSlots, 0);
  expectSame('pools left', client.pools().length, 0);
  expectSame('quota left', host.quota.taken, 0);
}
