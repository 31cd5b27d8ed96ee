/** The fake guest checks a header as PROTOCOL.md section 3 says: one wrong word, one refusal. */
import { describe, expect, it } from 'vitest';
import { FakeGuestError } from './guest-error.js';
import { type HeaderField, headerOffset, readHeader } from './guest-header.js';
import { createLoopback } from './loopback.js';

const MIB = 2 ** 20;

function codeAfter(poke: Partial<Record<HeaderField, number>>, barBytes = MIB): string {
  const { region } = createLoopback();
  for (const [field, value] of Object.entries(poke)) {
    region.store(headerOffset(field as HeaderField), value);
  }
  try {
    readHeader(region, barBytes);
  } catch (error) {
    if (error instanceof FakeGuestError) return error.code;
    throw error;
  }
  return 'none';
}

describe('readHeader', () => {
  it('takes what a session publishes', () => {
    expect(codeAfter({})).toBe('none');
    expect(codeAfter({}, 2 * MIB)).toBe('none');
  });

  const bad: [string, Partial<Record<HeaderField, number>>][] = [
    ['magic_lo', { magic_lo: 0 }],
    ['magic_hi', { magic_hi: 0x554d_4552 }],
    ['total_pages', { total_pages: 257 }],
    ['no queue', { queue_count: 0 }],
    ['three queues', { queue_count: 3 }],
    ['128 queues', { queue_count: 128 }],
    ['8 entries', { queue_entries: 8 }],
    ['17 entries', { queue_entries: 17 }],
    ['8192 entries', { queue_entries: 8192 }],
    ['queues on page 0', { queue_offset: 0 }],
    ['queues off their cache line', { queue_offset: 4096 + 32 }],
    ['queues behind the end', { queue_offset: 0xffff_f000 }],
    ['queues that overlap', { queue_stride: 64 }],
    ['a stride off the cache line', { queue_stride: 4096 + 4 }],
    ['a ring in the queues', { credit_offset: 4096 }],
    ['a ring behind the end', { credit_offset: 0xffff_fffc }],
    ['a ring off its words', { credit_offset: 12290 }],
    ['a ring of no power of two', { credit_entries: 255 }],
    ['a ring shorter than the slots', { credit_entries: 128 }],
    ['slots on page 0', { slot_page: 0 }],
    ['slots behind the end', { slot_page: 0xffff_ffff }],
    ['no slot', { slot_count: 0 }],
    ['more slots than there is room for', { slot_count: 256 }],
  ];
  it.each(bad)('refuses %s', (_what, poke) => {
    expect(codeAfter(poke)).toBe('GUEST_HEADER_INVALID');
  });

  it('refuses a region larger than the BAR', () => {
    expect(codeAfter({}, MIB / 2)).toBe('GUEST_HEADER_INVALID');
  });

  it('names both versions', () => {
    expect(codeAfter({ version: 2 })).toBe('GUEST_VERSION_MISMATCH');
    const { region, guest } = createLoopback();
    region.store(headerOffset('version'), 2);
    expect(() => guest.attach()).toThrow('protocol version 2, this guest 1');
  });
});
