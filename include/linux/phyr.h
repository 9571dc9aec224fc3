/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Physical ranges as I/O buffers: the kernel API of phyr.ko.
 *
 * A phyr is a physical range: an address and a length. User memory becomes phyrs
 * (get_user_phyrs()), whether it has struct pages or is a device's memory that has
 * none; phyrs are read from and written to block devices (struct phyr_bio) or mapped
 * for any other device (struct phyr_dma); and phyr_dio_rw() is iomap_dio_rw() for
 * buffers made of them.
 *
 *	get_user_phyrs()	put_user_phyrs()
 *	      |                       ^
 *	      v                       |
 *	  phyr_vec ---- phyr_iter ----+---- phyr_bio ---- block device
 *	  (the ranges)  (a cursor)    '---- phyr_dma ---- any device
 *
 * Who keeps the memory: ordinary pages are pinned. Device memory cannot be pinned, a
 * physical address has no reference count; its ranges are tied to the user's
 * mapping, and when that changes in any way they turn stale: DMA that has begun is
 * waited for, and a phyr_bio or phyr_dma that comes later is refused.
 */
#ifndef _LINUX_PHYR_H
#define _LINUX_PHYR_H

#include <linux/blk_types.h>
#include <linux/dma-direction.h>
#include <linux/fs.h>
#include <linux/iomap.h>
#include <linux/types.h>
#include <linux/uio.h>

struct device;
struct pci_dev;
struct kshim_disk;
struct kshim_stats;
struct phyr_gate;
struct phyr_provider;
struct vm_area_struct;
struct vm_operations_struct;

/**
 * DOC: Ranges
 *
 * A &struct phyr_vec is a growing list of ranges, a &struct phyr_iter a cursor over
 * one. Cursors are small and copied by assignment, as are parts of them: nothing that
 * looks at a vector changes it. A vector is not locked; whoever fills it hands it on.
 */

/**
 * struct phyr - a physical range
 * @addr: CPU physical address, not a bus or DMA address
 * @len: bytes
 *
 * The same layout as struct phys_vec of Linux 6.17.
 */
struct phyr {
	phys_addr_t addr;
	size_t len;
};

/**
 * enum phyr_hold_kind - how the memory of a run is kept
 * @PHYR_HOLD_PAGES: by the caller
 * @PHYR_HOLD_PINNED: pinned by get_user_phyrs()
 * @PHYR_HOLD_REGION: tied to a mapping by get_user_phyrs()
 * @PHYR_HOLD_PROVIDER: by the caller, who keeps a provider registered
 */
enum phyr_hold_kind {
	PHYR_HOLD_PAGES,
	PHYR_HOLD_PINNED,
	PHYR_HOLD_REGION,
	PHYR_HOLD_PROVIDER,
};

/**
 * struct phyr_hold - what keeps a run of phyrs of a vector
 * @gate: tells whether DMA to device memory may begin; NULL for pages
 * @provider: whose device memory it is; NULL for pages
 * @nr: phyrs in the run
 * @kind: how the memory is kept
 */
struct phyr_hold {
	struct phyr_gate *gate;
	struct phyr_provider *provider;
	unsigned int nr;
	enum phyr_hold_kind kind;
};

#define PHYR_WRITE		(1U << 0)	/* the device will write to the memory */

#define PHYR_VEC_INLINE		2
#define PHYR_VEC_HOLDS		1

/**
 * struct phyr_vec - a growing list of phyrs
 * @phyr: the list
 * @hold: what keeps them, in the same order
 * @nr: phyrs in use
 * @nr_holds: runs in use
 * @max: phyrs that fit without allocating
 * @max_holds: runs that do
 * @bytes: all of it
 * @first: the memory of a short list
 * @first_hold: the memory of one run
 */
struct phyr_vec {
	struct phyr *phyr;
	struct phyr_hold *hold;
	unsigned int nr, nr_holds;
	unsigned int max, max_holds;
	size_t bytes;
	struct phyr first[PHYR_VEC_INLINE];
	struct phyr_hold first_hold[PHYR_VEC_HOLDS];
};

/**
 * phyr_vec_init - make an empty vector
 * @vec: memory of the caller's; it must not be moved while it is in use
 */
static inline void phyr_vec_init(struct phyr_vec *vec)
{
	vec->phyr = vec->first;
	vec->hold = vec->first_hold;
	vec->nr = vec->nr_holds = 0;
	vec->max = PHYR_VEC_INLINE;
	vec->max_holds = PHYR_VEC_HOLDS;
	vec->bytes = 0;
}

