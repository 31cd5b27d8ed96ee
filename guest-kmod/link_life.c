// SPDX-License-Identifier: GPL-2.0-only
/*
 * A link's life: saying hello, the region that the host's answer calls for, the thread, the end of
 * it (PROTOCOL.md section 9). All of it may sleep, in the probe or the removal of a device.
 */
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "link.h"

/* How long the host may take to notice us, and how often we say hello meanwhile. */
#define TMEM_LINK_HELLO_MS	200
#define TMEM_LINK_HELLOS	25

/* The region: header, queues, credit ring, slots. All but the header's words of it zeroed. */
static int tmem_link_lay_out(struct tmem_link *link, const struct tmem_welcome *welcome)
{
	struct tmem_device *dev = &link->dev;
	struct tmem_header *header;
	u32 count = le32_to_cpu(welcome->queue_count);
	u32 entries = le32_to_cpu(welcome->queue_entries);
	u32 stride;
	u32 ring;
	u32 slot_page;
	int ret;

	/* Also bounds the products below; the layout is checked once more where it is used. */
	if (count > TMEM_QUEUES_MAX || entries > TMEM_QUEUE_ENTRIES_MAX ||
	    le32_to_cpu(welcome->slot_count) > TMEM_SLOTS_MAX)
		return -EINVAL;
	stride = PAGE_ALIGN(sizeof(struct tmem_queue_control) +
			    entries * (sizeof(struct tmem_descriptor) + sizeof(struct tmem_reply)));
	ring = sizeof(*header) + count * stride;
	slot_page = PAGE_ALIGN(ring + TMEM_LINK_SLOTS * sizeof(__le32)) / TMEM_PAGE_BYTES;
	dev->region_bytes = (size_t)(slot_page + TMEM_LINK_SLOTS) * TMEM_PAGE_BYTES;
	header = vzalloc(dev->region_bytes);
	if (!header)
		return -ENOMEM;
	dev->header = header;
	header->queue_count = cpu_to_le32(count);
	header->queue_entries = cpu_to_le32(entries);
	header->queue_offset = cpu_to_le32(sizeof(*header));
	header->queue_stride = cpu_to_le32(stride);
	header->credit_offset = cpu_to_le32(ring);
	header->credit_entries = cpu_to_le32(TMEM_LINK_SLOTS);
	header->slot_page = cpu_to_le32(slot_page);
	header->slot_count = cpu_to_le32(TMEM_LINK_SLOTS);
	header->host_epoch = cpu_to_le32(dev->host_epoch);
	header->session_epoch = cpu_to_le32(dev->guest_epoch);
	link->queue_entries = entries;
	ret = tmem_region_lay_out(dev);
	dev->host_pages = le32_to_cpu(welcome->slot_count);
	return ret;
}

/* Takes what the host says of itself. Returns 0 or -errno, said in the log. */
static int tmem_link_accept(struct tmem_link *link, struct device *parent,
			    const struct tmem_frame *frame)
{
	struct tmem_welcome welcome;
	u32 version;
	int ret;

	if (le32_to_cpu(frame->length) < sizeof(welcome))
		return -EPROTO;
	memcpy(&welcome, frame + 1, sizeof(welcome));
	version = le32_to_cpu(welcome.version);
	if (version != TMEM_PROTOCOL_VERSION) {
		dev_err(parent, "host speaks tmem protocol %u, this module %u: use matching ones\n",
			version, TMEM_PROTOCOL_VERSION);
		return -EPROTO;
	}
	link->dev.host_epoch = le32_to_cpu(welcome.host_epoch);
	link->dev.features = tmem_posted_puts ? TMEM_FEATURE_POSTED_PUTS : 0;
	link->dev.features &= le32_to_cpu(welcome.features);
	ret = tmem_link_lay_out(link, &welcome);
	if (ret) {
		dev_err(parent, "the host's queues cannot be had here (%d)\n", ret);
		return ret;
	}
	tmem_link_status(link, frame);
	return 0;
}

/* A WELCOME among what has come, or comes up to jiffies @end without a pause, or NULL. */
static struct tmem_frame *tmem_link_welcome(struct tmem_link *link, unsigned long end)
{
	struct tmem_frame *frame;

