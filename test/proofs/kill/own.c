// SPDX-License-Identifier: MIT
/*
 * Operations on keys of one thread, which knows what each must hold.
 */
#include <errno.h>
#include <string.h>

#include "load.h"

/* The page is of no use any more: before its end is posted. */
static void let_go(struct load *load, struct key *key)
{
	if (key->kept && !key_is_ephemeral(key->number))
		guest_credit_hold(load->guest, key->slot, false);
	key->kept = 0;
}

void own_flush(struct worker *worker, struct key *key, bool answered)
{
	struct tmem_descriptor descriptor = key_describe(worker, TMEM_CMD_FLUSH_PAGE, key);

	let_go(worker->load, key);
	key_expect(worker, key_tell(worker, &descriptor, key, answered) == 1);
	worker->counts[COUNT_FLUSHES]++;
}

void own_flush_object(struct worker *worker, struct key *key)
{
	struct key *first = key - key->number % OBJECT_PAGES;
	struct tmem_descriptor descriptor;
	uint32_t page;

	for (page = 0; page < OBJECT_PAGES; page++)
		let_go(worker->load, &first[page]);
	descriptor = key_describe(worker, TMEM_CMD_FLUSH_OBJECT, key);
	key_expect(worker, key_tell(worker, &descriptor, key, worker_one_in(worker, 2)) == 1);
	worker->counts[COUNT_OBJECT_FLUSHES]++;
}

void own_put(struct worker *worker, struct key *key)
{
	struct guest *guest = worker->load->guest;
	struct tmem_descriptor descriptor = key_describe(worker, TMEM_CMD_PUT_PAGE, key);
	bool posted = (guest->features & TMEM_FEATURE_POSTED_PUTS) && !worker_one_in(worker, 8);
	bool held = !key_is_ephemeral(key->number);
	uint32_t version = ++key->versions;
	int32_t result;
	uint32_t slot;

	/* As guest-kmod, or as Xen allows: over the page that is there. */
	if (key->kept && worker_one_in(worker, 2))
		own_flush(worker, key, false);
	if (!key_prepare(worker, key, version, &slot)) {
		if (key->kept)
			own_flush(worker, key, worker_one_in(worker, 4));
		return;
	}
	let_go(worker->load, key);
	descriptor.slot = slot;
	if (held && posted)
		guest_credit_hold(guest, slot, true);
	result = key_tell(worker, &descriptor, key, !posted);
	worker->counts[COUNT_PUTS]++;
	if (result == 1) {
		key->kept = version;
		key->slot = slot;
		if (held && !posted)
			guest_credit_hold(guest, slot, true);
		return;
	}
	key_expect(worker, result == -ENOMEM || result == -ENOSPC);
	worker->counts[COUNT_REFUSED_BY_HOST]++;
	if (result == -ETIMEDOUT)
		own_flush(worker, key, false);
}

void own_get(struct worker *worker, struct key *key)
{
	struct tmem_descriptor descriptor = key_describe(worker, TMEM_CMD_GET_PAGE, key);
	bool ephemeral = key_is_ephemeral(key->number);
	uint32_t wanted = key->kept;
	int32_t result;
	uint32_t slot;

	worker->counts[COUNT_GETS]++;
	if (wanted && !ephemeral && (worker->load->guest->features & TMEM_FEATURE_DIRECT_GETS) &&
	    !worker_one_in(worker, 4)) {
		worker->counts[COUNT_DIRECT_GETS]++;
		memcpy(worker->page, guest_slot(worker->load->guest, key->slot), TMEM_PAGE_BYTES);
		key_verify(worker, key, wanted);
		key_tell(worker, &descriptor, key, false);
		return;
	}
	if (ephemeral)
		key->kept = 0;
	result = key_call(worker, key_queue_of(worker, key), &descriptor, &slot);
	key_expect(worker, result == 1 || result == 0);
	if (result == 1 && key_take_page(worker, slot))
		key_verify(worker, key, wanted);
	if (result == 0 && wanted && ephemeral)
		worker->counts[COUNT_EPHEMERAL_MISSES]++;
	else if (result == 0 && wanted)
		worker->counts[COUNT_LOST]++;
}
