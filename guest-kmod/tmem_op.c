// SPDX-License-Identifier: GPL-2.0-only
/*
 * tmem's operations, as front ends see them.
 *
 * Results are Xen's: 1 success, 0 miss, negative errno. A put may always be refused; a get of
 * a page that was put never returns other bytes: it waits, however long the host is away.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/timekeeping.h>

#include "compat.h"
#include "tmem.h"

/* How long swapon and swapoff wait for the host. */
#define TMEM_POOL_TIMEOUT	(10 * HZ)
/* How often a get that waits says so. */
#define TMEM_GET_REPORT		(30UL * HZ)

/* Fills in a descriptor of a key. Any context. */
void tmem_describe(struct tmem_descriptor *descriptor, u32 command, const struct tmem_key *key)
{
	int i;

	memset(descriptor, 0, sizeof(*descriptor));
	descriptor->command = cpu_to_le32(command);
	descriptor->pool = cpu_to_le32(key->pool);
	for (i = 0; i < 3; i++)
		descriptor->oid[i] = cpu_to_le64(key->oid[i]);
	descriptor->index = cpu_to_le32(key->index);
}

/*
 * Waits for the answer to what was posted up to jiffies @end. May sleep. Returns the host's result,
 * -ETIMEDOUT, -EIO, -ESTALE or -ENODEV.
 */
static int tmem_call_answer(struct tmem_device *dev, struct tmem_queue *queue, u32 sequence,
			    unsigned long end)
{
	s32 result;
	u32 slot;
	int ret;

	ret = tmem_queue_wait(dev, queue, sequence, tmem_left(end));
	if (ret) {
		tmem_queue_abandon(queue, sequence);
		return ret;
	}
	return tmem_queue_reap(dev, queue, sequence, &result, &slot) ?: result;
}

/* Posts and waits. May sleep. Returns as tmem_call_answer(). */
static int tmem_call(struct tmem_device *dev, struct tmem_queue *queue,
		     const struct tmem_descriptor *descriptor, unsigned long timeout)
{
	unsigned long end = jiffies + timeout;
	u32 sequence;
	int ret;

	ret = tmem_queue_post_by(dev, queue, descriptor, true, NULL, end, &sequence);
	return ret ?: tmem_call_answer(dev, queue, sequence, end);
}

/* Opens a pool. May sleep. Returns its id from 0, or a negative errno. */
int tmem_new_pool(struct tmem_device *dev, u32 flags)
{
	struct tmem_key key = { 0 };
	struct tmem_descriptor descriptor;
	int pool;

	tmem_describe(&descriptor, TMEM_CMD_NEW_POOL, &key);
	flags |= TMEM_SPEC_VERSION << TMEM_POOL_VERSION_SHIFT;
	descriptor.flags = cpu_to_le32(flags);
	pool = tmem_call(dev, tmem_queue_of(dev, &key), &descriptor, TMEM_POOL_TIMEOUT);
	if (pool < TMEM_POOLS_MAX)
		return pool;
	atomic64_inc(&dev->counters.host_errors);
	return -EIO;
}

/*
 * Drops a pool and all its pages, after what was posted before on whatever queue: between queues
 * there is no order, and gets of a pool that is gone are misses. May sleep. Returns 1, 0 for no
 * such pool, or a negative errno.
 */
int tmem_destroy_pool(struct tmem_device *dev, s32 pool)
{
	unsigned long end = jiffies + TMEM_POOL_TIMEOUT;
	struct tmem_key key = { .pool = pool };
	struct tmem_descriptor descriptor;
	u32 i;

	for (i = 0; i < dev->queue_count; i++)
		tmem_queue_wait(dev, &dev->queues[i], READ_ONCE(dev->queues[i].tail) - 1,
				tmem_left(end));
	tmem_describe(&descriptor, TMEM_CMD_DESTROY_POOL, &key);
	return tmem_call(dev, tmem_queue_of(dev, &key), &descriptor, TMEM_POOL_TIMEOUT);
}

