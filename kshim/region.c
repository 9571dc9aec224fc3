// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions: the page-less memory of one VMA, what phyr knows of its page tables, and
 * the promise that no device touches the memory after the mapping is gone.
 *
 * The promise: the notifier marks the region dead and waits for the commands in
 * flight on it, before the page tables change. Every command enters the region just
 * before it is queued and is refused on a dead one. What was learned of the page
 * tables is published only while the region is alive, under the lock under which it
 * dies.
 *
 * Who waits where: a command never sleeps between enter and the queue, so the wait
 * ends with the driver's completion or time-out.
 */
#include <linux/hashtable.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "kshim.h"
#include "range.h"

/* Mapped pages around the ones asked for are learned with them, in windows of: */
#define REGION_WINDOW_BYTES	(2UL << 20)
/* What is asked for at once is at most a window, so that a walk sees at most two. */
#define REGION_RUNS_MAX		(2 * REGION_WINDOW_BYTES / PAGE_SIZE)

static DEFINE_SPINLOCK(regions_lock);
/* By mm; changed under regions_lock, read by RCU. */
struct hlist_head kshim_regions[KSHIM_REGION_BUCKETS];
static atomic64_t regions_revoked;

struct kshim_region *kshim_region_find(unsigned long uaddr)
{
	struct mm_struct *mm = current->mm;
	struct kshim_region *region;

	rcu_read_lock();
	hlist_for_each_entry_rcu(region, kshim_region_bucket(mm), node)
		if (region->mm == mm && uaddr >= region->start && uaddr < region->end &&
		    !READ_ONCE(region->dead) && refcount_inc_not_zero(&region->refs))
			goto out;
	region = NULL;
out:
	rcu_read_unlock();
	return region;
}

static void map_free(struct kshim_map *map)
{
	unsigned int i;

	if (!map)
		return;
	for (i = 0; i < map->nr; i++)
		kshim_provider_put(map->extent[i].provider);
	kvfree_rcu(map, rcu);
}

static void region_free(struct work_struct *work)
{
	struct kshim_region *region = container_of(work, struct kshim_region, reap);

	map_free(rcu_dereference_protected(region->map, true));
	/* readers of the hash may still look at it */
	synchronize_rcu();
	kfree(region);
}

void kshim_region_put(struct kshim_region *region)
{
	if (refcount_dec_and_test(&region->refs)) {
		INIT_WORK(&region->reap, region_free);
		queue_work(kshim_wq, &region->reap);
	}
}

/* Writes that the disk posted may still be on their way when its completion is here;
 * they have to arrive before the memory is somebody else's. */
static void region_flush(struct kshim_region *region)
{
	struct kshim_provider *last = NULL;
	struct kshim_map *map;
	unsigned int i;

	/* a dead region's map does not change, and the caller keeps the region */
	map = rcu_dereference_protected(region->map, READ_ONCE(region->dead));
	for (i = 0; map && i < map->nr; i++) {
		if (map->extent[i].provider != last)
			kshim_provider_flush(map->extent[i].provider);
		last = map->extent[i].provider;
	}
}

static void region_drain(struct kshim_region *region)
{
	/* pairs with kshim_region_enter() */
	smp_mb();
	wait_var_event(&region->in_flight, !atomic_read(&region->in_flight));
	region_flush(region);
}

/* The second half of dying, where it may wait for the notifier that began it. */
static void region_reap(struct work_struct *work)
{
	struct kshim_region *region = container_of(work, struct kshim_region, reap);

	/* what a notifier that could not wait has left */
	region_drain(region);
	spin_lock(&regions_lock);
	hash_del_rcu(&region->node);
	spin_unlock(&regions_lock);
	mmu_interval_notifier_remove(&region->mni);
	kshim_region_put(region);
}

/*
 * True when this call killed it: the caller then queues the reaping. It stays in the
 * hash until nothing is in flight, where kshim_regions_revoke() finds it.
 */
static bool region_mark_dead(struct kshim_region *region)
{
	lockdep_assert_held(&region->lock);
	if (region->dead)
		return false;
	WRITE_ONCE(region->dead, true);
	atomic64_inc(&regions_revoked);
	return true;
}

