// SPDX-License-Identifier: GPL-2.0-only
/*
 * Providers: whose memory a physical address is (a memory BAR of a present PCI
 * device, a range that a driver registered, or nobody's), and pairs: by which address
 * an NVMe controller reaches it, if it may. The decision itself is core/route.c; this
 * file describes the machine to it.
 *
 * Readers find providers in a sorted table without a lock; what they do not find there
 * is looked for, and registered, under kshim_devices.
 */
#include <linux/dma-mapping.h>
#include <linux/file.h>
#include <linux/iommu.h>
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>

#include "kshim.h"
#include "core/span.h"

DEFINE_MUTEX(kshim_devices);
static LIST_HEAD(providers);	/* under kshim_devices */

/* The same by address, for readers under RCU. Providers do not overlap. */
struct provider_table {
	struct rcu_head rcu;
	unsigned int nr;
	struct kshim_span span[] __counted_by(nr);	/* owner: the provider */
};

static struct provider_table __rcu *table;	/* changed under kshim_devices */

/*
 * Drivers that have registered memory of their PCI device speak for all of it, until they
 * let go of it: what they have taken back does not come back as a BAR.
 */
struct provider_claim {
	struct list_head list;	/* under kshim_devices */
	struct pci_dev *pdev;
};

static LIST_HEAD(claims);

static bool bar_usable(struct pci_dev *pdev, int bar)
{
	unsigned long flags = pci_resource_flags(pdev, bar);

	return (flags & IORESOURCE_MEM) && !(flags & IORESOURCE_UNSET) &&
	       pci_resource_len(pdev, bar);
}

/* A device that is being taken away is not registered any more, or soon not. */
static bool provider_present(struct pci_dev *pdev)
{
	u16 command;

	if (!device_is_registered(&pdev->dev) || pci_dev_is_disconnected(pdev))
		return false;
	pci_read_config_word(pdev, PCI_COMMAND, &command);
	return command != 0xffff && (command & PCI_COMMAND_MEMORY);
}

/* The same without asking the device; the BAR may have been resized or moved. */
static bool provider_usable(const struct phyr_provider *provider)
{
	struct pci_dev *pdev = provider->pdev;

	if (READ_ONCE(provider->dead))
		return false;
	if (pdev && (!device_is_registered(&pdev->dev) || pci_dev_is_disconnected(pdev)))
		return false;
	return provider->bar < 0 ||
	       (provider->start == pci_resource_start(pdev, provider->bar) &&
		provider->len == pci_resource_len(pdev, provider->bar));
}