	while (tmem_link_read(link) && time_before(jiffies, end)) {
		while ((frame = tmem_reader_next(&link->reader)) != NULL) {
			u32 epoch = le32_to_cpu(frame->epoch);

			/* One without a life tells of another version. */
			if (frame->kind == cpu_to_le32(TMEM_FRAME_WELCOME) &&
			    (!epoch || epoch == link->dev.guest_epoch))
				return frame;
		}
		cond_resched();
	}
	return NULL;
}

/* Says hello until the host answers. May sleep. Returns 0 or -errno, said in the log. */
static int tmem_link_attach(struct tmem_link *link, struct device *parent)
{
	struct tmem_hello hello = {
		.version = cpu_to_le32(TMEM_PROTOCOL_VERSION),
		.features = cpu_to_le32(tmem_posted_puts ? TMEM_FEATURE_POSTED_PUTS : 0),
	};
	struct tmem_frame *frame = NULL;
	int tries;

	for (tries = 0; tries < TMEM_LINK_HELLOS && !frame; tries++) {
		unsigned long end = jiffies + msecs_to_jiffies(TMEM_LINK_HELLO_MS);

		tmem_link_say(link, TMEM_FRAME_HELLO, &hello, sizeof(hello));
		while (!frame && time_before(jiffies, end)) {
			WRITE_ONCE(link->kicked, false);
			frame = tmem_link_welcome(link, end);
			if (!frame)
				wait_event_idle_timeout(link->wait, READ_ONCE(link->kicked),
							tmem_left(end));
		}
	}
	if (frame)
		return tmem_link_accept(link, parent, frame);
	dev_err(parent, "the tmem host did not answer within %u ms\n",
		TMEM_LINK_HELLOS * TMEM_LINK_HELLO_MS);
	return -ETIMEDOUT;
}

/* May sleep. NULL when there is no memory. */
struct tmem_link *tmem_link_create(const struct tmem_transport *transport,
				   const struct tmem_port_ops *ops, void *port)
{
	struct tmem_link *link = kvzalloc(sizeof(*link), GFP_KERNEL);
	u32 slot;

	if (!link)
		return NULL;
	link->ops = ops;
	link->port = port;
	link->dev.transport = transport;
	link->dev.transport_data = link;
	link->dev.guest_epoch = (get_random_u32() & 0x7fffffff) | 1;
	init_waitqueue_head(&link->wait);
	link->free = kvcalloc(TMEM_LINK_SLOTS, sizeof(*link->free), GFP_KERNEL);
	if (!link->free || tmem_reader_init(&link->reader)) {
		tmem_link_free(link);
		return NULL;
	}
	for (slot = 0; slot < TMEM_LINK_SLOTS; slot++)
		link->free[link->free_count++] = slot;
	return link;
}

/* Attaches to the host and publishes the device. May sleep. Returns 0 or -errno. */
int tmem_link_start(struct tmem_link *link, struct device *parent)
{
	struct tmem_device *dev = &link->dev;
	int ret;

	ret = tmem_link_attach(link, parent);
	if (ret)
		return ret;
	tmem_link_grant(link);
	link->moved = jiffies;
	link->quiet = TMEM_LINK_QUIET_MIN;
	link->thread = kthread_run(tmem_link_thread, link, "tmem_link");
	if (IS_ERR(link->thread)) {
		ret = PTR_ERR(link->thread);
		link->thread = NULL;
		return ret;
	}
	ret = tmem_device_publish(dev);
	if (ret) {
		tmem_link_stop(link);
		return ret;
	}
	dev_info(parent, "%u slots, %u queues of %u, %s puts, over a link\n", dev->slot_count,
		 dev->queue_count, dev->queues[0].entries,
		 dev->features & TMEM_FEATURE_POSTED_PUTS ? "posted" : "answered");
	return 0;
}

/* Ends the life. The device is not published any more. May sleep. */
void tmem_link_stop(struct tmem_link *link)
{
	if (link->thread)
		kthread_stop(link->thread);
	link->thread = NULL;
}

/* What the other layers see of it. Any context. */
struct tmem_device *tmem_link_device(struct tmem_link *link)
{
	return &link->dev;
}

void tmem_link_free(struct tmem_link *link)
{
	tmem_credits_free(&link->dev);
	tmem_queues_free(&link->dev);
	vfree(link->dev.header);
	tmem_reader_free(&link->reader);
	kvfree(link->free);
	kvfree(link);
}