static bool region_invalidate(struct mmu_interval_notifier *mni,
			      const struct mmu_notifier_range *range,
			      unsigned long cur_seq)
{
	struct kshim_region *region = container_of(mni, struct kshim_region, mni);
	bool blockable = mmu_notifier_range_blockable(range);
	bool idle, killed;

	spin_lock(&region->lock);
	mmu_interval_set_seq(mni, cur_seq);
	killed = region_mark_dead(region);
	spin_unlock(&region->lock);

	/* pairs with kshim_region_enter() */
	smp_mb();
	idle = !atomic_read(&region->in_flight);
	if (blockable || idle)
		region_drain(region);
	if (killed)
		queue_work(kshim_wq, &region->reap);
	return blockable || idle;
}

static const struct mmu_interval_notifier_ops region_ops = {
	.invalidate = region_invalidate,
};

/* Is it to be killed, or waited for? Under RCU. */
static bool region_has(struct kshim_region *region, const struct kshim_provider *provider)
{
	const struct kshim_map *map = rcu_dereference(region->map);
	unsigned int i;

	if (READ_ONCE(region->dead) && !atomic_read(&region->in_flight))
		return false;
	for (i = 0; provider && map && i < map->nr; i++)
		if (map->extent[i].provider == provider)
			return true;
	return !provider;
}

static struct kshim_region *region_next(const struct kshim_provider *provider)
{
	struct kshim_region *region;
	unsigned int bucket;

	rcu_read_lock();
	hash_for_each_rcu(kshim_regions, bucket, region, node)
		if (region_has(region, provider) && refcount_inc_not_zero(&region->refs))
			goto out;
	region = NULL;
out:
	rcu_read_unlock();
	return region;
}

/* Kill every region, or those with memory of one provider, and wait for each. */
void kshim_regions_revoke(const struct kshim_provider *provider)
{
	struct kshim_region *region;
	bool killed;

	while ((region = region_next(provider))) {
		spin_lock(&region->lock);
		killed = region_mark_dead(region);
		spin_unlock(&region->lock);
		region_drain(region);
		if (killed)
			queue_work(kshim_wq, &region->reap);
		kshim_region_put(region);
	}
}

u64 kshim_regions_revoked(void)
{
	return atomic64_read(&regions_revoked);
}

struct region_insert {
	struct work_struct work;
	struct kshim_region *region;
	int ret;
};

static void region_insert_work(struct work_struct *work)
{
	struct region_insert *insert = container_of(work, struct region_insert, work);
	struct kshim_region *region = insert->region;

	insert->ret = mmu_interval_notifier_insert(&region->mni, region->mm, region->start,
						   region->end - region->start,
						   &region_ops);
}

/*
 * The first notifier of an address space is refused to a task with a signal pending,
 * which includes io_uring's wake-ups; a kernel thread has none. The caller is a user
 * of the address space and waits, so it stays.
 */
static int region_insert(struct kshim_region *region)
{
	struct region_insert insert = { .region = region };

	INIT_WORK_ONSTACK(&insert.work, region_insert_work);
	region_insert_work(&insert.work);
	if (insert.ret == -EINTR) {
		queue_work(kshim_wq, &insert.work);
		flush_work(&insert.work);
	}
	destroy_work_on_stack(&insert.work);
	return insert.ret;
}

static struct kshim_region *region_new(struct mm_struct *mm, unsigned long start,
				       unsigned long end)
{
	struct kshim_region *region;
	int ret;

	region = kzalloc(sizeof(*region), GFP_KERNEL);
	if (!region)
		return ERR_PTR(-ENOMEM);
	region->mm = mm;
	region->start = start;
	region->end = end;
	refcount_set(&region->refs, 2);		/* the hash's and the caller's */
	spin_lock_init(&region->lock);
	mutex_init(&region->fill);
	INIT_WORK(&region->reap, region_reap);
	ret = region_insert(region);
	if (ret) {
		kfree(region);
		return ERR_PTR(ret == -ENOMEM ? ret : -EFAULT);
	}

	/* The notifier may have come and gone: then it is dead, and being reaped. */
	spin_lock(&region->lock);
	spin_lock(&regions_lock);
	if (!region->dead)
		hlist_add_head_rcu(&region->node, kshim_region_bucket(mm));
	spin_unlock(&regions_lock);
	spin_unlock(&region->lock);
	return region;
}

