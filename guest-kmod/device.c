// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one device: who uses it, its coming and its going, and what power states make of it.
 *
 * Whoever uses the device holds a reference from his first look at it to his last, a hook with
 * interrupts off no less than a load that sleeps; taking one costs a per-CPU addition. A device
 * that goes is marked, which ends every wait on it, loses its last user, and only then is anything
 * of it freed. No reference is to be had between devices. What lay with a device that is gone is
 * lost for good: the next one begins with nothing. Whoever tracks pages learns of both here.
 *
 * A kernel that comes back from a disk image is older than what the host holds. So the device's
 * life ends before an image is made, which is refused while pages are held, and another begins
 * afterwards.
 */
#include <linux/completion.h>
#include <linux/mutex.h>
#include <linux/percpu-refcount.h>
#include <linux/printk.h>
#include <linux/suspend.h>

#include "tmem.h"

/* Those who use the device; dead while there is none. */
static struct percpu_ref tmem_users;
static DECLARE_COMPLETION(tmem_unused);
/* Coming and going, one after the other. */
static DEFINE_MUTEX(tmem_device_mutex);
static struct tmem_device *tmem_device;
/* What devices that are gone have counted, and what happens between devices. */
static struct tmem_counters tmem_past;
bool tmem_image;
/* How often the device went, but for an unloading. */
static unsigned int tmem_ends;

/* The device, which then stays until tmem_device_put(); NULL when there is none. Any context. */
struct tmem_device *tmem_device_get(void)
{
	if (!percpu_ref_tryget_live(&tmem_users))
		return NULL;
	/* The device is published before its users may come. */
	smp_rmb();
	return READ_ONCE(tmem_device);
}

/* Any context. @dev may be NULL. */
void tmem_device_put(struct tmem_device *dev)
{
	if (dev)
		percpu_ref_put(&tmem_users);
}

/* Whether there is one now. Any context. */
bool tmem_device_exists(void)
{
	return READ_ONCE(tmem_device);
}

/* Where to count what happens to @dev, which may be NULL. Any context. */
struct tmem_counters *tmem_counters_of(struct tmem_device *dev)
{
	return dev ? &dev->counters : &tmem_past;
}

/*
 * A counter's sum over all devices there were. @at is its address in tmem_counters_of(@dev); @dev
 * is held, or NULL.
 */
s64 tmem_counter_sum(struct tmem_device *dev, const atomic64_t *at)
{
	size_t offset = (void *)at - (void *)tmem_counters_of(dev);
	s64 past = atomic64_read((void *)&tmem_past + offset);

	return dev ? past + atomic64_read(at) : past;
}

/* How often a device went under its front ends. */
unsigned int tmem_device_ends(void)
{
	return READ_ONCE(tmem_ends);
}

/* Nobody uses the device any more. Any context. */
static void tmem_device_unused(struct percpu_ref *users)
{
	complete(&tmem_unused);
}

/* Adds what a device has counted to what those before it have. */
static void tmem_device_fold(struct tmem_device *dev)
{
	const atomic64_t *from = (const atomic64_t *)&dev->counters;
	atomic64_t *to = (atomic64_t *)&tmem_past;
	size_t i;

	static_assert(sizeof(tmem_past) % sizeof(*to) == 0);
	for (i = 0; i < sizeof(tmem_past) / sizeof(*to); i++)
		atomic64_add(atomic64_read(&from[i]), &to[i]);
}

/* Keeps new users out, ends the waits of those that there are, and waits for them. May sleep. */
static void tmem_device_drain(struct tmem_device *dev)
{
	WRITE_ONCE(dev->gone, true);
	reinit_completion(&tmem_unused);
	percpu_ref_kill(&tmem_users);
	tmem_queues_wake(dev);
	wake_up_all(&dev->credit_wait);
	wait_for_completion(&tmem_unused);
}

/*
 * Makes @dev, whose host serves it, the device. May sleep; the caller owns the memory. Returns
 * -EBUSY when there is one already.
 */
int tmem_device_publish(struct tmem_device *dev)
{
	mutex_lock(&tmem_device_mutex);
	if (tmem_device) {
		mutex_unlock(&tmem_device_mutex);
		return -EBUSY;
	}
	/* Before others may use it: their pages must find the new pools. */
	tmem_areas_begin(dev);
	WRITE_ONCE(tmem_device, dev);
	/* Orders as well: see tmem_device_get(). */
	percpu_ref_reinit(&tmem_users);
	mutex_unlock(&tmem_device_mutex);
	tmem_cleancache_begin();
	return 0;
}

