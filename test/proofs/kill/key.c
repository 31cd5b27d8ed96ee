// SPDX-License-Identifier: MIT
/*
 * What operations on any key have in common: where it goes, its descriptor, and checks of what
 * comes back.
 */
#include <errno.h>
#include <string.h>

#include "load.h"
#include "page.h"

bool key_is_shared(uint32_t number)
{
	return number / OBJECT_PAGES < SHARED_OBJECTS;
}

bool key_is_ephemeral(uint32_t number)
{
	uint32_t object = number / OBJECT_PAGES;

	return key_is_shared(number) ? object == 0 : object % EPHEMERAL_EVERY == 0;
}

struct guest_queue *key_queue_of(struct worker *worker, const struct key *key)
{
	struct guest *guest = worker->load->guest;
	uint32_t object = key->number / OBJECT_PAGES;

	return &guest->queues[(object ^ object >> 4) & (guest->queue_count - 1)];
}

struct tmem_descriptor key_describe(struct worker *worker, uint32_t command,
				    const struct key *key)
{
	uint32_t object = key->number / OBJECT_PAGES;

	return (struct tmem_descriptor){
		.command = command,
		.pool = worker->load->pools[key_is_ephemeral(key->number)],
		.oid = { object, 0, object * 3 },
		.index = key->number % OBJECT_PAGES,
	};
}

int32_t key_call(struct worker *worker, struct guest_queue *queue,
		 const struct tmem_descriptor *descriptor, uint32_t *slot)
{
	struct guest *guest = worker->load->guest;
	uint32_t sequence;
	int32_t result;
	int ret;

	ret = guest_post(guest, queue, descriptor, &sequence, WAIT_NS_MAX);
	if (!ret)
		ret = guest_reap(guest, queue, sequence, WAIT_NS_MAX, &result, slot);
	if (!ret)
		return result;
	worker->counts[COUNT_TIMEOUTS]++;
	return -ETIMEDOUT;
}

int32_t key_tell(struct worker *worker, const struct tmem_descriptor *descriptor,
		 const struct key *key, bool answered)
{
	struct guest_queue *queue = key_queue_of(worker, key);
	uint32_t slot;

	if (answered)
		return key_call(worker, queue, descriptor, &slot);
	if (!guest_post(worker->load->guest, queue, descriptor, NULL, WAIT_NS_MAX))
		return 1;
	worker->counts[COUNT_TIMEOUTS]++;
	return -ETIMEDOUT;
}

void key_expect(struct worker *worker, bool right)
{
	if (!right)
		worker->counts[COUNT_WRONG_RESULTS]++;
}

void key_verify(struct worker *worker, const struct key *key, uint32_t wanted)
{
	uint32_t version;

	worker->counts[COUNT_VERIFIED]++;
	switch (page_check(worker->page, key->number, &version)) {
	case PAGE_TORN:
		worker->counts[COUNT_TORN]++;
		break;
	case PAGE_FOREIGN:
		worker->counts[COUNT_FOREIGN]++;
		break;
	case PAGE_GOOD:
		if (version != wanted)
			worker->counts[COUNT_STALE]++;
	}
}

bool key_prepare(struct worker *worker, const struct key *key, uint32_t version, uint32_t *slot)
{
	struct guest *guest = worker->load->guest;

	if (!guest_accepts_puts(guest)) {
		worker->counts[COUNT_REFUSED_WHILE_DOWN]++;
		return false;
	}
	if (!guest_credit_take(guest, slot)) {
		worker->counts[COUNT_REFUSED_WITHOUT_CREDIT]++;
		return false;
	}
	page_fill(guest_slot(guest, *slot), key->number, version, worker->number);
	guest_credit_spend(guest, *slot);
	return true;
}

bool key_take_page(struct worker *worker, uint32_t slot)
{
	struct guest *guest = worker->load->guest;
	bool ours = slot & TMEM_REPLY_SLOT_GRANTED;

	slot &= ~TMEM_REPLY_SLOT_GRANTED;
	if (slot >= guest->slot_count || (ours && !guest_credit_claim(guest, slot))) {
		worker->counts[COUNT_WRONG_RESULTS]++;
		return false;
	}
	memcpy(worker->page, guest_slot(guest, slot), sizeof(worker->page));
	if (ours)
		guest_credit_return(guest, slot);
	return true;
}