/*
 * Whether this is the life that the host serves, or served before it went down: what another life
 * finds in the region is not its own. The words lie in one cache line. Any context.
 */
bool tmem_is_served(struct tmem_device *dev)
{
	const struct tmem_header *header = dev->header;

	return le32_to_cpu(READ_ONCE(header->session_epoch)) == dev->guest_epoch &&
	       le32_to_cpu(READ_ONCE(header->host_epoch)) == dev->host_epoch &&
	       le32_to_cpu(READ_ONCE(header->host_state)) != TMEM_HOST_FAULTED;
}

/* Whether a put has a chance: the host serves us and has not said refuse. Any context. */
bool tmem_accepts_puts(struct tmem_device *dev)
{
	return le32_to_cpu(READ_ONCE(dev->header->host_state)) == TMEM_HOST_READY &&
	       !le32_to_cpu(READ_ONCE(dev->header->refuse)) && tmem_is_served(dev) &&
	       !READ_ONCE(tmem_image);
}

/*
 * Copies a page out of a slot, if it is this life's before and after. Any context. @check as in
 * tmem_get_page(). Returns 0, or -ESTALE: the bytes are of no use.
 */
static int tmem_copy_slot(struct tmem_device *dev, struct page *page, u32 slot, u32 *check)
{
	static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 1);

	if (likely(tmem_is_served(dev))) {
		/* The host changes the words before it lets anybody else have the slot. */
		virt_rmb();
		tmem_copy_page(page_address(page), tmem_slot(dev, slot), check);
		/* As above: bytes of somebody else's came after the change. */
		virt_rmb();
		if (likely(tmem_is_served(dev)))
			return 0;
	}
	atomic64_inc(&dev->counters.unserved);
	if (__ratelimit(&limit))
		pr_err("tmem: the host serves another life than this one: its pages are lost\n");
	return -ESTALE;
}

/*
 * Posts the put of a filled slot up to jiffies @end; on failure the slot is ours again. May sleep.
 */
static int tmem_post_put(struct tmem_device *dev, struct tmem_queue *queue,
			 const struct tmem_descriptor *descriptor, bool wait, unsigned long end,
			 u32 *sequence)
{
	int ret = tmem_queue_post_by(dev, queue, descriptor, wait, NULL, end, sequence);

	if (!ret)
		return 0;
	WRITE_ONCE(queue->stalled, true);
	tmem_credit_return(dev, le32_to_cpu(descriptor->slot));
	return ret;
}

/*
 * Waits for the answer to a put up to jiffies @end. Returns 1, or a negative errno as
 * tmem_put_page() does.
 */
