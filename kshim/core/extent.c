// SPDX-License-Identifier: GPL-2.0-only
#include "extent.h"

static bool extent_joins(const struct kshim_extent *a, const struct kshim_extent *b)
{
	return kshim_extent_end(a) == b->page && a->pfn + a->nr == b->pfn &&
	       a->slot == b->slot && a->readable == b->readable &&
	       a->writable == b->writable && a->keyed == b->keyed &&
	       a->nr + b->nr <= KSHIM_EXTENT_NR_MAX;
}

/* Append the part of an extent that lies in the pages [from, to). */
static u32 extents_add(struct kshim_extent *array, u32 nr, struct kshim_extent extent,
		       u64 from, u64 to)
{
	u64 end = kshim_min_u64(kshim_extent_end(&extent), to);

	if (from < extent.page)
		from = extent.page;
	if (from >= end)
		return nr;
	extent.pfn += from - extent.page;
	extent.page = from;
	extent.nr = end - from;
	if (nr && extent_joins(&array[nr - 1], &extent)) {
		array[nr - 1].nr += extent.nr;
		return nr;
	}
	array[nr] = extent;
	return nr + 1;
}

u32 kshim_extents_merge(const struct kshim_extent *old, u32 nr_old,
			const struct kshim_extent *extent, u32 nr,
			struct kshim_extent *ret_extent)
{
	u32 i = 0, n, nr_ret = 0;
	u64 at = 0, to;

	for (n = 0; n <= nr; n++) {
		to = n < nr ? extent[n].page : ~0ull;
		/* what is old between the last new one and this one */
		for (; i < nr_old && old[i].page < to; i++) {
			nr_ret = extents_add(ret_extent, nr_ret, old[i], at, to);
			if (kshim_extent_end(&old[i]) > to)
				break;
		}
		if (n == nr)
			break;
		nr_ret = extents_add(ret_extent, nr_ret, extent[n], 0, ~0ull);
		at = kshim_extent_end(&extent[n]);
	}
	return nr_ret;
}
