/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Physical ranges as I/O buffers: the kernel API of phyr.ko.
 *
 * A phyr is a physical range: an address and a length. get_user_phyrs() turns user
 * memory that has no struct page into phyrs; phyr_dio_rw() is iomap_dio_rw() for
 * buffers made of them.
 *
 * A physical address has no reference count. It is good for as long as the mapping
 * it was read from, and only an mmu_interval_notifier tells when that ends; see
 * get_user_phyrs(). phyr_dio_rw() does all of this itself.
 */
#ifndef _LINUX_PHYR_H
#define _LINUX_PHYR_H

#include <linux/types.h>
#include <linux/fs.h>
#include <linux/iomap.h>
#include <linux/uio.h>

#define PHYR_VEC_INLINE	4

/**
 * struct phyr - a physical range
 * @addr: CPU physical address, not a bus or DMA address
 * @len: bytes
 */
struct phyr {
	phys_addr_t addr;
	size_t len;
};

/**
 * struct phyr_vec - a growing list of phyrs
 * @phyr: the list
 * @nr: phyrs in use
 * @max: phyrs that fit without allocating
 * @first: the memory of a short list
 */
struct phyr_vec {
	struct phyr *phyr;
	unsigned int nr;
	unsigned int max;
	struct phyr first[PHYR_VEC_INLINE];
};

/**
 * phyr_vec_init - make an empty vector
 * @vec: memory of the caller's
 */
void phyr_vec_init(struct phyr_vec *vec);

/**
 * phyr_vec_append - add a range at the end
 * @vec: the vector
 * @addr: CPU physical address
 * @len: bytes, not 0
 *
 * A range that continues the last one makes it longer.
 *
 * Context: process context, may sleep.
 * Return: 0, or -ENOMEM and an unchanged vector.
 */
int phyr_vec_append(struct phyr_vec *vec, phys_addr_t addr, size_t len);

/**
 * phyr_vec_free - release what the vector allocated and make it empty
 * @vec: the vector
 */
void phyr_vec_free(struct phyr_vec *vec);

#define PHYR_WRITE	(1U << 0)	/* the device will write to the memory */

/**
 * get_user_phyrs - the physical ranges behind page-less user memory
 * @uaddr: start, in the address space of current
 * @len: bytes, not 0
 * @flags: PHYR_WRITE or 0
 * @vec: an initialised vector; the ranges are appended
 *
 * Pages that a driver maps on demand are faulted in. The permissions of the mapping
 * are honoured; a private mapping is never written through.
 *
 * The result describes the page tables at some moment of the call. To use it later,
 * hold an mmu_interval_notifier on the range, take mmu_interval_read_begin() before
 * the call and mmu_interval_read_retry() after it.
 *
 * Context: process context, may sleep, takes mmap_lock for reading.
 * Return: 0; -EFAULT when some of the range is not mapped page-less memory or its
 * permissions forbid the access; -EINVAL for an empty range, one that wraps, or
 * unknown flags; -ENOMEM. On error the vector is as before.
 */
int get_user_phyrs(unsigned long uaddr, size_t len, unsigned int flags,
		   struct phyr_vec *vec);

/**
 * phyr_dio_rw - direct I/O between a file and memory without struct page
 * @iocb: as for iomap_dio_rw(), as all that follows
 * @iter: the caller's buffer
 * @ops: the filesystem's mapping operations
 * @dops: its completion operations, or NULL
 * @dio_flags: IOMAP_DIO_*
 * @private: for the filesystem
 * @done_before: bytes done by an earlier attempt
 *
 * Takes the place of iomap_dio_rw() and does the same for every buffer that has
 * struct pages. A buffer of device memory that the file's disk may reach is read or
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
