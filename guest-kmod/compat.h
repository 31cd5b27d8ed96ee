/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between kernel versions, and every symbol that a stock kernel does not
 * export.
 *
 * 5.10: frontswap_register_ops() is exported, swap_info[] is not. 6.1: neither is. From 6.6 on
 * there is no frontswap, and nothing of zswap is exported. A kprobe on kallsyms_lookup_name()
 * finds what is not (the kprobe is removed again at once).
 */
#ifndef TMEM_COMPAT_H
#define TMEM_COMPAT_H

#include <linux/kprobes.h>
#include <linux/printk.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 10, 0)
#error "tmem: kernels before 5.10 are not supported"
#endif

#ifdef CONFIG_HIGHMEM
#error "tmem: kernels with CONFIG_HIGHMEM are not supported: every page needs an address"
#endif

#ifndef CONFIG_KPROBES
#error "tmem: the kernel lacks CONFIG_KPROBES, without which its swap hooks cannot be found"
#endif

typedef unsigned long (*tmem_lookup_t)(const char *name);

/* kallsyms_lookup_name(), or NULL. Process context. */
static inline tmem_lookup_t tmem_find_lookup(void)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	tmem_lookup_t lookup;

	if (register_kprobe(&probe))
		return NULL;
	lookup = (tmem_lookup_t)probe.addr;
	unregister_kprobe(&probe);
	return lookup;
}

/* A workqueue with workers on each CPU says so from 6.18 on; 7.x warns of one that does not. */
#include <linux/workqueue.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define TMEM_WQ_PERCPU	0
#else
#define TMEM_WQ_PERCPU	WQ_PERCPU
#endif

/*
 * Disks. bi_disk went in 5.12, alloc_disk() in 5.15, the result of submit_bio in 5.16,
 * blk_cleanup_disk() in 5.19; limits are given at once from 6.9 on.
 */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 15, 0)
#include <linux/genhd.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
#define TMEM_NO_PARTITIONS	GENHD_FL_NO_PART_SCAN
#else
#define TMEM_NO_PARTITIONS	GENHD_FL_NO_PART
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0)
#define TMEM_BLK_MQ_FLAGS	BLK_MQ_F_SHOULD_MERGE
#else
#define TMEM_BLK_MQ_FLAGS	0
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 15, 0)
/* A disk without a queue. */
static inline struct gendisk *tmem_alloc_bare_disk(void)
{
	struct gendisk *disk = alloc_disk(0);

	if (disk)
		disk->flags |= GENHD_FL_EXT_DEVT | TMEM_NO_PARTITIONS;
	return disk;
}

static inline int tmem_add_disk(struct gendisk *disk)
{
	add_disk(disk);
	return 0;
}

static inline void tmem_free_disk(struct gendisk *disk)
{
	blk_cleanup_queue(disk->queue);
	put_disk(disk);
}
#else
static inline int tmem_add_disk(struct gendisk *disk)
{
	return add_disk(disk);
}

static inline void tmem_free_disk(struct gendisk *disk)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 19, 0)
	blk_cleanup_disk(disk);
#else
	put_disk(disk);
#endif
}
#endif

/* What a request without data may cover: all, in whole pages. */
#define TMEM_SECTORS_ALL	round_down(UINT_MAX >> SECTOR_SHIFT, PAGE_SIZE >> SECTOR_SHIFT)

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
/* Whole pages, in page-aligned memory, discards and zeros of any size. */
static inline void tmem_set_limits(struct gendisk *disk)
{
	struct request_queue *queue = disk->queue;

	blk_queue_logical_block_size(queue, PAGE_SIZE);
	blk_queue_physical_block_size(queue, PAGE_SIZE);
	blk_queue_dma_alignment(queue, PAGE_SIZE - 1);
	blk_queue_virt_boundary(queue, PAGE_SIZE - 1);
	queue->limits.discard_granularity = PAGE_SIZE;
	blk_queue_max_discard_sectors(queue, TMEM_SECTORS_ALL);
	blk_queue_max_write_zeroes_sectors(queue, TMEM_SECTORS_ALL);
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 19, 0)
	blk_queue_flag_set(QUEUE_FLAG_DISCARD, queue);
#endif
	blk_queue_flag_set(QUEUE_FLAG_NONROT, queue);
}

static inline struct gendisk *tmem_alloc_mq_disk(struct blk_mq_tag_set *tags, void *data)
{
	struct gendisk *disk;
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 15, 0)
	struct request_queue *queue = blk_mq_init_queue(tags);

	if (IS_ERR(queue))
		return ERR_CAST(queue);
	disk = tmem_alloc_bare_disk();
	if (!disk) {
		blk_cleanup_queue(queue);
		return ERR_PTR(-ENOMEM);
	}
	queue->queuedata = data;
	disk->queue = queue;
