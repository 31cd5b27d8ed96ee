// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues: posting descriptors, waiting for replies, sleeping and waking.
 *
 * The shared words are the host's to change at any moment: each is read once into a local, and
 * the local is checked. Our own counters are kept here and only published. Posting works in
 * any context; waiting may sleep. The other side is another machine: barriers towards it are
 * virt_*, which a kernel without SMP has too. smp_* orders what a link's thread, which plays the
 * host, and the rest of this kernel do.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "tmem.h"

/* A sleeper looks by itself this often, so that a lost interrupt costs no more. */
#define TMEM_SLEEP_SLICE	(HZ / 10UL)
/* Looks at the head between two looks at the clock. */
#define TMEM_SPINS_PER_CLOCK	128

static u32 tmem_queue_place(const struct tmem_queue *queue, u32 sequence)
{
	return sequence & (queue->entries - 1);
}

/* The last descriptor that was posted in a place. Queue lock held. */
static u32 tmem_queue_last(const struct tmem_queue *queue, u32 place)
{
	return queue->tail - 1 - tmem_queue_place(queue, queue->tail - 1 - place);
}

int tmem_queues_init(struct tmem_device *dev, void *first, u32 stride, u32 entries)
{
	u32 i;

	dev->queues = kcalloc(dev->queue_count, sizeof(*dev->queues), GFP_KERNEL);
	if (!dev->queues)
		return -ENOMEM;
	for (i = 0; i < dev->queue_count; i++) {
		struct tmem_queue *queue = &dev->queues[i];
		void *start = first + (size_t)i * stride;

		spin_lock_init(&queue->lock);
		init_waitqueue_head(&queue->wait);
		init_rwsem(&queue->raw_gets);
		queue->entries = entries;
		queue->control = start;
		queue->descriptors = start + sizeof(*queue->control);
		queue->replies = (void *)(queue->descriptors + entries);
		queue->busy = bitmap_zalloc(entries, GFP_KERNEL);
		queue->orphans = bitmap_zalloc(entries, GFP_KERNEL);
		queue->into = kvcalloc(entries, sizeof(*queue->into), GFP_KERNEL);
		if (!queue->busy || !queue->orphans || !queue->into)
			return -ENOMEM;
		WRITE_ONCE(queue->control->tail, 0);
		WRITE_ONCE(queue->control->guest_sleep, 0);
	}
	return 0;
}

void tmem_queues_free(struct tmem_device *dev)
{
	u32 i;

	if (!dev->queues)
		return;
	for (i = 0; i < dev->queue_count; i++) {
		bitmap_free(dev->queues[i].busy);
		bitmap_free(dev->queues[i].orphans);
		kvfree(dev->queues[i].into);
	}
	kfree(dev->queues);
	dev->queues = NULL;
}

/*
 * The queue of a key. The host needs only that a key always takes the same one; neighbouring
 * pages take different ones so that CPUs seldom meet.
 */
struct tmem_queue *tmem_queue_of(struct tmem_device *dev, const struct tmem_key *key)
{
	u32 hash = (u32)key->pool * 0x9e3779b1u ^ (u32)key->oid[0] * 0x85ebca6bu ^ key->index;

	return &dev->queues[hash & (dev->queue_count - 1)];
}

/*
 * How many descriptors the host has answered. A host that claims to have answered more than we
 * posted, or has taken answers back, has answered nothing.
 */
static u32 tmem_queue_head(struct tmem_queue *queue)
{
	/* Pairs with the host's release: replies are written before the head. */
	u32 head = le32_to_cpu(virt_load_acquire(&queue->control->head));
	u32 tail = READ_ONCE(queue->tail);

	return tail - head <= queue->entries ? head : tail - queue->entries;
}

/* Whether the host has answered @sequence, which was posted. */
static bool tmem_queue_answered(struct tmem_queue *queue, u32 sequence)
{
	return (s32)(tmem_queue_head(queue) - sequence) > 0;
}

/*
 * Wakes a sleeping host, once for each time that it said it would sleep. Any context. The
 * barrier pairs with the host's: either it sees our tail after it announced its sleep, or we
 * see that.
 */
static void tmem_queue_kick(struct tmem_device *dev)
{
	u32 sleep;
	u32 rung;

	/* Our tail before their sleep word; see above. */
	virt_mb();
	sleep = le32_to_cpu(READ_ONCE(dev->header->host_sleep));
	if (!(sleep & 1))
		return;
	rung = READ_ONCE(dev->rung_for);
	if (rung == sleep || cmpxchg(&dev->rung_for, rung, sleep) != rung)
		return;
	atomic64_inc(&dev->counters.doorbells);
	dev->transport->ring(dev->transport_data);
}

