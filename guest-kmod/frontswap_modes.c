// SPDX-License-Identifier: GPL-2.0-only
/*
 * What frontswap could do up to 5.16 beside keeping pages: writethrough, exclusive gets, shrink. A
 * kernel or a front end that cannot refuses to go on, so that nobody believes to have what he asked
 * for.
 *
 * writethrough: frontswap_store() tells the kernel of a failure although we have the page, so the
 * disk below has it too and a load may fail. exclusive_gets: a page that was loaded is dirty and no
 * longer frontswap's, and no invalidate follows, so we must drop it ourselves. Both are the
 * kernel's for all backends and are set once, right before we register, which cannot fail there.
 *
 * shrink: pages come back into memory without being faulted, and leave us, a partial swapoff.
 * Process context, sleeps long.
 */
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "tmem.h"

/* Pages that one call asks for: they are few, so that it sees a signal soon. */
#define TMEM_SHRINK_BATCH	256ul
/* A shrink that has moved no page for this long is called off. */
#define TMEM_SHRINK_PATIENCE	(5 * HZ)

bool tmem_writethrough;
module_param_named(writethrough, tmem_writethrough, bool, 0444);
MODULE_PARM_DESC(writethrough, "frontswap up to 5.16: each page goes to the disk below too");

bool tmem_exclusive_gets;
module_param_named(exclusive_gets, tmem_exclusive_gets, bool, 0444);
MODULE_PARM_DESC(exclusive_gets, "frontswap up to 5.16: a page that is loaded leaves the host");

/* The kernel's table of swap areas; set before frontswap knows us. */
struct swap_info_struct **tmem_swap_info;

/* Tells frontswap of the modes, which tmem_modes_check() has let pass. Process context. */
void tmem_modes_set(void)
{
	tmem_frontswap_set_modes(tmem_writethrough, tmem_exclusive_gets);
}

/*
 * Whether the modes that were asked for can be had, with the front end @frontswap or without.
 * Returns 0 or -EOPNOTSUPP, said in the log.
 */
int tmem_modes_check(bool frontswap)
{
	if ((frontswap && tmem_frontswap_has_modes()) ||
	    !(tmem_writethrough || tmem_exclusive_gets))
		return 0;
	pr_err("tmem: %s needs the front end frontswap and a kernel up to 5.16\n",
	       tmem_writethrough ? "writethrough=1" : "exclusive_gets=1");
	return -EOPNOTSUPP;
}

/* Calls a shrink off that gets nowhere: the kernel's own loop ends only at a signal. */
struct tmem_shrink_watch {
	struct delayed_work work;	/* looks now and then */
	struct task_struct *task;	/* who shrinks */
	unsigned long held;		/* pages at the last look */
	bool called_off;
};

static void tmem_shrink_look(struct work_struct *work)
{
	struct tmem_shrink_watch *watch = container_of(to_delayed_work(work),
						       struct tmem_shrink_watch, work);
	unsigned long held = tmem_frontswap_held();

	/* No signal is sent: the task finds none when it looks, and goes on in user space. */
	if (held == watch->held) {
		WRITE_ONCE(watch->called_off, true);
		set_tsk_thread_flag(watch->task, TIF_SIGPENDING);
	}
	watch->held = held;
	schedule_delayed_work(&watch->work, TMEM_SHRINK_PATIENCE);
}

/*
 * Pages of the one area that a shrink looks at: that of the highest priority. Of several such, the
 * one with the fewest, since we cannot tell which it is.
 */
static unsigned long tmem_shrinkable(void)
{
	unsigned long least = 0;
	int highest = SHRT_MIN;
	unsigned int type;

	for (type = 0; type < MAX_SWAPFILES; type++) {
		struct swap_info_struct *info = READ_ONCE(tmem_swap_info[type]);
		unsigned long pages;

		if (!info || !(READ_ONCE(info->flags) & SWP_WRITEOK) || info->prio < highest)
			continue;
		pages = tmem_frontswap_held_of(info);
		least = info->prio > highest ? pages : min(least, pages);
		highest = info->prio;
	}
	return least;
}

/*
 * Tries in a row that may leave as many pages as there were: the kernel frees the swap slots of
 * those that it brought back many at a time (mm/swap_slots.c), and until then frontswap holds them.
 */
static unsigned int tmem_shrink_tries(void)
{
	return tmem_swap_slots_batch() * num_online_cpus();
}

/*
 * Has pages brought back into memory until frontswap holds @target, but for one. Asked for all
 * pages of an area, or for more than there are, the kernel would try for ever (mm/swapfile.c,
 * try_to_unuse()), so it is asked for half of them at most. May sleep, for long. Returns 0; -EINTR;
 * -EAGAIN when no page can be brought back; -ENOMEM when there is no room for any; -EOPNOTSUPP.
 */
int tmem_shrink(u64 target)
{
	struct tmem_shrink_watch watch = { .task = current };
	unsigned int futile = 0;
	int ret = 0;

	if (!tmem_swap_info || !tmem_frontswap_can_shrink() || tmem_exclusive_gets) {
		pr_err("tmem: shrink needs frontswap without exclusive gets, on a kernel up to 5.16\n");
		return -EOPNOTSUPP;
	}
	INIT_DELAYED_WORK_ONSTACK(&watch.work, tmem_shrink_look);
	watch.held = tmem_frontswap_held();
	schedule_delayed_work(&watch.work, TMEM_SHRINK_PATIENCE);
	while (!ret) {
		unsigned long held = tmem_frontswap_held();
		unsigned long batch;

		if (held <= max_t(u64, target, 1))
			break;
		batch = min(held - (unsigned long)target, tmem_shrinkable() / 2);
		batch = min(batch, TMEM_SHRINK_BATCH);
		if (batch)
			tmem_frontswap_shrink(held - batch);
		futile = tmem_frontswap_held() < held ? 0 : futile + 1;
		if (READ_ONCE(watch.called_off) || !batch)
			ret = -EAGAIN;
		else if (signal_pending(current))
			ret = -EINTR;
		else if (futile == tmem_shrink_tries())
			ret = -ENOMEM;
	}
	cancel_delayed_work_sync(&watch.work);
	destroy_delayed_work_on_stack(&watch.work);
	return ret;
}
