/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The nouns of phyr.ko and how they hold each other.
 *
 *	region ----- extents ----> provider ----- pairs ----> nvme
 *	(one VMA of one mm)        (a PCI BAR)   (route and  (a PCI device)
 *	                                          mapping)      ^
 *	dio -- pieces --> region                               disk
 *	  '-- io <-- commands                     (a namespace's gendisk)
 *
 * Who keeps whom: a dio holds its regions, its mount, and a use of its disk's nvme.
 * A region's extents hold their providers. Pairs are owned by the provider's list.
 *
 * What ends a DMA: taking away memory (an unmapped VMA, a removed provider) kills the
 * regions, and killing waits until no command is in flight on them. Taking away a
 * disk waits until no dio uses its nvme.
 *
 * Lock order, outermost first:
 *
 *	inode lock (the filesystem's)
 *	  region->fill
 *	    mmap_lock
 *	    kshim_devices		providers, pairs, nvmes, disks: the slow paths
 *	      regions_lock		the hash of regions
 *	        region->lock		dead, map
 *
 * The mmu notifier runs under mmap_lock and takes regions_lock and region->lock,
 * which are spinlocks; nothing that it waits for needs mmap_lock: commands in flight
 * end by interrupt, at the latest by the driver's time-out.
 */
#ifndef _KSHIM_H
#define _KSHIM_H

#include <linux/blkdev.h>
#include <linux/dmapool.h>
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/iomap.h>
#include <linux/mmu_notifier.h>
#include <linux/pci.h>
#include <linux/phyr.h>
#include <linux/refcount.h>
#include <linux/uio.h>
#include <uapi/linux/phyr.h>

#include "core/prp.h"
#include "core/route.h"
#include "core/seg.h"
#include "core/split.h"

/* ------------------------------------------------------------------ stats.c */

struct kshim_counters {
	u64 calls[2][PHYR_NR_REASONS];	/* by READ, WRITE */
	u64 bytes[2][PHYR_NR_REASONS];
	u64 zeroed_calls;
	u64 zeroed_bytes;
	u64 commands;
	u64 errors;
};

struct kshim_stats {
	struct kshim_counters __percpu *cpu;
};

int kshim_stats_init(struct kshim_stats *stats);
void kshim_stats_free(struct kshim_stats *stats);
void kshim_stats_sum(const struct kshim_stats *stats, struct kshim_counters *sum);
/* Add what @from counted to @to. */
void kshim_stats_fold(struct kshim_stats *to, const struct kshim_stats *from);

/* Any context. */
static inline void kshim_count(struct kshim_stats *stats, int rw,
			       enum phyr_reason reason, size_t bytes)
{
	this_cpu_inc(stats->cpu->calls[rw][reason]);
	this_cpu_add(stats->cpu->bytes[rw][reason], bytes);
}

/* ------------------------------------------------------------------ mount.c */

struct kshim_mount {
	struct list_head list;		/* kshim_mounts, under its lock, read by RCU */
	const struct super_block *sb;	/* only compared, never followed */
	dev_t dev;
	u32 policy;			/* enum phyr_policy */
	refcount_t refs;		/* registration and each dio */
	struct kshim_stats stats;
	struct work_struct free;
};

int kshim_mount_add(const struct phyr_mount *arg, struct kshim_mount **ret_mount);
void kshim_mount_remove(struct kshim_mount *mount);	/* takes NULL */
/* The mount through which a file was opened, with a reference; NULL: not in scope. */
struct kshim_mount *kshim_mount_find(const struct file *file);
void kshim_mount_put(struct kshim_mount *mount);	/* any context */
int kshim_mount_stats(struct phyr_stats *stats);	/* 0, -ENOENT */
unsigned int kshim_mount_count(void);

/* --------------------------------------------------------------- provider.c */

struct kshim_nvme;

/* How one disk controller reaches one BAR. Read under RCU, changed under
 * kshim_devices. */
struct kshim_pair {
	struct list_head list;
	struct kshim_nvme *nvme;
	struct kshim_route route;
	enum phyr_reason reason;
	u64 dma;		/* address of the BAR's first byte, for this controller */
	struct rcu_head rcu;
};

struct kshim_provider {
	struct list_head list;
	refcount_t refs;	/* the list and each extent of a region */
	struct pci_dev *pdev;
	int bar;
	phys_addr_t start;
	u64 len;
	bool dead;		/* under kshim_devices */
	struct list_head pairs;
	struct rcu_head rcu;	/* a map that is being replaced may still name it */
};

extern struct mutex kshim_devices;

/*
 * The provider whose BAR holds all of a range, with a reference; NULL when there is
 * none. Process context.
 */
struct kshim_provider *kshim_provider_get(phys_addr_t addr, size_t len);
void kshim_provider_put(struct kshim_provider *provider);
/* Make sure that a pair exists and say whether it is direct. Process context. */
enum phyr_reason kshim_pair_get(struct kshim_provider *provider,
				struct kshim_nvme *nvme);
/* The pair that kshim_pair_get() made. Under RCU; NULL when it is gone. */
static inline const struct kshim_pair *
kshim_pair_find(const struct kshim_provider *provider, const struct kshim_nvme *nvme)
{
	const struct kshim_pair *pair;

	list_for_each_entry_rcu(pair, &provider->pairs, list)
		if (pair->nvme == nvme)
			return pair;
	return NULL;
}
/* A controller goes away: forget how it reached each BAR. Under kshim_devices, with
 * no command in flight. */
void kshim_pairs_drop(struct kshim_nvme *nvme);
/* Let posted writes on their way to the BAR arrive. Process context. */
void kshim_provider_flush(struct kshim_provider *provider);
int kshim_route_query(struct phyr_route *arg);
void kshim_providers_remove(struct pci_dev *pdev);	/* NULL: all */

/* ----------------------------------------------------------------- region.c */

/* A run of user addresses that is one run of physical ones. */
struct kshim_extent {
	unsigned long uaddr;
	size_t len;
	phys_addr_t phys;
	struct kshim_provider *provider;
	bool readable, writable;	/* by the VMA and the page tables */
};

struct kshim_map {
	struct rcu_head rcu;
	unsigned int nr;
	struct kshim_extent extent[] __counted_by(nr);	/* sorted, disjoint */
};

#define KSHIM_REGION_BITS	8
#define KSHIM_REGION_BUCKETS	(1 << KSHIM_REGION_BITS)

/*
 * The page-less memory of one VMA. Lives in the hash from its first use until its
 * page tables change in any way; a dead region never comes back, the next I/O makes
 * a new one.
 */
struct kshim_region {
	struct mmu_interval_notifier mni;
	struct hlist_node node;		/* the hash, under regions_lock, read by RCU */
	struct mm_struct *mm;		/* kept by mni */
	unsigned long start, end;
	refcount_t refs;		/* the hash (dropped by reap) and each dio */
	atomic_t in_flight;		/* commands that may touch the memory */
	bool dead;			/* set under lock, read anywhere */
	spinlock_t lock;
	struct mutex fill;		/* one walk of the page tables at a time */
	struct kshim_map __rcu *map;	/* replaced under lock while not dead */
	struct work_struct reap;	/* first ends mni, later frees */
};

extern struct hlist_head kshim_regions[KSHIM_REGION_BUCKETS];

static inline struct hlist_head *kshim_region_bucket(const struct mm_struct *mm)
{
	return &kshim_regions[hash_ptr(mm, KSHIM_REGION_BITS)];
}

/* May there be regions of this address space? Often a yes is wrong, but never a no. */
static inline bool kshim_regions_maybe(const struct mm_struct *mm)
{
	return !hlist_empty(kshim_region_bucket(mm));
}

/* The region of current->mm at @uaddr if there is one, with a reference. */
struct kshim_region *kshim_region_find(unsigned long uaddr);
/*
 * The same, made when missing. May sleep. -EFAULT: nothing is mapped there;
 * -ENXIO: it is memory with struct pages; -ENOMEM.
 */
struct kshim_region *kshim_region_get(unsigned long uaddr);
void kshim_region_put(struct kshim_region *region);	/* any context */
/* Does the map know all of the range? Any context. */
bool kshim_region_covers(struct kshim_region *region, unsigned long uaddr, size_t len,
			 bool write);
/*
 * Make it so. May sleep. @ret_reason tells why -EFAULT when it is not the caller's
 * mistake. -ESTALE: the region died meanwhile, get a new one.
 */
int kshim_region_fill(struct kshim_region *region, unsigned long uaddr, size_t len,
		      bool write, enum phyr_reason *ret_reason);
/* May @nvme reach all of the range? May sleep. */
enum phyr_reason kshim_region_reach(struct kshim_region *region, unsigned long uaddr,
				    size_t len, struct kshim_nvme *nvme);
/*
 * From the start of a range to DMA addresses, until @segs is full: 0 and how much
 * that was, or -EFAULT. Between enter and exit; under RCU.
 */
int kshim_region_segs(struct kshim_region *region, unsigned long uaddr, size_t len,
		      bool write, const struct kshim_nvme *nvme,
		      struct kshim_segs *segs, size_t *ret_len);
void kshim_regions_revoke(const struct kshim_provider *provider);  /* NULL: all */
u64 kshim_regions_revoked(void);
int kshim_regions_init(void);
void kshim_regions_exit(void);

/*
 * Begin a DMA: false when the memory is gone. Pairs with the notifier, which sets
 * dead, orders, and reads in_flight: one of the two sees the other.
 */
static inline bool kshim_region_enter(struct kshim_region *region)
{
	atomic_inc(&region->in_flight);
	smp_mb__after_atomic();
	if (likely(!READ_ONCE(region->dead)))
		return true;
	if (atomic_dec_and_test(&region->in_flight))
		wake_up_var(&region->in_flight);
	return false;
}

/* End it. The caller's reference keeps the region. Any context. */
static inline void kshim_region_exit(struct kshim_region *region)
{
	if (atomic_dec_and_test(&region->in_flight) && READ_ONCE(region->dead))
		wake_up_var(&region->in_flight);
}

/* ------------------------------------------------------------------- nvme.c */

/* A PCIe NVMe controller as a reader and writer of device memory. */
struct kshim_nvme {
	struct list_head list;		/* under kshim_devices */
	refcount_t refs;		/* the list and each disk */
	struct pci_dev *pdev;
	struct dma_pool *prp_pool;	/* list pages */
	atomic_t users;			/* dios between enter and exit */
	bool dead;			/* set before the driver lets go */
};

/* A namespace. Found by its gendisk under RCU. */
struct kshim_disk {
	struct hlist_node node;
	struct gendisk *gendisk;	/* holds a reference: its address stays its name */
	struct kshim_nvme *nvme;
	u32 nsid;
	struct rcu_head rcu;
};

/*
 * A group of commands with one completion. @refs counts the submitter and each
 * command; whoever drops the last calls @done, in any context.
 */
struct kshim_io {
	atomic_t refs;
	int error;			/* the first, by cmpxchg */
	void (*done)(struct kshim_io *io);
	struct kshim_stats *stats;	/* outlives the group */
};

/* One stretch of a disk and the user memory that it goes to or comes from. */
struct kshim_xfer {
	struct block_device *bdev;
	struct kshim_disk *disk;
	sector_t sector;		/* of @bdev */
	struct kshim_region *region;
	unsigned long uaddr;
	size_t len;			/* multiple of the logical block */
	bool write;
	bool fua;
};

/*
 * The disk behind a block device, for one dio; kshim_disk_exit() when all its
 * commands are done. NULL with the reason when it cannot be direct. May sleep.
 */
struct kshim_disk *kshim_disk_enter(struct block_device *bdev,
				    enum phyr_reason *ret_reason);
void kshim_disk_exit(struct kshim_disk *disk);		/* any context */
/* Queue the commands of a stretch. Process context, may sleep. 0 or an error; what
 * was queued before it completes. */
int kshim_nvme_queue(struct kshim_io *io, const struct kshim_xfer *xfer);
void kshim_nvmes_remove(struct pci_dev *pdev);		/* NULL: all */
void kshim_nvmes_unbound(struct pci_dev *pdev);
int kshim_nvmes_init(void);
void kshim_nvmes_exit(void);

static inline void kshim_io_fail(struct kshim_io *io, int error)
{
	cmpxchg(&io->error, 0, error);
}

static inline void kshim_io_put(struct kshim_io *io)
{
	if (atomic_dec_and_test(&io->refs))
		io->done(io);
}

/* ------------------------------------------------------------------- iter.c */

/* 1: iter->iomap is the next mapping; 0: the end; or an error. */
int kshim_iomap_next(struct iomap_iter *iter, const struct iomap_ops *ops);
/* Bytes of the mapping that are done, or an error. */
void kshim_iomap_done(struct iomap_iter *iter, ssize_t done);

/* -------------------------------------------------------------------- dio.c */

int kshim_dio_init(void);
void kshim_dio_exit(void);

/* -------------------------------------------------------------------- dev.c */

int kshim_dev_init(void);
void kshim_dev_exit(void);

/* ------------------------------------------------------------------- main.c */

/* For work that may have to sleep; flushed before the module goes. */
extern struct workqueue_struct *kshim_wq;
/* Counts of I/O in no mount, and of mounts that are gone. */
extern struct kshim_stats kshim_stats_rest;
extern bool kshim_trust_all_bridges;

/* Is phyr_dio in force? */
bool kshim_hooked(void);

/*
 * Who is inside: calls from the hook, and asynchronous I/O under way. Removal of the
 * module waits for them. Any context.
 */
struct kshim_users {
	unsigned long came;
	unsigned long went;
};
DECLARE_PER_CPU(struct kshim_users, kshim_users);

static inline void kshim_user_get(void)
{
	this_cpu_inc(kshim_users.came);
}

static inline void kshim_user_put(void)
{
	this_cpu_inc(kshim_users.went);
}

#endif /* _KSHIM_H */
