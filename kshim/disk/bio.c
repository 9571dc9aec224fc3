// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transfers between block devices and memory of both kinds: pages take bios, device
 * memory takes commands of cmd.c. Below that, struct phyr_bio.
 *
 *	kshim_queue --+-- pages ---------- struct bio --- block layer --.
 *	              '-- device memory -- kshim_cmd ---- NVMe queue ---+-- phyr_io
 */
#include <linux/bio.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "disk/disk.h"

static void bio_pages_end_io(struct bio *bio)
{
	struct phyr_io *io = bio->bi_private;

	if (bio->bi_status)
		kshim_io_fail(io, blk_status_to_errno(bio->bi_status));
	bio_put(bio);
	kshim_io_put(io);
}

/* How many ranges of at most a bio's length there are in the next @len bytes. */
static unsigned int bio_pages_count(struct phyr_iter it, size_t len)
{
	unsigned int nr = 0;
	size_t n;

	for (; len && nr < BIO_MAX_VECS; len -= n, nr++) {
		n = min3(len, phyr_iter_contig(&it), (size_t)SZ_1M);
		phyr_iter_advance(&it, n);
	}
	return nr;
}

/* Bios for the front of the stretch, which has pages. The block layer cuts them. */
static int bio_pages_queue(struct phyr_io *io, const struct kshim_xfer *xfer, size_t len)
{
	sector_t sector = xfer->sector;
	struct bio *bio;
	size_t n;

	while (len) {
		bio = bio_alloc(xfer->bdev, bio_pages_count(*xfer->iter, len),
				(xfer->opf & ~REQ_POLLED) | REQ_SYNC | REQ_IDLE,
				GFP_KERNEL);
		bio->bi_iter.bi_sector = sector;
		bio->bi_private = io;
		bio->bi_end_io = bio_pages_end_io;
		while (len) {
			phys_addr_t addr = phyr_iter_addr(xfer->iter);

			n = min3(len, phyr_iter_contig(xfer->iter), (size_t)SZ_1M);
			if (!bio_add_page(bio, pfn_to_page(PHYS_PFN(addr)), n,
					  offset_in_page(addr)))
				break;
			phyr_iter_advance(xfer->iter, n);
			len -= n;
		}
		sector += bio_sectors(bio);
		atomic_inc(&io->refs);
		submit_bio(bio);
	}
	return 0;
}

static bool bio_holds_alike(const struct phyr_hold *a, const struct phyr_hold *b)
{
	return a->gate == b->gate && a->provider == b->provider;
}

/* Bytes from the cursor on, at most @len, that are kept alike: one hold's, or pages. */
static size_t bio_iter_alike(struct phyr_iter it, size_t len)
{
	const struct phyr_hold *first = phyr_iter_hold(&it);
	size_t n = phyr_iter_contig(&it), done = 0;

	if (likely(n >= len))
		return len;
	while (done < len && bio_holds_alike(first, phyr_iter_hold(&it))) {
		n = min(len - done, phyr_iter_contig(&it));
		done += n;
		phyr_iter_advance(&it, n);
	}
	return done;
}

bool kshim_iter_parts_aligned(struct phyr_iter it, struct block_device *bdev)
{
	unsigned int block = bdev_logical_block_size(bdev) - 1;
	const struct phyr_hold *hold;
	size_t pos = 0, n;
	phys_addr_t end;

	while (it.left) {
		if (phyr_iter_addr(&it) & bdev_dma_alignment(bdev))
			return false;
		n = phyr_iter_contig(&it);
		end = phyr_iter_addr(&it) + n;
		hold = phyr_iter_hold(&it);
		phyr_iter_advance(&it, n);
		pos += n;
		if (pos & block && it.left &&
		    ((end | phyr_iter_addr(&it)) & (KSHIM_PRP_BYTES - 1) ||
		     !bio_holds_alike(hold, phyr_iter_hold(&it))))
			return false;
	}
	return !(pos & block);
}

int kshim_queue_parts(struct phyr_io *io, const struct kshim_xfer *xfer)
{
	struct kshim_xfer part;
	int ret = 0;

	part = *xfer;
	while (!ret && part.len) {
		size_t n = bio_iter_alike(*part.iter, part.len);

		ret = phyr_iter_hold(part.iter)->gate ? kshim_cmds_queue(io, &part, n) :
							bio_pages_queue(io, &part, n);
		part.sector += n >> SECTOR_SHIFT;
		part.len -= n;
	}
	return ret;
}

