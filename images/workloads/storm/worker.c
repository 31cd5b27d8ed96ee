// SPDX-License-Identifier: MIT
/*
 * One worker of the storm, with the children it forks: fills its region, goes over it in varied
 * order, verifies every page and rewrites a share of them, and in the end verifies all once more.
 *
 * Always holds: `generations` says what each page must hold, before the page is written and after.
 * With --survive the region alone may be swapped, and SIGBUS in it leads back to where the page was
 * about to be touched; anywhere else it ends the process.
 */
#define _GNU_SOURCE
#include "storm.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define REWRITE_SHARE		3	/* one page of three */
#define TIME_CHECK_PAGES	64

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT		21
#endif

static bool time_is_up(void)
{
	return options.seconds > 0 && now() - started >= options.seconds;
}

/* --- Going over the pages -------------------------------------------------------------------- */

/* The page that is being touched, with --survive; where to go on when it is lost. */
static const void *touched;
static sigjmp_buf lost;

/* Nothing moves across: what is done with a page stays between two of these. */
static void touch(const void *page)
{
	__asm__ volatile("" : : : "memory");
	touched = page;
	__asm__ volatile("" : : : "memory");
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (touched && (uintptr_t)info->si_addr - (uintptr_t)touched < PAGE_BYTES)
		siglongjmp(lost, 1);
	signal(number, SIG_DFL);
}

/* Takes a page that cannot be had out of the swap: it is zeros until it is written. */
static void drop_page(struct worker *worker, uint64_t page)
{
	touch(NULL);
	worker->tally->lost++;
	if (!madvise(page_at(worker, page), PAGE_BYTES, MADV_DONTNEED))
		return;
	fprintf(stderr, "storm: MADV_DONTNEED: %s\n", strerror(errno));
	exit(EXIT_DIED);
}

static void write_page(struct worker *worker, uint64_t page, uint32_t generation)
{
	worker->generations[page] = generation;
	if (!options.survive || !sigsetjmp(lost, 0))
		touch(page_at(worker, page));
	else
		drop_page(worker, page);
	pattern_fill(page_at(worker, page), key_of(worker, page, generation));
	touch(NULL);
	worker->tally->written++;
}

/* Whether the page is right; false also for one that is lost, which is neither right nor wrong. */
static bool read_page(struct worker *worker, uint64_t page)
{
	bool right;

	if (options.survive && sigsetjmp(lost, 0)) {
		drop_page(worker, page);
		return false;
	}
	touch(page_at(worker, page));
	right = pattern_matches(page_at(worker, page),
				key_of(worker, page, worker->generations[page]));
	touch(NULL);
	worker->tally->verified++;
	if (right)
		return true;
	worker->tally->wrong++;
	report_wrong(worker, page);
	return false;
}

static uint32_t next_generation(const struct worker *worker, uint64_t page)
{
	uint32_t next = worker->generations[page] + 1;

	return worker->is_child ? next | CHILD_GENERATION : next;
}

static void verify_page(struct worker *worker, uint64_t page)
{
	if (!read_page(worker, page))
		write_page(worker, page, next_generation(worker, page));
}

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/*
 * The orders of passes, in turn: ascending, descending, pseudo-random, strided. Each visits every
 * page once. `bound` is how many steps that takes; a step may give a number past the end, to be
 * skipped.
 */
struct order {
	uint32_t pass;
	uint64_t pages;
	uint64_t bound;
	uint64_t stride;
	unsigned int bits;
};

static struct order make_order(uint32_t pass, uint64_t pages)
{
	struct order order = { .pass = pass, .pages = pages, .bound = pages, .stride = 61 };

	while (greatest_common_divisor(order.stride, pages) != 1)
		order.stride++;
	while (1ull << order.bits < pages)
		order.bits++;
	if (pass % 4 == 2)
		order.bound = 1ull << order.bits;
	return order;
}

static uint64_t order_step(const struct order *order, uint64_t step)
{
	uint64_t mask = order->bound - 1;

	switch (order->pass % 4) {
	case 0:
		return step;
	case 1:
		return order->pages - 1 - step;
	case 3:
		return step * order->stride % order->pages;
	default:
		/* Each line is a bijection on `bits` bits. */
		step = (step * (pattern_mix(order->pass) | 1)) & mask;
		step ^= step >> (order->bits / 2 + 1);
		step = (step * (pattern_mix(options.seed) | 1)) & mask;
		return step ^ step >> (order->bits / 2 + 1);
	}
}

static void run_pass(struct worker *worker, uint32_t pass)
{
	struct order order = make_order(pass, worker->pages);
	uint64_t step;

	for (step = 0; step < order.bound; step++) {
		uint64_t page = order_step(&order, step);

		if (page >= worker->pages)
			continue;
		if (step % TIME_CHECK_PAGES == 0 && time_is_up()) {
			worker->tally->time_up = true;
			return;
		}
		verify_page(worker, page);
		if (pattern_mix(page ^ (uint64_t)pass << 40) % REWRITE_SHARE == 0)
			write_page(worker, page, next_generation(worker, page));
	}
}

static void verify_all(struct worker *worker)
{
	uint64_t page;

	for (page = 0; page < worker->pages; page++)
		verify_page(worker, page);
}

