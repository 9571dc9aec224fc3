/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which disk, how it reaches device memory, and by which commands: between the files of
 * disk/ and for the layers above it.
 */
#ifndef _KSHIM_DISK_H
#define _KSHIM_DISK_H

#include <linux/blkdev.h>
#include <linux/dmapool.h>
#include <linux/pci.h>

#include "core/prp.h"
#include "core/route.h"
#include "core/seg.h"
#include "core/split.h"
#include "mem/mem.h"

/* ------------------------------------------------------------------ trust.c */

/* Has the administrator said that the host bridges of both forward? Any context. */
bool kshim_trusts(const struct kshim_path *a, const struct kshim_path *b);

/* ------------------------------------------------------------------ route.c */

/* The route from a provider to a PCI device. Process context. */
struct kshim_route kshim_provider_route(struct phyr_provider *provider,
					struct pci_dev *client);

/* ------------------------------------------------------------------- nvme.c */

struct kshim_cmd;
#define KSHIM_CMDS_IDLE	32
struct kshim_cmd_stack {
	unsigned int nr;		/* with interrupts off */
	struct kshim_cmd *cmd[KSHIM_CMDS_IDLE];
};

struct kshim_nvme_cpu {
	struct kshim_visits ios;		/* between disk enter and exit */
	struct kshim_visits senders;	/* in kshim_cmds_queue() */
	struct kshim_cmd_stack idle;	/* commands to use again */
};

/*
 * A PCIe NVMe controller as a reader and writer of device memory. It is one from its first
 * use until its driver has let go of it; after that it is only memory, which stays until
 * the last io that knows it has ended.
 */
struct kshim_nvme {
	struct list_head list;		/* under kshim_devices */
	struct list_head disks;		/* under kshim_devices until it is dead */
	struct pci_dev *pdev;
	struct list_head pairs;		/* under kshim_devices */
	struct dma_pool *prp_pool;	/* list pages */
	struct kshim_nvme_cpu __percpu *cpu;
	u32 max_bytes;			/* of a command; 0: as the queue says */
	bool dead;			/* under kshim_devices, read without */
	spinlock_t repeats_lock;
	struct list_head repeats;	/* commands that the disk is to get again */
	struct delayed_work repeat;
	struct work_struct free;
};

/* A namespace. Found by its gendisk under RCU. */
struct kshim_disk {
	struct hlist_node node;
	struct list_head list;		/* of its nvme, which owns it */
	struct gendisk *gendisk;	/* holds a reference: its address stays its name */
	struct kshim_nvme *nvme;
	u32 nsid;
};

/*
 * The disk behind a block device, for one io; kshim_disk_exit() when all its
 * commands are done. NULL with the reason when it cannot be direct. May sleep.
 *
 * That keeps the memory of the two and holds nobody up: whoever is inside may sleep as
 * long as he likes.
 */
struct kshim_disk *kshim_disk_enter(struct block_device *bdev,
				    enum phyr_reason *ret_reason);
/* Any context; takes NULL. */
static inline void kshim_disk_exit(struct kshim_disk *disk)
{
	if (!disk)
		return;
	/* once it is counted only RCU keeps the two */
	rcu_read_lock_sched();
	this_cpu_inc(disk->nvme->cpu->ios.went);
	rcu_read_unlock_sched();
}

/*
 * Around what uses its pairs and its pool, up to where a request is there: the driver ends
 * that. False when the driver has let go. The caller is inside of the disk, and sleeps for
 * nothing but memory, kshim_devices, and the disk's queue, which ends with the driver.
 */
static inline bool kshim_nvme_enter(struct kshim_nvme *nvme)
{
	bool alive;

	/* who kills it waits for a grace period, and then for who was let in */
	rcu_read_lock_sched();
	alive = !READ_ONCE(nvme->dead);
	if (likely(alive))
		this_cpu_inc(nvme->cpu->senders.came);
	rcu_read_unlock_sched();
	return alive;
}

