// SPDX-License-Identifier: GPL-2.0-only
/*
 * Areas: what the front ends that keep a range of pages have in common, a swap type or a disk.
 *
 * Each area is a pool, each offset a page in it. On opens the pool at swapon and off
 * destroys it at swapoff, so puts to a swapped-off type fail by themselves until the next on. For
 * each swap offset `placed` names the slot in which we have put its page; one that is not placed
 * is never asked for. With check_pages=1 `checks` has the check value of each page that is placed,
 * and a load whose bytes are others fails. A bit in `pending` says that its flush found the queue
 * full and is the worker's to post; until then its puts are refused, so that the late flush cannot
 * drop a newer page.
 *
 * When the device goes, each page that was placed is marked lost: loads of it fail, or wait, until
 * its offset is stored or freed. The next device gives each area that is on another pool.
 *
 * Contexts: on and off may sleep; store and load may sleep, with the page locked, inside reclaim
 * or a fault: nothing here allocates. forget comes in any context, under si->lock with interrupts
 * off: it only posts. Between on and off of a type the caller's hooks may come at any time; outside
 * of that they find no slots and no pool.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/workqueue.h>

#include "area.h"
#include "compat.h"
#include "tmem.h"

static_assert(MAX_SWAPFILES <= TMEM_AREA_BLOCK);

struct tmem_area tmem_areas[TMEM_AREAS];
static unsigned int tmem_areas_users;
/* Tables and pools come and go one after the other, the device's with them. */
static DEFINE_MUTEX(tmem_areas_mutex);
static struct workqueue_struct *tmem_drain_queue;

/* Posts a flush. Returns 0 or -EAGAIN. What went with its device needs none. Any context. */
static int tmem_area_try_flush(unsigned int number, pgoff_t offset)
{
	struct tmem_device *dev = tmem_device_get();
	struct tmem_key key = tmem_area_key(number, offset);
	int ret = dev ? tmem_flush_page(dev, &key) : 0;

	tmem_device_put(dev);
	return ret;
}

/* Posts each pending flush, then lets its slot be put again, in this order. May sleep. */
static void tmem_area_drain(struct work_struct *work)
{
	struct tmem_area *area = container_of(work, struct tmem_area, drain);
	unsigned long offset;

	for_each_set_bit(offset, area->pending, area->slots) {
		/*
		 * swapoff drops the whole pool: it need not wait for a host that does not answer.
		 */
		while (READ_ONCE(area->slots) && tmem_area_try_flush(area - tmem_areas, offset))
			usleep_range(200, 400);
		/* Pairs with smp_rmb() in store: who sees the bit clear posts after our flush. */
		smp_mb__before_atomic();
		clear_bit(offset, area->pending);
		cond_resched();
	}
}

/* Posts a flush, or leaves it to the worker. Any context. */
static void tmem_area_flush(struct tmem_device *dev, unsigned int number, pgoff_t offset)
{
	struct tmem_area *area = &tmem_areas[number];
	struct tmem_key key = tmem_area_key(number, offset);

	if (!tmem_flush_page(dev, &key))
		return;
	atomic64_inc(&dev->counters.flushes_deferred);
	set_bit(offset, area->pending);
	queue_work(tmem_drain_queue, &area->drain);
}

/* As tmem_area_forget(). @dev is held; NULL: there is none. */
static void tmem_area_drop(struct tmem_device *dev, unsigned int number, pgoff_t offset)
{
	struct tmem_area *area = &tmem_areas[number];
	u32 placed;

	if (offset >= READ_ONCE(area->slots))
		return;
	/* Nothing to write for most: freed slots are many. */
	if (!READ_ONCE(area->placed[offset]))
		return;
	placed = xchg(&area->placed[offset], 0);
	if (!placed || placed == TMEM_PLACED_LOST || !dev)
		return;
	tmem_credit_release(dev, placed - 1);
	tmem_area_flush(dev, number, offset);
}

/* Drops what we hold of a swap offset, if anything. Any context. */
void tmem_area_forget(unsigned int number, pgoff_t offset)
{
	struct tmem_device *dev = tmem_device_get();

	tmem_area_drop(dev, number, offset);
	tmem_device_put(dev);
}

/*
 * Gives an area with tables a pool. Mutex held; may sleep. @dev is held, or yet to be published;
 * NULL: there is none.
 */
