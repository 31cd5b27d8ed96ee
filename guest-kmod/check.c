// SPDX-License-Identifier: GPL-2.0-only
/*
 * Check values: 32 bits that tell a page's bytes from others, another page's, an older one's, torn
 * or altered ones. They find a store's mistakes; who forges bytes on purpose can forge these too.
 *
 * Each word is read once, and the bytes that go to the copy are those that the value is of: the
 * other side may write to a slot at any moment. Any context; nothing is allocated.
 */
#include <linux/bitops.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "tmem.h"

/* Odd numbers with well-spread bits (xxHash's primes). A step loses nothing: both parts invert. */
#define TMEM_CHECK_MULTIPLIER	0x9e3779b185ebca87ull
#define TMEM_CHECK_FINISH	0xc2b2ae3d27d4eb4full
/* Words that are mixed side by side, since a multiplication takes some cycles. */
#define TMEM_CHECK_LANES	4
#define TMEM_CHECK_WORDS	(TMEM_PAGE_BYTES / sizeof(u64))

static u64 tmem_check_step(u64 lane, u64 word)
{
	return rol64(lane ^ word, 29) * TMEM_CHECK_MULTIPLIER;
}

static u32 tmem_check_fold(const u64 lanes[TMEM_CHECK_LANES])
{
	u64 sum = 0;
	int i;

	for (i = 0; i < TMEM_CHECK_LANES; i++)
		sum = tmem_check_step(sum, lanes[i]);
	sum = (sum ^ (sum >> 29)) * TMEM_CHECK_FINISH;
	return sum >> 32;
}

/* The check value of a page that nobody writes to. */
u32 tmem_check_of(const void *page)
{
	u64 lanes[TMEM_CHECK_LANES] = { 1, 2, 3, 4 };
	const u64 *words = page;
	unsigned int at;
	int i;

	for (at = 0; at < TMEM_CHECK_WORDS; at += TMEM_CHECK_LANES)
		for (i = 0; i < TMEM_CHECK_LANES; i++)
			lanes[i] = tmem_check_step(lanes[i], words[at + i]);
	return tmem_check_fold(lanes);
}

/* Copies a page. @check, unless it is NULL, gets the check value of the copy. */
void tmem_copy_page(void *to, const void *from, u32 *check)
{
	u64 lanes[TMEM_CHECK_LANES] = { 1, 2, 3, 4 };
	const u64 *words = from;
	u64 *copies = to;
	unsigned int at;
	int i;

	if (!check) {
		memcpy(to, from, TMEM_PAGE_BYTES);
		return;
	}
	for (at = 0; at < TMEM_CHECK_WORDS; at += TMEM_CHECK_LANES) {
		for (i = 0; i < TMEM_CHECK_LANES; i++) {
			u64 word = READ_ONCE(words[at + i]);

			copies[at + i] = word;
			lanes[i] = tmem_check_step(lanes[i], word);
		}
	}
	*check = tmem_check_fold(lanes);
}
