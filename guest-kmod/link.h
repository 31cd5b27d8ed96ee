/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A link: queues over a stream of bytes (PROTOCOL.md section 9), for a transport that has one.
 *
 * A transport moves the bytes (struct tmem_port_ops), link.c turns queues into frames and frames
 * into replies, link_life.c begins and ends it, frame.c knows what a frame looks like. All of it
 * runs in the link's one thread, or in the probe before there is one.
 */
#ifndef TMEM_LINK_H
#define TMEM_LINK_H

#include <linux/types.h>
#include <linux/wait.h>

#include "tmem.h"

/* Pages and items that go into one frame; the rest of the queues goes into the next. */
#define TMEM_OUT_PAGES		14
#define TMEM_OUT_HEAD_BYTES	8192
/* Header, then by turns pages and what stands between them. */
#define TMEM_OUT_PIECES		(2 * TMEM_OUT_PAGES + 1)

/* A frame on its way out: pieces in order. Owned by the port between send and the next begin. */
struct tmem_out {
	u8 *head;			/* TMEM_OUT_HEAD_BYTES: all that is no page */
	u32 head_used;			/* bytes of it */
	u32 pieces;			/* in use */
	u32 pages;			/* pieces that are pages */
	struct {
		void *at;		/* in head, or a page of vmalloc memory */
		u32 bytes;		/* whole words */
		bool is_page;		/* a page */
	} piece[TMEM_OUT_PIECES];	/* in the order of the stream */
};

/* What a transport does for its link. Called by the link's thread, or in the probe before it. */
struct tmem_port_ops {
	/* An unused frame, or NULL: all are on their way. */
	struct tmem_out *(*begin)(void *port);
	/* 0, or a negative errno: the frame is unused again. */
	int (*send)(void *port, struct tmem_out *out);
	/* Bytes that have come. After a bounded part of the work it kicks instead of going on. */
	size_t (*receive)(void *port, void *into, size_t room);
	/* Whether a host is at the other end. */
	bool (*is_open)(void *port);
};

/* frame.c */
/* What has come of the stream. */
struct tmem_reader {
	u8 *bytes;	/* two frames */
	size_t start;	/* of what is not taken yet */
	size_t end;	/* of what has come */
	size_t spare;	/* bytes that may be checked once more */
	bool damaged;	/* bytes were skipped since this was last cleared */
	u64 skipped;	/* bytes that were in no frame */
};

/* Pages on their way to the host at most: 2 MiB, fewer than it lets us send ahead. */
#define TMEM_LINK_SLOTS		512
/* A link that is quiet for so long while something is unanswered has lost something. */
#define TMEM_LINK_QUIET_MIN	(HZ / 5)

/* One link; all but kicked is its thread's, or the probe's before there is one. */
struct tmem_link {
	struct tmem_device dev;		/* what the other layers see */
	const struct tmem_port_ops *ops;	/* moves bytes */
	void *port;			/* its argument */
	struct tmem_reader reader;	/* what has come */
	struct task_struct *thread;	/* moves frames; NULL while there is none */
	wait_queue_head_t wait;		/* where it, or the probe, sleeps */
	bool kicked;			/* something has come, or gone out */
	bool welcome;			/* the host serves this life */
	bool resync;			/* ask the host to send again */
	u32 sleep_count;		/* last value of host_sleep */
	u32 sent[TMEM_QUEUES_MAX];	/* descriptors framed, by queue */
	u32 taken[TMEM_QUEUES_MAX];	/* replies taken, by queue */
	u32 *free;			/* stack of slots that carry nothing */
	u32 free_count;			/* on it */
	u32 granted;			/* slots promised to the layers above */
	u32 credits;			/* puts that the host lets us send since the life began */
	unsigned long moved;		/* jiffies: a frame came, or the first to wait was sent */
	unsigned long begun;		/* jiffies: what the reader has of a frame began to come */
	unsigned long quiet;		/* how long after that we ask */
	u32 queue_entries;		/* of the host's queues */
};

int tmem_reader_init(struct tmem_reader *reader);
void tmem_reader_free(struct tmem_reader *reader);
void *tmem_reader_space(struct tmem_reader *reader, size_t *room);
void tmem_reader_filled(struct tmem_reader *reader, size_t count);
struct tmem_frame *tmem_reader_next(struct tmem_reader *reader);
bool tmem_reader_waits(const struct tmem_reader *reader);
void tmem_reader_give_up(struct tmem_reader *reader);
void tmem_out_clear(struct tmem_out *out);
void *tmem_out_words(struct tmem_out *out, u32 bytes);
void tmem_out_page(struct tmem_out *out, void *page);
void tmem_out_seal(struct tmem_out *out, u32 kind, u32 epoch);

/* link.c */
void tmem_link_kick(void *link);
bool tmem_link_read(struct tmem_link *link);
void tmem_link_status(struct tmem_link *link, const struct tmem_frame *frame);
void tmem_link_grant(struct tmem_link *link);
void tmem_link_say(struct tmem_link *link, u32 kind, const void *payload, u32 bytes);
int tmem_link_thread(void *link);

/* link_life.c */
struct tmem_link *tmem_link_create(const struct tmem_transport *transport,
				   const struct tmem_port_ops *ops, void *port);
int tmem_link_start(struct tmem_link *link, struct device *parent);
void tmem_link_stop(struct tmem_link *link);
void tmem_link_free(struct tmem_link *link);
struct tmem_device *tmem_link_device(struct tmem_link *link);

#endif /* TMEM_LINK_H */
