// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's end of a link: a region of this kernel's own in which the layers above find queues,
 * credits and slots, and a thread that plays the host there and speaks with the real one in frames
 * (PROTOCOL.md section 9).
 *
 * Slots only carry pages over; a put's is free again once its answer has come. Nothing is kept
 * for sending again but the queues themselves. Words of the host's are copied with their frame
 * and checked; what makes no sense is counted and dropped, and its sender asked anew.
 *
 * Contexts: kick in any; all else in the link's thread, or in the probe before that runs. The
 * thread sends what reclaim waits for: it allocates nothing and may use the reserves for what
 * virtio does.
 */
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "link.h"

/* What TMEM_LINK_QUIET_MIN grows to. */
#define TMEM_LINK_QUIET_MAX	(2 * HZ)
/* Reads, of up to two frames each, before the thread looks at what it has to send. */
#define TMEM_LINK_READS_MAX	16

/* Something may be there to do. Any context. */
void tmem_link_kick(void *data)
{
	struct tmem_link *link = data;

	WRITE_ONCE(link->kicked, true);
	wake_up(&link->wait);
}

static u32 tmem_link_tail(struct tmem_link *link, u32 queue)
{
	/* Pairs with the release in tmem_queue_push(). */
	return le32_to_cpu(smp_load_acquire(&link->dev.queues[queue].control->tail));
}

static u32 tmem_link_place(struct tmem_link *link, u32 sequence)
{
	return sequence & (link->queue_entries - 1);
}

/* Replies that we have, a word a queue: what OPERATIONS and RESYNC begin with. */
static void tmem_link_acknowledge(struct tmem_link *link, struct tmem_out *out)
{
	__le32 *words = tmem_out_words(out, link->dev.queue_count * sizeof(*words));
	u32 queue;

	for (queue = 0; queue < link->dev.queue_count; queue++)
		words[queue] = cpu_to_le32(link->taken[queue]);
}

/* Adds a queue's next descriptor, with its page if it is a put. */
static void tmem_link_add(struct tmem_link *link, struct tmem_out *out, u32 queue)
{
	struct tmem_frame_item *item = tmem_out_words(out, sizeof(*item));
	struct tmem_descriptor *to = tmem_out_words(out, sizeof(*to));
	bool put;

	*to = link->dev.queues[queue].descriptors[tmem_link_place(link, link->sent[queue])];
	put = to->command == cpu_to_le32(TMEM_CMD_PUT_PAGE);
	item->queue = cpu_to_le32(queue);
	item->pages = cpu_to_le32(put);
	if (put)
		tmem_out_page(out, tmem_slot(&link->dev, le32_to_cpu(to->slot)));
	link->sent[queue]++;
}

static bool tmem_link_fits(const struct tmem_out *out)
{
	return out->pages < TMEM_OUT_PAGES &&
	       out->head_used + sizeof(struct tmem_frame_item) + sizeof(struct tmem_descriptor) <=
	       TMEM_OUT_HEAD_BYTES;
}

/* Fills a frame from the queues; false when they have nothing. */
static bool tmem_link_fill(struct tmem_link *link, struct tmem_out *out)
{
	bool any = false;
	u32 queue;

	tmem_out_clear(out);
	tmem_link_acknowledge(link, out);
	for (queue = 0; queue < link->dev.queue_count; queue++) {
		u32 tail = tmem_link_tail(link, queue);

		while (link->sent[queue] != tail && tmem_link_fits(out)) {
			tmem_link_add(link, out, queue);
			any = true;
		}
	}
	return any;
}

/* Something that was sent is not answered. */
static bool tmem_link_waits(struct tmem_link *link)
{
	u32 queue;

	for (queue = 0; queue < link->dev.queue_count; queue++)
		if (link->taken[queue] != link->sent[queue])
			return true;
	return false;
}

static void tmem_link_transmit(struct tmem_link *link)
{
	struct tmem_out *out;

	/* How long the host takes counts from here. */
	if (!tmem_link_waits(link))
		link->moved = jiffies;
	while ((out = link->ops->begin(link->port)) != NULL) {
		u32 kind = TMEM_FRAME_OPERATIONS;

		if (link->resync) {
			tmem_out_clear(out);
			tmem_link_acknowledge(link, out);
			link->resync = false;
			kind = TMEM_FRAME_RESYNC;
		} else if (!tmem_link_fill(link, out)) {
			return;
		}
		tmem_out_seal(out, kind, link->dev.guest_epoch);
		if (link->ops->send(link->port, out))
			return;
		cond_resched();
	}
}