static int span_compare(const void *a, const void *b)
{
	const struct kshim_span *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Without memory there is no table, and everybody takes the lock. */
static void table_renew(void)
{
	unsigned int nr = list_count_nodes(&providers);
	struct provider_table *new = NULL, *old;
	struct phyr_provider *provider;
	unsigned int i = 0;

	lockdep_assert_held(&kshim_devices);
	if (nr)
		new = kmalloc(struct_size(new, span, nr), GFP_KERNEL);
	if (new) {
		new->nr = nr;
		list_for_each_entry(provider, &providers, list)
			new->span[i++] = (struct kshim_span){
				.start = provider->start,
				.len = provider->len,
				.owner = provider,
			};
		sort(new->span, nr, sizeof(*new->span), span_compare, NULL);
	}
	old = rcu_replace_pointer(table, new, lockdep_is_held(&kshim_devices));
	if (old)
		kfree_rcu(old, rcu);
}

static struct phyr_provider *provider_overlapping(phys_addr_t start, u64 len)
{
	struct phyr_provider *provider;

	lockdep_assert_held(&kshim_devices);
	list_for_each_entry(provider, &providers, list)
		if (kshim_span_overlaps(provider->start, provider->len, start, len))
			return provider;
	return NULL;
}

static struct phyr_provider *provider_new(const struct phyr_provider_desc *desc, int bar)
{
	struct phyr_provider *provider = kzalloc(sizeof(*provider), GFP_KERNEL);

	lockdep_assert_held(&kshim_devices);
	if (!provider)
		return NULL;
	refcount_set(&provider->refs, 1);
	provider->pdev = pci_dev_get(desc->pdev);
	provider->bar = bar;
	provider->start = desc->start;
	provider->len = desc->len;
	provider->bus_offset = desc->bus_offset;
	kshim_gate_init(&provider->gate);
	INIT_LIST_HEAD(&provider->pairs);
	list_add(&provider->list, &providers);
	table_renew();
	return provider;
}

static struct provider_claim *claim_find(const struct pci_dev *pdev)
{
	struct provider_claim *claim;

	lockdep_assert_held(&kshim_devices);
	list_for_each_entry(claim, &claims, list)
		if (claim->pdev == pdev)
			return claim;
	return NULL;
}

/* A device without a driver is anybody's. */
static int claim_add(struct pci_dev *pdev)
{
	struct provider_claim *claim;

	if (!pdev || !READ_ONCE(pdev->dev.driver) || claim_find(pdev))
		return 0;
	claim = kzalloc(sizeof(*claim), GFP_KERNEL);
	if (!claim)
		return -ENOMEM;
	claim->pdev = pci_dev_get(pdev);
	list_add(&claim->list, &claims);
	return 0;
}

static void claims_drop(const struct pci_dev *pdev)
{
	struct provider_claim *claim, *next;

	lockdep_assert_held(&kshim_devices);
	list_for_each_entry_safe(claim, next, &claims, list) {
		if (pdev && claim->pdev != pdev)
			continue;
		list_del(&claim->list);
		pci_dev_put(claim->pdev);
		kfree(claim);
	}
}

static struct phyr_provider *provider_new_bar(struct pci_dev *pdev, int bar)
{
	struct phyr_provider_desc desc = {
		.start = pci_resource_start(pdev, bar),
		.len = pci_resource_len(pdev, bar),
		.pdev = pdev,
	};

	desc.bus_offset = kshim_bus_addr(0, desc.start, pci_bus_address(pdev, bar));
	if (!provider_present(pdev) || claim_find(pdev) ||
	    provider_overlapping(desc.start, desc.len))
		return NULL;
	return provider_new(&desc, bar);
}

/* No CPU cache holds any of it, and several disks may map the same. */
#define PAIR_ATTRS	DMA_ATTR_SKIP_CPU_SYNC

/* After nothing in flight can use it any more. */
static void pair_unmap(struct phyr_provider *provider, struct kshim_pair *pair)
{
	if (pair->route.form == KSHIM_ADDR_MAPPED && pair->reason == PHYR_DIRECT)
		dma_unmap_resource(&pair->nvme->pdev->dev, pair->dma, provider->len,
				   DMA_BIDIRECTIONAL, PAIR_ATTRS);
	kfree_rcu(pair, rcu);
}

/*
 * First no command finds an address any more, then those in flight are waited for,
 * then the addresses may go. A region that is only now learning about this provider
 * sees that it is dead or is seen, and a dead provider gets no new pairs.
 */
static void provider_end(struct phyr_provider *provider)
{
	struct kshim_pair *pair, *next;
	LIST_HEAD(pairs);

	lockdep_assert_held(&kshim_devices);
	if (provider->dead)
		return;
	WRITE_ONCE(provider->dead, true);
	list_del(&provider->list);
	table_renew();
	list_splice_init_rcu(&provider->pairs, &pairs, synchronize_rcu);
	WRITE_ONCE(provider->gate.closed, true);
	kshim_gate_drain(&provider->gate);
	kshim_provider_flush(provider);
	kshim_regions_revoke(provider);
	list_for_each_entry_safe(pair, next, &pairs, list)
		pair_unmap(provider, pair);
}

/* The same for a BAR, which nobody will unregister. */
static void provider_remove(struct phyr_provider *provider)
{
	bool registered = provider->bar < 0;

	provider_end(provider);
	if (!registered)
		kshim_provider_put(provider);
}

/* A BAR's old place may be another device's now. */
static void providers_forget_moved(void)
{
	struct phyr_provider *provider, *next;

	lockdep_assert_held(&kshim_devices);
	list_for_each_entry_safe(provider, next, &providers, list)
		if (!provider_usable(provider))
			provider_remove(provider);
}

static bool provider_in_bar(const struct phyr_provider *provider, struct pci_dev *pdev,
			    int bar)
{
	if (provider->pdev != pdev)
		return false;
	return provider->bar == bar ||
	       (provider->bar < 0 &&
		kshim_span_holds(pci_resource_start(pdev, bar), pci_resource_len(pdev, bar),
				 provider->start, provider->len));
}

static struct phyr_provider *provider_find(struct pci_dev *pdev, int bar)
{
	struct phyr_provider *provider;

	lockdep_assert_held(&kshim_devices);
	providers_forget_moved();
	list_for_each_entry(provider, &providers, list)
		if (provider_in_bar(provider, pdev, bar))
			return provider;
	return provider_new_bar(pdev, bar);
}

static struct phyr_provider *provider_search(phys_addr_t addr, size_t len)
{
	struct phyr_provider *provider;
	struct pci_dev *pdev = NULL;
	int bar;

	providers_forget_moved();
	list_for_each_entry(provider, &providers, list)
		if (kshim_span_holds(provider->start, provider->len, addr, len))
			return provider;
	for_each_pci_dev(pdev) {
		for (bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
			if (!bar_usable(pdev, bar) ||
			    !kshim_span_holds(pci_resource_start(pdev, bar),
					      pci_resource_len(pdev, bar), addr, len))
				continue;
			provider = provider_new_bar(pdev, bar);
			pci_dev_put(pdev);
			return provider;
		}
	}
	return NULL;
}

/* Without a lock; NULL also when the table does not know. With a reference, under which
 * the rest is looked at: it keeps the PCI device. */
static struct phyr_provider *provider_lookup(phys_addr_t addr, size_t len)
{
	const struct provider_table *t = rcu_dereference(table);
	struct phyr_provider *provider;
	const struct kshim_span *span;

	span = t ? kshim_spans_find(t->span, t->nr, addr, len) : NULL;
	if (!span)
		return NULL;
	provider = span->owner;
	return refcount_inc_not_zero(&provider->refs) ? provider : NULL;
}

struct phyr_provider *kshim_provider_get(phys_addr_t addr, size_t len)
{
	struct phyr_provider *provider;

	rcu_read_lock();
	provider = provider_lookup(addr, len);
	rcu_read_unlock();
	if (provider && likely(provider_usable(provider)))
		return provider;
	kshim_provider_put(provider);

	mutex_lock(&kshim_devices);
	provider = provider_search(addr, len);
	if (provider)
		refcount_inc(&provider->refs);
	mutex_unlock(&kshim_devices);
	return provider;
}

void kshim_provider_put(struct phyr_provider *provider)
{
	if (!provider || !refcount_dec_and_test(&provider->refs))
		return;
	pci_dev_put(provider->pdev);
	kfree_rcu(provider, rcu);
}

static bool desc_valid(const struct phyr_provider_desc *desc)
{
	u64 bus;

	return kshim_span_valid(desc->start, desc->len) &&
	       PAGE_ALIGNED(desc->start | desc->len) &&
	       (desc->pdev || !desc->bus_offset) &&
	       !kshim_span_shift(desc->start, desc->len, desc->bus_offset, U64_MAX, &bus) &&
	       region_intersects(desc->start, desc->len, IORESOURCE_SYSTEM_RAM,
				 IORES_DESC_NONE) == REGION_DISJOINT;
}

/* Is it another's than a BAR's of this device that registered itself? */
static bool desc_taken(const struct phyr_provider_desc *desc)
{
	struct phyr_provider *provider;

	list_for_each_entry(provider, &providers, list)
		if (kshim_span_overlaps(provider->start, provider->len, desc->start,
					desc->len) &&
		    (provider->bar < 0 || provider->pdev != desc->pdev))
			return true;
	return false;
}

struct phyr_provider *phyr_provider_register(const struct phyr_provider_desc *desc)
{
	struct phyr_provider *provider, *next;

	if (!desc_valid(desc))
		return ERR_PTR(-EINVAL);
	guard(mutex)(&kshim_devices);
	providers_forget_moved();
	if (desc_taken(desc))
		return ERR_PTR(-EEXIST);
	if (claim_add(desc->pdev))
		return ERR_PTR(-ENOMEM);
	list_for_each_entry_safe(provider, next, &providers, list)
		if (desc->pdev && provider->pdev == desc->pdev && provider->bar >= 0)
			provider_remove(provider);
	return provider_new(desc, -1) ?: ERR_PTR(-ENOMEM);
}
EXPORT_SYMBOL_GPL(phyr_provider_register);

void phyr_provider_unregister(struct phyr_provider *provider)
{
	if (!provider)
		return;
	mutex_lock(&kshim_devices);
	provider_end(provider);
	mutex_unlock(&kshim_devices);
	kshim_provider_put(provider);
}
EXPORT_SYMBOL_GPL(phyr_provider_unregister);

/*
 * A read waits for its answer, and on its way down it does not overtake the writes
 * that were posted to the same device before it (PCI Express base specification,
 * section 2.4.1). Configuration space is always there to be read.
 */
void kshim_provider_flush(struct phyr_provider *provider)
{
	u32 id;

	if (provider->pdev)
		pci_read_config_dword(provider->pdev, PCI_VENDOR_ID, &id);
}

/* ACS bits that send peer-to-peer requests up instead of across (the same
 * specification, section 6.12.1.1). */
static bool acs_redirects(struct pci_dev *bridge)
{
	u16 ctrl;

	if (!bridge->acs_cap)
		return false;
	pci_read_config_word(bridge, bridge->acs_cap + PCI_ACS_CTRL, &ctrl);
	return ctrl & (PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_EC);
}

static int path_describe(struct pci_dev *pdev, struct kshim_path *path)
{
	struct pci_dev *dev, *root;
	int ret;

	memset(path, 0, sizeof(*path));
	for (dev = pdev; dev; dev = pci_upstream_bridge(dev)) {
		ret = kshim_path_add(path, (u64)(uintptr_t)dev, acs_redirects(dev));
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
static bool cpu_forwards(void)
{
	return boot_cpu_data.x86_vendor == X86_VENDOR_AMD && boot_cpu_data.x86 >= 0x17;
}

static bool dma_translates(struct device *dev)
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
	if (!paths || path_describe(provider->pdev, &paths[0]) ||
	    path_describe(client, &paths[1]))
		return none;
	in = (struct kshim_route_in){
		.provider = &paths[0],
		.client = &paths[1],
		.bridge_forwards = cpu_forwards() || kshim_trusts(&paths[0], &paths[1]),
		.translating = dma_translates(&client->dev),
		.virtual = boot_cpu_has(X86_FEATURE_HYPERVISOR),
		.bus_offset = provider->bus_offset,
	};
	return kshim_route_find(&in);
}

/* The address of the memory's first byte for this controller. */
static enum phyr_reason pair_map(struct phyr_provider *provider, struct kshim_pair *pair)
{
	struct device *dev = &pair->nvme->pdev->dev;

	switch (pair->route.form) {
	case KSHIM_ADDR_BUS:
		pair->dma = provider->start + pair->route.bus_offset;
		return PHYR_DIRECT;
	case KSHIM_ADDR_MAPPED:
		pair->dma = dma_map_resource(dev, provider->start, provider->len,
					     DMA_BIDIRECTIONAL, PAIR_ATTRS);
		return dma_mapping_error(dev, pair->dma) ? PHYR_DMA_MAP : PHYR_DIRECT;
	default:
		return PHYR_TOPOLOGY;
	}
}

static enum phyr_reason pair_new(struct phyr_provider *provider, struct kshim_nvme *nvme)
{
	struct kshim_pair *pair;

	if (provider->dead || nvme->dead)
		return PHYR_REVOKED;
	pair = kzalloc(sizeof(*pair), GFP_KERNEL);
	if (!pair)
		return PHYR_NO_MEMORY;
	pair->nvme = nvme;
	pair->route = kshim_provider_route(provider, nvme->pdev);
	pair->reason = pair->route.reason;
	if (pair->reason == PHYR_DIRECT)
		pair->reason = pair_map(provider, pair);
	list_add_rcu(&pair->list, &provider->pairs);
	return pair->reason;
}

/* Under RCU or kshim_devices. */
static const struct kshim_pair *pair_find(const struct phyr_provider *provider,
					  const struct kshim_nvme *nvme)
{
	const struct kshim_pair *pair;

	list_for_each_entry_rcu(pair, &provider->pairs, list,
				lockdep_is_held(&kshim_devices))
		if (pair->nvme == nvme)
			return pair;
	return NULL;
}

enum phyr_reason kshim_pair_get(struct phyr_provider *provider, struct kshim_nvme *nvme,
				u64 *ret_dma)
{
	const struct kshim_pair *pair;
	enum phyr_reason reason;

	do {
		rcu_read_lock_sched();
		pair = pair_find(provider, nvme);
		if (likely(pair)) {
			reason = pair->reason;
			*ret_dma = pair->dma;
			rcu_read_unlock_sched();
			return reason;
		}
		rcu_read_unlock_sched();
		mutex_lock(&kshim_devices);
		reason = pair_find(provider, nvme) ? PHYR_DIRECT :
						     pair_new(provider, nvme);
		mutex_unlock(&kshim_devices);
	} while (reason == PHYR_DIRECT);
	return reason;
}

void kshim_pairs_drop(struct kshim_nvme *nvme)
{
	struct phyr_provider *provider;
	struct kshim_pair *pair, *next;

	lockdep_assert_held(&kshim_devices);
	list_for_each_entry(provider, &providers, list)
		list_for_each_entry_safe(pair, next, &provider->pairs, list)
			if (pair->nvme == nvme) {
				list_del_rcu(&pair->list);
				pair_unmap(provider, pair);
			}
}

void kshim_providers_remove(struct pci_dev *pdev)
{
	struct phyr_provider *provider, *next;

	mutex_lock(&kshim_devices);
	list_for_each_entry_safe(provider, next, &providers, list)
		if (!pdev || provider->pdev == pdev)
			provider_remove(provider);
	if (!pdev)
		claims_drop(NULL);
	mutex_unlock(&kshim_devices);
}

void kshim_providers_unbound(struct pci_dev *pdev)
{
	mutex_lock(&kshim_devices);
	claims_drop(pdev);
	mutex_unlock(&kshim_devices);
}

static int route_query(struct phyr_provider *provider, struct block_device *bdev,
		       struct phyr_route *arg)
{
	enum phyr_reason reason;
	struct kshim_disk *disk;
	struct kshim_route route;
	u64 dma;

	disk = kshim_disk_enter(bdev, &reason);
	if (disk) {
		route = kshim_provider_route(provider, disk->nvme->pdev);
		arg->path = route.path;
		reason = kshim_pair_get(provider, disk->nvme, &dma);
		kshim_disk_exit(disk);
	}
	arg->reason = reason;
	if (reason != PHYR_DIRECT)
		arg->path = PHYR_PATH_NONE;
	return 0;
}

int kshim_route_query(struct phyr_route *arg)
{
	struct file *file __free(fput) = fget(arg->disk_fd);
	struct block_device *bdev = kshim_file_bdev(file);
	struct phyr_provider *provider = NULL;
	struct pci_dev *pdev;
	int ret;

	if (arg->reserved)
		return -EINVAL;
	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	pdev = pci_get_domain_bus_and_slot(arg->pci_domain, arg->pci_bus, arg->pci_devfn);
	if (!pdev)
		return -ENODEV;
	ret = -ENODEV;
	if (arg->bar < PCI_STD_NUM_BARS && bar_usable(pdev, arg->bar)) {
		mutex_lock(&kshim_devices);
		provider = provider_find(pdev, arg->bar);
		if (provider)
			refcount_inc(&provider->refs);
		mutex_unlock(&kshim_devices);
	}
	if (provider) {
		arg->path = PHYR_PATH_NONE;
		ret = route_query(provider, bdev, arg);
		kshim_provider_put(provider);
	}
	pci_dev_put(pdev);
	return ret;
}
