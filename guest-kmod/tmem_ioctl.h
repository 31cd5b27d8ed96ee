/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The hypercall, as programs and other modules of the guest see it: Xen's operations
 * (xen/include/public/tmem.h, RELEASE-4.12.0) with any arguments.
 *
 * A program opens /dev/tmem, which is root's alone, and calls ioctl(TMEM_IOCTL_OP).
 */
#ifndef TMEM_IOCTL_H
#define TMEM_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* struct tmem_op.cmd: Xen's numbers. What the host does not know is -ENOSYS. */
#define TMEM_OP_CONTROL		0
#define TMEM_OP_NEW_POOL	1
#define TMEM_OP_DESTROY_POOL	2
#define TMEM_OP_PUT_PAGE	4
#define TMEM_OP_GET_PAGE	5
#define TMEM_OP_FLUSH_PAGE	6
#define TMEM_OP_FLUSH_OBJECT	7

/* struct tmem_op.flags of a new pool. */
#define TMEM_OP_PERSIST		1
#define TMEM_OP_SHARED		2
/* The version that Xen's tmem speaks, in the top byte of the flags. */
#define TMEM_OP_VERSION		(1u << 24)

/* One operation. What a command does not use is ignored. */
struct tmem_op {
	__u32 cmd;		/* TMEM_OP_* */
	__s32 pool_id;		/* all but NEW_POOL */
	__u64 oid[3];		/* object id, least significant word first */
	__u32 index;		/* page within the object */
	__u32 flags;		/* NEW_POOL: TMEM_OP_PERSIST ..., with TMEM_OP_VERSION */
	__u64 uuid[2];		/* NEW_POOL: of a shared pool */
};

/* The argument of TMEM_IOCTL_OP. */
struct tmem_ioctl_op {
	struct tmem_op op;	/* what to do */
	__u64 page;		/* PUT_PAGE, GET_PAGE: address of 4096 bytes */
	__s32 result;		/* set by the ioctl: what Xen's hypercall returns */
	__u32 reserved;		/* 0 */
};

/*
 * 0 when the operation was carried out, whatever its result. Errors: EFAULT a bad address, EINVAL
 * reserved is not 0, ENOMEM.
 */
#define TMEM_IOCTL_OP		_IOWR('t', 0x70, struct tmem_ioctl_op)

#ifdef __KERNEL__
struct page;

int tmem_op(const struct tmem_op *op, struct page *page);
#endif

#endif /* TMEM_IOCTL_H */
