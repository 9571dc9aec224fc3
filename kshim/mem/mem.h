/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose memory an address is, and for how long: between the files of mem/ and for the
 * layers above it.
 */
#ifndef _KSHIM_MEM_H
#define _KSHIM_MEM_H

#include <linux/hash.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/phyr.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/seqlock.h>

#include "core/extent.h"
#include "kshim.h"

/* ------------------------------------------------------------ vec.c, range.c */

/* A vector's length at some time, to go back to. */
struct kshim_vec_mark {
	unsigned int nr, nr_holds, hold_nr;
	size_t bytes, last_len;
};

struct kshim_vec_mark kshim_vec_mark(const struct phyr_vec *vec);
/* Drop what was appended since, with its references. */
void kshim_vec_rewind(struct phyr_vec *vec, const struct kshim_vec_mark *mark);
/*
 * Append a range, which joins the last one when that ends there and is kept the same
 * way. A new hold of a region takes a reference to it. 0, -ENOMEM, -EINVAL.
 */
int kshim_vec_add(struct phyr_vec *vec, struct phyr_hold hold, phys_addr_t addr,
		  size_t len);
/* get_user_phyrs(), saying why in @ret_reason when it is not the caller's mistake. */
int kshim_get_user(unsigned long uaddr, size_t len, bool write, struct phyr_vec *vec,
		   enum phyr_reason *ret_reason);

/* ------------------------------------------------------------------- walk.c */

/* Is it mapped without struct pages, as far as can be told without waiting? */
bool kshim_walk_is_special(unsigned long uaddr);

/* --------------------------------------------------------------- provider.c */

struct phyr_provider {
	struct list_head list;	/* under kshim_devices */
	refcount_t refs;	/* the list or the registrant, and each region */
	struct pci_dev *pdev;	/* NULL: not PCI */
	int bar;		/* -1: registered by a driver */
	phys_addr_t start;
	u64 len;
	u64 bus_offset;
	void (*flush)(void *data);	/* NULL: none, or not any more; called under RCU */
	void *flush_data;
	bool dead;		/* under kshim_devices, read without */
	bool off;		/* does not answer; see watch.c */
	struct list_head watch;	/* watch.c's, of a BAR */
	struct phyr_gate gate;	/* of DMA that no region's gate guards */
	struct list_head pairs;	/* disk/pair.c's */
	struct rcu_head rcu;
};

/* Providers, pairs, nvmes and disks change under it. */
extern struct mutex kshim_devices;

/*
 * The provider whose range holds all of a range, with a reference. Process context.
 * -ENODEV: there is none; -EIO: it is a BAR that is switched off; -ENOMEM.
 */
struct phyr_provider *kshim_provider_get(phys_addr_t addr, size_t len);
/* The provider that a BAR is, or that lies in it; the same. */
struct phyr_provider *kshim_provider_get_bar(struct pci_dev *pdev, int bar);
void kshim_provider_put(struct phyr_provider *provider);	/* any context; takes NULL */
/* Is what went to it or came from it since then lost? Any context. */
static inline bool kshim_provider_is_off(const struct phyr_provider *provider)
{
	return READ_ONCE(provider->off);
}

/*
 * Let posted writes on their way to the memory arrive, as far as can be: see struct
 * phyr_provider_desc. Any context.
 */
void kshim_provider_flush(struct phyr_provider *provider);
/* For the last time by its registrant. No DMA to it is left. Process context. */
void kshim_provider_flush_end(struct phyr_provider *provider);

/*
 * Killing makes a provider unfindable: no region learns about it any more, and no pair is
 * made. Whoever kills has to end it then, see pci.c: no DMA to it must be left. A list of
 * killed ones has a reference to each.
 */
void kshim_provider_kill(struct phyr_provider *provider);
/* All of a PCI device; NULL: all. */
void kshim_providers_kill(struct pci_dev *pdev, struct list_head *ret_killed);
/* What phyr_provider_register() does but for ending what it killed. */
struct phyr_provider *kshim_provider_new(const struct phyr_provider_desc *desc,
					 struct list_head *ret_killed);
/* Those whose BAR was found to have moved, for which the work item was queued. */
void kshim_providers_moved(struct list_head *ret_killed);
void kshim_providers_init(work_func_t moved);
/* Some may have to be ended like those. Any context. */
void kshim_providers_check(void);
/* Its driver, which may have registered providers, has let go. */
void kshim_providers_unbound(struct pci_dev *pdev);

/* ------------------------------------------------------------------ watch.c */

/* From here on provider->off is set when the BAR stops to answer. Does it answer now? */
bool kshim_watch_begin(struct phyr_provider *provider);
void kshim_watch_end(struct phyr_provider *provider);	/* any context */
int kshim_watch_init(void);
void kshim_watch_exit(void);

/* -------------------------------------------------------------------- map.c */

