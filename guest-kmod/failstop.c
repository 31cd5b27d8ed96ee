// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fail-stop swap device: /dev/failstopN passes through to a real swap device and knows which of
 * its pages were written there.
 *
 * Up to 6.5 the kernel reads the disk when a frontswap load fails, and that slot was never written
 * with the page: it holds zeros or somebody's old bytes (mm/page_io.c, swap_readpage()). Here a
 * read of such a slot is an I/O error instead, and the fault ends in SIGBUS. A bit is set when a
 * write is submitted and cleared when a put succeeds, so a page has one home at a time.
 *
 * Contexts: submit_bio may sleep; the bits are changed by stores too, with atomics. A write that
 * fails leaves its bit set, which does no harm: the kernel then keeps the page in memory and does
 * not read the slot (end_swap_bio_write()).
 */
#include <linux/bitmap.h>
#include <linux/blkdev.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include "compat.h"
#include "tmem.h"

#define TMEM_FAILSTOPS_MAX	4
#define TMEM_FAILSTOP_MODE	(FMODE_READ | FMODE_WRITE | FMODE_EXCL)

/* One device over another. Made at load and kept: with frontswap the module stays. */
struct tmem_failstop {
	struct gendisk *disk;		/* ours */
	struct block_device *below;	/* the real one, opened exclusively */
	unsigned long pages;		/* whole pages of it */
	unsigned long *written;		/* a bit a page: its bytes are below; atomic */
};

static struct tmem_failstop tmem_failstops[TMEM_FAILSTOPS_MAX];
static unsigned int tmem_failstop_count;

static char *tmem_failstop_below;
module_param_named(failstop, tmem_failstop_below, charp, 0444);
MODULE_PARM_DESC(failstop, "block devices, with commas between, to put /dev/failstopN over");

/* Whether each page that a read touches was written below; counts the read. */
static bool tmem_failstop_may_read(struct tmem_failstop *failstop, unsigned long first,
				   unsigned long last)
{
	struct tmem_counters *counters = &tmem_the_device()->counters;
	unsigned long page;

	for (page = first; page <= last; page++) {
		if (page >= failstop->pages || !test_bit(page, failstop->written)) {
			atomic64_inc(&counters->disk_reads_refused);
			return false;
		}
	}
	atomic64_add(last - first + 1, &counters->disk_reads);
	return true;
}

static void tmem_failstop_mark(struct tmem_failstop *failstop, unsigned long first,
			       unsigned long last, bool written)
{
	unsigned long page;

	for (page = first; page <= last && page < failstop->pages; page++) {
		if (written)
			set_bit(page, failstop->written);
		else
			clear_bit(page, failstop->written);
	}
}

static void tmem_failstop_pass(struct bio *bio)
{
	struct tmem_failstop *failstop = tmem_bio_disk(bio)->private_data;
	unsigned long first = bio->bi_iter.bi_sector / TMEM_SECTORS_PER_PAGE;
	unsigned long last;

	/* A flush has no sectors. */
	if (bio_sectors(bio)) {
		last = (bio_end_sector(bio) - 1) / TMEM_SECTORS_PER_PAGE;
		if (bio_op(bio) == REQ_OP_READ && !tmem_failstop_may_read(failstop, first, last)) {
			bio_io_error(bio);
			return;
		}
		if (bio_op(bio) != REQ_OP_READ)
			tmem_failstop_mark(failstop, first, last, bio_op(bio) == REQ_OP_WRITE);
	}
	bio_set_dev(bio, failstop->below);
	submit_bio_noacct(bio);
}

TMEM_SUBMIT_BIO(tmem_failstop_submit, tmem_failstop_pass)

static const struct block_device_operations tmem_failstop_operations = {
	.owner = THIS_MODULE,
	.submit_bio = tmem_failstop_submit,
};

/* The device that the swap area lies on, or NULL. Any context. */
static struct tmem_failstop *tmem_failstop_of(const struct swap_info_struct *info)
{
	unsigned int i;

