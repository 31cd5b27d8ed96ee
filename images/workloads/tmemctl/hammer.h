/* SPDX-License-Identifier: MIT */
/*
 * What tmemctl.c knows of the hammer.
 */
#ifndef TMEM_HAMMER_H
#define TMEM_HAMMER_H

#include <stdbool.h>
#include <stdint.h>

#define HAMMER_PROGRAMS_MAX	64

struct hammer {
	double seconds;
	uint64_t seed;
	bool verify;	/* the host is honest: what it says must be so */
	unsigned int programs;	/* that use the same few keys at once; 0 is 1 */
};

/* Runs it on an open device. Returns the process's exit code. */
int run_hammer(int device, const struct hammer *hammer);

#endif
