// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ivshmem transport: QEMU's ivshmem-doorbell device (docs/specs/ivshmem-spec), revision 1.
 *
 * BAR 0 has the doorbell, BAR 2 is the region, MSI-X vector i wakes the waiters of queue i.
 */
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "tmem.h"

#define TMEM_PCI_VENDOR		0x1af4
#define TMEM_PCI_DEVICE		0x1110
#define TMEM_REGISTERS_BAR	0
#define TMEM_REGION_BAR		2
#define TMEM_REG_IVPOSITION	0x08
#define TMEM_PEER_MAX		65535	/* peer ids have 16 bits */
#define TMEM_REG_DOORBELL	0x0c
/* How long the host may take to notice us. */
#define TMEM_ATTACH_MS		5000

struct tmem_ivshmem {
	struct tmem_device dev;		/* what the other layers see */
	void __iomem *registers;	/* BAR 0 */
	u32 doorbell;			/* value that rings the host */
	u32 peer;			/* our own number */
	u32 vectors;			/* interrupts requested so far */
	struct tmem_irq {
		struct tmem_device *dev;	/* the device */
		u32 queue;			/* whose waiters it wakes */
	} irqs[TMEM_QUEUES_MAX];	/* one a queue */
};

static void tmem_ivshmem_ring(void *transport)
{
	struct tmem_ivshmem *ivshmem = transport;

	iowrite32(ivshmem->doorbell, ivshmem->registers + TMEM_REG_DOORBELL);
}

static irqreturn_t tmem_ivshmem_irq(int irq, void *data)
{
	struct tmem_irq *vector = data;

	tmem_queue_interrupt(vector->dev, vector->queue);
	return IRQ_HANDLED;
}

static void tmem_free(struct tmem_ivshmem *ivshmem, struct pci_dev *pci)
{
	u32 i;

	for (i = 0; i < ivshmem->vectors; i++)
		free_irq(pci_irq_vector(pci, i), &ivshmem->irqs[i]);
	pci_free_irq_vectors(pci);
	tmem_credits_free(&ivshmem->dev);
	tmem_queues_free(&ivshmem->dev);
	if (ivshmem->dev.header)
		memunmap(ivshmem->dev.header);
	kfree(ivshmem);
}

static int tmem_request_irqs(struct tmem_ivshmem *ivshmem, struct pci_dev *pci)
{
	u32 count = ivshmem->dev.queue_count;
	int ret;

	ret = pci_alloc_irq_vectors(pci, count, count, PCI_IRQ_MSIX);
	if (ret < 0) {
		dev_err(&pci->dev, "%u interrupt vectors are needed: -device ...,vectors=%u\n",
			count, count);
		return ret;
	}
	while (ivshmem->vectors < count) {
		struct tmem_irq *vector = &ivshmem->irqs[ivshmem->vectors];

		vector->dev = &ivshmem->dev;
		vector->queue = ivshmem->vectors;
		ret = request_irq(pci_irq_vector(pci, ivshmem->vectors), tmem_ivshmem_irq, 0,
				  "tmem", vector);
		if (ret)
			return ret;
		ivshmem->vectors++;
	}
	return 0;
}

/* Asks the host to serve this life and waits until it does. PROTOCOL.md section 4. */
static int tmem_attach(struct tmem_ivshmem *ivshmem, struct pci_dev *pci)
{
	struct tmem_device *dev = &ivshmem->dev;
	struct tmem_header *header = dev->header;
	unsigned int waited;

	dev->guest_epoch = (get_random_u32() & 0x7fffffff) | 1;
	/* A life that ended without a word may be served still; it must not be taken for ours. */
	if (dev->guest_epoch == le32_to_cpu(READ_ONCE(header->session_epoch)))
		dev->guest_epoch ^= 2;
	dev->host_epoch = le32_to_cpu(READ_ONCE(header->host_epoch));
	dev->features = le32_to_cpu(READ_ONCE(header->features));
	dev->features &= (tmem_posted_puts ? TMEM_FEATURE_POSTED_PUTS : 0) |
			 (tmem_direct_gets ? TMEM_FEATURE_DIRECT_GETS : 0);
	WRITE_ONCE(header->guest_version, cpu_to_le32(TMEM_PROTOCOL_VERSION));
	WRITE_ONCE(header->guest_features, cpu_to_le32(dev->features));
	WRITE_ONCE(header->guest_peer, cpu_to_le32(ivshmem->peer));
	WRITE_ONCE(header->guest_epoch, cpu_to_le32(dev->guest_epoch));
	/* Our words before the state that offers them. */
	virt_store_release(&header->guest_state, cpu_to_le32(TMEM_GUEST_ATTACHED));
	dev->transport->ring(ivshmem);
	for (waited = 0; waited < TMEM_ATTACH_MS; waited++) {
		/* The host's counters are reset before it confirms. */
		if (le32_to_cpu(virt_load_acquire(&header->session_epoch)) == dev->guest_epoch)
			return 0;
		usleep_range(1000, 1500);
	}
	WRITE_ONCE(header->guest_state, cpu_to_le32(TMEM_GUEST_DETACHED));
	dev_err(&pci->dev, "the tmem host did not answer within %u ms\n", TMEM_ATTACH_MS);
	return -ETIMEDOUT;
}

