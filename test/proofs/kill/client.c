// SPDX-License-Identifier: MIT
/*
 * A guest without a kernel, to kill stores under: client BYTES QUEUES FEATURES THREADS KEYS SEED
 *
 * Descriptors: 3 the region, of BYTES; 4 the eventfd that wakes the host; 5 the log, opened to
 * append; from 6 on one a queue that the host rings. Works until its standard input ends, reads
 * everything back, flushes, and prints one JSON object of numbers. Ends with the process that
 * started it. Exit codes: 0, or 1 when it could not do its work; wrong pages are numbers.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "load.h"

#define REGION_FD	3
#define DOORBELL_FD	4
#define LOG_FD		5
#define FIRST_VECTOR_FD	6

static struct guest guest;
/* One a thread, and the last the main thread's. */
static struct worker workers[THREADS_MAX + 1];

static const char *const names[COUNTS] = {
	[COUNT_PUTS] = "puts",
	[COUNT_REFUSED_WHILE_DOWN] = "refusedWhileDown",
	[COUNT_REFUSED_WITHOUT_CREDIT] = "refusedWithoutCredit",
	[COUNT_REFUSED_BY_HOST] = "refusedByHost",
	[COUNT_GETS] = "gets",
	[COUNT_DIRECT_GETS] = "directGets",
	[COUNT_FLUSHES] = "flushes",
	[COUNT_OBJECT_FLUSHES] = "objectFlushes",
	[COUNT_POOLS] = "pools",
	[COUNT_VERIFIED] = "verified",
	[COUNT_EPHEMERAL_MISSES] = "ephemeralMisses",
	[COUNT_LOST] = "lost",
	[COUNT_STALE] = "stale",
	[COUNT_TORN] = "torn",
	[COUNT_FOREIGN] = "foreign",
	[COUNT_WRONG_RESULTS] = "wrongResults",
	[COUNT_TIMEOUTS] = "timeouts",
};

static void report(uint32_t count_of_workers)
{
	uint64_t sum;
	uint32_t i;
	int count;

	printf("{");
	for (count = 0; count < COUNTS; count++) {
		sum = 0;
		for (i = 0; i < count_of_workers; i++)
			sum += workers[i].counts[count];
		printf("\"%s\":%llu,", names[count], (unsigned long long)sum);
	}
	printf("\"hostErrors\":%llu,", (unsigned long long)guest.host_errors);
	printf("\"doorbells\":%llu,", (unsigned long long)guest.doorbells);
	printf("\"hand\":%u,\"cutOff\":%d}\n", guest.hand_count, guest_is_cut_off(&guest));
}

static void wait_for_end_of_input(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0 || errno == EINTR)
		;
}

static int run(struct load *load, uint64_t seed)
{
	struct worker *last = &workers[load->threads];
	pthread_t threads[THREADS_MAX];
	pthread_t interrupts;
	uint32_t i;

	for (i = 0; i <= load->threads; i++) {
		workers[i].load = load;
		workers[i].number = i;
		workers[i].random = (seed + 1) * 0x9e3779b97f4a7c15ull + i;
	}
	worker_act_as(last);
	guest.on_wait = worker_note_wait;
	if (pthread_create(&interrupts, NULL, guest_interrupts, &guest) || load_begin(load, last)) {
		fprintf(stderr, "no thread, no memory or no pools\n");
		return 1;
	}
	for (i = 0; i < load->threads; i++)
		if (pthread_create(&threads[i], NULL, load_run, &workers[i]))
			return 1;
	wait_for_end_of_input();
	__atomic_store_n(&load->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < load->threads; i++)
		pthread_join(threads[i], NULL);
	load_end(load, last);
	if (guest_drain(&guest, WAIT_NS_MAX))
		last->counts[COUNT_TIMEOUTS]++;
	report(load->threads + 1);
	return 0;
}

int main(int argc, char **argv)
{
	struct load load = { .guest = &guest, .log = LOG_FD };
	int vectors[GUEST_QUEUES_MAX];
	uint32_t queues;
	uint32_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc != 7) {
		fprintf(stderr, "usage: client BYTES QUEUES FEATURES THREADS KEYS SEED\n");
		return 1;
	}
	queues = strtoul(argv[2], NULL, 10);
	load.threads = strtoul(argv[4], NULL, 10);
	load.key_count = strtoul(argv[5], NULL, 10);
	if (queues > GUEST_QUEUES_MAX || load.threads > THREADS_MAX ||
	    load.key_count % OBJECT_PAGES ||
	    load.key_count / OBJECT_PAGES < SHARED_OBJECTS + load.threads) {
		fprintf(stderr, "too many queues or threads, or too few keys\n");
		return 1;
	}
	for (i = 0; i < queues; i++)
		vectors[i] = FIRST_VECTOR_FD + i;
	if (guest_open(&guest, REGION_FD, strtoull(argv[1], NULL, 10), DOORBELL_FD, vectors,
		       queues))
		return 1;
	if (guest_attach(&guest, strtoul(argv[3], NULL, 10))) {
		fprintf(stderr, "the host does not serve\n");
		return 1;
	}
	return run(&load, strtoull(argv[6], NULL, 10));
}
