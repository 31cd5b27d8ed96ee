/* SPDX-License-Identifier: MIT */
/*
 * The hammer: random operations through /dev/tmem, as many as the time allows, from a seed.
 *
 * With --verify the host is taken for honest: each get must give the last page put under its key,
 * or miss after a flush or a refused put. Without, it may answer anything, and all that must hold
 * is that each call comes back with a result; which ones is counted.
 *
 * With --programs as many processes use the same few keys of one pool. What a get may give depends
 * on the others then, but it is always a whole page that somebody put under its key.
 */
#define _GNU_SOURCE
#include "hammer.h"

#include "../../../guest-kmod/tmem_ioctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE_WORDS	512
#define OBJECTS		4
#define INDEXES		256
/* No swap area's: those number their objects by it (guest-kmod/area.c). */
#define OBJECT_FIRST	(1ull << 32)
/* Pools come and go, so that there is one for everybody who hammers. */
#define OPERATIONS_A_POOL	20000
/* Of those that share their keys: few, so that they meet. */
#define SHARED_OBJECTS	2
#define SHARED_INDEXES	2
/* Odd, so that a word tells which page it is of. */
#define WORD_FACTOR	0x9e3779b97f4a7c15u

/* What is known of one key. */
enum known { KNOWN_NOTHING, KNOWN_ABSENT, KNOWN_PRESENT };

struct key {
	enum known known;
	uint32_t version;
};

struct counts {
	uint64_t operations;
	uint64_t hits;
	uint64_t misses;
	uint64_t errors;
	uint64_t odd;		/* results that no such operation has */
	uint64_t wrong;
};

static struct {
	int device;
	uint64_t random;
	bool verify;
	bool shared;		/* others use the same keys */
	int pool;
	struct key keys[OBJECTS][INDEXES];
	uint32_t version;
	struct counts counts;
} state;

static uint64_t page[PAGE_WORDS] __attribute__((aligned(4096)));

