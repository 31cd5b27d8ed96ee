// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations on ephemeral pools: a page may be lost at any time, and never be an old one.
 *
 * All pages of an object go through one queue, so that a flush of the object follows every put
 * that came before it. Puts and flushes are posted and never waited for, whatever was negotiated:
 * the host refuses a put by itself together with the page that was there, and takes its slot
 * back. A get removes the page, and its slot is ours with the answer.
 *
 * Contexts: fill, put and flush may come with interrupts off: they do not wait and do not
 * allocate. A get may sleep.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/timekeeping.h>

#include "tmem.h"

/* The queue of all pages of an object. */
struct tmem_queue *tmem_ephemeral_queue(struct tmem_device *dev, const struct tmem_key *key)
{
	struct tmem_key object = *key;

	object.index = 0;
	return tmem_queue_of(dev, &object);
}

/* Takes a credit and copies the page into its slot. Any context. */
bool tmem_ephemeral_fill(struct tmem_device *dev, struct page *page, u32 *slot)
{
	if (!tmem_accepts_puts(dev) || !tmem_credit_take(dev, slot))
		return false;
	memcpy(tmem_slot(dev, *slot), page_address(page), PAGE_SIZE);
	return true;
}

/* Posts the put of a filled slot. Any context. Returns 0, or -EAGAIN: the slot is still ours. */
int tmem_ephemeral_put(struct tmem_device *dev, const struct tmem_key *key, u32 slot)
{
	struct tmem_queue *queue = tmem_ephemeral_queue(dev, key);
	struct tmem_descriptor descriptor;

	if (tmem_queue_is_stalled(queue))
		return -EAGAIN;
	tmem_describe(&descriptor, TMEM_CMD_PUT_PAGE, key);
	descriptor.slot = cpu_to_le32(slot);
	if (tmem_queue_post(dev, queue, &descriptor, false, NULL))
		return -EAGAIN;
	atomic64_inc(&dev->counters.ephemeral_puts);
	return 0;
}

/* Posts the flush of a page, or of its whole object. Any context. Returns 0 or -EAGAIN. */
int tmem_ephemeral_flush(struct tmem_device *dev, const struct tmem_key *key, bool object)
{
	struct tmem_descriptor descriptor;

	tmem_describe(&descriptor, object ? TMEM_CMD_FLUSH_OBJECT : TMEM_CMD_FLUSH_PAGE, key);
	if (tmem_queue_post(dev, tmem_ephemeral_queue(dev, key), &descriptor, false, NULL))
		return -EAGAIN;
	atomic64_inc(object ? &dev->counters.ephemeral_object_flushes :
			      &dev->counters.ephemeral_flushes);
	return 0;
}

/*
 * Posts a get, unless the host is silent. Any context; the page stays locked until the answer was
 * taken. Returns 0; -EAGAIN when the queue is full; -EBUSY when the next place is about to be free;
 * -EHOSTDOWN when it is of no use to ask.
 */
int tmem_ephemeral_ask(struct tmem_device *dev, const struct tmem_key *key, struct page *page,
		       u32 *sequence)
{
	struct tmem_queue *queue = tmem_ephemeral_queue(dev, key);
	struct tmem_descriptor descriptor;

	if (tmem_queue_is_stalled(queue))
		return -EHOSTDOWN;
	tmem_describe(&descriptor, TMEM_CMD_GET_PAGE, key);
	return tmem_queue_post_get(dev, queue, &descriptor, page_address(page), sequence);
}

/*
 * Waits for the answer to a get and copies the page. May sleep, up to put_timeout_ms. Returns 1; 0
 * when the host has no such page; -ETIMEDOUT when it did not answer, and has no such page once it
 * does; -EIO when its answer made no sense, and it may have the page still.
 */
int tmem_ephemeral_answer(struct tmem_device *dev, struct tmem_queue *queue, u32 sequence,
			  struct page *page)
{
	u64 start = ktime_get_mono_fast_ns();
	s32 result;
	u32 slot;

	if (tmem_queue_wait(dev, queue, sequence,
			    msecs_to_jiffies(READ_ONCE(tmem_put_timeout_ms)))) {
		WRITE_ONCE(queue->stalled, true);
		tmem_queue_orphan(dev, queue, sequence);
		return -ETIMEDOUT;
	}
	if (tmem_queue_reap(dev, queue, sequence, &result, &slot))
		return -EIO;
	if (result != 1) {
		atomic64_inc(&dev->counters.ephemeral_misses);
		return 0;
	}
	if (!dev->transport->staged) {
		/* A slot that stayed the host's may get another page while we copy. */
		if (!(slot & TMEM_REPLY_SLOT_GRANTED)) {
			atomic64_inc(&dev->counters.host_errors);
			return -EIO;
		}
		if (tmem_take_page(dev, page, slot, NULL))
			return -EIO;
	}
	tmem_histogram_add(TMEM_LATENCY_GET, ktime_get_mono_fast_ns() - start);
	atomic64_inc(&dev->counters.ephemeral_gets);
	return 1;
}
