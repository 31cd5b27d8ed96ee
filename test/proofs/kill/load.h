/* SPDX-License-Identifier: MIT */
/*
 * The load: threads that put, get and flush keys of which they know what each must hold.
 *
 * Most keys are one thread's own, which checks each answer against its own table. Shared ones are
 * used by all threads at once: what happened to them goes to the log, to be judged afterwards.
 */
#ifndef TMEM_KILL_LOAD_H
#define TMEM_KILL_LOAD_H

#include "guest.h"

/* Pages of an object; all go to one queue, so that the object can be flushed in order with puts. */
#define OBJECT_PAGES		16
/* The first objects are shared, and every eighth is in the ephemeral pool. */
#define SHARED_OBJECTS		4
#define EPHEMERAL_EVERY		8

#define THREADS_MAX		64
/* For any answer. */
#define WAIT_NS_MAX		(30 * NSEC_PER_SEC)

/* What a record tells. */
enum record_kind { RECORD_PUT, RECORD_GET, RECORD_FLUSH, RECORD_WAIT };

/* Of a thread, before it writes them. */
#define RECORDS_MAX		1024

#define RESULT_UNKNOWN		0xffffffffu

/* One operation of a shared key, or a wait that took long. As the proof reads it: 32 bytes. */
struct record {
	uint64_t begin_ns;	/* CLOCK_MONOTONIC */
	uint64_t end_ns;	/* likewise */
	uint32_t kind;		/* RECORD_* */
	uint32_t key;		/* of an operation */
	uint32_t value;		/* of a put: its version */
	/* put: 1 kept, 0 not; get: the version, 0 for none; RESULT_UNKNOWN without an answer */
	uint32_t result;
};

/* What a thread counts; in the report by the names in client.c. */
enum count {
	COUNT_PUTS,
	COUNT_REFUSED_WHILE_DOWN,
	COUNT_REFUSED_WITHOUT_CREDIT,
	COUNT_REFUSED_BY_HOST,
	COUNT_GETS,
	COUNT_DIRECT_GETS,
	COUNT_FLUSHES,
	COUNT_OBJECT_FLUSHES,
	COUNT_POOLS,
	COUNT_VERIFIED,
	COUNT_EPHEMERAL_MISSES,
	COUNT_LOST,
	COUNT_STALE,
	COUNT_TORN,
	COUNT_FOREIGN,
	COUNT_WRONG_RESULTS,
	COUNT_TIMEOUTS,
	COUNTS
};

struct key {
	uint32_t number;	/* its place among all */
	uint32_t versions;	/* put so far, kept or not */
	uint32_t kept;		/* version that the host must have; 0: none. Not of shared keys */
	uint32_t slot;		/* where it was put, if kept in the persistent pool */
	/*
	 * Of shared keys. Read: a get, from its post until the page is copied; written: the post of
	 * what drops or replaces the page (PROTOCOL.md section 5).
	 */
	pthread_rwlock_t lock;
};

struct load {
	struct guest *guest;	/* attached */
	uint32_t threads;	/* that share the keys */
	uint32_t key_count;	/* a multiple of OBJECT_PAGES */
	struct key *keys;	/* by number */
	int32_t pools[2];	/* persistent, ephemeral */
	int log;		/* descriptor to which records go */
	bool stop;		/* the threads end */
	pthread_mutex_t pool_lock;	/* held by who makes and destroys a pool */
};

struct worker {
	struct load *load;	/* common to all */
	uint32_t number;	/* from 0 */
	uint64_t random;	/* state of its generator */
	uint64_t counts[COUNTS];	/* of this thread alone */
	struct record records[RECORDS_MAX];	/* not written yet */
	uint32_t record_count;	/* of them */
	uint64_t page[TMEM_PAGE_BYTES / sizeof(uint64_t)];	/* copied to */
};

/* Makes pools and keys. Returns 0 or -errno. */
int load_begin(struct load *load, struct worker *worker);

/* A thread's start: works until the load stops. */
void *load_run(void *worker);

/* Reads all keys back, then flushes them. The threads have ended. */
void load_end(struct load *load, struct worker *worker);

/* --- A thread by itself: worker.c ------------------------------------------------------------- */

/* The calling thread acts as @worker from now on. */
void worker_act_as(struct worker *worker);
/* From 0 to @limit - 1. */
uint32_t worker_below(struct worker *worker, uint32_t limit);
bool worker_one_in(struct worker *worker, uint32_t of);
void worker_note(struct worker *worker, struct record record);
/* As guest.on_wait. */
void worker_note_wait(uint64_t begin_ns, uint64_t end_ns);
/* Writes what is left of the records. */
void worker_flush_records(struct worker *worker);

/* --- Any key: key.c --------------------------------------------------------------------------- */

bool key_is_shared(uint32_t number);
bool key_is_ephemeral(uint32_t number);
struct guest_queue *key_queue_of(struct worker *worker, const struct key *key);
struct tmem_descriptor key_describe(struct worker *worker, uint32_t command,
				    const struct key *key);
/* Posts and waits. Returns the host's result, or -ETIMEDOUT. */
int32_t key_call(struct worker *worker, struct guest_queue *queue,
		 const struct tmem_descriptor *descriptor, uint32_t *slot);
/* Posts, and waits only where @answered. Returns 1 or what key_call() does. */
int32_t key_tell(struct worker *worker, const struct tmem_descriptor *descriptor,
		 const struct key *key, bool answered);
void key_expect(struct worker *worker, bool right);
/* Takes a slot and fills it; false where the host takes no puts. */
bool key_prepare(struct worker *worker, const struct key *key, uint32_t version, uint32_t *slot);
/* Copies the page from the slot that an answer names; false when that cannot be. */
bool key_take_page(struct worker *worker, uint32_t slot);
/* Checks the worker's page, which came back as @key's. @wanted: its version; 0 for no page. */
void key_verify(struct worker *worker, const struct key *key, uint32_t wanted);

/* --- Keys of one thread: own.c ---------------------------------------------------------------- */

void own_put(struct worker *worker, struct key *key);
void own_get(struct worker *worker, struct key *key);
void own_flush(struct worker *worker, struct key *key, bool answered);
/* Flushes all pages of the key's object. */
void own_flush_object(struct worker *worker, struct key *key);

/* --- Keys of all threads: shared.c ------------------------------------------------------------ */

void shared_put(struct worker *worker, struct key *key);
void shared_get(struct worker *worker, struct key *key);
void shared_flush(struct worker *worker, struct key *key);

#endif /* TMEM_KILL_LOAD_H */