struct kshim_region *kshim_region_get(unsigned long uaddr)
{
	struct kshim_region *region = kshim_region_find(uaddr);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned long start, end;

	if (region)
		return region;
	mmap_read_lock(mm);
	vma = kshim_pfnmap_vma(mm, uaddr);
	if (!IS_ERR(vma)) {
		start = vma->vm_start;
		end = vma->vm_end;
	}
	mmap_read_unlock(mm);
	return IS_ERR(vma) ? ERR_CAST(vma) : region_new(mm, start, end);
}

static const struct kshim_extent *map_find(const struct kshim_map *map,
					   unsigned long uaddr)
{
	unsigned int lo = 0, hi = map ? map->nr : 0, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (uaddr < map->extent[mid].uaddr)
			hi = mid;
		else if (uaddr - map->extent[mid].uaddr >= map->extent[mid].len)
			lo = mid + 1;
		else
			return &map->extent[mid];
	}
	return NULL;
}

bool kshim_region_covers(struct kshim_region *region, unsigned long uaddr, size_t len,
			 bool write)
{
	const struct kshim_extent *extent;
	const struct kshim_map *map;
	size_t n;

	rcu_read_lock();
	map = rcu_dereference(region->map);
	while (len) {
		extent = map_find(map, uaddr);
		if (!extent || !(write ? extent->writable : extent->readable))
			break;
		n = min(len, extent->uaddr + extent->len - uaddr);
		uaddr += n;
		len -= n;
	}
	rcu_read_unlock();
	return !len;
}

int kshim_region_segs(struct kshim_region *region, unsigned long uaddr, size_t len,
		      bool write, const struct kshim_nvme *nvme,
		      struct kshim_segs *segs, size_t *ret_len)
{
	const struct kshim_extent *extent;
	const struct kshim_pair *pair;
	const struct kshim_map *map;
	unsigned long from = uaddr;
	size_t n;

	map = rcu_dereference(region->map);
	for (; len; uaddr += n, len -= n) {
		extent = map_find(map, uaddr);
		if (!extent || !(write ? extent->writable : extent->readable))
			return -EFAULT;
		pair = kshim_pair_find(extent->provider, nvme);
		if (!pair || pair->reason != PHYR_DIRECT)
			return -EFAULT;
		n = min(len, extent->uaddr + extent->len - uaddr);
		if (kshim_segs_append(segs, pair->dma + (uaddr - extent->uaddr) +
				      (extent->phys - extent->provider->start), n))
			break;
	}
	*ret_len = uaddr - from;
	return 0;
}

enum phyr_reason kshim_region_reach(struct kshim_region *region, unsigned long uaddr,
				    size_t len, struct kshim_nvme *nvme)
{
	const struct kshim_extent *extent;
	struct kshim_provider *provider;
	enum phyr_reason reason = PHYR_DIRECT;
	size_t n;

	while (len && reason == PHYR_DIRECT) {
		rcu_read_lock();
		extent = map_find(rcu_dereference(region->map), uaddr);
		if (!extent) {
			rcu_read_unlock();
			return PHYR_REVOKED;
		}
		n = min(len, extent->uaddr + extent->len - uaddr);
		provider = extent->provider;
		/* the extent's reference is safe to copy while a reader may see it */
		if (!refcount_inc_not_zero(&provider->refs))
			provider = NULL;
		rcu_read_unlock();
		if (!provider)
			return PHYR_REVOKED;
		reason = kshim_pair_get(provider, nvme);
		kshim_provider_put(provider);
		uaddr += n;
		len -= n;
	}
	return reason;
}

/* ------------------------------------------------- learning the page tables */

/* What a walk has found: runs, ascending and disjoint. */
struct region_walk {
	struct kshim_extent *run;
	unsigned int nr;
};

