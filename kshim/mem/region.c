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
		 "mappings that are remembered at once; one not used lately goes (default: 16384)");

static unsigned long max_ranges = 1UL << 20;
module_param(max_ranges, ulong, 0644);
MODULE_PARM_DESC(max_ranges,
		 "physical ranges, of 16 bytes, that are remembered at once (default: 1048576)");

static DEFINE_RAW_SPINLOCK(regions_lock);
struct kshim_bucket kshim_regions[KSHIM_REGION_BUCKETS];
/* All of them, until they are freed, and the one that eviction has looked at last. */
static LIST_HEAD(regions);			/* under regions_lock */
static struct list_head *regions_hand = &regions;	/* under regions_lock */
static atomic64_t regions_revoked;
static atomic_t nr_regions;		/* whose gate is open */
static atomic_long_t nr_ranges;		/* of regions whose gate is open */

/* ------------------------------------------------------------- the open ones */

DEFINE_PER_CPU(struct kshim_region_hint, kshim_region_hint) = {
	.bucket = kshim_regions, .unlinked = ULONG_MAX,
};

static struct kshim_region *region_search(const struct kshim_bucket *bucket,
					  const struct mm_struct *mm, unsigned long uaddr)
{
	struct rb_node *node = rcu_dereference_raw(bucket->root.rb_node);
	struct kshim_region *region;
	bool right;

	for (; node; node = rcu_dereference_raw(*(right ? &node->rb_right : &node->rb_left))) {
		region = rb_entry(node, struct kshim_region, node);
		if (unlikely(region->mm != mm))
			right = mm > region->mm;
		else if (uaddr < region->start)
			right = false;
		else if (uaddr < region->end)
			return region;
		else
			right = true;
	}
	return NULL;
}

struct kshim_region *kshim_region_lookup_tree(unsigned long uaddr)
{
	struct mm_struct *mm = current->mm;
	const struct kshim_bucket *bucket = kshim_region_bucket(mm);
	struct kshim_region *region;
	unsigned long unlinked;
	unsigned int seq;

	/* pairs with region_unlink() */
	unlinked = smp_load_acquire(&bucket->unlinked);
	do {
		seq = read_seqcount_begin(&bucket->seq);
		region = region_search(bucket, mm, uaddr);
	} while (!region && read_seqcount_retry(&bucket->seq, seq));
	if (region)
		*this_cpu_ptr(&kshim_region_hint) = (struct kshim_region_hint){
			.mm = mm, .bucket = bucket, .unlinked = unlinked, .region = region,
		};
	return region;
}

/* In the order of the tree, which is none for those that overlap. */
static bool region_is_before(const struct kshim_region *a, const struct kshim_region *b)
{
	return a->mm == b->mm ? a->end <= b->start : a->mm < b->mm;
}

/* Let look-ups find it; or else the one that is in the way, with a reference. */
static struct kshim_region *region_link(struct kshim_region *region)
{
	struct kshim_bucket *bucket = kshim_region_bucket(region->mm);
	struct rb_node **link = &bucket->root.rb_node, *parent = NULL;
	struct kshim_region *other;

	lockdep_assert_held(&region->lock);
	raw_spin_lock(&regions_lock);
	while (*link) {
		parent = *link;
		other = rb_entry(parent, struct kshim_region, node);
		if (region_is_before(region, other)) {
			link = &parent->rb_left;
		} else if (region_is_before(other, region)) {
			link = &parent->rb_right;
		} else {
			/* it ends after it is unlinked */
			this_cpu_inc(*other->refs);
			goto unlock;
		}
	}
	other = NULL;
	write_seqcount_begin(&bucket->seq);
	rb_link_node_rcu(&region->node, parent, link);
	rb_insert_color(&region->node, &bucket->root);
	write_seqcount_end(&bucket->seq);
unlock:
	raw_spin_unlock(&regions_lock);
	return other;
}

static void region_unlink(struct kshim_region *region)
{
	struct kshim_bucket *bucket = kshim_region_bucket(region->mm);

	lockdep_assert_held(&region->lock);
	if (RB_EMPTY_NODE(&region->node))
		return;
	raw_spin_lock(&regions_lock);
	write_seqcount_begin(&bucket->seq);
	rb_erase(&region->node, &bucket->root);
	write_seqcount_end(&bucket->seq);
	/* pairs with kshim_region_lookup_tree(): who finds it still has seen the old count */
	smp_store_release(&bucket->unlinked, bucket->unlinked + 1);
	raw_spin_unlock(&regions_lock);
}

struct kshim_region *kshim_region_find(unsigned long uaddr)
{
	struct kshim_region *region;

