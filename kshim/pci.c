// SPDX-License-Identifier: GPL-2.0-only
/*
 * What goes, and in which order: when a PCI device, its driver, or memory that a driver
 * has registered is taken away, all layers have to let go of it.
 */
#include <linux/module.h>
#include <linux/pci.h>

#include "dio/dio.h"
#include "pci.h"

/*
 * It was killed: nobody learns about it any more, and no disk is told a new address of
 * it. Then DMA under way is waited for, that of vectors that name it and that of
 * mappings; only then the addresses may go that disks had for it.
 */
static void pci_end_provider(struct phyr_provider *provider)
{
	WRITE_ONCE(provider->gate.closed, true);
	kshim_gate_drain(&provider->gate);
	kshim_regions_revoke(provider);
	kshim_provider_flush_end(provider);
	mutex_lock(&kshim_devices);
	kshim_pairs_drop_provider(provider);
	mutex_unlock(&kshim_devices);
}

static void pci_end_providers(struct list_head *killed)
{
	struct phyr_provider *provider, *next;

	list_for_each_entry_safe(provider, next, killed, list) {
		list_del(&provider->list);
		pci_end_provider(provider);
		kshim_provider_put(provider);
	}
}

static void pci_end_moved(struct work_struct *work)
{
	LIST_HEAD(killed);

	kshim_providers_moved(&killed);
	pci_end_providers(&killed);
}

static void pci_remove_providers(struct pci_dev *pdev)
{
	LIST_HEAD(killed);

	kshim_providers_kill(pdev, &killed);
	pci_end_providers(&killed);
}

struct phyr_provider *phyr_provider_register(const struct phyr_provider_desc *desc)
{
	struct phyr_provider *provider;
	LIST_HEAD(killed);

	provider = kshim_provider_new(desc, &killed);
	pci_end_providers(&killed);
	return provider;
}
EXPORT_SYMBOL_GPL(phyr_provider_register);

/* The device may be going at the same time: who comes second waits as well. */
void phyr_provider_unregister(struct phyr_provider *provider)
{
	if (!provider)
		return;
	kshim_provider_kill(provider);
	pci_end_provider(provider);
	kshim_provider_put(provider);
}
EXPORT_SYMBOL_GPL(phyr_provider_unregister);

/*
 * After a driver has let go of its device and before a device disappears, the driver
 * core says so and waits for us. What only the driver's remove can end is not waited for
 * before it: commands that a failed error recovery has left, for one. A removed device may
 * still be on its bus's list for a moment and be found again; the last notice ends that too.
 */
static int pci_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct pci_dev *pdev = to_pci_dev(data);

	switch (action) {
	case BUS_NOTIFY_UNBOUND_DRIVER:
		kshim_nvmes_unbound(pdev);
		kshim_providers_unbound(pdev);
		break;
	case BUS_NOTIFY_DRIVER_NOT_BOUND:
		kshim_providers_unbound(pdev);
		break;
	case BUS_NOTIFY_REMOVED_DEVICE:
		kshim_providers_unbound(pdev);
		fallthrough;
	case BUS_NOTIFY_DEL_DEVICE:
		pci_remove_providers(pdev);
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block pci_notifier = {
	.notifier_call = pci_notify,
	/* before the DMA API's debugging looks what an unbound device still has */
	.priority = 1,
};

int kshim_pci_init(void)
{
	int ret;

	kshim_providers_init(pci_end_moved);
	kshim_regions_init();
	kshim_nvmes_init();
	ret = bus_register_notifier(&pci_bus_type, &pci_notifier);
	if (ret)
		kshim_regions_exit();
	return ret;
}

/* Devices and drivers that go meanwhile are still noticed. */
void kshim_pci_exit(void)
{
	kshim_regions_exit();
	kshim_nvmes_exit();
	pci_remove_providers(NULL);
	flush_workqueue(kshim_wq);
	bus_unregister_notifier(&pci_bus_type, &pci_notifier);
}
