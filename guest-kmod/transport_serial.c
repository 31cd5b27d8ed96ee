// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio-serial transport: a link's bytes through port 1 of a virtio-serial device set aside
 * for it (virtio 1.1 section 5.3), with a driver of our own, since virtio_console has no way in for
 * kernel code.
 *
 * The device is known by its port's name (serial_find.c). If the kernel's own console driver has it
 * already, it is taken from that and given back when we go.
 *
 * Contexts: callbacks come in hard interrupts and only kick the link; all else is in the link's
 * thread, or in probe and remove. Buffers are ours, made in probe.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>

#include "compat.h"
#include "serial.h"

#define TMEM_GOODBYE_MS		200

/* Frames that the device is through with. */
static void tmem_serial_reclaim(struct tmem_serial *serial)
{
	struct tmem_serial_out *done;
	unsigned int bytes;

	while ((done = virtqueue_get_buf(serial->queues[TMEM_VQ_TX], &bytes)) != NULL)
		done->busy = false;
}

static struct tmem_out *tmem_serial_begin(void *port)
{
	struct tmem_serial *serial = port;
	u32 i;

	tmem_serial_reclaim(serial);
	for (i = 0; i < TMEM_SERIAL_TX; i++)
		if (!serial->outs[i].busy)
			return &serial->outs[i].out;
	return NULL;
}

static int tmem_serial_send(void *port, struct tmem_out *out)
{
	struct tmem_serial_out *own = container_of(out, struct tmem_serial_out, out);
	struct tmem_serial *serial = port;
	int ret;
	u32 i;

	sg_init_table(own->list, out->pieces);
	for (i = 0; i < out->pieces; i++) {
		if (out->piece[i].is_page)
			sg_set_page(&own->list[i], vmalloc_to_page(out->piece[i].at),
				    out->piece[i].bytes, 0);
		else
			sg_set_buf(&own->list[i], out->piece[i].at, out->piece[i].bytes);
	}
	ret = virtqueue_add_outbuf(serial->queues[TMEM_VQ_TX], own->list, out->pieces, own,
				   GFP_ATOMIC);
	if (ret)
		return ret;
	own->busy = true;
	virtqueue_kick(serial->queues[TMEM_VQ_TX]);
	return 0;
}

static int tmem_serial_add_rx(struct tmem_serial *serial, struct page *page)
{
	struct scatterlist list;

	sg_init_table(&list, 1);
	sg_set_page(&list, page, PAGE_SIZE, 0);
	return virtqueue_add_inbuf(serial->queues[TMEM_VQ_RX], &list, 1, page, GFP_ATOMIC);
}

/* The next buffer that has come; false when there is none. */
static bool tmem_serial_next(struct tmem_serial *serial)
{
	unsigned int bytes = 0;

	serial->current_page = virtqueue_get_buf(serial->queues[TMEM_VQ_RX], &bytes);
	serial->current_at = 0;
	serial->current_bytes = min_t(unsigned int, bytes, PAGE_SIZE);
	return serial->current_page;
}

static size_t tmem_serial_receive(void *port, void *into, size_t room)
{
	struct tmem_serial *serial = port;
	unsigned int buffers = 0;
	size_t count = 0;

	tmem_serial_control(serial);
	while (count < room && (serial->current_page || tmem_serial_next(serial))) {
		u32 part = min_t(size_t, room - count, serial->current_bytes - serial->current_at);

		memcpy(into + count, page_address(serial->current_page) + serial->current_at, part);
		count += part;
		serial->current_at += part;
		if (serial->current_at < serial->current_bytes)
			break;
		/* There is room: it has just come from there. Else the device is gone. */
		if (tmem_serial_add_rx(serial, serial->current_page))
			break;
		serial->current_page = NULL;
		/* Each may come back at once, with nothing in it. */
		if (++buffers == TMEM_SERIAL_RX) {
			tmem_link_kick(serial->link);
			break;
		}
	}
	if (buffers)
		virtqueue_kick(serial->queues[TMEM_VQ_RX]);
	return count;
}