/**
 * phyr_vec_append - add pages of the kernel's own at the end
 * @vec: the vector
 * @addr: CPU physical address of memory with struct pages
 * @len: bytes
 *
 * A range that continues the last one makes it longer. The caller keeps the pages
 * for as long as anybody uses the vector.
 *
 * Context: process context, may sleep.
 * Return: 0; -EINVAL when @len is 0, the range wraps, the vector would pass the end of
 * its type, or some of it has no struct page; -ENOMEM. On error the vector is as
 * before.
 */
int phyr_vec_append(struct phyr_vec *vec, phys_addr_t addr, size_t len);

/**
 * phyr_vec_append_provider - add memory of a registered provider at the end
 * @vec: the vector
 * @provider: from phyr_provider_register()
 * @offset: bytes from the provider's start
 * @len: bytes
 *
 * The caller keeps the provider registered for as long as the vector is in use; DMA
 * that has begun is waited for by phyr_provider_unregister().
 *
 * Context: process context, may sleep.
 * Return: 0; -EINVAL when @len is 0 or the range is not inside the provider's;
 * -ENOMEM. On error the vector is as before.
 */
int phyr_vec_append_provider(struct phyr_vec *vec, struct phyr_provider *provider,
			     u64 offset, size_t len);

/**
 * get_user_phyrs - the physical ranges behind user memory
 * @uaddr: start, in the address space of current
 * @len: bytes
 * @flags: PHYR_WRITE or 0
 * @vec: an initialised vector; the ranges are appended
 *
 * Takes memory with struct pages, device memory without (mappings of PCI BARs and of
 * registered providers, also those that a driver fills on demand), and buffers that
 * mix both, over as many mappings as they span. A run of physically contiguous memory
 * is one phyr. The permissions of the mapping are honoured: a private mapping of
 * device memory is never written through.
 *
 * Pages are pinned as by pin_user_pages_fast(). Device memory is tied to the
 * mapping, see above. Both end with put_user_phyrs().
 *
 * Context: process context, may sleep, takes mmap_lock for reading.
 * Return: 0; -EFAULT when some of the range is not mapped, its permissions forbid
 * the access, or it is memory that nobody provides; -EINVAL for an empty range, one
 * that wraps, or unknown flags; -ENOMEM; -EINTR when the task is being killed. On
 * error the vector is as before.
 */
int get_user_phyrs(unsigned long uaddr, size_t len, unsigned int flags,
		   struct phyr_vec *vec);

/**
 * put_user_phyrs - release what get_user_phyrs() took, and empty the vector
 * @vec: the vector, whatever filled it
 * @dirty: the device has written: mark the pages so
 *
 * No DMA to the memory may be under way.
 *
 * Context: process context; may sleep when @dirty.
 */
void put_user_phyrs(struct phyr_vec *vec, bool dirty);

/**
 * struct phyr_iter - a cursor over a vector
 * @vec: the vector
 * @phyr: the range under the cursor
 * @hold: the run it belongs to
 * @in_hold: ranges of that run before it
 * @off: bytes into the range
 * @left: bytes from the cursor to the end of the part
 *
 * Stands on a byte, or at the end with @left 0. To clone one is to assign it.
 */
struct phyr_iter {
	const struct phyr_vec *vec;
	unsigned int phyr;
	unsigned int hold;
	unsigned int in_hold;
	size_t off;
	size_t left;
};

/**
 * phyr_iter_init - put a cursor at the start
 * @it: the cursor
 * @vec: a vector, which must not change as long as the cursor is used
 */
static inline void phyr_iter_init(struct phyr_iter *it, const struct phyr_vec *vec)
{
	*it = (struct phyr_iter){ .vec = vec, .left = vec->bytes };
}

/**
 * phyr_iter_addr - where a cursor stands
 * @it: the cursor, not at the end
 *
 * Return: the physical address.
 */
static inline phys_addr_t phyr_iter_addr(const struct phyr_iter *it)
{
	return it->vec->phyr[it->phyr].addr + it->off;
}

/**
 * phyr_iter_contig - how far the range under a cursor goes
 * @it: the cursor
 *
 * Return: bytes from the cursor on; 0 at the end.
 */
static inline size_t phyr_iter_contig(const struct phyr_iter *it)
{
	return it->left ? min(it->left, it->vec->phyr[it->phyr].len - it->off) : 0;
}

