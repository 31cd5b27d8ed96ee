// SPDX-License-Identifier: GPL-2.0-only
/*
 * The frontswap front end: each swap type is a pool, each swap offset a page in it.
 *
 * init() opens the pool at swapon and the area call destroys it at swapoff, so puts to a
 * swapped-off type fail by themselves until the next init. For each swap offset `placed` names
 * the slot in which we have put its page; one that is not placed is never asked for. A bit in
 * `pending` says that its flush found the queue full and is the worker's to post; until then its
 * puts are refused, so that the late flush cannot drop a newer page.
 *
 * Contexts (mm/page_io.c, mm/swapfile.c of 6.1): init and area may sleep; store and load may
 * sleep, with the page locked, inside reclaim or a fault: nothing here allocates.
 * invalidate_page comes under si->lock with interrupts off: it only posts.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/frontswap.h>
#include <linux/module.h>
#include <linux/page-flags.h>
#include <linux/swap.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "tmem.h"

/* One swap type: set up by init, before any other hook, taken down by the area call. */
struct tmem_area {
	int pool;			/* -1: none, every put is refused */
	unsigned long slots;		/* swap offsets */
	u32 *placed;			/* by offset: slot of the page we put, plus 1; or 0 */
	unsigned long *pending;		/* a flush that is still to be posted */
	struct work_struct drain;	/* posts the pending flushes */
};

static struct tmem_area tmem_areas[MAX_SWAPFILES];
static struct workqueue_struct *tmem_drain_queue;
static struct swap_info_struct **tmem_swap_info;

static struct tmem_key tmem_area_key(unsigned int type, pgoff_t offset)
{
	struct tmem_key key = {
		.pool = tmem_areas[type].pool,
		.oid = { type },
		.index = offset,
	};

	return key;
}

/* Posts each pending flush, then lets its slot be put again, in this order. May sleep. */
static void tmem_area_drain(struct work_struct *work)
{
	struct tmem_area *area = container_of(work, struct tmem_area, drain);
	struct tmem_device *dev = tmem_the_device();
	unsigned long offset;

	for_each_set_bit(offset, area->pending, area->slots) {
		struct tmem_key key = tmem_area_key(area - tmem_areas, offset);

		/*
		 * swapoff drops the whole pool: it need not wait for a host that does not answer.
		 */
		while (READ_ONCE(area->slots) && tmem_flush_page(dev, &key))
			usleep_range(200, 400);
		/* Pairs with smp_rmb() in store: who sees the bit clear posts after our flush. */
		smp_mb__before_atomic();
		clear_bit(offset, area->pending);
		cond_resched();
	}
}

/* Posts a flush, or leaves it to the worker. Any context. */
static void tmem_area_flush(unsigned int type, pgoff_t offset)
{
	struct tmem_area *area = &tmem_areas[type];
	struct tmem_key key = tmem_area_key(type, offset);
	struct tmem_device *dev = tmem_the_device();

	if (!tmem_flush_page(dev, &key))
		return;
	atomic64_inc(&dev->counters.flushes_deferred);
	set_bit(offset, area->pending);
	queue_work(tmem_drain_queue, &area->drain);
}

/* Drops what we hold of a slot, if anything. Any context. */
static void tmem_area_forget(unsigned int type, pgoff_t offset)
{
	struct tmem_area *area = &tmem_areas[type];
	u32 placed;

	if (offset >= area->slots)
		return;
	placed = xchg(&area->placed[offset], 0);
	if (!placed)
		return;
	tmem_credit_release(tmem_the_device(), placed - 1);
	tmem_area_flush(type, offset);
}

/* swapon: may sleep, swapon_mutex held. */
static void tmem_frontswap_on(unsigned int type)
{
	struct tmem_area *area = &tmem_areas[type];
	unsigned long slots = tmem_swap_info[type]->max;

	area->placed = kvcalloc(slots, sizeof(*area->placed), GFP_KERNEL);
	area->pending = kvcalloc(BITS_TO_LONGS(slots), sizeof(long), GFP_KERNEL);
	if (area->placed && area->pending)
		area->pool = tmem_new_pool(tmem_the_device(), TMEM_POOL_PERSIST);
	if (area->pool < 0) {
		pr_warn("tmem: swap type %u gets no pool (%d): its pages go to disk\n", type,
			area->pool);
		return;
	}
	area->slots = slots;
}

/* swapoff, after every page has been read back: may sleep. */
static void tmem_frontswap_off(unsigned int type)
{
	struct tmem_area *area = &tmem_areas[type];
	int pool = area->pool;
	int ret;

	WRITE_ONCE(area->slots, 0);
	cancel_work_sync(&area->drain);
	if (pool >= 0) {
		ret = tmem_destroy_pool(tmem_the_device(), pool);
		if (ret < 0)
			pr_warn("tmem: pool %d was not destroyed (%d)\n", pool, ret);
	}
	area->pool = -ENODEV;
	kvfree(area->placed);
	kvfree(area->pending);
	area->placed = NULL;
	area->pending = NULL;
}

