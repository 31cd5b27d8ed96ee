// SPDX-License-Identifier: GPL-2.0-only
/*
 * Latency histograms: per-CPU counts, eight buckets for each power of two of nanoseconds. They are
 * made as the module starts: all modules together have 8 KiB of per-CPU memory of their own.
 */
#include <linux/bits.h>
#include <linux/log2.h>
#include <linux/percpu.h>
#include <linux/seq_file.h>

#include "tmem.h"

#define TMEM_SUB_BITS	3
#define TMEM_SUBS	BIT(TMEM_SUB_BITS)
/* Up to 2^40 ns, about 18 minutes; longer ones count in the last bucket. */
#define TMEM_BUCKETS	(38 * TMEM_SUBS)

struct tmem_histogram {
	u64 buckets[TMEM_LATENCIES][TMEM_BUCKETS];	/* counts */
};

static struct tmem_histogram __percpu *tmem_histograms;

static u32 tmem_bucket(u64 ns)
{
	u32 shift;

	if (ns < TMEM_SUBS)
		return ns;
	shift = ilog2(ns) - TMEM_SUB_BITS;
	return min_t(u64, (u64)(shift + 1) * TMEM_SUBS + ((ns >> shift) & (TMEM_SUBS - 1)),
		     TMEM_BUCKETS - 1);
}

/* The least number of nanoseconds that a bucket counts. */
static u64 tmem_bucket_floor(u32 bucket)
{
	if (bucket < TMEM_SUBS)
		return bucket;
	return (u64)(TMEM_SUBS + bucket % TMEM_SUBS) << (bucket / TMEM_SUBS - 1);
}

/* May sleep. Before any operation. */
int tmem_histograms_init(void)
{
	tmem_histograms = alloc_percpu(struct tmem_histogram);
	return tmem_histograms ? 0 : -ENOMEM;
}

/* May sleep. No operation is under way, and none comes. */
void tmem_histograms_exit(void)
{
	free_percpu(tmem_histograms);
}

/* Any context. */
void tmem_histogram_add(enum tmem_latency which, u64 ns)
{
	this_cpu_inc(tmem_histograms->buckets[which][tmem_bucket(ns)]);
}

/* One line a bucket that is not empty: its floor in nanoseconds, its count. */
void tmem_histogram_show(struct seq_file *file, enum tmem_latency which)
{
	u32 bucket;

	for (bucket = 0; bucket < TMEM_BUCKETS; bucket++) {
		u64 count = 0;
		int cpu;

		for_each_possible_cpu(cpu)
			count += per_cpu_ptr(tmem_histograms, cpu)->buckets[which][bucket];
		if (count)
			seq_printf(file, "%llu %llu\n", tmem_bucket_floor(bucket), count);
	}
}
