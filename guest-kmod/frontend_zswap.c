// SPDX-License-Identifier: GPL-2.0-only
/*
 * The zswap hook: Linux from 6.9 on, which has no frontswap. ftrace leads the calls of zswap's
 * entry points here; swap types that went on with us in place are ours, others go on to zswap.
 *
 * Meaning is frontswap's: a page that we hold is loaded from us or the fault fails, and a refused
 * store leaves no older copy. A folio of any order is stored page by page, whole or not at all, and
 * loaded a page at a time: no fault reads a large one once zswap was on (mm/memory.c,
 * alloc_swap_folio()). The page stays with us after a load: it is left clean, so that the next
 * reclaim drops it without a write, and invalidate comes when its slot is freed. A zero-filled page
 * never comes here (mm/page_io.c, zeromap), and its bit is looked at before us.
 *
 * Contexts (mm/page_io.c, mm/swapfile.c of 6.12): swapon and swapoff may sleep; store and load may
 * sleep, with the folio locked, inside reclaim or a fault; invalidate comes under spinlocks. Each
 * type that is on holds the module. A replacement that sleeps is in no RCU section, so each counts
 * itself in and out, and exit waits for the count.
 */
#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/jump_label.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/rcupdate.h>
#include <linux/swap.h>
#include <linux/swapops.h>

#include "compat.h"
#include "tmem.h"

/* zswap's own functions, found by name. Our calls reach them: see tmem_zswap_divert(). */
static struct {
	bool (*store)(struct folio *folio);
	TMEM_ZSWAP_LOAD (*load)(struct folio *folio);
	void (*invalidate)(swp_entry_t entry);
	int (*swapon)(int type, unsigned long pages);
	void (*swapoff)(int type);
} tmem_zswap;

/* Replacements that run. */
static atomic_t tmem_zswap_inside;

/* A type counts as ours from swapon to swapoff, whether or not it got a pool. */
static bool tmem_zswap_ours[MAX_SWAPFILES];

static void tmem_zswap_enter(void)
{
	atomic_inc(&tmem_zswap_inside);
}

/*
 * Also keeps the call before it from becoming a jump: the callback tells our calls by their return
 * address.
 */
static void tmem_zswap_leave(void)
{
	/* What the replacement did, before it is gone. */
	smp_mb__before_atomic();
	atomic_dec(&tmem_zswap_inside);
}

/*
 * Drops what we have of a folio's pages: of its first ones what was put just now, of the others
 * what is older than the disk's will be.
 */
static void tmem_zswap_forget(unsigned int type, pgoff_t offset, long pages)
{
	while (pages--)
		tmem_area_forget(type, offset++);
}

/*
 * Takes all pages of a folio or none: what is not taken the kernel writes to the disk whole. No
 * page of a folio for which there are too few credits is put, only to be dropped again.
 */
static bool tmem_zswap_take(unsigned int type, pgoff_t offset, struct folio *folio)
{
	struct tmem_device *dev = tmem_the_device();
	long pages = folio_nr_pages(folio);
	long i;

	if (pages > 1 && !tmem_credits_suffice(dev, pages)) {
		atomic64_add(pages, &dev->counters.refused_credit);
		tmem_zswap_forget(type, offset, pages);
		return false;
	}
	for (i = 0; i < pages; i++) {
		if (tmem_area_store(type, offset + i, folio_page(folio, i))) {
			atomic64_add(pages - 1, &dev->counters.refused_huge);
			tmem_zswap_forget(type, offset, pages);
			return false;
		}
		cond_resched();
	}
	return true;
}

/* swap_writepage(): folio locked, in reclaim. */
static bool tmem_zswap_store(struct folio *folio)
{
	unsigned int type = swp_type(folio->swap);
	bool stored;

	tmem_zswap_enter();
	if (READ_ONCE(tmem_zswap_ours[type]))
		stored = tmem_zswap_take(type, swp_offset(folio->swap), folio);
	else
		stored = tmem_zswap.store(folio);
	tmem_zswap_leave();
	return stored;
}

/* Loads all pages of a folio of ours, or none. */
static enum tmem_load tmem_zswap_fill(struct folio *folio)
{
	unsigned int type = swp_type(folio->swap);
	pgoff_t offset = swp_offset(folio->swap);
	long pages = folio_nr_pages(folio);
	long filled = 0;
	long i;

	for (i = 0; i < pages; i++) {
		switch (tmem_area_load(type, offset + i, folio_page(folio, i), true)) {
		case TMEM_LOAD_FILLED:
			filled++;
			break;
		case TMEM_LOAD_FAILED:
			return TMEM_LOAD_FAILED;
		case TMEM_LOAD_ABSENT:
			break;
		}
	}
	if (!filled)
		return TMEM_LOAD_ABSENT;
	/* Some here, some on disk: nobody can put that together. */
	return filled == pages ? TMEM_LOAD_FILLED : TMEM_LOAD_FAILED;
}

/* swap_read_folio(): folio locked, in a fault, in readahead or in swapoff. */
static TMEM_ZSWAP_LOAD tmem_zswap_load(struct folio *folio)
{
	TMEM_ZSWAP_LOAD ret;

	tmem_zswap_enter();
	if (!READ_ONCE(tmem_zswap_ours[swp_type(folio->swap)]))
		ret = tmem_zswap.load(folio);
	else
		ret = tmem_zswap_loaded(folio, tmem_zswap_fill(folio));
	tmem_zswap_leave();
	return ret;
}

