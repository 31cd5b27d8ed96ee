// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which virtio-serial device is the one set aside for us: room for just two ports, and port 1 has
 * our name.
 *
 * Of a device that no driver has, the name is asked for once we have it (serial_control.c). None is
 * taken from the console driver before its port's name is known, for somebody else's port is in
 * use; that driver shows names in sysfs only, where they are part of the kernel's ABI. Process
 * context; all of it may sleep.
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>

#include "compat.h"
#include "serial.h"

/* Number 0, which QEMU keeps for a console, and ours. */
#define TMEM_SERIAL_PORTS	2
/* The console driver hears a port's name some time after it has the device. */
#define TMEM_NAME_LOOKS		100
#define TMEM_NAME_LOOK_MS	20

/* What one look at all devices has found. */
struct tmem_serial_look {
	struct device_driver *own;	/* whose devices are not looked at */
	bool nameless;			/* one may be ours and has no name yet */
};

/* Whether the device may be the one set aside for us. */
bool tmem_serial_may_be_ours(struct virtio_device *vdev)
{
	u32 ports;

	if (vdev->id.device != VIRTIO_ID_CONSOLE ||
	    !(tmem_virtio_features(vdev) & BIT_ULL(VIRTIO_CONSOLE_F_MULTIPORT)))
		return false;
	virtio_cread(vdev, struct virtio_console_config, max_nr_ports, &ports);
	return ports == TMEM_SERIAL_PORTS;
}

/* 1 when the console driver's port has our name, 0 when another, or -errno. */
static int tmem_serial_named(struct virtio_device *vdev)
{
	static const char wanted[] = TMEM_PORT_NAME "\n";
	char name[sizeof(wanted)];
	char path[128];
	struct file *file;
	loff_t at = 0;
	ssize_t count;

	snprintf(path, sizeof(path), "/sys/bus/virtio/devices/%s/virtio-ports/vport%up%u/name",
		 dev_name(&vdev->dev), vdev->index, TMEM_SERIAL_PORT);
	file = filp_open(path, O_RDONLY, 0);
	if (IS_ERR(file))
		return PTR_ERR(file);
	count = kernel_read(file, name, sizeof(name), &at);
	filp_close(file, NULL);
	if (count < 0)
		return count;
	return count == strlen(wanted) && !memcmp(name, wanted, count);
}

static int tmem_serial_match(struct device *dev, const void *data)
{
	/* bus_find_device() passes it on as it is. */
	struct tmem_serial_look *look = (struct tmem_serial_look *)data;
	struct virtio_device *vdev = dev_to_virtio(dev);
	int named;

	if (!dev->driver || dev->driver == look->own || !tmem_serial_may_be_ours(vdev))
		return false;
	named = tmem_serial_named(vdev);
	look->nameless |= named < 0;
	return named > 0;
}

/*
 * The device of ours that another driver than @own has, or NULL. The caller puts it.
 */
struct device *tmem_serial_find(struct device_driver *own)
{
	unsigned int looks;

	for (looks = 0; looks < TMEM_NAME_LOOKS; looks++) {
		struct tmem_serial_look look = { .own = own };
		struct device *found;

		found = bus_find_device(own->bus, NULL, &look, tmem_serial_match);
		if (found || !look.nameless)
			return found;
		msleep(TMEM_NAME_LOOK_MS);
	}
	pr_info("tmem: a virtio-serial device has two ports and no name under /sys: left alone\n");
	return NULL;
}
