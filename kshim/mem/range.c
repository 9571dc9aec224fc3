// SPDX-License-Identifier: GPL-2.0-only
/*
 * User memory as phyrs: pages are pinned, device memory comes from its region.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>

#include "mem/mem.h"

#define PIN_BATCH	64

/* Pin what has pages from @uaddr on: bytes done, or an error when that is none. */
static ssize_t range_pin(unsigned long uaddr, size_t len, bool write, struct phyr_vec *vec)
{
	struct phyr_hold hold = { .kind = PHYR_HOLD_PINNED };
	struct page *pages[PIN_BATCH];
	unsigned long off = offset_in_page(uaddr);
	size_t done = 0, n;
	int nr, i, ret = 0;

	len = min(len, PIN_BATCH * PAGE_SIZE - off);
	nr = pin_user_pages_fast(uaddr - off, DIV_ROUND_UP(off + len, PAGE_SIZE),
				 write ? FOLL_WRITE : 0, pages);
	if (nr <= 0)
		return nr ?: -EFAULT;
	for (i = 0; i < nr; i++, off = 0, done += n) {
		n = min(len - done, PAGE_SIZE - off);
		ret = kshim_vec_add(vec, hold, page_to_phys(pages[i]) + off, n);
		if (ret)
			break;
	}
	/* those in the vector are the vector's */
	unpin_user_pages(pages + i, nr - i);
	return ret ?: done;
}

/* Append what is one region's of a range, which is cut to that and to what can be learned
 * at once. */
static int range_look(struct kshim_region *region, unsigned long uaddr, size_t *len,
		      bool write, struct phyr_vec *vec, enum phyr_reason *ret_reason)
{
	struct kshim_vec_mark mark = kshim_vec_mark(vec);
	int ret;

	*len = min(*len, region->end - uaddr);
	ret = kshim_region_look(region, uaddr, *len, write, vec);
	if (ret == -ENOENT) {
		kshim_vec_rewind(vec, &mark);
		/* a window at a time: more may not be remembered at once */
		*len = min(*len, KSHIM_WINDOW_BYTES - uaddr % KSHIM_WINDOW_BYTES);
		ret = kshim_region_fill(region, uaddr, *len, write, ret_reason);
		if (!ret)
			ret = kshim_region_look(region, uaddr, *len, write, vec);
	}
	if (ret)
		kshim_vec_rewind(vec, &mark);
	if (ret != -EACCES)
		return ret;
	*ret_reason = PHYR_PERMISSION;
	return -EFAULT;
}

/*
 * The part of a range that is one region's: bytes done, or an error. @region is the one
 * if it is known, with a reference that is taken over.
 */
static ssize_t range_region(struct kshim_region *region, unsigned long uaddr, size_t len,
			    bool write, struct phyr_vec *vec,
			    enum phyr_reason *ret_reason)
{
	int ret;

	for (;; region = NULL) {
		if (!region)
			region = kshim_region_get(uaddr);
		ret = PTR_ERR_OR_ZERO(region);
		if (!ret) {
			ret = range_look(region, uaddr, &len, write, vec, ret_reason);
			kshim_region_put(region);
		}
		if (!ret)
			return len;
		if (ret != -ESTALE && ret != -ENOENT)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
}

int kshim_get_user(unsigned long uaddr, size_t len, bool write, struct phyr_vec *vec,
		   enum phyr_reason *ret_reason)
{
	struct kshim_vec_mark mark = kshim_vec_mark(vec);
	struct kshim_region *region;
	ssize_t done;

	for (; len; uaddr += done, len -= done) {
		region = kshim_region_find(uaddr);
		done = -ENXIO;
		if (region)
			done = range_region(region, uaddr, len, write, vec, ret_reason);
		/* no region's, or not any more */
		if (done == -ENXIO)
			done = range_pin(uaddr, len, write, vec);
		if (done == -EFAULT && !region)
			done = range_region(NULL, uaddr, len, write, vec, ret_reason);
		if (done < 0)
			goto rewind;
	}
	return 0;

rewind:
	kshim_vec_rewind(vec, &mark);
	/* pages that cannot be pinned are the caller's mistake */
	return done == -ENXIO ? -EFAULT : done;
}

int get_user_phyrs(unsigned long uaddr, size_t len, unsigned int flags,
		   struct phyr_vec *vec)
{
	enum phyr_reason reason;

	uaddr = untagged_addr(uaddr);
	if (flags & ~PHYR_WRITE || !len || uaddr + (len - 1) < uaddr)
		return -EINVAL;
	if (!current->mm || !access_ok((void __user *)uaddr, len))
		return -EFAULT;
	return kshim_get_user(uaddr, len, flags & PHYR_WRITE, vec, &reason);
}
EXPORT_SYMBOL_GPL(get_user_phyrs);
