// SPDX-License-Identifier: GPL-2.0-only
/* 6.18: a bio is cut to whole blocks after it was filled, by masks for both. */
#include <linux/bio.h>

int probe(struct bio *bio, struct iov_iter *iter);
int probe(struct bio *bio, struct iov_iter *iter)
{
	return bio_iov_iter_get_pages(bio, iter, 3, 511);
}
