// SPDX-License-Identifier: MIT
/*
 * Queues, sleeping, doorbells and credits, in the order of guest-kmod's queue.c and credit.c.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

/* A sleeper looks by itself this often, as guest-kmod does. */
#define SLEEP_SLICE_NS		(100 * NSEC_PER_MSEC)
#define SPINS			2000
#define ATTACH_NS_MAX		(5 * NSEC_PER_SEC)
/* A wait that is worth telling. */
#define LONG_WAIT_NS		(1 * NSEC_PER_MSEC)

#define READ_WORD(word)		__atomic_load_n(&(word), __ATOMIC_RELAXED)
#define READ_ACQUIRE(word)	__atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define WRITE_WORD(word, value)	__atomic_store_n(&(word), value, __ATOMIC_RELAXED)
#define WRITE_RELEASE(word, value)	__atomic_store_n(&(word), value, __ATOMIC_RELEASE)
#define FULL_BARRIER()		__atomic_thread_fence(__ATOMIC_SEQ_CST)

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

static void count_host_error(struct guest *guest)
{
	__atomic_add_fetch(&guest->host_errors, 1, __ATOMIC_RELAXED);
}

/* --- The region ------------------------------------------------------------------------------- */

static int lay_out(struct guest *guest, const int *vectors, unsigned int vector_count)
{
	struct tmem_header *header = guest->header;
	uint32_t entries = READ_WORD(header->queue_entries);
	uint32_t stride = READ_WORD(header->queue_stride);
	unsigned char *base = (void *)header;
	pthread_condattr_t attributes;
	uint32_t i;

	guest->queue_count = READ_WORD(header->queue_count);
	guest->slot_count = READ_WORD(header->slot_count);
	guest->ring_entries = READ_WORD(header->credit_entries);
	guest->ring = (void *)(base + READ_WORD(header->credit_offset));
	guest->slots = base + (size_t)READ_WORD(header->slot_page) * TMEM_PAGE_BYTES;
	if (guest->queue_count != vector_count || vector_count > GUEST_QUEUES_MAX)
		return -EINVAL;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	for (i = 0; i < guest->queue_count; i++) {
		struct guest_queue *queue = &guest->queues[i];
		unsigned char *start = base + READ_WORD(header->queue_offset) + (size_t)i * stride;

		pthread_mutex_init(&queue->lock, NULL);
		pthread_cond_init(&queue->woken, &attributes);
		queue->control = (void *)start;
		queue->descriptors = (void *)(start + sizeof(*queue->control));
		queue->replies = (void *)(queue->descriptors + entries);
		queue->entries = entries;
		queue->busy = calloc(entries, 1);
		queue->vector = vectors[i];
	}
	pthread_mutex_init(&guest->credit_lock, NULL);
	guest->hand = calloc(guest->slot_count, sizeof(*guest->hand));
	guest->in_hand = calloc(guest->slot_count, 1);
	guest->held = calloc(guest->slot_count, 1);
	return guest->hand && guest->in_hand && guest->held ? 0 : -ENOMEM;
}

int guest_open(struct guest *guest, int region, size_t bytes, int doorbell, const int *vectors,
	       unsigned int vector_count)
{
	struct tmem_header *header;

	header = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, region, 0);
	if (header == MAP_FAILED) {
		perror("the region cannot be mapped");
		return -errno;
	}
	guest->header = header;
	guest->bytes = bytes;
	guest->doorbell = doorbell;
	if (READ_ACQUIRE(header->magic_lo) != TMEM_MAGIC_LO ||
	    READ_WORD(header->magic_hi) != TMEM_MAGIC_HI ||
	    READ_WORD(header->version) != TMEM_PROTOCOL_VERSION) {
		fprintf(stderr, "the region has no header of this version\n");
		return -EPROTO;
	}
	return lay_out(guest, vectors, vector_count);
}

static void ring_host(struct guest *guest)
{
	uint64_t one = 1;

	if (write(guest->doorbell, &one, sizeof(one)) < 0 && errno != EAGAIN)
		perror("the doorbell cannot be rung");
	__atomic_add_fetch(&guest->doorbells, 1, __ATOMIC_RELAXED);
}

int guest_attach(struct guest *guest, uint32_t features)
{
	struct tmem_header *header = guest->header;
	uint64_t end = now_ns() + ATTACH_NS_MAX;

	guest->epoch = ((now_ns() ^ (uint64_t)getpid() << 16) & 0x7fffffff) | 1;
	guest->host_epoch = READ_WORD(header->host_epoch);
	guest->features = features & READ_WORD(header->features);
	WRITE_WORD(header->guest_version, TMEM_PROTOCOL_VERSION);
	WRITE_WORD(header->guest_features, guest->features);
	WRITE_WORD(header->guest_peer, 1);
	WRITE_WORD(header->guest_epoch, guest->epoch);
	WRITE_RELEASE(header->guest_state, TMEM_GUEST_ATTACHED);
	ring_host(guest);
	while (READ_ACQUIRE(header->session_epoch) != guest->epoch) {
		if (now_ns() > end)
			return -ETIMEDOUT;
		usleep(1000);
	}
	return 0;
}