static int tmem_put_answer(struct tmem_device *dev, struct tmem_queue *queue, u32 sequence,
			   unsigned long end)
{
	s32 result;
	u32 unused;

	if (tmem_queue_wait(dev, queue, sequence, tmem_left(end))) {
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
 * @check, unless it is NULL, gets the check value of the bytes that were put.
 */
int tmem_put_page(struct tmem_device *dev, const struct tmem_key *key, struct page *page,
		  u32 *slot, u32 *check)
{
	unsigned long end = jiffies + msecs_to_jiffies(READ_ONCE(tmem_put_timeout_ms));
	struct tmem_queue *queue = tmem_queue_of(dev, key);
	struct tmem_descriptor descriptor;
	bool wait = !(dev->features & TMEM_FEATURE_POSTED_PUTS);
	u64 start = ktime_get_mono_fast_ns();
	u32 sequence;
	int ret;

	if (!tmem_accepts_puts(dev) || tmem_queue_is_stalled(queue) ||
	    !tmem_credit_wait(dev, slot, tmem_left(end))) {
		atomic64_inc(&dev->counters.refused_credit);
		return -EBUSY;
	}
	tmem_copy_page(tmem_slot(dev, *slot), page_address(page), check);
	tmem_describe(&descriptor, TMEM_CMD_PUT_PAGE, key);
	descriptor.slot = cpu_to_le32(*slot);
	/* A posted put always succeeds; an answered one holds its slot once the host says so. */
	if (!wait)
		tmem_credit_hold(dev, *slot);
	if (tmem_post_put(dev, queue, &descriptor, wait, end, &sequence)) {
		atomic64_inc(&dev->counters.refused_credit);
		return -EBUSY;
	}
	if (wait) {
		ret = tmem_put_answer(dev, queue, sequence, end);
		if (ret != 1)
			return ret;
		tmem_credit_hold(dev, *slot);
	}
	tmem_histogram_add(TMEM_LATENCY_PUT, ktime_get_mono_fast_ns() - start);
	atomic64_inc(&dev->counters.puts);
	return 1;
}

/*
 * Posts a get and waits for the answer up to @timeout jiffies (MAX_SCHEDULE_TIMEOUT: however long
 * it takes); says so now and then. May sleep. Returns 0, -ETIMEDOUT, -EIO, -ESTALE or -ENODEV.
 */
static int tmem_get_answer(struct tmem_device *dev, struct tmem_queue *queue,
			   const struct tmem_descriptor *descriptor, struct page *page,
			   unsigned long timeout, s32 *result, u32 *slot)
{
	unsigned long end = jiffies + timeout;
	u32 sequence;
	int ret;

	ret = tmem_queue_post_by(dev, queue, descriptor, true, page_address(page), end, &sequence);
	if (ret)
		return ret;
	while ((ret = tmem_queue_wait(dev, queue, sequence,
				      min(tmem_left(end), TMEM_GET_REPORT))) != 0) {
		if (ret == -ENODEV || time_after(jiffies, end)) {
			tmem_queue_orphan(dev, queue, sequence);
			return ret;
		}
		pr_warn_ratelimited("tmem: the host does not answer; a page that it holds is needed\n");
	}
	return tmem_queue_reap(dev, queue, sequence, result, slot);
}

/*
 * Copies a page from the slot that a reply names, and keeps the slot if it is ours with it. Any
 * context. @check as in tmem_get_page(). Returns 0, -EIO for a slot that cannot be, or -ESTALE.
 */
int tmem_take_page(struct tmem_device *dev, struct page *page, u32 slot, u32 *check)
{
	bool ours = slot & TMEM_REPLY_SLOT_GRANTED;
	int ret;

	slot &= ~TMEM_REPLY_SLOT_GRANTED;
	if (ours && !tmem_credit_claim(dev, slot))
		return -EIO;
	if (slot >= dev->slot_count) {
		atomic64_inc(&dev->counters.host_errors);
		return -EIO;
	}
	ret = tmem_copy_slot(dev, page, slot, check);
	if (ours)
		tmem_credit_return(dev, slot);
	return ret;
}

/* As tmem_get_page(), by way of @queue. */
static int tmem_get_by(struct tmem_device *dev, struct tmem_queue *queue,
		       const struct tmem_key *key, struct page *page, unsigned long timeout,
		       u32 *check)
{
	struct tmem_descriptor descriptor;
	u64 start = ktime_get_mono_fast_ns();
	s32 result;
	u32 slot;
	int ret;

	tmem_describe(&descriptor, TMEM_CMD_GET_PAGE, key);
	ret = tmem_get_answer(dev, queue, &descriptor, page, timeout, &result, &slot);
	if (ret)
		return ret;
	if (result != 1)
		return result < 0 ? result : 0;
	if (dev->transport->staged) {
		if (check)
			*check = tmem_check_of(page_address(page));
	} else {
		ret = tmem_take_page(dev, page, slot, check);
		if (ret)
			return ret;
	}
	tmem_histogram_add(TMEM_LATENCY_GET, ktime_get_mono_fast_ns() - start);
	atomic64_inc(&dev->counters.gets);
	return 1;
}

/*
 * Copies the page under @key from the host into @page. May sleep, with the page locked; waits up to
 * @timeout jiffies, or for ever with MAX_SCHEDULE_TIMEOUT. Returns 1, 0 when the host has no such
 * page, the host's own errno, -EIO when its answer made no sense, -ETIMEDOUT when there was none,
 * -ESTALE when it is of another life, -ENODEV when the device is gone.
 * @check, unless it is NULL, gets the check value of the bytes that are in @page. The caller sees
 * to it that nobody posts what drops or replaces the page meanwhile.
 */
int tmem_get_page(struct tmem_device *dev, const struct tmem_key *key, struct page *page,
		  unsigned long timeout, u32 *check)
{
	return tmem_get_by(dev, tmem_queue_of(dev, key), key, page, timeout, check);
}

/*
 * What programs call, any number of them at once and on the same keys. A pool of theirs has one
 * queue, so that the host carries out its operations in the order in which they were posted, those
 * on whole objects and on the pool among them. A get holds raw_gets for reading from its post until
 * its page is copied, and whatever may drop or replace a page holds it for writing while it posts:
 * the slot that a get copies is not given to anybody else before.
 */
static struct tmem_queue *tmem_raw_queue(struct tmem_device *dev, const struct tmem_key *key)
{
	struct tmem_key pool = { .pool = key->pool };

	return tmem_queue_of(dev, &pool);
}

/* As tmem_call(), for what may drop or replace pages of programs. */
static int tmem_call_alone(struct tmem_device *dev, struct tmem_queue *queue,
			   const struct tmem_descriptor *descriptor, unsigned long timeout)
{
	unsigned long end = jiffies + timeout;
	u32 sequence;
	int ret;

	down_write(&queue->raw_gets);
	ret = tmem_queue_post_by(dev, queue, descriptor, true, NULL, end, &sequence);
	up_write(&queue->raw_gets);
	return ret ?: tmem_call_answer(dev, queue, sequence, end);
}

/*
 * Refuses a put of which the host hears nothing: the page that was there before, if any, must be
 * gone all the same. May sleep. Returns -ENOMEM, or why that is not so.
 */
static int tmem_refuse_raw(struct tmem_device *dev, struct tmem_queue *queue,
			   const struct tmem_key *key)
{
	struct tmem_descriptor descriptor;
	int ret;

	tmem_describe(&descriptor, TMEM_CMD_FLUSH_PAGE, key);
	ret = tmem_call_alone(dev, queue, &descriptor,
			      msecs_to_jiffies(READ_ONCE(tmem_put_timeout_ms)));
	return ret < 0 ? ret : -ENOMEM;
}

/* As tmem_put_page(), but the slot is not ours to read later, and the answer is the host's own. */
static int tmem_put_raw(struct tmem_device *dev, struct tmem_queue *queue,
			const struct tmem_key *key, struct page *page)
{
	unsigned long end = jiffies + msecs_to_jiffies(READ_ONCE(tmem_put_timeout_ms));
	struct tmem_descriptor descriptor;
	u32 sequence;
	u32 slot;
	int ret;

	if (!tmem_accepts_puts(dev) || tmem_queue_is_stalled(queue) ||
	    !tmem_credit_take(dev, &slot))
		return tmem_refuse_raw(dev, queue, key);
	memcpy(tmem_slot(dev, slot), page_address(page), PAGE_SIZE);
	tmem_describe(&descriptor, TMEM_CMD_PUT_PAGE, key);
	descriptor.slot = cpu_to_le32(slot);
	down_write(&queue->raw_gets);
	ret = tmem_post_put(dev, queue, &descriptor, true, end, &sequence);
	up_write(&queue->raw_gets);
	if (ret)
		return ret;
	ret = tmem_call_answer(dev, queue, sequence, end);
	if (ret == -ETIMEDOUT)
		WRITE_ONCE(queue->stalled, true);
	return ret;
}

/* As tmem_get_page(). */
static int tmem_get_raw(struct tmem_device *dev, struct tmem_queue *queue,
			const struct tmem_key *key, struct page *page)
{
	unsigned long timeout = msecs_to_jiffies(READ_ONCE(tmem_get_timeout_ms));
	int ret;

	down_read(&queue->raw_gets);
	ret = tmem_get_by(dev, queue, key, page, timeout, NULL);
	up_read(&queue->raw_gets);
	return ret;
}

/*
 * Sends any operation with any arguments and waits for its answer, after the gets of the pool that
 * are under way if it changes anything. May sleep. @page is one page for a put or a get and not
 * looked at otherwise; @flags are a new pool's. Returns the host's result, -ENOMEM for a put that
 * got no credit, -ETIMEDOUT, -EIO, -ESTALE or -ENODEV.
 */
int tmem_call_raw(struct tmem_device *dev, u32 command, const struct tmem_key *key, u32 flags,
		  struct page *page)
{
	struct tmem_queue *queue = tmem_raw_queue(dev, key);
	struct tmem_descriptor descriptor;

	switch (command) {
	case TMEM_CMD_PUT_PAGE:
		return tmem_put_raw(dev, queue, key, page);
	case TMEM_CMD_GET_PAGE:
		return tmem_get_raw(dev, queue, key, page);
	}
	tmem_describe(&descriptor, command, key);
	descriptor.flags = cpu_to_le32(flags);
	return tmem_call_alone(dev, queue, &descriptor, TMEM_POOL_TIMEOUT);
}

/*
 * Copies a page from the @slot in which it was put, which the host has promised to leave there, and
 * tells the host. May sleep, with the page locked. @check as in tmem_get_page(). Returns 1, or
 * -ESTALE when it is not for this life to read.
 */
int tmem_get_direct(struct tmem_device *dev, const struct tmem_key *key, struct page *page,
		    u32 slot, u32 *check)
{
	unsigned long end = jiffies + msecs_to_jiffies(READ_ONCE(tmem_put_timeout_ms));
	struct tmem_queue *queue = tmem_queue_of(dev, key);
	struct tmem_descriptor descriptor;
	u64 start = ktime_get_mono_fast_ns();

	if (tmem_copy_slot(dev, page, slot, check))
		return -ESTALE;
	tmem_histogram_add(TMEM_LATENCY_GET, ktime_get_mono_fast_ns() - start);
	atomic64_inc(&dev->counters.gets);
	tmem_describe(&descriptor, TMEM_CMD_GET_PAGE, key);
	if (!tmem_queue_post(dev, queue, &descriptor, false, NULL) ||
	    (!tmem_queue_is_stalled(queue) &&
	     !tmem_queue_post_by(dev, queue, &descriptor, false, NULL, end, NULL)))
		return 1;
	/* The page is here already: a host that is away loses a count, not more. */
	WRITE_ONCE(queue->stalled, true);
	atomic64_inc(&dev->counters.untold_gets);
	return 1;
}

/*
 * Posts the flush of a page. Any context, interrupts on or off: never waits, never allocates.
 * Returns 0, or -EAGAIN when the queue is full and the caller must try again later. What a device
 * that is gone held needs none.
 */
int tmem_flush_page(struct tmem_device *dev, const struct tmem_key *key)
{
	struct tmem_descriptor descriptor;
	int ret;

	tmem_describe(&descriptor, TMEM_CMD_FLUSH_PAGE, key);
	ret = tmem_queue_post(dev, tmem_queue_of(dev, key), &descriptor, false, NULL);
	if (!ret)
		atomic64_inc(&dev->counters.flushes);
	return ret == -ENODEV ? 0 : ret;
}