/* Sends a frame of a few words, if one can be sent now. */
void tmem_link_say(struct tmem_link *link, u32 kind, const void *payload, u32 bytes)
{
	struct tmem_out *out = link->ops->begin(link->port);

	if (!out)
		return;
	tmem_out_clear(out);
	if (bytes)
		memcpy(tmem_out_words(out, bytes), payload, bytes);
	tmem_out_seal(out, kind, link->dev.guest_epoch);
	link->ops->send(link->port, out);
}

/* Promises free slots to the layers above, as many puts as the host lets us send. */
void tmem_link_grant(struct tmem_link *link)
{
	struct tmem_device *dev = &link->dev;
	u32 place;

	/* A host cannot take back what it has let us send. */
	while (link->free_count && (s32)(link->credits - link->granted) > 0) {
		place = link->granted & (dev->credit_entries - 1);
		dev->credit_ring[place] = cpu_to_le32(link->free[--link->free_count]);
		link->granted++;
	}
	/* The entries before the tail that covers them. */
	smp_store_release(&dev->header->credit_tail, cpu_to_le32(link->granted));
	/* Nothing is due from a host that is full, or gone. */
	WRITE_ONCE(dev->credits_due, (s32)(link->credits - link->granted) > 0 &&
		   le32_to_cpu(dev->header->host_state) == TMEM_HOST_READY);
	wake_up_all(&dev->credit_wait);
}

static void tmem_link_nonsense(struct tmem_link *link)
{
	atomic64_inc(&link->dev.counters.host_errors);
	link->resync = true;
}

/* Takes a queue's next reply in. @page is NULL where none came. */
static void tmem_link_reply(struct tmem_link *link, u32 queue, struct tmem_reply *reply,
			    const void *page)
{
	struct tmem_descriptor *descriptor;
	u32 command;
	u32 slot;

	descriptor = link->dev.queues[queue].descriptors;
	descriptor += tmem_link_place(link, link->taken[queue]);
	command = le32_to_cpu(descriptor->command);
	slot = le32_to_cpu(descriptor->slot);
	reply->slot = 0;
	if (command == TMEM_CMD_GET_PAGE && reply->result == cpu_to_le32(1) && !page) {
		atomic64_inc(&link->dev.counters.host_errors);
		reply->result = cpu_to_le32(-EIO);
	}
	tmem_queue_deliver(&link->dev.queues[queue], reply, page);
	link->taken[queue]++;
	/* What was to be sent again had arrived after all. */
	if ((s32)(link->sent[queue] - link->taken[queue]) < 0)
		link->sent[queue] = link->taken[queue];
	if (command == TMEM_CMD_PUT_PAGE && !WARN_ON_ONCE(link->free_count == TMEM_LINK_SLOTS))
		link->free[link->free_count++] = slot;
}

/* Takes replies in order; those that came before are dropped, one too early means a loss. */
static void tmem_link_replies(struct tmem_link *link, u8 *at, size_t left)
{
	struct tmem_frame_item item;
	struct tmem_reply reply;

	while (left >= sizeof(item) + sizeof(reply)) {
		const void *page = NULL;
		u32 queue;
		s32 ahead;

		memcpy(&item, at, sizeof(item));
		memcpy(&reply, at + sizeof(item), sizeof(reply));
		at += sizeof(item) + sizeof(reply);
		left -= sizeof(item) + sizeof(reply);
		queue = le32_to_cpu(item.queue);
		if (item.pages) {
			page = at;
			if (left < TMEM_PAGE_BYTES)
				break;
			at += TMEM_PAGE_BYTES;
			left -= TMEM_PAGE_BYTES;
		}
		if (queue >= link->dev.queue_count)
			return tmem_link_nonsense(link);
		ahead = le32_to_cpu(reply.sequence) - link->taken[queue];
		if (ahead > 0)
			link->resync = true;
		if (ahead)
			continue;
		/* An answer to what was not asked yet. */
		if (link->taken[queue] == tmem_link_tail(link, queue))
			return tmem_link_nonsense(link);
		tmem_link_reply(link, queue, &reply, page);
	}
	if (left)
		tmem_link_nonsense(link);
}

/* The host has so many of our descriptors: goes on from there. */
static void tmem_link_rewind(struct tmem_link *link, const __le32 *words, size_t count)
{
	u32 queue;

	if (count < link->dev.queue_count)
		return tmem_link_nonsense(link);
	for (queue = 0; queue < link->dev.queue_count; queue++) {
		u32 has = le32_to_cpu(words[queue]);

		/* What has been answered was there; what was never posted cannot be. */
		if (has - link->taken[queue] <= tmem_link_tail(link, queue) - link->taken[queue])
			link->sent[queue] = has;
	}
}