/**
 * phyr_iter_hold - what keeps the range under a cursor
 * @it: the cursor, not at the end
 *
 * Return: the hold, as long as the vector does not change.
 */
static inline const struct phyr_hold *phyr_iter_hold(const struct phyr_iter *it)
{
	return &it->vec->hold[it->hold];
}

/**
 * phyr_iter_advance - move on
 * @it: the cursor
 * @bytes: at most @it->left
 */
static inline void phyr_iter_advance(struct phyr_iter *it, size_t bytes)
{
	it->left -= bytes;
	it->off += bytes;
	while (it->phyr < it->vec->nr && it->off >= it->vec->phyr[it->phyr].len) {
		it->off -= it->vec->phyr[it->phyr++].len;
		if (++it->in_hold == it->vec->hold[it->hold].nr) {
			it->in_hold = 0;
			it->hold++;
		}
	}
}

/**
 * phyr_iter_split - cut a part off the front
 * @it: the cursor, which moves on behind the part
 * @bytes: how much, at most @it->left
 *
 * Return: a cursor over just that part.
 */
static inline struct phyr_iter phyr_iter_split(struct phyr_iter *it, size_t bytes)
{
	struct phyr_iter front = *it;

	front.left = bytes;
	phyr_iter_advance(it, bytes);
	return front;
}

/**
 * DOC: phyr bio
 *
 * One transfer between consecutive sectors of a block device and ranges of memory.
 * Device memory goes to and comes from the disk by peer-to-peer DMA, which needs a
 * plain namespace of a PCIe NVMe controller that may reach the memory; pages take the
 * block layer's usual way, on every block device.
 *
 * The ranges are not copied: the vector stays with the caller, unchanged, until the
 * end. A transfer of any length may be submitted; it is cut into commands by all the
 * limits of the queue. A command survives a reset of its controller as any other.
 *
 * Status: BLK_STS_OK; BLK_STS_NOTSUPP when the disk cannot reach the memory;
 * BLK_STS_TARGET when device memory is stale, its mapping has changed since
 * get_user_phyrs(); BLK_STS_INVAL for sectors or ranges that are not aligned to the
 * disk's blocks; BLK_STS_IOERR for sectors outside of the device; BLK_STS_RESOURCE
 * for want of memory; and what the disk reports. After an error some of the transfer
 * may have been done.
 */

/**
 * struct phyr_io - commands with one end; phyr's own part of a transfer
 * @refs: the submitter and each command
 * @error: the first, or 0
 * @done: whoever drops the last reference calls it, in any context
 * @disk: when device memory takes part
 * @stats: counters
 * @provider: device memory that the disk was last found to reach
 * @delta: what to add to a CPU physical address of it to get the disk's address
 */
struct phyr_io {
	atomic_t refs;
	int error;
	void (*done)(struct phyr_io *io);
	struct kshim_disk *disk;
	struct kshim_stats *stats;
	const struct phyr_provider *provider;
	u64 delta;
};

struct phyr_bio;
typedef void (phyr_bio_end_io_t)(struct phyr_bio *bio);

/**
 * struct phyr_bio - a transfer
 * @bdev: the block device, a partition or a whole disk
 * @opf: REQ_OP_READ or REQ_OP_WRITE; with REQ_FUA a write is durable when it ends, with
 *	REQ_POLLED a waiting submitter looks for the completion itself, where the queue
 *	has poll queues
 * @sector: first sector, in units of 512 bytes, of @bdev
 * @iter: the memory
 * @status: how it went, valid in @end_io and after
 * @end_io: called once when all is done, in any context, may free the bio
 * @private: the submitter's
 * @parent: ends no earlier than this one, see phyr_bio_chain()
 * @io: phyr's own
 */
struct phyr_bio {
	struct block_device *bdev;
	blk_opf_t opf;
	sector_t sector;
	struct phyr_iter iter;
	blk_status_t status;
	phyr_bio_end_io_t *end_io;
	void *private;
	struct phyr_bio *parent;
	struct phyr_io io;
};

/**
 * phyr_bio_init - an empty transfer
 * @bio: memory of the caller's
 * @bdev: open, and kept open until the end
 * @opf: see &struct phyr_bio
 * @sector: where it begins
 */
void phyr_bio_init(struct phyr_bio *bio, struct block_device *bdev, blk_opf_t opf,
		   sector_t sector);

