// SPDX-License-Identifier: GPL-2.0-only
/*
 * Regions: the device memory of one VMA, what phyr knows of its page tables, and the
 * promise that no device touches the memory after the mapping is gone.
 *
 * The promise: the notifier closes the region's gate and waits for the commands that
 * are inside, before the page tables change. Every command enters just before it is
 * queued and is refused by a closed gate. What was learned of the page tables is
 * published only while the gate is open, under the lock under which it is closed.
 *
 * A change in a part of the mapping closes all of it. That costs who uses the rest a
 * new walk and nothing else: the next I/O, and one that is under way, makes a new region.
 *
 * Who waits where: a command never sleeps between the gate and the queue, so the wait
 * ends with the driver's completion or time-out.
 */
#include <linux/debugfs.h>
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "kshim.h"
#include "walk.h"

/* A walk is of one window, which is one page table. */
#define REGION_RUNS_MAX		PTRS_PER_PTE
/* What most windows have is found on the stack. */
#define REGION_RUNS_FEW		12

static unsigned int max_regions = 16384;
module_param(max_regions, uint, 0644);
MODULE_PARM_DESC(max_regions,
		 "mappings that are remembered at once; the one not used for longest goes (default: 16384)");

static unsigned long max_ranges = 1UL << 20;
module_param(max_ranges, ulong, 0644);
MODULE_PARM_DESC(max_ranges,
		 "physical ranges, of 16 bytes, that are remembered at once (default: 1048576)");

static DEFINE_SPINLOCK(regions_lock);
/* By mm; changed under regions_lock, read by RCU. */
struct hlist_head kshim_regions[KSHIM_REGION_BUCKETS];
static atomic64_t regions_revoked;
static atomic_t nr_regions;		/* whose gate is open */
static atomic_long_t nr_ranges;		/* of regions whose gate is open */

/* Under RCU. */
static struct kshim_region *region_lookup(unsigned long uaddr)
{
	struct mm_struct *mm = current->mm;
	struct kshim_region *region;

	hlist_for_each_entry_rcu(region, kshim_region_bucket(mm), node)
		if (region->mm == mm && uaddr - region->start < region->bytes &&
		    !READ_ONCE(region->gate.closed))
			return region;
	return NULL;
}

struct kshim_region *kshim_region_find(unsigned long uaddr)
{
	struct kshim_region *region;

	rcu_read_lock();
	region = region_lookup(uaddr);
	if (region && !refcount_inc_not_zero(&region->refs))
		region = NULL;
	rcu_read_unlock();
	return region;
}

bool kshim_region_exists(unsigned long uaddr)
{
	bool exists;

	rcu_read_lock_sched();
	exists = region_lookup(uaddr);
	rcu_read_unlock_sched();
	return exists;
}

static void map_free(struct kshim_map *map)
{
	if (map)
		kvfree_rcu(map, rcu);
}

static void region_free(struct work_struct *work)
{
	struct kshim_region *region = container_of(work, struct kshim_region, reap);
	unsigned int i;

	map_free(rcu_dereference_protected(region->map, true));
	for (i = 0; i < region->nr_providers; i++)
		kshim_provider_put(region->provider[i]);
	/* readers of the hash, and who leaves the gate, may still look at it */
	kfree_rcu_mightsleep(region);
}

void kshim_region_put(struct kshim_region *region)
{
	if (refcount_dec_and_test(&region->refs)) {
		INIT_WORK(&region->reap, region_free);
		queue_work(kshim_wq, &region->reap);
	}
}

/*
 * Nobody is inside of the closed gate any more. Writes that the disk posted may still be
 * on their way when its completion is here; they have to arrive before the memory is
 * somebody else's.
 */
