/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's side of tmem: what its files share.
 *
 * Layers, each of which knows only the one beneath it: front ends (frontend_*.c) turn a kernel
 * hook into a tmem operation (tmem_op.c; those that keep a range of pages by way of area.c), which
 * takes a credit (credit.c), posts on a queue (queue.c) and rings over a transport (transport_*.c).
 * PROTOCOL.md is the text that all of it follows.
 *
 * There is one device at most. It may go under front ends that are on, and another may come; who
 * uses it holds a reference (device.c). frontswap cannot be unregistered, so with it a hook may
 * come at any time.
 */
#ifndef TMEM_H
#define TMEM_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/jiffies.h>
#include <linux/mm_types.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "tmem_abi.h"

#define TMEM_QUEUES_MAX		64
#define TMEM_QUEUE_ENTRIES_MIN	16
#define TMEM_QUEUE_ENTRIES_MAX	4096
/* As many pools as a guest may have, and slots as 4 GiB of memory. */
#define TMEM_POOLS_MAX		64
#define TMEM_SLOTS_MAX		BIT(20)

/* What kind of wait a latency was measured over. */
enum tmem_latency {
	TMEM_LATENCY_PUT,
	TMEM_LATENCY_GET,
	TMEM_LATENCIES,
};

/* Counters that debugfs shows. Per-CPU sums would be cheaper; these are far from hot. */
struct tmem_counters {
	atomic64_t puts;		/* puts that the host took */
	atomic64_t refused_credit;	/* puts refused here: no credit, or the host said refuse */
	atomic64_t refused_host;	/* puts that the host refused */
	atomic64_t refused_huge;	/* of a huge page that came whole or was undone */
	atomic64_t refused_off;		/* puts to an area that is off or got no pool */
	atomic64_t refused_pending;	/* puts where a flush is still to be posted */
	atomic64_t refused_other;	/* puts to an offset that no key has */
	atomic64_t written_through;	/* of puts: pages that are written below too */
	atomic64_t gets;		/* gets that hit */
	atomic64_t untold_gets;		/* of those, direct ones that the host was not told of */
	atomic64_t failed_over;		/* loads left to the disk, which has the page too */
	atomic64_t lost;		/* loads of a page that we put and could not get */
	atomic64_t gets_mismatched;	/* gets that hit with bytes other than those put */
	atomic64_t flushes;		/* flushes posted */
	atomic64_t flushes_deferred;	/* of those, first left to the worker: the queue was full */
	atomic64_t ephemeral_puts;	/* puts posted to ephemeral pools */
	atomic64_t ephemeral_refused;	/* pages that were not put there */
	atomic64_t ephemeral_gets;	/* gets from there that hit */
	atomic64_t ephemeral_misses;	/* gets that the host has answered with a miss */
	atomic64_t ephemeral_unasked;	/* gets that missed without a word to the host */
	atomic64_t ephemeral_flushes;	/* flushes of pages there */
	atomic64_t ephemeral_object_flushes;	/* flushes of whole objects there */
	atomic64_t voided;		/* pools dropped: a flush found no room */
	atomic64_t doorbells;		/* times that we rang the host */
	atomic64_t interrupts;		/* times that the host rang us */
	atomic64_t sleeps;		/* waits that did not end while spinning */
	atomic64_t host_errors;		/* words of the host's that no honest host would write */
	atomic64_t unserved;		/* copies of pages not used: the host serves another life */
	atomic64_t disk_reads;		/* pages read through a fail-stop device */
	atomic64_t disk_reads_refused;	/* reads of it of a page that was never written there */
};

/*
 * One queue. Its key's hash picks it, so one key's operations never leave it.
 */
struct tmem_queue {
	spinlock_t lock;		/* irq-safe: invalidates come with interrupts off */
	struct tmem_queue_control *control;	/* shared */
	struct tmem_descriptor *descriptors;	/* shared */
	struct tmem_reply *replies;	/* shared */
	unsigned long *busy;		/* places whose reply is yet to be read; under lock */
	unsigned long *orphans;		/* of these, those of gets that were given up; under lock */
	u32 orphan_count;		/* of them; changes under lock */
	void **into;			/* by place: where a get's page goes, staged; under lock */
	u32 tail;			/* descriptors posted; under lock */
	u32 entries;			/* power of two */
	u32 sleep_count;		/* last value of guest_sleep; under lock */
	u32 sleepers;			/* waiters that sleep; under lock */
	bool stalled;			/* a put timed out and the host has not answered since */
	wait_queue_head_t wait;		/* woken by the host's interrupt */
	struct rw_semaphore raw_gets;	/* read by a program's get until it has copied its page */
};

