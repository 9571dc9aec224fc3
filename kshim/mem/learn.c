// SPDX-License-Identifier: GPL-2.0-only
/*
 * Learning: what the page tables say of a region becomes its map. The walk takes along
 * the mapped pages around those that are asked for, a window at a time.
 */
#include <linux/slab.h>

#include "mem/mem.h"
#include "mem/walk.h"

/* A walk is of one window, which is one page table. */
#define LEARN_RUNS_MAX		PTRS_PER_PTE
/* What most windows have is found on the stack. */
#define LEARN_RUNS_FEW		12
/* A page may be mapped by one fault, made writable by the next, and be taken away again. */
#define LEARN_FAULTS		3

/* What a walk has found, and whose it is. */
struct learn_walk {
	struct kshim_runs runs;
	struct kshim_extent *extent;
	unsigned int nr, max;
};

/*
 * Walk the pages [at, stop). Those that are wanted are faulted in, the others only
 * taken along. A leaf that is larger than a page table is taken as a whole. Returns how
 * far it came, or an error; -ENOSPC: more runs than there is room for; -ENXIO: the
 * region is not of device memory any more.
 */
static long learn_walk_part(struct kshim_region *region, unsigned long at,
			    unsigned long stop, bool wanted, bool write,
			    struct kshim_runs *runs, enum phyr_reason *ret_reason)
{
	struct mm_struct *mm = region->mm;
	struct vm_area_struct *vma;
	unsigned int faults = 0;
	struct kshim_run *last;
	int ret;

	while (at < stop) {
		vma = kshim_walk_vma(mm, at);
		ret = IS_ERR(vma) ? PTR_ERR(vma) :
		      kshim_walk_runs(vma, at, stop, wanted && write, runs);
		if (!ret) {
			last = &runs->run[runs->nr - 1];
			if (!wanted)
				last->len = min(last->len, stop - last->uaddr);
			last->len = min(last->len, region->end - last->uaddr);
			at = last->uaddr + last->len;
			faults = 0;
		} else if (ret == -ENOSPC) {
			return ret;
		} else if (!wanted) {
			at += PAGE_SIZE;
		} else if (ret == -EAGAIN) {
			/* the driver does not map it, or not for long enough */
			*ret_reason = PHYR_REVOKED;
			ret = faults++ < LEARN_FAULTS ? kshim_walk_fault(mm, at, write) : -EFAULT;
			if (ret)
				return ret;
		} else if (ret == -ENODEV) {
			*ret_reason = PHYR_NOT_DEVICE_MEMORY;
			return -EFAULT;
		} else {
			return ret;
		}
	}
	return at;
}

/* Walk the window around [uaddr, end). */
static int learn_walk(struct kshim_region *region, unsigned long uaddr, unsigned long end,
		      bool write, struct kshim_runs *runs, enum phyr_reason *ret_reason)
{
	unsigned long start = max(round_down(uaddr, KSHIM_WINDOW_BYTES), region->start);
	unsigned long stop = min(round_up(end, KSHIM_WINDOW_BYTES), region->end);
	long at;

	at = learn_walk_part(region, start, round_down(uaddr, PAGE_SIZE), false, write,
			     runs, ret_reason);
	if (at >= 0)
		at = learn_walk_part(region, round_down(uaddr, PAGE_SIZE),
				     round_up(end, PAGE_SIZE), true, write, runs, ret_reason);
	if (at >= 0)
		at = learn_walk_part(region, at, stop, false, write, runs, ret_reason);
	return min(at, 0);
}

/* The provider's place in the region's list, or -1 when that is full. */
static int learn_slot(struct kshim_region *region, struct phyr_provider *provider)
{
	unsigned int i;

	lockdep_assert_held(&region->fill);
	for (i = 0; i < region->nr_providers; i++)
		if (region->provider[i] == provider)
			return i;
	if (i == KSHIM_REGION_PROVIDERS)
		return -1;
	refcount_inc(&provider->refs);
	region->provider[i] = provider;
	/* pairs with region_has() */
	smp_wmb();
	WRITE_ONCE(region->nr_providers, i + 1);
	return i;
}

/* How much of the front of a run is one provider's, and which; 0: nobody's, or why. */
static size_t learn_own_run(struct kshim_region *region, const struct kshim_run *run,
			    int *ret_slot, enum phyr_reason *ret_reason)
{
	struct phyr_provider *provider = kshim_provider_get(run->phys, PAGE_SIZE);
	size_t len = 0;

	*ret_reason = PHYR_NOT_DEVICE_MEMORY;
	if (provider == ERR_PTR(-EIO))
		*ret_reason = PHYR_SWITCHED_OFF;
	if (IS_ERR(provider))
		return 0;
	*ret_slot = learn_slot(region, provider);
	/* either it is seen dead here, or kshim_regions_revoke() sees that it is used */
	smp_mb();
	if (*ret_slot >= 0 && !READ_ONCE(provider->dead))
		len = min(run->len, round_down(provider->start + provider->len - run->phys,
					       PAGE_SIZE));
	kshim_provider_put(provider);
	return len;
}

/* Find whose memory the runs are; pages that are nobody's are dropped, unless wanted.
 * -ENOSPC: they are more providers' than there is room for. */
