// SPDX-License-Identifier: GPL-2.0-only
/*
 * tmem: hands the pages that Linux swaps out to a host process, over memory shared with it.
 *
 * Load it before swapon. Once a front end has registered, the module stays: frontswap has no
 * unregister.
 */
#include <linux/module.h>

#include "tmem.h"

unsigned int tmem_spin_us = 50;
module_param_named(spin_us, tmem_spin_us, uint, 0644);
MODULE_PARM_DESC(spin_us, "microseconds that a wait spins before it sleeps");

unsigned int tmem_put_timeout_ms = 2000;
module_param_named(put_timeout_ms, tmem_put_timeout_ms, uint, 0644);
MODULE_PARM_DESC(put_timeout_ms, "milliseconds that a put waits for the host before it is refused");

bool tmem_posted_puts = true;
module_param_named(posted_puts, tmem_posted_puts, bool, 0444);
MODULE_PARM_DESC(posted_puts, "do not wait for the answer to a put, where the host offers that");

bool tmem_direct_gets = true;
module_param_named(direct_gets, tmem_direct_gets, bool, 0444);
MODULE_PARM_DESC(direct_gets, "copy a page from its slot unasked, where the host offers that");

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

static int __init tmem_init(void)
{
	int ret;

	ret = tmem_ivshmem_init();
	if (ret)
		return ret;
	if (!tmem_the_device()) {
		pr_err("tmem: no tmem host found: is there an ivshmem-doorbell device?\n");
		ret = -ENODEV;
		goto fail;
	}
	ret = tmem_frontswap_init();
	if (ret)
		goto fail;
	tmem_debugfs_init();
	return 0;
fail:
	tmem_ivshmem_exit();
	return ret;
}

static void __exit tmem_exit(void)
{
	tmem_debugfs_exit();
	tmem_ivshmem_exit();
}

module_init(tmem_init);
module_exit(tmem_exit);
MODULE_DESCRIPTION("Transcendent memory held by a host process");
MODULE_LICENSE("GPL");