static inline void kshim_nvme_exit(struct kshim_nvme *nvme)
{
	this_cpu_inc(nvme->cpu->senders.went);
}

/* The block device that is open as @file. -EBADF: @file is NULL; -ENOTBLK. */
struct block_device *kshim_file_bdev(const struct file *file);
int kshim_disk_limit(const struct phyr_disk_limit *arg);
/* The driver has let go of the controller, or is to be forgotten. NULL: all. */
void kshim_nvmes_unbound(struct pci_dev *pdev);
void kshim_nvmes_init(void);
void kshim_nvmes_exit(void);

/* ------------------------------------------------------------------- pair.c */

/*
 * How one disk controller reaches one provider's memory. Read under RCU, changed under
 * kshim_devices.
 */
struct kshim_pair {
	struct list_head list;		/* the provider's */
	struct list_head nvme_list;
	struct phyr_provider *provider;
	struct kshim_nvme *nvme;
	struct kshim_route route;
	enum phyr_reason reason;
	u64 dma;		/* address of the provider's first byte, for this controller */
	struct rcu_head rcu;
};

/*
 * Make sure that a pair exists and say whether it is direct, and then at which address
 * the controller sees the provider's first byte. Process context.
 */
enum phyr_reason kshim_pair_get(struct phyr_provider *provider,
				struct kshim_nvme *nvme, u64 *ret_dma);
/*
 * Forget how disks reached it, or what it reached. The caller must hold kshim_devices and
 * have seen to it that no command of the two is in flight and none will be.
 */
void kshim_pairs_drop_provider(struct phyr_provider *provider);
void kshim_pairs_drop_nvme(struct kshim_nvme *nvme);
/* May the io's disk reach this device memory? Keeps the address in the io. May sleep. */
enum phyr_reason kshim_io_reach(struct phyr_io *io, struct phyr_provider *provider);
/* What it is for a transfer: -EHOSTUNREACH, or -ENOMEM when the next may differ. */
static inline int kshim_reach_error(enum phyr_reason reason)
{
	if (likely(reason == PHYR_DIRECT))
		return 0;
	return reason == PHYR_NO_MEMORY ? -ENOMEM : -EHOSTUNREACH;
}

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

#define KSHIM_CMD_BYTES_MAX	(8UL << 20)
/*
 * The most bytes of a command. With an IOMMU the driver keeps the queue's limit at what is
 * cheap to map for each I/O (dma_opt_mapping_size()); here nothing is, so what the
 * controller takes holds if it is known.
 */
static inline size_t kshim_cmd_bytes(const struct kshim_disk *disk)
{
	size_t queue = (size_t)queue_max_hw_sectors(disk->gendisk->queue) << SECTOR_SHIFT;
	size_t controller = READ_ONCE(disk->nvme->max_bytes);

	return min(max(queue, controller), KSHIM_CMD_BYTES_MAX);
}

/* Commands for the front of the stretch, which is device memory of one hold. */
int kshim_cmds_queue(struct phyr_io *io, const struct kshim_xfer *xfer, size_t len);

/*
 * Queue the commands of a stretch. Process context, may sleep. What was queued before
 * an error completes. -ESTALE: device memory is gone. -EHOSTUNREACH: the disk cannot
 * reach it. No disk gives these two, see blk_status_to_errno().
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

/*
 * Before the first command to a namespace: PHYR_NOT_NVME when its driver is another than
 * this was written for, or PHYR_REVOKED. Waits for a request.
 */
enum phyr_reason kshim_cmds_check(struct request_queue *q);
/* Before the first command of a controller. */
void kshim_cmds_begin(struct kshim_nvme *nvme);
/* With no request of the controller left: end the commands that wait to be sent again. */
void kshim_cmds_end(struct kshim_nvme *nvme);
/* With no command of the controller left. */
void kshim_cmds_free(struct kshim_nvme *nvme);
/* Have the driver give up commands at whose gates somebody waits for too long. */
void kshim_cmds_hurry(struct kshim_disk *disk);
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

#endif /* _KSHIM_DISK_H */