static void region_drain(struct kshim_region *region)
{
	unsigned int i, nr = READ_ONCE(region->nr_providers);

	kshim_gate_drain(&region->gate);
	for (i = 0; i < nr; i++)
		kshim_provider_flush(region->provider[i]);
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
 * True when this call closed it: the caller then queues the reaping. It stays in the
 * hash until nothing is inside, where kshim_regions_revoke() finds it.
 */
static bool region_close(struct kshim_region *region)
{
	struct kshim_map *map = rcu_dereference_protected(region->map,
						lockdep_is_held(&region->lock));

	if (region->gate.closed)
		return false;
	WRITE_ONCE(region->gate.closed, true);
	atomic_dec(&nr_regions);
	if (map)
		atomic_long_sub(map->nr, &nr_ranges);
	return true;
}

static bool region_invalidate(struct mmu_interval_notifier *mni,
			      const struct mmu_notifier_range *range,
			      unsigned long cur_seq)
{
	struct kshim_region *region = container_of(mni, struct kshim_region, mni);
	bool blockable = mmu_notifier_range_blockable(range);
	bool idle, closed;

	spin_lock(&region->lock);
	mmu_interval_set_seq(mni, cur_seq);
	closed = region_close(region);
	spin_unlock(&region->lock);
	if (closed)
		atomic64_inc(&regions_revoked);

	idle = kshim_gate_idle(&region->gate);
	if (blockable || idle)
		region_drain(region);
	if (closed)
		queue_work(kshim_wq, &region->reap);
	return blockable || idle;
}

static const struct mmu_interval_notifier_ops region_ops = {
	.invalidate = region_invalidate,
};

/* Is it to be closed, or waited for? */
static bool region_has(struct kshim_region *region, const struct phyr_provider *provider)
{
	unsigned int i, nr = READ_ONCE(region->nr_providers);

	if (READ_ONCE(region->gate.closed) && kshim_gate_idle(&region->gate))
		return false;
	/* pairs with region_slot() */
	smp_rmb();
	for (i = 0; provider && i < nr; i++)
		if (region->provider[i] == provider)
			return true;
	return !provider;
}

static struct kshim_region *region_next(const struct phyr_provider *provider)
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

/* Returns whether it was open. */
static bool region_kill(struct kshim_region *region)
{
	bool closed;

	spin_lock(&region->lock);
	closed = region_close(region);
	spin_unlock(&region->lock);
	return closed;
}

/* Close every region, or those with memory of one provider, and wait for each. */
void kshim_regions_revoke(const struct phyr_provider *provider)
{
	struct kshim_region *region;
	bool closed;

	while ((region = region_next(provider))) {
		closed = region_kill(region);
		region_drain(region);
		if (closed) {
			atomic64_inc(&regions_revoked);
			queue_work(kshim_wq, &region->reap);
		}
		kshim_region_put(region);
	}
}

u64 kshim_regions_revoked(void)
{
	return atomic64_read(&regions_revoked);
}

/*
 * Forget the region that was not used for longest, but not @keep. Who uses it again
 * learns it anew. False when there is no other.
 */
static bool region_evict(const struct kshim_region *keep)
{
	struct kshim_region *region, *oldest = NULL;
	unsigned int bucket;

	rcu_read_lock();
	hash_for_each_rcu(kshim_regions, bucket, region, node)
		if (region != keep && !READ_ONCE(region->gate.closed) &&
		    (!oldest || time_before(READ_ONCE(region->used), oldest->used)))
			oldest = region;
	if (oldest && region_kill(oldest))
		queue_work(kshim_wq, &oldest->reap);
	rcu_read_unlock();
	return oldest;
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

	if (atomic_read(&nr_regions) >= READ_ONCE(max_regions))
		region_evict(NULL);
	region = kzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);
	if (!region)
		return ERR_PTR(-ENOMEM);
	region->mm = mm;
	region->start = start;
	region->end = end;
	region->bytes = end - start;
	region->used = jiffies;
	kshim_gate_init(&region->gate);
	refcount_set(&region->refs, 2);		/* the hash's and the caller's */
	spin_lock_init(&region->lock);
	mutex_init(&region->fill);
	INIT_WORK(&region->reap, region_reap);
	/* before anybody can close it */
	atomic_inc(&nr_regions);
	ret = region_insert(region);
	if (ret) {
		atomic_dec(&nr_regions);
		kfree(region);
		return ERR_PTR(ret == -ENOMEM ? ret : -EFAULT);
	}

	/* The notifier may have come and gone: then it is closed, and being reaped. */
	spin_lock(&region->lock);
	spin_lock(&regions_lock);
	if (!region->gate.closed)
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
	vma = kshim_walk_vma(mm, uaddr);
	if (!IS_ERR(vma)) {
		start = vma->vm_start;
		end = vma->vm_end;
	}
	mmap_read_unlock(mm);
	return IS_ERR(vma) ? ERR_CAST(vma) : region_new(mm, start, end);
}