/* Some of a region's extents: never changed, and one page of memory at most. */
struct kshim_chunk {
	struct rcu_head rcu;
	unsigned int nr;	/* not 0 */
	struct kshim_extent extent[] __counted_by(nr);	/* sorted, disjoint */
};

struct kshim_part {
	u64 page;		/* the first of the chunk's */
	struct kshim_chunk *chunk;
};

/* What is known of a region's pages, in chunks that the map before or after may share. */
struct kshim_map {
	struct rcu_head rcu;
	unsigned int nr_extents;	/* of all chunks */
	unsigned int nr;	/* not 0 */
	struct kshim_part part[] __counted_by(nr);	/* sorted */
};

/* The last part that begins at @page or before it, or the first. */
static inline unsigned int kshim_map_part(const struct kshim_map *map, u64 page)
{
	unsigned int lo = 0, hi = map->nr, mid;

	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (page < map->part[mid].page)
			hi = mid;
		else
			lo = mid;
	}
	return lo;
}

/* The extent with a page, or NULL; also when @map is. Under RCU, as is what it returns. */
static inline const struct kshim_extent *kshim_map_find(const struct kshim_map *map, u64 page)
{
	const struct kshim_chunk *chunk;

	if (unlikely(!map))
		return NULL;
	chunk = map->part[kshim_map_part(map, page)].chunk;
	/* most mappings are one extent */
	if (likely(page - chunk->extent[0].page < chunk->extent[0].nr))
		return chunk->extent;
	return kshim_extents_find(chunk->extent, chunk->nr, page);
}

/*
 * The old map, if there is one, with @nr extents more, at least one; they are right where
 * it says otherwise. NULL: no memory. May sleep; whoever calls keeps the old map.
 */
struct kshim_map *kshim_map_learn(const struct kshim_map *old,
				  const struct kshim_extent *extent, unsigned int nr);
/*
 * Free a map, which may be NULL, once RCU lets go of it, but for what @other has of it: the
 * one that was made of it or that it was made of; NULL: nothing. Any context.
 */
void kshim_map_free(struct kshim_map *map, const struct kshim_map *other);

/* ----------------------------------------------------------------- region.c */

#define KSHIM_REGION_PROVIDERS	8
/* Mapped pages around the ones asked for are learned with them, in windows of: */
#define KSHIM_WINDOW_BYTES	PMD_SIZE

/*
 * The device memory of one VMA. Look-ups find it from its first use until its page
 * tables change in any way, even in a small part: a closed region never comes back, the
 * next I/O makes a new one.
 */
struct kshim_region {
	struct mmu_interval_notifier mni;
	struct rb_node node;		/* of its bucket while it is open, and once linked */
	struct list_head list;		/* of all regions, under regions_lock */
	struct mm_struct *mm;		/* kept by mni */
	unsigned long start, end;
	struct phyr_gate gate;		/* closed under lock */
	/* References, of each hold: on each CPU for itself; and once the region is ending,
	 * where none comes by a look-up any more, all of them together, in rest. */
	long __percpu *refs;
	atomic_long_t rest;
	bool ending;
	bool used;			/* since eviction has looked; set without a lock */
	spinlock_t lock;
	struct kshim_map __rcu *map;	/* replaced under lock while the gate is open */
	struct mutex fill;		/* one walk of the page tables at a time */
	unsigned int nr_providers;	/* under fill, only grows */
	struct phyr_provider *provider[KSHIM_REGION_PROVIDERS];
	struct work_struct work;	/* ends mni; once that is done, frees the region */
	struct rcu_head rcu;		/* adds up refs */
};

#define KSHIM_REGION_BITS	8
#define KSHIM_REGION_BUCKETS	(1 << KSHIM_REGION_BITS)

/*
 * Open regions by address space and address; those of one address space do not overlap.
 * Changed under regions_lock, searched under RCU. A search that meets a change may miss
 * what is there, and then is repeated; what it finds is right.
 */
struct kshim_bucket {
	struct rb_root root;
	unsigned long unlinked;		/* so many times one was taken out */
	seqcount_raw_spinlock_t seq;
};

extern struct kshim_bucket kshim_regions[KSHIM_REGION_BUCKETS];

static inline struct kshim_bucket *kshim_region_bucket(const struct mm_struct *mm)
{
	return &kshim_regions[hash_ptr(mm, KSHIM_REGION_BITS)];
}

/* May there be regions of this address space? Often a yes is wrong, but never a no. */
static inline bool kshim_regions_maybe(const struct mm_struct *mm)
{
	return !RB_EMPTY_ROOT(&kshim_region_bucket(mm)->root);
}

/*
 * What a CPU has found last: it is good for as long as nothing was unlinked from the
 * bucket. While a reader under RCU still sees the old count, the grace period that the
 * region is freed after has not ended.
 */
struct kshim_region_hint {
	struct mm_struct *mm;
	const struct kshim_bucket *bucket;
	unsigned long unlinked;
	struct kshim_region *region;
};

