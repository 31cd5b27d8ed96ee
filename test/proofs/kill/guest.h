/* SPDX-License-Identifier: MIT */
/*
 * The guest's side of PROTOCOL.md as a process: what guest-kmod does, with threads for CPUs and
 * eventfds for interrupts.
 *
 * Each word of the host's is read once into a local, and the local checked; what no correct host
 * writes is counted in host_errors. Every wait is bounded.
 */
#ifndef TMEM_KILL_GUEST_H
#define TMEM_KILL_GUEST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tmem_abi.h"

#define GUEST_QUEUES_MAX	64
#define NSEC_PER_MSEC		1000000ull
#define NSEC_PER_SEC		1000000000ull

struct guest_queue {
	pthread_mutex_t lock;			/* the tail, places and the sleep word */
	pthread_cond_t woken;			/* the host rang */
	struct tmem_queue_control *control;	/* shared */
	struct tmem_descriptor *descriptors;	/* shared */
	struct tmem_reply *replies;		/* shared */
	uint32_t entries;			/* power of two */
	uint32_t tail;				/* posted so far */
	uint32_t sleep_count;			/* published as guest_sleep */
	uint32_t sleepers;			/* threads that wait here */
	unsigned char *busy;			/* by place: its reply is still to be read */
	int vector;				/* eventfd that the host rings */
};

struct guest {
	struct tmem_header *header;		/* the region's start */
	size_t bytes;				/* of the region */
	int doorbell;				/* eventfd that wakes the host */
	uint32_t epoch;				/* of this life */
	uint32_t host_epoch;			/* of the host's life */
	uint32_t features;			/* FEATURE_* in use */
	uint32_t rung_for;			/* sleep word of the host for which we rang last */
	uint32_t queue_count;			/* power of two */
	struct guest_queue queues[GUEST_QUEUES_MAX];	/* queue_count of them */

	pthread_mutex_t credit_lock;		/* what follows, up to host_errors */
	uint32_t *ring;				/* shared: slots that the host grants */
	uint32_t ring_entries;			/* power of two */
	uint32_t credit_head;			/* taken off the ring so far */
	void *slots;				/* shared: pages */
	uint32_t slot_count;			/* of them */
	uint32_t *hand;				/* slots that are ours */
	uint32_t hand_count;			/* of them */
	unsigned char *in_hand;			/* by slot: it is ours */
	unsigned char *held;			/* by slot: a page of ours that was not dropped */

	uint64_t host_errors;			/* words that no correct host writes */
	uint64_t doorbells;			/* rung */
	/* Hears of each wait that took long. */
	void (*on_wait)(uint64_t begin_ns, uint64_t end_ns);
};

uint64_t now_ns(void);

/* Maps the region and checks its header. Returns 0 or -errno, said on stderr. */
int guest_open(struct guest *guest, int region, size_t bytes, int doorbell, const int *vectors,
	       unsigned int vector_count);

/* Begins a life and waits until the host serves it. Returns 0 or -ETIMEDOUT. */
int guest_attach(struct guest *guest, uint32_t features);

/* Whether the host serves and has not said refuse. */
bool guest_accepts_puts(struct guest *guest);

/* Whether the host answers no more, since it takes us for one that broke a rule. */
bool guest_is_cut_off(struct guest *guest);

/*
 * Posts a descriptor; with @sequence its place is kept until guest_reap(). Waits for room up to
 * @ns_max. Returns 0, or -ETIMEDOUT, also when we are cut off.
 */
int guest_post(struct guest *guest, struct guest_queue *queue,
	       const struct tmem_descriptor *descriptor, uint32_t *sequence, uint64_t ns_max);

/* Waits for the answer to @sequence. Returns 0, -ETIMEDOUT or -EIO. */
int guest_reap(struct guest *guest, struct guest_queue *queue, uint32_t sequence,
	       uint64_t ns_max, int32_t *result, uint32_t *slot);

/* Waits until the host has answered all that was posted. Returns 0 or -ETIMEDOUT. */
int guest_drain(struct guest *guest, uint64_t ns_max);

void *guest_slot(struct guest *guest, uint32_t slot);
bool guest_credit_take(struct guest *guest, uint32_t *slot);
/* A slot that is ours and was not put. */
void guest_credit_return(struct guest *guest, uint32_t slot);
/* A slot that an answer gives us; false when it cannot be. */
bool guest_credit_claim(struct guest *guest, uint32_t slot);
/* The slot is the host's again: before the put is posted. */
void guest_credit_spend(struct guest *guest, uint32_t slot);
/* The slot holds a page of ours, or does so no more: before its end is posted. */
void guest_credit_hold(struct guest *guest, uint32_t slot, bool holds);

/* An interrupt handler for ever: wakes the waiters of each queue that the host rings. */
void *guest_interrupts(void *guest);

#endif /* TMEM_KILL_GUEST_H */
