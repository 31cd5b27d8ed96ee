// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ordinary swap device: /dev/tmemN, a blk-mq disk over the same operations. Loading is open, a
 * write is a put, a read a get, a discard a flush. Swap discards little, and so the kernel's notice
 * of each swap slot that it has freed is a flush too.
 *
 * queue_rq only queues; workers carry requests out side by side, each of which may wait for the
 * host. A block device cannot pass a page on to the disk below it: a write for which the host has
 * no room waits until it makes some, then fails, and the kernel keeps the page in memory. The wait
 * is the disk's, not each write's: once it was in vain, writes fail at once until one succeeds. So
 * the devices are made no larger than what the host has slots for. A page that was never written,
 * or was discarded, reads as zeros; one whose write failed reads as an error.
 *
 * Contexts: queue_rq may be atomic; workers may sleep and are of a WQ_MEM_RECLAIM queue, since
 * requests come from reclaim; a notice of a free slot comes under spinlocks, interrupts off, and is
 * only posted. Nothing allocates after the start. Requests on one sector at the same time are the
 * caller's to avoid, as on any disk; swap has none.
 */
#include <linux/bitmap.h>
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "tmem.h"

#define TMEM_BLOCK_DEPTH	128
#define TMEM_BLOCK_WORKERS	32
/* Slots left over for puts on their way, when the size is not given. */
#define TMEM_BLOCK_SPARE	1024

/* One disk. */
struct tmem_block {
	struct gendisk *disk;		/* the disk */
	struct blk_mq_tag_set tags;	/* its requests */
	unsigned int area;		/* whose pages are ours, in area.c */
	unsigned long pages;		/* size */
	unsigned long *failed;		/* a bit a page: its last write failed; atomic */
	bool is_short;			/* a write found no room, and none has succeeded since */
	unsigned long wait_end;		/* jiffies up to which writes then wait */
};

/* Behind each request. */
struct tmem_block_request {
	struct work_struct work;	/* carries it out */
};

static struct tmem_block tmem_blocks[TMEM_BLOCKS_MAX];
static unsigned int tmem_block_count;
static struct workqueue_struct *tmem_block_workers;

static unsigned int tmem_block_devices = 1;
module_param_named(block_devices, tmem_block_devices, uint, 0444);
MODULE_PARM_DESC(block_devices, "disks that the block front end makes, 1 to 4");

static unsigned int tmem_block_mib;
module_param_named(block_mib, tmem_block_mib, uint, 0444);
MODULE_PARM_DESC(block_mib, "size of each, MiB (default: what the host has slots for)");

/*
 * Whether a write that found no room, as @ret says, may soon find some; waits a little if so. All
 * writes that find none wait up to the same end. May sleep.
 */
static bool tmem_block_await_room(struct tmem_block *block, int ret)
{
	if (ret != -EBUSY && ret != -EAGAIN && ret != -ENOSPC)
		return false;
	/* Pairs with the release below. */
	if (!smp_load_acquire(&block->is_short)) {
		WRITE_ONCE(block->wait_end,
			   jiffies + msecs_to_jiffies(READ_ONCE(tmem_put_timeout_ms)));
		/* Whoever sees that room is short sees until when. */
		smp_store_release(&block->is_short, true);
	} else if (time_after(jiffies, READ_ONCE(block->wait_end))) {
		return false;
	}
	usleep_range(500, 1000);
	return true;
}

/* Puts a page; waits for room where there may be some. May sleep. */
static blk_status_t tmem_block_write(struct tmem_block *block, pgoff_t at, struct page *page)
{
	int ret;

	do {
		ret = tmem_area_store(block->area, at, page);
	} while (ret && tmem_block_await_room(block, ret));
	if (ret) {
		set_bit(at, block->failed);
		return ret == -ENODEV || ret == -EINVAL ? BLK_STS_IOERR : BLK_STS_NOSPC;
	}
	if (unlikely(READ_ONCE(block->is_short)))
		WRITE_ONCE(block->is_short, false);
	clear_bit(at, block->failed);
	return BLK_STS_OK;
}

