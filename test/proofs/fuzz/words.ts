/**
 * Which word of a region is whose, by PROTOCOL.md's tables.
 */
import type { Geometry } from '../../../emulator/protocol/geometry.js';
import {
  DESCRIPTOR,
  HEADER,
  type Layout,
  QUEUE_CONTROL,
  REPLY,
} from '../../../emulator/protocol/layout.js';

export const Owner = { NOBODY: 0, HOST: 1, GUEST: 2, SLOTS: 3 } as const;

const FIELD_WORDS = { u32: 1, i32: 1, u64: 2 } as const;

function mark(owners: Uint8Array, at: number, layout: Layout): void {
  for (const field of layout.fields) {
    const owner = field.writer === 'host' ? Owner.HOST : Owner.GUEST;
    const words = FIELD_WORDS[field.type] * (field.count ?? 1);
    owners.fill(owner, (at + field.offset) / 4, (at + field.offset) / 4 + words);
  }
}

/** The owner of each word of a region. */
export function ownersOf(geometry: Geometry): Uint8Array {
  const owners = new Uint8Array(geometry.regionBytes / 4);
  mark(owners, 0, HEADER);
  for (let queue = 0; queue < geometry.queueCount; queue += 1) {
    const start = geometry.queueOffset + queue * geometry.queueStride;
    mark(owners, start, QUEUE_CONTROL);
    for (let place = 0; place < geometry.queueEntries; place += 1) {
      mark(owners, start + geometry.descriptorOffset + place * DESCRIPTOR.bytes, DESCRIPTOR);
      mark(owners, start + geometry.replyOffset + place * REPLY.bytes, REPLY);
    }
  }
  const credits = geometry.creditOffset / 4;
  owners.fill(Owner.HOST, credits, credits + geometry.creditEntries);
  owners.fill(Owner.SLOTS, geometry.slotPage * 1024);
  return owners;
}