/* A way to a host. */
struct tmem_transport {
	const char *name;			/* as in the module parameter transport */
	int (*init)(void);			/* may sleep; publishes a device if it finds one */
	void (*exit)(void);			/* may sleep; takes the device back */
	void (*ring)(void *transport);		/* wakes the host; any context */
	/*
	 * Slots only carry pages over: each is ours again once its put is answered, and the page
	 * of a get is copied to whoever waits before the answer is there.
	 */
	bool staged;
	bool sleeps;			/* what the host holds outlives suspend to memory */
};

/* The one tmem device of this guest. */
struct tmem_device {
	struct tmem_header *header;	/* shared: page 0 of the region */
	size_t region_bytes;		/* size of the mapping */
	struct tmem_queue *queues;	/* queue_count of them */
	u32 queue_count;		/* power of two */
	u32 guest_epoch;		/* this module's life */
	u32 host_epoch;			/* the host's life when we attached */
	u32 features;			/* negotiated feature bits */

	spinlock_t credit_lock;		/* covers the credit fields below; irq-safe */
	__le32 *credit_ring;		/* shared */
	u32 credit_entries;		/* power of two */
	u32 credit_head;		/* slots taken off the ring */
	u32 *hand;			/* stack of slots taken but not used */
	u32 hand_count;			/* slots on that stack */
	unsigned long *in_hand;		/* a bit a slot: promised to us and not yet put */
	unsigned long *held;		/* a bit a slot: holds a page of ours; atomic */
	bool credits_due;		/* staged: answers on their way will bring some */
	wait_queue_head_t credit_wait;	/* staged: woken when some have come */
	void *slots;			/* shared: slot 0 */
	u32 slot_count;			/* slots of TMEM_PAGE_BYTES */
	u32 host_pages;			/* pages that the host has room for */

	bool gone;			/* no more waits: its users are to let go of it */
	bool silent;			/* a load got no answer in time, nor was there one since */
	u32 rung_for;			/* value of host_sleep for which we rang last */
	const struct tmem_transport *transport;	/* how to ring */
	void *transport_data;		/* its argument */
	struct tmem_counters counters;	/* for debugfs */
};

/* A way for the kernel's pages to reach us. */
struct tmem_front_end {
	const char *name;		/* as in the module parameter front_end */
	int (*init)(void);		/* may sleep; 0 or a negative errno, said in the log */
	void (*exit)(void);		/* may sleep; NULL: cannot be taken back */
};

/* What became of a load. */
enum tmem_load {
	TMEM_LOAD_ABSENT,	/* not here: read the disk */
	TMEM_LOAD_FILLED,	/* the page has its bytes */
	TMEM_LOAD_FAILED,	/* here, but not to be had: the fault must fail */
};

/* A key: pool, object, page within the object. */
struct tmem_key {
	s32 pool;			/* from tmem_new_pool() */
	u64 oid[3];			/* object id, least significant word first */
	u32 index;			/* page */
};

/* Jiffies until @end; 0 once it has passed. */
static inline unsigned long tmem_left(unsigned long end)
{
	long left = end - jiffies;

	return left > 0 ? left : 0;
}

extern unsigned int tmem_spin_us;
extern unsigned int tmem_put_timeout_ms;
extern unsigned int tmem_get_timeout_ms;
extern bool tmem_posted_puts;
extern bool tmem_direct_gets;
extern bool tmem_check_pages;

/*
 * device.c. Nobody looks at the device but between get and put, or before it was published.
 */
/* Nothing may be put: the memory of this kernel is about to be written to a disk. */
extern bool tmem_image;
int tmem_device_init(void);
void tmem_device_exit(void);
struct tmem_device *tmem_device_get(void);
void tmem_device_put(struct tmem_device *dev);
bool tmem_device_exists(void);
int tmem_device_publish(struct tmem_device *dev);
void tmem_device_end(struct tmem_device *dev, bool quietly);
int tmem_device_freeze(struct tmem_device *dev);
unsigned int tmem_device_ends(void);
struct tmem_counters *tmem_counters_of(struct tmem_device *dev);
s64 tmem_counter_sum(struct tmem_device *dev, const atomic64_t *at);

