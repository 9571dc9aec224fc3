// SPDX-License-Identifier: GPL-2.0-only
/*
 * Providers: whose memory a physical address is: a memory BAR of a present PCI device,
 * a range that a driver registered, or nobody's.
 *
 * Readers find providers in a sorted table without a lock; what they do not find there
 * is looked for, and registered, under kshim_devices.
 */
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "core/route.h"
#include "core/span.h"
#include "mem/mem.h"

DEFINE_MUTEX(kshim_devices);
static LIST_HEAD(providers);	/* under kshim_devices */
/* Killed because their BAR has moved, to be ended by moved_work; under kshim_devices. */
static LIST_HEAD(providers_moved);
static struct work_struct moved_work;

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

static bool provider_bar_usable(struct pci_dev *pdev, int bar)
{
	unsigned long flags = pci_resource_flags(pdev, bar);

	return (flags & IORESOURCE_MEM) && !(flags & IORESOURCE_UNSET) &&
	       pci_resource_len(pdev, bar);
}

/* A device that is being taken away is not registered any more, or soon not. */
static bool provider_present(struct pci_dev *pdev)
{
	return device_is_registered(&pdev->dev) && !pci_dev_is_disconnected(pdev);
}

/* The BAR may also have been resized, moved or switched off. */
static bool provider_usable(const struct phyr_provider *provider)
{
	struct pci_dev *pdev = provider->pdev;

	if (READ_ONCE(provider->dead) || kshim_provider_is_off(provider))
		return false;
	if (pdev && !provider_present(pdev))
		return false;
	return provider->bar < 0 ||
	       (provider->start == pci_resource_start(pdev, provider->bar) &&
		provider->len == pci_resource_len(pdev, provider->bar));
}

static int provider_span_compare(const void *a, const void *b)
{
	const struct kshim_span *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Without memory there is no table, and everybody takes the lock. */
static void provider_table_renew(void)
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
		sort(new->span, nr, sizeof(*new->span), provider_span_compare, NULL);
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
	if (!provider || kshim_gate_init(&provider->gate)) {
		kfree(provider);
		return ERR_PTR(-ENOMEM);
	}
	refcount_set(&provider->refs, 1);
	provider->pdev = pci_dev_get(desc->pdev);
	provider->bar = bar;
	provider->start = desc->start;
	provider->len = desc->len;
	provider->bus_offset = desc->bus_offset;
	provider->flush = desc->flush;
	provider->flush_data = desc->data;
	INIT_LIST_HEAD(&provider->pairs);
	INIT_LIST_HEAD(&provider->watch);
	/* a driver that has registered its memory looks after that itself */
	if (bar >= 0 && !kshim_watch_begin(provider)) {
		kshim_provider_put(provider);
		return ERR_PTR(-EIO);
	}
	list_add(&provider->list, &providers);
	provider_table_renew();
	return provider;
}

static struct provider_claim *provider_claim_find(const struct pci_dev *pdev)
{
	struct provider_claim *claim;

	lockdep_assert_held(&kshim_devices);
	list_for_each_entry(claim, &claims, list)
		if (claim->pdev == pdev)
			return claim;
	return NULL;
}

/* A device without a driver is anybody's. */
static int provider_claim_add(struct pci_dev *pdev)
{
	struct provider_claim *claim;

	if (!pdev || !READ_ONCE(pdev->dev.driver) || provider_claim_find(pdev))
		return 0;
	claim = kzalloc(sizeof(*claim), GFP_KERNEL);
	if (!claim)
		return -ENOMEM;
	claim->pdev = pci_dev_get(pdev);
	list_add(&claim->list, &claims);
	return 0;
}

static void provider_claims_drop(const struct pci_dev *pdev)
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
	if (!provider_present(pdev) || provider_claim_find(pdev) ||
	    provider_overlapping(desc.start, desc.len))
		return ERR_PTR(-ENODEV);
	return provider_new(&desc, bar);
}

/*
 * Nobody finds it any more. A region that is only now learning about it sees that it is
 * dead, or is seen by kshim_regions_revoke(), see learn_own_run().
 */
static void provider_kill(struct phyr_provider *provider)
{
	lockdep_assert_held(&kshim_devices);
	WRITE_ONCE(provider->dead, true);
	list_del_init(&provider->list);
	provider_table_renew();
}

/* A BAR's first reference goes over to the list; a registered one's is its registrant's. */
static void provider_kill_to(struct phyr_provider *provider, struct list_head *killed)
{
	provider_kill(provider);
	if (provider->bar < 0)
		refcount_inc(&provider->refs);
	list_add_tail(&provider->list, killed);
}

