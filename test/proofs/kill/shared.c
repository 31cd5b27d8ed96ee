// SPDX-License-Identifier: MIT
/*
 * Operations on keys that all threads use at once: each goes to the log, with its result.
 */
#include <errno.h>
#include <string.h>

#include "load.h"

void shared_put(struct worker *worker, struct key *key)
{
	struct guest *guest = worker->load->guest;
	struct guest_queue *queue = key_queue_of(worker, key);
	struct tmem_descriptor descriptor = key_describe(worker, TMEM_CMD_PUT_PAGE, key);
	bool posted = (guest->features & TMEM_FEATURE_POSTED_PUTS) && worker_one_in(worker, 2);
	struct record record = { .begin_ns = now_ns(), .kind = RECORD_PUT, .key = key->number };
	uint32_t sequence;
	int32_t result = 1;
	uint32_t unused;
	bool refused;
	int ret;

	record.value = __atomic_add_fetch(&key->versions, 1, __ATOMIC_RELAXED);
	pthread_rwlock_wrlock(&key->lock);
	refused = !key_prepare(worker, key, record.value, &descriptor.slot);
	/* A put that the guest refuses by itself drops the page that is there. */
	if (refused)
		descriptor.command = TMEM_CMD_FLUSH_PAGE;
	ret = guest_post(guest, queue, &descriptor, posted ? NULL : &sequence, WAIT_NS_MAX);
	pthread_rwlock_unlock(&key->lock);
	if (!ret && !posted)
		ret = guest_reap(guest, queue, sequence, WAIT_NS_MAX, &result, &unused);
	worker->counts[refused ? COUNT_FLUSHES : COUNT_PUTS]++;
	worker->counts[COUNT_TIMEOUTS] += ret != 0;
	key_expect(worker, ret || result == 1 || result == -ENOMEM || result == -ENOSPC);
	record.result = ret ? RESULT_UNKNOWN : !refused && result == 1;
	record.end_ns = now_ns();
	worker_note(worker, record);
}

void shared_flush(struct worker *worker, struct key *key)
{
	struct guest *guest = worker->load->guest;
	struct guest_queue *queue = key_queue_of(worker, key);
	struct tmem_descriptor descriptor = key_describe(worker, TMEM_CMD_FLUSH_PAGE, key);
	struct record record = { .begin_ns = now_ns(), .kind = RECORD_FLUSH, .key = key->number };
	bool posted = worker_one_in(worker, 2);
	uint32_t sequence;
	int32_t result = 1;
	uint32_t unused;
	int ret;

	pthread_rwlock_wrlock(&key->lock);
	ret = guest_post(guest, queue, &descriptor, posted ? NULL : &sequence, WAIT_NS_MAX);
	pthread_rwlock_unlock(&key->lock);
	if (!ret && !posted)
		ret = guest_reap(guest, queue, sequence, WAIT_NS_MAX, &result, &unused);
	worker->counts[COUNT_FLUSHES]++;
	worker->counts[COUNT_TIMEOUTS] += ret != 0;
	key_expect(worker, ret || result == 1);
	record.result = ret ? RESULT_UNKNOWN : 0;
	record.end_ns = now_ns();
	worker_note(worker, record);
}

void shared_get(struct worker *worker, struct key *key)
{
	struct tmem_descriptor descriptor = key_describe(worker, TMEM_CMD_GET_PAGE, key);
	struct record record = { .begin_ns = now_ns(), .kind = RECORD_GET, .key = key->number };
	uint32_t version = 0;
	int32_t result;
	uint32_t slot;
	bool taken;

	pthread_rwlock_rdlock(&key->lock);
	result = key_call(worker, key_queue_of(worker, key), &descriptor, &slot);
	taken = result == 1 && key_take_page(worker, slot);
	pthread_rwlock_unlock(&key->lock);
	worker->counts[COUNT_GETS]++;
	key_expect(worker, result == 1 || result == 0);
	record.result = result == 0 ? 0 : RESULT_UNKNOWN;
	if (taken) {
		/* Which version it may be is for the history to say. */
		version = worker->page[0] >> 32;
		key_verify(worker, key, version);
		record.result = version;
	}
	record.end_ns = now_ns();
	worker_note(worker, record);
}