/* main.c */
/* The module goes, or came to nothing. */
extern bool tmem_unloading;

/* queue.c */
int tmem_queues_init(struct tmem_device *dev, void *first, u32 stride, u32 entries);
void tmem_queues_free(struct tmem_device *dev);
struct tmem_queue *tmem_queue_of(struct tmem_device *dev, const struct tmem_key *key);
int tmem_queue_post(struct tmem_device *dev, struct tmem_queue *queue,
		    const struct tmem_descriptor *descriptor, bool wait, u32 *sequence);
int tmem_queue_post_get(struct tmem_device *dev, struct tmem_queue *queue,
			const struct tmem_descriptor *descriptor, void *into, u32 *sequence);
int tmem_queue_post_by(struct tmem_device *dev, struct tmem_queue *queue,
		       const struct tmem_descriptor *descriptor, bool wait, void *into,
		       unsigned long end, u32 *sequence);
void tmem_queue_deliver(struct tmem_queue *queue, const struct tmem_reply *reply, const void *page);
int tmem_queue_wait(struct tmem_device *dev, struct tmem_queue *queue, u32 sequence,
		    unsigned long timeout);
int tmem_queue_wait_room(struct tmem_device *dev, struct tmem_queue *queue, unsigned long timeout);
int tmem_queue_reap(struct tmem_device *dev, struct tmem_queue *queue, u32 sequence,
		    s32 *result, u32 *slot);
void tmem_queue_abandon(struct tmem_queue *queue, u32 sequence);
void tmem_queue_orphan(struct tmem_device *dev, struct tmem_queue *queue, u32 sequence);
bool tmem_queues_collect(struct tmem_device *dev);
bool tmem_queue_is_stalled(struct tmem_queue *queue);
bool tmem_queues_answered(struct tmem_device *dev);
void tmem_queue_interrupt(struct tmem_device *dev, u32 number);
void tmem_queues_wake(struct tmem_device *dev);

/* credit.c */
int tmem_credits_init(struct tmem_device *dev);
void tmem_credits_free(struct tmem_device *dev);
bool tmem_credit_take(struct tmem_device *dev, u32 *slot);
bool tmem_credits_suffice(struct tmem_device *dev, u32 count);
bool tmem_credit_wait(struct tmem_device *dev, u32 *slot, unsigned long timeout);
bool tmem_credit_claim(struct tmem_device *dev, u32 slot);
void tmem_credit_return(struct tmem_device *dev, u32 slot);
void tmem_credit_spend(struct tmem_device *dev, u32 slot);
void tmem_credit_hold(struct tmem_device *dev, u32 slot);
void tmem_credit_release(struct tmem_device *dev, u32 slot);
void *tmem_slot(struct tmem_device *dev, u32 slot);

/* tmem_op.c */
void tmem_describe(struct tmem_descriptor *descriptor, u32 command, const struct tmem_key *key);
int tmem_take_page(struct tmem_device *dev, struct page *page, u32 slot, u32 *check);
int tmem_new_pool(struct tmem_device *dev, u32 flags);
int tmem_destroy_pool(struct tmem_device *dev, s32 pool);
int tmem_put_page(struct tmem_device *dev, const struct tmem_key *key, struct page *page,
		  u32 *slot, u32 *check);
int tmem_get_page(struct tmem_device *dev, const struct tmem_key *key, struct page *page,
		  unsigned long timeout, u32 *check);
int tmem_get_direct(struct tmem_device *dev, const struct tmem_key *key, struct page *page,
		    u32 slot, u32 *check);
int tmem_flush_page(struct tmem_device *dev, const struct tmem_key *key);
bool tmem_is_served(struct tmem_device *dev);
bool tmem_accepts_puts(struct tmem_device *dev);
int tmem_call_raw(struct tmem_device *dev, u32 command, const struct tmem_key *key, u32 flags,
		  struct page *page);

/* check.c */
u32 tmem_check_of(const void *page);
void tmem_copy_page(void *to, const void *from, u32 *check);

/* ephemeral.c */
struct tmem_queue *tmem_ephemeral_queue(struct tmem_device *dev, const struct tmem_key *key);
bool tmem_ephemeral_fill(struct tmem_device *dev, struct page *page, u32 *slot);
int tmem_ephemeral_put(struct tmem_device *dev, const struct tmem_key *key, u32 slot);
int tmem_ephemeral_flush(struct tmem_device *dev, const struct tmem_key *key, bool object);
int tmem_ephemeral_ask(struct tmem_device *dev, const struct tmem_key *key, struct page *page,
		       u32 *sequence);
