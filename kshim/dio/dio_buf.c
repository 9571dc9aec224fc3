// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buffer of a direct I/O: what of it is device memory, and where.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "dio/dio.h"

int kshim_dio_learn(struct phyr_vec *vec, const struct iov_iter *iter, bool write,
		    enum phyr_reason *ret_reason)
{
	struct iov_iter it = *iter;
	unsigned long uaddr;
	size_t len;
	int ret = 0;

	for (; !ret && iov_iter_count(&it); iov_iter_advance(&it, len)) {
		len = kshim_iter_range(&it, &uaddr);
		if (len)
			ret = kshim_get_user(uaddr, len, write, vec, ret_reason);
	}
	if (ret)
		put_user_phyrs(vec, false);
	return ret;
}

bool kshim_vec_has(const struct phyr_vec *vec, bool device)
{
	unsigned int i;

	for (i = 0; i < vec->nr_holds; i++)
		if (!vec->hold[i].gate != device)
			return true;
	return false;
}

void kshim_dio_put_many(struct kshim_dio *dio, bool dirty)
{
	struct dio_buf *buf, *older;

	for (buf = dio->buf; buf != &dio->first; buf = older) {
		older = buf->older;
		put_user_phyrs(&buf->vec, dirty);
		kfree(buf);
	}
	put_user_phyrs(&dio->first.vec, dirty);
}

/*
 * Where to look the rest up to. The older ones are kept until the commands are done: they
 * have their pages, and the gates that those which are sent again have to pass.
 */
static struct dio_buf *dio_new_buf(struct kshim_dio *dio)
{
	struct dio_buf *buf = kmalloc(sizeof(*buf), GFP_KERNEL);

	if (!buf)
		return NULL;
	phyr_vec_init(&buf->vec);
	buf->older = dio->buf;
	dio->buf = buf;
	return buf;
}

int kshim_dio_look_again(struct kshim_dio *dio, const struct iov_iter *iter, size_t done)
{
	struct dio_buf *buf = dio_new_buf(dio);
	enum phyr_reason reason = PHYR_REVOKED;
	struct iov_iter rest = *iter;
	int ret;

	if (!buf)
		return -ENOMEM;
	iov_iter_advance(&rest, done);
	if (fatal_signal_pending(current))
		ret = -EINTR;
	else if (rest.nofault)
		ret = -EFAULT;
	else
		ret = kshim_dio_learn(&buf->vec, &rest, !dio->write, &reason);
	phyr_iter_init(&dio->it, &buf->vec);
	if (!ret) {
		dio->pinned |= kshim_vec_has(&buf->vec, false);
		reason = kshim_iter_reach(&dio->it, &dio->io);
		if (reason == PHYR_DIRECT)
			return 0;
		ret = -EFAULT;
	}
	kshim_count(dio->io.stats, dio->write, reason, iov_iter_count(&rest));
	return ret;
}
