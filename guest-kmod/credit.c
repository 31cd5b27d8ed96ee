// SPDX-License-Identifier: GPL-2.0-only
/*
 * Credits: slots that the host has promised us, taken off its ring one by one.
 *
 * A slot is ours from the take to the put that names it. None left means that a put is refused
 * at once, with no word to the host. Any context: cleancache puts come with interrupts off, under a
 * lock that interrupts take too. Nothing here sleeps or allocates after the start.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>

#include "tmem.h"

#define TMEM_CREDIT_SKIPS_MAX	16

int tmem_credits_init(struct tmem_device *dev)
{
	spin_lock_init(&dev->credit_lock);
	init_waitqueue_head(&dev->credit_wait);
	dev->hand = kvcalloc(dev->slot_count, sizeof(*dev->hand), GFP_KERNEL);
	dev->in_hand = kvcalloc(BITS_TO_LONGS(dev->slot_count), sizeof(long), GFP_KERNEL);
	dev->held = kvcalloc(BITS_TO_LONGS(dev->slot_count), sizeof(long), GFP_KERNEL);
	if (!dev->hand || !dev->in_hand || !dev->held)
		return -ENOMEM;
	WRITE_ONCE(dev->header->credit_head, 0);
	return 0;
}

void tmem_credits_free(struct tmem_device *dev)
{
	kvfree(dev->hand);
	kvfree(dev->in_hand);
	kvfree(dev->held);
}

void *tmem_slot(struct tmem_device *dev, u32 slot)
{
	return dev->slots + (size_t)slot * TMEM_PAGE_BYTES;
}

/*
 * Takes the next slot off the ring; false when there is none. A bad one is skipped and counted, few
 * at a time: interrupts are off.
 */
static bool tmem_credit_from_ring(struct tmem_device *dev, u32 *slot)
{
	/* Pairs with the host's release: the ring's entries are written before the tail. */
	u32 tail = le32_to_cpu(virt_load_acquire(&dev->header->credit_tail));
	u32 skips = 0;
	u32 next;

	if (tail - dev->credit_head > dev->credit_entries) {
		atomic64_inc(&dev->counters.host_errors);
		return false;
	}
	while (dev->credit_head != tail && skips++ < TMEM_CREDIT_SKIPS_MAX) {
		next = dev->credit_head & (dev->credit_entries - 1);
		*slot = le32_to_cpu(READ_ONCE(dev->credit_ring[next]));
		dev->credit_head++;
		/* The entry is read before the host may write it anew. */
		virt_store_release(&dev->header->credit_head, cpu_to_le32(dev->credit_head));
		if (*slot < dev->slot_count && !test_bit(*slot, dev->held) &&
		    !__test_and_set_bit(*slot, dev->in_hand))
			return true;
		atomic64_inc(&dev->counters.host_errors);
	}
	return false;
}

static bool tmem_credit_try(struct tmem_device *dev, u32 *slot)
{
	unsigned long flags;
	bool found = true;

	spin_lock_irqsave(&dev->credit_lock, flags);
	if (dev->hand_count)
		*slot = dev->hand[--dev->hand_count];
	else
		found = tmem_credit_from_ring(dev, slot);
	spin_unlock_irqrestore(&dev->credit_lock, flags);
	return found;
}

/* Takes a credit. Returns false when there is none. */
bool tmem_credit_take(struct tmem_device *dev, u32 *slot)
{
	if (tmem_credit_try(dev, slot))
		return true;
	/* Answers that nobody waited for may have given us some. */
	return tmem_queues_collect(dev) && tmem_credit_try(dev, slot);
}

/*
 * Whether there are @count credits, as far as one can see without taking them. Where slots come
 * back with the answers there never are many at once, so there it is not asked.
 */
bool tmem_credits_suffice(struct tmem_device *dev, u32 count)
{
	u32 tail = le32_to_cpu(READ_ONCE(dev->header->credit_tail));
	u32 ring = tail - READ_ONCE(dev->credit_head);

	return dev->transport->staged || ring > dev->credit_entries ||
	       ring + READ_ONCE(dev->hand_count) >= count;
}

/*
 * As tmem_credit_take(), but where all slots of a staged transport are on their way it waits for
 * one to come back: the host has room, so refusing would only be haste. May sleep. @timeout in
 * jiffies.
 */
bool tmem_credit_wait(struct tmem_device *dev, u32 *slot, unsigned long timeout)
{
	bool found = tmem_credit_take(dev, slot);

	if (found || !READ_ONCE(dev->credits_due))
		return found;
	wait_event_timeout(dev->credit_wait,
			   (found = tmem_credit_take(dev, slot)) || !READ_ONCE(dev->credits_due) ||
			   READ_ONCE(dev->gone), timeout);
	return found;
}

/*
 * Takes a slot that an answer says is ours, which tmem_credit_return() then keeps. False when it
 * cannot be: no such slot, or one that is ours already or holds a page of ours.
 */
bool tmem_credit_claim(struct tmem_device *dev, u32 slot)
{
	unsigned long flags;
	bool good;

	spin_lock_irqsave(&dev->credit_lock, flags);
	good = slot < dev->slot_count && !test_bit(slot, dev->held) &&
	       !__test_and_set_bit(slot, dev->in_hand);
	spin_unlock_irqrestore(&dev->credit_lock, flags);
	if (!good)
		atomic64_inc(&dev->counters.host_errors);
	return good;
}

/* Keeps a slot that is ours and was not put after all. None is on the stack twice. */
void tmem_credit_return(struct tmem_device *dev, u32 slot)
{
	unsigned long flags;

	spin_lock_irqsave(&dev->credit_lock, flags);
	if (!WARN_ON_ONCE(!test_bit(slot, dev->in_hand))) {
		clear_bit(slot, dev->held);
		dev->hand[dev->hand_count++] = slot;
	}
	spin_unlock_irqrestore(&dev->credit_lock, flags);
}

/* The slot is the host's again: its put is about to be posted. Queue lock held. */
void tmem_credit_spend(struct tmem_device *dev, u32 slot)
{
	unsigned long flags;

	spin_lock_irqsave(&dev->credit_lock, flags);
	__clear_bit(slot, dev->in_hand);
	spin_unlock_irqrestore(&dev->credit_lock, flags);
}

/* The slot holds a page of ours: a promise of it before its release is a host bug. */
void tmem_credit_hold(struct tmem_device *dev, u32 slot)
{
	/* A staged slot is promised again once its put is answered, as it should be. */
	if (!dev->transport->staged)
		set_bit(slot, dev->held);
}

/* The page is of no use any more. Call before its flush is posted. Any context. */
void tmem_credit_release(struct tmem_device *dev, u32 slot)
{
	clear_bit(slot, dev->held);
}
