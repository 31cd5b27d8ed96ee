/**
 * The wire layout: every word that host and guest share, defined once.
 *
 * `guest-kmod/tmem_abi.h` and the tables in PROTOCOL.md are generated from the definitions here
 * (`npm run generate`); a test fails when either differs. All integers are little-endian. Every
 * word has exactly one writer, named in its definition; the other side only reads it, once, into
 * a local copy, and checks the copy. Nothing here owns memory: offsets only.
 */

/** Who may write a word; the other side only reads it. Of a frame it is whoever sends it. */
export type Writer = 'host' | 'guest' | 'sender';

/** One field of a shared structure. `count` makes it an array. Offsets and sizes in bytes. */
export interface Field {
  readonly name: string;
  readonly offset: number;
  readonly type: 'u32' | 'i32' | 'u64';
  readonly count?: number;
  readonly writer: Writer;
  readonly doc: string;
}

/** A shared structure: its total size in bytes and its fields in ascending offset order. */
export interface Layout<F extends readonly Field[] = readonly Field[]> {
  readonly name: string;
  readonly bytes: number;
  readonly doc: string;
  readonly fields: F;
}

/** A named group of constants that both sides must agree on. */
export interface ConstantGroup {
  readonly prefix: string;
  readonly doc: string;
  readonly values: Readonly<Record<string, number>>;
}

/** "TMEM" and "QEMU" read as little-endian words. */
export const MAGIC_LO = 0x4d454d54;
export const MAGIC_HI = 0x554d4551;

/** Bumped by any change that an older reader would misread. */
export const PROTOCOL_VERSION = 1;

/** Bytes of a page and of a slot. The kernel side checks that PAGE_SIZE is this. */
export const PAGE_BYTES = 4096;

/** Commands; the numbers are Xen's (xen/include/public/tmem.h). */
export const Command = {
  CONTROL: 0,
  NEW_POOL: 1,
  DESTROY_POOL: 2,
  PUT_PAGE: 4,
  GET_PAGE: 5,
  FLUSH_PAGE: 6,
  FLUSH_OBJECT: 7,
} as const;

/** NEW_POOL flags, as in Xen's tmem.h. */
export const PoolFlag = {
  PERSIST: 1,
  SHARED: 2,
  PRECOMPRESSED: 4,
  PAGESIZE_SHIFT: 4,
  PAGESIZE_MASK: 0xf,
  VERSION_SHIFT: 24,
  VERSION_MASK: 0xff,
  RESERVED_BITS: 0x00ffff00,
} as const;

/** Xen's TMEM_SPEC_VERSION: NEW_POOL carries it in its flags. */
export const TMEM_SPEC_VERSION = 1;

/** Values of `host_state`. */
export const HostState = {
  /** No service: puts are refused, gets wait. */
  DOWN: 0,
  /** Serving. */
  READY: 1,
  /** This guest broke the protocol and is cut off; `fault` says why. */
  FAULTED: 2,
} as const;

/** Values of `guest_state`. */
export const GuestState = {
  DETACHED: 0,
  /** The guest has reset its own words; `guest_epoch` names the life that it asks to be served. */
  ATTACHED: 1,
} as const;

/** Feature bits: the host offers, the guest writes back the subset that it uses. */
export const Feature = {
  /**
   * A put against a credit to a live pool never fails, so the guest need not wait for its reply.
   */
  POSTED_PUTS: 1,
  /**
   * A page of a persistent pool stays in the slot in which it was put until it is flushed or
   * replaced, so the guest may read it there itself.
   */
  DIRECT_GETS: 2,
} as const;

/** Why a guest was cut off: values of `fault`. */
export const Fault = {
  NONE: 0,
  /** A queue's tail ran further ahead of its head than the queue has entries. */
  TAIL_RANGE: 1,
  /** A descriptor's `sequence` is not its place in the queue. */
  SEQUENCE: 2,
  /** A descriptor carries another life's epoch. */
  EPOCH: 3,
  /** A put names a slot that is out of range or was not granted. */
  SLOT: 4,
  /** The credit ring's head ran past its tail or more than a ring behind. */
  CREDIT_RANGE: 5,
  /** A whole and undamaged frame that no honest guest would send. */
  FRAME: 6,
} as const;

/** "TMFR" read as a little-endian word: where a frame may begin. */
export const FRAME_MAGIC = 0x52464d54;

