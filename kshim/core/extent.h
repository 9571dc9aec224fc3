/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Extents: runs of a mapping's pages that are runs of physical ones, each with all its
 * pages alike. In an array they are sorted and disjoint.
 */
#ifndef _KSHIM_CORE_EXTENT_H
#define _KSHIM_CORE_EXTENT_H

#include "port.h"

struct kshim_extent {
	u64 page : 36;		/* from the start of the mapping */
	u64 nr : 28;		/* not 0 */
	u64 pfn : 40;
	u64 slot : 4;		/* index of the region's provider */
	u64 readable : 1;	/* by the VMA and the page tables */
	u64 writable : 1;
	u64 keyed : 1;		/* and only by threads that a protection key lets */
};

#define KSHIM_EXTENT_NR_MAX	((1u << 28) - 1)

/* The page after its last one. */
static inline u64 kshim_extent_end(const struct kshim_extent *extent)
{
	return (u64)extent->page + extent->nr;
}

/* The one of @nr extents with a page, or NULL. */
static inline const struct kshim_extent *kshim_extents_find(const struct kshim_extent *extent,
							    u32 nr, u64 page)
{
	u32 lo = 0, hi = nr, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (page < extent[mid].page)
			hi = mid;
		else if (page - extent[mid].page >= extent[mid].nr)
			lo = mid + 1;
		else
			return &extent[mid];
	}
	return NULL;
}

/*
 * Old and new extents in one array, those that continue each other joined; where both
 * have a page the new one counts. Returns how many they are, @nr_old + 2 * @nr at most,
 * for which @ret_extent has room.
 */
u32 kshim_extents_merge(const struct kshim_extent *old, u32 nr_old,
			const struct kshim_extent *extent, u32 nr,
			struct kshim_extent *ret_extent);

#endif /* _KSHIM_CORE_EXTENT_H */
