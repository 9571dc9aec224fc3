/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Segments: a buffer as a device sees it, in ranges of DMA or bus addresses, and a
 * cursor over them. Memory is the caller's; nothing here allocates, sleeps or locks.
 */
#ifndef _KSHIM_CORE_SEG_H
#define _KSHIM_CORE_SEG_H

#include "port.h"

struct kshim_seg {
	u64 addr;
	u64 len;		/* bytes; addr + len - 1 does not wrap */
};

struct kshim_segs {
	struct kshim_seg *seg;	/* room for @max */
	unsigned int nr;
	unsigned int max;
};

/*
 * Add a range at the end; the last segment grows when @addr continues it. Segments
 * never join across the end of the address space. @len 0 adds nothing.
 *
 * 0, or -ENOSPC (and nothing added) when a new segment is needed and all are used.
 */
static inline int kshim_segs_append(struct kshim_segs *segs, u64 addr, u64 len)
{
	struct kshim_seg *last;

	if (!len)
		return 0;
	if (segs->nr) {
		last = &segs->seg[segs->nr - 1];
		if (addr == last->addr + last->len && addr) {
			last->len += len;
			return 0;
		}
	}
	if (segs->nr >= segs->max)
		return -ENOSPC;
	segs->seg[segs->nr].addr = addr;
	segs->seg[segs->nr].len = len;
	segs->nr++;
	return 0;
}

/*
 * A cursor. Between calls it stands on a byte (@off < @seg->len) or, with @nr 0, at
 * the end. Copying the struct saves the place.
 */
struct kshim_seg_iter {
	const struct kshim_seg *seg;
	unsigned int nr;	/* segments from @seg on */
	u64 off;		/* bytes into @seg */
};

/* Move on by @bytes, at most kshim_seg_iter_left(). */
static inline void kshim_seg_iter_advance(struct kshim_seg_iter *it, u64 bytes)
{
	it->off += bytes;
	while (it->nr && it->off >= it->seg->len) {
		it->off -= it->seg->len;
		it->seg++;
		it->nr--;
	}
}

static inline void kshim_seg_iter_init(struct kshim_seg_iter *it,
				       const struct kshim_segs *segs)
{
	it->seg = segs->seg;
	it->nr = segs->nr;
	it->off = 0;
	kshim_seg_iter_advance(it, 0);
}

/* The address under the cursor, which is not at the end. */
static inline u64 kshim_seg_iter_addr(const struct kshim_seg_iter *it)
{
	return it->seg->addr + it->off;
}

/* Bytes from the cursor to the end of its segment; 0 at the end. */
static inline u64 kshim_seg_iter_contig(const struct kshim_seg_iter *it)
{
	return it->nr ? it->seg->len - it->off : 0;
}

/* Bytes from the cursor to the end. Looks at every segment that is left. */
static inline u64 kshim_seg_iter_left(const struct kshim_seg_iter *it)
{
	u64 left = kshim_seg_iter_contig(it);
	unsigned int i;

	for (i = 1; i < it->nr; i++)
		left += it->seg[i].len;
	return left;
}

#endif /* _KSHIM_CORE_SEG_H */
