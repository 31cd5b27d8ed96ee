/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * Words shared by a tmem guest and its host: generated from emulator/protocol/layout.ts by
 * `npm run generate`; PROTOCOL.md is the normative text. The comment before each member names
 * the only side that writes it.
 */
#ifndef TMEM_ABI_H
#define TMEM_ABI_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>
#define TMEM_ABI_ASSERT(condition) static_assert(condition)
#else
#include <linux/types.h>
#include <stddef.h>
#define TMEM_ABI_ASSERT(condition) _Static_assert(condition, #condition)
#endif

/* Identity and sizes. */
#define TMEM_MAGIC_LO                   0x4d454d54u
#define TMEM_MAGIC_HI                   0x554d4551u
#define TMEM_PROTOCOL_VERSION           1
#define TMEM_PAGE_BYTES                 4096
#define TMEM_SPEC_VERSION               1
#define TMEM_REPLY_SLOT_GRANTED         0x80000000u
#define TMEM_FRAME_MAGIC                0x52464d54u
#define TMEM_FRAME_PAYLOAD_MAX          0x10000u
#define TMEM_FRAME_STATUS_REFUSE        256
#define TMEM_FRAME_STATUS_FAULT_SHIFT   16

/* Commands, with Xen's numbers. */
#define TMEM_CMD_CONTROL                0
#define TMEM_CMD_NEW_POOL               1
#define TMEM_CMD_DESTROY_POOL           2
#define TMEM_CMD_PUT_PAGE               4
#define TMEM_CMD_GET_PAGE               5
#define TMEM_CMD_FLUSH_PAGE             6
#define TMEM_CMD_FLUSH_OBJECT           7

/* NEW_POOL flags, Xen's. */
#define TMEM_POOL_PERSIST               1
#define TMEM_POOL_SHARED                2
#define TMEM_POOL_PRECOMPRESSED         4
#define TMEM_POOL_PAGESIZE_SHIFT        4
#define TMEM_POOL_PAGESIZE_MASK         15
#define TMEM_POOL_VERSION_SHIFT         24
#define TMEM_POOL_VERSION_MASK          255
#define TMEM_POOL_RESERVED_BITS         0xffff00u

/* host_state. */
#define TMEM_HOST_DOWN                  0
#define TMEM_HOST_READY                 1
#define TMEM_HOST_FAULTED               2

/* guest_state. */
#define TMEM_GUEST_DETACHED             0
#define TMEM_GUEST_ATTACHED             1

/* Feature bits. */
#define TMEM_FEATURE_POSTED_PUTS        1
#define TMEM_FEATURE_DIRECT_GETS        2

/* Why a guest was cut off. */
#define TMEM_FAULT_NONE                 0
#define TMEM_FAULT_TAIL_RANGE           1
#define TMEM_FAULT_SEQUENCE             2
#define TMEM_FAULT_EPOCH                3
#define TMEM_FAULT_SLOT                 4
#define TMEM_FAULT_CREDIT_RANGE         5
#define TMEM_FAULT_FRAME                6

/* What a frame carries. */
#define TMEM_FRAME_HELLO                1
#define TMEM_FRAME_WELCOME              2
#define TMEM_FRAME_OPERATIONS           3
#define TMEM_FRAME_REPLIES              4
#define TMEM_FRAME_RESYNC               5
#define TMEM_FRAME_STATUS               6
#define TMEM_FRAME_GOODBYE              7

/* Page 0 of the shared region. Identity first, then one cache line per writer and purpose. */
struct tmem_header {
	/* host: "TMEM"; written last */
	__le32 magic_lo;
	/* host: "QEMU" */
	__le32 magic_hi;
	/* host: protocol version */
	__le32 version;
	/* host: feature bits on offer */
	__le32 features;
	/* host: region size in pages */
	__le32 total_pages;
	/* host: power of two */
	__le32 queue_count;
	/* host: power of two */
	__le32 queue_entries;
	/* host: bytes to queue 0 */
	__le32 queue_offset;
	/* host: bytes per queue */
	__le32 queue_stride;
	/* host: bytes to the ring */
	__le32 credit_offset;
	/* host: power of two */
	__le32 credit_entries;
	/* host: page of slot 0 */
	__le32 slot_page;
	/* host: slots of 4096 bytes */
	__le32 slot_count;
	/* host: peer id to ring */
	__le32 host_peer;
	/* nobody: zero */
	__u8 unused0[8];
	/* host: HOST_* state */
	__le32 host_state;
	/* host: host life, not 0 */
	__le32 host_epoch;
	/* host: guest life served */
	__le32 session_epoch;
	/* host: not 0: put nothing now */
	__le32 refuse;
	/* host: FAULT_* when FAULTED */
	__le32 fault;
	/* nobody: zero */
	__u8 unused1[44];
	/* host: odd: ring to wake me */
	__le32 host_sleep;
	/* nobody: zero */
	__u8 unused2[60];
	/* host: slots granted so far */
	__le32 credit_tail;
	/* nobody: zero */
	__u8 unused3[60];
	/* guest: GUEST_* state */
	__le32 guest_state;
	/* guest: guest life, not 0 */
	__le32 guest_epoch;
	/* guest: its version */
	__le32 guest_version;
	/* guest: bits it uses */
	__le32 guest_features;
	/* guest: its IVPosition */
	__le32 guest_peer;
	/* nobody: zero */
	__u8 unused4[44];
	/* guest: slots taken so far */
	__le32 credit_head;
	/* nobody: zero */
	__u8 unused5[3772];
};