DECLARE_PER_CPU(struct kshim_region_hint, kshim_region_hint);

struct kshim_region *kshim_region_lookup_tree(unsigned long uaddr);
/* Under rcu_read_lock_sched(). It may just have been closed, as at any time after. */
static inline struct kshim_region *kshim_region_lookup(unsigned long uaddr)
{
	const struct kshim_region_hint *hint = this_cpu_ptr(&kshim_region_hint);
	struct kshim_region *region;

	if (likely(hint->mm == current->mm &&
		   hint->unlinked == READ_ONCE(hint->bucket->unlinked))) {
		region = hint->region;
		if (likely(uaddr >= region->start && uaddr < region->end))
			return region;
	}
	return kshim_region_lookup_tree(uaddr);
}

/*
 * The short way, for what most buffers are: all of it is one extent of one region of
 * current->mm, and any thread may access it. Fills the empty @vec. False: take the long way.
 */
bool kshim_region_known(unsigned long uaddr, size_t len, bool write,
			struct phyr_vec *vec);
/* Is there a region of current->mm at @uaddr? */
static inline bool kshim_region_exists(unsigned long uaddr)
{
	bool exists;

	rcu_read_lock_sched();
	exists = kshim_region_lookup(uaddr);
	rcu_read_unlock_sched();
	return exists;
}

/* The region of current->mm at @uaddr if there is one, with a reference. */
struct kshim_region *kshim_region_find(unsigned long uaddr);
/*
 * The same, made when missing. May sleep. -EFAULT: nothing is mapped there;
 * -ENXIO: it is memory with struct pages; -ESTALE: the mapping has changed meanwhile, try
 * again; -ENOMEM.
 */
struct kshim_region *kshim_region_get(unsigned long uaddr);
/* Close it without waiting for the DMA under way. The page tables have not changed. */
void kshim_region_forget(struct kshim_region *region);
/* One more, for who has one. Any context. */
static inline void kshim_region_ref(struct kshim_region *region)
{
	rcu_read_lock_sched();
	if (likely(!READ_ONCE(region->ending)))
		this_cpu_inc(*region->refs);
	else
		atomic_long_inc(&region->rest);
	rcu_read_unlock_sched();
}

/* Any context. */
static inline void kshim_region_put(struct kshim_region *region)
{
	rcu_read_lock_sched();
	if (likely(!READ_ONCE(region->ending)))
		this_cpu_dec(*region->refs);
	else if (atomic_long_dec_and_test(&region->rest))
		queue_work(kshim_wq, &region->work);
	rcu_read_unlock_sched();
}

/* The region that a hold of PHYR_HOLD_REGION keeps. */
static inline struct kshim_region *kshim_hold_region(const struct phyr_hold *hold)
{
	return container_of(hold->gate, struct kshim_region, gate);
}

/* Is one region all that the vector keeps, and did it allocate nothing? */
static inline bool kshim_vec_is_region(const struct phyr_vec *vec)
{
	return vec->nr_holds == 1 && vec->first_hold[0].kind == PHYR_HOLD_REGION &&
	       vec->phyr == vec->first && vec->hold == vec->first_hold;
}

/*
 * Append the ranges of a part of the region. -ENOENT: some of it is not known, or not
 * for this access, and the vector may have grown. -EACCES: a protection key forbids it to
 * current. -ENOMEM. May sleep.
 */
int kshim_region_look(struct kshim_region *region, unsigned long uaddr, size_t len,
		      bool write, struct phyr_vec *vec);
/* Is all of it known, for this access? */
bool kshim_region_knows(struct kshim_region *region, unsigned long uaddr, size_t len,
			bool write);
/*
 * The map that was made while mmu_interval_read_begin() said @seq becomes that of the
 * region, which owns it, or is freed: -ESTALE, the page tables changed meanwhile. Under
 * region->fill, like the making of the map.
 */
int kshim_region_publish(struct kshim_region *region, struct kshim_map *map,
			 unsigned long seq);
/* Forget other regions until @nr more ranges are within bounds; false: they are not. */
bool kshim_ranges_make_room(unsigned int nr, const struct kshim_region *keep);
void kshim_regions_revoke(const struct phyr_provider *provider);  /* NULL: all */
u64 kshim_regions_revoked(void);
void kshim_regions_init(void);
void kshim_regions_exit(void);

/* ------------------------------------------------------------------ learn.c */

/*
 * Make it known: a part of one window. May sleep. @ret_reason tells why -EFAULT when
 * it is not the caller's mistake. -EACCES: the mapping or a protection key forbids the
 * access. -ESTALE: the region was closed meanwhile, or is now,
 * because its memory is none of a device any more; get a new one.
 */
int kshim_region_fill(struct kshim_region *region, unsigned long uaddr, size_t len,
		      bool write, enum phyr_reason *ret_reason);

#endif /* _KSHIM_MEM_H */
