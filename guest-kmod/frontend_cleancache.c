// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cleancache front end: clean pages of files, as they leave the page cache, in ephemeral pools.
 * Linux 3.0 to 5.16. Each mounted file system is a pool, each file an object.
 *
 * A page that is got is the last one put or flushed. A put that cannot be had is a flush; a flush
 * that finds the queue full is left to the worker (pending.c), and until it is posted nothing of
 * its key is asked for or put; when there are too many of them, the file system is void: nothing
 * of it is asked for or put until the worker has dropped its pool and made another. One spin
 * lock makes looking at that and posting one step.
 *
 * Contexts (mm/filemap.c, mm/truncate.c, mm/cleancache.c of 5.10): put_page and invalidate_page
 * come under the i_pages lock with interrupts off; get_page may sleep, with the page locked;
 * init and invalidate_fs are a mount's and may sleep. Operations on one page come one after the
 * other, since it is locked.
 *
 * Registering calls init for file systems that are mounted. There is no unregister, so the module
 * stays.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/page-flags.h>
#include <linux/uuid.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "tmem.h"

#define TMEM_FILESYSTEMS	32
/* How long the worker waits for one queue before it tries again later. */
#define TMEM_DRAIN_TIMEOUT	(2 * HZ)

enum tmem_filesystem_state {
	TMEM_FILESYSTEM_OFF,	/* not in use */
	TMEM_FILESYSTEM_LIVE,	/* has a pool */
	TMEM_FILESYSTEM_VOID,	/* its pool has old pages and must go */
};

/* One mounted file system. Fields change under the lock; a pool's coming and going, the mutex. */
struct tmem_filesystem {
	enum tmem_filesystem_state state;	/* see there */
	/*
	 * What the kernel calls it. Never used twice: a hook of a file system that is gone may
	 * still be on its way.
	 */
	int number;
	s32 pool;				/* the host's; negative: none */
	u32 flags;				/* to make a pool with */
	u64 uuid[2];				/* of a shared one */
	u32 life;				/* how many pools it has had */
	u8 *present;				/* what the pool may hold (present.c) */
};

static struct tmem_filesystem tmem_filesystems[TMEM_FILESYSTEMS];
static DEFINE_SPINLOCK(tmem_filesystem_lock);
static DEFINE_MUTEX(tmem_filesystem_mutex);
static int tmem_filesystem_turn;

static void tmem_cleancache_mend(struct work_struct *work);
static DECLARE_WORK(tmem_cleancache_work, tmem_cleancache_mend);
static struct workqueue_struct *tmem_cleancache_queue;

/* The file system of that number if it may be used. Lock held. */
static struct tmem_filesystem *tmem_filesystem_of(int number)
{
	struct tmem_filesystem *fs = &tmem_filesystems[number % TMEM_FILESYSTEMS];

	return fs->number == number && fs->state == TMEM_FILESYSTEM_LIVE ? fs : NULL;
}

static struct tmem_key tmem_file_key(const struct cleancache_filekey *file, pgoff_t index)
{
	struct tmem_key key = { .index = index };

	BUILD_BUG_ON(sizeof(file->u) > sizeof(key.oid));
	memcpy(key.oid, &file->u, sizeof(file->u));
	return key;
}

/* Makes a page, or its whole object, one that cannot be got any more. Lock held. */
static void tmem_cleancache_drop(struct tmem_filesystem *fs, const struct tmem_key *key,
				 bool object)
{
	struct tmem_device *dev = tmem_the_device();

	if (!tmem_present_maybe(fs->present, key, object) || tmem_pending_has(key, object) ||
	    !tmem_ephemeral_flush(dev, key, object))
		return;
	atomic64_inc(&dev->counters.flushes_deferred);
	if (!tmem_pending_add(key, object)) {
		fs->state = TMEM_FILESYSTEM_VOID;
		tmem_pending_drop_pool(fs->pool);
		atomic64_inc(&dev->counters.voided);
	}
	queue_work(tmem_cleancache_queue, &tmem_cleancache_work);
}

/* Interrupts off: a clean page leaves the page cache. */
static void tmem_cleancache_put(int number, struct cleancache_filekey file, pgoff_t index,
				struct page *page)
{
	struct tmem_device *dev = tmem_the_device();
	struct tmem_key key = tmem_file_key(&file, index);
	bool whole = !PageCompound(page);
	struct tmem_filesystem *fs;
	unsigned long flags;
	bool filled;
	u32 slot;

