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
 * Contexts: on and off may sleep; store and load may sleep, with the page locked, inside reclaim
 * or a fault: nothing here allocates. forget comes in any context, under si->lock with interrupts
 * off: it only posts. Between on and off of a type the caller's hooks may come at any time; outside
 * of that they find no slots and no pool.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "tmem.h"

/* One line of a kind in five seconds: pages are many, and their trouble is one. */
#define tmem_area_say(format, ...)					\
	do {								\
		static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 1);	\
									\
		if (__ratelimit(&limit))				\
			pr_err(format, ##__VA_ARGS__);			\
	} while (0)

/* How long a load that may fail asks again for a page that the host says it does not have. */
#define TMEM_LOST_PATIENCE	(HZ / 5)

/* One area: set up by on, before any other hook, taken down by off. */
struct tmem_area {
	int pool;			/* negative: none, every put is refused */
	unsigned long slots;		/* offsets */
	u32 *placed;			/* by offset: slot of the page we put, plus 1; or 0 */
	u32 *checks;			/* by offset: check value of a placed page; NULL: none */
	unsigned long *pending;		/* a flush that is still to be posted */
	struct work_struct drain;	/* posts the pending flushes */
};

static_assert(MAX_SWAPFILES <= TMEM_AREA_BLOCK);

static struct tmem_area tmem_areas[TMEM_AREAS];
static unsigned int tmem_areas_users;
static struct workqueue_struct *tmem_drain_queue;

