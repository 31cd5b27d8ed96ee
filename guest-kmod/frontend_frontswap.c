// SPDX-License-Identifier: GPL-2.0-only
/*
 * The frontswap front end: Linux 3.5 to 6.5; the hooks do no more than name a swap area (area.c).
 *
 * Contexts (mm/page_io.c, mm/swapfile.c of 5.10 and 6.1): init and area may sleep; store and load
 * may sleep, with the page locked, inside reclaim or a fault. invalidate_page comes under si->lock
 * with interrupts off.
 *
 * No kernel has an unregister, so the module stays once this has registered. 5.10 calls init for
 * areas that are on already; from 5.17 on they get none and their pages stay on disk.
 */
#include <linux/frontswap.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/swap.h>

#include "compat.h"
#include "tmem.h"

/*
 * On memory that swaps without the swap cache (SWP_SYNCHRONOUS_IO) two faults may load one page and
 * one of them drop it, so a load must leave the page there.
 */
static void tmem_frontswap_on(unsigned int type)
{
	if (tmem_exclusive_gets && (tmem_swap_info[type]->flags & SWP_SYNCHRONOUS_IO)) {
		pr_warn("tmem: swap type %u is memory: with exclusive gets it is left alone\n",
			type);
		return;
	}
	tmem_area_on(type, tmem_swap_info[type]->max);
}

/*
 * A huge page comes as its head, and the kernel would take that one offset alone for ours: it goes
 * below whole. On a disk that rotates, as the fail-stop device says of itself, it is split before.
 */
static void tmem_frontswap_refuse_huge(unsigned int type, pgoff_t offset, struct page *page)
{
	unsigned int pages = thp_nr_pages(page);
	unsigned int i;

	for (i = 0; i < pages; i++)
		tmem_area_forget(type, offset + i);
	atomic64_add(pages, &tmem_the_device()->counters.refused_huge);
}

/*
 * With writethrough the kernel takes this for a failure and writes the page below as well, after
 * us: the fail-stop device sets the bit again when that write comes, and until then the slot holds
 * an older page.
 */
static int tmem_frontswap_store(unsigned int type, pgoff_t offset, struct page *page)
{
	if (PageCompound(page)) {
		tmem_frontswap_refuse_huge(type, offset, page);
		return -1;
	}
	if (tmem_area_store(type, offset, page))
		return -1;
	if (tmem_writethrough)
		atomic64_inc(&tmem_the_device()->counters.written_through);
	tmem_failstop_unwrite(tmem_swap_info[type], offset);
	return 0;
}

/*
 * 0 when the page is filled, -1 when it is on disk. A failure reads the disk slot, which was never
 * written: so a page that is here is waited for, unless a fail-stop device turns that read into an
 * I/O error, or writethrough has put the page there too.
 */
static int tmem_frontswap_load(unsigned int type, pgoff_t offset, struct page *page)
{
	enum tmem_load load;

	if (tmem_writethrough)
		load = tmem_area_try_load(type, offset, page);
	else
		load = tmem_area_load(type, offset, page,
				      tmem_failstop_covers(tmem_swap_info[type]));
	if (load != TMEM_LOAD_FILLED)
		return -1;
	/* The kernel takes the page for gone from here, and calls no invalidate. */
	if (tmem_exclusive_gets)
		tmem_area_forget(type, offset);
	return 0;
}

static TMEM_FRONTSWAP_OPS_CONST struct frontswap_ops tmem_frontswap_ops = {
	.init = tmem_frontswap_on,
	.store = tmem_frontswap_store,
	.load = tmem_frontswap_load,
	.invalidate_page = tmem_area_forget,
	.invalidate_area = tmem_area_off,
};

/* Areas that are on already get no init from 5.17 on: their pages stay on disk. */
static void tmem_warn_of_active_areas(void)
{
	unsigned int type;

	for (type = 0; type < MAX_SWAPFILES; type++) {
		struct swap_info_struct *info = READ_ONCE(tmem_swap_info[type]);

		if (info && (READ_ONCE(info->flags) & SWP_WRITEOK) && !tmem_area_is_on(type))
			pr_warn("tmem: swap type %u was on before: swapoff and swapon to use it\n",
				type);
	}
}

static int tmem_frontswap_init(void)
{
	tmem_lookup_t lookup = tmem_find_lookup();
	int ret;

	if (!lookup) {
		pr_err("tmem: kallsyms_lookup_name not found: CONFIG_KPROBES, CONFIG_KALLSYMS?\n");
		return -ENOENT;
	}
	tmem_swap_info = (void *)lookup("swap_info");
	if (!tmem_swap_info) {
		pr_err("tmem: swap_info not found: CONFIG_KALLSYMS_ALL?\n");
		return -ENOENT;
	}
	ret = tmem_modes_init() ?: tmem_failstop_init();
	if (ret)
		return ret;
	ret = tmem_areas_init();
	if (ret) {
		tmem_failstop_exit();
		return ret;
	}
	ret = tmem_register_frontswap(lookup, &tmem_frontswap_ops);
	if (ret) {
		tmem_areas_exit();
		tmem_failstop_exit();
		return ret;
	}
	/* There is no unregister: the hooks may be called for ever. */
	__module_get(THIS_MODULE);
	tmem_warn_of_active_areas();
	return 0;
}

const struct tmem_front_end tmem_frontswap_front_end = {
	.name = "frontswap",
	.init = tmem_frontswap_init,
};
