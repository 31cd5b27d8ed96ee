// SPDX-License-Identifier: MIT
/*
 * The load itself: which operation comes next, and what begins and ends it.
 */
#include <errno.h>
#include <stdlib.h>

#include "load.h"

/* One in so many operations is on a shared key; makes and destroys a pool. */
#define SHARED_IN		24
#define POOL_IN			4096
#define SCRATCH_PAGES		4

static int32_t new_pool(struct worker *worker, uint32_t flags)
{
	struct tmem_descriptor descriptor = { .command = TMEM_CMD_NEW_POOL };
	uint32_t unused;

	descriptor.flags = flags | TMEM_SPEC_VERSION << TMEM_POOL_VERSION_SHIFT;
	return key_call(worker, &worker->load->guest->queues[0], &descriptor, &unused);
}

/* A pool's whole life, each step answered before the next: puts, gets, the end. */
static void use_scratch_pool(struct worker *worker)
{
	struct guest *guest = worker->load->guest;
	struct guest_queue *queue = &guest->queues[worker_below(worker, guest->queue_count)];
	int32_t pool = new_pool(worker, TMEM_POOL_PERSIST);
	struct tmem_descriptor descriptor = { .pool = pool };
	struct key key = { .number = worker->load->key_count };
	bool kept[SCRATCH_PAGES];
	int32_t result;
	uint32_t version;
	uint32_t slot;

	worker->counts[COUNT_POOLS]++;
	key_expect(worker, pool > 1 && pool < 64);
	for (version = 0; version < SCRATCH_PAGES; version++) {
		kept[version] = false;
		if (!key_prepare(worker, &key, version, &descriptor.slot))
			continue;
		descriptor.command = TMEM_CMD_PUT_PAGE;
		descriptor.index = version;
		kept[version] = key_call(worker, queue, &descriptor, &slot) == 1;
	}
	for (version = 0; version < SCRATCH_PAGES; version++) {
		descriptor.command = TMEM_CMD_GET_PAGE;
		descriptor.index = version;
		result = key_call(worker, queue, &descriptor, &slot);
		key_expect(worker, result == kept[version]);
		if (result == 1 && key_take_page(worker, slot))
			key_verify(worker, &key, version);
	}
	descriptor.command = TMEM_CMD_DESTROY_POOL;
	key_expect(worker, key_call(worker, queue, &descriptor, &slot) == 1);
}

static void use_own_key(struct worker *worker)
{
	struct load *load = worker->load;
	uint32_t objects = load->key_count / OBJECT_PAGES - SHARED_OBJECTS;
	uint32_t own = worker_below(worker, objects / load->threads);
	uint32_t object = SHARED_OBJECTS + own * load->threads + worker->number;
	uint32_t page = worker_below(worker, OBJECT_PAGES);
	struct key *key = &load->keys[object * OBJECT_PAGES + page];
	uint32_t choice = worker_below(worker, 200);

	if (choice < 90)
		own_get(worker, key);
	else if (choice < 170)
		own_put(worker, key);
	else if (choice < 198)
		own_flush(worker, key, worker_one_in(worker, 4));
	else
		own_flush_object(worker, key);
}

static void use_shared_key(struct worker *worker)
{
	struct key *key = &worker->load->keys[worker_below(worker, SHARED_OBJECTS * OBJECT_PAGES)];
	uint32_t choice = worker_below(worker, 20);

	if (choice < 9)
		shared_get(worker, key);
	else if (choice < 17)
		shared_put(worker, key);
	else
		shared_flush(worker, key);
}

void *load_run(void *data)
{
	struct worker *worker = data;
	struct load *load = worker->load;

	worker_act_as(worker);
	while (!__atomic_load_n(&load->stop, __ATOMIC_RELAXED) && !guest_is_cut_off(load->guest)) {
		if (worker_one_in(worker, SHARED_IN))
			use_shared_key(worker);
		else
			use_own_key(worker);
		if (!worker_one_in(worker, POOL_IN) || pthread_mutex_trylock(&load->pool_lock))
			continue;
		use_scratch_pool(worker);
		pthread_mutex_unlock(&load->pool_lock);
	}
	worker_flush_records(worker);
	return NULL;
}

int load_begin(struct load *load, struct worker *worker)
{
	uint32_t i;

	load->keys = calloc(load->key_count, sizeof(*load->keys));
	if (!load->keys)
		return -ENOMEM;
	for (i = 0; i < load->key_count; i++) {
		load->keys[i].number = i;
		pthread_rwlock_init(&load->keys[i].lock, NULL);
	}
	pthread_mutex_init(&load->pool_lock, NULL);
	load->pools[0] = new_pool(worker, TMEM_POOL_PERSIST);
	load->pools[1] = new_pool(worker, 0);
	return load->pools[0] < 0 || load->pools[1] < 0 ? -EIO : 0;
}

void load_end(struct load *load, struct worker *worker)
{
	uint32_t i;

	for (i = 0; i < load->key_count && !guest_is_cut_off(load->guest); i++) {
		if (key_is_shared(i)) {
			shared_get(worker, &load->keys[i]);
			shared_flush(worker, &load->keys[i]);
		} else {
			own_get(worker, &load->keys[i]);
			own_flush(worker, &load->keys[i], false);
		}
	}
	worker_flush_records(worker);
}
