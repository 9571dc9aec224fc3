/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Steps of a page-table walk over page-less memory. All under mmap_lock, held for
 * reading.
 */
#ifndef _KSHIM_RANGE_H
#define _KSHIM_RANGE_H

#include <linux/mm.h>
#include <linux/phyr.h>

struct kshim_leaf {
	phys_addr_t phys;	/* of the address asked for */
	size_t len;		/* from there to the leaf's or the VMA's end */
	bool writable;
};

/* The VMA at @uaddr. -EFAULT: none; -ENXIO: its memory has struct pages. */
struct vm_area_struct *kshim_pfnmap_vma(struct mm_struct *mm, unsigned long uaddr);

/* What the page tables hold at @uaddr; -EINVAL: nothing yet. Does not sleep. */
int kshim_pfnmap_leaf(struct vm_area_struct *vma, unsigned long uaddr,
		      struct kshim_leaf *ret_leaf);

/* Fault @uaddr in. May drop and retake mmap_lock: look the VMA up again. */
int kshim_pfnmap_fault(struct mm_struct *mm, unsigned long uaddr, bool write);

#endif /* _KSHIM_RANGE_H */