enum phyr_reason kshim_iter_parts_reach(struct phyr_iter it, struct phyr_io *io)
{
	enum phyr_reason reason = PHYR_DIRECT;

	for (; it.left && reason == PHYR_DIRECT;
	     phyr_iter_advance(&it, bio_iter_alike(it, it.left)))
		if (phyr_iter_hold(&it)->gate)
			reason = kshim_io_reach(io, phyr_iter_hold(&it)->provider);
	return reason;
}

/* --------------------------------------------------------------- struct phyr_bio */

static void bio_done(struct phyr_io *io)
{
	struct phyr_bio *bio = container_of(io, struct phyr_bio, io);
	struct phyr_bio *parent = bio->parent;

	kshim_disk_exit(io->disk);
	switch (io->error) {
	case -ESTALE:
		bio->status = BLK_STS_TARGET;
		break;
	case -EHOSTUNREACH:
		bio->status = BLK_STS_NOTSUPP;
		break;
	case -EINVAL:
		bio->status = BLK_STS_INVAL;
		break;
	default:
		bio->status = errno_to_blk_status(io->error);
	}
	if (parent) {
		if (io->error)
			kshim_io_fail(&parent->io, io->error);
		kfree(bio);
		kshim_io_put(&parent->io);
	} else if (bio->end_io) {
		bio->end_io(bio);
	}
}

void phyr_bio_init(struct phyr_bio *bio, struct block_device *bdev, blk_opf_t opf,
		   sector_t sector)
{
	*bio = (struct phyr_bio){ .bdev = bdev, .opf = opf, .sector = sector };
	kshim_io_init(&bio->io, bio_done, &kshim_stats_rest);
}
EXPORT_SYMBOL_GPL(phyr_bio_init);

struct phyr_bio *phyr_bio_alloc(struct block_device *bdev, blk_opf_t opf, sector_t sector,
				gfp_t gfp)
{
	struct phyr_bio *bio = kmalloc(sizeof(*bio), gfp);

	if (bio)
		phyr_bio_init(bio, bdev, opf, sector);
	return bio;
}
EXPORT_SYMBOL_GPL(phyr_bio_alloc);

void phyr_bio_free(struct phyr_bio *bio)
{
	kfree(bio);
}
EXPORT_SYMBOL_GPL(phyr_bio_free);

static bool bio_iter_continues(const struct phyr_iter *it, const struct phyr_bio *bio)
{
	struct phyr_iter end = bio->iter;

	phyr_iter_advance(&end, end.left);
	return it->vec == end.vec && it->phyr == end.phyr && it->off == end.off;
}

int phyr_bio_add(struct phyr_bio *bio, struct phyr_iter *it, size_t bytes)
{
	if (bytes > it->left || (bio->iter.left && !bio_iter_continues(it, bio)))
		return -EINVAL;
	if (!bio->iter.left) {
		bio->iter = phyr_iter_split(it, bytes);
	} else {
		bio->iter.left += bytes;
		phyr_iter_advance(it, bytes);
	}
	return 0;
}
EXPORT_SYMBOL_GPL(phyr_bio_add);

void phyr_bio_chain(struct phyr_bio *bio, struct phyr_bio *parent)
{
	bio->parent = parent;
	atomic_inc(&parent->io.refs);
}
EXPORT_SYMBOL_GPL(phyr_bio_chain);

struct phyr_bio *phyr_bio_split(struct phyr_bio *bio, size_t bytes, gfp_t gfp)
{
	struct phyr_bio *front;

	if (!bytes || bytes & (SECTOR_SIZE - 1) || bytes >= bio->iter.left)
		return NULL;
	front = phyr_bio_alloc(bio->bdev, bio->opf, bio->sector, gfp);
	if (!front)
		return NULL;
	front->iter = phyr_iter_split(&bio->iter, bytes);
	bio->sector += bytes >> SECTOR_SHIFT;
	phyr_bio_chain(front, bio);
	return front;
}
EXPORT_SYMBOL_GPL(phyr_bio_split);

