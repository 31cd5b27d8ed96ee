// SPDX-License-Identifier: GPL-2.0-only
/*
 * The smallest module that proves it was built for the running kernel and loaded: it says so in the
 * kernel log.
 */
#include <linux/module.h>

static int __init fixture_init(void)
{
	pr_info("fixture: loaded\n");
	return 0;
}

static void __exit fixture_exit(void)
{
	pr_info("fixture: unloaded\n");
}

module_init(fixture_init);
module_exit(fixture_exit);

MODULE_DESCRIPTION("Proves that a module was built for this kernel");
MODULE_LICENSE("GPL");