#else
	disk = blk_mq_alloc_disk(tags, data);
	if (IS_ERR(disk))
		return disk;
	disk->flags |= TMEM_NO_PARTITIONS;
#endif
	tmem_set_limits(disk);
	return disk;
}
#else
static inline struct gendisk *tmem_alloc_mq_disk(struct blk_mq_tag_set *tags, void *data)
{
	struct queue_limits limits = {
		.logical_block_size = PAGE_SIZE,
		.physical_block_size = PAGE_SIZE,
		.dma_alignment = PAGE_SIZE - 1,
		.virt_boundary_mask = PAGE_SIZE - 1,
		.discard_granularity = PAGE_SIZE,
		.max_hw_discard_sectors = TMEM_SECTORS_ALL,
		.max_write_zeroes_sectors = TMEM_SECTORS_ALL,
	};
	struct gendisk *disk = blk_mq_alloc_disk(tags, &limits, data);

	if (IS_ERR(disk))
		return disk;
	disk->flags |= TMEM_NO_PARTITIONS;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
	blk_queue_flag_set(QUEUE_FLAG_NONROT, disk->queue);
#endif
	return disk;
}
#endif

/* virtio: virtio_reset_device() came in 5.17, struct virtqueue_info in 6.11. */
#include <linux/virtio.h>
#include <linux/virtio_config.h>

/* Sets up @count queues, each with a name and a callback. Process context. */
static inline int tmem_find_virtqueues(struct virtio_device *vdev, unsigned int count,
				       struct virtqueue *queues[], vq_callback_t *callbacks[],
				       const char *const names[])
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
	return virtio_find_vqs(vdev, count, queues, callbacks, names, NULL);
#else
	struct virtqueue_info info[8] = {};
	unsigned int i;

	if (count > ARRAY_SIZE(info))
		return -EINVAL;
	for (i = 0; i < count; i++) {
		info[i].name = names[i];
		info[i].callback = callbacks[i];
	}
	return virtio_find_vqs(vdev, count, queues, info, NULL);
#endif
}

/* The lower 64 feature bits that a device offers; more came in 6.17. Process context. */
static inline u64 tmem_virtio_features(struct virtio_device *vdev)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
	return vdev->config->get_features(vdev);
#else
	u64 features[sizeof(vdev->features_array) / sizeof(u64)];

	virtio_get_features(vdev, features);
	return features[0];
#endif
}

/* Gives all buffers back. Process context. */
static inline void tmem_reset_virtio(struct virtio_device *vdev)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
	vdev->config->reset(vdev);
#else
	virtio_reset_device(vdev);
#endif
}

#ifdef CONFIG_CLEANCACHE
/* Until 5.16; one backend, whose registering is exported. */
#include <linux/cleancache.h>
#endif

#ifdef CONFIG_FRONTSWAP
#include <linux/frontswap.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
/* The kernel chains backends through the operations, and registering cannot fail. */
#define TMEM_FRONTSWAP_OPS_CONST

static inline int tmem_register_frontswap(tmem_lookup_t lookup, struct frontswap_ops *ops)
{
	frontswap_register_ops(ops);
	return 0;
}

/* Sets what is to be in force for every backend. */
static inline int tmem_frontswap_modes(bool writethrough, bool exclusive_gets)
{
	if (writethrough)
		frontswap_writethrough(true);
	if (exclusive_gets)
		frontswap_tmem_exclusive_gets(true);
	return 0;
}

static inline bool tmem_frontswap_can_shrink(void)
{
	return true;
}

/* Swap slots that a CPU frees at a time (mm/swap_slots.c). */
static inline unsigned int tmem_swap_slots_batch(void)
{
	return SWAP_BATCH;
}

/* Brings pages back into memory until @target are left with frontswap. May sleep. */
static inline void tmem_frontswap_shrink(unsigned long target)
{
	frontswap_shrink(target);
}

/* Pages that frontswap's backends hold. */
static inline unsigned long tmem_frontswap_held(void)
{
	return frontswap_curr_pages();
}

/* Of these, pages of one area. */
static inline unsigned long tmem_frontswap_held_of(struct swap_info_struct *info)
{
	return atomic_read(&info->frontswap_pages);
}
#else
#define TMEM_FRONTSWAP_LACKS_MODES
#define TMEM_FRONTSWAP_OPS_CONST const