	if (index > U32_MAX)
		return;
	filled = whole && tmem_ephemeral_fill(dev, page, &slot);
	spin_lock_irqsave(&tmem_filesystem_lock, flags);
	fs = tmem_filesystem_of(number);
	if (fs) {
		key.pool = fs->pool;
		if (filled && !tmem_pending_has(&key, false) &&
		    !tmem_ephemeral_put(dev, &key, slot)) {
			tmem_present_add(fs->present, &key);
			filled = false;
		} else {
			atomic64_inc(&dev->counters.ephemeral_refused);
			/* A huge page comes as its head: the others' old copies go as well. */
			tmem_cleancache_drop(fs, &key, !whole);
		}
	}
	spin_unlock_irqrestore(&tmem_filesystem_lock, flags);
	if (filled)
		tmem_credit_return(dev, slot);
}

/* Interrupts off: what is cached of the page is old, or will be. */
static void tmem_cleancache_invalidate(int number, struct cleancache_filekey file, pgoff_t index,
				       bool object)
{
	struct tmem_key key = tmem_file_key(&file, index);
	struct tmem_filesystem *fs;
	unsigned long flags;

	if (index > U32_MAX)
		return;
	spin_lock_irqsave(&tmem_filesystem_lock, flags);
	fs = tmem_filesystem_of(number);
	if (fs) {
		key.pool = fs->pool;
		tmem_cleancache_drop(fs, &key, object);
	}
	spin_unlock_irqrestore(&tmem_filesystem_lock, flags);
}

static void tmem_cleancache_invalidate_page(int number, struct cleancache_filekey file,
					    pgoff_t index)
{
	tmem_cleancache_invalidate(number, file, index, false);
}

static void tmem_cleancache_invalidate_inode(int number, struct cleancache_filekey file)
{
	tmem_cleancache_invalidate(number, file, 0, true);
}

/* A get on its way. */
struct tmem_cleancache_get {
	struct tmem_key key;		/* of the page */
	struct tmem_queue *queue;	/* where it was posted, or found no room */
	u32 sequence;			/* once it was */
	u32 life;			/* of its file system */
};

/*
 * Posts a get unless it must miss. Whoever misses unasked has the page flushed, since later gets
 * must miss too. Returns 0; -EAGAIN with the queue that has no room; -EBUSY when it is about to
 * have some; -ENOENT for a miss.
 */
static int tmem_cleancache_ask(int number, struct page *page, bool hurry,
			       struct tmem_cleancache_get *get)
{
	struct tmem_device *dev = tmem_the_device();
	struct tmem_filesystem *fs;
	unsigned long flags;
	int ret = -ENOENT;

	spin_lock_irqsave(&tmem_filesystem_lock, flags);
	fs = tmem_filesystem_of(number);
	if (fs) {
		get->key.pool = fs->pool;
		get->life = fs->life;
		get->queue = tmem_ephemeral_queue(dev, &get->key);
		if (tmem_present_maybe(fs->present, &get->key, false) &&
		    !tmem_pending_has(&get->key, false))
			ret = tmem_ephemeral_ask(dev, &get->key, page, &get->sequence);
		if (ret == -EHOSTDOWN || ((ret == -EAGAIN || ret == -EBUSY) && hurry)) {
			tmem_cleancache_drop(fs, &get->key, false);
			ret = -ENOENT;
		}
	}
	spin_unlock_irqrestore(&tmem_filesystem_lock, flags);
	return ret;
}

/* The page left the pool with a get's answer, unless that pool is gone. */
static void tmem_cleancache_got(int number, const struct tmem_cleancache_get *get)
{
	struct tmem_filesystem *fs;
	unsigned long flags;

	spin_lock_irqsave(&tmem_filesystem_lock, flags);
	fs = tmem_filesystem_of(number);
	if (fs && fs->life == get->life)
		tmem_present_remove(fs->present, &get->key);
	spin_unlock_irqrestore(&tmem_filesystem_lock, flags);
}

/* A page is about to be read: locked, may sleep. 0 when it is filled, -1 to read the disk. */
static int tmem_cleancache_get(int number, struct cleancache_filekey file, pgoff_t index,
			       struct page *page)
{
	struct tmem_cleancache_get get = { .key = tmem_file_key(&file, index) };
	struct tmem_device *dev = tmem_the_device();
	unsigned long timeout = msecs_to_jiffies(READ_ONCE(tmem_put_timeout_ms));
	unsigned long end = jiffies + timeout;
	int ret;