static void tmem_area_open(struct tmem_device *dev, unsigned int number)
{
	struct tmem_area *area = &tmem_areas[number];

	area->pool = dev ? tmem_new_pool(dev, TMEM_POOL_PERSIST) : -ENODEV;
	if (area->pool < 0) {
		pr_warn("tmem: area %u gets no pool (%d): its pages go to disk\n", number,
			area->pool);
		return;
	}
	/* Whoever sees the slots sees the tables. */
	smp_store_release(&area->slots, area->size);
}

/* A swap area of @slots pages goes on: may sleep, swapon_mutex held. */
void tmem_area_on(unsigned int number, unsigned long slots)
{
	struct tmem_area *area = &tmem_areas[number];
	struct tmem_device *dev;

	mutex_lock(&tmem_areas_mutex);
	dev = tmem_device_get();
	area->placed = kvcalloc(slots, sizeof(*area->placed), GFP_KERNEL);
	area->pending = kvcalloc(BITS_TO_LONGS(slots), sizeof(long), GFP_KERNEL);
	if (tmem_check_pages)
		area->checks = kvcalloc(slots, sizeof(*area->checks), GFP_KERNEL);
	if (area->placed && area->pending && (area->checks || !tmem_check_pages)) {
		area->size = slots;
		tmem_area_open(dev, number);
	} else {
		pr_warn("tmem: no memory for area %u: its pages go to disk\n", number);
	}
	tmem_device_put(dev);
	mutex_unlock(&tmem_areas_mutex);
}

/* A swap area goes off, after every page has been read back: may sleep. */
void tmem_area_off(unsigned int number)
{
	struct tmem_area *area = &tmem_areas[number];
	struct tmem_device *dev;
	int ret;

	mutex_lock(&tmem_areas_mutex);
	dev = tmem_device_get();
	WRITE_ONCE(area->slots, 0);
	cancel_work_sync(&area->drain);
	/* Without the device the pool is gone, or about to be. */
	if (area->pool >= 0 && dev) {
		ret = tmem_destroy_pool(dev, area->pool);
		if (ret < 0 && ret != -ENODEV)
			pr_warn("tmem: pool %d was not destroyed (%d)\n", area->pool, ret);
	}
	area->pool = -ENODEV;
	area->size = 0;
	kvfree(area->placed);
	kvfree(area->pending);
	kvfree(area->checks);
	area->placed = NULL;
	area->pending = NULL;
	area->checks = NULL;
	tmem_device_put(dev);
	mutex_unlock(&tmem_areas_mutex);
}

/* Whether the area is on and had a pool. */
bool tmem_area_is_on(unsigned int number)
{
	return number < TMEM_AREAS && READ_ONCE(tmem_areas[number].slots);
}

/* Whether the pool is that of an area. Any context. */
bool tmem_area_has_pool(s32 pool)
{
	unsigned int number;

	for (number = 0; number < TMEM_AREAS; number++)
		if (READ_ONCE(tmem_areas[number].slots) && tmem_areas[number].pool == pool)
			return true;
	return false;
}

/* As tmem_area_store(). @dev is held. */
static int tmem_area_put(struct tmem_device *dev, unsigned int number, pgoff_t offset,
			 struct page *page)
{
	struct tmem_area *area = &tmem_areas[number];
	struct tmem_key key;
	u32 check;
	u32 slot;
	int ret;

	/* Whatever comes of this put, an older page must not outlive it. */
	tmem_area_drop(dev, number, offset);
	if (!READ_ONCE(area->slots) || READ_ONCE(area->pool) < 0 || READ_ONCE(tmem_image)) {
		atomic64_inc(&dev->counters.refused_off);
		return -ENODEV;
	}
	if (offset >= READ_ONCE(area->slots) || offset > U32_MAX) {
		atomic64_inc(&dev->counters.refused_other);
		return -EINVAL;
	}
	if (test_bit(offset, area->pending)) {
		atomic64_inc(&dev->counters.refused_pending);
		return -EAGAIN;
	}
	/* Pairs with the drain worker's barrier. */
	smp_rmb();
	key = tmem_area_key(number, offset);
	ret = tmem_put_page(dev, &key, page, &slot, area->checks ? &check : NULL);
	if (ret == 1) {
		if (area->checks)
			WRITE_ONCE(area->checks[offset], check);
		/* Whoever sees the page placed sees its check value. */
		smp_store_release(&area->placed[offset], slot + 1);
		return 0;
	}
	/* The put may still be carried out: its flush follows it in the same queue. */
	if (ret == -ETIMEDOUT)
		tmem_area_flush(dev, number, offset);
	/* No host's answer to a put makes a page ours but 1. */
	return ret < 0 ? ret : -EIO;
}