/* swap_writepage(): page locked, in reclaim; may sleep, must not allocate. 0 when we have it. */
static int tmem_frontswap_store(unsigned int type, pgoff_t offset, struct page *page)
{
	struct tmem_area *area = &tmem_areas[type];
	struct tmem_device *dev = tmem_the_device();
	struct tmem_key key;
	u32 slot;
	int ret;

	/* Whatever comes of this put, an older page must not outlive it. */
	tmem_area_forget(type, offset);
	/* A huge page comes as its head with one offset: taking it would lose the rest. */
	if (PageCompound(page) || offset >= area->slots || offset > U32_MAX ||
	    test_bit(offset, area->pending)) {
		atomic64_inc(&dev->counters.refused_other);
		return -1;
	}
	/* Pairs with the drain worker's barrier. */
	smp_rmb();
	key = tmem_area_key(type, offset);
	ret = tmem_put_page(dev, &key, page, &slot);
	if (ret == 1) {
		WRITE_ONCE(area->placed[offset], slot + 1);
		return 0;
	}
	/* The put may still be carried out: its flush follows it in the same queue. */
	if (ret == -ETIMEDOUT)
		tmem_area_flush(type, offset);
	return -1;
}

/*
 * swap_readpage(): page locked, in a fault or swapoff; may sleep. 0 when the page is filled,
 * -1 when it is on disk. Up to 6.5 a failure would silently read a disk slot that was never
 * written, so for a page that is here there is no failing: it waits.
 */
static int tmem_frontswap_load(unsigned int type, pgoff_t offset, struct page *page)
{
	struct tmem_area *area = &tmem_areas[type];
	struct tmem_device *dev = tmem_the_device();
	struct tmem_key key = tmem_area_key(type, offset);
	u32 placed;
	int ret;

	placed = offset < area->slots ? READ_ONCE(area->placed[offset]) : 0;
	if (!placed)
		return -1;
	if (dev->features & TMEM_FEATURE_DIRECT_GETS) {
		tmem_get_direct(dev, &key, page, placed - 1);
		return 0;
	}
	for (;;) {
		ret = tmem_get_page(dev, &key, page);
		if (ret == 1)
			return 0;
		atomic64_inc(&dev->counters.lost);
		pr_err_ratelimited("tmem: the host lost page %lu of swap type %u (%d): waiting\n",
				   offset, type, ret);
		ssleep(1);
	}
}

/* A swap slot is free again: under si->lock, interrupts off. */
static void tmem_frontswap_invalidate_page(unsigned int type, pgoff_t offset)
{
	tmem_area_forget(type, offset);
}

static const struct frontswap_ops tmem_frontswap_ops = {
	.init = tmem_frontswap_on,
	.store = tmem_frontswap_store,
	.load = tmem_frontswap_load,
	.invalidate_page = tmem_frontswap_invalidate_page,
	.invalidate_area = tmem_frontswap_off,
};

/* Areas that are on already get no init from 5.17 on: their pages stay on disk. */
static void tmem_warn_of_active_areas(void)
{
	unsigned int type;

	for (type = 0; type < MAX_SWAPFILES; type++) {
		struct swap_info_struct *info = READ_ONCE(tmem_swap_info[type]);

		if (info && (READ_ONCE(info->flags) & SWP_WRITEOK))
			pr_warn("tmem: swap type %u was on before: swapoff and swapon to use it\n",
				type);
	}
}

int tmem_frontswap_init(void)
{
	int (*register_ops)(const struct frontswap_ops *ops);
	tmem_lookup_t lookup = tmem_find_lookup();
	unsigned int type;
	int ret;

	if (!lookup) {
		pr_err("tmem: kallsyms_lookup_name not found: CONFIG_KPROBES, CONFIG_KALLSYMS?\n");
		return -ENOENT;
	}
	register_ops = (void *)lookup("frontswap_register_ops");
	tmem_swap_info = (void *)lookup("swap_info");
	if (!register_ops || !tmem_swap_info) {
		pr_err("tmem: this kernel has no frontswap: CONFIG_FRONTSWAP, CONFIG_KALLSYMS_ALL?\n");
		return -ENOENT;
	}
	tmem_drain_queue = alloc_workqueue("tmem", WQ_MEM_RECLAIM, 0);
	if (!tmem_drain_queue)
		return -ENOMEM;
	for (type = 0; type < MAX_SWAPFILES; type++) {
		tmem_areas[type].pool = -ENODEV;
		INIT_WORK(&tmem_areas[type].drain, tmem_area_drain);
	}
	ret = register_ops(&tmem_frontswap_ops);
	if (ret) {
		pr_err("tmem: frontswap has another backend: boot with %s\n",
		       "initcall_blacklist=init_zswap,zswap_init");
		destroy_workqueue(tmem_drain_queue);
		return ret;
	}
	/* There is no unregister: the hooks may be called for ever. */
	__module_get(THIS_MODULE);
	tmem_warn_of_active_areas();
	return 0;
}