/** Most bytes behind a frame's header: the words of a large batch, or fifteen pages. */
export const FRAME_PAYLOAD_MAX = 65536;

/** In a frame's `status`: `host_state` in the low byte, then this bit, then `fault`. */
export const FRAME_STATUS_REFUSE = 0x100;
export const FRAME_STATUS_FAULT_SHIFT = 16;

/** Values of a frame's `kind`. */
export const FrameKind = {
  /** Guest: serve this life (tmem_hello). */
  HELLO: 1,
  /** Host: it is served (tmem_welcome). */
  WELCOME: 2,
  /** Guest: replies taken so far, a word a queue; then operations. */
  OPERATIONS: 3,
  /** Host: replies. */
  REPLIES: 4,
  /**
   * Something was lost. A word a queue: guest: replies taken so far; host: descriptors taken so
   * far.
   */
  RESYNC: 5,
  /** Host: nothing but the header's words. */
  STATUS: 6,
  /** Guest: this life ends. */
  GOODBYE: 7,
} as const;

/**
 * In a reply's `slot`: the slot is the guest's from now on (exclusive get), a credit in its hand.
 */
export const REPLY_SLOT_GRANTED = 0x8000_0000;

export const HEADER = {
  name: 'tmem_header',
  bytes: PAGE_BYTES,
  doc: 'Page 0 of the shared region. Identity first, then one cache line per writer and purpose.',
  fields: [
    { name: 'magic_lo', offset: 0x00, type: 'u32', writer: 'host', doc: '"TMEM"; written last' },
    { name: 'magic_hi', offset: 0x04, type: 'u32', writer: 'host', doc: '"QEMU"' },
    { name: 'version', offset: 0x08, type: 'u32', writer: 'host', doc: 'protocol version' },
    { name: 'features', offset: 0x0c, type: 'u32', writer: 'host', doc: 'feature bits on offer' },
    { name: 'total_pages', offset: 0x10, type: 'u32', writer: 'host', doc: 'region size in pages' },
    { name: 'queue_count', offset: 0x14, type: 'u32', writer: 'host', doc: 'power of two' },
    { name: 'queue_entries', offset: 0x18, type: 'u32', writer: 'host', doc: 'power of two' },
    { name: 'queue_offset', offset: 0x1c, type: 'u32', writer: 'host', doc: 'bytes to queue 0' },
    { name: 'queue_stride', offset: 0x20, type: 'u32', writer: 'host', doc: 'bytes per queue' },
    { name: 'credit_offset', offset: 0x24, type: 'u32', writer: 'host', doc: 'bytes to the ring' },
    { name: 'credit_entries', offset: 0x28, type: 'u32', writer: 'host', doc: 'power of two' },
    { name: 'slot_page', offset: 0x2c, type: 'u32', writer: 'host', doc: 'page of slot 0' },
    { name: 'slot_count', offset: 0x30, type: 'u32', writer: 'host', doc: 'slots of 4096 bytes' },
    { name: 'host_peer', offset: 0x34, type: 'u32', writer: 'host', doc: 'peer id to ring' },
    { name: 'host_state', offset: 0x40, type: 'u32', writer: 'host', doc: 'HOST_* state' },
    { name: 'host_epoch', offset: 0x44, type: 'u32', writer: 'host', doc: 'host life, not 0' },
    { name: 'session_epoch', offset: 0x48, type: 'u32', writer: 'host', doc: 'guest life served' },
    { name: 'refuse', offset: 0x4c, type: 'u32', writer: 'host', doc: 'not 0: put nothing now' },
    { name: 'fault', offset: 0x50, type: 'u32', writer: 'host', doc: 'FAULT_* when FAULTED' },
    { name: 'host_sleep', offset: 0x80, type: 'u32', writer: 'host', doc: 'odd: ring to wake me' },
    { name: 'credit_tail', offset: 0xc0, type: 'u32', writer: 'host', doc: 'slots granted so far' },
    { name: 'guest_state', offset: 0x100, type: 'u32', writer: 'guest', doc: 'GUEST_* state' },
    { name: 'guest_epoch', offset: 0x104, type: 'u32', writer: 'guest', doc: 'guest life, not 0' },
    { name: 'guest_version', offset: 0x108, type: 'u32', writer: 'guest', doc: 'its version' },
    { name: 'guest_features', offset: 0x10c, type: 'u32', writer: 'guest', doc: 'bits it uses' },
    { name: 'guest_peer', offset: 0x110, type: 'u32', writer: 'guest', doc: 'its IVPosition' },
    { name: 'credit_head', offset: 0x140, type: 'u32', writer: 'guest', doc: 'slots taken so far' },
  ],
} as const satisfies Layout;