/*
 * Ends the life of @dev: when this returns nobody uses it, and what it held is lost. Does nothing
 * when it is not, or no more, the device. May sleep. With @quietly nothing is said in the log.
 */
void tmem_device_end(struct tmem_device *dev, bool quietly)
{
	unsigned long lost;

	mutex_lock(&tmem_device_mutex);
	if (tmem_device == dev) {
		tmem_device_drain(dev);
		lost = tmem_areas_end();
		tmem_cleancache_end();
		tmem_hypercall_end();
		tmem_device_fold(dev);
		WRITE_ONCE(tmem_device, NULL);
		if (!quietly) {
			tmem_ends++;
			pr_err("tmem: the device is gone, and %lu pages with it: %s\n", lost,
			       "loads of them fail, and nothing is put any more");
		}
	}
	mutex_unlock(&tmem_device_mutex);
}

/* Whether nothing is held that must not be lost; else -EBUSY, said in the log. May sleep. */
static int tmem_device_refuse(const char *what)
{
	unsigned long pages = tmem_areas_held();
	unsigned int pools = tmem_hypercall_held();

	if (!pages && !pools)
		return 0;
	pr_err("tmem: no %s: the host holds %lu pages, and %u pools of programs: %s\n", what,
	       pages, pools, "swapoff brings pages back, programs have to drop their pools");
	return -EBUSY;
}

/*
 * Ends the life of @dev before a power state that its pages would not come through, if there are
 * none. Tasks are frozen. May sleep. Returns 0; -EBUSY, said in the log: it goes on as before.
 */
int tmem_device_freeze(struct tmem_device *dev)
{
	int ret;

	mutex_lock(&tmem_device_mutex);
	if (tmem_device != dev) {
		mutex_unlock(&tmem_device_mutex);
		return 0;
	}
	/* A put that began before the notifier below may have ended since. */
	tmem_device_drain(dev);
	/* A kernel that makes way for an image takes what it has put along. */
	ret = READ_ONCE(tmem_image) ? tmem_device_refuse("image of this kernel") : 0;
	WRITE_ONCE(dev->gone, false);
	percpu_ref_reinit(&tmem_users);
	mutex_unlock(&tmem_device_mutex);
	if (!ret)
		tmem_device_end(dev, true);
	return ret;
}

/* Before tasks are frozen, and after they were thawed. May sleep. */
static int tmem_device_power(struct notifier_block *block, unsigned long event, void *unused)
{
	bool sleeps = false;
	int ret;

	switch (event) {
	case PM_SUSPEND_PREPARE:
		mutex_lock(&tmem_device_mutex);
		sleeps = !tmem_device || tmem_device->transport->sleeps;
		mutex_unlock(&tmem_device_mutex);
		if (sleeps)
			return NOTIFY_DONE;
		fallthrough;
	case PM_HIBERNATION_PREPARE:
		/* Making room for the image swaps out as well: that goes to the disk. */
		WRITE_ONCE(tmem_image, true);
		ret = tmem_device_refuse(event == PM_SUSPEND_PREPARE ?
					 "suspend over this transport" : "hibernation");
		if (ret)
			WRITE_ONCE(tmem_image, false);
		return notifier_from_errno(ret);
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
		WRITE_ONCE(tmem_image, false);
		break;
	default:
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block tmem_device_notifier = {
	.notifier_call = tmem_device_power,
};

/* Before any device is published. May sleep. */
int tmem_device_init(void)
{
	int ret;

	ret = percpu_ref_init(&tmem_users, tmem_device_unused,
			      PERCPU_REF_INIT_DEAD | PERCPU_REF_ALLOW_REINIT, GFP_KERNEL);
	if (ret)
		return ret;
	ret = register_pm_notifier(&tmem_device_notifier);
	if (ret)
		percpu_ref_exit(&tmem_users);
	return ret;
}

/* There is no device any more, and no transport that would bring one. May sleep. */
void tmem_device_exit(void)
{
	unregister_pm_notifier(&tmem_device_notifier);
	percpu_ref_exit(&tmem_users);
}