static int tmem_map(struct tmem_ivshmem *ivshmem, struct pci_dev *pci)
{
	struct tmem_device *dev = &ivshmem->dev;
	int ret;

	ret = pcim_enable_device(pci);
	if (ret)
		return ret;
	ret = pcim_iomap_regions(pci, BIT(TMEM_REGISTERS_BAR), "tmem");
	if (ret)
		return ret;
	ivshmem->registers = pcim_iomap_table(pci)[TMEM_REGISTERS_BAR];
	ivshmem->doorbell = 0;
	dev->region_bytes = pci_resource_len(pci, TMEM_REGION_BAR);
	if (dev->region_bytes < TMEM_PAGE_BYTES)
		return -ENODEV;
	/* The region is ordinary memory behind a BAR: cached, or each copy would cost a trap. */
	dev->header = memremap(pci_resource_start(pci, TMEM_REGION_BAR), dev->region_bytes,
			       MEMREMAP_WB);
	if (!dev->header)
		return -ENOMEM;
	pci_set_master(pci);
	return tmem_region_check(&pci->dev, dev->header, dev->region_bytes);
}

/*
 * Our number and the host's. Registers under which another device lies would swallow each doorbell
 * without a word; they show no number that could be ours.
 */
static int tmem_know_peers(struct tmem_ivshmem *ivshmem, struct pci_dev *pci)
{
	u32 host = le32_to_cpu(READ_ONCE(ivshmem->dev.header->host_peer));

	ivshmem->peer = ioread32(ivshmem->registers + TMEM_REG_IVPOSITION);
	ivshmem->doorbell = host << 16;
	if (ivshmem->peer != host && ivshmem->peer <= TMEM_PEER_MAX && host <= TMEM_PEER_MAX)
		return 0;
	dev_err(&pci->dev, "BAR 0 at %pR does not answer: is another device there?\n",
		&pci->resource[TMEM_REGISTERS_BAR]);
	return -EIO;
}

static int tmem_ivshmem_probe(struct pci_dev *pci, const struct pci_device_id *id)
{
	struct tmem_ivshmem *ivshmem;
	struct tmem_device *dev;
	int ret;

	BUILD_BUG_ON(PAGE_SIZE != TMEM_PAGE_BYTES);
	ivshmem = kzalloc(sizeof(*ivshmem), GFP_KERNEL);
	if (!ivshmem)
		return -ENOMEM;
	dev = &ivshmem->dev;
	dev->transport = &tmem_ivshmem;
	dev->transport_data = ivshmem;
	ret = tmem_map(ivshmem, pci);
	if (ret)
		goto fail;
	ret = tmem_know_peers(ivshmem, pci);
	if (ret)
		goto fail;
	/*
	 * A kernel that was reset, or gave way to this one, has left it ATTACHED: the host must not
	 * take the words that we are about to zero for that one's.
	 */
	virt_store_mb(dev->header->guest_state, cpu_to_le32(TMEM_GUEST_DETACHED));
	ret = tmem_region_lay_out(dev);
	if (ret) {
		dev_err(&pci->dev, "the host's layout does not fit its memory\n");
		goto fail;
	}
	ret = tmem_request_irqs(ivshmem, pci) ?: tmem_attach(ivshmem, pci);
	if (ret)
		goto fail;
	pci_set_drvdata(pci, ivshmem);
	ret = tmem_device_publish(dev);
	if (ret)
		goto detach;
	dev_info(&pci->dev, "%u slots, %u queues of %u, %s puts, %s gets\n", dev->slot_count,
		 dev->queue_count, dev->queues[0].entries,
		 dev->features & TMEM_FEATURE_POSTED_PUTS ? "posted" : "answered",
		 dev->features & TMEM_FEATURE_DIRECT_GETS ? "direct" : "answered");
	return 0;
detach:
	WRITE_ONCE(dev->header->guest_state, cpu_to_le32(TMEM_GUEST_DETACHED));
fail:
	tmem_free(ivshmem, pci);
	return ret;
}

static void tmem_ivshmem_remove(struct pci_dev *pci)
{
	struct tmem_ivshmem *ivshmem = pci_get_drvdata(pci);

	/* No front end uses it any more, or none ever did. */
	tmem_device_publish(NULL);
	WRITE_ONCE(ivshmem->dev.header->guest_state, cpu_to_le32(TMEM_GUEST_DETACHED));
	tmem_ivshmem_ring(ivshmem);
	tmem_free(ivshmem, pci);
}

static const struct pci_device_id tmem_ivshmem_ids[] = {
	{ PCI_DEVICE(TMEM_PCI_VENDOR, TMEM_PCI_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, tmem_ivshmem_ids);

static struct pci_driver tmem_ivshmem_driver = {
	.name = "tmem",
	.id_table = tmem_ivshmem_ids,
	.probe = tmem_ivshmem_probe,
	.remove = tmem_ivshmem_remove,
	.driver.suppress_bind_attrs = true,
};

static int tmem_ivshmem_init(void)
{
	return pci_register_driver(&tmem_ivshmem_driver);
}

static void tmem_ivshmem_exit(void)
{
	pci_unregister_driver(&tmem_ivshmem_driver);
}

const struct tmem_transport tmem_ivshmem = {
	.name = "ivshmem",
	.init = tmem_ivshmem_init,
	.exit = tmem_ivshmem_exit,
	.ring = tmem_ivshmem_ring,
};
