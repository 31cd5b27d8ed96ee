/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Areas: what their files share. area.c keeps pages, area_load.c brings them back.
 */
#ifndef TMEM_AREA_H
#define TMEM_AREA_H

#include <linux/workqueue.h>

#include "tmem.h"

/* In the place of a slot: the page went with its device. */
#define TMEM_PLACED_LOST	U32_MAX

/* One area: set up by on, before any other hook, taken down by off. */
struct tmem_area {
	int pool;			/* negative: none, every put is refused */
	unsigned long size;		/* offsets that there are tables for; mutex */
	unsigned long slots;		/* offsets, once there was a pool */
	u32 *placed;			/* by offset: slot of the page we put, plus 1; 0; or lost */
	u32 *checks;			/* by offset: check value of a placed page; NULL: none */
	unsigned long *pending;		/* a flush that is still to be posted */
	struct work_struct drain;	/* posts the pending flushes */
};

extern struct tmem_area tmem_areas[TMEM_AREAS];

static inline struct tmem_key tmem_area_key(unsigned int number, pgoff_t offset)
{
	struct tmem_key key = {
		.pool = tmem_areas[number].pool,
		.oid = { number },
		.index = offset,
	};

	return key;
}

/* The slot of the page we put, plus 1; 0 when there is none; or lost. Any context. */
static inline u32 tmem_area_placed(unsigned int number, pgoff_t offset)
{
	struct tmem_area *area = &tmem_areas[number];

	/* Pairs with the release in store. */
	return offset < READ_ONCE(area->slots) ? smp_load_acquire(&area->placed[offset]) : 0;
}

#endif /* TMEM_AREA_H */
