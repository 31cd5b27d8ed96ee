// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module that is loaded to make trouble, of the kind that its parameter names: a test looks what
 * is made of it.
 */
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/processor.h>
#include <linux/string.h>

static char *kind = "";
module_param(kind, charp, 0400);
MODULE_PARM_DESC(kind, "warn, oops or spin");

/* Process context; interrupts stay off for ever, so that nothing but an NMI comes through. */
static noinline void trouble_spin(void)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
}

static noinline void trouble_oops(void)
{
	*(volatile int *)16 = 1;
}

static int __init trouble_init(void)
{
	if (!strcmp(kind, "warn"))
		WARN(1, "a warning that was asked for\n");
	else if (!strcmp(kind, "oops"))
		trouble_oops();
	else if (!strcmp(kind, "spin"))
		trouble_spin();
	return -EINVAL;
}
module_init(trouble_init);

MODULE_DESCRIPTION("Trouble for tests");
MODULE_LICENSE("GPL");
