/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the storm share: storm.c reads the options, starts the workers and adds up;
 * worker.c goes over the pages; report.c says what a wrong page holds.
 */
#ifndef TMEM_STORM_H
#define TMEM_STORM_H

#include "pattern.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCESSES_MAX		64
#define REPORTS_MAX		5
/* Set in the generations that a forked child writes, so that they differ from its parent's. */
#define CHILD_GENERATION	0x80000000u

#define EXIT_WRONG		1
#define EXIT_USAGE		2
#define EXIT_DIED		3

/* A fault made on purpose after the first pass, to see that it is found. */
enum fault { FAULT_NONE, FAULT_BIT, FAULT_SWAP, FAULT_STALE, FAULT_ZERO };

struct options {
	uint64_t mib;
	uint32_t passes;	/* 0: until the time is up */
	uint32_t processes;
	uint64_t seed;
	double seconds;		/* 0: no limit */
	bool fork;
	bool shm;
	bool pageout;
	bool thp;		/* ask for huge pages */
	bool no_thp;		/* have none; neither: the kernel decides */
	bool survive;
	bool json;
	bool progress;
	enum fault fault;
};

/* One for each worker and one for its forked children; written by one process at a time. */
struct tally {
	volatile uint64_t written;
	volatile uint64_t verified;
	volatile uint64_t wrong;
	volatile uint64_t lost;
	volatile uint32_t passes;
	volatile bool time_up;
};

struct shared {
	struct tally workers[PROCESSES_MAX];
	struct tally children[PROCESSES_MAX];
	int reports;		/* atomic */
	int children_died;	/* atomic */
};

struct worker {
	uint32_t process;
	uint64_t pages;
	uint64_t *memory;
	uint32_t *generations;
	struct tally *tally;
	bool is_child;
};


extern struct options options;
extern struct shared *shared;
extern double started;		/* by now() */

double now(void);

static inline uint64_t *page_at(const struct worker *worker, uint64_t page)
{
	return worker->memory + page * PAGE_WORDS;
}

static inline uint64_t key_of(const struct worker *worker, uint64_t page, uint32_t generation)
{
	return pattern_key(options.seed, worker->process, page, generation);
}

/* Says on stderr what a wrong page holds; silent after REPORTS_MAX pages of all processes. */
void report_wrong(const struct worker *worker, uint64_t page);

/* The life of one worker process; `process` numbers it from 0. */
__attribute__((noreturn)) void run_worker(uint32_t process);

/* With --survive, locks what the calling process has mapped: only its region shall be lost. */
void keep_in_memory(void);

/* Makes the calling process die when `parent`, its parent, does. */
void die_with_parent(int parent);

#endif