/**
 * phyr_bio_alloc - the same in memory of its own
 * @bdev: as above
 * @opf: as above
 * @sector: as above
 * @gfp: how to allocate
 *
 * Return: a bio for phyr_bio_free(), or NULL.
 */
struct phyr_bio *phyr_bio_alloc(struct block_device *bdev, blk_opf_t opf, sector_t sector,
				gfp_t gfp);

/**
 * phyr_bio_free - undo phyr_bio_alloc()
 * @bio: not under way, or NULL
 */
void phyr_bio_free(struct phyr_bio *bio);

/**
 * phyr_bio_add - let a transfer carry more memory
 * @bio: not submitted
 * @it: where the memory begins; moves on
 * @bytes: how much
 *
 * What is added to a bio that is not empty continues what it carries.
 *
 * Return: 0; -EINVAL when @it has less or does not continue, and nothing is changed.
 */
int phyr_bio_add(struct phyr_bio *bio, struct phyr_iter *it, size_t bytes);

/**
 * phyr_bio_split - cut a part off the front
 * @bio: not submitted; keeps the rest
 * @bytes: how much, a multiple of 512, less than it carries
 * @gfp: how to allocate
 *
 * Return: a bio of phyr_bio_alloc() for the front, chained to @bio: submit it, it
 * frees itself. NULL: @bytes is wrong or memory ran out, and nothing is changed.
 */
struct phyr_bio *phyr_bio_split(struct phyr_bio *bio, size_t bytes, gfp_t gfp);

/**
 * phyr_bio_chain - let one transfer end with another
 * @bio: of phyr_bio_alloc(), not submitted, without an end_io; it frees itself
 * @parent: not submitted; its end_io comes after both, with the first error of both
 */
void phyr_bio_chain(struct phyr_bio *bio, struct phyr_bio *parent);

/**
 * phyr_bio_submit - start a transfer
 * @bio: with an end_io, or chained
 *
 * Several bios are sent to the disk together between blk_start_plug() and
 * blk_finish_plug(). From here on @bio is its end_io's, which may run before this
 * returns.
 *
 * Context: process context, may sleep.
 */
void phyr_bio_submit(struct phyr_bio *bio);

/**
 * phyr_bio_submit_wait - start a transfer and wait for its end
 * @bio: without an end_io
 *
 * Context: process context, sleeps; polls with REQ_POLLED.
 * Return: 0 or -errno for @bio->status.
 */
int phyr_bio_submit_wait(struct phyr_bio *bio);

/**
 * DOC: DMA
 *
 * Ranges as another device sees them: for a driver that brings its own commands. In
 * two steps, address space first and ranges after, as dma_iova_try_alloc() and
 * dma_iova_link() of Linux 6.16 do, or in one. Kernels and machines without an IOMMU
 * take the same calls.
 *
 *	phyr_dma_alloc()		once
 *	  phyr_dma_link()		for each part, in order
 *	  phyr_dma_sync()
 *	    phyr_vec_enter()		for each command to the device
 *	    phyr_vec_exit()		when it has ended
 *	  phyr_dma_unlink()
 *	phyr_dma_free()
 *
 * A mapping is not locked; it is its owner's. It does not keep the memory, which the
 * vector does: put_user_phyrs() comes after phyr_dma_unlink(). All of it is to be undone
 * before the device's driver lets go of the device.
 *
 * Pages are mapped by the DMA API, and what the device wrote is the CPU's to read after
 * phyr_dma_unlink(). Device memory is reached by its PCI bus address below one switch,
 * and through dma_map_resource() where the host bridge forwards.
 */

/**
 * struct phyr_dma_seg - a range of addresses of a device
 * @addr: first DMA or PCI bus address
 * @len: bytes
 */
struct phyr_dma_seg {
	dma_addr_t addr;
	size_t len;
};

struct phyr_dma_state;

/**
 * struct phyr_dma - a mapping of ranges for a device
 * @dev: the device
 * @dir: who writes
 * @seg: the ranges as @dev sees them, in order; neighbours are one. A link may move
 *	the list. It is as long as it comes out: the limits of @dev are for its driver.
 * @nr: ranges in use
 * @state: phyr's account of them
 */
struct phyr_dma {
	struct device *dev;
	enum dma_data_direction dir;
	struct phyr_dma_seg *seg;
	unsigned int nr;
	struct phyr_dma_state *state;
};