/* A swap slot is free again: under spinlocks. */
static void tmem_zswap_invalidate(swp_entry_t entry)
{
	tmem_zswap_enter();
	if (READ_ONCE(tmem_zswap_ours[swp_type(entry)]))
		tmem_area_forget(swp_type(entry), swp_offset(entry));
	else
		tmem_zswap.invalidate(entry);
	tmem_zswap_leave();
}

/* swapon: may sleep; nothing is swapped to the type yet. */
static int tmem_zswap_swapon(int type, unsigned long pages)
{
	int ret;

	tmem_zswap_enter();
	ret = tmem_zswap.swapon(type, pages);
	if (!ret && try_module_get(THIS_MODULE)) {
		tmem_area_on(type, pages);
		WRITE_ONCE(tmem_zswap_ours[type], true);
	}
	tmem_zswap_leave();
	return ret;
}

/* swapoff, after every page has been read back; or a swapon that failed late. May sleep. */
static void tmem_zswap_swapoff(int type)
{
	tmem_zswap_enter();
	if (READ_ONCE(tmem_zswap_ours[type])) {
		WRITE_ONCE(tmem_zswap_ours[type], false);
		tmem_area_off(type);
		module_put(THIS_MODULE);
	}
	tmem_zswap.swapoff(type);
	tmem_zswap_leave();
}

/* What is taken the place of. */
static struct tmem_zswap_hook {
	const char *name;	/* the kernel's function */
	void *replacement;	/* ours */
	void *real;		/* where a pointer to the kernel's goes */
	struct ftrace_ops ops;	/* leads the one to the other */
} tmem_zswap_hooks[] = {
	{ .name = "zswap_store", .replacement = tmem_zswap_store, .real = &tmem_zswap.store },
	{ .name = "zswap_load", .replacement = tmem_zswap_load, .real = &tmem_zswap.load },
	{ .name = "zswap_invalidate", .replacement = tmem_zswap_invalidate,
	  .real = &tmem_zswap.invalidate },
	{ .name = "zswap_swapon", .replacement = tmem_zswap_swapon, .real = &tmem_zswap.swapon },
	{ .name = "zswap_swapoff", .replacement = tmem_zswap_swapoff, .real = &tmem_zswap.swapoff },
};

/* At the function's entry, preemption off: goes on in the replacement unless we are the caller. */
static void notrace tmem_zswap_divert(unsigned long ip, unsigned long parent_ip,
				      struct ftrace_ops *ops, struct ftrace_regs *regs)
{
	struct tmem_zswap_hook *hook = container_of(ops, struct tmem_zswap_hook, ops);

	if (!within_module(parent_ip, THIS_MODULE))
		ftrace_regs_set_instruction_pointer(regs, (unsigned long)hook->replacement);
}

/* Takes the first @count hooks away and waits until nothing of ours runs. May sleep. */
static void tmem_zswap_unhook(unsigned int count)
{
	while (count--) {
		struct tmem_zswap_hook *hook = &tmem_zswap_hooks[count];

		unregister_ftrace_function(&hook->ops);
		ftrace_set_filter(&hook->ops, NULL, 0, 1);
	}
	/* Who was diverted before is counted in after this, or gone. */
	synchronize_rcu_tasks();
	while (atomic_read(&tmem_zswap_inside))
		msleep(20);
	/* Who has counted itself out returns from our text meanwhile. */
	synchronize_rcu_tasks();
}

static int tmem_zswap_hook(struct tmem_zswap_hook *hook, unsigned long address)
{
	int ret;

	*(void **)hook->real = (void *)address;
	hook->ops.func = tmem_zswap_divert;
	hook->ops.flags = FTRACE_OPS_FL_IPMODIFY | TMEM_FTRACE_FLAGS;
	ret = ftrace_set_filter_ip(&hook->ops, address, 0, 0);
	if (ret)
		return ret;
	ret = register_ftrace_function(&hook->ops);
	if (ret)
		ftrace_set_filter(&hook->ops, NULL, 0, 1);
	return ret;
}

/* While zswap was never on, faults may read folios whose pages lie in part with us. May sleep. */
static void tmem_zswap_forbid_large(tmem_lookup_t lookup)
{
	struct static_key *key = (void *)lookup("zswap_ever_enabled");

	if (key)
		static_key_enable(key);
}

static int tmem_zswap_init(void)
{
	tmem_lookup_t lookup = tmem_find_lookup();
	unsigned int i;
	int ret;

	if (!lookup) {
		pr_err("tmem: kallsyms_lookup_name not found: CONFIG_KPROBES, CONFIG_KALLSYMS?\n");
		return -ENOENT;
	}
	ret = tmem_areas_init();
	if (ret)
		return ret;
	for (i = 0; i < ARRAY_SIZE(tmem_zswap_hooks); i++) {
		struct tmem_zswap_hook *hook = &tmem_zswap_hooks[i];
		unsigned long address = lookup(hook->name);

		ret = address ? tmem_zswap_hook(hook, address) : -ENOENT;
		if (ret) {
			pr_err("tmem: %s cannot be hooked (%d): CONFIG_ZSWAP, livepatch?\n",
			       hook->name, ret);
			tmem_zswap_unhook(i);
			tmem_areas_exit();
			return ret;
		}
	}
	tmem_zswap_forbid_large(lookup);
	return 0;
}

static void tmem_zswap_exit(void)
{
	tmem_zswap_unhook(ARRAY_SIZE(tmem_zswap_hooks));
	tmem_areas_exit();
}

const struct tmem_front_end tmem_zswap_front_end = {
	.name = "zswap",
	.init = tmem_zswap_init,
	.exit = tmem_zswap_exit,
};
