// SPDX-License-Identifier: GPL-2.0-only
/*
 * From user addresses to physical ranges: vectors of phyrs, and the walk of the page
 * tables that fills them. Whose memory it is and for how long it is good is for
 * provider.c and region.c.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "range.h"

void phyr_vec_init(struct phyr_vec *vec)
{
	vec->phyr = vec->first;
	vec->nr = 0;
	vec->max = PHYR_VEC_INLINE;
}
EXPORT_SYMBOL_GPL(phyr_vec_init);

static int phyr_vec_grow(struct phyr_vec *vec)
{
	unsigned int max = vec->max * 2;
	struct phyr *phyr;

	phyr = kvmalloc_array(max, sizeof(*phyr), GFP_KERNEL);
	if (!phyr)
		return -ENOMEM;
	memcpy(phyr, vec->phyr, vec->nr * sizeof(*phyr));
	if (vec->phyr != vec->first)
		kvfree(vec->phyr);
	vec->phyr = phyr;
	vec->max = max;
	return 0;
}

int phyr_vec_append(struct phyr_vec *vec, phys_addr_t addr, size_t len)
{
	struct phyr *last = vec->nr ? &vec->phyr[vec->nr - 1] : NULL;
	int ret;

	if (last && last->addr + last->len == addr) {
		last->len += len;
		return 0;
	}
	if (vec->nr == vec->max) {
		ret = phyr_vec_grow(vec);
		if (ret)
			return ret;
	}
	vec->phyr[vec->nr++] = (struct phyr){ .addr = addr, .len = len };
	return 0;
}
EXPORT_SYMBOL_GPL(phyr_vec_append);

void phyr_vec_free(struct phyr_vec *vec)
{
	if (vec->phyr != vec->first)
		kvfree(vec->phyr);
	phyr_vec_init(vec);
}
EXPORT_SYMBOL_GPL(phyr_vec_free);

int kshim_pfnmap_leaf(struct vm_area_struct *vma, unsigned long uaddr,
		      struct kshim_leaf *ret_leaf)
{
	struct follow_pfnmap_args args = { .vma = vma, .address = uaddr };
	unsigned long bytes, into;
	int ret;

	ret = follow_pfnmap_start(&args);
	if (ret)
		return ret;
	/* args.pfn is that of the 4 KiB page at uaddr, whatever the leaf's size */
	bytes = kshim_pfnmap_bytes(&args);
	into = uaddr & (bytes - 1) & PAGE_MASK;
	ret_leaf->phys = PFN_PHYS(args.pfn) + offset_in_page(uaddr);
	ret_leaf->len = min(bytes - into, vma->vm_end - (uaddr & PAGE_MASK)) -
			offset_in_page(uaddr);
	ret_leaf->writable = args.writable;
	follow_pfnmap_end(&args);
	return 0;
}

struct vm_area_struct *kshim_pfnmap_vma(struct mm_struct *mm, unsigned long uaddr)
{
	struct vm_area_struct *vma = vma_lookup(mm, uaddr);

	if (!vma)
		return ERR_PTR(-EFAULT);
	return vma->vm_flags & VM_PFNMAP ? vma : ERR_PTR(-ENXIO);
}

/*
 * Get the page tables to hold @uaddr with the access wanted. fixup_user_fault() may
 * drop and retake mmap_lock, so the caller looks everything up again.
 */
int kshim_pfnmap_fault(struct mm_struct *mm, unsigned long uaddr, bool write)
{
	bool unlocked = false;

	if (fatal_signal_pending(current))
		return -EINTR;
	return fixup_user_fault(mm, uaddr, write ? FAULT_FLAG_WRITE : 0, &unlocked);
}

static int phyr_vec_walk(struct mm_struct *mm, unsigned long uaddr, unsigned long end,
			 bool write, struct phyr_vec *vec)
{
	struct vm_area_struct *vma;
	struct kshim_leaf leaf;
	bool faulted = false;
	int ret;

	while (uaddr < end) {
		vma = kshim_pfnmap_vma(mm, uaddr);
		if (IS_ERR(vma) || !(vma->vm_flags & (write ? VM_WRITE : VM_READ)))
			return -EFAULT;
		ret = kshim_pfnmap_leaf(vma, uaddr, &leaf);
		if (ret || (write && !leaf.writable)) {
			if (faulted)
				return -EFAULT;
			ret = kshim_pfnmap_fault(mm, uaddr, write);
			if (ret)
				return ret == -ENOMEM ? ret : -EFAULT;
			faulted = true;
			continue;
		}
		faulted = false;
		leaf.len = min(leaf.len, end - uaddr);
		ret = phyr_vec_append(vec, leaf.phys, leaf.len);
		if (ret)
			return ret;
		uaddr += leaf.len;
	}
	return 0;
}

int get_user_phyrs(unsigned long uaddr, size_t len, unsigned int flags,
		   struct phyr_vec *vec)
{
	unsigned int nr = vec->nr;
	size_t last_len = nr ? vec->phyr[nr - 1].len : 0;
	struct mm_struct *mm = current->mm;
	int ret;

	uaddr = untagged_addr(uaddr);
	if (flags & ~PHYR_WRITE || !len || uaddr + len < uaddr)
		return -EINVAL;
	if (!mm)
		return -EFAULT;
	mmap_read_lock(mm);
	ret = phyr_vec_walk(mm, uaddr, uaddr + len, flags & PHYR_WRITE, vec);
	mmap_read_unlock(mm);
	if (ret) {
		vec->nr = nr;
		if (nr)
			vec->phyr[nr - 1].len = last_len;
	}
	return ret;
}
EXPORT_SYMBOL_GPL(get_user_phyrs);
