/* SPDX-License-Identifier: MIT */
/*
 * Pages that tell what they are: every word follows from the first two, so that each byte of a page
 * that comes back is checked, and one that is wrong shows in which way.
 */
#ifndef TMEM_KILL_PAGE_H
#define TMEM_KILL_PAGE_H

#include <stdint.h>

#define PAGE_WORDS	512
/* The golden ratio's bits, as in splitmix64: odd, so that no two words of a page are the same. */
#define PAGE_STEP	0x9e3779b97f4a7c15ull

enum page_verdict {
	PAGE_GOOD,
	PAGE_FOREIGN,	/* whole, and of another key */
	PAGE_TORN,	/* not what any put wrote */
};

static inline uint64_t page_mix(uint64_t value)
{
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
	return value ^ (value >> 31);
}

static inline void page_fill(void *page, uint32_t key, uint32_t version, uint32_t thread)
{
	uint64_t *words = page;
	uint64_t state;
	int i;

	words[0] = (uint64_t)version << 32 | key;
	words[1] = thread;
	state = page_mix(words[0] + thread);
	for (i = 2; i < PAGE_WORDS; i++) {
		state += PAGE_STEP;
		words[i] = state;
	}
}

/* Looks at every byte of @page. @version is set to what it claims to be. */
static inline enum page_verdict page_check(const void *page, uint32_t key, uint32_t *version)
{
	const uint64_t *words = page;
	uint64_t state = page_mix(words[0] + words[1]);
	uint64_t differences = 0;
	int i;

	for (i = 2; i < PAGE_WORDS; i++) {
		state += PAGE_STEP;
		differences |= words[i] ^ state;
	}
	*version = words[0] >> 32;
	if (differences)
		return PAGE_TORN;
	return (uint32_t)words[0] == key ? PAGE_GOOD : PAGE_FOREIGN;
}

#endif /* TMEM_KILL_PAGE_H */