/*
 * Puts a page under its swap offset: page locked, in reclaim; may sleep, allocates nothing. Of a
 * huge page it is one, with an offset of its own.
 *
 * Returns 0 when we have it. If not, no older copy of it is left either: -ENODEV when the area is
 * off, the device is gone, or the kernel's image is being made; -EINVAL for an offset that no key
 * has; else as tmem_put_page(), or -EAGAIN while a flush of the offset is still to be posted.
 */
int tmem_area_store(unsigned int number, pgoff_t offset, struct page *page)
{
	struct tmem_device *dev = tmem_device_get();
	int ret = -ENODEV;

	if (dev) {
		ret = tmem_area_put(dev, number, offset, page);
	} else {
		tmem_area_drop(NULL, number, offset);
		atomic64_inc(&tmem_counters_of(NULL)->refused_off);
	}
	tmem_device_put(dev);
	return ret;
}

/* @dev, which nobody else uses yet, gives each area that is on a pool. May sleep. */
void tmem_areas_begin(struct tmem_device *dev)
{
	unsigned int number;

	mutex_lock(&tmem_areas_mutex);
	for (number = 0; number < TMEM_AREAS; number++)
		if (tmem_areas[number].size)
			tmem_area_open(dev, number);
	mutex_unlock(&tmem_areas_mutex);
}

/* Calls @each for each offset that a page lies under. Mutex held; may sleep. Returns their sum. */
static unsigned long tmem_areas_sum(unsigned long (*each)(u32 *placed))
{
	unsigned long sum = 0;
	unsigned long offset;
	unsigned int number;

	for (number = 0; number < TMEM_AREAS; number++) {
		struct tmem_area *area = &tmem_areas[number];

		for (offset = 0; offset < area->size; offset++) {
			if (READ_ONCE(area->placed[offset]))
				sum += each(&area->placed[offset]);
			if (!(offset % 4096))
				cond_resched();
		}
	}
	return sum;
}

static unsigned long tmem_area_lose(u32 *at)
{
	u32 placed = READ_ONCE(*at);

	/* Its offset may be freed meanwhile. */
	return placed && placed != TMEM_PLACED_LOST &&
	       cmpxchg(at, placed, TMEM_PLACED_LOST) == placed;
}

static unsigned long tmem_area_holds(u32 *at)
{
	return READ_ONCE(*at) != TMEM_PLACED_LOST;
}

/*
 * The device is gone, and nobody uses it: all pages are lost. May sleep. Returns how many that
 * were.
 */
unsigned long tmem_areas_end(void)
{
	unsigned long lost;
	unsigned int number;

	mutex_lock(&tmem_areas_mutex);
	lost = tmem_areas_sum(tmem_area_lose);
	for (number = 0; number < TMEM_AREAS; number++)
		WRITE_ONCE(tmem_areas[number].pool, -ENODEV);
	mutex_unlock(&tmem_areas_mutex);
	return lost;
}

/* Pages that lie with the host. May sleep. */
unsigned long tmem_areas_held(void)
{
	unsigned long held;

	mutex_lock(&tmem_areas_mutex);
	held = tmem_areas_sum(tmem_area_holds);
	mutex_unlock(&tmem_areas_mutex);
	return held;
}

/* Called by each front end that uses areas, one after the other. May sleep. */
int tmem_areas_init(void)
{
	unsigned int number;

	if (tmem_areas_users++)
		return 0;
	tmem_drain_queue = alloc_workqueue("tmem", WQ_MEM_RECLAIM | TMEM_WQ_PERCPU, 0);
	if (!tmem_drain_queue) {
		tmem_areas_users--;
		return -ENOMEM;
	}
	for (number = 0; number < TMEM_AREAS; number++) {
		tmem_areas[number].pool = -ENODEV;
		INIT_WORK(&tmem_areas[number].drain, tmem_area_drain);
	}
	return 0;
}

/* The caller's areas are off, and none of its hooks comes any more. */
void tmem_areas_exit(void)
{
	if (!--tmem_areas_users)
		destroy_workqueue(tmem_drain_queue);
}