bool guest_accepts_puts(struct guest *guest)
{
	return READ_WORD(guest->header->host_state) == TMEM_HOST_READY &&
	       !READ_WORD(guest->header->refuse) &&
	       READ_WORD(guest->header->host_epoch) == guest->host_epoch;
}

bool guest_is_cut_off(struct guest *guest)
{
	return READ_WORD(guest->header->host_state) == TMEM_HOST_FAULTED;
}

/* --- Queues ----------------------------------------------------------------------------------- */

static bool answered(struct guest_queue *queue, uint32_t sequence)
{
	return (int32_t)(READ_ACQUIRE(queue->control->head) - sequence) > 0;
}

static void kick(struct guest *guest)
{
	uint32_t sleep;
	uint32_t rung;

	/* Our tail before their sleep word. */
	FULL_BARRIER();
	sleep = READ_WORD(guest->header->host_sleep);
	rung = READ_WORD(guest->rung_for);
	if (!(sleep & 1) || rung == sleep)
		return;
	if (__atomic_compare_exchange_n(&guest->rung_for, &rung, sleep, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		ring_host(guest);
}

/* Publishes a new odd sleep word. Under the queue's lock. */
static void arm(struct guest_queue *queue)
{
	queue->sleep_count = (queue->sleep_count + 2) | 1;
	WRITE_WORD(queue->control->guest_sleep, queue->sleep_count);
	/* Our sleep word before the last look at their head. */
	FULL_BARRIER();
}

static struct timespec in_ns(uint64_t ns)
{
	uint64_t at = now_ns() + ns;
	struct timespec time = { at / NSEC_PER_SEC, at % NSEC_PER_SEC };

	return time;
}

static int sleep_until_answered(struct guest *guest, struct guest_queue *queue, uint32_t sequence,
				uint64_t end)
{
	struct timespec slice;
	int ret = 0;

	pthread_mutex_lock(&queue->lock);
	queue->sleepers++;
	for (;;) {
		arm(queue);
		if (answered(queue, sequence))
			break;
		if (now_ns() > end || guest_is_cut_off(guest)) {
			ret = -ETIMEDOUT;
			break;
		}
		/* The host may have gone to sleep between our post and our arming. */
		kick(guest);
		slice = in_ns(SLEEP_SLICE_NS);
		pthread_cond_timedwait(&queue->woken, &queue->lock, &slice);
	}
	if (!--queue->sleepers) {
		queue->sleep_count = (queue->sleep_count + 1) & ~1u;
		WRITE_WORD(queue->control->guest_sleep, queue->sleep_count);
	}
	pthread_mutex_unlock(&queue->lock);
	return ret;
}

static int wait_answer(struct guest *guest, struct guest_queue *queue, uint32_t sequence,
		       uint64_t ns_max)
{
	uint64_t begin;
	uint64_t end;
	int spins;
	int ret;

	for (spins = 0; spins < SPINS; spins++)
		if (answered(queue, sequence))
			return 0;
	begin = now_ns();
	ret = sleep_until_answered(guest, queue, sequence, begin + ns_max);
	end = now_ns();
	if (end - begin >= LONG_WAIT_NS)
		guest->on_wait(begin, end);
	return ret;
}

/* Returns 0, or -EAGAIN when the queue has no room; @tail is where it stands then. */
static int push(struct guest *guest, struct guest_queue *queue,
		const struct tmem_descriptor *descriptor, bool wait, uint32_t *tail)
{
	struct tmem_descriptor *to;
	uint32_t place;
	bool full;

	pthread_mutex_lock(&queue->lock);
	*tail = queue->tail;
	place = *tail & (queue->entries - 1);
	full = *tail - READ_ACQUIRE(queue->control->head) >= queue->entries || queue->busy[place];
	if (full) {
		pthread_mutex_unlock(&queue->lock);
		return -EAGAIN;
	}
	to = &queue->descriptors[place];
	*to = *descriptor;
	to->sequence = *tail;
	to->epoch = guest->epoch;
	queue->busy[place] = wait;
	queue->tail = *tail + 1;
	WRITE_RELEASE(queue->control->tail, *tail + 1);
	pthread_mutex_unlock(&queue->lock);
	kick(guest);
	return 0;
}

int guest_post(struct guest *guest, struct guest_queue *queue,
	       const struct tmem_descriptor *descriptor, uint32_t *sequence, uint64_t ns_max)
{
	uint64_t end = now_ns() + ns_max;
	uint32_t tail;

	while (push(guest, queue, descriptor, sequence, &tail)) {
		if (wait_answer(guest, queue, tail - queue->entries, ns_max))
			return -ETIMEDOUT;
		/* The oldest place is answered, but whoever waits for it has not read it yet. */
		if (now_ns() > end || guest_is_cut_off(guest))
			return -ETIMEDOUT;
		sched_yield();
	}
	if (sequence)
		*sequence = tail;
	return 0;
}

static void give_place_back(struct guest_queue *queue, uint32_t sequence)
{
	pthread_mutex_lock(&queue->lock);
	queue->busy[sequence & (queue->entries - 1)] = 0;
	pthread_mutex_unlock(&queue->lock);
}

int guest_reap(struct guest *guest, struct guest_queue *queue, uint32_t sequence,
	       uint64_t ns_max, int32_t *result, uint32_t *slot)
{
	const struct tmem_reply *from = &queue->replies[sequence & (queue->entries - 1)];
	uint32_t echo;
	uint32_t epoch;

	if (wait_answer(guest, queue, sequence, ns_max)) {
		give_place_back(queue, sequence);
		return -ETIMEDOUT;
	}
	echo = READ_WORD(from->sequence);
	epoch = READ_WORD(from->epoch);
	*result = (int32_t)READ_WORD(from->result);
	*slot = READ_WORD(from->slot);
	give_place_back(queue, sequence);
	if (echo == sequence && epoch == guest->host_epoch)
		return 0;
	count_host_error(guest);
	return -EIO;
}

int guest_drain(struct guest *guest, uint64_t ns_max)
{
	uint32_t i;

	for (i = 0; i < guest->queue_count; i++) {
		struct guest_queue *queue = &guest->queues[i];

		if (wait_answer(guest, queue, queue->tail - 1, ns_max))
			return -ETIMEDOUT;
	}
	return 0;
}

void *guest_interrupts(void *data)
{
	struct guest *guest = data;
	struct pollfd polls[GUEST_QUEUES_MAX];
	uint64_t count;
	uint32_t i;

	for (i = 0; i < guest->queue_count; i++)
		polls[i] = (struct pollfd){ .fd = guest->queues[i].vector, .events = POLLIN };
	for (;;) {
		if (poll(polls, guest->queue_count, -1) < 0 && errno != EINTR)
			return NULL;
		for (i = 0; i < guest->queue_count; i++) {
			struct guest_queue *queue = &guest->queues[i];

			if (!polls[i].revents || read(queue->vector, &count, sizeof(count)) < 0)
				continue;
			pthread_mutex_lock(&queue->lock);
			pthread_cond_broadcast(&queue->woken);
			pthread_mutex_unlock(&queue->lock);
		}
	}
}

/* --- Credits ---------------------------------------------------------------------------------- */

void *guest_slot(struct guest *guest, uint32_t slot)
{
	return (unsigned char *)guest->slots + (size_t)slot * TMEM_PAGE_BYTES;
}

/* Whether @slot may be given to us now; it is in our hand then. Under the credit lock. */
static bool claim(struct guest *guest, uint32_t slot)
{
	if (slot < guest->slot_count && !guest->held[slot] && !guest->in_hand[slot]) {
		guest->in_hand[slot] = 1;
		return true;
	}
	count_host_error(guest);
	return false;
}

static bool take_from_ring(struct guest *guest, uint32_t *slot)
{
	uint32_t tail = READ_ACQUIRE(guest->header->credit_tail);

	if (tail - guest->credit_head > guest->ring_entries) {
		count_host_error(guest);
		return false;
	}
	while (guest->credit_head != tail) {
		*slot = READ_WORD(guest->ring[guest->credit_head & (guest->ring_entries - 1)]);
		guest->credit_head++;
		WRITE_RELEASE(guest->header->credit_head, guest->credit_head);
		if (claim(guest, *slot))
			return true;
	}
	return false;
}

bool guest_credit_take(struct guest *guest, uint32_t *slot)
{
	bool found = true;

	pthread_mutex_lock(&guest->credit_lock);
	if (guest->hand_count)
		*slot = guest->hand[--guest->hand_count];
	else
		found = take_from_ring(guest, slot);
	pthread_mutex_unlock(&guest->credit_lock);
	return found;
}

void guest_credit_return(struct guest *guest, uint32_t slot)
{
	pthread_mutex_lock(&guest->credit_lock);
	guest->in_hand[slot] = 1;
	guest->hand[guest->hand_count++] = slot;
	pthread_mutex_unlock(&guest->credit_lock);
}

bool guest_credit_claim(struct guest *guest, uint32_t slot)
{
	bool good;

	pthread_mutex_lock(&guest->credit_lock);
	good = claim(guest, slot);
	pthread_mutex_unlock(&guest->credit_lock);
	return good;
}

void guest_credit_spend(struct guest *guest, uint32_t slot)
{
	pthread_mutex_lock(&guest->credit_lock);
	guest->in_hand[slot] = 0;
	pthread_mutex_unlock(&guest->credit_lock);
}

void guest_credit_hold(struct guest *guest, uint32_t slot, bool holds)
{
	pthread_mutex_lock(&guest->credit_lock);
	guest->held[slot] = holds;
	pthread_mutex_unlock(&guest->credit_lock);
}
