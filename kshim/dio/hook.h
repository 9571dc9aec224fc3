/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between phyr_dio.ko and phyr.ko: nothing that another module should call.
 */
#ifndef _KSHIM_HOOK_H
#define _KSHIM_HOOK_H

#include <linux/fs.h>
#include <linux/iomap.h>

#include "kshim.h"

/* The hook has taken effect, or begins to lose it. */
void kshim_hook_set(bool on);

/*
 * In place of iomap_dio_rw(), for files with FMODE_BACKING. Files outside of the
 * registered mounts and buffers of host memory go the original way.
 */
ssize_t kshim_hook_dio_rw(struct kiocb *iocb, struct iov_iter *iter,
			  const struct iomap_ops *ops, const struct iomap_dio_ops *dops,
			  unsigned int dio_flags, void *private, size_t done_before);

/*
 * In place of 7.3's __iomap_dio_read_simple(), the short way of ext4 and xfs for reads
 * of up to one block, which stays that of host memory. -ENOTBLK: the caller is to go the
 * general way, which is iomap_dio_rw().
 */
ssize_t kshim_hook_read_simple(struct kiocb *iocb, struct iov_iter *iter,
			       struct iomap_iter *iomi);

#endif /* _KSHIM_HOOK_H */
