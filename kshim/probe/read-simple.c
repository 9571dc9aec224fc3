// SPDX-License-Identifier: GPL-2.0-only
/* 7.3: ext4 and xfs read up to one block without iomap_dio_rw(). */
#include <linux/iomap.h>

ssize_t probe(struct kiocb *iocb, struct iov_iter *iter, struct iomap_iter *iomi);
ssize_t probe(struct kiocb *iocb, struct iov_iter *iter, struct iomap_iter *iomi)
{
	return __iomap_dio_read_simple(iocb, iter, iomi);
}