/* Takes over the words of the host's that each of its frames has. */
void tmem_link_status(struct tmem_link *link, const struct tmem_frame *frame)
{
	struct tmem_header *header = link->dev.header;
	u32 status = le32_to_cpu(frame->status);

	link->credits = le32_to_cpu(frame->credits);
	WRITE_ONCE(header->refuse, cpu_to_le32(status & TMEM_FRAME_STATUS_REFUSE));
	WRITE_ONCE(header->fault, cpu_to_le32(status >> TMEM_FRAME_STATUS_FAULT_SHIFT));
	WRITE_ONCE(header->host_state, cpu_to_le32(status & 0xff));
}

static void tmem_link_take(struct tmem_link *link, struct tmem_frame *frame)
{
	size_t length = le32_to_cpu(frame->length);

	if (le32_to_cpu(frame->epoch) != link->dev.guest_epoch)
		return;
	tmem_link_status(link, frame);
	switch (le32_to_cpu(frame->kind)) {
	case TMEM_FRAME_REPLIES:
		tmem_link_replies(link, (u8 *)(frame + 1), length);
		break;
	case TMEM_FRAME_RESYNC:
		tmem_link_rewind(link, (__le32 *)(frame + 1), length / sizeof(__le32));
		break;
	default:
		break;
	}
}

/* Brings bytes in that have come; whether there were any. */
bool tmem_link_read(struct tmem_link *link)
{
	size_t room;
	void *space = tmem_reader_space(&link->reader, &room);
	size_t count = link->ops->receive(link->port, space, room);

	if (!tmem_reader_waits(&link->reader))
		link->begun = jiffies;
	tmem_reader_filled(&link->reader, count);
	return count;
}

/* Takes in what has come, but for so much that a host which never pauses holds up all else. */
static void tmem_link_receive(struct tmem_link *link)
{
	struct tmem_frame *frame;
	unsigned int reads = 0;

	while (tmem_link_read(link)) {
		while ((frame = tmem_reader_next(&link->reader)) != NULL) {
			link->moved = jiffies;
			link->begun = jiffies;
			link->quiet = TMEM_LINK_QUIET_MIN;
			tmem_link_take(link, frame);
		}
		cond_resched();
		if (++reads == TMEM_LINK_READS_MAX) {
			WRITE_ONCE(link->kicked, true);
			break;
		}
	}
	if (link->reader.damaged) {
		link->reader.damaged = false;
		link->resync = true;
	}
	if (!link->ops->is_open(link->port))
		WRITE_ONCE(link->dev.header->host_state, cpu_to_le32(TMEM_HOST_DOWN));
}

/*
 * After a quiet time with something unanswered: what was sent last may be lost. When the question
 * stays unanswered too, nobody serves us for all we know: no more puts until a frame comes.
 */
static void tmem_link_look(struct tmem_link *link)
{
	if (time_after(jiffies, link->begun + link->quiet))
		tmem_reader_give_up(&link->reader);
	if (!time_after(jiffies, link->moved + link->quiet) || !tmem_link_waits(link))
		return;
	if (link->quiet > TMEM_LINK_QUIET_MIN)
		WRITE_ONCE(link->dev.header->host_state, cpu_to_le32(TMEM_HOST_DOWN));
	link->resync = true;
	link->moved = jiffies;
	link->quiet = min_t(unsigned long, 2 * link->quiet, TMEM_LINK_QUIET_MAX);
}

static bool tmem_link_has_work(struct tmem_link *link)
{
	u32 queue;

	if (READ_ONCE(link->kicked) || kthread_should_stop())
		return true;
	for (queue = 0; queue < link->dev.queue_count; queue++)
		if (tmem_link_tail(link, queue) != link->sent[queue])
			return link->ops->begin(link->port);
	return false;
}

/* Odd: the layers above ring before they sleep. A full barrier before the last look. */
static void tmem_link_announce(struct tmem_link *link)
{
	link->sleep_count++;
	WRITE_ONCE(link->dev.header->host_sleep, cpu_to_le32(link->sleep_count));
	/* Our sleep word before the last look at their tails. */
	smp_mb();
}

/* The link's thread, until it is stopped. */
int tmem_link_thread(void *data)
{
	unsigned int reserves = memalloc_noreclaim_save();
	struct tmem_link *link = data;

	while (!kthread_should_stop()) {
		WRITE_ONCE(link->kicked, false);
		/* Whoever kicks after this is seen below; who kicked before, here. */
		smp_mb();
		tmem_link_receive(link);
		tmem_link_look(link);
		tmem_link_grant(link);
		tmem_link_transmit(link);
		tmem_link_announce(link);
		wait_event_idle_timeout(link->wait, tmem_link_has_work(link),
					tmem_link_waits(link) ? link->quiet : HZ);
		tmem_link_announce(link);
		cond_resched();
	}
	tmem_link_say(link, TMEM_FRAME_GOODBYE, NULL, 0);
	memalloc_noreclaim_restore(reserves);
	return 0;
}
