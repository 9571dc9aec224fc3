/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sources are written for the newest kernel; what older ones lack is made up for
 * here, and only here. Included before everything else. Each part names the kernel
 * that makes it unnecessary.
 */
#ifndef _KSHIM_COMPAT_H
#define _KSHIM_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/dma-mapping.h>
#include <linux/iomap.h>
#include <linux/mm.h>
#include <linux/uio.h>

/* Until 6.15: flags of mappings and of direct I/O that did not exist. */
#ifndef IOMAP_F_ANON_WRITE
#define IOMAP_F_ANON_WRITE 0
#endif
#ifndef IOMAP_F_ATOMIC_BIO
#define IOMAP_F_ATOMIC_BIO 0
#endif
#ifndef IOMAP_F_INTEGRITY
#define IOMAP_F_INTEGRITY 0
#endif
#ifndef IOMAP_DIO_FSBLOCK_ALIGNED
#define IOMAP_DIO_FSBLOCK_ALIGNED 0
#endif
#ifndef IOMAP_DIO_BOUNCE
#define IOMAP_DIO_BOUNCE 0
#endif

/* Until 7.2: end_io without the batch. KSHIM_END_IO_ARGS declares its parameters. */
#ifdef KSHIM_HAVE_END_IO_BATCH
#define KSHIM_END_IO_ARGS \
	struct request *rq, blk_status_t status, const struct io_comp_batch *iob
#else
#define KSHIM_END_IO_ARGS struct request *rq, blk_status_t status
#endif

/* Until 7.2: an ftrace user that shares a function was not told which. */
#ifdef KSHIM_HAVE_OPS_FUNC_IP
#define KSHIM_OPS_FUNC_ARGS \
	struct ftrace_ops *op, unsigned long ip, enum ftrace_ops_cmd cmd
#else
#define KSHIM_OPS_FUNC_ARGS struct ftrace_ops *op, enum ftrace_ops_cmd cmd
#endif

/*
 * The size of the page-table leaf of follow_pfnmap_start() when that is not a page: until
 * 7.2 it was not told. The leaf's lock is held.
 */
static inline unsigned long kshim_pfnmap_bytes(const struct follow_pfnmap_args *args)
{
#ifdef KSHIM_HAVE_PFNMAP_MASK
	return ~args->addr_mask + 1;
#else
	pgd_t *pgd = pgd_offset(args->vma->vm_mm, args->address);
	pud_t *pud = pud_offset(p4d_offset(pgd, args->address), args->address);

	return pud_leaf(READ_ONCE(*pud)) ? PUD_SIZE : PMD_SIZE;
#endif
}

/*
 * Does vanilla accept this buffer? Until 6.18 each of its ranges had to hold whole
 * blocks; since then only all of it has to.
 */
static inline bool kshim_user_is_aligned(struct block_device *bdev, loff_t pos,
					 const struct iov_iter *iter)
{
#ifdef KSHIM_HAVE_ITER_PIECES
	return !((pos | iov_iter_count(iter)) & (bdev_logical_block_size(bdev) - 1)) &&
	       !(iov_iter_alignment(iter) & bdev_dma_alignment(bdev));
#else
	return bdev_iter_is_aligned(bdev, (struct iov_iter *)iter);
#endif
}

/* Until 6.16: no address space without a mapping; none is ever given. */
#ifndef KSHIM_HAVE_DMA_IOVA
struct dma_iova_state {
};

static inline bool dma_use_iova(struct dma_iova_state *state)
{
	return false;
}

static inline bool dma_iova_try_alloc(struct device *dev, struct dma_iova_state *state,
				      phys_addr_t phys, size_t size)
{
	return false;
}

static inline void dma_iova_free(struct device *dev, struct dma_iova_state *state)
{
}

static inline int dma_iova_link(struct device *dev, struct dma_iova_state *state,
				phys_addr_t phys, size_t offset, size_t size,
				enum dma_data_direction dir, unsigned long attrs)
{
	return -EOPNOTSUPP;
}

static inline int dma_iova_sync(struct device *dev, struct dma_iova_state *state,
				size_t offset, size_t size)
{
	return -EOPNOTSUPP;
}

static inline void dma_iova_unlink(struct device *dev, struct dma_iova_state *state,
				   size_t offset, size_t size,
				   enum dma_data_direction dir, unsigned long attrs)
{
}
#endif

/* Where the address space begins. */
static inline dma_addr_t kshim_iova_addr(const struct dma_iova_state *state)
{
#ifdef KSHIM_HAVE_DMA_IOVA
	return state->addr;
#else
	return 0;
#endif
}

#endif /* _KSHIM_COMPAT_H */
