/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Spans of addresses: whether they are possible, hold each other, overlap, where they
 * are on the bus, and which one of many an address is in. Nothing here wraps unseen.
 */
#ifndef _KSHIM_CORE_SPAN_H
#define _KSHIM_CORE_SPAN_H

#include "port.h"

/* [@start, @start + @len): may end at the very end of the addresses. */
struct kshim_span {
	u64 start;
	u64 len;
	void *owner;	/* the caller's */
};

/* Is it not empty, and does it not pass the end of the addresses? */
static inline bool kshim_span_valid(u64 start, u64 len)
{
	return len && start + (len - 1) >= start;
}

/* Does [start, start + len) hold all of the @n bytes at @addr, n > 0? */
static inline bool kshim_span_holds(u64 start, u64 len, u64 addr, u64 n)
{
	u64 off = addr - start;

	return n && addr >= start && off < len && n <= len - off;
}

/* Have two valid spans a byte in common? */
static inline bool kshim_span_overlaps(u64 a, u64 a_len, u64 b, u64 b_len)
{
	return a <= b + (b_len - 1) && b <= a + (a_len - 1);
}

/*
 * Where a valid span is for a device whose addresses are @offset higher, modulo 2^64,
 * and end at @mask. -ERANGE when the device cannot say all of them.
 */
static inline int kshim_span_shift(u64 start, u64 len, u64 offset, u64 mask,
				   u64 *ret_start)
{
	u64 to = start + offset;

	if (!kshim_span_valid(to, len) || to + (len - 1) > mask)
		return -ERANGE;
	*ret_start = to;
	return 0;
}

/* The one of @nr disjoint spans, sorted by start, that holds all of a range; or NULL. */
static inline const struct kshim_span *kshim_spans_find(const struct kshim_span *span,
							u32 nr, u64 addr, u64 n)
{
	u32 lo = 0, hi = nr, mid;

	/* below lo all start at or before addr, from hi on behind it */
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (addr < span[mid].start)
			hi = mid;
		else
			lo = mid + 1;
	}
	if (!lo || !kshim_span_holds(span[lo - 1].start, span[lo - 1].len, addr, n))
		return NULL;
	return &span[lo - 1];
}

#endif /* _KSHIM_CORE_SPAN_H */