export const QUEUE_CONTROL = {
  name: 'tmem_queue_control',
  bytes: 0x100,
  doc: 'Start of each queue; `queue_entries` descriptors follow, then as many replies.',
  fields: [
    { name: 'tail', offset: 0x00, type: 'u32', writer: 'guest', doc: 'descriptors posted so far' },
    { name: 'guest_sleep', offset: 0x40, type: 'u32', writer: 'guest', doc: 'odd: ring my vector' },
    { name: 'head', offset: 0x80, type: 'u32', writer: 'host', doc: 'descriptors answered so far' },
  ],
} as const satisfies Layout;

export const DESCRIPTOR = {
  name: 'tmem_descriptor',
  bytes: 64,
  doc: 'One tmem operation, as in struct tmem_op of xen/include/public/tmem.h.',
  fields: [
    { name: 'command', offset: 0x00, type: 'u32', writer: 'guest', doc: 'CMD_*' },
    { name: 'pool', offset: 0x04, type: 'i32', writer: 'guest', doc: 'pool id' },
    {
      name: 'oid',
      offset: 0x08,
      type: 'u64',
      count: 3,
      writer: 'guest',
      doc: 'object id; NEW_POOL: uuid in the first two',
    },
    { name: 'index', offset: 0x20, type: 'u32', writer: 'guest', doc: 'page within the object' },
    { name: 'slot', offset: 0x24, type: 'u32', writer: 'guest', doc: 'PUT_PAGE: holds the page' },
    { name: 'flags', offset: 0x28, type: 'u32', writer: 'guest', doc: 'NEW_POOL: POOL_*' },
    { name: 'sequence', offset: 0x2c, type: 'u32', writer: 'guest', doc: 'this tail value' },
    { name: 'epoch', offset: 0x30, type: 'u32', writer: 'guest', doc: 'guest_epoch' },
    { name: 'reserved', offset: 0x34, type: 'u32', count: 3, writer: 'guest', doc: 'zero' },
  ],
} as const satisfies Layout;

export const REPLY = {
  name: 'tmem_reply',
  bytes: 16,
  doc: 'The answer to the descriptor at the same place, valid once `head` has passed it.',
  fields: [
    { name: 'result', offset: 0x0, type: 'i32', writer: 'host', doc: "Xen's result: 1, 0, -errno" },
    { name: 'slot', offset: 0x4, type: 'u32', writer: 'host', doc: 'GET_PAGE hit: copy from here' },
    { name: 'sequence', offset: 0x8, type: 'u32', writer: 'host', doc: 'as in the descriptor' },
    { name: 'epoch', offset: 0xc, type: 'u32', writer: 'host', doc: 'host_epoch' },
  ],
} as const satisfies Layout;

export const FRAME = {
  name: 'tmem_frame',
  bytes: 32,
  doc: 'Before each run of bytes over a stream; `length` bytes of payload follow.',
  fields: [
    { name: 'magic', offset: 0x00, type: 'u32', writer: 'sender', doc: 'FRAME_MAGIC' },
    { name: 'kind', offset: 0x04, type: 'u32', writer: 'sender', doc: 'FRAME_*' },
    { name: 'length', offset: 0x08, type: 'u32', writer: 'sender', doc: 'bytes of payload' },
    { name: 'epoch', offset: 0x0c, type: 'u32', writer: 'sender', doc: 'guest life' },
    { name: 'credits', offset: 0x10, type: 'u32', writer: 'sender', doc: 'host: puts let so far' },
    { name: 'status', offset: 0x14, type: 'u32', writer: 'sender', doc: 'host: see below' },
    {
      name: 'head_crc',
      offset: 0x18,
      type: 'u32',
      writer: 'sender',
      doc: 'of the six words before',
    },
    { name: 'payload_crc', offset: 0x1c, type: 'u32', writer: 'sender', doc: 'of the payload' },
  ],
} as const satisfies Layout;