	rcu_read_lock_sched();
	region = kshim_region_lookup(uaddr);
	if (region && READ_ONCE(region->gate.closed))
		region = NULL;
	if (region)
		this_cpu_inc(*region->refs);
	rcu_read_unlock_sched();
	return region;
}

static void region_discard(struct kshim_region *region)
{
	free_percpu(region->refs);
	kshim_gate_free(&region->gate);
	kfree(region);
}

/* What region->rest is ahead by until the references are added up. */
#define REGION_REST_BIAS	(LONG_MAX / 2)

static void region_free(struct work_struct *work)
{
	struct kshim_region *region = container_of(work, struct kshim_region, work);
	unsigned int i;

	kshim_map_free(rcu_dereference_protected(region->map, true), NULL);
	for (i = 0; i < region->nr_providers; i++)
		kshim_provider_put(region->provider[i]);
	raw_spin_lock(&regions_lock);
	if (regions_hand == &region->list)
		regions_hand = region->list.prev;
	list_del(&region->list);
	raw_spin_unlock(&regions_lock);
	/* pairs with the one in prepare_to_wait_event() */
	smp_mb();
	wake_up_var(&regions);
	region_discard(region);
}

/*
 * A grace period after the region is ending: each look-up that found it has counted its
 * reference, nobody counts on a CPU any more, and who has left the gate does not look at
 * it any more.
 */
static void region_add_up(struct rcu_head *rcu)
{
	struct kshim_region *region = container_of(rcu, struct kshim_region, rcu);
	long refs = -REGION_REST_BIAS;
	int cpu;

	for_each_possible_cpu(cpu)
		refs += *per_cpu_ptr(region->refs, cpu);
	INIT_WORK(&region->work, region_free);
	if (!atomic_long_add_return(refs, &region->rest))
		queue_work(kshim_wq, &region->work);
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
	struct kshim_region *region = container_of(work, struct kshim_region, work);

	/* what a notifier that could not wait has left */
	region_drain(region);
	mmu_interval_notifier_remove(&region->mni);
	WRITE_ONCE(region->ending, true);
	call_rcu(&region->rcu, region_add_up);
}

/* True when this call closed it: the caller then queues the reaping. */
static bool region_close(struct kshim_region *region)
{
	struct kshim_map *map = rcu_dereference_protected(region->map,
						lockdep_is_held(&region->lock));

	lockdep_assert_held(&region->lock);
	if (region->gate.closed)
		return false;
	WRITE_ONCE(region->gate.closed, true);
	atomic_dec(&nr_regions);
	if (map)
		atomic_long_sub(map->nr_extents, &nr_ranges);
	region_unlink(region);
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
		queue_work(kshim_wq, &region->work);
	return blockable || idle;
}

static const struct mmu_interval_notifier_ops region_ops = {
	.invalidate = region_invalidate,
};

/* Returns whether it was open. */
static bool region_kill(struct kshim_region *region)
{
	bool closed;

	spin_lock(&region->lock);
	closed = region_close(region);
	spin_unlock(&region->lock);
	return closed;
}

void kshim_region_forget(struct kshim_region *region)
{
	if (region_kill(region))
		queue_work(kshim_wq, &region->work);
}

/* Has it learned of this provider? NULL: of any. */
static bool region_has(struct kshim_region *region, const struct phyr_provider *provider)
{
	unsigned int i, nr = READ_ONCE(region->nr_providers);

	/* pairs with learn_slot() */
	smp_rmb();
	for (i = 0; provider && i < nr; i++)
		if (region->provider[i] == provider)
			return true;
	return !provider;
}

/* The one after @region, whose reference is dropped, or the first; with a reference. */
static struct kshim_region *region_next(struct kshim_region *region)
{
	struct kshim_region *next;

	raw_spin_lock(&regions_lock);
	next = region ?: list_entry(&regions, struct kshim_region, list);
	list_for_each_entry_continue(next, &regions, list)
		/* whose end has begun has been drained */
		if (!READ_ONCE(next->ending)) {
			this_cpu_inc(*next->refs);
			goto unlock;
		}
	next = NULL;
unlock:
	raw_spin_unlock(&regions_lock);
	if (region)
		kshim_region_put(region);
	return next;
}

/*
 * Close every region, or those with memory of one provider, and wait for each, also for
 * those that somebody else has closed.
 */
void kshim_regions_revoke(const struct phyr_provider *provider)
{
	struct kshim_region *region = NULL;
	bool closed;

	might_sleep();
	/* either learn_own_run() sees that the provider is dead, or it is seen here that
	 * the region has it */
	smp_mb();
	while ((region = region_next(region))) {
		if (!region_has(region, provider))
			continue;
		closed = region_kill(region);
		region_drain(region);
		if (closed) {
			atomic64_inc(&regions_revoked);
			queue_work(kshim_wq, &region->work);
		}
	}
}

