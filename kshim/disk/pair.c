// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pairs: by which address an NVMe controller reaches a provider's memory, or why it does
 * not. Made when the two first meet, undone when either goes.
 */
#include <linux/dma-mapping.h>
#include <linux/slab.h>

#include "core/span.h"
#include "disk/disk.h"

/* No CPU cache holds any of it, and several disks may map the same. */
#define PAIR_ATTRS	DMA_ATTR_SKIP_CPU_SYNC

/* After nothing in flight can use it any more. */
static void pair_drop(struct kshim_pair *pair)
{
	lockdep_assert_held(&kshim_devices);
	list_del_rcu(&pair->list);
	list_del(&pair->nvme_list);
	if (pair->route.form == KSHIM_ADDR_MAPPED && pair->reason == PHYR_DIRECT)
		dma_unmap_resource(&pair->nvme->pdev->dev, pair->dma, pair->provider->len,
				   DMA_BIDIRECTIONAL, PAIR_ATTRS);
	kfree_rcu(pair, rcu);
}

/*
 * The address of the memory's first byte for this controller. @ret_final: the reason, if
 * there is one, holds for as long as the two are there.
 */
static enum phyr_reason pair_map(struct phyr_provider *provider, struct kshim_pair *pair,
				 bool *ret_final)
{
	struct device *dev = &pair->nvme->pdev->dev;

	*ret_final = true;
	switch (pair->route.form) {
	case KSHIM_ADDR_BUS:
		return kshim_span_shift(provider->start, provider->len,
					pair->route.bus_offset, dma_get_mask(dev),
					&pair->dma) ? PHYR_DMA_MAP : PHYR_DIRECT;
	case KSHIM_ADDR_MAPPED:
		pair->dma = dma_map_resource(dev, provider->start, provider->len,
					     DMA_BIDIRECTIONAL, PAIR_ATTRS);
		if (!dma_mapping_error(dev, pair->dma))
			return PHYR_DIRECT;
		/* for want of addresses or memory, as a rule */
		*ret_final = false;
		return PHYR_DMA_MAP;
	default:
		return PHYR_TOPOLOGY;
	}
}

static enum phyr_reason pair_new(struct phyr_provider *provider, struct kshim_nvme *nvme)
{
	struct kshim_pair *pair;
	enum phyr_reason reason;
	bool final = true;

	if (provider->dead || nvme->dead)
		return PHYR_REVOKED;
	pair = kzalloc(sizeof(*pair), GFP_KERNEL);
	if (!pair)
		return PHYR_NO_MEMORY;
	pair->provider = provider;
	pair->nvme = nvme;
	pair->route = kshim_provider_route(provider, nvme->pdev);
	reason = pair->route.reason;
	if (reason == PHYR_DIRECT)
		reason = pair_map(provider, pair, &final);
	if (!final || reason == PHYR_NO_MEMORY) {
		kfree(pair);
		return reason;
	}
	pair->reason = reason;
	list_add(&pair->nvme_list, &nvme->pairs);
	list_add_rcu(&pair->list, &provider->pairs);
	return reason;
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

/* Not inline: who looks one up would save registers for it each time. */
static noinline enum phyr_reason pair_make(struct phyr_provider *provider,
					   struct kshim_nvme *nvme)
{
	enum phyr_reason reason;

	mutex_lock(&kshim_devices);
	reason = pair_find(provider, nvme) ? PHYR_DIRECT : pair_new(provider, nvme);
	mutex_unlock(&kshim_devices);
	return reason;
}

static __always_inline enum phyr_reason pair_get(struct phyr_provider *provider,
						 struct kshim_nvme *nvme, u64 *ret_dma)
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
		reason = pair_make(provider, nvme);
	} while (reason == PHYR_DIRECT);
	return reason;
}

enum phyr_reason kshim_pair_get(struct phyr_provider *provider, struct kshim_nvme *nvme,
				u64 *ret_dma)
{
	return pair_get(provider, nvme, ret_dma);
}

void kshim_pairs_drop_provider(struct phyr_provider *provider)
{
	struct kshim_pair *pair, *next;

	list_for_each_entry_safe(pair, next, &provider->pairs, list)
		pair_drop(pair);
}

void kshim_pairs_drop_nvme(struct kshim_nvme *nvme)
{
	struct kshim_pair *pair, *next;

	list_for_each_entry_safe(pair, next, &nvme->pairs, nvme_list)
		pair_drop(pair);
}

enum phyr_reason kshim_io_reach(struct phyr_io *io, struct phyr_provider *provider)
{
	enum phyr_reason reason;
	u64 dma;

	if (unlikely(kshim_provider_is_off(provider)))
		return PHYR_SWITCHED_OFF;
	reason = pair_get(provider, io->disk->nvme, &dma);
	if (reason == PHYR_DIRECT) {
		io->provider = provider;
		io->delta = dma - provider->start;
	}
	return reason;
}
