// SPDX-License-Identifier: GPL-2.0-only
/*
 * tmem's operations, as front ends see them.
 *
 * Results are Xen's: 1 success, 0 miss, negative errno. A put may always be refused; a get of
 * a page that was put never returns other bytes: it waits, however long the host is away.
 */
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/jiffies.h>
#include <linux/printk.h>
#include <linux/timekeeping.h>

#include "tmem.h"

/* How long swapon and swapoff wait for the host. */
#define TMEM_POOL_TIMEOUT	(10 * HZ)
/* How often a get that waits says so. */
#define TMEM_GET_REPORT		(30 * HZ)

static void tmem_describe(struct tmem_descriptor *descriptor, u32 command,
			  const struct tmem_key *key)
{
	int i;

	memset(descriptor, 0, sizeof(*descriptor));
	descriptor->command = cpu_to_le32(command);
	descriptor->pool = cpu_to_le32(key->pool);
	for (i = 0; i < 3; i++)
		descriptor->oid[i] = cpu_to_le64(key->oid[i]);
	descriptor->index = cpu_to_le32(key->index);
}

/* Posts and waits. May sleep. Returns the host's result, -ETIMEDOUT or -EIO. */
static int tmem_call(struct tmem_device *dev, const struct tmem_key *key,
		     const struct tmem_descriptor *descriptor, unsigned long timeout)
{
	struct tmem_queue *queue = tmem_queue_of(dev, key);
	u32 sequence;
	s32 result;
	u32 slot;

	while (tmem_queue_post(dev, queue, descriptor, true, &sequence)) {
		if (tmem_queue_wait_room(dev, queue, timeout))
			return -ETIMEDOUT;
		cond_resched();
	}
	if (tmem_queue_wait(dev, queue, sequence, timeout)) {
		tmem_queue_abandon(queue, sequence);
		return -ETIMEDOUT;
	}
	if (tmem_queue_reap(dev, queue, sequence, &result, &slot))
		return -EIO;
	return result;
}

/* Opens a pool. May sleep. Returns its id from 0, or a negative errno. */
int tmem_new_pool(struct tmem_device *dev, u32 flags)
{
	struct tmem_key key = { 0 };
	struct tmem_descriptor descriptor;

	tmem_describe(&descriptor, TMEM_CMD_NEW_POOL, &key);
	flags |= TMEM_SPEC_VERSION << TMEM_POOL_VERSION_SHIFT;
	descriptor.flags = cpu_to_le32(flags);
	return tmem_call(dev, &key, &descriptor, TMEM_POOL_TIMEOUT);
}

/* Drops a pool and all its pages. May sleep. Returns 1, 0 for no such pool, or a negative errno. */
int tmem_destroy_pool(struct tmem_device *dev, s32 pool)
{
	struct tmem_key key = { .pool = pool };
	struct tmem_descriptor descriptor;

	tmem_describe(&descriptor, TMEM_CMD_DESTROY_POOL, &key);
	return tmem_call(dev, &key, &descriptor, TMEM_POOL_TIMEOUT);
}

/* Whether a put has a chance: the host serves us and has not said refuse. Any context. */
bool tmem_accepts_puts(struct tmem_device *dev)
{
	return le32_to_cpu(READ_ONCE(dev->header->host_state)) == TMEM_HOST_READY &&
	       !le32_to_cpu(READ_ONCE(dev->header->refuse)) &&
	       le32_to_cpu(READ_ONCE(dev->header->host_epoch)) == dev->host_epoch;
}

/* Posts the put of a filled slot; on failure the slot is ours again. May sleep. */
static int tmem_post_put(struct tmem_device *dev, struct tmem_queue *queue,
			 const struct tmem_descriptor *descriptor, u32 slot, bool wait,
			 u32 *sequence)
{
	tmem_credit_spend(dev, slot);
	while (tmem_queue_post(dev, queue, descriptor, wait, sequence)) {
		if (!tmem_queue_wait_room(dev, queue, msecs_to_jiffies(tmem_put_timeout_ms))) {
			cond_resched();
			continue;
		}
		WRITE_ONCE(queue->stalled, true);
		tmem_credit_return(dev, slot);
		return -ETIMEDOUT;
	}
	return 0;
}

/* Waits for the answer to a put. Returns 1, or a negative errno as tmem_put_page() does. */
static int tmem_put_answer(struct tmem_device *dev, struct tmem_queue *queue, u32 sequence)
{
	s32 result;
	u32 unused;

	if (tmem_queue_wait(dev, queue, sequence, msecs_to_jiffies(tmem_put_timeout_ms))) {
		WRITE_ONCE(queue->stalled, true);
		tmem_queue_abandon(queue, sequence);
		return -ETIMEDOUT;
	}
	if (tmem_queue_reap(dev, queue, sequence, &result, &unused))
		return -ETIMEDOUT;
	if (result == 1)
		return 1;
	atomic64_inc(&dev->counters.refused_host);
	return -ENOSPC;
}

/*
 * Copies @page to the host under @key. May sleep, with the page locked; allocates nothing.
 *
 * Returns 1 when the host holds the page, in @slot. Otherwise it does not: -ENOSPC when the host
 * refused it, -EBUSY when it was never asked, -ETIMEDOUT when it was asked and did not answer (the
 * caller must flush the key). The caller has flushed the page that was there before, if any.
 */
