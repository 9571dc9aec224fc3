// SPDX-License-Identifier: GPL-2.0-only
/* 7.2: a request's end_io is told of the batch that it completes in. */
#include <linux/blk-mq.h>

enum rq_end_io_ret probe(struct request *rq, blk_status_t status,
			 const struct io_comp_batch *iob);
enum rq_end_io_ret probe(struct request *rq, blk_status_t status,
			 const struct io_comp_batch *iob)
{
	rq->end_io = probe;
	return RQ_END_IO_NONE;
}