u64 kshim_regions_revoked(void)
{
	return atomic64_read(&regions_revoked);
}

/* So many regions that were used lately are passed over at once, not more. */
#define REGION_EVICT_SPARED	64

/* The next that was not used since eviction has last come by, or nearly so; but not
 * @keep. With a reference. */
static struct kshim_region *region_oldest(const struct kshim_region *keep)
{
	unsigned int ends = 0, spared = 0;
	struct kshim_region *region;

	raw_spin_lock(&regions_lock);
	/* from the middle of the list to its end, and then twice all of it */
	while (ends < 3) {
		regions_hand = regions_hand->next;
		if (regions_hand == &regions) {
			ends++;
			continue;
		}
		region = list_entry(regions_hand, struct kshim_region, list);
		if (region == keep || READ_ONCE(region->gate.closed))
			continue;
		if (!region->used || spared++ == REGION_EVICT_SPARED) {
			this_cpu_inc(*region->refs);
			goto unlock;
		}
		WRITE_ONCE(region->used, false);
	}
	region = NULL;
unlock:
	raw_spin_unlock(&regions_lock);
	return region;
}

/*
 * Forget a region that was not used lately, but not @keep. Who uses it again learns it
 * anew. False when there is no other.
 */
static bool region_evict(const struct kshim_region *keep)
{
	struct kshim_region *region = region_oldest(keep);

	if (!region)
		return false;
	kshim_region_forget(region);
	kshim_region_put(region);
	return true;
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

static struct kshim_region *region_alloc(struct mm_struct *mm, unsigned long start,
					 unsigned long end)
{
	struct kshim_region *region = kzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);

	if (!region)
		return NULL;
	region->refs = alloc_percpu_gfp(long, GFP_KERNEL_ACCOUNT);
	if (kshim_gate_init(&region->gate) || !region->refs) {
		region_discard(region);
		return NULL;
	}
	region->mm = mm;
	region->start = start;
	region->end = end;
	RB_CLEAR_NODE(&region->node);
	/* the one is the caller's */
	atomic_long_set(&region->rest, REGION_REST_BIAS + 1);
	spin_lock_init(&region->lock);
	mutex_init(&region->fill);
	INIT_WORK(&region->work, region_reap);
	return region;
}

/* Put it into the list, where it is the last that eviction comes to. */
static void region_enlist(struct kshim_region *region)
{
	raw_spin_lock(&regions_lock);
	list_add_tail(&region->list, regions_hand);
	raw_spin_unlock(&regions_lock);
}

/*
 * Let look-ups find it, or have them find another that knows @uaddr. Others that overlap
 * it are of a VMA that has grown or been split since without a change of its page
 * tables; they are closed. Returns the one to use, which takes over the reference.
 */
static struct kshim_region *region_open(struct kshim_region *region, unsigned long uaddr)
{
	struct kshim_region *other;

	for (;;) {
		/* the notifier may have come and gone: then it is closed, and being reaped */
		spin_lock(&region->lock);
		other = region->gate.closed ? NULL : region_link(region);
		spin_unlock(&region->lock);
		if (!other)
			return region;
		if (uaddr >= other->start && uaddr < other->end &&
		    !READ_ONCE(other->gate.closed)) {
			kshim_region_forget(region);
			kshim_region_put(region);
			return other;
		}
		kshim_region_forget(other);
		kshim_region_put(other);
	}
}

/* Is the VMA still the one that it was made for? */
static bool region_is_valid(const struct kshim_region *region)
{
	struct vm_area_struct *vma;
	bool valid;

	mmap_read_lock(region->mm);
	vma = kshim_walk_vma(region->mm, region->start);
	valid = !IS_ERR(vma) && vma->vm_start == region->start && vma->vm_end == region->end;
	mmap_read_unlock(region->mm);
	return valid;
}

static struct kshim_region *region_new(struct mm_struct *mm, unsigned long uaddr,
				       unsigned long start, unsigned long end)
{
	struct kshim_region *region;
	int ret;

	if (atomic_read(&nr_regions) >= READ_ONCE(max_regions))
		region_evict(NULL);
	region = region_alloc(mm, start, end);
	if (!region)
		return ERR_PTR(-ENOMEM);
	/* before anybody can close it */
	atomic_inc(&nr_regions);
	ret = region_insert(region);
	if (ret) {
		atomic_dec(&nr_regions);
		region_discard(region);
		return ERR_PTR(ret == -ENOMEM ? ret : -EFAULT);
	}
	region_enlist(region);
	/* the notifier tells what changes from now on, and not what did before */
	if (!region_is_valid(region)) {
		kshim_region_forget(region);
		kshim_region_put(region);
		return ERR_PTR(-ESTALE);
	}
	return region_open(region, uaddr);
}