/* Gets a page. May sleep. */
static blk_status_t tmem_block_read(struct tmem_block *block, pgoff_t at, struct page *page)
{
	if (test_bit(at, block->failed))
		return BLK_STS_IOERR;
	switch (tmem_area_load(block->area, at, page, true)) {
	case TMEM_LOAD_FILLED:
		return BLK_STS_OK;
	case TMEM_LOAD_ABSENT:
		clear_page(page_address(page));
		return BLK_STS_OK;
	case TMEM_LOAD_FAILED:
		break;
	}
	return BLK_STS_IOERR;
}

/* Pages from @at to before @end read as zeros from now on. May sleep. */
static void tmem_block_discard(struct tmem_block *block, pgoff_t at, pgoff_t end)
{
	for (end = min_t(pgoff_t, end, block->pages); at < end; at++) {
		tmem_area_forget(block->area, at);
		clear_bit(at, block->failed);
		cond_resched();
	}
}

/*
 * Carries a read or a write out, page by page, each with its own result: swap's reads ahead come as
 * one request, and a page that cannot be had must not take its neighbours along. Ends the request.
 */
static void tmem_block_pages(struct tmem_block *block, struct request *request)
{
	bool write = req_op(request) == REQ_OP_WRITE;
	pgoff_t at = blk_rq_pos(request) / TMEM_SECTORS_PER_PAGE;
	blk_status_t status;

	do {
		struct bio_vec segment = bio_iter_iovec(request->bio, request->bio->bi_iter);

		/* Limits promise whole pages; whoever breaks them gets no half ones. */
		if (segment.bv_offset || segment.bv_len != PAGE_SIZE || at >= block->pages) {
			blk_mq_end_request(request, BLK_STS_IOERR);
			return;
		}
		status = write ? tmem_block_write(block, at, segment.bv_page) :
				 tmem_block_read(block, at, segment.bv_page);
		at++;
	} while (blk_update_request(request, status, PAGE_SIZE));
	__blk_mq_end_request(request, status);
}

static void tmem_block_work(struct work_struct *work)
{
	struct tmem_block_request *own = container_of(work, struct tmem_block_request, work);
	struct request *request = blk_mq_rq_from_pdu(own);
	struct tmem_block *block = request->q->queuedata;
	blk_status_t status = BLK_STS_OK;
	pgoff_t at;

	switch (req_op(request)) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
		tmem_block_pages(block, request);
		return;
	case REQ_OP_DISCARD:
	case REQ_OP_WRITE_ZEROES:
		at = blk_rq_pos(request) / TMEM_SECTORS_PER_PAGE;
		tmem_block_discard(block, at, at + (blk_rq_bytes(request) >> PAGE_SHIFT));
		break;
	default:
		status = BLK_STS_NOTSUPP;
	}
	blk_mq_end_request(request, status);
}

/* Any context. */
static blk_status_t tmem_block_queue(struct blk_mq_hw_ctx *hctx,
				     const struct blk_mq_queue_data *data)
{
	struct tmem_block_request *own = blk_mq_rq_to_pdu(data->rq);

	blk_mq_start_request(data->rq);
	INIT_WORK(&own->work, tmem_block_work);
	queue_work(tmem_block_workers, &own->work);
	return BLK_STS_OK;
}

static const struct blk_mq_ops tmem_block_mq_ops = {
	.queue_rq = tmem_block_queue,
};

/* Swap on the whole disk has freed a slot (mm/swapfile.c, swap_range_free()): under spinlocks. */
static void tmem_block_slot_free(struct block_device *bdev, unsigned long offset)
{
	struct tmem_block *block = bdev->bd_disk->private_data;

	if (offset >= block->pages)
		return;
	tmem_area_forget(block->area, offset);
	clear_bit(offset, block->failed);
}

static const struct block_device_operations tmem_block_operations = {
	.owner = THIS_MODULE,
	.swap_slot_free_notify = tmem_block_slot_free,
};

