// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a pool may hold: a counting filter over the keys of its pages and objects, so that the host
 * is not asked for, nor told to flush, what was never put.
 *
 * Each put adds one to its key's counter, each hit takes one off. A page that is there was put more
 * often than it was got, so its counter is not zero. Flushes and evictions take nothing off: the
 * filter errs only on the side of asking. A counter that is full stays full. The caller's lock
 * covers each filter.
 */
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "tmem.h"

#define TMEM_PRESENT_BITS	18
#define TMEM_PRESENT_FULL	U8_MAX

/* A filter that knows of nothing, or NULL. May sleep; kvfree() takes it back. */
u8 *tmem_present_alloc(void)
{
	return kvzalloc(1ul << TMEM_PRESENT_BITS, GFP_KERNEL);
}

/* Forgets all: the pool is a new one. */
void tmem_present_clear(u8 *present)
{
	memset(present, 0, 1ul << TMEM_PRESENT_BITS);
}

/* The counter of a page, or of its object. */
static u8 *tmem_present_counter(u8 *present, const struct tmem_key *key, bool object)
{
	u64 mixed = key->oid[0] ^ hash_64(key->oid[1], 64) ^ hash_64(key->oid[2] + 1, 64);

	if (!object)
		mixed = hash_64(mixed, 64) + key->index + 1;
	return &present[hash_64(mixed, TMEM_PRESENT_BITS)];
}

/* Whether the page, or any page of its object, may be there. */
bool tmem_present_maybe(u8 *present, const struct tmem_key *key, bool object)
{
	return *tmem_present_counter(present, key, object);
}

static void tmem_present_count(u8 *counter, int change)
{
	if (*counter != TMEM_PRESENT_FULL)
		*counter += change;
}

/* The page is put. */
void tmem_present_add(u8 *present, const struct tmem_key *key)
{
	tmem_present_count(tmem_present_counter(present, key, false), 1);
	tmem_present_count(tmem_present_counter(present, key, true), 1);
}

/* The page was there and is not any more. */
void tmem_present_remove(u8 *present, const struct tmem_key *key)
{
	tmem_present_count(tmem_present_counter(present, key, false), -1);
	tmem_present_count(tmem_present_counter(present, key, true), -1);
}
