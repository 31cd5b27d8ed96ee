// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pending flushes: keys whose flush found the queue full, of pages and of whole objects.
 *
 * While a key is here nothing of it may be asked for or put: what the host has of it is old. Of
 * bounded size, made at the start; nothing allocates later. The caller's lock, with interrupts off,
 * covers all of it.
 */
#include <linux/hash.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "tmem.h"

/* A burst of this many, beside what the queues hold, loses single pages only. */
#define TMEM_PENDING_MAX	4096
#define TMEM_PENDING_HASH_BITS	10

/* One key. */
struct tmem_pending {
	struct hlist_node hash;		/* others of the same hash */
	struct list_head list;		/* the spare ones, or those that wait, oldest first */
	struct tmem_key key;		/* index 0 for a whole object */
	bool object;			/* all pages of the object */
};

static struct tmem_pending *tmem_pendings;
static struct hlist_head tmem_pending_hash[1 << TMEM_PENDING_HASH_BITS];
static LIST_HEAD(tmem_pending_spare);
static LIST_HEAD(tmem_pending_waiting);

/* May sleep. */
int tmem_pending_init(void)
{
	unsigned int i;

	tmem_pendings = kvcalloc(TMEM_PENDING_MAX, sizeof(*tmem_pendings), GFP_KERNEL);
	if (!tmem_pendings)
		return -ENOMEM;
	for (i = 0; i < TMEM_PENDING_MAX; i++)
		list_add_tail(&tmem_pendings[i].list, &tmem_pending_spare);
	return 0;
}

/* Nobody uses it any more. May sleep. */
void tmem_pending_exit(void)
{
	kvfree(tmem_pendings);
	tmem_pendings = NULL;
	INIT_LIST_HEAD(&tmem_pending_spare);
}

static struct hlist_head *tmem_pending_bucket(const struct tmem_key *key)
{
	u64 mixed = key->oid[0] ^ hash_64(key->oid[1], 64) ^ hash_64(key->oid[2] + 1, 64) ^
		    (u64)key->index << 32 ^ key->pool;

	return &tmem_pending_hash[hash_64(mixed, TMEM_PENDING_HASH_BITS)];
}

static struct tmem_pending *tmem_pending_find(const struct tmem_key *key, bool object)
{
	struct tmem_key wanted = *key;
	struct tmem_pending *pending;

	if (object)
		wanted.index = 0;
	hlist_for_each_entry(pending, tmem_pending_bucket(&wanted), hash)
		if (pending->object == object && pending->key.pool == wanted.pool &&
		    pending->key.index == wanted.index &&
		    !memcmp(pending->key.oid, wanted.oid, sizeof(wanted.oid)))
			return pending;
	return NULL;
}

/* Whether a flush of the object, or without @object of the page or its object, is to come. */
bool tmem_pending_has(const struct tmem_key *key, bool object)
{
	if (list_empty(&tmem_pending_waiting))
		return false;
	return tmem_pending_find(key, true) || (!object && tmem_pending_find(key, false));
}

/* Remembers a flush. False when there is no room. */
bool tmem_pending_add(const struct tmem_key *key, bool object)
{
	struct tmem_pending *pending;

	pending = list_first_entry_or_null(&tmem_pending_spare, struct tmem_pending, list);
	if (!pending)
		return false;
	pending->key = *key;
	if (object)
		pending->key.index = 0;
	pending->object = object;
	list_move_tail(&pending->list, &tmem_pending_waiting);
	hlist_add_head(&pending->hash, tmem_pending_bucket(&pending->key));
	return true;
}

static void tmem_pending_forget(struct tmem_pending *pending)
{
	hlist_del(&pending->hash);
	list_move(&pending->list, &tmem_pending_spare);
}

/* Posts the oldest. Returns 1; 0 when none is left; -EAGAIN when its queue is full. */
int tmem_pending_post(struct tmem_device *dev)
{
	struct tmem_pending *pending;

	pending = list_first_entry_or_null(&tmem_pending_waiting, struct tmem_pending, list);
	if (!pending)
		return 0;
	if (tmem_ephemeral_flush(dev, &pending->key, pending->object))
		return -EAGAIN;
	tmem_pending_forget(pending);
	return 1;
}

/* Forgets those of a pool that goes as a whole. */
void tmem_pending_drop_pool(s32 pool)
{
	struct tmem_pending *pending;
	struct tmem_pending *next;

	list_for_each_entry_safe(pending, next, &tmem_pending_waiting, list)
		if (pending->key.pool == pool)
			tmem_pending_forget(pending);
}