static void push_out(const struct worker *worker)
{
	if (!options.pageout)
		return;
	if (madvise(worker->memory, worker->pages * PAGE_BYTES, MADV_PAGEOUT)) {
		fprintf(stderr, "storm: MADV_PAGEOUT: %s; it needs Linux 5.4\n", strerror(errno));
		exit(EXIT_DIED);
	}
}

/* --- Processes ------------------------------------------------------------------------------- */

void die_with_parent(int parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_DIED);
}

void keep_in_memory(void)
{
	if (!options.survive || !mlockall(MCL_CURRENT))
		return;
	fprintf(stderr, "storm: locking memory: %s\n", strerror(errno));
	exit(EXIT_DIED);
}

static void *map_memory(uint64_t bytes)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	int fd = -1;
	void *memory;

	if (options.shm) {
		flags = MAP_SHARED;
		fd = memfd_create("storm", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, bytes)) {
			fprintf(stderr, "storm: shared memory: %s\n", strerror(errno));
			exit(EXIT_DIED);
		}
	}
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);
	if (memory == MAP_FAILED) {
		fprintf(stderr, "storm: mapping %llu bytes: %s\n", (unsigned long long)bytes,
			strerror(errno));
		exit(EXIT_DIED);
	}
	if (options.thp && madvise(memory, bytes, MADV_HUGEPAGE)) {
		fprintf(stderr, "storm: MADV_HUGEPAGE: %s\n", strerror(errno));
		exit(EXIT_DIED);
	}
	/* A kernel without huge pages refuses what it does anyway. */
	if (options.no_thp)
		madvise(memory, bytes, MADV_NOHUGEPAGE);
	if (fd >= 0)
		close(fd);
	return memory;
}

/* The child shares all pages copy-on-write, rewrites its own third, and verifies all, twice. */
static pid_t fork_child(const struct worker *parent, uint32_t pass)
{
	struct worker worker = *parent;
	pid_t self = getpid();
	pid_t pid = fork();

	if (pid < 0) {
		fprintf(stderr, "storm: fork: %s\n", strerror(errno));
		exit(EXIT_DIED);
	}
	if (pid)
		return pid;
	die_with_parent(self);
	worker.is_child = true;
	worker.tally = &shared->children[parent->process];
	run_pass(&worker, pass + 1);
	push_out(&worker);
	verify_all(&worker);
	_exit(0);
}

static void wait_child(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return;
	if (status)
		__atomic_fetch_add(&shared->children_died, 1, __ATOMIC_RELAXED);
}

/* Spoils page 1 in the way asked for; needs two pages, and a page that is not all zero. */
static void inject_fault(struct worker *worker)
{
	uint64_t *page = page_at(worker, 1);
	uint64_t other[PAGE_WORDS];
	uint32_t generation = worker->generations[1] + 1;

	/* Of a page that must be zero one could not tell whether it is the right one. */
	while (pattern_kind(key_of(worker, 1, generation)) != PAGE_RANDOM ||
	       pattern_kind(key_of(worker, 1, generation - 1)) != PAGE_RANDOM)
		generation++;
	write_page(worker, 1, generation);
	switch (options.fault) {
	case FAULT_BIT:
		page[PAGE_WORDS - 1] ^= 1ull << 63;
		break;
	case FAULT_SWAP:
		memcpy(other, page, PAGE_BYTES);
		memcpy(page, page_at(worker, 0), PAGE_BYTES);
		memcpy(page_at(worker, 0), other, PAGE_BYTES);
		break;
	case FAULT_STALE:
		pattern_fill(page, key_of(worker, 1, generation - 1));
		break;
	case FAULT_ZERO:
		memset(page, 0, PAGE_BYTES);
		break;
	case FAULT_NONE:
		break;
	}
}

static void fill(struct worker *worker)
{
	uint64_t page;

	for (page = 0; page < worker->pages; page++) {
		if (page % TIME_CHECK_PAGES == 0 && time_is_up()) {
			worker->tally->time_up = true;
			worker->pages = page;
			return;
		}
		write_page(worker, page, 0);
	}
}

void run_worker(uint32_t process)
{
	struct worker worker = { .process = process, .tally = &shared->workers[process] };
	uint32_t pass;

	worker.pages = options.mib * (1 << 20) / PAGE_BYTES / options.processes;
	worker.generations = calloc(worker.pages, sizeof(*worker.generations));
	if (!worker.generations) {
		fprintf(stderr, "storm: no memory for the table of generations\n");
		exit(EXIT_DIED);
	}
	if (options.survive) {
		struct sigaction action = { .sa_sigaction = on_sigbus };

		action.sa_flags = SA_SIGINFO | SA_NODEFER;
		sigaction(SIGBUS, &action, NULL);
		keep_in_memory();
	}
	worker.memory = map_memory(worker.pages * PAGE_BYTES);
	fill(&worker);
	for (pass = 0; !worker.tally->time_up; pass++) {
		pid_t child = 0;

		if (options.passes && pass == options.passes)
			break;
		push_out(&worker);
		if (options.fork)
			child = fork_child(&worker, pass);
		run_pass(&worker, pass);
		if (child)
			wait_child(child);
		if (!pass && options.fault)
			inject_fault(&worker);
		if (!worker.tally->time_up)
			worker.tally->passes++;
	}
	push_out(&worker);
	verify_all(&worker);
	exit(0);
}