/* Start of each queue; `queue_entries` descriptors follow, then as many replies. */
struct tmem_queue_control {
	/* guest: descriptors posted so far */
	__le32 tail;
	/* nobody: zero */
	__u8 unused0[60];
	/* guest: odd: ring my vector */
	__le32 guest_sleep;
	/* nobody: zero */
	__u8 unused1[60];
	/* host: descriptors answered so far */
	__le32 head;
	/* nobody: zero */
	__u8 unused2[124];
};

/* One tmem operation, as in struct tmem_op of xen/include/public/tmem.h. */
struct tmem_descriptor {
	/* guest: CMD_* */
	__le32 command;
	/* guest: pool id */
	__le32 pool;
	/* guest: object id; NEW_POOL: uuid in the first two */
	__le64 oid[3];
	/* guest: page within the object */
	__le32 index;
	/* guest: PUT_PAGE: holds the page */
	__le32 slot;
	/* guest: NEW_POOL: POOL_* */
	__le32 flags;
	/* guest: this tail value */
	__le32 sequence;
	/* guest: guest_epoch */
	__le32 epoch;
	/* guest: zero */
	__le32 reserved[3];
};

/* The answer to the descriptor at the same place, valid once `head` has passed it. */
struct tmem_reply {
	/* host: Xen's result: 1, 0, -errno */
	__le32 result;
	/* host: GET_PAGE hit: copy from here */
	__le32 slot;
	/* host: as in the descriptor */
	__le32 sequence;
	/* host: host_epoch */
	__le32 epoch;
};

/* Before each run of bytes over a stream; `length` bytes of payload follow. */
struct tmem_frame {
	/* sender: FRAME_MAGIC */
	__le32 magic;
	/* sender: FRAME_* */
	__le32 kind;
	/* sender: bytes of payload */
	__le32 length;
	/* sender: guest life */
	__le32 epoch;
	/* sender: host: puts let so far */
	__le32 credits;
	/* sender: host: see below */
	__le32 status;
	/* sender: of the six words before */
	__le32 head_crc;
	/* sender: of the payload */
	__le32 payload_crc;
};

/* Payload of HELLO. */
struct tmem_hello {
	/* guest: protocol version */
	__le32 version;
	/* guest: bits it would use */
	__le32 features;
};

/* Payload of WELCOME. */
struct tmem_welcome {
	/* host: protocol version */
	__le32 version;
	/* host: bits in use */
	__le32 features;
	/* host: host life */
	__le32 host_epoch;
	/* host: power of two */
	__le32 queue_count;
	/* host: power of two */
	__le32 queue_entries;
	/* host: pages it has room for */
	__le32 slot_count;
};

/* Before each descriptor or reply in a frame; a page follows those where `pages` is 1. */
struct tmem_frame_item {
	/* sender: number of the queue */
	__le32 queue;
	/* sender: 0 or 1 */
	__le32 pages;
};