static bool tmem_serial_is_open(void *port)
{
	struct tmem_serial *serial = port;

	return serial->host_open;
}

static const struct tmem_port_ops tmem_serial_port_ops = {
	.begin = tmem_serial_begin,
	.send = tmem_serial_send,
	.receive = tmem_serial_receive,
	.is_open = tmem_serial_is_open,
};

/* Hard interrupt context. */
static void tmem_serial_callback(struct virtqueue *queue)
{
	struct tmem_serial *serial = queue->vdev->priv;

	tmem_link_kick(serial->link);
}

static void tmem_serial_free(struct tmem_serial *serial)
{
	u32 i;

	if (serial->link)
		tmem_link_free(serial->link);
	for (i = 0; i < TMEM_SERIAL_TX; i++)
		kfree(serial->outs[i].out.head);
	for (i = 0; i < TMEM_SERIAL_RX; i++)
		if (serial->pages[i])
			__free_page(serial->pages[i]);
	for (i = 0; i < TMEM_SERIAL_CONTROLS; i++)
		kfree(serial->control_in[i]);
	kfree(serial->control_out);
	kvfree(serial);
}

/* All buffers. May sleep. NULL when there is no memory. */
static struct tmem_serial *tmem_serial_alloc(void)
{
	struct tmem_serial *serial = kvzalloc(sizeof(*serial), GFP_KERNEL);
	bool lacks;
	u32 i;

	if (!serial)
		return NULL;
	serial->link = tmem_link_create(&tmem_serial, &tmem_serial_port_ops, serial);
	serial->control_out = kzalloc(sizeof(*serial->control_out), GFP_KERNEL);
	lacks = !serial->link || !serial->control_out;
	for (i = 0; i < TMEM_SERIAL_TX; i++) {
		serial->outs[i].out.head = kmalloc(TMEM_OUT_HEAD_BYTES, GFP_KERNEL);
		lacks |= !serial->outs[i].out.head;
	}
	for (i = 0; i < TMEM_SERIAL_RX; i++) {
		serial->pages[i] = alloc_page(GFP_KERNEL);
		lacks |= !serial->pages[i];
	}
	for (i = 0; i < TMEM_SERIAL_CONTROLS; i++) {
		serial->control_in[i] = kmalloc(TMEM_CONTROL_BYTES, GFP_KERNEL);
		lacks |= !serial->control_in[i];
	}
	if (!lacks)
		return serial;
	tmem_serial_free(serial);
	return NULL;
}

/* Gives the device back as it was, and all buffers with it. May sleep. */
static void tmem_serial_take_down(struct tmem_serial *serial)
{
	tmem_reset_virtio(serial->vdev);
	serial->vdev->config->del_vqs(serial->vdev);
}

/* Queues, with buffers for all that may come; none of them after an error. May sleep. */
static int tmem_serial_set_up(struct tmem_serial *serial)
{
	vq_callback_t *callbacks[TMEM_VQS] = {
		NULL, NULL, tmem_serial_callback, NULL, tmem_serial_callback, tmem_serial_callback,
	};
	static const char *const names[TMEM_VQS] = {
		"console-rx", "console-tx", "control-rx", "control-tx", "rx", "tx",
	};
	int ret;
	u32 i;

	ret = tmem_find_virtqueues(serial->vdev, TMEM_VQS, serial->queues, callbacks, names);
	if (ret)
		return ret;
	virtio_device_ready(serial->vdev);
	for (i = 0; i < TMEM_SERIAL_CONTROLS && !ret; i++)
		ret = tmem_serial_add_control(serial, serial->control_in[i]);
	for (i = 0; i < TMEM_SERIAL_RX && !ret; i++)
		ret = tmem_serial_add_rx(serial, serial->pages[i]);
	if (ret) {
		/* The device has those that were added. */
		tmem_serial_take_down(serial);
		return ret;
	}
	virtqueue_kick(serial->queues[TMEM_VQ_CONTROL_RX]);
	virtqueue_kick(serial->queues[TMEM_VQ_RX]);
	return 0;
}