/* ------------------------------------------------------------------ the map */

static const struct kshim_extent *map_find(const struct kshim_map *map, u64 page)
{
	unsigned int lo = 0, hi = map ? map->nr : 0, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (page < map->extent[mid].page)
			hi = mid;
		else if (page - map->extent[mid].page >= map->extent[mid].nr)
			lo = mid + 1;
		else
			return &map->extent[mid];
	}
	return NULL;
}

/* What the map knows at @uaddr, for an access: bytes, 0 when nothing. Copied out, for
 * the map may go. */
static size_t region_at(struct kshim_region *region, unsigned long uaddr, bool write,
			struct kshim_extent *ret_extent)
{
	const struct kshim_extent *extent;
	unsigned long off = uaddr - region->start;
	size_t bytes = 0;

	rcu_read_lock();
	extent = map_find(rcu_dereference(region->map), off >> PAGE_SHIFT);
	if (extent && (write ? extent->writable : extent->readable)) {
		*ret_extent = *extent;
		bytes = ((u64)(extent->page + extent->nr) << PAGE_SHIFT) - off;
	}
	rcu_read_unlock();
	return bytes;
}

bool kshim_region_known(unsigned long uaddr, size_t len, bool write, struct phyr_vec *vec)
{
	const struct kshim_extent *extent;
	struct kshim_region *region;
	unsigned long off;
	u64 into;

	rcu_read_lock_sched();
	region = region_lookup(uaddr);
	if (!region)
		goto unlock;
	off = uaddr - region->start;
	extent = map_find(rcu_dereference_sched(region->map), off >> PAGE_SHIFT);
	if (!extent || !(write ? extent->writable : extent->readable))
		goto unlock;
	into = off - ((u64)extent->page << PAGE_SHIFT);
	if (len > ((u64)extent->nr << PAGE_SHIFT) - into ||
	    !refcount_inc_not_zero(&region->refs))
		goto unlock;
	vec->first[0].addr = PFN_PHYS(extent->pfn) + into;
	vec->first[0].len = len;
	vec->first_hold[0].gate = &region->gate;
	vec->first_hold[0].provider = region->provider[extent->slot];
	vec->first_hold[0].nr = 1;
	vec->first_hold[0].kind = PHYR_HOLD_REGION;
	vec->nr = vec->nr_holds = 1;
	vec->bytes = len;
	if (region->used != jiffies)
		WRITE_ONCE(region->used, jiffies);
	rcu_read_unlock_sched();
	return true;

unlock:
	rcu_read_unlock_sched();
	return false;
}

int kshim_region_look(struct kshim_region *region, unsigned long uaddr, size_t len,
		      bool write, struct phyr_vec *vec)
{
	struct phyr_hold hold = { .kind = PHYR_HOLD_REGION, .gate = &region->gate };
	struct kshim_extent extent;
	size_t n;
	int ret;

	for (; len; uaddr += n, len -= n) {
		n = min(len, region_at(region, uaddr, write, &extent));
		if (!n)
			return -ENOENT;
		hold.provider = region->provider[extent.slot];
		ret = kshim_vec_add(vec, hold, PFN_PHYS(extent.pfn) + uaddr - region->start -
				    ((u64)extent.page << PAGE_SHIFT), n);
		if (ret)
			return ret;
	}
	return 0;
}

static bool region_knows(struct kshim_region *region, unsigned long uaddr, size_t len,
			 bool write)
{
	struct kshim_extent extent;
	size_t n;

	for (; len; uaddr += n, len -= n) {
		n = min(len, region_at(region, uaddr, write, &extent));
		if (!n)
			return false;
	}
	return true;
}

/* ------------------------------------------------- learning the page tables */