struct kshim_region *kshim_region_get(unsigned long uaddr)
{
	struct kshim_region *region = kshim_region_find(uaddr);
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned long start, end;

	might_sleep();
	if (region)
		return region;
	mmap_read_lock(mm);
	vma = kshim_walk_vma(mm, uaddr);
	if (!IS_ERR(vma)) {
		start = vma->vm_start;
		end = vma->vm_end;
	}
	mmap_read_unlock(mm);
	return IS_ERR(vma) ? ERR_CAST(vma) : region_new(mm, uaddr, start, end);
}

/* ------------------------------------------------------------------ the map */

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
	extent = kshim_map_find(rcu_dereference(region->map), off >> PAGE_SHIFT);
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
	region = kshim_region_lookup(uaddr);
	if (!region)
		goto unlock;
	off = uaddr - region->start;
	extent = kshim_map_find(rcu_dereference_sched(region->map), off >> PAGE_SHIFT);
	if (!extent || extent->keyed || !(write ? extent->writable : extent->readable))
		goto unlock;
	into = off - ((u64)extent->page << PAGE_SHIFT);
	if (len > ((u64)extent->nr << PAGE_SHIFT) - into)
		goto unlock;
	this_cpu_inc(*region->refs);
	vec->first[0].addr = PFN_PHYS(extent->pfn) + into;
	vec->first[0].len = len;
	vec->first_hold[0].gate = &region->gate;
	vec->first_hold[0].provider = region->provider[extent->slot];
	vec->first_hold[0].nr = 1;
	vec->first_hold[0].kind = PHYR_HOLD_REGION;
	vec->nr = vec->nr_holds = 1;
	vec->bytes = len;
	if (!READ_ONCE(region->used))
		WRITE_ONCE(region->used, true);
	rcu_read_unlock_sched();
	return true;

unlock:
	rcu_read_unlock_sched();
	return false;
}

/* What a thread may access changes without a word to anybody. */
static bool region_permits(struct kshim_region *region, unsigned long uaddr, size_t len,
			   bool write)
{
	bool permits;

	mmap_read_lock(region->mm);
	permits = kshim_walk_permits(region->mm, uaddr, len, write);
	mmap_read_unlock(region->mm);
	return permits;
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
		if (extent.keyed && !region_permits(region, uaddr, n, write))
			return -EACCES;
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
	struct kshim_map *old = rcu_dereference_protected(region->map,
						lockdep_is_held(&region->fill));

	spin_lock(&region->lock);
	if (region->gate.closed || mmu_interval_read_retry(&region->mni, seq)) {
		spin_unlock(&region->lock);
		kshim_map_free(map, old);
		return -ESTALE;
	}
	rcu_assign_pointer(region->map, map);
	atomic_long_add((long)map->nr_extents - (old ? old->nr_extents : 0), &nr_ranges);
	spin_unlock(&region->lock);
	kshim_map_free(old, map);
	return 0;
}

/* ------------------------------------------------------------------ up, down */

static struct dentry *regions_dir;

static int regions_show(struct seq_file *m, void *v)
{
	long ranges = atomic_long_read(&nr_ranges);
	long regions = atomic_read(&nr_regions);

	seq_printf(m, "regions %ld\nranges %ld\nbytes %zu\n", regions, ranges,
		   regions * (sizeof(struct kshim_region) + sizeof(struct kshim_map) +
			      sizeof(struct kshim_part) + sizeof(struct kshim_chunk) +
			      num_possible_cpus() *
			      (sizeof(struct kshim_visits) + sizeof(long))) +
		   ranges * sizeof(struct kshim_extent));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(regions);

void kshim_regions_init(void)
{
	unsigned int i;

	BUILD_BUG_ON(sizeof(struct kshim_extent) != 16);
	BUILD_BUG_ON(KSHIM_REGION_PROVIDERS > 1 << 4);
	for (i = 0; i < KSHIM_REGION_BUCKETS; i++) {
		kshim_regions[i].root = RB_ROOT;
		seqcount_raw_spinlock_init(&kshim_regions[i].seq, &regions_lock);
	}
	regions_dir = debugfs_create_dir("phyr", NULL);
	debugfs_create_file("regions", 0400, regions_dir, NULL, &regions_fops);
}

/*
 * Nobody makes new ones any more. Whose notifier is running is not freed before that has
 * returned, even when nobody else knows of it: a task may be preempted or throttled
 * there after it has closed the region, and before it queues the reaping.
 */
void kshim_regions_exit(void)
{
	debugfs_remove(regions_dir);
	kshim_regions_revoke(NULL);
	wait_var_event(&regions, list_empty(&regions));
	/* region_add_up() may be on its way out */
	rcu_barrier();
}