static bool extent_joins(const struct kshim_extent *a, const struct kshim_extent *b)
{
	return a->uaddr + a->len == b->uaddr && a->phys + a->len == b->phys &&
	       a->provider == b->provider && a->readable == b->readable &&
	       a->writable == b->writable;
}

static void walk_add(struct region_walk *walk, struct kshim_extent run)
{
	struct kshim_extent *last = walk->nr ? &walk->run[walk->nr - 1] : NULL;

	if (last && extent_joins(last, &run))
		last->len += run.len;
	else
		walk->run[walk->nr++] = run;
}

/*
 * Walk the windows around [uaddr, end). The pages asked for are faulted in, their
 * neighbours only taken along.
 */
static int region_walk(struct kshim_region *region, unsigned long uaddr,
		       unsigned long end, bool write, struct region_walk *walk)
{
	unsigned long at = max(round_down(uaddr, REGION_WINDOW_BYTES), region->start);
	unsigned long stop = min(round_up(end, REGION_WINDOW_BYTES), region->end);
	struct mm_struct *mm = region->mm;
	struct vm_area_struct *vma;
	struct kshim_leaf leaf;
	bool wanted, faulted = false;
	int ret;

	while (at < stop) {
		wanted = at + PAGE_SIZE > uaddr && at < end;
		vma = kshim_pfnmap_vma(mm, at);
		if (IS_ERR(vma) || !(vma->vm_flags & (write ? VM_WRITE : VM_READ))) {
			if (wanted)
				return -EFAULT;
			at += PAGE_SIZE;
			continue;
		}
		ret = kshim_pfnmap_leaf(vma, at, &leaf);
		if (wanted && (ret || (write && !leaf.writable))) {
			ret = faulted ? -EFAULT : kshim_pfnmap_fault(mm, at, write);
			if (ret)
				return ret == -ENOMEM ? ret : -EFAULT;
			faulted = true;
			continue;
		}
		faulted = false;
		if (ret) {
			at += PAGE_SIZE;
			continue;
		}
		leaf.len = min(leaf.len, stop - at);
		if (at < uaddr && !wanted)	/* the next page has to be looked at */
			leaf.len = min(leaf.len, round_down(uaddr, PAGE_SIZE) - at);
		walk_add(walk, (struct kshim_extent){
			.uaddr = at, .len = leaf.len, .phys = leaf.phys,
			.readable = vma->vm_flags & VM_READ,
			.writable = leaf.writable && (vma->vm_flags & VM_WRITE),
		});
		at += leaf.len;
	}
	return 0;
}

static void walk_put(struct region_walk *walk)
{
	unsigned int i;

	for (i = 0; i < walk->nr; i++)
		if (walk->run[i].provider)
			kshim_provider_put(walk->run[i].provider);
	kvfree(walk->run);
}

/* Find whose memory each run is; runs that are nobody's are dropped, unless wanted. */
static int walk_own(struct region_walk *walk, unsigned long uaddr, unsigned long end,
		    enum phyr_reason *ret_reason)
{
	unsigned int i, nr = 0;
	struct kshim_extent run;

	for (i = 0; i < walk->nr; i++) {
		run = walk->run[i];
		walk->run[i].provider = NULL;
		run.provider = kshim_provider_get(run.phys, run.len);
		if (run.provider) {
			walk->run[nr++] = run;
		} else if (run.uaddr < end && run.uaddr + run.len > uaddr) {
			walk->nr = nr;
			*ret_reason = PHYR_NOT_DEVICE_MEMORY;
			return -EFAULT;
		}
	}
	walk->nr = nr;
	return 0;
}

/* Add an extent with a reference of its provider's of its own, cut to begin at @from. */
static void map_add(struct kshim_map *map, struct kshim_extent extent,
		    unsigned long from, unsigned long to)
{
	struct kshim_extent *last;

	if (from > extent.uaddr) {
		if (from - extent.uaddr >= extent.len)
			return;
		extent.phys += from - extent.uaddr;
		extent.len -= from - extent.uaddr;
		extent.uaddr = from;
	}
	if (to <= extent.uaddr)
		return;
	extent.len = min(extent.len, to - extent.uaddr);
	last = map->nr ? &map->extent[map->nr - 1] : NULL;
	if (last && extent_joins(last, &extent)) {
		last->len += extent.len;
		return;
	}
	refcount_inc(&extent.provider->refs);
	map->nr++;
	map->extent[map->nr - 1] = extent;
}

