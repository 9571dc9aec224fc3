// SPDX-License-Identifier: GPL-2.0-only
/* Compiles on every supported kernel, or the other probes mean nothing. */
#include <linux/blk-mq.h>
#include <linux/iomap.h>
#include <linux/mm.h>

int probe(struct iomap_iter *iter, struct request *rq);
int probe(struct iomap_iter *iter, struct request *rq)
{
	return iter->len && rq->end_io;
}