	if (index > U32_MAX || PageCompound(page))
		return -1;
	do {
		ret = tmem_cleancache_ask(number, page, time_after(jiffies, end), &get);
		if (ret == -EAGAIN)
			tmem_queue_wait_room(dev, get.queue, timeout);
		else if (ret == -EBUSY)
			usleep_range(50, 100);
		cond_resched();
	} while (ret == -EAGAIN || ret == -EBUSY);
	if (ret) {
		atomic64_inc(&dev->counters.ephemeral_unasked);
		return -1;
	}
	ret = tmem_ephemeral_answer(dev, get.queue, get.sequence, page);
	if (ret == 1)
		tmem_cleancache_got(number, &get);
	if (ret == -EIO)
		tmem_cleancache_invalidate_page(number, file, index);
	return ret == 1 ? 0 : -1;
}

/* Waits until all that was posted before is answered. May sleep. Returns 0 or -ETIMEDOUT. */
static int tmem_cleancache_drain(struct tmem_device *dev)
{
	u32 i;

	for (i = 0; i < dev->queue_count; i++) {
		struct tmem_queue *queue = &dev->queues[i];

		if (tmem_queue_wait(dev, queue, READ_ONCE(queue->tail) - 1, TMEM_DRAIN_TIMEOUT))
			return -ETIMEDOUT;
	}
	return 0;
}

/*
 * Drops the pool of a file system that is not live. Mutex held; may sleep. A put on its way
 * would land in whatever pool gets the same id next, so all of them are waited for. Returns 0, or
 * -ETIMEDOUT: the pool is still there.
 */
static int tmem_filesystem_close(struct tmem_filesystem *fs)
{
	struct tmem_device *dev = tmem_the_device();

	if (fs->pool < 0)
		return 0;
	if (tmem_cleancache_drain(dev))
		return -ETIMEDOUT;
	/* Once and never again, answered or not: the id may be another pool's by then. */
	tmem_destroy_pool(dev, fs->pool);
	fs->pool = -ENODEV;
	return 0;
}

/* Gives a file system a pool and lets it be used. Mutex held; may sleep. Returns 0 or an errno. */
static int tmem_filesystem_open(struct tmem_filesystem *fs)
{
	struct tmem_key key = { .oid = { fs->uuid[0], fs->uuid[1] } };
	u32 flags = fs->flags | TMEM_SPEC_VERSION << TMEM_POOL_VERSION_SHIFT;
	int pool;

	pool = tmem_call_raw(tmem_the_device(), TMEM_CMD_NEW_POOL, &key, flags, NULL);
	if (pool < 0)
		return pool;
	tmem_present_clear(fs->present);
	spin_lock_irq(&tmem_filesystem_lock);
	fs->life++;
	fs->pool = pool;
	fs->state = TMEM_FILESYSTEM_LIVE;
	spin_unlock_irq(&tmem_filesystem_lock);
	return 0;
}

/* Gives void file systems new pools. May sleep. True when some are left. */
static bool tmem_cleancache_remake(void)
{
	bool left = false;
	unsigned int i;

	mutex_lock(&tmem_filesystem_mutex);
	for (i = 0; i < TMEM_FILESYSTEMS; i++) {
		struct tmem_filesystem *fs = &tmem_filesystems[i];

		if (READ_ONCE(fs->state) == TMEM_FILESYSTEM_VOID &&
		    (tmem_filesystem_close(fs) || tmem_filesystem_open(fs)))
			left = true;
	}
	mutex_unlock(&tmem_filesystem_mutex);
	return left;
}

/* Posts pending flushes while there is room. May sleep. True when some are left. */
static bool tmem_cleancache_post_pending(void)
{
	int ret;

	do {
		spin_lock_irq(&tmem_filesystem_lock);
		ret = tmem_pending_post(tmem_the_device());
		spin_unlock_irq(&tmem_filesystem_lock);
		cond_resched();
	} while (ret > 0);
	return ret < 0;
}

/* The worker: does what hooks could not, until nothing is left. May sleep. */
static void tmem_cleancache_mend(struct work_struct *work)
{
	for (;;) {
		bool pending = tmem_cleancache_post_pending();

		if (tmem_cleancache_remake())
			msleep(1000);
		else if (pending)
			usleep_range(200, 400);
		else
			return;
	}
}