/*
 * Clears an answered place if its get was given up, and keeps the slot that came with the answer.
 * Queue lock held. Returns 0, or -EBUSY when somebody has yet to read the reply.
 */
static int tmem_queue_collect(struct tmem_device *dev, struct tmem_queue *queue, u32 place)
{
	struct tmem_reply *from = &queue->replies[place];
	u32 slot = le32_to_cpu(READ_ONCE(from->slot));

	if (!test_bit(place, queue->orphans))
		return -EBUSY;
	__clear_bit(place, queue->orphans);
	__clear_bit(place, queue->busy);
	WRITE_ONCE(queue->orphan_count, queue->orphan_count - 1);
	if (le32_to_cpu(READ_ONCE(from->sequence)) == tmem_queue_last(queue, place) &&
	    le32_to_cpu(READ_ONCE(from->epoch)) == dev->host_epoch &&
	    le32_to_cpu(READ_ONCE(from->result)) == 1 && (slot & TMEM_REPLY_SLOT_GRANTED) &&
	    tmem_credit_claim(dev, slot & ~TMEM_REPLY_SLOT_GRANTED))
		tmem_credit_return(dev, slot & ~TMEM_REPLY_SLOT_GRANTED);
	return 0;
}

/*
 * Returns 0; -EAGAIN when the queue is full; -EBUSY when it is not, but a reply lies in the next
 * place that somebody has yet to read; -ENODEV when the device is gone.
 */
static int tmem_queue_push(struct tmem_device *dev, struct tmem_queue *queue,
			   const struct tmem_descriptor *descriptor, bool wait, void *into,
			   u32 *sequence)
{
	struct tmem_descriptor *to;
	unsigned long flags;
	int ret = 0;
	u32 place;
	u32 tail;

	if (unlikely(READ_ONCE(dev->gone)))
		return -ENODEV;
	spin_lock_irqsave(&queue->lock, flags);
	tail = queue->tail;
	place = tmem_queue_place(queue, tail);
	if (tail - tmem_queue_head(queue) >= queue->entries)
		ret = -EAGAIN;
	else if (test_bit(place, queue->busy))
		ret = tmem_queue_collect(dev, queue, place);
	if (ret) {
		spin_unlock_irqrestore(&queue->lock, flags);
		return ret;
	}
	/* Before the host sees the put, for it may promise the slot anew at once. */
	if (descriptor->command == cpu_to_le32(TMEM_CMD_PUT_PAGE))
		tmem_credit_spend(dev, le32_to_cpu(descriptor->slot));
	to = &queue->descriptors[place];
	*to = *descriptor;
	to->sequence = cpu_to_le32(tail);
	to->epoch = cpu_to_le32(dev->guest_epoch);
	queue->into[place] = into;
	if (wait)
		__set_bit(place, queue->busy);
	WRITE_ONCE(queue->tail, tail + 1);
	/* The descriptor before the tail that covers it. */
	virt_store_release(&queue->control->tail, cpu_to_le32(tail + 1));
	spin_unlock_irqrestore(&queue->lock, flags);
	if (sequence)
		*sequence = tail;
	tmem_queue_kick(dev);
	return 0;
}

/*
 * Posts a descriptor. Any context, interrupts on or off. With @wait the reply's place is kept
 * until tmem_queue_reap() or tmem_queue_abandon(). A put's slot is the host's from here on.
 * @sequence may be NULL. Returns 0, -EAGAIN when the queue has no room, or -ENODEV.
 */
int tmem_queue_post(struct tmem_device *dev, struct tmem_queue *queue,
		    const struct tmem_descriptor *descriptor, bool wait, u32 *sequence)
{
	int ret = tmem_queue_push(dev, queue, descriptor, wait, NULL, sequence);

	return ret == -EBUSY ? -EAGAIN : ret;
}

/*
 * Posts a get whose answer somebody waits for. With a staged transport its page is copied to @into
 * before the answer is there, unless the wait was abandoned. Any context. Returns 0; -EAGAIN when
 * the queue is full; -EBUSY when the next place is about to be free.
 */
int tmem_queue_post_get(struct tmem_device *dev, struct tmem_queue *queue,
			const struct tmem_descriptor *descriptor, void *into, u32 *sequence)
{
	return tmem_queue_push(dev, queue, descriptor, true, into, sequence);
}

/*
 * Posts as soon as there is room, up to jiffies @end. May sleep. @into is NULL but for a get, as in
 * tmem_queue_post_get(). Returns 0, -ETIMEDOUT or -ENODEV.
 */