export const HELLO = {
  name: 'tmem_hello',
  bytes: 8,
  doc: 'Payload of HELLO.',
  fields: [
    { name: 'version', offset: 0x0, type: 'u32', writer: 'guest', doc: 'protocol version' },
    { name: 'features', offset: 0x4, type: 'u32', writer: 'guest', doc: 'bits it would use' },
  ],
} as const satisfies Layout;

export const WELCOME = {
  name: 'tmem_welcome',
  bytes: 24,
  doc: 'Payload of WELCOME.',
  fields: [
    { name: 'version', offset: 0x00, type: 'u32', writer: 'host', doc: 'protocol version' },
    { name: 'features', offset: 0x04, type: 'u32', writer: 'host', doc: 'bits in use' },
    { name: 'host_epoch', offset: 0x08, type: 'u32', writer: 'host', doc: 'host life' },
    { name: 'queue_count', offset: 0x0c, type: 'u32', writer: 'host', doc: 'power of two' },
    { name: 'queue_entries', offset: 0x10, type: 'u32', writer: 'host', doc: 'power of two' },
    { name: 'slot_count', offset: 0x14, type: 'u32', writer: 'host', doc: 'pages it has room for' },
  ],
} as const satisfies Layout;

export const FRAME_ITEM = {
  name: 'tmem_frame_item',
  bytes: 8,
  doc: 'Before each descriptor or reply in a frame; a page follows those where `pages` is 1.',
  fields: [
    { name: 'queue', offset: 0x0, type: 'u32', writer: 'sender', doc: 'number of the queue' },
    { name: 'pages', offset: 0x4, type: 'u32', writer: 'sender', doc: '0 or 1' },
  ],
} as const satisfies Layout;

/** Every shared structure, in the order in which they are written out. */
export const LAYOUTS: readonly Layout[] = [
  HEADER,
  QUEUE_CONTROL,
  DESCRIPTOR,
  REPLY,
  FRAME,
  HELLO,
  WELCOME,
  FRAME_ITEM,
];

/** Every group of constants, in the order in which they are written out. */
export const CONSTANTS: readonly ConstantGroup[] = [
  {
    prefix: '',
    doc: 'Identity and sizes.',
    values: {
      MAGIC_LO,
      MAGIC_HI,
      PROTOCOL_VERSION,
      PAGE_BYTES,
      SPEC_VERSION: TMEM_SPEC_VERSION,
      REPLY_SLOT_GRANTED,
      FRAME_MAGIC,
      FRAME_PAYLOAD_MAX,
      FRAME_STATUS_REFUSE,
      FRAME_STATUS_FAULT_SHIFT,
    },
  },
  { prefix: 'CMD_', doc: "Commands, with Xen's numbers.", values: Command },
  { prefix: 'POOL_', doc: "NEW_POOL flags, Xen's.", values: PoolFlag },
  { prefix: 'HOST_', doc: 'host_state.', values: HostState },
  { prefix: 'GUEST_', doc: 'guest_state.', values: GuestState },
  { prefix: 'FEATURE_', doc: 'Feature bits.', values: Feature },
  { prefix: 'FAULT_', doc: 'Why a guest was cut off.', values: Fault },
  { prefix: 'FRAME_', doc: 'What a frame carries.', values: FrameKind },
];

type FieldNames<L extends Layout> = L['fields'][number]['name'];

/**
 * Word index (offset / 4) of each field of a layout, for use on an Int32Array that starts where the
 * structure starts.
 */
export function wordsOf<L extends Layout>(layout: L): Readonly<Record<FieldNames<L>, number>> {
  const words: Record<string, number> = {};
  for (const field of layout.fields) words[field.name] = field.offset / 4;
  return words as Record<FieldNames<L>, number>;
}

const FIELD_BYTES = { u32: 4, i32: 4, u64: 8 } as const;

/** Bytes that a field occupies. */
export function fieldBytes(field: Field): number {
  return FIELD_BYTES[field.type] * (field.count ?? 1);
}

/** Throws when a layout's fields overlap, run backwards, are misaligned, or do not fit its size. */
export function assertLayout(layout: Layout): void {
  let end = 0;
  for (const field of layout.fields) {
    const aligned = field.offset % FIELD_BYTES[field.type] === 0;
    if (!aligned || field.offset < end) throw new Error(`${layout.name}.${field.name}: bad offset`);
    end = field.offset + fieldBytes(field);
  }
  if (end > layout.bytes) throw new Error(`${layout.name}: fields end at ${end}`);
}

for (const layout of LAYOUTS) assertLayout(layout);
