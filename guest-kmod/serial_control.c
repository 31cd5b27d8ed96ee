// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control queues of a virtio-serial device (virtio 1.1 section 5.3.6): bringing port 1 up, and
 * hearing whether a host has it open. What the device says is copied by it into buffers of ours and
 * bounded here. In the link's thread, or in the probe before there is one.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/scatterlist.h>
#include <linux/string.h>
#include <linux/virtio_console.h>

#include "compat.h"
#include "serial.h"

#define TMEM_CONTROL_MS		2000

/* A buffer for what the device may say. */
int tmem_serial_add_control(struct tmem_serial *serial, void *buffer)
{
	struct scatterlist list;

	sg_init_one(&list, buffer, TMEM_CONTROL_BYTES);
	return virtqueue_add_inbuf(serial->queues[TMEM_VQ_CONTROL_RX], &list, 1, buffer,
				   GFP_ATOMIC);
}

/* @bytes of a message that we own, with room for a zero behind them. */
static void tmem_serial_hear(struct tmem_serial *serial, void *message, unsigned int bytes)
{
	struct virtio_console_control *control = message;
	u16 value;

	if (bytes < sizeof(*control) ||
	    virtio32_to_cpu(serial->vdev, control->id) != TMEM_SERIAL_PORT)
		return;
	value = virtio16_to_cpu(serial->vdev, control->value);
	switch (virtio16_to_cpu(serial->vdev, control->event)) {
	case VIRTIO_CONSOLE_PORT_ADD:
		serial->port_added = true;
		break;
	case VIRTIO_CONSOLE_PORT_NAME:
		((char *)message)[bytes] = '\0';
		serial->port_named = !strcmp((char *)(control + 1), TMEM_PORT_NAME);
		break;
	case VIRTIO_CONSOLE_PORT_OPEN:
		serial->host_open = value;
		break;
	default:
		break;
	}
}

/* Takes in what the device says; of one that never pauses, a part at a time. */
void tmem_serial_control(struct tmem_serial *serial)
{
	unsigned int messages = 0;
	unsigned int bytes;
	void *message;

	while ((message = virtqueue_get_buf(serial->queues[TMEM_VQ_CONTROL_RX], &bytes)) != NULL) {
		tmem_serial_hear(serial, message,
				 min_t(unsigned int, bytes, TMEM_CONTROL_BYTES - 1));
		/* There is room: it has just come from there. Else the device is gone. */
		if (tmem_serial_add_control(serial, message))
			return;
		if (++messages == TMEM_SERIAL_CONTROLS) {
			tmem_link_kick(serial->link);
			break;
		}
	}
	if (messages)
		virtqueue_kick(serial->queues[TMEM_VQ_CONTROL_RX]);
}

/* Says something to the device and waits until it has read it. May sleep. */
static int tmem_serial_tell(struct tmem_serial *serial, u32 port, u16 event, u16 value)
{
	struct virtqueue *queue = serial->queues[TMEM_VQ_CONTROL_TX];
	unsigned long end = jiffies + msecs_to_jiffies(TMEM_CONTROL_MS);
	struct scatterlist list;
	unsigned int bytes;
	int ret;

	serial->control_out->id = cpu_to_virtio32(serial->vdev, port);
	serial->control_out->event = cpu_to_virtio16(serial->vdev, event);
	serial->control_out->value = cpu_to_virtio16(serial->vdev, value);
	sg_init_one(&list, serial->control_out, sizeof(*serial->control_out));
	ret = virtqueue_add_outbuf(queue, &list, 1, serial, GFP_KERNEL);
	if (ret)
		return ret;
	virtqueue_kick(queue);
	while (!virtqueue_get_buf(queue, &bytes)) {
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		usleep_range(50, 100);
	}
	return 0;
}

/* Waits until the device has said something. May sleep. */
static bool tmem_serial_hears(struct tmem_serial *serial, const bool *what)
{
	unsigned long end = jiffies + msecs_to_jiffies(TMEM_CONTROL_MS);

	for (;;) {
		tmem_serial_control(serial);
		if (*what)
			return true;
		if (time_after(jiffies, end))
			return false;
		usleep_range(200, 400);
	}
}

/* Brings the port up: it is added, ready, named, open. May sleep. */
int tmem_serial_open(struct tmem_serial *serial)
{
	struct device *dev = &serial->vdev->dev;
	int ret;

	/* This message is about no port: its id is all ones. */
	ret = tmem_serial_tell(serial, ~0u, VIRTIO_CONSOLE_DEVICE_READY, 1);
	if (ret)
		return ret;
	if (!tmem_serial_hears(serial, &serial->port_added))
		return -ENODEV;
	ret = tmem_serial_tell(serial, TMEM_SERIAL_PORT, VIRTIO_CONSOLE_PORT_READY, 1);
	if (ret)
		return ret;
	if (!tmem_serial_hears(serial, &serial->port_named)) {
		dev_info(dev, "port %u is not called %s: not the device set aside for tmem\n",
			 TMEM_SERIAL_PORT, TMEM_PORT_NAME);
		return -ENODEV;
	}
	if (!tmem_serial_hears(serial, &serial->host_open)) {
		dev_err(dev, "no tmem host is at the other end of %s\n", TMEM_PORT_NAME);
		return -ENODEV;
	}
	return tmem_serial_tell(serial, TMEM_SERIAL_PORT, VIRTIO_CONSOLE_PORT_OPEN, 1);
}
