/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of a kernel as files of guest-kmod need that are compiled into a program here: names and
 * types. Each header of the kernel's that they include is this one. What they call is a counter, or
 * a device that lies, in the program.
 */
#ifndef SHIM_H
#define SHIM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8, __u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef int32_t s32;
typedef uint64_t u64;
typedef int64_t s64;
typedef u32 __le32, __u32, __virtio32;
typedef s32 __s32;
typedef u64 __le64, __u64;
typedef u16 __le16, __virtio16;
typedef unsigned long pgoff_t;
typedef struct { long value; } atomic64_t;
typedef struct { int value; } spinlock_t;
typedef struct { int value; } wait_queue_head_t;
struct rw_semaphore { int value; };
struct device;
struct page;
struct seq_file;
struct task_struct;

#define BIT(bit)		(1ul << (bit))
#define BIT_ULL(bit)		(1ull << (bit))
#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define container_of(at, type, member) ((type *)((char *)(at) - offsetof(type, member)))
#define min_t(type, a, b)	((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define round_down(value, to)	((value) / (to) * (to))
#define static_assert		_Static_assert
#define likely(value)		(value)
#define READ_ONCE(word)		(word)
#define WRITE_ONCE(word, to)	((word) = (to))
#define le32_to_cpu(word)	(word)
#define cpu_to_le32(word)	(word)
#define GFP_KERNEL		0
#define GFP_ATOMIC		0
#define PAGE_SIZE		4096
#define HZ			250
#define THIS_MODULE		NULL

extern unsigned long jiffies;
#define msecs_to_jiffies(ms)	((ms) / 4)
#define time_after(a, b)	((long)((b) - (a)) < 0)
#define time_before(a, b)	time_after(b, a)

static inline void *kzalloc(size_t bytes, int flags)
{
	(void)flags;
	return calloc(1, bytes);
}
#define kmalloc			kzalloc
#define kvmalloc		kzalloc
#define kvzalloc		kzalloc
#define kfree			free
#define kvfree			free

/* What the program counts. */
u32 crc32_le(u32 crc, const void *bytes, size_t count);
void *shim_memmove(void *to, const void *from, size_t count);
void *shim_memchr(const void *at, int byte, size_t count);

#endif /* SHIM_H */