static int tmem_serial_probe(struct virtio_device *vdev)
{
	struct tmem_serial *serial;
	int ret;

	/* Others are the console driver's. */
	if (tmem_the_device() || !tmem_serial_may_be_ours(vdev))
		return -ENODEV;
	serial = tmem_serial_alloc();
	if (!serial)
		return -ENOMEM;
	serial->vdev = vdev;
	vdev->priv = serial;
	ret = tmem_serial_set_up(serial);
	if (ret)
		goto fail;
	ret = tmem_serial_open(serial) ?: tmem_link_start(serial->link, &vdev->dev);
	if (!ret)
		return 0;
	tmem_serial_take_down(serial);
fail:
	tmem_serial_free(serial);
	return ret;
}

/* The link's last words, before the reset takes them back. May sleep. */
static void tmem_serial_let_out(struct tmem_serial *serial)
{
	unsigned long end = jiffies + msecs_to_jiffies(TMEM_GOODBYE_MS);
	bool busy;
	u32 i;

	do {
		tmem_serial_reclaim(serial);
		busy = false;
		for (i = 0; i < TMEM_SERIAL_TX; i++)
			busy |= serial->outs[i].busy;
		if (busy)
			usleep_range(200, 400);
	} while (busy && time_before(jiffies, end));
}

static void tmem_serial_remove(struct virtio_device *vdev)
{
	struct tmem_serial *serial = vdev->priv;

	/* No front end uses it any more, or none ever did. */
	tmem_device_publish(NULL);
	tmem_link_stop(serial->link);
	tmem_serial_let_out(serial);
	tmem_serial_take_down(serial);
	tmem_serial_free(serial);
}

static const struct virtio_device_id tmem_serial_ids[] = {
	{ VIRTIO_ID_CONSOLE, VIRTIO_DEV_ANY_ID },
	{ }
};

static unsigned int tmem_serial_features[] = {
	VIRTIO_CONSOLE_F_MULTIPORT,
};

static struct virtio_driver tmem_serial_driver = {
	.driver.name = "tmem_serial",
	.driver.owner = THIS_MODULE,
	.driver.suppress_bind_attrs = true,
	.id_table = tmem_serial_ids,
	.feature_table = tmem_serial_features,
	.feature_table_size = ARRAY_SIZE(tmem_serial_features),
	.probe = tmem_serial_probe,
	.remove = tmem_serial_remove,
};

/* The device that we took from the console driver, if any; a reference. */
static struct device *tmem_serial_taken;

static void tmem_serial_exit(void)
{
	unregister_virtio_driver(&tmem_serial_driver);
	if (!tmem_serial_taken)
		return;
	/* Nobody has it now: it goes to the driver that would have it without us. */
	if (device_attach(tmem_serial_taken) < 0)
		dev_warn(tmem_serial_taken, "no driver takes it back\n");
	put_device(tmem_serial_taken);
	tmem_serial_taken = NULL;
}

/* The caller calls exit after a success, also when no device was found. */
static int tmem_serial_init(void)
{
	int ret;

	ret = register_virtio_driver(&tmem_serial_driver);
	if (ret || tmem_the_device())
		return ret;
	tmem_serial_taken = tmem_serial_find(&tmem_serial_driver.driver);
	if (!tmem_serial_taken)
		return 0;
	device_release_driver(tmem_serial_taken);
	ret = driver_attach(&tmem_serial_driver.driver);
	if (ret)
		tmem_serial_exit();
	return ret;
}

const struct tmem_transport tmem_serial = {
	.name = "virtio-serial",
	.init = tmem_serial_init,
	.exit = tmem_serial_exit,
	.ring = tmem_link_kick,
	.staged = true,
};
