/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Iteration over a file's mappings: what the kernel's iomap_iter() does, which is
 * not exported. Ask for a mapping, work on it, say how far that went, ask again. Inline,
 * for the one loop that there is.
 */
#ifndef _KSHIM_ITER_H
#define _KSHIM_ITER_H

#include <linux/iomap.h>

#ifdef KSHIM_HAVE_IOMAP_NEXT

/* 1: iter->iomap is the next mapping; 0: the end; or an error. */
static inline int kshim_iomap_next(struct iomap_iter *iter, const struct iomap_ops *ops)
{
	int ret;

	if (ops->iomap_next)
		ret = ops->iomap_next(iter, &iter->iomap, &iter->srcmap);
	else
		ret = iomap_iter_next(iter, &iter->iomap, &iter->srcmap,
				      ops->iomap_begin, ops->iomap_end);
	iter->status = 0;
	if (ret > 0)
		iter->iter_start_pos = iter->pos;
	return ret;
}

/* Bytes of the mapping that are done, or an error. */
static inline void kshim_iomap_done(struct iomap_iter *iter, ssize_t done)
{
	if (done < 0) {
		iter->status = done;
		return;
	}
	iter->pos += done;
	iter->len -= done;
}

#else /* until 7.2: progress is in iter->processed and moved on at the next call */

/* 1: iter->iomap is the next mapping; 0: the end; or an error. */
static inline int kshim_iomap_next(struct iomap_iter *iter, const struct iomap_ops *ops)
{
	ssize_t done = iter->processed;
	bool stale = iter->iomap.flags & IOMAP_F_STALE;
	int ret;

	if (iter->iomap.length) {
		if (ops->iomap_end) {
			ret = ops->iomap_end(iter->inode, iter->pos, iomap_length(iter),
					     max_t(ssize_t, done, 0), iter->flags,
					     &iter->iomap);
			if (ret < 0 && !done)
				return ret;
		}
		if (done < 0)
			return done;
		if (!done && !stale)
			return 0;
		iter->pos += done;
		iter->len -= done;
		if (!iter->len)
			return 0;
		memset(&iter->iomap, 0, sizeof(iter->iomap));
		memset(&iter->srcmap, 0, sizeof(iter->srcmap));
	}
	iter->processed = 0;
	ret = ops->iomap_begin(iter->inode, iter->pos, iter->len, iter->flags,
			       &iter->iomap, &iter->srcmap);
	return ret < 0 ? ret : 1;
}

/* Bytes of the mapping that are done, or an error. */
static inline void kshim_iomap_done(struct iomap_iter *iter, ssize_t done)
{
	iter->processed = done;
}

#endif

#endif /* _KSHIM_ITER_H */
