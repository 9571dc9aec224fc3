/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walking the page tables of page-less memory. All under mmap_lock, held for reading.
 */
#ifndef _KSHIM_WALK_H
#define _KSHIM_WALK_H

#include <linux/mm.h>
#include <linux/phyr.h>

/* A run of user addresses that is one run of physical ones. */
struct kshim_run {
	unsigned long uaddr;
	size_t len;
	phys_addr_t phys;
	bool readable, writable;
	bool keyed;	/* and only by threads that a protection key lets */
};

/* Runs as they are found: ascending, disjoint. */
struct kshim_runs {
	struct kshim_run *run;
	unsigned int nr, max;
};

/*
 * The VMA at @uaddr, when it is of device memory. -EFAULT: there is none; -ENXIO: its
 * memory has struct pages.
 */
struct vm_area_struct *kshim_walk_vma(struct mm_struct *mm, unsigned long uaddr);

/*
 * Add the runs from @uaddr on, both multiples of a page: at most to @end or the end of
 * the page table, or all of one larger leaf, which may go past @end. Ends early where
 * something is not mapped, or not with the access wanted; -EAGAIN when that is at
 * @uaddr, and a fault may help. -EACCES: the VMA, or its protection key in current,
 * forbids the access; -ENODEV: what is mapped is not the device's, but the process's own
 * copy, or the driver says so; -ENOSPC.
 */
int kshim_walk_runs(struct vm_area_struct *vma, unsigned long uaddr, unsigned long end,
		    bool write, struct kshim_runs *runs);

/* Do the protection keys of current let it access what is mapped there? */
bool kshim_walk_permits(struct mm_struct *mm, unsigned long uaddr, size_t len, bool write);

/* Fault @uaddr in. May drop and retake mmap_lock: look the VMA up again. */
int kshim_walk_fault(struct mm_struct *mm, unsigned long uaddr, bool write);

#endif /* _KSHIM_WALK_H */
