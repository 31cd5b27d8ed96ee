/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between kernel versions, and every symbol that a stock kernel does not
 * export.
 *
 * 6.1: frontswap is in, but neither frontswap_register_ops() nor swap_info[] is exported. A
 * kprobe on kallsyms_lookup_name() finds them (the kprobe is removed again at once).
 */
#ifndef TMEM_COMPAT_H
#define TMEM_COMPAT_H

#include <linux/kprobes.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0) || LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#error "tmem: this kernel's swap hooks are not supported; frontswap of Linux 5.17 to 6.5 is"
#endif

#ifndef CONFIG_FRONTSWAP
#error "tmem: the kernel lacks CONFIG_FRONTSWAP (CONFIG_ZSWAP selects it)"
#endif

#ifndef CONFIG_KPROBES
#error "tmem: the kernel lacks CONFIG_KPROBES, without which frontswap cannot be found"
#endif

typedef unsigned long (*tmem_lookup_t)(const char *name);

/* kallsyms_lookup_name(), or NULL. Process context. */
static inline tmem_lookup_t tmem_find_lookup(void)
{
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	tmem_lookup_t lookup;

	if (register_kprobe(&probe))
		return NULL;
	lookup = (tmem_lookup_t)probe.addr;
	unregister_kprobe(&probe);
	return lookup;
}

#endif /* TMEM_COMPAT_H */