/* What a walk has found, and whose it is. */
struct region_walk {
	struct kshim_runs runs;
	struct kshim_extent *extent;
	unsigned int nr, max;
};

/*
 * Walk the pages [at, stop). Those that are wanted are faulted in, the others only
 * taken along. A leaf that is larger than a page table is taken as a whole. Returns how
 * far it came, or an error; -ENOSPC: more runs than there is room for.
 */
static long region_walk_part(struct kshim_region *region, unsigned long at,
			     unsigned long stop, bool wanted, bool write,
			     struct kshim_runs *runs)
{
	struct mm_struct *mm = region->mm;
	struct vm_area_struct *vma;
	unsigned long faulted = 0;
	struct kshim_run *last;
	int ret;

	while (at < stop) {
		vma = kshim_walk_vma(mm, at);
		ret = IS_ERR(vma) ? -EFAULT :
		      kshim_walk_runs(vma, at, stop, wanted && write, runs);
		if (!ret) {
			last = &runs->run[runs->nr - 1];
			if (!wanted)
				last->len = min(last->len, stop - last->uaddr);
			last->len = min(last->len, region->end - last->uaddr);
			at = last->uaddr + last->len;
		} else if (ret == -ENOSPC) {
			return ret;
		} else if (!wanted) {
			at += PAGE_SIZE;
		} else if (ret == -EAGAIN && faulted != at) {
			ret = kshim_walk_fault(mm, at, write);
			if (ret)
				return ret == -ENOMEM ? ret : -EFAULT;
			faulted = at;
		} else {
			return -EFAULT;
		}
	}
	return at;
}

/* Walk the window around [uaddr, end). */
static int region_walk(struct kshim_region *region, unsigned long uaddr,
		       unsigned long end, bool write, struct kshim_runs *runs)
{
	unsigned long start = max(round_down(uaddr, KSHIM_WINDOW_BYTES), region->start);
	unsigned long stop = min(round_up(end, KSHIM_WINDOW_BYTES), region->end);
	long at;

	at = region_walk_part(region, start, round_down(uaddr, PAGE_SIZE), false, write,
			      runs);
	if (at >= 0)
		at = region_walk_part(region, round_down(uaddr, PAGE_SIZE),
				      round_up(end, PAGE_SIZE), true, write, runs);
	if (at >= 0)
		at = region_walk_part(region, at, stop, false, write, runs);
	return min(at, 0);
}

/* The provider's place in the region's list, or -1 when that is full. */
static int region_slot(struct kshim_region *region, struct phyr_provider *provider)
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

/* How much of the front of a run is one provider's, and which; 0: nobody's. */
static size_t run_own(struct kshim_region *region, const struct kshim_run *run,
		      int *ret_slot)
{
	struct phyr_provider *provider = kshim_provider_get(run->phys, PAGE_SIZE);
	size_t len = 0;

	if (!provider)
		return 0;
	*ret_slot = region_slot(region, provider);
	/* either it is seen dead here, or kshim_regions_revoke() sees that it is used */
	smp_mb();
	if (*ret_slot >= 0 && !READ_ONCE(provider->dead))
		len = min(run->len, round_down(provider->start + provider->len - run->phys,
					       PAGE_SIZE));
	kshim_provider_put(provider);
	return len;
}

