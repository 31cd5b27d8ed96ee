/* SPDX-License-Identifier: MIT */
/*
 * What a page must hold, as a function of (seed, process, page number, generation) alone: nothing
 * but these four numbers has to be remembered to write a page and, later, to check each of its
 * bytes.
 *
 * Always holds: two different (process, page, generation) get different keys, up to a 64-bit
 * collision, so a page that is swapped with another, older than it should be, or partly overwritten
 * differs from what is expected. The exceptions are pages that are meant to be all zero: they
 * cannot tell one another apart.
 *
 * Of 16 pages, by key: 10 are random (512 distinct words), 3 compressible (every eighth word
 * random, the others equal), 2 filled with one word, 1 all zero. A rewritten page mostly changes
 * its kind too.
 */
#ifndef TMEM_PATTERN_H
#define TMEM_PATTERN_H

#include <stdint.h>

/*
 * Under emulation a scalar multiply and add is cheap and vector instructions are not; see the cost
 * of a pass before removing this.
 */
#pragma GCC optimize("no-tree-vectorize")

#define PAGE_BYTES	4096
#define PAGE_WORDS	(PAGE_BYTES / 8)

enum page_kind { PAGE_RANDOM, PAGE_COMPRESSIBLE, PAGE_SAME, PAGE_ZERO };

/* MMIX's multiplier and increment (Knuth, TAOCP 2, 3.3.4): period 2^64, so words never repeat. */
static inline uint64_t pattern_next(uint64_t word)
{
	return word * 6364136223846793005u + 1442695040888963407u;
}

/* The finalizer of splitmix64: every input bit reaches every output bit. */
static inline uint64_t pattern_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static inline uint64_t pattern_key(uint64_t seed, uint32_t process, uint64_t page,
				   uint32_t generation)
{
	uint64_t place = (uint64_t)process << 40 ^ page;

	return pattern_mix(pattern_mix(pattern_mix(seed) + place) + generation);
}

static inline enum page_kind pattern_kind(uint64_t key)
{
	unsigned int share = key >> 60;

	if (share < 10)
		return PAGE_RANDOM;
	if (share < 13)
		return PAGE_COMPRESSIBLE;
	return share < 15 ? PAGE_SAME : PAGE_ZERO;
}

/* The word that a same-filled page repeats; never zero, or it would be a zero page. */
static inline uint64_t pattern_same_word(uint64_t key)
{
	return key | 1;
}

static inline void pattern_fill(uint64_t *words, uint64_t key)
{
	enum page_kind kind = pattern_kind(key);
	uint64_t word = kind == PAGE_ZERO ? 0 : pattern_same_word(key);
	uint64_t next = key;
	int i;

	if (kind == PAGE_RANDOM) {
		for (i = 0; i < PAGE_WORDS; i++) {
			next = pattern_next(next);
			words[i] = next;
		}
		return;
	}
	for (i = 0; i < PAGE_WORDS; i++)
		words[i] = word;
	if (kind != PAGE_COMPRESSIBLE)
		return;
	for (i = 0; i < PAGE_WORDS; i += 8) {
		next = pattern_next(next);
		words[i] = next;
	}
}

/* Whether all of the page's bytes are what the key says. */
static inline int pattern_matches(const uint64_t *words, uint64_t key)
{
	enum page_kind kind = pattern_kind(key);
	uint64_t word = kind == PAGE_ZERO ? 0 : pattern_same_word(key);
	uint64_t next = key;
	uint64_t wrong = 0;
	int i, j;

	if (kind == PAGE_RANDOM) {
		for (i = 0; i < PAGE_WORDS; i++) {
			next = pattern_next(next);
			wrong |= words[i] ^ next;
		}
		return !wrong;
	}
	if (kind != PAGE_COMPRESSIBLE) {
		for (i = 0; i < PAGE_WORDS; i++)
			wrong |= words[i] ^ word;
		return !wrong;
	}
	for (i = 0; i < PAGE_WORDS; i += 8) {
		next = pattern_next(next);
		wrong |= words[i] ^ next;
		for (j = 1; j < 8; j++)
			wrong |= words[i + j] ^ word;
	}
	return !wrong;
}

#endif