/* A file system is mounted, or was when we registered: may sleep. Its number, or an errno. */
static int tmem_cleancache_on(u32 flags, const uuid_t *uuid, size_t page_bytes)
{
	struct tmem_filesystem *fs = NULL;
	unsigned int i;
	int ret = -ENOSPC;

	if (page_bytes != PAGE_SIZE)
		return -EINVAL;
	mutex_lock(&tmem_filesystem_mutex);
	for (i = 0; i < TMEM_FILESYSTEMS && !fs; i++)
		if (tmem_filesystems[i].state == TMEM_FILESYSTEM_OFF)
			fs = &tmem_filesystems[i];
	/* Kept for the next file system of this place: hooks look at it under the lock. */
	if (fs && !fs->present)
		fs->present = tmem_present_alloc();
	if (fs && fs->present && tmem_filesystem_turn < INT_MAX / TMEM_FILESYSTEMS) {
		fs->number = tmem_filesystem_turn++ * TMEM_FILESYSTEMS + (i - 1);
		fs->flags = flags;
		memset(fs->uuid, 0, sizeof(fs->uuid));
		if (uuid)
			memcpy(fs->uuid, uuid, sizeof(fs->uuid));
		ret = tmem_filesystem_open(fs) ?: fs->number;
	}
	mutex_unlock(&tmem_filesystem_mutex);
	if (ret < 0)
		pr_warn("tmem: a file system gets no pool (%d): its pages are not cached\n", ret);
	return ret;
}

static int tmem_cleancache_init_fs(size_t page_bytes)
{
	return tmem_cleancache_on(0, NULL, page_bytes);
}

/* Of a cluster's file system. The host makes a shared pool private. */
static int tmem_cleancache_init_shared_fs(uuid_t *uuid, size_t page_bytes)
{
	return tmem_cleancache_on(TMEM_POOL_SHARED, uuid, page_bytes);
}

/* A file system is unmounted: may sleep. */
static void tmem_cleancache_invalidate_fs(int number)
{
	struct tmem_filesystem *fs = &tmem_filesystems[number % TMEM_FILESYSTEMS];
	bool ours;

	mutex_lock(&tmem_filesystem_mutex);
	spin_lock_irq(&tmem_filesystem_lock);
	ours = fs->number == number && fs->state != TMEM_FILESYSTEM_OFF;
	if (ours) {
		fs->state = TMEM_FILESYSTEM_OFF;
		tmem_pending_drop_pool(fs->pool);
	}
	spin_unlock_irq(&tmem_filesystem_lock);
	if (ours && tmem_filesystem_close(fs))
		pr_warn("tmem: pool %d was not destroyed: the host does not answer\n", fs->pool);
	mutex_unlock(&tmem_filesystem_mutex);
}

/* Whether the pool is that of a file system. Any context. */
bool tmem_cleancache_has_pool(s32 pool)
{
	unsigned int i;

	for (i = 0; i < TMEM_FILESYSTEMS; i++)
		if (READ_ONCE(tmem_filesystems[i].state) != TMEM_FILESYSTEM_OFF &&
		    READ_ONCE(tmem_filesystems[i].pool) == pool)
			return true;
	return false;
}

static const struct cleancache_ops tmem_cleancache_ops = {
	.init_fs = tmem_cleancache_init_fs,
	.init_shared_fs = tmem_cleancache_init_shared_fs,
	.get_page = tmem_cleancache_get,
	.put_page = tmem_cleancache_put,
	.invalidate_page = tmem_cleancache_invalidate_page,
	.invalidate_inode = tmem_cleancache_invalidate_inode,
	.invalidate_fs = tmem_cleancache_invalidate_fs,
};

static int tmem_cleancache_init(void)
{
	int ret;

	ret = tmem_pending_init();
	if (ret)
		return ret;
	tmem_cleancache_queue = alloc_workqueue("tmem_cleancache", WQ_MEM_RECLAIM, 0);
	if (!tmem_cleancache_queue) {
		tmem_pending_exit();
		return -ENOMEM;
	}
	ret = cleancache_register_ops(&tmem_cleancache_ops);
	if (ret) {
		pr_err("tmem: cleancache has another backend (%d)\n", ret);
		destroy_workqueue(tmem_cleancache_queue);
		tmem_pending_exit();
		return ret;
	}
	/* There is no unregister: the hooks may be called for ever. */
	__module_get(THIS_MODULE);
	return 0;
}

const struct tmem_front_end tmem_cleancache_front_end = {
	.name = "cleancache",
	.init = tmem_cleancache_init,
};