/* Find whose memory the runs are; pages that are nobody's are dropped, unless wanted. */
static int walk_own(struct kshim_region *region, struct region_walk *walk,
		    unsigned long uaddr, unsigned long end, enum phyr_reason *ret_reason)
{
	struct kshim_run run;
	unsigned int i;
	size_t n;
	int slot;

	walk->nr = 0;
	for (i = 0; i < walk->runs.nr; i++) {
		run = walk->runs.run[i];
		for (; run.len && walk->nr < walk->max; run.uaddr += n, run.phys += n,
		     run.len -= n) {
			n = run_own(region, &run, &slot);
			if (n) {
				walk->extent[walk->nr++] = (struct kshim_extent){
					.page = (run.uaddr - region->start) >> PAGE_SHIFT,
					.nr = n >> PAGE_SHIFT,
					.pfn = PHYS_PFN(run.phys),
					.slot = slot,
					.readable = run.readable,
					.writable = run.writable,
				};
			} else if (run.uaddr < end && run.uaddr + PAGE_SIZE > uaddr) {
				*ret_reason = PHYR_NOT_DEVICE_MEMORY;
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

#define EXTENT_NR_MAX	((1U << 28) - 1)

static bool extent_joins(const struct kshim_extent *a, const struct kshim_extent *b)
{
	return a->page + a->nr == b->page && a->pfn + a->nr == b->pfn &&
	       a->slot == b->slot && a->readable == b->readable &&
	       a->writable == b->writable && a->nr + b->nr <= EXTENT_NR_MAX;
}

/* Add the part of an extent that lies in the pages [from, to). */
static void map_add(struct kshim_map *map, struct kshim_extent extent, u64 from, u64 to)
{
	struct kshim_extent *last = map->nr ? &map->extent[map->nr - 1] : NULL;
	u64 end = min_t(u64, extent.page + extent.nr, to);

	from = max_t(u64, from, extent.page);
	if (from >= end)
		return;
	extent.pfn += from - extent.page;
	extent.page = from;
	extent.nr = end - from;
	if (last && extent_joins(last, &extent)) {
		last->nr += extent.nr;
		return;
	}
	map->nr++;
	map->extent[map->nr - 1] = extent;
}

/* The same in no more memory than it needs, if there is any. */
static struct kshim_map *map_trim(struct kshim_map *map)
{
	struct kshim_map *exact;

	exact = kvmalloc(struct_size(exact, extent, map->nr), GFP_KERNEL_ACCOUNT);
	if (!exact)
		return map;
	exact->nr = map->nr;
	memcpy(exact->extent, map->extent, flex_array_size(map, extent, map->nr));
	kvfree(map);
	return exact;
}

/* Old map and walk in one; where both know something, the walk is newer. */
static struct kshim_map *map_merge(const struct kshim_map *old,
				   const struct region_walk *walk)
{
	unsigned int i = 0, w, max = (old ? old->nr : 0) + 2 * walk->nr;
	struct kshim_map *map;
	u64 at = 0, to;

	map = kvmalloc(struct_size(map, extent, max), GFP_KERNEL);
	if (!map)
		return NULL;
	map->nr = 0;
	for (w = 0; w <= walk->nr; w++) {
		to = w < walk->nr ? walk->extent[w].page : U64_MAX;
		/* what the old map knows between the last run and this one */
		for (; old && i < old->nr && old->extent[i].page < to; i++) {
			map_add(map, old->extent[i], at, to);
			if (old->extent[i].page + old->extent[i].nr > to)
				break;
		}
		if (w == walk->nr)
			break;
		map_add(map, walk->extent[w], 0, U64_MAX);
		at = walk->extent[w].page + walk->extent[w].nr;
	}
	return map_trim(map);
}

/* The new map, within bounds: other regions are forgotten for it, then its own past. */
static struct kshim_map *map_new(struct kshim_region *region, const struct region_walk *walk)
{
	const struct kshim_map *old = rcu_dereference_protected(region->map,
						lockdep_is_held(&region->fill));
	unsigned int nr_old = old ? old->nr : 0;
	struct kshim_map *map = map_merge(old, walk);

	while (map && map->nr > nr_old &&
	       atomic_long_read(&nr_ranges) + map->nr - nr_old > READ_ONCE(max_ranges)) {
		if (region_evict(region))
			continue;
		kvfree(map);
		return map_merge(NULL, walk);
	}
	return map;
}

/* Publish, unless the page tables changed under the walk: then the gate is closed. */
static int region_publish(struct kshim_region *region, struct kshim_map *map,
			  unsigned long seq)
{
	struct kshim_map *old;

	spin_lock(&region->lock);
	if (region->gate.closed || mmu_interval_read_retry(&region->mni, seq)) {
		spin_unlock(&region->lock);
		kvfree(map);
		return -ESTALE;
	}
	old = rcu_replace_pointer(region->map, map, lockdep_is_held(&region->lock));
	atomic_long_add((long)map->nr - (old ? old->nr : 0), &nr_ranges);
	spin_unlock(&region->lock);
	map_free(old);
	return 0;
}

static int region_learn(struct kshim_region *region, unsigned long uaddr,
			unsigned long end, bool write, struct region_walk *walk,
			enum phyr_reason *ret_reason)
{
	struct kshim_map *map;
	unsigned long seq;
	int ret;

	if (READ_ONCE(region->gate.closed))
		return -ESTALE;
	/* somebody else may have been before */
	if (region_knows(region, uaddr, end - uaddr, write))
		return 0;
	walk->runs.nr = 0;
	seq = mmu_interval_read_begin(&region->mni);
	mmap_read_lock(region->mm);
	ret = region_walk(region, uaddr, end, write, &walk->runs);
	mmap_read_unlock(region->mm);
	if (!ret)
		ret = walk_own(region, walk, uaddr, end, ret_reason);
	if (ret)
		return READ_ONCE(region->gate.closed) ? -ESTALE : ret;
	map = map_new(region, walk);
	return map ? region_publish(region, map, seq) : -ENOMEM;
}

/* The same with room for every page of a window to be a run of its own. */
static int region_learn_many(struct kshim_region *region, unsigned long uaddr,
			     unsigned long end, bool write, enum phyr_reason *ret_reason)
{
	struct region_walk walk = {
		.runs.max = REGION_RUNS_MAX,
		.max = REGION_RUNS_MAX + KSHIM_REGION_PROVIDERS,
	};
	int ret = -ENOMEM;

	walk.runs.run = kvmalloc_array(walk.runs.max, sizeof(*walk.runs.run), GFP_KERNEL);
	walk.extent = kvmalloc_array(walk.max, sizeof(*walk.extent), GFP_KERNEL);
	if (walk.runs.run && walk.extent)
		ret = region_learn(region, uaddr, end, write, &walk, ret_reason);
	kvfree(walk.extent);
	kvfree(walk.runs.run);
	return ret == -ENOSPC ? -ENOMEM : ret;
}

int kshim_region_fill(struct kshim_region *region, unsigned long uaddr, size_t len,
		      bool write, enum phyr_reason *ret_reason)
{
	struct kshim_extent extent[REGION_RUNS_FEW + KSHIM_REGION_PROVIDERS];
	struct kshim_run run[REGION_RUNS_FEW];
	struct region_walk walk = {
		.runs.run = run, .runs.max = ARRAY_SIZE(run),
		.extent = extent, .max = ARRAY_SIZE(extent),
	};
	int ret;

	mutex_lock(&region->fill);
	ret = region_learn(region, uaddr, uaddr + len, write, &walk, ret_reason);
	if (ret == -ENOSPC)
		ret = region_learn_many(region, uaddr, uaddr + len, write, ret_reason);
	mutex_unlock(&region->fill);
	if (ret == -ENOMEM)
		*ret_reason = PHYR_NO_MEMORY;
	return ret;
}

/* ------------------------------------------------------------------ up, down */

static struct dentry *regions_dir;

static int regions_show(struct seq_file *m, void *v)
{
	long ranges = atomic_long_read(&nr_ranges);
	long regions = atomic_read(&nr_regions);

	seq_printf(m, "regions %ld\nranges %ld\nbytes %zu\n", regions, ranges,
		   regions * (sizeof(struct kshim_region) + sizeof(struct kshim_map)) +
		   ranges * sizeof(struct kshim_extent));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(regions);

int kshim_regions_init(void)
{
	BUILD_BUG_ON(sizeof(struct kshim_extent) != 16);
	BUILD_BUG_ON(KSHIM_REGION_PROVIDERS > 1 << 4);
	hash_init(kshim_regions);
	regions_dir = debugfs_create_dir("phyr", NULL);
	debugfs_create_file("regions", 0400, regions_dir, NULL, &regions_fops);
	return 0;
}

/* Nobody makes new ones any more. */
void kshim_regions_exit(void)
{
	debugfs_remove(regions_dir);
	kshim_regions_revoke(NULL);
	/* reaping queues freeing */
	flush_workqueue(kshim_wq);
	flush_workqueue(kshim_wq);
	rcu_barrier();
}
