// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/tmem: stats (name and number a line), put_latency and get_latency
 * (nanoseconds and count a line).
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

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
	TMEM_SHOW_COUNTER(file, dev, refused_other);
	TMEM_SHOW_COUNTER(file, dev, gets);
	TMEM_SHOW_COUNTER(file, dev, untold_gets);
	TMEM_SHOW_COUNTER(file, dev, lost);
	TMEM_SHOW_COUNTER(file, dev, flushes);
	TMEM_SHOW_COUNTER(file, dev, flushes_deferred);
	TMEM_SHOW_COUNTER(file, dev, doorbells);
	TMEM_SHOW_COUNTER(file, dev, interrupts);
	TMEM_SHOW_COUNTER(file, dev, sleeps);
	TMEM_SHOW_COUNTER(file, dev, host_errors);
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

void tmem_debugfs_init(void)
{
	tmem_debugfs = debugfs_create_dir("tmem", NULL);
	debugfs_create_file("stats", 0444, tmem_debugfs, NULL, &stats_fops);
	debugfs_create_file("put_latency", 0444, tmem_debugfs, NULL, &put_latency_fops);
	debugfs_create_file("get_latency", 0444, tmem_debugfs, NULL, &get_latency_fops);
}

void tmem_debugfs_exit(void)
{
	debugfs_remove_recursive(tmem_debugfs);
}
