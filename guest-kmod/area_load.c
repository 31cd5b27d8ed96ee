// SPDX-License-Identifier: GPL-2.0-only
/*
 * Areas: bringing pages back. What a load gives is the page that was put under its offset and not
 * dropped since, or nothing; a page that cannot be had fails the load, or is waited for.
 *
 * Contexts: loads may sleep, with the page locked, inside a fault, readahead or swapoff: nothing
 * here allocates. Each holds the device, but not while it waits for ever.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>

#include "area.h"

/* One line of a kind in five seconds: pages are many, and their trouble is one. */
#define tmem_area_say(format, ...)					\
	do {								\
		static DEFINE_RATELIMIT_STATE(limit, 5 * HZ, 1);	\
									\
		if (__ratelimit(&limit))				\
			pr_err(format, ##__VA_ARGS__);			\
	} while (0)

/* How long a load that may fail asks again for a page that the host says it does not have. */
#define TMEM_LOST_PATIENCE	(HZ / 5)

/*
 * Gets a page that is @placed, once: from its slot if it stays there, else from the host, which may
 * take up to @timeout jiffies. Returns as tmem_get_page() does; -EBADMSG when the bytes are not
 * those that were put; -EAGAIN when the page was dropped or put anew meanwhile: without the swap
 * cache (SWP_SYNCHRONOUS_IO) two faults may load one page, and one of them free its offset.
 */
static int tmem_area_get(struct tmem_device *dev, unsigned int number, pgoff_t offset,
			 struct page *page, u32 placed, unsigned long timeout)
{
	struct tmem_area *area = &tmem_areas[number];
	u32 expected = area->checks ? READ_ONCE(area->checks[offset]) : 0;
	u32 *check = area->checks ? &(u32){ 0 } : NULL;
	struct tmem_key key = tmem_area_key(number, offset);
	int ret;

	if (placed == TMEM_PLACED_LOST)
		return -ENODEV;
	if (dev->features & TMEM_FEATURE_DIRECT_GETS)
		ret = tmem_get_direct(dev, &key, page, placed - 1, check);
	else
		ret = tmem_get_page(dev, &key, page, timeout, check);
	/* The bytes before the look at whose they are. */
	smp_rmb();
	if (tmem_area_placed(number, offset) != placed)
		return -EAGAIN;
	if (ret != 1 || !check || *check == expected)
		return ret;
	atomic64_inc(&dev->counters.gets_mismatched);
	tmem_area_say("tmem: page %lu of area %u came back with other bytes than were put\n",
		      offset, number);
	return -EBADMSG;
}

/*
 * Whether a load has waited for the host in vain, and it has not caught up since. Others need not
 * wait then: one fault reads several pages ahead, and its time limit is one.
 */
static bool tmem_area_host_is_silent(struct tmem_device *dev)
{
	if (likely(!READ_ONCE(dev->silent)))
		return false;
	if (!tmem_queues_answered(dev))
		return true;
	WRITE_ONCE(dev->silent, false);
	return false;
}

/* Whether another answer may be of more use than this one. */
static bool tmem_area_is_worth_asking(int ret)
{
	switch (ret) {
	case 1:
	case -EBADMSG:
	case -EAGAIN:
	case -ETIMEDOUT:
	case -ENODEV:
		return false;
	}
	return true;
}

/*
 * As tmem_area_get() for a load that may fail: up to get_timeout_ms if the host does not answer, a
 * few times if it does and its answer is of no use. @dev may be NULL.
 */
static int tmem_area_get_by(struct tmem_device *dev, unsigned int number, pgoff_t offset,
			    struct page *page, u32 placed)
{
	unsigned long timeout = msecs_to_jiffies(READ_ONCE(tmem_get_timeout_ms));
	unsigned long end = jiffies + TMEM_LOST_PATIENCE;
	int ret = dev ? -ETIMEDOUT : -ENODEV;

	if (dev && !tmem_area_host_is_silent(dev)) {
		ret = tmem_area_get(dev, number, offset, page, placed, timeout);
		while (tmem_area_is_worth_asking(ret) && time_before(jiffies, end)) {
			msleep(20);
			ret = tmem_area_get(dev, number, offset, page, placed, timeout);
		}
		if (ret == -ETIMEDOUT)
			WRITE_ONCE(dev->silent, true);
	}
	if (ret == 1 || ret == -EBADMSG || ret == -EAGAIN)
		return ret;
	atomic64_inc(&tmem_counters_of(dev)->lost);
	tmem_area_say("tmem: page %lu of area %u cannot be had (%d): SIGBUS\n",
		      offset, number, ret);
	return ret;
}

/* As tmem_area_get() for a load that may not fail: however long the host takes. */
static int tmem_area_get_patiently(struct tmem_device *dev, unsigned int number, pgoff_t offset,
				   struct page *page, u32 placed)
{
	int ret = -ENODEV;

	if (dev)
		ret = tmem_area_get(dev, number, offset, page, placed, MAX_SCHEDULE_TIMEOUT);
	if (ret != 1 && ret != -EAGAIN) {
		atomic64_inc(&tmem_counters_of(dev)->lost);
		tmem_area_say("tmem: the host lost page %lu of area %u (%d): waiting\n",
			      offset, number, ret);
	}
	return ret;
}

/*
 * Gets a page back: page locked, in a fault or swapoff; may sleep. TMEM_LOAD_ABSENT when it is not
 * here but on disk. With @may_fail a page that cannot be had, or has other bytes than were put, is
 * TMEM_LOAD_FAILED and the caller must make the fault fail; without, this waits for ever.
 */
enum tmem_load tmem_area_load(unsigned int number, pgoff_t offset, struct page *page, bool may_fail)
{
	u32 placed;
	int ret;

	while ((placed = tmem_area_placed(number, offset)) != 0) {
		struct tmem_device *dev = tmem_device_get();

		if (may_fail)
			ret = tmem_area_get_by(dev, number, offset, page, placed);
		else
			ret = tmem_area_get_patiently(dev, number, offset, page, placed);
		/* Whoever waits on for ever waits without the device. */
		tmem_device_put(dev);
		if (ret == 1)
			return TMEM_LOAD_FILLED;
		if (ret != -EAGAIN && may_fail)
			return TMEM_LOAD_FAILED;
		if (ret != -EAGAIN)
			msleep(1000);
		cond_resched();
	}
	return TMEM_LOAD_ABSENT;
}

/* As tmem_area_try_load(), of a page that is @placed. @dev is held. */
static bool tmem_area_try(struct tmem_device *dev, unsigned int number, pgoff_t offset,
			  struct page *page, u32 placed)
{
	struct tmem_key key = tmem_area_key(number, offset);
	struct tmem_queue *queue = tmem_queue_of(dev, &key);
	int ret = -ETIMEDOUT;

	if ((dev->features & TMEM_FEATURE_DIRECT_GETS) || !tmem_queue_is_stalled(queue))
		ret = tmem_area_get(dev, number, offset, page, placed,
				    msecs_to_jiffies(READ_ONCE(tmem_put_timeout_ms)));
	if (ret == -ETIMEDOUT)
		WRITE_ONCE(queue->stalled, true);
	return ret == 1;
}

/*
 * As tmem_area_load(), for a page that is on disk too: asks once and not for long, and not at all
 * while the host is silent. TMEM_LOAD_FILLED, or TMEM_LOAD_ABSENT for "read the disk". May sleep.
 */
enum tmem_load tmem_area_try_load(unsigned int number, pgoff_t offset, struct page *page)
{
	struct tmem_device *dev = tmem_device_get();
	u32 placed = tmem_area_placed(number, offset);
	bool filled = dev && placed && tmem_area_try(dev, number, offset, page, placed);

	if (placed && !filled)
		atomic64_inc(&tmem_counters_of(dev)->failed_over);
	tmem_device_put(dev);
	return filled ? TMEM_LOAD_FILLED : TMEM_LOAD_ABSENT;
}
