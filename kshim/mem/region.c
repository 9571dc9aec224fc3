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

#include "mem/mem.h"
#include "mem/walk.h"

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

static void region_map_free(struct kshim_map *map)
{
	if (map)
		kvfree_rcu(map, rcu);
}

static void region_free(struct work_struct *work)
{
	struct kshim_region *region = container_of(work, struct kshim_region, free);
	unsigned int i;

	region_map_free(rcu_dereference_protected(region->map, true));
	for (i = 0; i < region->nr_providers; i++)
		kshim_provider_put(region->provider[i]);
	/* readers of the hash, and who leaves the gate, may still look at it */
	kfree_rcu_mightsleep(region);
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
	/* pairs with learn_slot() */
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

bool kshim_ranges_make_room(unsigned int nr, const struct kshim_region *keep)
{
	while (atomic_long_read(&nr_ranges) + nr > READ_ONCE(max_ranges))
		if (!region_evict(keep))
			return false;
	return true;
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
	INIT_WORK(&region->free, region_free);
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

static const struct kshim_extent *region_map_find(const struct kshim_map *map, u64 page)
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

/*
 * What the map knows at @uaddr, for an access: bytes, 0 when nothing. Copied out, for
 * the map may go.
 */
static size_t region_at(struct kshim_region *region, unsigned long uaddr, bool write,
			struct kshim_extent *ret_extent)
{
	const struct kshim_extent *extent;
	unsigned long off = uaddr - region->start;
	size_t bytes = 0;

	rcu_read_lock();
	extent = region_map_find(rcu_dereference(region->map), off >> PAGE_SHIFT);
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
	extent = region_map_find(rcu_dereference_sched(region->map), off >> PAGE_SHIFT);
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

bool kshim_region_knows(struct kshim_region *region, unsigned long uaddr, size_t len,
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

int kshim_region_publish(struct kshim_region *region, struct kshim_map *map,
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
	region_map_free(old);
	return 0;
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

void kshim_regions_init(void)
{
	BUILD_BUG_ON(sizeof(struct kshim_extent) != 16);
	BUILD_BUG_ON(KSHIM_REGION_PROVIDERS > 1 << 4);
	hash_init(kshim_regions);
	regions_dir = debugfs_create_dir("phyr", NULL);
	debugfs_create_file("regions", 0400, regions_dir, NULL, &regions_fops);
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
