// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypercall itself: /dev/tmem for programs and tmem_op() for kernel code. Arguments go to the
 * host as they are, and its results come back as they are: it is the host that judges them.
 *
 * The one thing that is judged here is the pool: those of this kernel's own front ends are closed,
 * since a page that changes behind a swap area's back would be wrong data. Every call waits for its
 * answer; nothing here is called in atomic context.
 */
#include <linux/bitmap.h>
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "tmem.h"
#include "tmem_ioctl.h"

/* Persistent pools that programs have, by id; atomic. */
static DECLARE_BITMAP(tmem_hypercall_pools, TMEM_POOLS_MAX);

/* Keeps count of them. Process context. */
static void tmem_hypercall_note(const struct tmem_op *op, int result)
{
	if (op->cmd == TMEM_OP_NEW_POOL && (op->flags & TMEM_OP_PERSIST) && result >= 0 &&
	    result < TMEM_POOLS_MAX)
		set_bit(result, tmem_hypercall_pools);
	else if (op->cmd == TMEM_OP_DESTROY_POOL && result == 1)
		clear_bit(op->pool_id, tmem_hypercall_pools);
}

/* The device is gone, and nobody uses it. Process context. */
void tmem_hypercall_end(void)
{
	bitmap_zero(tmem_hypercall_pools, TMEM_POOLS_MAX);
}

/* Persistent pools that programs have. Process context. */
unsigned int tmem_hypercall_held(void)
{
	return bitmap_weight(tmem_hypercall_pools, TMEM_POOLS_MAX);
}

/**
 * tmem_op() - carries out one tmem operation
 * @op: what to do
 * @page: for PUT_PAGE and GET_PAGE, one page; otherwise not looked at
 *
 * Context: process context, may sleep; not for reclaim, which has its own way in.
 *
 * Return: what Xen's hypercall returns (1 success, 0 miss, a pool's id, a negative errno); -ENODEV
 * with no host or for a pool of this kernel's own, -ENOMEM for a put that got no credit, -ETIMEDOUT
 * or -EIO when the host does not answer or makes no sense, -ESTALE when it serves another life.
 */
int tmem_op(const struct tmem_op *op, struct page *page)
{
	struct tmem_device *dev = tmem_device_get();
	struct tmem_key key = {
		.pool = op->pool_id,
		.oid = { op->oid[0], op->oid[1], op->oid[2] },
		.index = op->index,
	};
	u32 flags = 0;
	int ret = -ENODEV;

	if (!dev)
		return ret;
	switch (op->cmd) {
	case TMEM_OP_NEW_POOL:
		key.pool = 0;
		key.oid[0] = op->uuid[0];
		key.oid[1] = op->uuid[1];
		key.oid[2] = 0;
		flags = op->flags;
		break;
	case TMEM_OP_CONTROL:
		break;
	default:
		if (tmem_area_has_pool(op->pool_id) || tmem_cleancache_has_pool(op->pool_id))
			goto out;
	}
	ret = tmem_call_raw(dev, op->cmd, &key, flags, page);
	tmem_hypercall_note(op, ret);
out:
	tmem_device_put(dev);
	return ret;
}
EXPORT_SYMBOL_GPL(tmem_op);

static bool tmem_hypercall_has_page(const struct tmem_op *op)
{
	return op->cmd == TMEM_OP_PUT_PAGE || op->cmd == TMEM_OP_GET_PAGE;
}

/* Copies a page in for a put, calls, copies it out for a get that hit. May sleep. */
static long tmem_hypercall_paged(struct tmem_ioctl_op *call)
{
	void __user *bytes = u64_to_user_ptr(call->page);
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	long ret = 0;

	if (!page)
		return -ENOMEM;
	if (call->op.cmd == TMEM_OP_PUT_PAGE &&
	    copy_from_user(page_address(page), bytes, PAGE_SIZE))
		ret = -EFAULT;
	if (!ret)
		call->result = tmem_op(&call->op, page);
	if (!ret && call->op.cmd == TMEM_OP_GET_PAGE && call->result == 1 &&
	    copy_to_user(bytes, page_address(page), PAGE_SIZE))
		ret = -EFAULT;
	__free_page(page);
	return ret;
}

static long tmem_hypercall_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	void __user *from = (void __user *)argument;
	struct tmem_ioctl_op call;
	long ret = 0;

	if (command != TMEM_IOCTL_OP)
		return -ENOTTY;
	if (copy_from_user(&call, from, sizeof(call)))
		return -EFAULT;
	if (call.reserved)
		return -EINVAL;
	if (tmem_hypercall_has_page(&call.op))
		ret = tmem_hypercall_paged(&call);
	else
		call.result = tmem_op(&call.op, NULL);
	if (!ret && copy_to_user(from, &call, sizeof(call)))
		ret = -EFAULT;
	return ret;
}

static const struct file_operations tmem_hypercall_operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = tmem_hypercall_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice tmem_hypercall_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "tmem",
	.fops = &tmem_hypercall_operations,
	.mode = 0600,
};

int tmem_hypercall_init(void)
{
	return misc_register(&tmem_hypercall_device);
}

void tmem_hypercall_exit(void)
{
	misc_deregister(&tmem_hypercall_device);
}