int tmem_ephemeral_answer(struct tmem_device *dev, struct tmem_queue *queue, u32 sequence,
			  struct page *page);

/* pending.c: callers hold a lock, interrupts off, but for init and exit */
int tmem_pending_init(void);
void tmem_pending_exit(void);
bool tmem_pending_has(const struct tmem_key *key, bool object);
bool tmem_pending_add(const struct tmem_key *key, bool object);
int tmem_pending_post(struct tmem_device *dev);
void tmem_pending_drop_pool(s32 pool);

/* present.c */
u8 *tmem_present_alloc(void);
void tmem_present_clear(u8 *present);
bool tmem_present_maybe(u8 *present, const struct tmem_key *key, bool object);
void tmem_present_add(u8 *present, const struct tmem_key *key);
void tmem_present_remove(u8 *present, const struct tmem_key *key);

/* region.c */
struct device;
int tmem_region_check(struct device *parent, struct tmem_header *header, size_t bytes);
int tmem_region_lay_out(struct tmem_device *dev);

/* transport_*.c */
extern const struct tmem_transport tmem_ivshmem;
extern const struct tmem_transport tmem_serial;

/*
 * area.c: areas are numbered by swap type; the block front end's disks come after those.
 */
#define TMEM_BLOCKS_MAX		4
#define TMEM_AREA_BLOCK		32
#define TMEM_AREAS		(TMEM_AREA_BLOCK + TMEM_BLOCKS_MAX)
#define TMEM_SECTORS_PER_PAGE	(PAGE_SIZE >> SECTOR_SHIFT)

int tmem_areas_init(void);
void tmem_areas_exit(void);
void tmem_areas_begin(struct tmem_device *dev);
unsigned long tmem_areas_end(void);
unsigned long tmem_areas_held(void);
void tmem_area_on(unsigned int number, unsigned long slots);
void tmem_area_off(unsigned int number);
bool tmem_area_is_on(unsigned int number);
bool tmem_area_has_pool(s32 pool);
int tmem_area_store(unsigned int number, pgoff_t offset, struct page *page);
enum tmem_load tmem_area_load(unsigned int number, pgoff_t offset, struct page *page,
			      bool may_fail);
enum tmem_load tmem_area_try_load(unsigned int number, pgoff_t offset, struct page *page);
void tmem_area_forget(unsigned int number, pgoff_t offset);

/* failstop.c: only with frontswap */
struct swap_info_struct;
int tmem_failstop_init(void);
void tmem_failstop_exit(void);
bool tmem_failstop_covers(const struct swap_info_struct *info);
void tmem_failstop_unwrite(const struct swap_info_struct *info, pgoff_t offset);

/* frontswap_modes.c */
extern bool tmem_writethrough;
extern bool tmem_exclusive_gets;
extern struct swap_info_struct **tmem_swap_info;
void tmem_modes_set(void);
int tmem_modes_check(bool frontswap);
int tmem_shrink(u64 target);

/* frontend_*.c: Kbuild takes those that the kernel has a hook for. */
extern const struct tmem_front_end tmem_frontswap_front_end;
extern const struct tmem_front_end tmem_zswap_front_end;
extern const struct tmem_front_end tmem_block_front_end;
extern const struct tmem_front_end tmem_cleancache_front_end;

#ifdef CONFIG_CLEANCACHE
void tmem_cleancache_begin(void);
void tmem_cleancache_end(void);
bool tmem_cleancache_has_pool(s32 pool);
#else
static inline void tmem_cleancache_begin(void)
{
}

static inline void tmem_cleancache_end(void)
{
}

static inline bool tmem_cleancache_has_pool(s32 pool)
{
	return false;
}
#endif

/* hypercall.c */
int tmem_hypercall_init(void);
void tmem_hypercall_exit(void);
void tmem_hypercall_end(void);
unsigned int tmem_hypercall_held(void);

/* histogram.c */
int tmem_histograms_init(void);
void tmem_histograms_exit(void);
void tmem_histogram_add(enum tmem_latency which, u64 ns);
struct seq_file;
void tmem_histogram_show(struct seq_file *file, enum tmem_latency which);

/* debugfs.c */
void tmem_debugfs_init(void);
void tmem_debugfs_exit(void);

#endif /* TMEM_H */