int tmem_queue_post_by(struct tmem_device *dev, struct tmem_queue *queue,
		       const struct tmem_descriptor *descriptor, bool wait, void *into,
		       unsigned long end, u32 *sequence)
{
	int ret;

	while ((ret = tmem_queue_push(dev, queue, descriptor, wait, into, sequence)) != 0) {
		if (ret == -ENODEV)
			return ret;
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		if (ret == -EBUSY)
			usleep_range(50, 100);
		else
			tmem_queue_wait_room(dev, queue, tmem_left(end));
		cond_resched();
	}
	return 0;
}

/*
 * The host's part, for a link that plays it: answers the oldest descriptor, which is there. @page
 * is that of a get that hit, or NULL. Process context.
 */
void tmem_queue_deliver(struct tmem_queue *queue, const struct tmem_reply *reply, const void *page)
{
	unsigned long flags;
	bool asleep;
	u32 place;
	u32 head;

	spin_lock_irqsave(&queue->lock, flags);
	head = le32_to_cpu(queue->control->head);
	place = tmem_queue_place(queue, head);
	queue->replies[place] = *reply;
	if (page && test_bit(place, queue->busy) && queue->into[place])
		memcpy(queue->into[place], page, TMEM_PAGE_BYTES);
	/* The reply and the page before the head that covers them. */
	smp_store_release(&queue->control->head, cpu_to_le32(head + 1));
	asleep = queue->sleepers;
	spin_unlock_irqrestore(&queue->lock, flags);
	if (asleep)
		wake_up_all(&queue->wait);
}

/* Looks for the answer for a bounded time. Under TCG `pause` is slow, so this does not use it. */
static bool tmem_queue_spin(struct tmem_queue *queue, u32 sequence)
{
	u64 end = ktime_get_mono_fast_ns() + (u64)tmem_spin_us * NSEC_PER_USEC;
	u32 spins;

	do {
		for (spins = 0; spins < TMEM_SPINS_PER_CLOCK; spins++) {
			if (tmem_queue_answered(queue, sequence))
				return true;
			barrier();
		}
	} while (!need_resched() && ktime_get_mono_fast_ns() < end);
	return false;
}

/* Publishes a new odd sleep word, so that the host rings again even if it rang for an older one. */
static void tmem_queue_arm(struct tmem_queue *queue)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	queue->sleep_count = (queue->sleep_count + 2) | 1;
	WRITE_ONCE(queue->control->guest_sleep, cpu_to_le32(queue->sleep_count));
	spin_unlock_irqrestore(&queue->lock, flags);
	/* Our sleep word before the last look at their head. */
	virt_mb();
}

static void tmem_queue_count_sleeper(struct tmem_queue *queue, int change)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	queue->sleepers += change;
	if (!queue->sleepers) {
		queue->sleep_count = (queue->sleep_count + 1) & ~1u;
		WRITE_ONCE(queue->control->guest_sleep, cpu_to_le32(queue->sleep_count));
	}
	spin_unlock_irqrestore(&queue->lock, flags);
}

/*
 * Waits until the host has answered @sequence: spins, then sleeps without being interruptible.
 * May sleep. @timeout in jiffies. Returns 0; -ETIMEDOUT; -ENODEV when the device goes
 * meanwhile. Never waits in atomic context.
 */
int tmem_queue_wait(struct tmem_device *dev, struct tmem_queue *queue, u32 sequence,
		    unsigned long timeout)
{
	unsigned long end = jiffies + timeout;
	DEFINE_WAIT(wait);
	int ret = 0;

	/* A link's answer takes a thread of this kernel, which spinning would only keep away. */
	if (!dev->transport->staged && tmem_queue_spin(queue, sequence))
		return 0;
	if (tmem_queue_answered(queue, sequence))
		return 0;
	atomic64_inc(&dev->counters.sleeps);
	tmem_queue_count_sleeper(queue, 1);
	for (;;) {
		prepare_to_wait(&queue->wait, &wait, TASK_UNINTERRUPTIBLE);
		tmem_queue_arm(queue);
		if (tmem_queue_answered(queue, sequence))
			break;
		if (READ_ONCE(dev->gone)) {
			ret = -ENODEV;
			break;
		}
		if (time_after(jiffies, end)) {
			ret = -ETIMEDOUT;
			break;
		}
		/* The host may have gone to sleep between our post and our arming. */
		tmem_queue_kick(dev);
		io_schedule_timeout(min(TMEM_SLEEP_SLICE, tmem_left(end) + 1));
	}
	finish_wait(&queue->wait, &wait);
	tmem_queue_count_sleeper(queue, -1);
	return ret;
}