TMEM_ABI_ASSERT(sizeof(struct tmem_header) == 4096);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, magic_lo) == 0x0);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, magic_hi) == 0x4);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, version) == 0x8);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, features) == 0xc);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, total_pages) == 0x10);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, queue_count) == 0x14);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, queue_entries) == 0x18);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, queue_offset) == 0x1c);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, queue_stride) == 0x20);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, credit_offset) == 0x24);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, credit_entries) == 0x28);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, slot_page) == 0x2c);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, slot_count) == 0x30);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, host_peer) == 0x34);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, host_state) == 0x40);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, host_epoch) == 0x44);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, session_epoch) == 0x48);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, refuse) == 0x4c);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, fault) == 0x50);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, host_sleep) == 0x80);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, credit_tail) == 0xc0);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, guest_state) == 0x100);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, guest_epoch) == 0x104);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, guest_version) == 0x108);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, guest_features) == 0x10c);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, guest_peer) == 0x110);
TMEM_ABI_ASSERT(offsetof(struct tmem_header, credit_head) == 0x140);
TMEM_ABI_ASSERT(sizeof(struct tmem_queue_control) == 256);
TMEM_ABI_ASSERT(offsetof(struct tmem_queue_control, tail) == 0x0);
TMEM_ABI_ASSERT(offsetof(struct tmem_queue_control, guest_sleep) == 0x40);
TMEM_ABI_ASSERT(offsetof(struct tmem_queue_control, head) == 0x80);
TMEM_ABI_ASSERT(sizeof(struct tmem_descriptor) == 64);
TMEM_ABI_ASSERT(offsetof(struct tmem_descriptor, command) == 0x0);
TMEM_ABI_ASSERT(offsetof(struct tmem_descriptor, pool) == 0x4);
TMEM_ABI_ASSERT(offsetof(struct tmem_descriptor, oid) == 0x8);
TMEM_ABI_ASSERT(offsetof(struct tmem_descriptor, index) == 0x20);
TMEM_ABI_ASSERT(offsetof(struct tmem_descriptor, slot) == 0x24);
TMEM_ABI_ASSERT(offsetof(struct tmem_descriptor, flags) == 0x28);
TMEM_ABI_ASSERT(offsetof(struct tmem_descriptor, sequence) == 0x2c);
TMEM_ABI_ASSERT(offsetof(struct tmem_descriptor, epoch) == 0x30);
TMEM_ABI_ASSERT(offsetof(struct tmem_descriptor, reserved) == 0x34);
TMEM_ABI_ASSERT(sizeof(struct tmem_reply) == 16);
TMEM_ABI_ASSERT(offsetof(struct tmem_reply, result) == 0x0);
TMEM_ABI_ASSERT(offsetof(struct tmem_reply, slot) == 0x4);
TMEM_ABI_ASSERT(offsetof(struct tmem_reply, sequence) == 0x8);
TMEM_ABI_ASSERT(offsetof(struct tmem_reply, epoch) == 0xc);
TMEM_ABI_ASSERT(sizeof(struct tmem_frame) == 32);
TMEM_ABI_ASSERT(offsetof(struct tmem_frame, magic) == 0x0);
TMEM_ABI_ASSERT(offsetof(struct tmem_frame, kind) == 0x4);
TMEM_ABI_ASSERT(offsetof(struct tmem_frame, length) == 0x8);
TMEM_ABI_ASSERT(offsetof(struct tmem_frame, epoch) == 0xc);
TMEM_ABI_ASSERT(offsetof(struct tmem_frame, credits) == 0x10);
TMEM_ABI_ASSERT(offsetof(struct tmem_frame, status) == 0x14);
TMEM_ABI_ASSERT(offsetof(struct tmem_frame, head_crc) == 0x18);
TMEM_ABI_ASSERT(offsetof(struct tmem_frame, payload_crc) == 0x1c);
TMEM_ABI_ASSERT(sizeof(struct tmem_hello) == 8);
TMEM_ABI_ASSERT(offsetof(struct tmem_hello, version) == 0x0);
TMEM_ABI_ASSERT(offsetof(struct tmem_hello, features) == 0x4);
TMEM_ABI_ASSERT(sizeof(struct tmem_welcome) == 24);
TMEM_ABI_ASSERT(offsetof(struct tmem_welcome, version) == 0x0);
TMEM_ABI_ASSERT(offsetof(struct tmem_welcome, features) == 0x4);
TMEM_ABI_ASSERT(offsetof(struct tmem_welcome, host_epoch) == 0x8);
TMEM_ABI_ASSERT(offsetof(struct tmem_welcome, queue_count) == 0xc);
TMEM_ABI_ASSERT(offsetof(struct tmem_welcome, queue_entries) == 0x10);
TMEM_ABI_ASSERT(offsetof(struct tmem_welcome, slot_count) == 0x14);
TMEM_ABI_ASSERT(sizeof(struct tmem_frame_item) == 8);
TMEM_ABI_ASSERT(offsetof(struct tmem_frame_item, queue) == 0x0);
TMEM_ABI_ASSERT(offsetof(struct tmem_frame_item, pages) == 0x4);

#endif /* TMEM_ABI_H */
