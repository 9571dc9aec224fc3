/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The nouns of phyr.ko and how they hold each other.
 *
 *	region ----- extents ----> provider ----- pairs ----> nvme
 *	(one VMA of one mm)        (a PCI BAR)   (route and  (a PCI device)
 *	   ^                                      mapping)      ^
 *	   '-- holds -- vec <-- iter -- bio, dio               disk
 *	                                 '-- io <-- commands   (a namespace's gendisk)
 *
 * Who keeps whom: the holds of a vector keep its regions; a dio keeps its vectors, its
 * mount, and by its io a use of its disk's nvme. A region keeps the providers of its
 * extents. Pairs are owned by the provider's list.
 *
 * What ends a DMA: a gate. Taking away memory (an unmapped VMA, a removed provider)
 * closes the gates of the regions, or of the provider, and waits until no command is
 * inside. Taking away a disk waits until no io uses its nvme.
 *
 * Lock order, outermost first:
 *
 *	inode lock (the filesystem's)
 *	  region->fill
 *	    mmap_lock
 *	      drivers_lock		who answers for which mappings
 *	    kshim_devices		providers, pairs, nvmes, disks: the slow paths
 *	      regions_lock		the hash of regions
 *	        region->lock		gate, map
 *
 * What every I/O looks up, in a few instructions, is under rcu_read_lock_sched(), which
 * costs no calls; grace periods wait for readers of both kinds.
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
#include <linux/wait_bit.h>
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

/* ------------------------------------------------------------------- gates */

/*
 * Counts the DMA under way to some device memory, and ends it. Whoever begins one
 * counts it and then looks whether the gate is closed; whoever closes it says so and
 * then looks at the count: one of the two sees the other.
 */
struct phyr_gate {
	atomic_t inside;
	bool closed;		/* never opens again */
};

static inline void kshim_gate_init(struct phyr_gate *gate)
{
	atomic_set(&gate->inside, 0);
	gate->closed = false;
}

/* End a DMA. The gate stays for an RCU grace period after it has been drained: with
 * the count gone only RCU keeps it. Any context. */
static inline void kshim_gate_exit(struct phyr_gate *gate)
{
	rcu_read_lock_sched();
	if (atomic_dec_and_test(&gate->inside) && READ_ONCE(gate->closed))
		wake_up_var(&gate->inside);
	rcu_read_unlock_sched();
}

/* Begin one: false when the memory is gone. The caller has a reference. Any context. */
static inline bool kshim_gate_enter(struct phyr_gate *gate)
{
	atomic_inc(&gate->inside);
	smp_mb__after_atomic();
	if (likely(!READ_ONCE(gate->closed)))
		return true;
	kshim_gate_exit(gate);
	return false;
}

/* Is nobody inside of a closed gate? */
static inline bool kshim_gate_idle(const struct phyr_gate *gate)
{
	/* pairs with kshim_gate_enter() */
	smp_mb();
	return !atomic_read(&gate->inside);
}

/* Wait until nobody is inside of a closed gate. */
static inline void kshim_gate_drain(struct phyr_gate *gate)
{
	wait_var_event(&gate->inside, kshim_gate_idle(gate));
}

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

/* --------------------------------------------------------------- provider.c */

struct kshim_nvme;

/* How one disk controller reaches one BAR. Read under RCU, changed under
 * kshim_devices. */
struct kshim_pair {
	struct list_head list;
	struct kshim_nvme *nvme;
	struct kshim_route route;
	enum phyr_reason reason;
	u64 dma;		/* address of the provider's first byte, for this controller */
	struct rcu_head rcu;
};

struct phyr_provider {
	struct list_head list;	/* under kshim_devices */
	refcount_t refs;	/* the list or the registrant, and each region */
	struct pci_dev *pdev;	/* NULL: not PCI */
	int bar;		/* -1: registered by a driver */
	phys_addr_t start;
	u64 len;
	u64 bus_offset;
	bool dead;		/* under kshim_devices */
	struct phyr_gate gate;	/* of DMA that no region's gate guards */
	struct list_head pairs;
	struct rcu_head rcu;
};

extern struct mutex kshim_devices;

/*
 * The provider whose range holds all of a range, with a reference; NULL when there is
 * none. Process context.
 */
struct phyr_provider *kshim_provider_get(phys_addr_t addr, size_t len);
void kshim_provider_put(struct phyr_provider *provider);	/* any context */
/*
 * Make sure that a pair exists and say whether it is direct, and then at which address
 * the controller sees the provider's first byte. Process context.
 */
enum phyr_reason kshim_pair_get(struct phyr_provider *provider,
				struct kshim_nvme *nvme, u64 *ret_dma);
/* The route from a provider to a PCI device. Process context. */
struct kshim_route kshim_provider_route(struct phyr_provider *provider,
					struct pci_dev *client);
/* A controller goes away: forget how it reached each BAR. Under kshim_devices, with
 * no command in flight. */
void kshim_pairs_drop(struct kshim_nvme *nvme);
/* Let posted writes on their way to the memory arrive. Process context. */
void kshim_provider_flush(struct phyr_provider *provider);
int kshim_route_query(struct phyr_route *arg);
void kshim_providers_remove(struct pci_dev *pdev);	/* NULL: all */
/* Its driver, which may have registered providers, has let go. */
void kshim_providers_unbound(struct pci_dev *pdev);

/* ------------------------------------------------------------------ trust.c */

/* Has the administrator said that the host bridges of both forward? Any context. */
bool kshim_trusts(const struct kshim_path *a, const struct kshim_path *b);

/* ----------------------------------------------------------------- region.c */

#define KSHIM_REGION_PROVIDERS	8
/* Mapped pages around the ones asked for are learned with them, in windows of: */
#define KSHIM_WINDOW_BYTES	PMD_SIZE

/* A run of pages that is one run of physical ones. */
struct kshim_extent {
	u64 page : 36;		/* from the start of the region */
	u64 nr : 28;
	u64 pfn : 40;
	u64 slot : 4;		/* index of the region's provider */
	u64 readable : 1;	/* by the VMA and the page tables */
	u64 writable : 1;
};

struct kshim_map {
	struct rcu_head rcu;
	unsigned int nr;
	struct kshim_extent extent[] __counted_by(nr);	/* sorted, disjoint */
};

#define KSHIM_REGION_BITS	8
#define KSHIM_REGION_BUCKETS	(1 << KSHIM_REGION_BITS)

/*
 * The device memory of one VMA. Lives in the hash from its first use until its page
 * tables change in any way, even in a small part: a closed region never comes back, the
 * next I/O makes a new one.
 */
struct kshim_region {
	struct mmu_interval_notifier mni;
	struct hlist_node node;		/* the hash, under regions_lock, read by RCU */
	struct mm_struct *mm;		/* kept by mni */
	unsigned long start, end, bytes;
	struct phyr_gate gate;		/* closed under lock */
	refcount_t refs;		/* the hash (dropped by reap) and each hold */
	unsigned long used;		/* jiffies, about */
	spinlock_t lock;
	struct kshim_map __rcu *map;	/* replaced under lock while the gate is open */
	struct mutex fill;		/* one walk of the page tables at a time */
	unsigned int nr_providers;	/* under fill, only grows */
	struct phyr_provider *provider[KSHIM_REGION_PROVIDERS];
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

/*
 * The short way, for what most buffers are: all of it is one extent of one region of
 * current->mm. Fills the empty @vec. False: take the long way.
 */
bool kshim_region_known(unsigned long uaddr, size_t len, bool write,
			struct phyr_vec *vec);
/* Is there a region of current->mm at @uaddr? */
bool kshim_region_exists(unsigned long uaddr);
/* The region of current->mm at @uaddr if there is one, with a reference. */
struct kshim_region *kshim_region_find(unsigned long uaddr);
/*
 * The same, made when missing. May sleep. -EFAULT: nothing is mapped there;
 * -ENXIO: it is memory with struct pages; -ENOMEM.
 */
struct kshim_region *kshim_region_get(unsigned long uaddr);
void kshim_region_put(struct kshim_region *region);	/* any context */
/*
 * Append the ranges of a part of the region. -ENOENT: some of it is not known, or not
 * for this access, and the vector may have grown. -ENOMEM.
 */
int kshim_region_look(struct kshim_region *region, unsigned long uaddr, size_t len,
		      bool write, struct phyr_vec *vec);
/* Is all of it known, for this access? */
bool kshim_region_knows(struct kshim_region *region, unsigned long uaddr, size_t len,
			bool write);
/*
 * The map that was made while mmu_interval_read_begin() said @seq becomes that of the
 * region, which owns it, or is freed: -ESTALE, the page tables changed meanwhile.
 */
int kshim_region_publish(struct kshim_region *region, struct kshim_map *map,
			 unsigned long seq);
/* Forget other regions until @nr more ranges are within bounds; false: they are not. */
bool kshim_ranges_make_room(unsigned int nr, const struct kshim_region *keep);
void kshim_regions_revoke(const struct phyr_provider *provider);  /* NULL: all */
u64 kshim_regions_revoked(void);
int kshim_regions_init(void);
void kshim_regions_exit(void);

/* ------------------------------------------------------------------ learn.c */

/*
 * Make it known: a part of one window. May sleep. @ret_reason tells why -EFAULT when
 * it is not the caller's mistake. -ESTALE: the region was closed meanwhile, get a new
 * one.
 */
int kshim_region_fill(struct kshim_region *region, unsigned long uaddr, size_t len,
		      bool write, enum phyr_reason *ret_reason);

/* ------------------------------------------------------------------- nvme.c */

struct kshim_cmd;
#define KSHIM_CMDS_IDLE	32
struct kshim_cmd_stack {
	unsigned int nr;		/* with interrupts off */
	struct kshim_cmd *cmd[KSHIM_CMDS_IDLE];
};

/* A PCIe NVMe controller as a reader and writer of device memory. */
struct kshim_nvme {
	struct list_head list;		/* under kshim_devices */
	refcount_t refs;		/* the list and each disk */
	struct pci_dev *pdev;
	struct dma_pool *prp_pool;	/* list pages */
	struct kshim_cmd_stack __percpu *idle;	/* commands to use again */
	atomic_t users;			/* between disk enter and exit */
	u32 max_bytes;			/* of a command; 0: as the queue says */
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
 * The disk behind a block device, for one io; kshim_disk_exit() when all its
 * commands are done. NULL with the reason when it cannot be direct. May sleep.
 */
struct kshim_disk *kshim_disk_enter(struct block_device *bdev,
				    enum phyr_reason *ret_reason);
void kshim_disk_exit(struct kshim_disk *disk);		/* any context; takes NULL */
/* The block device that is open as @file. -EBADF: @file is NULL; -ENOTBLK. */
struct block_device *kshim_file_bdev(const struct file *file);
int kshim_disk_limit(const struct phyr_disk_limit *arg);
void kshim_nvmes_remove(struct pci_dev *pdev);		/* NULL: all */
void kshim_nvmes_unbound(struct pci_dev *pdev);
int kshim_nvmes_init(void);
void kshim_nvmes_exit(void);

/* -------------------------------------------------------------- cmd.c, bio.c */

/* One stretch of a disk and the memory that it goes to or comes from. */
struct kshim_xfer {
	struct block_device *bdev;
	sector_t sector;		/* of @bdev */
	struct phyr_iter *iter;		/* moves on behind what was queued */
	size_t len;			/* multiple of the logical block */
	blk_opf_t opf;			/* REQ_OP_READ or REQ_OP_WRITE, REQ_FUA */
};

/* Is it what most buffers are: one range of device memory? */
static inline bool kshim_iter_is_simple(const struct phyr_iter *it)
{
	return it->vec->nr == 1 && it->vec->hold->gate;
}

/* The most bytes of a command. */
size_t kshim_cmd_bytes(const struct kshim_disk *disk);
/* Commands for the front of the stretch, which is device memory of one hold. */
int kshim_cmds_queue(struct phyr_io *io, const struct kshim_xfer *xfer, size_t len);
/* May the io's disk reach this device memory? Keeps the address in the io. May sleep. */
enum phyr_reason kshim_io_reach(struct phyr_io *io, struct phyr_provider *provider);

/*
 * Queue the commands of a stretch. Process context, may sleep. What was queued before
 * an error completes. -ESTALE: device memory is gone. -EREMOTEIO: the disk cannot
 * reach it.
 */
int kshim_queue_parts(struct phyr_io *io, const struct kshim_xfer *xfer);
static inline int kshim_queue(struct phyr_io *io, const struct kshim_xfer *xfer)
{
	if (likely(kshim_iter_is_simple(xfer->iter)))
		return kshim_cmds_queue(io, xfer, xfer->len);
	return kshim_queue_parts(io, xfer);
}

/*
 * May a transfer of all that is left begin and end there? Every range begins where the
 * disk can begin; and where it ends inside of a block the next one follows as pages
 * follow each other, which is all that PRPs can say, and all that the block layer does
 * without cutting there.
 */
bool kshim_iter_parts_aligned(struct phyr_iter it, struct block_device *bdev);
static inline bool kshim_iter_is_aligned(const struct phyr_iter *it,
					 struct block_device *bdev)
{
	if (likely(kshim_iter_is_simple(it)))
		return !((phyr_iter_addr(it) & bdev_dma_alignment(bdev)) |
			 (it->left & (bdev_logical_block_size(bdev) - 1)));
	return kshim_iter_parts_aligned(*it, bdev);
}

/* May the io's disk reach all device memory from the cursor on? May sleep. */
enum phyr_reason kshim_iter_parts_reach(struct phyr_iter it, struct phyr_io *io);
static inline enum phyr_reason kshim_iter_reach(const struct phyr_iter *it,
						struct phyr_io *io)
{
	if (likely(kshim_iter_is_simple(it)))
		return kshim_io_reach(io, it->vec->hold->provider);
	return kshim_iter_parts_reach(*it, io);
}

/* With nobody using the controller. */
void kshim_cmds_free(struct kshim_nvme *nvme);
int kshim_cmds_init(void);
void kshim_cmds_exit(void);

static inline void kshim_io_init(struct phyr_io *io, void (*done)(struct phyr_io *io),
				 struct kshim_stats *stats)
{
	atomic_set(&io->refs, 1);
	io->error = 0;
	io->done = done;
	io->disk = NULL;
	io->provider = NULL;
	io->stats = stats;
}

static inline void kshim_io_fail(struct phyr_io *io, int error)
{
	cmpxchg(&io->error, 0, error);
}

static inline void kshim_io_put(struct phyr_io *io)
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