/* Pages of each disk. */
static unsigned long tmem_block_size(void)
{
	u32 slots = tmem_the_device()->host_pages;

	if (tmem_block_mib)
		return (unsigned long)tmem_block_mib << (20 - PAGE_SHIFT);
	return slots > 2 * TMEM_BLOCK_SPARE ? (slots - TMEM_BLOCK_SPARE) / tmem_block_devices : 0;
}

static void tmem_block_free(struct tmem_block *block)
{
	if (block->disk) {
		del_gendisk(block->disk);
		tmem_free_disk(block->disk);
	}
	if (block->tags.ops)
		blk_mq_free_tag_set(&block->tags);
	tmem_area_off(block->area);
	kvfree(block->failed);
	memset(block, 0, sizeof(*block));
}

static int tmem_block_tags(struct blk_mq_tag_set *tags)
{
	int ret;

	tags->ops = &tmem_block_mq_ops;
	tags->nr_hw_queues = 1;
	tags->queue_depth = TMEM_BLOCK_DEPTH;
	tags->numa_node = NUMA_NO_NODE;
	tags->cmd_size = sizeof(struct tmem_block_request);
	tags->flags = TMEM_BLK_MQ_FLAGS;
	ret = blk_mq_alloc_tag_set(tags);
	if (ret)
		tags->ops = NULL;
	return ret;
}

static int tmem_block_add(unsigned int number)
{
	struct tmem_block *block = &tmem_blocks[number];
	struct gendisk *disk;
	int ret;

	block->area = TMEM_AREA_BLOCK + number;
	block->pages = tmem_block_size();
	block->failed = kvcalloc(BITS_TO_LONGS(block->pages), sizeof(long), GFP_KERNEL);
	if (!block->failed)
		return -ENOMEM;
	tmem_area_on(block->area, block->pages);
	ret = tmem_area_is_on(block->area) ? tmem_block_tags(&block->tags) : -ENODEV;
	if (ret)
		goto fail;
	disk = tmem_alloc_mq_disk(&block->tags, block);
	if (IS_ERR(disk)) {
		ret = PTR_ERR(disk);
		goto fail;
	}
	snprintf(disk->disk_name, sizeof(disk->disk_name), "tmem%u", number);
	disk->private_data = block;
	disk->fops = &tmem_block_operations;
	set_capacity(disk, block->pages * TMEM_SECTORS_PER_PAGE);
	ret = tmem_add_disk(disk);
	if (ret) {
		tmem_free_disk(disk);
		goto fail;
	}
	block->disk = disk;
	return 0;
fail:
	tmem_block_free(block);
	return ret;
}

static void tmem_block_exit(void)
{
	while (tmem_block_count)
		tmem_block_free(&tmem_blocks[--tmem_block_count]);
	destroy_workqueue(tmem_block_workers);
	tmem_areas_exit();
}

static int tmem_block_init(void)
{
	int ret;

	if (!tmem_block_devices || tmem_block_devices > TMEM_BLOCKS_MAX || !tmem_block_size()) {
		pr_err("tmem: block_devices is 1 to %u, and the host must have slots for them\n",
		       TMEM_BLOCKS_MAX);
		return -EINVAL;
	}
	ret = tmem_areas_init();
	if (ret)
		return ret;
	tmem_block_workers = alloc_workqueue("tmem_block", WQ_MEM_RECLAIM | WQ_UNBOUND | WQ_HIGHPRI,
					     TMEM_BLOCK_WORKERS);
	if (!tmem_block_workers) {
		tmem_areas_exit();
		return -ENOMEM;
	}
	while (tmem_block_count < tmem_block_devices) {
		ret = tmem_block_add(tmem_block_count);
		if (ret) {
			pr_err("tmem: /dev/tmem%u could not be made (%d)\n", tmem_block_count, ret);
			tmem_block_exit();
			return ret;
		}
		tmem_block_count++;
	}
	return 0;
}

const struct tmem_front_end tmem_block_front_end = {
	.name = "block",
	.init = tmem_block_init,
	.exit = tmem_block_exit,
};