/**
 * phyr_dma_alloc - begin a mapping: address space for it, where there is an IOMMU
 * @dma: memory of the caller's
 * @dev: the device; for device memory it has to be a PCI device
 * @it: all the ranges that will be linked
 * @dir: DMA_TO_DEVICE, DMA_FROM_DEVICE or DMA_BIDIRECTIONAL
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM; -EINVAL when @it is at its end, @dir is none of the three, or
 * @dev does no DMA. On error there is nothing to free, and phyr_dma_free() does nothing.
 */
int phyr_dma_alloc(struct phyr_dma *dma, struct device *dev, const struct phyr_iter *it,
		   enum dma_data_direction dir);

/**
 * phyr_dma_link - map the next ranges
 * @dma: of phyr_dma_alloc()
 * @it: the cursor given there; moves on
 * @bytes: how much. Parts that end where a page does need least of an IOMMU.
 *
 * Context: process context, may sleep.
 * Return: 0; -EREMOTEIO when @dev cannot reach the memory; -ESTALE when it is device
 * memory whose mapping has changed or whose provider is gone; -EINVAL when @bytes is 0
 * or @it has less; -ENOMEM; -EIO when the DMA mapping failed. On error nothing of this
 * call is linked and @it stands where it did.
 */
int phyr_dma_link(struct phyr_dma *dma, struct phyr_iter *it, size_t bytes);

/**
 * phyr_dma_sync - make what was linked visible to the device
 * @dma: the mapping; after this @dma->seg may be used
 *
 * Context: process context, may sleep.
 * Return: 0; -EIO; -EINVAL for what phyr_dma_alloc() failed to begin.
 */
int phyr_dma_sync(struct phyr_dma *dma);

/**
 * phyr_dma_unlink - end the device's access
 * @dma: the mapping, with no DMA under way; takes one with nothing linked
 *
 * Between link and unlink the device may reach device memory only for as long as
 * phyr_vec_enter() says so: an address stays mapped here when its memory goes away. The
 * ranges may be linked again, from the start.
 *
 * Context: process context, may sleep.
 */
void phyr_dma_unlink(struct phyr_dma *dma);

/**
 * phyr_dma_free - the last step, after phyr_dma_unlink()
 * @dma: the mapping
 *
 * Context: process context, may sleep.
 */
void phyr_dma_free(struct phyr_dma *dma);

/**
 * phyr_dma_map - alloc, link all and sync in one
 * @dma: memory of the caller's
 * @dev: the device
 * @vec: all of it is mapped
 * @dir: who writes
 *
 * Context: process context, may sleep.
 * Return: as the three; on error nothing is mapped.
 */
int phyr_dma_map(struct phyr_dma *dma, struct device *dev, const struct phyr_vec *vec,
		 enum dma_data_direction dir);

/**
 * phyr_dma_unmap - unlink and free in one
 * @dma: the mapping
 *
 * Context: process context, may sleep.
 */
void phyr_dma_unmap(struct phyr_dma *dma);

/**
 * phyr_vec_enter - begin DMA to the memory of a vector
 * @vec: the vector; it must not change until phyr_vec_exit()
 *
 * For drivers with commands of their own: whoever takes the memory away waits from
 * here to phyr_vec_exit(), with mmap_lock held perhaps. So what ends the DMA may not wait
 * for user space, for mmap_lock or for get_user_phyrs(), and has to come in bounded
 * time. phyr_bio does this by itself.
 *
 * Context: any.
 * Return: false, and nothing is entered, when some of it is stale.
 */
bool phyr_vec_enter(const struct phyr_vec *vec);

/**
 * phyr_vec_exit - end what phyr_vec_enter() began
 * @vec: the vector
 *
 * Context: any.
 */
void phyr_vec_exit(const struct phyr_vec *vec);

/**
 * DOC: Providers
 *
 * A provider owns a range of physical addresses that is device memory. The memory BARs
 * of PCI devices register by themselves when they are first used; everything else has
 * to be registered by its driver.
 *
 * A driver that registers memory of its PCI device speaks for all of the device, from
 * then on until it lets go of it: BARs that had registered by themselves go, and none comes
 * back by itself, not even when all has been unregistered.
 */

