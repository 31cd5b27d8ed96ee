/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's side of tmem: what its files share.
 *
 * Layers, each of which knows only the one beneath it: front ends (frontend_*.c) turn a kernel
 * hook into a tmem operation (tmem_op.c), which takes a credit (credit.c), posts on a queue
 * (queue.c) and rings over a transport (transport_*.c). PROTOCOL.md is the text that all of it
 * follows.
 *
 * There is one device, made at probe and never freed while the module lives: frontswap cannot
 * be unregistered, so a hook may come at any time.
 */
#ifndef TMEM_H
#define TMEM_H

#include <linux/atomic.h>
#include <linux/mm_types.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "tmem_abi.h"

#define TMEM_QUEUES_MAX		64
#define TMEM_QUEUE_ENTRIES_MIN	16
#define TMEM_QUEUE_ENTRIES_MAX	4096

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
	atomic64_t refused_other;	/* compound page, no pool, bad key, flush pending */
	atomic64_t gets;		/* gets that hit */
	atomic64_t untold_gets;		/* of those, direct ones that the host was not told of */
	atomic64_t lost;		/* gets of a page that we put and the host does not have */
	atomic64_t flushes;		/* flushes posted */
	atomic64_t flushes_deferred;	/* of those, first left to the worker: the queue was full */
	atomic64_t doorbells;		/* times that we rang the host */
	atomic64_t interrupts;		/* times that the host rang us */
	atomic64_t sleeps;		/* waits that did not end while spinning */
	atomic64_t host_errors;		/* words of the host's that no honest host would write */
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
	u32 tail;			/* descriptors posted; under lock */
	u32 entries;			/* power of two */
	u32 sleep_count;		/* last value of guest_sleep; under lock */
	u32 sleepers;			/* waiters that sleep; under lock */
	bool stalled;			/* a put timed out and the host has not answered since */
	wait_queue_head_t wait;		/* woken by the host's interrupt */
};

/* How a device wakes its host. */
struct tmem_transport {
	const char *name;			/* shown in debugfs */
	void (*ring)(void *transport);		/* any context */
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

	spinlock_t credit_lock;		/* covers the credit fields below; process context only */
	__le32 *credit_ring;		/* shared */
	u32 credit_entries;		/* power of two */
	u32 credit_head;		/* slots taken off the ring */
	u32 *hand;			/* stack of slots taken but not used */
	u32 hand_count;			/* slots on that stack */
	unsigned long *in_hand;		/* a bit a slot: promised to us and not yet put */
	unsigned long *held;		/* a bit a slot: holds a page of ours; atomic */
	void *slots;			/* shared: slot 0 */
	u32 slot_count;			/* slots of TMEM_PAGE_BYTES */

	u32 rung_for;			/* value of host_sleep for which we rang last */
	const struct tmem_transport *transport;	/* how to ring */
	void *transport_data;		/* its argument */
	struct tmem_counters counters;	/* for debugfs */
};

/* A key: pool, object, page within the object. */
struct tmem_key {
	s32 pool;			/* from tmem_new_pool() */
	u64 oid[3];			/* object id, least significant word first */
	u32 index;			/* page */
};

extern unsigned int tmem_spin_us;
extern unsigned int tmem_put_timeout_ms;
extern bool tmem_posted_puts;
extern bool tmem_direct_gets;

/* main.c */
struct tmem_device *tmem_the_device(void);
int tmem_device_publish(struct tmem_device *dev);

/* queue.c */
int tmem_queues_init(struct tmem_device *dev, void *first, u32 stride, u32 entries);
void tmem_queues_free(struct tmem_device *dev);
struct tmem_queue *tmem_queue_of(struct tmem_device *dev, const struct tmem_key *key);
int tmem_queue_post(struct tmem_device *dev, struct tmem_queue *queue,
		    const struct tmem_descriptor *descriptor, bool wait, u32 *sequence);
int tmem_queue_wait(struct tmem_device *dev, struct tmem_queue *queue, u32 sequence,
		    unsigned long timeout);
int tmem_queue_wait_room(struct tmem_device *dev, struct tmem_queue *queue, unsigned long timeout);
int tmem_queue_reap(struct tmem_device *dev, struct tmem_queue *queue, u32 sequence,
		    s32 *result, u32 *slot);
void tmem_queue_abandon(struct tmem_queue *queue, u32 sequence);
bool tmem_queue_is_stalled(struct tmem_queue *queue);
void tmem_queue_interrupt(struct tmem_device *dev, u32 number);

/* credit.c */
int tmem_credits_init(struct tmem_device *dev);
void tmem_credits_free(struct tmem_device *dev);
bool tmem_credit_take(struct tmem_device *dev, u32 *slot);
void tmem_credit_return(struct tmem_device *dev, u32 slot);
void tmem_credit_spend(struct tmem_device *dev, u32 slot);
void tmem_credit_hold(struct tmem_device *dev, u32 slot);
void tmem_credit_release(struct tmem_device *dev, u32 slot);
void *tmem_slot(struct tmem_device *dev, u32 slot);

/* tmem_op.c */
int tmem_new_pool(struct tmem_device *dev, u32 flags);
int tmem_destroy_pool(struct tmem_device *dev, s32 pool);
int tmem_put_page(struct tmem_device *dev, const struct tmem_key *key, struct page *page,
		  u32 *slot);
int tmem_get_page(struct tmem_device *dev, const struct tmem_key *key, struct page *page);
void tmem_get_direct(struct tmem_device *dev, const struct tmem_key *key, struct page *page,
		     u32 slot);
int tmem_flush_page(struct tmem_device *dev, const struct tmem_key *key);
bool tmem_accepts_puts(struct tmem_device *dev);

/* transport_ivshmem.c */
int tmem_ivshmem_init(void);
void tmem_ivshmem_exit(void);

/* frontend_frontswap.c */
int tmem_frontswap_init(void);

/* histogram.c */
void tmem_histogram_add(enum tmem_latency which, u64 ns);
struct seq_file;
void tmem_histogram_show(struct seq_file *file, enum tmem_latency which);

/* debugfs.c */
void tmem_debugfs_init(void);
void tmem_debugfs_exit(void);

#endif /* TMEM_H */