int tmem_put_page(struct tmem_device *dev, const struct tmem_key *key, struct page *page,
		  u32 *slot)
{
	struct tmem_queue *queue = tmem_queue_of(dev, key);
	struct tmem_descriptor descriptor;
	bool wait = !(dev->features & TMEM_FEATURE_POSTED_PUTS);
	u64 start = ktime_get_mono_fast_ns();
	u32 sequence;
	int ret;

	if (!tmem_accepts_puts(dev) || tmem_queue_is_stalled(queue) ||
	    !tmem_credit_take(dev, slot)) {
		atomic64_inc(&dev->counters.refused_credit);
		return -EBUSY;
	}
	memcpy_from_page(tmem_slot(dev, *slot), page, 0, PAGE_SIZE);
	tmem_describe(&descriptor, TMEM_CMD_PUT_PAGE, key);
	descriptor.slot = cpu_to_le32(*slot);
	/* A posted put always succeeds; an answered one holds its slot once the host says so. */
	if (!wait)
		tmem_credit_hold(dev, *slot);
	if (tmem_post_put(dev, queue, &descriptor, *slot, wait, &sequence)) {
		atomic64_inc(&dev->counters.refused_credit);
		return -EBUSY;
	}
	if (wait) {
		ret = tmem_put_answer(dev, queue, sequence);
		if (ret != 1)
			return ret;
		tmem_credit_hold(dev, *slot);
	}
	tmem_histogram_add(TMEM_LATENCY_PUT, ktime_get_mono_fast_ns() - start);
	atomic64_inc(&dev->counters.puts);
	return 1;
}

/* Posts a get and waits until it is answered, however long that takes; says so now and then. */
static int tmem_get_answer(struct tmem_device *dev, struct tmem_queue *queue,
			   const struct tmem_descriptor *descriptor, s32 *result, u32 *slot)
{
	u32 sequence;

	while (tmem_queue_post(dev, queue, descriptor, true, &sequence)) {
		tmem_queue_wait_room(dev, queue, TMEM_GET_REPORT);
		cond_resched();
	}
	while (tmem_queue_wait(dev, queue, sequence, TMEM_GET_REPORT))
		pr_warn_ratelimited("tmem: the host does not answer; a page that it holds is needed\n");
	return tmem_queue_reap(dev, queue, sequence, result, slot);
}

/*
 * Copies the page under @key from the host into @page. May sleep, with the page locked.
 * Returns 1, 0 when the host has no such page, or -EIO when its answer made no sense.
 */
int tmem_get_page(struct tmem_device *dev, const struct tmem_key *key, struct page *page)
{
	struct tmem_queue *queue = tmem_queue_of(dev, key);
	struct tmem_descriptor descriptor;
	u64 start = ktime_get_mono_fast_ns();
	s32 result;
	bool ours;
	u32 slot;

	tmem_describe(&descriptor, TMEM_CMD_GET_PAGE, key);
	if (tmem_get_answer(dev, queue, &descriptor, &result, &slot))
		return -EIO;
	if (result != 1)
		return 0;
	ours = slot & TMEM_REPLY_SLOT_GRANTED;
	slot &= ~TMEM_REPLY_SLOT_GRANTED;
	if (slot >= dev->slot_count) {
		atomic64_inc(&dev->counters.host_errors);
		return -EIO;
	}
	memcpy_to_page(page, 0, tmem_slot(dev, slot), PAGE_SIZE);
	if (ours)
		tmem_credit_return(dev, slot);
	tmem_histogram_add(TMEM_LATENCY_GET, ktime_get_mono_fast_ns() - start);
	atomic64_inc(&dev->counters.gets);
	return 1;
}

/*
 * Copies a page from the @slot in which it was put, which the host has promised to leave there, and
 * tells the host. May sleep, with the page locked.
 */
void tmem_get_direct(struct tmem_device *dev, const struct tmem_key *key, struct page *page,
		     u32 slot)
{
	struct tmem_queue *queue = tmem_queue_of(dev, key);
	struct tmem_descriptor descriptor;
	u64 start = ktime_get_mono_fast_ns();

	memcpy_to_page(page, 0, tmem_slot(dev, slot), PAGE_SIZE);
	tmem_histogram_add(TMEM_LATENCY_GET, ktime_get_mono_fast_ns() - start);
	atomic64_inc(&dev->counters.gets);
	tmem_describe(&descriptor, TMEM_CMD_GET_PAGE, key);
	while (tmem_queue_post(dev, queue, &descriptor, false, NULL)) {
		if (!tmem_queue_is_stalled(queue) &&
		    !tmem_queue_wait_room(dev, queue, msecs_to_jiffies(tmem_put_timeout_ms))) {
			cond_resched();
			continue;
		}
		/* The page is here already: a host that is away loses a count, not more. */
		WRITE_ONCE(queue->stalled, true);
		atomic64_inc(&dev->counters.untold_gets);
		return;
	}
}

/*
 * Posts the flush of a page. Any context, interrupts on or off: never waits, never allocates.
 * Returns 0, or -EAGAIN when the queue is full and the caller must try again later.
 */
int tmem_flush_page(struct tmem_device *dev, const struct tmem_key *key)
{
	struct tmem_descriptor descriptor;
	int ret;

	tmem_describe(&descriptor, TMEM_CMD_FLUSH_PAGE, key);
	ret = tmem_queue_post(dev, tmem_queue_of(dev, key), &descriptor, false, NULL);
	if (!ret)
		atomic64_inc(&dev->counters.flushes);
	return ret;
}
