// SPDX-License-Identifier: GPL-2.0-only
/*
 * The region: where its header says that queues, credits and slots are. Each word is copied once
 * and checked against the region's size before it is used (PROTOCOL.md section 3).
 */
#include <linux/device.h>
#include <linux/log2.h>

#include "tmem.h"

/* The header's geometry, each word read once. */
struct tmem_geometry {
	u32 queue_count;	/* power of two */
	u32 queue_entries;	/* power of two */
	u32 queue_offset;	/* bytes */
	u32 queue_stride;	/* bytes */
	u32 credit_offset;	/* bytes */
	u32 credit_entries;	/* power of two */
	u32 slot_page;		/* pages */
	u32 slot_count;		/* slots */
};

static bool tmem_in_range(u32 value, u32 least, u32 most)
{
	return value >= least && value <= most && is_power_of_2(value);
}

/* Copies the geometry and checks it: header, queues, credit ring, slots, all in the region. */
static int tmem_read_geometry(struct tmem_header *header, size_t bytes, struct tmem_geometry *to)
{
	u64 end;

	to->queue_count = le32_to_cpu(READ_ONCE(header->queue_count));
	to->queue_entries = le32_to_cpu(READ_ONCE(header->queue_entries));
	to->queue_offset = le32_to_cpu(READ_ONCE(header->queue_offset));
	to->queue_stride = le32_to_cpu(READ_ONCE(header->queue_stride));
	to->credit_offset = le32_to_cpu(READ_ONCE(header->credit_offset));
	to->credit_entries = le32_to_cpu(READ_ONCE(header->credit_entries));
	to->slot_page = le32_to_cpu(READ_ONCE(header->slot_page));
	to->slot_count = le32_to_cpu(READ_ONCE(header->slot_count));

	if (!tmem_in_range(to->queue_count, 1, TMEM_QUEUES_MAX) ||
	    !tmem_in_range(to->queue_entries, TMEM_QUEUE_ENTRIES_MIN, TMEM_QUEUE_ENTRIES_MAX) ||
	    !is_power_of_2(to->credit_entries) || !to->slot_count ||
	    to->credit_entries < to->slot_count)
		return -EINVAL;
	end = sizeof(struct tmem_queue_control) +
	      (u64)to->queue_entries * (sizeof(struct tmem_descriptor) + sizeof(struct tmem_reply));
	if (to->queue_offset < sizeof(*header) || to->queue_offset % 64 ||
	    to->queue_stride % 64 || to->queue_stride < end)
		return -EINVAL;
	end = to->queue_offset + (u64)to->queue_count * to->queue_stride;
	if (to->credit_offset % sizeof(__le32) || to->credit_offset < end)
		return -EINVAL;
	end = to->credit_offset + (u64)to->credit_entries * sizeof(__le32);
	if ((u64)to->slot_page * TMEM_PAGE_BYTES < end)
		return -EINVAL;
	end = ((u64)to->slot_page + to->slot_count) * TMEM_PAGE_BYTES;
	return end > bytes ? -EINVAL : 0;
}

/*
 * Checks that @header is a tmem host's of our version and claims no more than the @bytes that there
 * are. Returns 0, -ENODEV or -EPROTO, said in the log.
 */
int tmem_region_check(struct device *parent, struct tmem_header *header, size_t bytes)
{
	u32 version;

	/* The host writes magic_lo last: whoever sees it sees the rest. */
	if (le32_to_cpu(virt_load_acquire(&header->magic_lo)) != TMEM_MAGIC_LO ||
	    le32_to_cpu(READ_ONCE(header->magic_hi)) != TMEM_MAGIC_HI) {
		dev_err(parent, "shared memory holds no tmem header: is a tmem host behind it?\n");
		return -ENODEV;
	}
	version = le32_to_cpu(READ_ONCE(header->version));
	if (version != TMEM_PROTOCOL_VERSION) {
		dev_err(parent, "host speaks tmem protocol %u, this module %u: use matching ones\n",
			version, TMEM_PROTOCOL_VERSION);
		return -EPROTO;
	}
	if ((u64)le32_to_cpu(READ_ONCE(header->total_pages)) * TMEM_PAGE_BYTES > bytes) {
		dev_err(parent, "host claims more memory than there is\n");
		return -EPROTO;
	}
	return 0;
}

/*
 * Sets up queues and credits where the header says, after a check. The caller frees both, also
 * after an error. May sleep. Returns 0, -EINVAL or -ENOMEM.
 */
int tmem_region_lay_out(struct tmem_device *dev)
{
	struct tmem_geometry geometry;
	void *base = dev->header;
	int ret;

	ret = tmem_read_geometry(dev->header, dev->region_bytes, &geometry);
	if (ret)
		return ret;
	dev->queue_count = geometry.queue_count;
	dev->credit_ring = base + geometry.credit_offset;
	dev->credit_entries = geometry.credit_entries;
	dev->slots = base + (size_t)geometry.slot_page * TMEM_PAGE_BYTES;
	dev->slot_count = geometry.slot_count;
	dev->host_pages = geometry.slot_count;
	ret = tmem_queues_init(dev, base + geometry.queue_offset, geometry.queue_stride,
			       geometry.queue_entries);
	return ret ?: tmem_credits_init(dev);
}