static int learn_own(struct kshim_region *region, struct learn_walk *walk,
		    unsigned long uaddr, unsigned long end, enum phyr_reason *ret_reason)
{
	enum phyr_reason reason;
	struct kshim_run run;
	unsigned int i;
	size_t n;
	int slot;

	walk->nr = 0;
	for (i = 0; i < walk->runs.nr; i++) {
		run = walk->runs.run[i];
		for (; run.len; run.uaddr += n, run.phys += n, run.len -= n) {
			n = learn_own_run(region, &run, &slot, &reason);
			if (n && walk->nr == walk->max)
				return -ENOSPC;
			if (n) {
				walk->extent[walk->nr++] = (struct kshim_extent){
					.page = (run.uaddr - region->start) >> PAGE_SHIFT,
					.nr = n >> PAGE_SHIFT,
					.pfn = PHYS_PFN(run.phys),
					.slot = slot,
					.readable = run.readable,
					.writable = run.writable,
					.keyed = run.keyed,
				};
			} else if (run.uaddr < end && run.uaddr + PAGE_SIZE > uaddr) {
				*ret_reason = reason;
				return -EFAULT;
			} else {
				/* nobody is asked about each page that nobody wants */
				n = run.uaddr < uaddr ?
					min(run.len, round_down(uaddr, PAGE_SIZE) - run.uaddr) :
					run.len;
			}
		}
	}
	return 0;
}

/* The new map, within bounds: other regions are forgotten for it, then its own past. */
static struct kshim_map *learn_map(struct kshim_region *region, const struct learn_walk *walk)
{
	const struct kshim_map *old = rcu_dereference_protected(region->map,
						lockdep_is_held(&region->fill));
	unsigned int nr_old = old ? old->nr_extents : 0;
	struct kshim_map *map = kshim_map_learn(old, walk->extent, walk->nr);

	if (!map || map->nr_extents <= nr_old ||
	    kshim_ranges_make_room(map->nr_extents - nr_old, region))
		return map;
	kshim_map_free(map, old);
	return kshim_map_learn(NULL, walk->extent, walk->nr);
}

static int learn_window(struct kshim_region *region, unsigned long uaddr,
			unsigned long end, bool write, struct learn_walk *walk,
			enum phyr_reason *ret_reason)
{
	struct kshim_map *map;
	unsigned long seq;
	int ret;

	if (READ_ONCE(region->gate.closed))
		return -ESTALE;
	/* somebody else may have been before */
	if (kshim_region_knows(region, uaddr, end - uaddr, write))
		return 0;
	walk->runs.nr = 0;
	seq = mmu_interval_read_begin(&region->mni);
	mmap_read_lock(region->mm);
	ret = learn_walk(region, uaddr, end, write, &walk->runs, ret_reason);
	mmap_read_unlock(region->mm);
	if (!ret)
		ret = learn_own(region, walk, uaddr, end, ret_reason);
	else if (ret == -ENXIO)
		kshim_region_forget(region);
	if (ret)
		return READ_ONCE(region->gate.closed) ? -ESTALE : ret;
	map = learn_map(region, walk);
	return map ? kshim_region_publish(region, map, seq) : -ENOMEM;
}

/* The same with room for every page of a window to be a run of its own. */
static int learn_window_many(struct kshim_region *region, unsigned long uaddr,
			     unsigned long end, bool write, enum phyr_reason *ret_reason)
{
	struct learn_walk walk = {
		.runs.max = LEARN_RUNS_MAX,
		.max = LEARN_RUNS_MAX + KSHIM_REGION_PROVIDERS,
	};
	int ret = -ENOMEM;

	walk.runs.run = kvmalloc_array(walk.runs.max, sizeof(*walk.runs.run), GFP_KERNEL);
	walk.extent = kvmalloc_array(walk.max, sizeof(*walk.extent), GFP_KERNEL);
	if (walk.runs.run && walk.extent)
		ret = learn_window(region, uaddr, end, write, &walk, ret_reason);
	kvfree(walk.extent);
	kvfree(walk.runs.run);
	return ret == -ENOSPC ? -ENOMEM : ret;
}

int kshim_region_fill(struct kshim_region *region, unsigned long uaddr, size_t len,
		      bool write, enum phyr_reason *ret_reason)
{
	struct kshim_extent extent[LEARN_RUNS_FEW + KSHIM_REGION_PROVIDERS];
	struct kshim_run run[LEARN_RUNS_FEW];
	struct learn_walk walk = {
		.runs.run = run, .runs.max = ARRAY_SIZE(run),
		.extent = extent, .max = ARRAY_SIZE(extent),
	};
	enum phyr_reason reason = PHYR_DIRECT;
	int ret;

	mutex_lock(&region->fill);
	ret = learn_window(region, uaddr, uaddr + len, write, &walk, &reason);
	if (ret == -ENOSPC)
		ret = learn_window_many(region, uaddr, uaddr + len, write, &reason);
	mutex_unlock(&region->fill);
	if (ret == -ENOMEM)
		reason = PHYR_NO_MEMORY;
	/* what was in the way of a try that is repeated is none */
	if (ret == -ENOMEM || (ret == -EFAULT && reason != PHYR_DIRECT))
		*ret_reason = reason;
	return ret;
}
