// SPDX-License-Identifier: GPL-2.0-only
/* 7.2: the iterator carries its progress itself, and ->iomap_next exists. */
#include <linux/iomap.h>

int probe(struct iomap_iter *iter, const struct iomap_ops *ops);
int probe(struct iomap_iter *iter, const struct iomap_ops *ops)
{
	iter->status = 0;
	iter->iter_start_pos = iter->pos;
	return ops->iomap_next(iter, &iter->iomap, &iter->srcmap);
}