/* A BAR's old place may be another device's now, or nobody's. */
static void providers_forget_moved(void)
{
	struct phyr_provider *provider, *next;
	bool moved = false;

	lockdep_assert_held(&kshim_devices);
	list_for_each_entry_safe(provider, next, &providers, list)
		if (!provider_usable(provider)) {
			provider_kill_to(provider, &providers_moved);
			moved = true;
		}
	if (moved)
		kshim_providers_check();
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
			if (!provider_bar_usable(pdev, bar) ||
			    !kshim_span_holds(pci_resource_start(pdev, bar),
					      pci_resource_len(pdev, bar), addr, len))
				continue;
			provider = provider_new_bar(pdev, bar);
			pci_dev_put(pdev);
			return provider;
		}
	}
	return ERR_PTR(-ENODEV);
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
	if (!IS_ERR(provider))
		refcount_inc(&provider->refs);
	mutex_unlock(&kshim_devices);
	return provider;
}

struct phyr_provider *kshim_provider_get_bar(struct pci_dev *pdev, int bar)
{
	struct phyr_provider *provider;

	if (bar < 0 || bar >= PCI_STD_NUM_BARS || !provider_bar_usable(pdev, bar))
		return ERR_PTR(-ENODEV);
	mutex_lock(&kshim_devices);
	provider = provider_find(pdev, bar);
	if (!IS_ERR(provider))
		refcount_inc(&provider->refs);
	mutex_unlock(&kshim_devices);
	return provider;
}

void kshim_provider_put(struct phyr_provider *provider)
{
	if (!provider || !refcount_dec_and_test(&provider->refs))
		return;
	kshim_watch_end(provider);
	pci_dev_put(provider->pdev);
	kshim_gate_free(&provider->gate);
	/* look-ups, and who leaves the gate, may still look at it */
	kfree_rcu(provider, rcu);
}

static bool provider_desc_valid(const struct phyr_provider_desc *desc)
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
static bool provider_desc_taken(const struct phyr_provider_desc *desc)
{
	struct phyr_provider *provider;

	list_for_each_entry(provider, &providers, list)
		if (kshim_span_overlaps(provider->start, provider->len, desc->start,
					desc->len) &&
		    (provider->bar < 0 || provider->pdev != desc->pdev))
			return true;
	return false;
}

struct phyr_provider *kshim_provider_new(const struct phyr_provider_desc *desc,
					 struct list_head *ret_killed)
{
	struct phyr_provider *provider, *next;

	if (!provider_desc_valid(desc))
		return ERR_PTR(-EINVAL);
	guard(mutex)(&kshim_devices);
	providers_forget_moved();
	if (provider_desc_taken(desc))
		return ERR_PTR(-EEXIST);
	if (provider_claim_add(desc->pdev))
		return ERR_PTR(-ENOMEM);
	list_for_each_entry_safe(provider, next, &providers, list)
		if (desc->pdev && provider->pdev == desc->pdev && provider->bar >= 0)
			provider_kill_to(provider, ret_killed);
	return provider_new(desc, -1);
}

void kshim_provider_kill(struct phyr_provider *provider)
{
	mutex_lock(&kshim_devices);
	if (!provider->dead)
		provider_kill(provider);
	mutex_unlock(&kshim_devices);
}

void kshim_providers_kill(struct pci_dev *pdev, struct list_head *ret_killed)
{
	struct phyr_provider *provider, *next;

	mutex_lock(&kshim_devices);
	list_for_each_entry_safe(provider, next, &providers, list)
		if (!pdev || provider->pdev == pdev)
			provider_kill_to(provider, ret_killed);
	if (!pdev)
		provider_claims_drop(NULL);
	mutex_unlock(&kshim_devices);
}

void kshim_providers_moved(struct list_head *ret_killed)
{
	mutex_lock(&kshim_devices);
	providers_forget_moved();
	list_splice_tail_init(&providers_moved, ret_killed);
	mutex_unlock(&kshim_devices);
}

void kshim_providers_init(work_func_t moved)
{
	INIT_WORK(&moved_work, moved);
}

void kshim_providers_check(void)
{
	queue_work(kshim_wq, &moved_work);
}

/*
 * A read waits for its answer, and on its way down it does not overtake the writes that
 * were posted before it on the same way (PCI Express base specification, section 2.4.1):
 * through the port above the device and down its link. Writes that enter a switch
 * by another port meet the read only at the device's port, and in which order is the
 * switch's affair. Configuration space is always there to be read.
 */
void kshim_provider_flush(struct phyr_provider *provider)
{
	void (*flush)(void *data);
	u32 id;

	rcu_read_lock();
	flush = READ_ONCE(provider->flush);
	if (flush)
		flush(provider->flush_data);
	rcu_read_unlock();
	if (!flush && provider->pdev)
		pci_read_config_dword(provider->pdev, PCI_VENDOR_ID, &id);
}

void kshim_provider_flush_end(struct phyr_provider *provider)
{
	kshim_provider_flush(provider);
	if (!READ_ONCE(provider->flush))
		return;
	WRITE_ONCE(provider->flush, NULL);
	/* whoever calls it now is done, and who comes later has nothing left to flush */
	synchronize_rcu();
}

void kshim_providers_unbound(struct pci_dev *pdev)
{
	mutex_lock(&kshim_devices);
	provider_claims_drop(pdev);
	mutex_unlock(&kshim_devices);
}