/* Old map and walk in one; where both know something, the walk is newer. */
static struct kshim_map *map_merge(const struct kshim_map *old,
				   const struct region_walk *walk)
{
	unsigned int i, w, nr = (old ? old->nr : 0) + 2 * walk->nr + 1;
	struct kshim_map *map;
	unsigned long at = 0;

	map = kvzalloc(struct_size(map, extent, nr), GFP_KERNEL);
	if (!map)
		return NULL;
	for (w = 0, i = 0; w <= walk->nr; w++) {
		unsigned long to = w < walk->nr ? walk->run[w].uaddr : ULONG_MAX;

		/* what the old map knows between the last run and this one */
		for (; old && i < old->nr && old->extent[i].uaddr < to; i++) {
			map_add(map, old->extent[i], at, to);
			if (old->extent[i].uaddr + old->extent[i].len > to)
				break;
		}
		if (w == walk->nr)
			break;
		map_add(map, walk->run[w], 0, ULONG_MAX);
		at = walk->run[w].uaddr + walk->run[w].len;
	}
	return map;
}

/* Publish, unless the page tables changed under the walk: then the region is dead. */
static int region_publish(struct kshim_region *region, struct kshim_map *map,
			  unsigned long seq)
{
	struct kshim_map *old;

	spin_lock(&region->lock);
	if (region->dead || mmu_interval_read_retry(&region->mni, seq)) {
		spin_unlock(&region->lock);
		map_free(map);
		return -ESTALE;
	}
	old = rcu_replace_pointer(region->map, map, lockdep_is_held(&region->lock));
	spin_unlock(&region->lock);
	map_free(old);
	return 0;
}

static int region_learn(struct kshim_region *region, unsigned long uaddr,
			unsigned long end, bool write, enum phyr_reason *ret_reason)
{
	struct region_walk walk = { };
	struct kshim_map *map;
	unsigned long seq;
	int ret;

	walk.run = kvcalloc(REGION_RUNS_MAX, sizeof(*walk.run), GFP_KERNEL);
	if (!walk.run)
		return -ENOMEM;
	seq = mmu_interval_read_begin(&region->mni);
	mmap_read_lock(region->mm);
	ret = region_walk(region, uaddr, end, write, &walk);
	mmap_read_unlock(region->mm);
	if (ret) {
		kvfree(walk.run);
		return READ_ONCE(region->dead) ? -ESTALE : ret;
	}
	ret = walk_own(&walk, uaddr, end, ret_reason);
	if (!ret) {
		map = map_merge(rcu_dereference_protected(region->map,
					lockdep_is_held(&region->fill)), &walk);
		ret = map ? region_publish(region, map, seq) : -ENOMEM;
	}
	walk_put(&walk);
	return ret;
}

int kshim_region_fill(struct kshim_region *region, unsigned long uaddr, size_t len,
		      bool write, enum phyr_reason *ret_reason)
{
	int ret = 0;

	mutex_lock(&region->fill);
	while (len && !ret) {
		size_t n = min_t(size_t, len, REGION_WINDOW_BYTES);

		if (READ_ONCE(region->dead))
			ret = -ESTALE;
		else if (!kshim_region_covers(region, uaddr, n, write))
			ret = region_learn(region, uaddr, uaddr + n, write, ret_reason);
		if (!ret && !kshim_region_covers(region, uaddr, n, write))
			ret = -EFAULT;
		uaddr += n;
		len -= n;
	}
	mutex_unlock(&region->fill);
	if (ret == -ENOMEM)
		*ret_reason = PHYR_NO_MEMORY;
	return ret;
}

int kshim_regions_init(void)
{
	hash_init(kshim_regions);
	return 0;
}

/* Nobody makes new ones any more. */
void kshim_regions_exit(void)
{
	kshim_regions_revoke(NULL);
	/* reaping queues freeing */
	flush_workqueue(kshim_wq);
	flush_workqueue(kshim_wq);
	rcu_barrier();
}