static struct tmem_key tmem_area_key(unsigned int number, pgoff_t offset)
{
	struct tmem_key key = {
		.pool = tmem_areas[number].pool,
		.oid = { number },
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
static void tmem_area_flush(unsigned int number, pgoff_t offset)
{
	struct tmem_area *area = &tmem_areas[number];
	struct tmem_key key = tmem_area_key(number, offset);
	struct tmem_device *dev = tmem_the_device();

	if (!tmem_flush_page(dev, &key))
		return;
	atomic64_inc(&dev->counters.flushes_deferred);
	set_bit(offset, area->pending);
	queue_work(tmem_drain_queue, &area->drain);
}

/* Drops what we hold of a swap offset, if anything. Any context. */
void tmem_area_forget(unsigned int number, pgoff_t offset)
{
	struct tmem_area *area = &tmem_areas[number];
	u32 placed;

	if (offset >= READ_ONCE(area->slots))
		return;
	placed = xchg(&area->placed[offset], 0);
	if (!placed)
		return;
	tmem_credit_release(tmem_the_device(), placed - 1);
	tmem_area_flush(number, offset);
}

/* A swap area of @slots pages goes on: may sleep, swapon_mutex held. */
void tmem_area_on(unsigned int number, unsigned long slots)
{
	struct tmem_area *area = &tmem_areas[number];

	area->placed = kvcalloc(slots, sizeof(*area->placed), GFP_KERNEL);
	area->pending = kvcalloc(BITS_TO_LONGS(slots), sizeof(long), GFP_KERNEL);
	if (tmem_check_pages)
		area->checks = kvcalloc(slots, sizeof(*area->checks), GFP_KERNEL);
	if (area->placed && area->pending && (area->checks || !tmem_check_pages))
		area->pool = tmem_new_pool(tmem_the_device(), TMEM_POOL_PERSIST);
	if (area->pool < 0) {
		pr_warn("tmem: area %u gets no pool (%d): its pages go to disk\n", number,
			area->pool);
		return;
	}
	/* Whoever sees the slots sees the tables. */
	smp_store_release(&area->slots, slots);
}

/* A swap area goes off, after every page has been read back: may sleep. */
void tmem_area_off(unsigned int number)
{
	struct tmem_area *area = &tmem_areas[number];
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
	kvfree(area->checks);
	area->placed = NULL;
	area->pending = NULL;
	area->checks = NULL;
}

/* Whether the area is on and has a pool. */
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

/*
 * Puts a page under its swap offset: page locked, in reclaim; may sleep, allocates nothing. Of a
 * huge page it is one, with an offset of its own.
 *
 * Returns 0 when we have it. If not, no older copy of it is left either: -ENODEV when the area is
 * off and -EINVAL for an offset that no key has, which stay so; else as tmem_put_page(), or
 * -EAGAIN while a flush of the offset is still to be posted.
 */
int tmem_area_store(unsigned int number, pgoff_t offset, struct page *page)
{
	struct tmem_area *area = &tmem_areas[number];
	struct tmem_device *dev = tmem_the_device();
	struct tmem_key key;
	u32 check;
	u32 slot;
	int ret;

	/* Whatever comes of this put, an older page must not outlive it. */
	tmem_area_forget(number, offset);
	if (!READ_ONCE(area->slots)) {
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
		tmem_area_flush(number, offset);
	return ret;
}

/* The slot of the page we put, plus 1; 0 when there is none. Any context. */
static u32 tmem_area_placed(unsigned int number, pgoff_t offset)
{
	struct tmem_area *area = &tmem_areas[number];

	/* Pairs with the release in store. */
	return offset < READ_ONCE(area->slots) ? smp_load_acquire(&area->placed[offset]) : 0;
}

/*
 * Gets a page that is @placed, once: from its slot if it stays there, else from the host, which may
 * take up to @timeout jiffies. Returns as tmem_get_page() does, or -EBADMSG when the bytes are not
 * those that were put.
 */
static int tmem_area_get(unsigned int number, pgoff_t offset, struct page *page, u32 placed,
			 unsigned long timeout)
{
	struct tmem_area *area = &tmem_areas[number];
	u32 expected = area->checks ? READ_ONCE(area->checks[offset]) : 0;
	u32 *check = area->checks ? &(u32){ 0 } : NULL;
	struct tmem_key key = tmem_area_key(number, offset);
	struct tmem_device *dev = tmem_the_device();
	int ret = 1;

	if (dev->features & TMEM_FEATURE_DIRECT_GETS)
		tmem_get_direct(dev, &key, page, placed - 1, check);
	else
		ret = tmem_get_page(dev, &key, page, timeout, check);
	if (ret != 1 || !check || *check == expected)
		return ret;
	atomic64_inc(&dev->counters.gets_mismatched);
	tmem_area_say("tmem: page %lu of area %u came back with other bytes than were put\n",
		      offset, number);
	return -EBADMSG;
}

/*
 * Whether a load has waited for the host in vain, and it has not caught up since. Others need not
 * wait then: one fault reads several pages ahead, and its time limit is one.
 */
static bool tmem_area_host_is_silent(struct tmem_device *dev)
{
	if (likely(!READ_ONCE(dev->silent)))
		return false;
	if (!tmem_queues_answered(dev))
		return true;
	WRITE_ONCE(dev->silent, false);
	return false;
}

/*
 * As tmem_area_get() for a load that may fail: up to get_timeout_ms if the host does not answer, a
 * few times if it does and its answer is of no use.
 */
static int tmem_area_get_by(unsigned int number, pgoff_t offset, struct page *page, u32 placed)
{
	struct tmem_device *dev = tmem_the_device();
	unsigned long timeout = msecs_to_jiffies(READ_ONCE(tmem_get_timeout_ms));
	unsigned long end = jiffies + TMEM_LOST_PATIENCE;
	int ret = -ETIMEDOUT;

	if (!tmem_area_host_is_silent(dev)) {
		ret = tmem_area_get(number, offset, page, placed, timeout);
		while (ret != 1 && ret != -EBADMSG && ret != -ETIMEDOUT &&
		       time_before(jiffies, end)) {
			msleep(20);
			ret = tmem_area_get(number, offset, page, placed, timeout);
		}
		if (ret == -ETIMEDOUT)
			WRITE_ONCE(dev->silent, true);
	}
	if (ret == 1 || ret == -EBADMSG)
		return ret;
	atomic64_inc(&dev->counters.lost);
	tmem_area_say("tmem: page %lu of area %u cannot be had (%d): SIGBUS\n",
		      offset, number, ret);
	return ret;
}

/*
 * Gets a page back: page locked, in a fault or swapoff; may sleep. TMEM_LOAD_ABSENT when it is not
 * here but on disk. With @may_fail a page that cannot be had, or has other bytes than were put, is
 * TMEM_LOAD_FAILED and the caller must make the fault fail; without, this waits for ever.
 */
enum tmem_load tmem_area_load(unsigned int number, pgoff_t offset, struct page *page, bool may_fail)
{
	struct tmem_device *dev = tmem_the_device();
	u32 placed = tmem_area_placed(number, offset);
	int ret;

	if (!placed)
		return TMEM_LOAD_ABSENT;
	if (may_fail) {
		ret = tmem_area_get_by(number, offset, page, placed);
		return ret == 1 ? TMEM_LOAD_FILLED : TMEM_LOAD_FAILED;
	}
	while ((ret = tmem_area_get(number, offset, page, placed, MAX_SCHEDULE_TIMEOUT)) != 1) {
		atomic64_inc(&dev->counters.lost);
		tmem_area_say("tmem: the host lost page %lu of area %u (%d): waiting\n",
			      offset, number, ret);
		msleep(1000);
	}
	return TMEM_LOAD_FILLED;
}

/*
 * As tmem_area_load(), for a page that is on disk too: asks once and not for long, and not at all
 * while the host is silent. TMEM_LOAD_FILLED, or TMEM_LOAD_ABSENT for "read the disk". May sleep.
 */
enum tmem_load tmem_area_try_load(unsigned int number, pgoff_t offset, struct page *page)
{
	struct tmem_device *dev = tmem_the_device();
	struct tmem_key key = tmem_area_key(number, offset);
	struct tmem_queue *queue = tmem_queue_of(dev, &key);
	u32 placed = tmem_area_placed(number, offset);
	int ret = -ETIMEDOUT;

	if (!placed)
		return TMEM_LOAD_ABSENT;
	if ((dev->features & TMEM_FEATURE_DIRECT_GETS) || !tmem_queue_is_stalled(queue))
		ret = tmem_area_get(number, offset, page, placed,
				    msecs_to_jiffies(READ_ONCE(tmem_put_timeout_ms)));
	if (ret == 1)
		return TMEM_LOAD_FILLED;
	if (ret == -ETIMEDOUT)
		WRITE_ONCE(queue->stalled, true);
	atomic64_inc(&dev->counters.failed_over);
	return TMEM_LOAD_ABSENT;
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
