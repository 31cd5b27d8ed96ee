// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's virtio-serial transport, in a program that plays a device which does as it likes:
 * transport_serial.c and serial_control.c themselves. The first argument is what it does; prints
 * what came of it, a name and a number a line.
 */
#include "shim.h"

#define BUFFERS_MAX	256
#define LOOKS_MAX	100000

struct device { int value; };
struct page { u8 bytes[PAGE_SIZE]; };
struct scatterlist { void *at; u32 bytes; };

/* A buffer of the driver's that the device has. */
struct buffer {
	void *data;
	void *at;
	u32 bytes;
};

struct virtio_device;
struct virtqueue {
	struct virtio_device *vdev;
	struct buffer buffers[BUFFERS_MAX];
	unsigned int first;
	unsigned int count;
	unsigned int kicks;
	unsigned int looks;
};

typedef void vq_callback_t(struct virtqueue *queue);
struct virtio_config_ops { void (*del_vqs)(struct virtio_device *vdev); };
struct virtio_device {
	struct device dev;
	struct { u32 device; } id;
	void *priv;
	const struct virtio_config_ops *config;
};
struct bus_type { int value; };
struct virtio_device_id { u32 device, vendor; };
struct device_driver {
	const char *name;
	void *owner;
	bool suppress_bind_attrs;
	struct bus_type *bus;
};
struct virtio_driver {
	struct device_driver driver;
	const struct virtio_device_id *id_table;
	const unsigned int *feature_table;
	unsigned int feature_table_size;
	int (*probe)(struct virtio_device *vdev);
	void (*remove)(struct virtio_device *vdev);
};
struct virtio_console_control { __virtio32 id; __virtio16 event, value; };

enum { VIRTIO_ID_CONSOLE = 3, VIRTIO_DEV_ANY_ID = -1, VIRTIO_CONSOLE_F_MULTIPORT = 1 };
enum {
	VIRTIO_CONSOLE_DEVICE_READY = 0, VIRTIO_CONSOLE_PORT_ADD = 1, VIRTIO_CONSOLE_PORT_READY = 3,
	VIRTIO_CONSOLE_PORT_OPEN = 6, VIRTIO_CONSOLE_PORT_NAME = 7,
};

#define virtio32_to_cpu(vdev, word)	(word)
#define virtio16_to_cpu(vdev, word)	(word)
#define cpu_to_virtio32(vdev, word)	(word)
#define cpu_to_virtio16(vdev, word)	(word)
#define page_address(page)		((void *)(page)->bytes)
#define vmalloc_to_page(at)		((struct page *)(at))
#define dev_err(dev, ...)		((void)(dev))
#define dev_info(dev, ...)		((void)(dev))
#define dev_warn(dev, ...)		((void)(dev))
#define usleep_range(least, most)	(jiffies++)

unsigned long jiffies;
static unsigned int link_kicks;
static unsigned int resets;
static unsigned int freed_while_lent;
/* Buffers that the device takes before it takes no more. */
static unsigned int adds_left = ~0u;
static struct virtqueue queues[6];
/* The next length of a used buffer; negative: none has come. */
static int (*next_length)(void);

static void sg_init_table(struct scatterlist *list, unsigned int count)
{
	memset(list, 0, count * sizeof(*list));
}

static void sg_set_buf(struct scatterlist *list, void *at, u32 bytes)
{
	list->at = at;
	list->bytes = bytes;
}

static void sg_set_page(struct scatterlist *list, struct page *page, u32 bytes, u32 offset)
{
	sg_set_buf(list, page->bytes + offset, bytes);
}

static void sg_init_one(struct scatterlist *list, void *at, u32 bytes)
{
	sg_set_buf(list, at, bytes);
}

static int virtqueue_add_inbuf(struct virtqueue *queue, struct scatterlist *list,
			       unsigned int count, void *data, int flags)
{
	struct buffer *to = &queue->buffers[(queue->first + queue->count) % BUFFERS_MAX];

	(void)count, (void)flags;
	if (!adds_left)
		return -ENOSPC;
	adds_left--;
	queue->count++;
	*to = (struct buffer){ data, list->at, list->bytes };
	return 0;
}
#define virtqueue_add_outbuf virtqueue_add_inbuf

static bool virtqueue_kick(struct virtqueue *queue)
{
	queue->kicks++;
	return true;
}

static void *virtqueue_get_buf(struct virtqueue *queue, unsigned int *bytes)
{
	struct buffer *from = &queue->buffers[queue->first];
	int length = next_length ? next_length() : -1;

	if (++queue->looks > LOOKS_MAX) {
		fprintf(stderr, "the driver does not end\n");
		exit(1);
	}
	if (!queue->count || length < 0)
		return NULL;
	queue->first = (queue->first + 1) % BUFFERS_MAX;
	queue->count--;
	*bytes = length;
	return from->data;
}

static struct page *alloc_page(int flags)
{
	(void)flags;
	return calloc(1, sizeof(struct page));
}

/* Whether the device may still write there. */
static void check_lent(void *at)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(queues); i++)
		for (j = 0; j < queues[i].count; j++)
			freed_while_lent +=
				queues[i].buffers[(queues[i].first + j) % BUFFERS_MAX].at == at;
}