/**
 * struct phyr_provider_desc - what a provider is
 * @start: CPU physical address
 * @len: bytes
 * @pdev: the PCI device that decodes the range; NULL when it is not PCI
 * @bus_offset: what to add to a CPU physical address to get the PCI bus address,
 *	modulo 2^64; 0 without @pdev
 * @flush: NULL or what brings in the writes to the memory that other devices have posted
 *	and reported to be done: they are in it when this returns. Any context, and often with
 *	locks of mm held: does not sleep, allocate, or take a lock that is held around either.
 *	Not called any more after phyr_provider_unregister().
 * @data: for @flush
 *
 * Memory that is not PCI is reached through the CPU's own interconnect: the registrant
 * says that it forwards.
 *
 * After the last DMA to memory that is taken away phyr calls @flush. Without one it reads the
 * device's configuration space, which brings in what goes the same way as the read: all that
 * comes through the port above the device. What a disk beside it, below the same switch,
 * has written waits for its turn in that switch, and no rule of PCI Express makes the read wait
 * for it; it takes microseconds, while its driver's completion comes a longer way. Who gives
 * the memory to somebody else at once, and has a better way to know, gives it here.
 */
struct phyr_provider_desc {
	phys_addr_t start;
	u64 len;
	struct pci_dev *pdev;
	u64 bus_offset;
	void (*flush)(void *data);
	void *data;
};

/**
 * phyr_provider_register - make a range known
 * @desc: is copied
 *
 * When the PCI device is removed the provider ends by itself, and is still to be
 * unregistered. @desc->pdev is to be the registrant's own device: the BARs of one without
 * a driver register by themselves again when the range is free.
 *
 * Context: process context, may sleep; waits for DMA to BARs that give way.
 * Return: the provider; or an error pointer: -EINVAL for a range that is empty, not
 * page-aligned, wraps (also on the bus), or holds system RAM, or for a @bus_offset without
 * @pdev; -EEXIST when it overlaps another provider, but not a BAR of @pdev that had
 * registered itself; -ENOMEM.
 */
struct phyr_provider *phyr_provider_register(const struct phyr_provider_desc *desc);

/**
 * phyr_provider_unregister - take it back
 * @provider: of phyr_provider_register(); takes NULL
 *
 * When this returns no DMA to the range is under way and none begins, mappings of it in
 * user space and vectors notwithstanding.
 *
 * Context: process context, sleeps, at the longest for the time-out of the disks.
 */
void phyr_provider_unregister(struct phyr_provider *provider);

/**
 * struct phyr_vma_ops - how a driver tells what lies behind its mappings
 * @phyr: the range at @uaddr of @vma, which may be shorter than what is asked for but
 *	not empty. 0, or -EFAULT. With mmap_lock held for reading.
 *
 * For mappings without page-table entries or with a cheaper way than to walk them. What
 * it tells has to be good until the driver says otherwise with
 * unmap_mapping_range() or the user unmaps.
 */
struct phyr_vma_ops {
	int (*phyr)(struct vm_area_struct *vma, unsigned long uaddr, size_t len,
		    bool write, struct phyr *ret_phyr);
};

/**
 * phyr_vma_register - let get_user_phyrs() ask a driver
 * @vm_ops: of the mappings that it answers for
 * @ops: kept by the caller
 *
 * Return: 0; -EEXIST; -EINVAL; -ENOMEM.
 */
int phyr_vma_register(const struct vm_operations_struct *vm_ops,
		      const struct phyr_vma_ops *ops);

/**
 * phyr_vma_unregister - take it back
 * @vm_ops: of phyr_vma_register()
 *
 * When this returns nobody is in the driver's operations.
 *
 * Context: process context, sleeps.
 */
void phyr_vma_unregister(const struct vm_operations_struct *vm_ops);

/**
 * phyr_dio_rw - direct I/O between a file and memory with or without struct page
 * @iocb: as for iomap_dio_rw(), as all that follows
 * @iter: the caller's buffer
 * @ops: the filesystem's mapping operations
 * @dops: its completion operations, or NULL
 * @dio_flags: IOMAP_DIO_*
 * @private: for the filesystem
 * @done_before: bytes done by an earlier attempt
 *
 * Takes the place of iomap_dio_rw() and does the same for every buffer that has
 * struct pages. A buffer with device memory that the file's disk may reach is read or
 * written by the disk itself; what cannot be direct fails as iomap_dio_rw() would
 * and is counted with its reason.
 *
 * Context: process context, may sleep unless IOCB_NOWAIT is set.
 * Return: as iomap_dio_rw(): bytes, -EIOCBQUEUED, or an error.
 */
ssize_t phyr_dio_rw(struct kiocb *iocb, struct iov_iter *iter,
		    const struct iomap_ops *ops, const struct iomap_dio_ops *dops,
		    unsigned int dio_flags, void *private, size_t done_before);

#endif /* _LINUX_PHYR_H */
