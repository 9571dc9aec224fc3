// SPDX-License-Identifier: GPL-2.0-only
/*
 * Routes: by which way a PCI device reaches a provider's memory. The decision is
 * core/route.c; this file describes the machine to it.
 */
#include <linux/iommu.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>

#include "disk/disk.h"

/* ACS bits that send peer-to-peer requests up instead of across (the same
 * specification, section 6.12.1.1). */
static bool route_acs_redirects(struct pci_dev *bridge)
{
	u16 ctrl;

	if (!bridge->acs_cap)
		return false;
	pci_read_config_word(bridge, bridge->acs_cap + PCI_ACS_CTRL, &ctrl);
	return ctrl & (PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_EC);
}

static int route_describe(struct pci_dev *pdev, struct kshim_path *path)
{
	struct pci_dev *dev, *root;
	int ret;

	memset(path, 0, sizeof(*path));
	for (dev = pdev; dev; dev = pci_upstream_bridge(dev)) {
		ret = kshim_path_add(path, (u64)(uintptr_t)dev, route_acs_redirects(dev));
		if (ret)
			return ret;
	}
	path->bridge = (u64)(uintptr_t)pci_find_host_bridge(pdev->bus);
	/* The host bridge shows itself as the first device of its root bus. */
	root = list_first_entry_or_null(&pci_find_host_bridge(pdev->bus)->bus->devices,
					struct pci_dev, bus_list);
	if (root && (root->devfn == PCI_DEVFN(0, 0) ||
		     pci_pcie_type(root) == PCI_EXP_TYPE_ROOT_PORT)) {
		path->bridge_vendor = root->vendor;
		path->bridge_device = root->device;
	}
	return 0;
}

/* AMD forwards between all ports of all host bridges since Zen. */
static bool route_cpu_forwards(void)
{
	return boot_cpu_data.x86_vendor == X86_VENDOR_AMD && boot_cpu_data.x86 >= 0x17;
}

static bool route_translates(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain && domain->type != IOMMU_DOMAIN_IDENTITY;
}

struct kshim_route kshim_provider_route(struct phyr_provider *provider,
					struct pci_dev *client)
{
	struct kshim_route none = { .reason = PHYR_TOPOLOGY };
	struct kshim_path *paths __free(kfree) = NULL;
	struct kshim_route_in in;

	/* the CPU's own interconnect, on its registrant's word */
	if (!provider->pdev)
		return (struct kshim_route){
			.path = PHYR_PATH_HOST_BRIDGE, .reason = PHYR_DIRECT,
			.form = KSHIM_ADDR_MAPPED,
		};
	paths = kmalloc_array(2, sizeof(*paths), GFP_KERNEL);
	if (!paths)
		return (struct kshim_route){ .reason = PHYR_NO_MEMORY };
	if (route_describe(provider->pdev, &paths[0]) ||
	    route_describe(client, &paths[1]))
		return none;
	in = (struct kshim_route_in){
		.provider = &paths[0],
		.client = &paths[1],
		.bridge_forwards = route_cpu_forwards() || kshim_trusts(&paths[0], &paths[1]),
		.translating = route_translates(&client->dev),
		.virtual = boot_cpu_has(X86_FEATURE_HYPERVISOR),
		.bus_offset = provider->bus_offset,
	};
	return kshim_route_find(&in);
}