/* splitmix64. */
static uint64_t next_random(void)
{
	uint64_t z = (state.random += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* The word at a place in the page of a key and version. */
static uint64_t word_of(unsigned int object, unsigned int index, uint32_t version, unsigned int at)
{
	uint64_t key = (uint64_t)version << 32 | object << 16 | index;

	return (key + at) * WORD_FACTOR;
}

/* Whether the page is one that was put under the key, of whatever version. */
static bool is_whole(unsigned int object, unsigned int index)
{
	uint64_t inverse = WORD_FACTOR;
	uint32_t version;
	unsigned int at;

	/* Newton's steps: each doubles the bits that are right, of which an odd number has three. */
	for (at = 0; at < 5; at++)
		inverse *= 2 - WORD_FACTOR * inverse;
	version = page[0] * inverse >> 32;
	for (at = 0; at < PAGE_WORDS; at++)
		if (page[at] != word_of(object, index, version, at))
			return false;
	return true;
}

static int call(uint32_t command, unsigned int object, unsigned int index)
{
	struct tmem_ioctl_op argument = {
		.op = {
			.cmd = command,
			.pool_id = state.pool,
			.oid = { OBJECT_FIRST + object },
			.index = index,
			.flags = TMEM_OP_VERSION | TMEM_OP_PERSIST,
		},
		.page = (uintptr_t)page,
	};

	state.counts.operations++;
	if (ioctl(state.device, TMEM_IOCTL_OP, &argument)) {
		fprintf(stderr, "tmemctl: hammer: %s\n", strerror(errno));
		exit(EXIT_FAILURE);
	}
	if (argument.result == 1)
		state.counts.hits++;
	else if (!argument.result)
		state.counts.misses++;
	else if (argument.result < 0)
		state.counts.errors++;
	else
		state.counts.odd++;
	return argument.result;
}

static void put(unsigned int object, unsigned int index)
{
	struct key *key = &state.keys[object][index];
	unsigned int at;
	int result;

	key->version = ++state.version;
	for (at = 0; at < PAGE_WORDS; at++)
		page[at] = word_of(object, index, key->version, at);
	result = call(TMEM_OP_PUT_PAGE, object, index);
	if (result == 1)
		key->known = KNOWN_PRESENT;
	else if (result == -ENOSPC || result == -ENOMEM)
		key->known = KNOWN_ABSENT;
	else
		key->known = KNOWN_NOTHING;
}

static void report(unsigned int object, unsigned int index, const char *what)
{
	if (!state.verify)
		return;
	state.counts.wrong++;
	fprintf(stderr, "tmemctl: hammer: wrong: object %u, index %u: %s\n", object, index, what);
}

static void get(unsigned int object, unsigned int index)
{
	const struct key *key = &state.keys[object][index];
	int result = call(TMEM_OP_GET_PAGE, object, index);
	unsigned int at;

	if (state.shared && result == 1 && !is_whole(object, index))
		report(object, index, "not a page that was put");
	if (state.shared || key->known == KNOWN_NOTHING)
		return;
	if (result == 1 && key->known == KNOWN_ABSENT)
		report(object, index, "a page that is not there");
	if (key->known == KNOWN_PRESENT && result != 1)
		report(object, index, "a page is lost");
	if (key->known != KNOWN_PRESENT || result != 1)
		return;
	for (at = 0; at < PAGE_WORDS; at++) {
		if (page[at] == word_of(object, index, key->version, at))
			continue;
		report(object, index, "other bytes");
		return;
	}
}

/* Whatever the result, nothing is known of keys whose pool or flush may not have been. */
static void forget_all(enum known known)
{
	unsigned int object, index;

	for (object = 0; object < OBJECTS; object++)
		for (index = 0; index < INDEXES; index++)
			state.keys[object][index].known = known;
}

static void new_pool(void)
{
	if (state.pool >= 0)
		call(TMEM_OP_DESTROY_POOL, 0, 0);
	state.pool = call(TMEM_OP_NEW_POOL, 0, 0);
	forget_all(state.pool >= 0 ? KNOWN_ABSENT : KNOWN_NOTHING);
	/* One that got none, or a lie, makes do with another's. */
	if (!state.verify && (unsigned int)state.pool >= 64)
		state.pool = (int)(next_random() % 64);
}

static void flush(unsigned int object, unsigned int index)
{
	int result = call(TMEM_OP_FLUSH_PAGE, object, index);

	state.keys[object][index].known = result == 1 ? KNOWN_ABSENT : KNOWN_NOTHING;
}

static void flush_object(unsigned int object)
{
	int result = call(TMEM_OP_FLUSH_OBJECT, object, 0);
	unsigned int index;

	for (index = 0; index < INDEXES; index++)
		state.keys[object][index].known = result == 1 ? KNOWN_ABSENT : KNOWN_NOTHING;
}

static void one_operation(void)
{
	uint64_t random = next_random();
	unsigned int object = random % (state.shared ? SHARED_OBJECTS : OBJECTS);
	unsigned int index = (random >> 8) % (state.shared ? SHARED_INDEXES : INDEXES);
	unsigned int share = (random >> 32) % 64;
	/* A liar's answers are read alike whatever they answer, and a flush takes the least time. */
	unsigned int flushes = state.verify ? 4 : 36;
	unsigned int puts = (62 - flushes) / 2;

	if (!state.shared && state.counts.operations % OPERATIONS_A_POOL == 0)
		new_pool();
	if (share < flushes)
		flush(object, index);
	else if (share < flushes + puts)
		put(object, index);
	else if (share < 62)
		get(object, index);
	else if (share < 63)
		flush_object(object);
	else
		/* Commands that there are not. */
		call(random >> 40 & 1 ? TMEM_OP_CONTROL : 8 + (uint32_t)(random >> 48), object,
		     index);
}

static void hammer_until(double end)
{
	while (now() < end)
		one_operation();
}

/* A program of several: its versions are nobody else's. Its counts go to @counts, which is shared. */
static void run_program(unsigned int program, double end, struct counts *counts)
{
	state.random += program;
	state.version = program << 24;
	memset(&state.counts, 0, sizeof(state.counts));
	hammer_until(end);
	*counts = state.counts;
}

static void add_counts(const struct counts *counts)
{
	state.counts.operations += counts->operations;
	state.counts.hits += counts->hits;
	state.counts.misses += counts->misses;
	state.counts.errors += counts->errors;
	state.counts.odd += counts->odd;
	state.counts.wrong += counts->wrong;
}

/* Returns false when one of them did not end well. */
static bool run_programs(unsigned int programs, double end)
{
	struct counts *counts = mmap(NULL, programs * sizeof(*counts), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool well = counts != MAP_FAILED;
	unsigned int program;
	int status;

	if (!well)
		return false;
	state.shared = true;
	new_pool();
	for (program = 0; program < programs; program++) {
		pid_t child = fork();

		if (!child) {
			run_program(program, end, &counts[program]);
			_exit(EXIT_SUCCESS);
		}
		well = well && child > 0;
	}
	while (wait(&status) > 0)
		well = well && WIFEXITED(status) && !WEXITSTATUS(status);
	for (program = 0; program < programs; program++)
		add_counts(&counts[program]);
	munmap(counts, programs * sizeof(*counts));
	return well;
}

int run_hammer(int device, const struct hammer *hammer)
{
	double end = now() + hammer->seconds;
	const struct counts *counts = &state.counts;
	bool well = true;

	state.device = device;
	state.random = hammer->seed;
	state.verify = hammer->verify;
	state.pool = -1;
	if (hammer->programs > 1)
		well = run_programs(hammer->programs, end);
	else
		hammer_until(end);
	if (state.pool >= 0)
		call(TMEM_OP_DESTROY_POOL, 0, 0);
	printf("{\"program\":\"hammer\",\"operations\":%" PRIu64 ",\"hits\":%" PRIu64
	       ",\"misses\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"odd\":%" PRIu64
	       ",\"wrong\":%" PRIu64 "}\n",
	       counts->operations, counts->hits, counts->misses, counts->errors, counts->odd,
	       counts->wrong);
	return well && !counts->wrong ? EXIT_SUCCESS : EXIT_FAILURE;
}