/* Waits until the queue has room for one more. May sleep. Returns as tmem_queue_wait(). */
int tmem_queue_wait_room(struct tmem_device *dev, struct tmem_queue *queue, unsigned long timeout)
{
	return tmem_queue_wait(dev, queue, READ_ONCE(queue->tail) - queue->entries, timeout);
}

/*
 * Reads the reply of an answered descriptor and gives its place back. Returns 0; -EIO when the
 * reply is not one to this descriptor; -ESTALE when the host serves another life than ours, whose
 * replies may look like ours.
 */
int tmem_queue_reap(struct tmem_device *dev, struct tmem_queue *queue, u32 sequence,
		    s32 *result, u32 *slot)
{
	struct tmem_reply *from = &queue->replies[tmem_queue_place(queue, sequence)];
	u32 echo = le32_to_cpu(READ_ONCE(from->sequence));
	u32 epoch = le32_to_cpu(READ_ONCE(from->epoch));

	*result = (s32)le32_to_cpu(READ_ONCE(from->result));
	*slot = le32_to_cpu(READ_ONCE(from->slot));
	tmem_queue_abandon(queue, sequence);
	WRITE_ONCE(queue->stalled, false);
	WRITE_ONCE(dev->silent, false);
	/* The reply before the look at whose it is. */
	virt_rmb();
	if (!tmem_is_served(dev))
		return -ESTALE;
	if (echo == sequence && epoch == dev->host_epoch)
		return 0;
	atomic64_inc(&dev->counters.host_errors);
	return -EIO;
}

/* Gives up a reply: its place may be used again once the host has passed it. */
void tmem_queue_abandon(struct tmem_queue *queue, u32 sequence)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	__clear_bit(tmem_queue_place(queue, sequence), queue->busy);
	spin_unlock_irqrestore(&queue->lock, flags);
}

/*
 * Gives up a get. Its answer may give us a slot, which we keep as soon as the place or a credit is
 * needed. A staged transport's gives none, and the page must not be written any more. Any context.
 */
void tmem_queue_orphan(struct tmem_device *dev, struct tmem_queue *queue, u32 sequence)
{
	unsigned long flags;

	if (dev->transport->staged) {
		tmem_queue_abandon(queue, sequence);
		return;
	}
	spin_lock_irqsave(&queue->lock, flags);
	__set_bit(tmem_queue_place(queue, sequence), queue->orphans);
	WRITE_ONCE(queue->orphan_count, queue->orphan_count + 1);
	spin_unlock_irqrestore(&queue->lock, flags);
}

/*
 * Keeps the slots of all gets that were given up and have been answered since; false when there
 * were none. Any context.
 */
bool tmem_queues_collect(struct tmem_device *dev)
{
	unsigned long flags;
	bool any = false;
	u32 place;
	u32 i;

	for (i = 0; i < dev->queue_count; i++) {
		struct tmem_queue *queue = &dev->queues[i];

		if (likely(!READ_ONCE(queue->orphan_count)))
			continue;
		spin_lock_irqsave(&queue->lock, flags);
		for_each_set_bit(place, queue->orphans, queue->entries)
			if (tmem_queue_answered(queue, tmem_queue_last(queue, place)))
				any |= !tmem_queue_collect(dev, queue, place);
		spin_unlock_irqrestore(&queue->lock, flags);
	}
	return any;
}

/* Whether a put timed out here and the host has not caught up with our tail since. */
bool tmem_queue_is_stalled(struct tmem_queue *queue)
{
	if (likely(!READ_ONCE(queue->stalled)))
		return false;
	if (!tmem_queue_answered(queue, READ_ONCE(queue->tail) - 1))
		return true;
	WRITE_ONCE(queue->stalled, false);
	return false;
}

/* Whether all that was ever posted is answered. Any context. */
bool tmem_queues_answered(struct tmem_device *dev)
{
	u32 i;

	for (i = 0; i < dev->queue_count; i++)
		if (!tmem_queue_answered(&dev->queues[i], READ_ONCE(dev->queues[i].tail) - 1))
			return false;
	return true;
}

/* The host rang for queue @number: hard interrupt context. */
void tmem_queue_interrupt(struct tmem_device *dev, u32 number)
{
	atomic64_inc(&dev->counters.interrupts);
	wake_up_all(&dev->queues[number].wait);
}

/* Ends the waits on a device that is gone. Any context. */
void tmem_queues_wake(struct tmem_device *dev)
{
	u32 i;

	for (i = 0; i < dev->queue_count; i++)
		wake_up_all(&dev->queues[i].wait);
}