static bool bio_iter_has_device(struct phyr_iter it)
{
	for (; it.left; phyr_iter_advance(&it, bio_iter_alike(it, it.left)))
		if (phyr_iter_hold(&it)->gate)
			return true;
	return false;
}

/* All that can be refused before anything is sent. */
static int bio_check(const struct phyr_bio *bio)
{
	unsigned int block = bdev_logical_block_size(bio->bdev) - 1;
	enum req_op op = bio->opf & REQ_OP_MASK;
	u64 sector;

	if (op != REQ_OP_READ && op != REQ_OP_WRITE)
		return -EINVAL;
	if (!bio->iter.left || (bio->sector << SECTOR_SHIFT) & block ||
	    !kshim_iter_is_aligned(&bio->iter, bio->bdev))
		return -EINVAL;
	if (op_is_write(op) && bdev_read_only(bio->bdev))
		return -EPERM;
	return kshim_sector_range(0, bdev_nr_sectors(bio->bdev), bio->sector,
				  bio->iter.left, &sector);
}

static int bio_start(struct phyr_bio *bio)
{
	struct phyr_iter it = bio->iter;
	struct kshim_xfer xfer = {
		.bdev = bio->bdev, .sector = bio->sector, .iter = &it,
		.len = it.left, .opf = bio->opf,
	};
	enum phyr_reason reason;
	int ret = bio_check(bio);

	if (ret)
		return ret;
	if (bio_iter_has_device(it)) {
		bio->io.disk = kshim_disk_enter(bio->bdev, &reason);
		if (!bio->io.disk)
			return kshim_reach_error(reason);
		ret = kshim_reach_error(kshim_iter_reach(&it, &bio->io));
		if (ret)
			return ret;
	}
	return kshim_queue(&bio->io, &xfer);
}

void phyr_bio_submit(struct phyr_bio *bio)
{
	int ret;

	/* a queue that nobody polls would never complete it */
	bio->opf &= ~REQ_POLLED;
	ret = bio_start(bio);
	if (ret)
		kshim_io_fail(&bio->io, ret);
	kshim_io_put(&bio->io);
}
EXPORT_SYMBOL_GPL(phyr_bio_submit);

static void bio_wake(struct phyr_bio *bio)
{
	struct task_struct *waiter = bio->private;

	WRITE_ONCE(bio->private, NULL);
	blk_wake_io_task(waiter);
}

/* Look for completions on the poll queues: which of them has ours is not told. */
static void bio_look(struct phyr_bio *bio)
{
	struct request_queue *q = bdev_get_queue(bio->bdev);
	struct blk_mq_hw_ctx *hctx;
	unsigned long i;

	/* a controller's reset changes the queues, but waits for this */
	if (!percpu_ref_tryget(&q->q_usage_counter)) {
		cond_resched();
		return;
	}
	queue_for_each_hw_ctx(q, hctx, i)
		if (hctx->type == HCTX_TYPE_POLL)
			q->mq_ops->poll(hctx, NULL);
	percpu_ref_put(&q->q_usage_counter);
	cond_resched();
}

int phyr_bio_submit_wait(struct phyr_bio *bio)
{
	struct request_queue *q = bdev_get_queue(bio->bdev);
	bool poll;
	int ret;

	/* what waits in the caller's plug would not come by polling */
	poll = bio->opf & REQ_POLLED && !current->plug && queue_is_mq(q) && q->tag_set &&
	       q->tag_set->nr_maps > HCTX_TYPE_POLL &&
	       q->tag_set->map[HCTX_TYPE_POLL].nr_queues;
	if (!poll)
		bio->opf &= ~REQ_POLLED;
	bio->private = current;
	bio->end_io = bio_wake;
	ret = bio_start(bio);
	if (ret)
		kshim_io_fail(&bio->io, ret);
	kshim_io_put(&bio->io);
	while (poll && READ_ONCE(bio->private))
		bio_look(bio);
	for (;;) {
		/* the disk may take long without being a hang */
		set_current_state(TASK_IDLE);
		if (!READ_ONCE(bio->private))
			break;
		io_schedule();
	}
	__set_current_state(TASK_RUNNING);
	bio->end_io = NULL;
	return blk_status_to_errno(bio->status);
}
EXPORT_SYMBOL_GPL(phyr_bio_submit_wait);