/* One backend, no export. Process context. */
static inline int tmem_register_frontswap(tmem_lookup_t lookup, const struct frontswap_ops *ops)
{
	int (*register_ops)(const struct frontswap_ops *ops);
	int ret;

	register_ops = (void *)lookup("frontswap_register_ops");
	if (!register_ops) {
		pr_err("tmem: this kernel has no frontswap: CONFIG_FRONTSWAP?\n");
		return -ENOENT;
	}
	ret = register_ops(ops);
	if (ret)
		pr_err("tmem: frontswap has another backend: boot with %s\n",
		       "initcall_blacklist=init_zswap,zswap_init");
	return ret;
}
#endif

/* The fail-stop device: a disk of bios, which lies over another. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 16, 0)
#define TMEM_SUBMIT_BIO(name, body)		\
	static blk_qc_t name(struct bio *bio)	\
	{					\
		body(bio);			\
		return BLK_QC_T_NONE;		\
	}
#else
#define TMEM_SUBMIT_BIO(name, body)		\
	static void name(struct bio *bio)	\
	{					\
		body(bio);			\
	}
#endif

static inline struct gendisk *tmem_bio_disk(const struct bio *bio)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 12, 0)
	return bio->bi_disk;
#else
	return bio->bi_bdev->bd_disk;
#endif
}

static inline struct gendisk *tmem_alloc_bio_disk(void)
{
	struct gendisk *disk;
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 15, 0)
	disk = tmem_alloc_bare_disk();
	if (!disk)
		return NULL;
	disk->queue = blk_alloc_queue(NUMA_NO_NODE);
	if (disk->queue)
		return disk;
	put_disk(disk);
	return NULL;
#else
	disk = blk_alloc_disk(NUMA_NO_NODE);
	if (disk)
		disk->flags |= TMEM_NO_PARTITIONS;
	return disk;
#endif
}
#else
#define TMEM_FRONTSWAP_LACKS_MODES
#endif /* CONFIG_FRONTSWAP */

#ifdef TMEM_FRONTSWAP_LACKS_MODES
/* From 5.17 on frontswap only keeps pages. */
struct swap_info_struct;

static inline int tmem_frontswap_modes(bool writethrough, bool exclusive_gets)
{
	return writethrough || exclusive_gets ? -EOPNOTSUPP : 0;
}

static inline bool tmem_frontswap_can_shrink(void)
{
	return false;
}

static inline unsigned int tmem_swap_slots_batch(void)
{
	return 1;
}

static inline void tmem_frontswap_shrink(unsigned long target)
{
}

static inline unsigned long tmem_frontswap_held(void)
{
	return 0;
}

static inline unsigned long tmem_frontswap_held_of(struct swap_info_struct *info)
{
	return 0;
}
#endif

#if !defined(CONFIG_FRONTSWAP) && defined(CONFIG_ZSWAP)
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
#error "tmem: the zswap hook is for kernels from 6.9 on; 6.6 to 6.8 have no swap hook for us"
#endif

#ifndef CONFIG_DYNAMIC_FTRACE
#error "tmem: the kernel lacks CONFIG_DYNAMIC_FTRACE, through which zswap is hooked"
#endif

#include <linux/mm.h>
#include <linux/pagemap.h>

#include "tmem.h"

/* Without CONFIG_DYNAMIC_FTRACE_WITH_ARGS the instruction pointer is in the full registers only. */
#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
#define TMEM_FTRACE_FLAGS	0
#else
#define TMEM_FTRACE_FLAGS	FTRACE_OPS_FL_SAVE_REGS
#endif

/*
 * What zswap_load() tells: true for "do not read the disk"; a folio that is then not up to date is
 * an I/O error. From 6.15 on an errno, and the folio is unlocked by it unless it is -ENOENT.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
#define TMEM_ZSWAP_LOAD	bool

static inline bool tmem_zswap_loaded(struct folio *folio, enum tmem_load load)
{
	if (load == TMEM_LOAD_FILLED)
		folio_mark_uptodate(folio);
	return load != TMEM_LOAD_ABSENT;
}
#else
#define TMEM_ZSWAP_LOAD	int

static inline int tmem_zswap_loaded(struct folio *folio, enum tmem_load load)
{
	if (load == TMEM_LOAD_ABSENT)
		return -ENOENT;
	if (load == TMEM_LOAD_FILLED)
		folio_mark_uptodate(folio);
	folio_unlock(folio);
	return load == TMEM_LOAD_FILLED ? 0 : -EIO;
}
#endif
#endif /* !CONFIG_FRONTSWAP && CONFIG_ZSWAP */

#endif /* TMEM_COMPAT_H */
