// SPDX-License-Identifier: GPL-2.0-only
/*
 * tmem: hands the pages that Linux swaps out to a host process, over memory shared with it.
 *
 * Load it before swapon. Front ends start after the transport has found a host and stop before it
 * goes. With frontswap the module stays: it has no unregister.
 */
#include <linux/module.h>

#include "tmem.h"

unsigned int tmem_spin_us = 50;
module_param_named(spin_us, tmem_spin_us, uint, 0644);
MODULE_PARM_DESC(spin_us, "microseconds that a wait spins before it sleeps");

unsigned int tmem_put_timeout_ms = 2000;
module_param_named(put_timeout_ms, tmem_put_timeout_ms, uint, 0644);
MODULE_PARM_DESC(put_timeout_ms, "milliseconds that a put waits for the host before it is refused");

unsigned int tmem_get_timeout_ms = 30000;
module_param_named(get_timeout_ms, tmem_get_timeout_ms, uint, 0644);
MODULE_PARM_DESC(get_timeout_ms,
		 "milliseconds that a fault waits for the host, where the kernel lets it fail");

static char *tmem_transport = "auto";
module_param_named(transport, tmem_transport, charp, 0444);
MODULE_PARM_DESC(transport, "way to the host: auto (the first that is there), or a name");

static char *tmem_front_end = "auto";
module_param_named(front_end, tmem_front_end, charp, 0444);
MODULE_PARM_DESC(front_end, "who sends pages: auto (the kernel's swap hook), none, or names");

bool tmem_posted_puts = true;
module_param_named(posted_puts, tmem_posted_puts, bool, 0444);
MODULE_PARM_DESC(posted_puts, "do not wait for the answer to a put, where the host offers that");

bool tmem_direct_gets = true;
module_param_named(direct_gets, tmem_direct_gets, bool, 0444);
MODULE_PARM_DESC(direct_gets, "copy a page from its slot unasked, where the host offers that");

bool tmem_check_pages;
module_param_named(check_pages, tmem_check_pages, bool, 0444);
MODULE_PARM_DESC(check_pages,
		 "keep a check value of each page that is swapped, and fail a load that differs");

static struct tmem_device *tmem_device;

/* The device, or NULL before one was found. Any context. */
struct tmem_device *tmem_the_device(void)
{
	return READ_ONCE(tmem_device);
}

/* Makes @dev the device; NULL takes it back. Returns -EBUSY when there is one already. */
int tmem_device_publish(struct tmem_device *dev)
{
	if (dev && tmem_device)
		return -EBUSY;
	WRITE_ONCE(tmem_device, dev);
	return 0;
}

/* What this module was built with; `auto` takes the first. */
static const struct tmem_front_end *const tmem_front_ends[] = {
#if defined(CONFIG_FRONTSWAP)
	&tmem_frontswap_front_end,
#elif defined(CONFIG_ZSWAP)
	&tmem_zswap_front_end,
#endif
	&tmem_block_front_end,
#if defined(CONFIG_CLEANCACHE)
	&tmem_cleancache_front_end,
#endif
};

static bool tmem_front_end_on[ARRAY_SIZE(tmem_front_ends)];

/* The number of the front end of that name, or a negative errno. */
static int tmem_find_front_end(const char *name)
{
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(tmem_front_ends); i++)
		if (!strcmp(name, "auto") || !strcmp(name, tmem_front_ends[i]->name))
			return i;
	pr_err("tmem: front end '%s' is not in this module: the kernel lacks its hook\n", name);
	return -ENOENT;
}

static void tmem_stop_front_ends(void)
{
	int i = ARRAY_SIZE(tmem_front_ends);

	while (i--)
		if (tmem_front_end_on[i] && tmem_front_ends[i]->exit)
			tmem_front_ends[i]->exit();
}

/*
 * Starts one front end. Where one that cannot be taken back is on already, the module has to stay,
 * so that another's failure is said and no more.
 */
static int __init tmem_start_front_end(int number)
{
	bool pinned = false;
	int ret;
	int i;

	if (tmem_front_end_on[number])
		return 0;
	ret = tmem_front_ends[number]->init();
	if (!ret) {
		tmem_front_end_on[number] = true;
		return 0;
	}
	for (i = 0; i < (int)ARRAY_SIZE(tmem_front_ends); i++)
		pinned |= tmem_front_end_on[i] && !tmem_front_ends[i]->exit;
	if (!pinned)
		return ret;
	pr_err("tmem: goes on without the front end %s (%d)\n", tmem_front_ends[number]->name,
	       ret);
	return 0;
}

/* Starts the front ends that the parameter names, in its order; none when one is not known. */
static int __init tmem_start_front_ends(void)
{
	int numbers[ARRAY_SIZE(tmem_front_ends)];
	unsigned int count = 0;
	char names[64];
	char *rest = names;
	char *name;
	unsigned int i;

	if (strscpy(names, tmem_front_end, sizeof(names)) < 0)
		return -EINVAL;
	while ((name = strsep(&rest, ",")) != NULL) {
		if (!strcmp(name, "none"))
			continue;
		if (count == ARRAY_SIZE(numbers))
			return -EINVAL;
		numbers[count] = tmem_find_front_end(name);
		if (numbers[count] < 0)
			return numbers[count];
		count++;
	}
	for (i = 0; i < count; i++) {
		int ret = tmem_start_front_end(numbers[i]);

		if (ret)
			return ret;
	}
	return 0;
}

/* What this module can reach a host by; `auto` takes the first that finds one. */
static const struct tmem_transport *const tmem_transports[] = {
	&tmem_ivshmem,
	&tmem_serial,
};

static const struct tmem_transport *tmem_transport_on;

static int __init tmem_start_transport(void)
{
	bool known = false;
	int ret;
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(tmem_transports); i++) {
		const struct tmem_transport *transport = tmem_transports[i];

		if (strcmp(tmem_transport, "auto") && strcmp(tmem_transport, transport->name))
			continue;
		known = true;
		ret = transport->init();
		if (ret)
			return ret;
		tmem_transport_on = transport;
		if (tmem_the_device())
			return 0;
		transport->exit();
	}
	if (!known) {
		pr_err("tmem: no transport is called '%s': ivshmem or virtio-serial\n",
		       tmem_transport);
		return -EINVAL;
	}
	pr_err("tmem: no tmem host found (transport=%s): is its device there?\n", tmem_transport);
	return -ENODEV;
}

static int __init tmem_init(void)
{
	int ret;

	ret = tmem_histograms_init();
	if (ret)
		return ret;
	ret = tmem_start_transport();
	if (ret)
		goto free;
	ret = tmem_hypercall_init();
	if (ret)
		goto fail;
	ret = tmem_start_front_ends() ?: tmem_modes_check();
	if (ret)
		goto stop;
	tmem_debugfs_init();
	return 0;
stop:
	tmem_stop_front_ends();
	tmem_hypercall_exit();
fail:
	tmem_transport_on->exit();
free:
	tmem_histograms_exit();
	return ret;
}

static void __exit tmem_exit(void)
{
	tmem_debugfs_exit();
	tmem_stop_front_ends();
	tmem_hypercall_exit();
	tmem_transport_on->exit();
	tmem_histograms_exit();
}

module_init(tmem_init);
module_exit(tmem_exit);
MODULE_DESCRIPTION("Transcendent memory held by a host process");
MODULE_LICENSE("GPL");
