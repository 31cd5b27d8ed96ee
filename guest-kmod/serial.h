/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtio-serial transport: what its two files share.
 */
#ifndef TMEM_SERIAL_H
#define TMEM_SERIAL_H

#include <linux/scatterlist.h>
#include <linux/virtio.h>

#include "link.h"

#define TMEM_PORT_NAME		"org.qemu-tmem.pages.0"
/* The port of that name; number 0 QEMU keeps for a console. */
#define TMEM_SERIAL_PORT	1

#define TMEM_SERIAL_RX		64
#define TMEM_SERIAL_TX		8
#define TMEM_SERIAL_CONTROLS	16
/* A control message with a name behind it. */
#define TMEM_CONTROL_BYTES	256

/* Queues in the order that the specification gives them. */
enum {
	TMEM_VQ_CONSOLE_RX,	/* port 0: not used */
	TMEM_VQ_CONSOLE_TX,
	TMEM_VQ_CONTROL_RX,
	TMEM_VQ_CONTROL_TX,
	TMEM_VQ_RX,
	TMEM_VQ_TX,
	TMEM_VQS,
};

/* A frame that goes out. */
struct tmem_serial_out {
	struct tmem_out out;				/* what the link fills */
	struct scatterlist list[TMEM_OUT_PIECES];	/* the same for the device */
	bool busy;					/* with the device */
};

struct tmem_serial {
	struct virtio_device *vdev;			/* the device */
	struct virtqueue *queues[TMEM_VQS];		/* its queues */
	struct tmem_link *link;				/* what the bytes are for */
	struct tmem_serial_out outs[TMEM_SERIAL_TX];	/* frames on their way */
	struct page *pages[TMEM_SERIAL_RX];		/* where bytes come in */
	struct page *current_page;			/* one that has come and is not read up */
	u32 current_at;					/* bytes read of it */
	u32 current_bytes;				/* bytes that came in it */
	void *control_in[TMEM_SERIAL_CONTROLS];		/* TMEM_CONTROL_BYTES each */
	struct virtio_console_control *control_out;	/* the one on its way */
	bool port_added;				/* the device has a port 1 */
	bool port_named;				/* it has our name */
	bool host_open;					/* a host has it open */
};

/* serial_control.c */
int tmem_serial_add_control(struct tmem_serial *serial, void *buffer);
void tmem_serial_control(struct tmem_serial *serial);
int tmem_serial_open(struct tmem_serial *serial);

/* serial_find.c */
bool tmem_serial_may_be_ours(struct virtio_device *vdev);
struct device *tmem_serial_find(struct device_driver *own);

#endif /* TMEM_SERIAL_H */
