// SPDX-License-Identifier: GPL-2.0-only
/*
 * phyr_fault: faults that kernels without fault injection do not have. Each parameter sets
 * one up, until the module is removed; those that can end earlier happen @times times.
 *
 *	device=PCI slow_unbind=MS  its driver is told to leave that long before it does
 *	device=PCI slow_read=MS    reading its configuration space takes that long
 *	device=PCI mask=BITS       it can reach no higher addresses
 *	status=STATUS              a command of phyr ends with this NVMe status
 *	no_iova=1                  dma_map_resource() finds no addresses
 *	no_memory=1                phyr lacks the memory to describe a route
 *	other_driver=1             the nvme driver begins its requests in another way
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/pci.h>

#include "core/route.h"
#include "disk/nvme_private.h"

static char *device = "";
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "PCI device, as 0000:01:00.0");
static unsigned int slow_unbind;
module_param(slow_unbind, uint, 0444);
static unsigned int slow_read;
module_param(slow_read, uint, 0444);
static unsigned int mask;
module_param(mask, uint, 0444);
static ushort status;
module_param(status, ushort, 0444);
static bool no_iova;
module_param(no_iova, bool, 0444);
static bool no_memory;
module_param(no_memory, bool, 0444);
static bool other_driver;
module_param(other_driver, bool, 0444);
static int times = 1;
module_param(times, int, 0444);

static struct pci_dev *fault_dev;
static atomic_t fault_left;
static u64 fault_true_mask;

static bool fault_is_due(void)
{
	return atomic_dec_if_positive(&fault_left) >= 0;
}

/* -------------------------------------------------------------- slow devices */

/* After phyr, whose priority is higher, has heard of it. */
static int fault_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	if (action == BUS_NOTIFY_UNBIND_DRIVER && data == &fault_dev->dev)
		msleep(slow_unbind);
	return NOTIFY_OK;
}

static struct notifier_block fault_notifier = { .notifier_call = fault_notify };

static struct pci_ops fault_ops, *fault_true_ops;

/* x86 takes no lock for it (PCI_LOCKLESS_CONFIG), but user space's reads have one. */
static int fault_read(struct pci_bus *bus, unsigned int devfn, int where, int size,
		      u32 *val)
{
	if (devfn == fault_dev->devfn && !irqs_disabled() && fault_is_due())
		msleep(slow_read);
	return fault_true_ops->read(bus, devfn, where, size, val);
}

static void fault_slow_read(void)
{
	fault_true_ops = fault_dev->bus->ops;
	fault_ops = *fault_true_ops;
	fault_ops.read = fault_read;
	pci_bus_set_ops(fault_dev->bus, &fault_ops);
}

/* Who is inside has time to leave: one read that was due, and has slept. */
static void fault_slow_read_end(void)
{
	pci_bus_set_ops(fault_dev->bus, fault_true_ops);
	atomic_set(&fault_left, 0);
	msleep(slow_read + 100);
}

/* -------------------------------------------------------------------- probes */

/* cmd_end(rq, ...), where the status argument may be 0 though the command failed */
static int fault_end(struct kprobe *probe, struct pt_regs *regs)
{
	struct request *rq = (struct request *)regs_get_kernel_argument(regs, 0);
	struct nvme_request_head *nr = blk_mq_rq_to_pdu(rq);

	if (fault_is_due())
		nr->status = status;
	return 0;
}

static struct kprobe fault_end_probe = {
	.symbol_name = "phyr:cmd_end",
	.pre_handler = fault_end,
};

/* dma_map_resource(dev, phys, size, ...): no address space has room for so much */
static int fault_map(struct kprobe *probe, struct pt_regs *regs)
{
	if (fault_is_due())
		regs->dx = 1UL << 56;
	return 0;
}

static struct kprobe fault_map_probe = {
	.symbol_name = "dma_map_resource",
	.pre_handler = fault_map,
};

/* struct kshim_route kshim_provider_route(...), which is where the returned address says */
static int fault_route_end(struct kretprobe_instance *probe, struct pt_regs *regs)
{
	struct kshim_route *route = (struct kshim_route *)regs_return_value(regs);

	if (fault_is_due())
		*route = (struct kshim_route){ .reason = PHYR_NO_MEMORY };
	return 0;
}

static struct kretprobe fault_route_probe = {
	.kp.symbol_name = "phyr:kshim_provider_route",
	.handler = fault_route_end,
};

static int fault_init_request(struct kretprobe_instance *probe, struct pt_regs *regs)
{
	*(struct request **)probe->data = (void *)regs_get_kernel_argument(regs, 0);
	return 0;
}

/* A command that was repeated once already, which harms none. */
static int fault_init_request_end(struct kretprobe_instance *probe, struct pt_regs *regs)
{
	struct nvme_request_head *nr = blk_mq_rq_to_pdu(*(struct request **)probe->data);

	nr->retries = 1;
	return 0;
}

static struct kretprobe fault_init_probe = {
	.kp.symbol_name = "nvme_init_request",
	.entry_handler = fault_init_request,
	.handler = fault_init_request_end,
	.data_size = sizeof(struct request *),
};

/* ------------------------------------------------------------------ up, down */

static bool fault_init_probed, fault_route_probed;

static int fault_probe(struct kretprobe *probe, bool *ret_probed)
{
	int ret = register_kretprobe(probe);

	*ret_probed = !ret;
	return ret;
}

static void phyr_fault_end(void)
{
	if (fault_init_probed)
		unregister_kretprobe(&fault_init_probe);
	if (fault_route_probed)
		unregister_kretprobe(&fault_route_probe);
	/* these take what was not registered */
	unregister_kprobe(&fault_map_probe);
	unregister_kprobe(&fault_end_probe);
	if (fault_true_ops)
		fault_slow_read_end();
	if (fault_true_mask)
		dma_set_mask(&fault_dev->dev, fault_true_mask);
	bus_unregister_notifier(&pci_bus_type, &fault_notifier);
	pci_dev_put(fault_dev);
}

static int __init phyr_fault_init(void)
{
	struct device *dev = bus_find_device_by_name(&pci_bus_type, NULL, device);
	int ret;

	if (!dev && (slow_unbind || slow_read || mask))
		return -ENODEV;
	fault_dev = dev ? to_pci_dev(dev) : NULL;
	atomic_set(&fault_left, times);
	ret = slow_unbind ? bus_register_notifier(&pci_bus_type, &fault_notifier) : 0;
	if (!ret && mask) {
		fault_true_mask = dma_get_mask(dev);
		ret = dma_set_mask(dev, DMA_BIT_MASK(mask));
	}
	if (!ret && status)
		ret = register_kprobe(&fault_end_probe);
	if (!ret && no_iova)
		ret = register_kprobe(&fault_map_probe);
	if (!ret && other_driver)
		ret = fault_probe(&fault_init_probe, &fault_init_probed);
	if (!ret && no_memory)
		ret = fault_probe(&fault_route_probe, &fault_route_probed);
	if (!ret && slow_read)
		fault_slow_read();
	if (ret)
		phyr_fault_end();
	return ret;
}

static void __exit phyr_fault_exit(void)
{
	phyr_fault_end();
}

module_init(phyr_fault_init);
module_exit(phyr_fault_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Faults of devices, of the kernel and of NVMe commands");