	/* A swap file on it has offsets of its own. */
	if (!(READ_ONCE(info->flags) & SWP_BLKDEV))
		return NULL;
	for (i = 0; i < tmem_failstop_count; i++)
		if (info->bdev && info->bdev->bd_disk == tmem_failstops[i].disk)
			return &tmem_failstops[i];
	return NULL;
}

/* Whether a load from the area may fail: a failed one then reads no stale bytes. Any context. */
bool tmem_failstop_covers(const struct swap_info_struct *info)
{
	return tmem_failstop_of(info);
}

/* A put took the page: what lies below under its offset is not it. Any context. */
void tmem_failstop_unwrite(const struct swap_info_struct *info, pgoff_t offset)
{
	struct tmem_failstop *failstop = tmem_failstop_of(info);

	if (failstop)
		tmem_failstop_mark(failstop, offset, offset, false);
}

static void tmem_failstop_put(struct tmem_failstop *failstop)
{
	kvfree(failstop->written);
	blkdev_put(failstop->below, TMEM_FAILSTOP_MODE);
	memset(failstop, 0, sizeof(*failstop));
}

static int tmem_failstop_add(const char *path)
{
	struct tmem_failstop *failstop = &tmem_failstops[tmem_failstop_count];
	struct gendisk *disk;
	int ret;

	if (tmem_failstop_count == TMEM_FAILSTOPS_MAX)
		return -ENOSPC;
	failstop->below = blkdev_get_by_path(path, TMEM_FAILSTOP_MODE, failstop);
	if (IS_ERR(failstop->below)) {
		ret = PTR_ERR(failstop->below);
		memset(failstop, 0, sizeof(*failstop));
		pr_err("tmem: %s cannot be opened for itself (%d)\n", path, ret);
		return ret;
	}
	failstop->pages = i_size_read(failstop->below->bd_inode) >> PAGE_SHIFT;
	failstop->written = kvcalloc(BITS_TO_LONGS(failstop->pages), sizeof(long), GFP_KERNEL);
	disk = failstop->written ? tmem_alloc_bio_disk() : NULL;
	if (!disk) {
		ret = -ENOMEM;
		goto fail;
	}
	failstop->disk = disk;
	snprintf(disk->disk_name, sizeof(disk->disk_name), "failstop%u", tmem_failstop_count);
	disk->private_data = failstop;
	disk->fops = &tmem_failstop_operations;
	blk_queue_logical_block_size(disk->queue, PAGE_SIZE);
	blk_queue_physical_block_size(disk->queue, PAGE_SIZE);
	blk_queue_max_hw_sectors(disk->queue,
				 queue_max_hw_sectors(bdev_get_queue(failstop->below)));
	/*
	 * It rotates, as it is not said not to: on a disk that does not, the kernel keeps clusters
	 * of free slots and swaps huge pages out whole, which frontswap cannot take; on this it
	 * splits them first (mm/swapfile.c, swapon and swap_alloc_cluster()).
	 */
	set_capacity(disk, failstop->pages * TMEM_SECTORS_PER_PAGE);
	/* A label written by an earlier mkswap may be read. */
	set_bit(0, failstop->written);
	ret = tmem_add_disk(disk);
	if (ret)
		goto free_disk;
	tmem_failstop_count++;
	return 0;
free_disk:
	tmem_free_disk(disk);
fail:
	tmem_failstop_put(failstop);
	return ret;
}

/* Takes the devices back; none is in use. May sleep. */
void tmem_failstop_exit(void)
{
	while (tmem_failstop_count) {
		struct tmem_failstop *failstop = &tmem_failstops[--tmem_failstop_count];

		del_gendisk(failstop->disk);
		tmem_free_disk(failstop->disk);
		tmem_failstop_put(failstop);
	}
}

/* Makes a device for each path of the parameter. May sleep. */
int tmem_failstop_init(void)
{
	char paths[128];
	char *rest = paths;
	char *path;
	int ret;

	if (!tmem_failstop_below)
		return 0;
	if (strscpy(paths, tmem_failstop_below, sizeof(paths)) < 0)
		return -EINVAL;
	while ((path = strsep(&rest, ",")) != NULL) {
		ret = tmem_failstop_add(path);
		if (ret) {
			tmem_failstop_exit();
			return ret;
		}
	}
	return 0;
}
