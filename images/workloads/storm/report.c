// SPDX-License-Identifier: MIT
/*
 * Tells what a wrong page holds instead of what it should: zeros, an older generation of itself, or
 * another page. That is most of the way to the cause. Reads the worker's memory and changes
 * nothing.
 */
#define _GNU_SOURCE
#include "storm.h"

#include <stdio.h>
#include <string.h>

/* What the page holds instead, as far as that can be told. */
static void describe(const struct worker *worker, uint64_t page, const uint64_t *got, char *text,
		     size_t size)
{
	uint32_t generation = worker->generations[page];
	uint32_t older;
	int i;

	for (i = 0; i < PAGE_WORDS && !got[i]; i++)
		;
	if (i == PAGE_WORDS) {
		snprintf(text, size, "it is all zero");
		return;
	}
	for (older = 0; older < (generation & ~CHILD_GENERATION) + 1; older++) {
		if (older == generation || !pattern_matches(got, key_of(worker, page, older)))
			continue;
		snprintf(text, size, "it is stale: generation %u", older);
		return;
	}
	for (uint64_t other = 0; other < worker->pages; other++) {
		uint32_t theirs = worker->generations[other];

		if (other == page || (!pattern_matches(got, key_of(worker, other, theirs)) &&
				      !pattern_matches(got, key_of(worker, other, theirs - 1))))
			continue;
		snprintf(text, size, "it is page %llu of this process", (unsigned long long)other);
		return;
	}
	snprintf(text, size, "it is none of this process's pages");
}

void report_wrong(const struct worker *worker, uint64_t page)
{
	uint64_t expected[PAGE_WORDS];
	uint64_t got[PAGE_WORDS];
	char text[128];
	int first = -1;
	int count = 0;
	int i;

	if (__atomic_fetch_add(&shared->reports, 1, __ATOMIC_RELAXED) >= REPORTS_MAX)
		return;
	memcpy(got, page_at(worker, page), PAGE_BYTES);
	pattern_fill(expected, key_of(worker, page, worker->generations[page]));
	for (i = 0; i < PAGE_WORDS; i++) {
		if (got[i] == expected[i])
			continue;
		if (first < 0)
			first = i;
		count++;
	}
	if (first < 0) {
		fprintf(stderr, "storm: wrong page: process %u%s, page %llu, generation %u: "
			"wrong when verified, right when read again\n", worker->process,
			worker->is_child ? " (forked)" : "", (unsigned long long)page,
			worker->generations[page] & ~CHILD_GENERATION);
		return;
	}
	describe(worker, page, got, text, sizeof(text));
	fprintf(stderr, "storm: wrong page: process %u%s, page %llu, generation %u: "
		"%d of %d words, first at byte %d: expected %016llx, got %016llx; "
		"%s\n", worker->process,
		worker->is_child ? " (forked)" : "", (unsigned long long)page,
		worker->generations[page] & ~CHILD_GENERATION, count, PAGE_WORDS, first * 8,
		(unsigned long long)expected[first], (unsigned long long)got[first], text);
}

