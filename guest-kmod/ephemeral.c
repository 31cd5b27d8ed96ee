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

/* Gets that were given up and may still be answered, with a slot. */
#define TMEM_ORPHANS_MAX	64
/* How long the worker waits for such an answer at a time. */
#define TMEM_ORPHAN_WAIT	(HZ / 10)

/* One of them; its place in the queue stays ours. */
struct tmem_orphan {
	struct tmem_queue *queue;	/* where it was posted; NULL: none here */
	u32 sequence;			/* which it was */
};

static struct tmem_orphan tmem_orphans[TMEM_ORPHANS_MAX];
static DEFINE_SPINLOCK(tmem_orphan_lock);

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

/*
 * Posts the flush of a page, or of its whole object. Any context. Returns 0 or -EAGAIN. What a
 * device that is gone held needs none.
 */
int tmem_ephemeral_flush(struct tmem_device *dev, const struct tmem_key *key, bool object)
{
	struct tmem_descriptor descriptor;
	int ret;

	tmem_describe(&descriptor, object ? TMEM_CMD_FLUSH_OBJECT : TMEM_CMD_FLUSH_PAGE, key);
	ret = tmem_queue_post(dev, tmem_ephemeral_queue(dev, key), &descriptor, false, NULL);
	if (ret)
		return ret == -ENODEV ? 0 : ret;
	atomic64_inc(object ? &dev->counters.ephemeral_object_flushes :
			      &dev->counters.ephemeral_flushes);
	return 0;
}

/*
 * Posts a get, unless the host is silent. Any context; the page stays locked until the answer was
 * taken. Returns 0; -EAGAIN when the queue is full; -EBUSY or -ENODEV when it is of no use to ask.
 */
int tmem_ephemeral_ask(struct tmem_device *dev, const struct tmem_key *key, struct page *page,
		       u32 *sequence)
{
	struct tmem_queue *queue = tmem_ephemeral_queue(dev, key);
	struct tmem_descriptor descriptor;

	if (tmem_queue_is_stalled(queue))
		return -EBUSY;
	tmem_describe(&descriptor, TMEM_CMD_GET_PAGE, key);
	return tmem_queue_post_get(dev, queue, &descriptor, page_address(page), sequence);
}

/*
 * Leaves a get that was not answered in time to the worker, since its answer may give us a slot. A
 * staged one gives none, and its page must not be written any more.
 */
static void tmem_orphan_add(struct tmem_device *dev, struct tmem_queue *queue, u32 sequence)
{
	unsigned long flags;
	unsigned int i;

	if (!dev->transport->staged) {
		spin_lock_irqsave(&tmem_orphan_lock, flags);
		for (i = 0; i < TMEM_ORPHANS_MAX && tmem_orphans[i].queue; i++)
			;
		if (i < TMEM_ORPHANS_MAX)
			tmem_orphans[i] = (struct tmem_orphan){ queue, sequence };
		spin_unlock_irqrestore(&tmem_orphan_lock, flags);
		if (i < TMEM_ORPHANS_MAX)
			return;
	}
	/* So many at once: the slot is lost until the module is loaded anew, and nothing else. */
	tmem_queue_abandon(queue, sequence);
}

/* Takes the slots of those that were answered meanwhile. May sleep. True when some are left. */
bool tmem_ephemeral_reap(struct tmem_device *dev)
{
	bool left = false;
	unsigned int i;
	s32 result;
	u32 slot;

	for (i = 0; i < TMEM_ORPHANS_MAX; i++) {
		struct tmem_orphan orphan;

		spin_lock_irq(&tmem_orphan_lock);
		orphan = tmem_orphans[i];
		spin_unlock_irq(&tmem_orphan_lock);
		if (!orphan.queue)
			continue;
		if (tmem_queue_wait(dev, orphan.queue, orphan.sequence, TMEM_ORPHAN_WAIT)) {
			left = true;
			continue;
		}
		spin_lock_irq(&tmem_orphan_lock);
		tmem_orphans[i].queue = NULL;
		spin_unlock_irq(&tmem_orphan_lock);
		if (!tmem_queue_reap(dev, orphan.queue, orphan.sequence, &result, &slot) &&
		    result == 1 && (slot & TMEM_REPLY_SLOT_GRANTED) &&
		    tmem_credit_claim(dev, slot & ~TMEM_REPLY_SLOT_GRANTED))
			tmem_credit_return(dev, slot & ~TMEM_REPLY_SLOT_GRANTED);
	}
	return left;
}

/* Forgets them: their device is gone. Nobody uses it any more. */
void tmem_ephemeral_end(void)
{
	spin_lock_irq(&tmem_orphan_lock);
	memset(tmem_orphans, 0, sizeof(tmem_orphans));
	spin_unlock_irq(&tmem_orphan_lock);
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
		tmem_orphan_add(dev, queue, sequence);
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