static void __free_page(struct page *page)
{
	check_lent(page->bytes);
	free(page);
}

static void shim_kfree(void *at)
{
	if (at)
		check_lent(at);
	free(at);
}
#undef kfree
#define kfree shim_kfree

static int tmem_find_virtqueues(struct virtio_device *vdev, unsigned int count,
				struct virtqueue *to[], vq_callback_t *callbacks[],
				const char *const names[])
{
	unsigned int i;

	(void)callbacks, (void)names;
	for (i = 0; i < count; i++) {
		memset(&queues[i], 0, sizeof(queues[i]));
		queues[i].vdev = vdev;
		to[i] = &queues[i];
	}
	return 0;
}

static void tmem_reset_virtio(struct virtio_device *vdev)
{
	unsigned int i;

	(void)vdev;
	resets++;
	for (i = 0; i < ARRAY_SIZE(queues); i++)
		queues[i].count = 0;
}

static void virtio_device_ready(struct virtio_device *vdev) { (void)vdev; }
static int register_virtio_driver(struct virtio_driver *driver) { (void)driver; return 0; }
static void unregister_virtio_driver(struct virtio_driver *driver) { (void)driver; }
static void device_release_driver(struct device *dev) { (void)dev; }
static int driver_attach(struct device_driver *driver) { (void)driver; return 0; }
static int device_attach(struct device *dev) { (void)dev; return 0; }
static void put_device(struct device *dev) { (void)dev; }

#include "serial_control.c"
#include "transport_serial.c"

bool tmem_unloading;
bool tmem_device_exists(void) { return false; }
void tmem_device_end(struct tmem_device *dev, bool quietly) { (void)dev, (void)quietly; }
struct tmem_device *tmem_link_device(struct tmem_link *link) { (void)link; return NULL; }
bool tmem_serial_may_be_ours(struct virtio_device *vdev) { (void)vdev; return true; }
struct device *tmem_serial_find(struct device_driver *own) { (void)own; return NULL; }
void tmem_link_kick(void *link) { (void)link; link_kicks++; }
int tmem_link_start(struct tmem_link *link, struct device *dev) { (void)link, (void)dev; return 0; }
void tmem_link_stop(struct tmem_link *link) { (void)link; }
void tmem_link_free(struct tmem_link *link) { free(link); }

struct tmem_link *tmem_link_create(const struct tmem_transport *transport,
				   const struct tmem_port_ops *ops, void *port)
{
	(void)transport, (void)ops, (void)port;
	return calloc(1, sizeof(struct tmem_link));
}

static int always_empty(void)
{
	return 0;
}

/* Some with nothing in them, one that claims more than it holds, then a pause. */
static int mixed(void)
{
	static const int lengths[] = { 0, 5, 0, 0, 5000, 3, 0 };
	static unsigned int at;

	return at < ARRAY_SIZE(lengths) ? lengths[at++] : -1;
}

static void del_vqs(struct virtio_device *vdev) { (void)vdev; }
static const struct virtio_config_ops config = { .del_vqs = del_vqs };
static struct virtio_device device = { .config = &config };

static struct tmem_serial *set_up(void)
{
	struct tmem_serial *serial = tmem_serial_alloc();

	serial->vdev = &device;
	device.priv = serial;
	if (tmem_serial_set_up(serial))
		exit(1);
	queues[TMEM_VQ_RX].kicks = 0;
	queues[TMEM_VQ_CONTROL_RX].kicks = 0;
	return serial;
}

int main(int count, char **arguments)
{
	const char *what = count > 1 ? arguments[1] : "";
	struct tmem_serial *serial;
	static u8 into[65536];

	if (!strcmp(what, "full")) {
		/* All control buffers, and some of the others. */
		adds_left = TMEM_SERIAL_CONTROLS + 3;
		printf("probe %d\n", tmem_serial_probe(&device));
	} else {
		serial = set_up();
		next_length = !strcmp(what, "mixed") ? mixed : always_empty;
		if (!strcmp(what, "control"))
			tmem_serial_control(serial);
		else if (!strcmp(what, "mixed"))
			/* None of them are control messages. */
			queues[TMEM_VQ_CONTROL_RX].count = 0;
		if (strcmp(what, "control"))
			printf("bytes %zu\n", tmem_serial_receive(serial, into, sizeof(into)));
		printf("link_kicks %u\n", link_kicks);
		printf("control_with_device %u\n", queues[TMEM_VQ_CONTROL_RX].count);
		printf("control_kicks %u\n", queues[TMEM_VQ_CONTROL_RX].kicks);
		printf("with_device %u\n", queues[TMEM_VQ_RX].count);
		printf("kicks %u\n", queues[TMEM_VQ_RX].kicks);
		printf("looks %u\n", queues[TMEM_VQ_RX].looks);
		next_length = NULL;
		tmem_serial_remove(&device);
	}
	printf("resets %u\n", resets);
	printf("freed_while_lent %u\n", freed_while_lent);
	return 0;
}
