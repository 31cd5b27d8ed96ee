// SPDX-License-Identifier: MIT
/*
 * A thread of the load by itself: its random numbers and its part of the log.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "load.h"

static __thread struct worker *self;

void worker_act_as(struct worker *worker)
{
	self = worker;
}

/* xorshift64*: from 0 to @limit - 1. */
uint32_t worker_below(struct worker *worker, uint32_t limit)
{
	worker->random ^= worker->random >> 12;
	worker->random ^= worker->random << 25;
	worker->random ^= worker->random >> 27;
	return (uint64_t)(uint32_t)((worker->random * 0x2545f4914f6cdd1dull) >> 32) * limit >> 32;
}

bool worker_one_in(struct worker *worker, uint32_t of)
{
	return !worker_below(worker, of);
}

void worker_flush_records(struct worker *worker)
{
	ssize_t bytes = worker->record_count * sizeof(worker->records[0]);

	/* The file is opened to append: records of two threads do not mix. */
	if (write(worker->load->log, worker->records, bytes) != bytes) {
		perror("the log cannot be written");
		exit(1);
	}
	worker->record_count = 0;
}

void worker_note(struct worker *worker, struct record record)
{
	worker->records[worker->record_count++] = record;
	if (worker->record_count == RECORDS_MAX)
		worker_flush_records(worker);
}

void worker_note_wait(uint64_t begin_ns, uint64_t end_ns)
{
	struct record record = { .begin_ns = begin_ns, .end_ns = end_ns, .kind = RECORD_WAIT };

	worker_note(self, record);
}
