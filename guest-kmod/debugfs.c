// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/tmem: stats (name and number a line), put_latency and get_latency
 * (nanoseconds and count a line), shrink (pages of frontswap's; written, how many it shall hold).
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "compat.h"
#include "tmem.h"

static struct dentry *tmem_debugfs;

#define TMEM_SHOW_COUNTER(file, dev, name) \
	seq_printf(file, #name " %lld\n", atomic64_read(&(dev)->counters.name))

static int stats_show(struct seq_file *file, void *unused)
{
	struct tmem_device *dev = tmem_the_device();

	if (!dev)
		return 0;
	TMEM_SHOW_COUNTER(file, dev, puts);
	TMEM_SHOW_COUNTER(file, dev, refused_credit);
	TMEM_SHOW_COUNTER(file, dev, refused_host);
	TMEM_SHOW_COUNTER(file, dev, refused_huge);
	TMEM_SHOW_COUNTER(file, dev, refused_off);
	TMEM_SHOW_COUNTER(file, dev, refused_pending);
	TMEM_SHOW_COUNTER(file, dev, refused_other);
	TMEM_SHOW_COUNTER(file, dev, written_through);
	TMEM_SHOW_COUNTER(file, dev, gets);
	TMEM_SHOW_COUNTER(file, dev, untold_gets);
	TMEM_SHOW_COUNTER(file, dev, failed_over);
	TMEM_SHOW_COUNTER(file, dev, lost);
	TMEM_SHOW_COUNTER(file, dev, gets_mismatched);
	TMEM_SHOW_COUNTER(file, dev, flushes);
	TMEM_SHOW_COUNTER(file, dev, flushes_deferred);
	TMEM_SHOW_COUNTER(file, dev, ephemeral_puts);
	TMEM_SHOW_COUNTER(file, dev, ephemeral_refused);
	TMEM_SHOW_COUNTER(file, dev, ephemeral_gets);
	TMEM_SHOW_COUNTER(file, dev, ephemeral_misses);
	TMEM_SHOW_COUNTER(file, dev, ephemeral_unasked);
	TMEM_SHOW_COUNTER(file, dev, ephemeral_flushes);
	TMEM_SHOW_COUNTER(file, dev, ephemeral_object_flushes);
	TMEM_SHOW_COUNTER(file, dev, voided);
	TMEM_SHOW_COUNTER(file, dev, doorbells);
	TMEM_SHOW_COUNTER(file, dev, interrupts);
	TMEM_SHOW_COUNTER(file, dev, sleeps);
	TMEM_SHOW_COUNTER(file, dev, host_errors);
	TMEM_SHOW_COUNTER(file, dev, disk_reads);
	TMEM_SHOW_COUNTER(file, dev, disk_reads_refused);
	seq_printf(file, "features %u\n", dev->features);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static int put_latency_show(struct seq_file *file, void *unused)
{
	tmem_histogram_show(file, TMEM_LATENCY_PUT);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(put_latency);

static int get_latency_show(struct seq_file *file, void *unused)
{
	tmem_histogram_show(file, TMEM_LATENCY_GET);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(get_latency);

/* Read: pages that frontswap holds. Written: how many it shall hold; see tmem_shrink(). */
static int tmem_shrink_get(void *unused, u64 *pages)
{
	*pages = tmem_frontswap_held();
	return 0;
}

static int tmem_shrink_set(void *unused, u64 target)
{
	return tmem_shrink(target);
}
DEFINE_DEBUGFS_ATTRIBUTE(tmem_shrink_fops, tmem_shrink_get, tmem_shrink_set, "%llu\n");

void tmem_debugfs_init(void)
{
	tmem_debugfs = debugfs_create_dir("tmem", NULL);
	debugfs_create_file("stats", 0444, tmem_debugfs, NULL, &stats_fops);
	debugfs_create_file("shrink", 0600, tmem_debugfs, NULL, &tmem_shrink_fops);
	debugfs_create_file("put_latency", 0444, tmem_debugfs, NULL, &put_latency_fops);
	debugfs_create_file("get_latency", 0444, tmem_debugfs, NULL, &get_latency_fops);
}

void tmem_debugfs_exit(void)
{
	debugfs_remove_recursive(tmem_debugfs);
}
