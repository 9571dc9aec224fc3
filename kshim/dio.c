// SPDX-License-Identifier: GPL-2.0-only
/*
 * Direct I/O: a filesystem's call of iomap_dio_rw() whose buffer is device memory.
 *
 * The order of things, and what each undoes, is that of the kernel's own
 * fs/iomap/direct-io.c, because filesystems rely on it: page cache first, then the
 * mappings, each with its commands, then end_io, invalidation, and i_dio_count.
 *
 * Learning: nothing is known of a buffer when it comes for the first time, and to look
 * it up would cost every I/O to host memory. So the first time takes the kernel's
 * own way, which refuses page-less memory with -EFAULT before it has read or written
 * anything there; then the buffer is looked at, and from then on it is known.
 *
 * Two references of an asynchronous dio: the submitter's and that of its commands,
 * together in io.refs. Whoever drops the last completes it.
 */
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/task_io_accounting_ops.h>
#include <asm/ibt.h>
#include <asm/text-patching.h>

#include "kshim.h"
#include "hook.h"

/* From here on commands are collected and sent together. */
#define DIO_PLUG_BYTES	(128UL << 10)

/* The buffer, or what was left of it when it had to be looked up again. */
struct dio_buf {
	struct phyr_vec vec;
	struct dio_buf *older;		/* its commands may still be under way */
};

/* The parameters of iomap_dio_rw(). */
struct dio_args {
	struct kiocb *iocb;
	struct iov_iter *iter;
	const struct iomap_ops *ops;
	const struct iomap_dio_ops *dops;
	unsigned int dio_flags;
	void *private;
	size_t done_before;
};

struct kshim_dio {
	struct phyr_io io;
	struct kiocb *iocb;
	const struct iomap_dio_ops *dops;
	struct kshim_mount *mount;	/* NULL: called without one */
	struct dio_buf *buf;		/* the newest */
	struct phyr_iter it;		/* in it */
	loff_t i_size;			/* when it began */
	size_t size;			/* bytes so far */
	size_t done_before;
	int stop;			/* why no more can be queued */
	unsigned int end_flags;		/* IOMAP_DIO_UNWRITTEN, IOMAP_DIO_COW */
	bool write;
	bool need_sync;
	bool write_through;		/* every command so far was FUA */
	bool wait;			/* set before the submitter's reference goes */
	bool pinned;			/* some of the buffer has pages */
	bool aligned;			/* whatever part of it is whole blocks may be read */
	bool on_stack;			/* of the submitter, who waits */
	struct task_struct *waiter;	/* NULL when the commands are done */
	struct work_struct work;	/* of those who do not wait */
	struct dio_buf first;
};

static struct kmem_cache *dio_cache;
static struct workqueue_struct *dio_wq;

/* ---------------------------------------------------------------- the buffer */

/* The next range of an iterator over user memory. */
static size_t iter_range(const struct iov_iter *iter, unsigned long *ret_uaddr)
{
	if (iter_is_ubuf(iter)) {
		*ret_uaddr = untagged_addr((unsigned long)iter->ubuf + iter->iov_offset);
		return iter->count;
	}
	*ret_uaddr = untagged_addr((unsigned long)iter_iov_addr(iter));
	return min(iter_iov_len(iter), iter->count);
}

/* Is some of the buffer device memory that is known? */
static bool iter_is_known(const struct iov_iter *iter)
{
	struct iov_iter it = *iter;
	struct kshim_region *region;
	unsigned long uaddr;
	size_t len;

	for (; iov_iter_count(&it); iov_iter_advance(&it, len)) {
		len = iter_range(&it, &uaddr);
		region = kshim_region_find(uaddr);
		if (!region)
			continue;
		kshim_region_put(region);
		return true;
	}
	return false;
}

/*
 * All of the buffer, or an error and an empty vector. Zero-length ranges are passed
 * over.
 */
static int vec_learn(struct phyr_vec *vec, const struct iov_iter *iter, bool write,
		     enum phyr_reason *ret_reason)
{
	struct iov_iter it = *iter;
	unsigned long uaddr;
	size_t len;
	int ret = 0;

	for (; !ret && iov_iter_count(&it); iov_iter_advance(&it, len)) {
		len = iter_range(&it, &uaddr);
		if (len)
			ret = kshim_get_user(uaddr, len, write, vec, ret_reason);
	}
	if (ret)
		put_user_phyrs(vec, false);
	return ret;
}

static bool vec_has(const struct phyr_vec *vec, bool device)
{
	unsigned int i;

	for (i = 0; i < vec->nr_holds; i++)
		if (!vec->hold[i].gate != device)
			return true;
	return false;
}

static void dio_put_bufs(struct kshim_dio *dio, bool dirty)
{
	struct dio_buf *buf, *older;

	for (buf = dio->buf; buf != &dio->first; buf = older) {
		older = buf->older;
		put_user_phyrs(&buf->vec, dirty);
		kfree(buf);
	}
	put_user_phyrs(&dio->first.vec, dirty);
}

/* Where to look the rest up to: what has pages is kept until the commands are done. */
static struct dio_buf *dio_new_buf(struct kshim_dio *dio)
{
	struct dio_buf *buf;

	if (!dio->pinned) {
		put_user_phyrs(&dio->buf->vec, false);
		return dio->buf;
	}
	buf = kmalloc(sizeof(*buf), GFP_KERNEL);
	if (!buf)
		return NULL;
	phyr_vec_init(&buf->vec);
	buf->older = dio->buf;
	dio->buf = buf;
	return buf;
}

/*
 * The mapping changed while the I/O was under way, perhaps only in a part that this
 * buffer does not lie in: look the rest up again. @iter stands where @dio->it stood
 * @done bytes ago.
 */
static int dio_look_again(struct kshim_dio *dio, const struct iov_iter *iter, size_t done)
{
	struct dio_buf *buf = dio_new_buf(dio);
	enum phyr_reason reason = PHYR_REVOKED;
	struct iov_iter rest = *iter;
	int ret;

	if (!buf)
		return -ENOMEM;
	iov_iter_advance(&rest, done);
	ret = fatal_signal_pending(current) ? -EINTR :
	      vec_learn(&buf->vec, &rest, !dio->write, &reason);
	phyr_iter_init(&dio->it, &buf->vec);
	if (!ret) {
		dio->pinned |= vec_has(&buf->vec, false);
		reason = kshim_iter_reach(&dio->it, &dio->io);
		if (reason == PHYR_DIRECT)
			return 0;
		ret = -EFAULT;
	}
	kshim_count(dio->io.stats, dio->write, reason, iov_iter_count(&rest));
	return ret;
}

/* --------------------------------------------------------------- completion */

static struct kshim_stats *mount_stats(struct kshim_mount *mount)
{
	return mount ? &mount->stats : &kshim_stats_rest;
}

/* Before its commands, or after: @dirty when they wrote to memory. */
static void dio_free(struct kshim_dio *dio, bool dirty)
{
	dio_put_bufs(dio, dirty);
	kshim_disk_exit(dio->io.disk);
	kshim_mount_put(dio->mount);
	if (!dio->on_stack)
		kmem_cache_free(dio_cache, dio);
}

/* Pages that came into the cache during the write hold old data: throw them out, after
 * end_io has made the new blocks visible. */
static void dio_invalidate(struct kiocb *iocb, size_t size)
{
	struct address_space *mapping = iocb->ki_filp->f_mapping;
	loff_t pos = iocb->ki_pos;

	if (!mapping->nrpages ||
	    !invalidate_inode_pages2_range(mapping, pos >> PAGE_SHIFT,
					   (pos + size - 1) >> PAGE_SHIFT))
		return;
	errseq_set(&iocb->ki_filp->f_mapping->wb_err, -EIO);
	pr_warn_ratelimited("phyr: %pD: direct write collides with buffered I/O\n",
			    iocb->ki_filp);
}

/* Everything after the last command. Frees the dio. Reads may be in an interrupt. */
static ssize_t dio_complete(struct kshim_dio *dio)
{
	struct kiocb *iocb = dio->iocb;
	ssize_t ret = dio->io.error;

	if (dio->dops && dio->dops->end_io)
		ret = dio->dops->end_io(iocb, dio->size, ret, dio->end_flags);
	if (!ret) {
		ret = dio->size;
		if (!dio->write && iocb->ki_pos + ret > dio->i_size)
			ret = dio->i_size - iocb->ki_pos;
	}
	if (dio->write && dio->size && !dio->io.error)
		dio_invalidate(iocb, dio->size);
	inode_dio_end(file_inode(iocb->ki_filp));
	if (ret > 0) {
		iocb->ki_pos += ret;
		if (dio->need_sync)
			ret = generic_write_sync(iocb, ret);
		if (ret > 0)
			ret += dio->done_before;
	}
	dio_free(dio, !dio->write);
	return ret;
}

static void dio_complete_async(struct kshim_dio *dio)
{
	struct kiocb *iocb = dio->iocb;

	iocb->ki_complete(iocb, dio_complete(dio));
	kshim_user_put();
}

static void dio_work(struct work_struct *work)
{
	dio_complete_async(container_of(work, struct kshim_dio, work));
}

/* The last reference is gone: any context. */
static void dio_done(struct phyr_io *io)
{
	struct kshim_dio *dio = container_of(io, struct kshim_dio, io);
	struct task_struct *waiter = dio->waiter;

	if (dio->wait) {
		WRITE_ONCE(dio->waiter, NULL);
		blk_wake_io_task(waiter);
	} else if (dio->write || dio->io.error || dio->dops || dio->pinned) {
		/* end_io, invalidation, syncing and unpinning sleep */
		queue_work(dio_wq, &dio->work);
	} else {
		dio_complete_async(dio);
	}
}

/* --------------------------------------------------------------- submission */

static void zero_end_io(struct bio *bio)
{
	struct phyr_io *io = bio->bi_private;

	if (bio->bi_status)
		kshim_io_fail(io, blk_status_to_errno(bio->bi_status));
	bio_put(bio);
	kshim_io_put(io);
}

/* Zeros from host memory to a part of a filesystem block that holds no data yet. */
static void dio_zero(struct kshim_dio *dio, const struct iomap *iomap, loff_t pos,
		     unsigned int len)
{
	struct bio *bio;
	unsigned int n;

	if (!len)
		return;
	bio = bio_alloc(iomap->bdev, DIV_ROUND_UP(len, PAGE_SIZE),
			REQ_OP_WRITE | REQ_SYNC | REQ_IDLE, GFP_KERNEL);
	bio->bi_iter.bi_sector = iomap_sector(iomap, pos);
	bio->bi_private = &dio->io;
	bio->bi_end_io = zero_end_io;
	for (; len; len -= n) {
		n = min_t(unsigned int, len, PAGE_SIZE);
		__bio_add_page(bio, ZERO_PAGE(0), n, 0);
	}
	atomic_inc(&dio->io.refs);
	submit_bio(bio);
}

/* Queue commands for @len bytes at @pos, for which @iter names the memory. */
static ssize_t dio_queue(struct kshim_dio *dio, const struct iomap *iomap, loff_t pos,
			 size_t len, bool fua, const struct iov_iter *iter)
{
	struct kshim_xfer xfer = {
		.bdev = iomap->bdev, .iter = &dio->it,
		.opf = dio->write ? REQ_OP_WRITE | (fua ? REQ_FUA : 0) : REQ_OP_READ,
	};
	size_t done = 0, left;
	int ret = dio->stop;

	while (!ret && done < len && !READ_ONCE(dio->io.error)) {
		xfer.sector = iomap_sector(iomap, pos + done);
		xfer.len = len - done;
		left = dio->it.left;
		ret = kshim_queue(&dio->io, &xfer);
		done += left - dio->it.left;
		if (ret == -ESTALE)
			ret = dio_look_again(dio, iter, done);
	}
	dio->stop = ret == -EREMOTEIO ? -EFAULT : ret;
	return done ?: dio->stop;
}

/* What vanilla refuses too: dio_allow() has seen to the rest. */
static int dio_check_aligned(const struct kshim_dio *dio, struct block_device *bdev,
			     loff_t pos, size_t len, const struct iov_iter *iter)
{
	struct iov_iter part;

	if ((pos | len) & (bdev_logical_block_size(bdev) - 1))
		return -EINVAL;
	if (likely(dio->aligned))
		return 0;
	part = *iter;
	iov_iter_truncate(&part, len);
	return kshim_user_is_aligned(bdev, pos, &part) ? 0 : -EINVAL;
}

/* What a mapping asks of a write's completion; is the write itself enough for O_DSYNC? */
static bool dio_write_fua(struct kshim_dio *dio, const struct iomap *iomap)
{
	bool pure = iomap->type == IOMAP_MAPPED &&
		    !(iomap->flags & (IOMAP_F_NEW | IOMAP_F_SHARED | IOMAP_F_DIRTY));

	if (iomap->type == IOMAP_UNWRITTEN)
		dio->end_flags |= IOMAP_DIO_UNWRITTEN;
	if (iomap->flags & IOMAP_F_SHARED)
		dio->end_flags |= IOMAP_DIO_COW;
	if (!dio->write_through)
		return false;
	if (pure && (bdev_fua(iomap->bdev) || !bdev_write_cache(iomap->bdev)))
		return bdev_fua(iomap->bdev);
	dio->write_through = false;
	return false;
}

/* A mapping with blocks on the disk. */
static ssize_t dio_blocks(struct kshim_dio *dio, const struct iomap_iter *iomi,
			  struct iov_iter *iter)
{
	const struct iomap *iomap = &iomi->iomap;
	unsigned int block = i_blocksize(iomi->inode);
	size_t len = iomap_length(iomi);
	bool zero = false, fua = false;
	loff_t end;
	ssize_t ret;

	if (iomap->bdev->bd_disk != dio->io.disk->gendisk ||
	    iomap->flags & (IOMAP_F_ANON_WRITE | IOMAP_F_ATOMIC_BIO | IOMAP_F_INTEGRITY)) {
		kshim_count(dio->io.stats, dio->write, PHYR_FILESYSTEM, len);
		return -EFAULT;
	}
	ret = dio_check_aligned(dio, iomap->bdev, iomi->pos, len, iter);
	if (ret)
		return ret;
	if (dio->write) {
		fua = dio_write_fua(dio, iomap);
		zero = iomap->type == IOMAP_UNWRITTEN || iomap->flags & IOMAP_F_NEW;
	}
	if (zero)
		dio_zero(dio, iomap, round_down(iomi->pos, block),
			 iomi->pos & (block - 1));

	ret = dio_queue(dio, iomap, iomi->pos, len, fua, iter);

	/* also after a failure, so that the block's end never shows old data */
	end = iomi->pos + max_t(ssize_t, ret, 0);
	if (dio->write && end & (block - 1) && (zero || end >= i_size_read(iomi->inode)))
		dio_zero(dio, iomap, end, block - (end & (block - 1)));
	if (ret <= 0)
		return ret;
	if (dio->write)
		task_io_account_write(ret);
	else
		task_io_account_read(ret);
	iov_iter_advance(iter, ret);
	dio->size += ret;
	return ret;
}

/* A mapping without: the CPU stores zeros, through the user's page tables. */
static ssize_t dio_hole(struct kshim_dio *dio, const struct iomap_iter *iomi,
			struct iov_iter *iter)
{
	size_t done = iov_iter_zero(iomap_length(iomi), iter);

	if (!done)
		return -EFAULT;
	this_cpu_inc(dio->io.stats->cpu->zeroed_calls);
	this_cpu_add(dio->io.stats->cpu->zeroed_bytes, done);
	phyr_iter_advance(&dio->it, done);
	dio->size += done;
	return done;
}

static ssize_t dio_mapping(struct kshim_dio *dio, const struct iomap_iter *iomi,
			   struct iov_iter *iter)
{
	switch (iomi->iomap.type) {
	case IOMAP_MAPPED:
		return dio_blocks(dio, iomi, iter);
	case IOMAP_UNWRITTEN:
		if (dio->write)
			return dio_blocks(dio, iomi, iter);
		fallthrough;
	case IOMAP_HOLE:
		return dio->write ? -EIO : dio_hole(dio, iomi, iter);
	case IOMAP_INLINE:
		kshim_count(dio->io.stats, dio->write, PHYR_FILESYSTEM,
			    iomap_length(iomi));
		return -EFAULT;
	default:
		/* delayed allocation: a page was dirtied meanwhile */
		return -EIO;
	}
}

/*
 * Pages that hold newer data than the disk, before a read. Cached ones that do not are
 * common, and need no search.
 */
static int dio_write_back(struct kiocb *iocb, size_t len)
{
	struct address_space *mapping = iocb->ki_filp->f_mapping;

	if (!(iocb->ki_flags & IOCB_NOWAIT) &&
	    !mapping_tagged(mapping, PAGECACHE_TAG_DIRTY) &&
	    !mapping_tagged(mapping, PAGECACHE_TAG_WRITEBACK))
		return filemap_check_errors(mapping);
	return kiocb_write_and_wait(iocb, len);
}

/* The page cache before the I/O. -ENOTBLK sends a write to buffered I/O. */
static int dio_begin(struct kshim_dio *dio, const struct dio_args *args,
		     struct iomap_iter *iomi)
{
	struct kiocb *iocb = args->iocb;
	int ret;

	if (iocb->ki_flags & IOCB_NOWAIT)
		iomi->flags |= IOMAP_NOWAIT;
	if (!dio->write)
		return dio_write_back(iocb, iomi->len);

	iomi->flags |= IOMAP_WRITE;
	if (args->dio_flags & IOMAP_DIO_OVERWRITE_ONLY) {
		if (iomi->pos >= dio->i_size || iomi->pos + iomi->len > dio->i_size)
			return -EAGAIN;
		iomi->flags |= IOMAP_OVERWRITE_ONLY;
	}
	if (iocb_is_dsync(iocb)) {
		dio->need_sync = true;
		dio->write_through = !(iocb->ki_flags & IOCB_SYNC);
	}
	ret = kiocb_invalidate_pages(iocb, iomi->len);
	if (!ret || ret == -EAGAIN)
		return ret;
	kshim_count(dio->io.stats, WRITE, PHYR_PAGE_CACHE, iomi->len);
	return -ENOTBLK;
}

static void dio_wait(struct kshim_dio *dio)
{
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		if (!READ_ONCE(dio->waiter))
			break;
		io_schedule();
	}
	__set_current_state(TASK_RUNNING);
}

/* Everything is queued, or io.error says why not. */
static ssize_t dio_leave(struct kshim_dio *dio, bool wait)
{
	if (dio->write_through)
		dio->need_sync = false;
	this_cpu_inc(dio->io.stats->cpu->calls[dio->write][PHYR_DIRECT]);

	/*
	 * With the submitter's reference goes the right to touch an asynchronous dio:
	 * its completion may have freed it. Before that, the module gets a user for it,
	 * whom the completion takes away.
	 */
	dio->wait = wait;
	if (!wait)
		kshim_user_get();
	if (atomic_dec_and_test(&dio->io.refs)) {
		if (!wait)
			kshim_user_put();
		return dio_complete(dio);
	}
	if (!wait)
		return -EIOCBQUEUED;
	dio_wait(dio);
	return dio_complete(dio);
}

static ssize_t dio_submit(struct kshim_dio *dio, const struct dio_args *args)
{
	struct iomap_iter iomi = {
		.inode = file_inode(args->iocb->ki_filp),
		.pos = args->iocb->ki_pos,
		.len = iov_iter_count(args->iter),
		.flags = IOMAP_DIRECT,
		.private = args->private,
	};
	struct blk_plug plug __uninitialized;
	bool plugged;
	bool wait = is_sync_kiocb(args->iocb) || args->dio_flags & IOMAP_DIO_FORCE_WAIT;
	ssize_t ret;

	ret = dio_begin(dio, args, &iomi);
	if (ret) {
		dio_free(dio, false);
		return ret;
	}
	/* no bio for the caller to poll for */
	args->iocb->ki_flags &= ~IOCB_HIPRI;
	inode_dio_begin(iomi.inode);

	/* for a single command it costs more than it brings */
	plugged = iomi.len > DIO_PLUG_BYTES;
	if (plugged)
		blk_start_plug(&plug);
	while ((ret = kshim_iomap_next(&iomi, args->ops)) > 0)
		kshim_iomap_done(&iomi, dio_mapping(dio, &iomi, args->iter));
	if (plugged)
		blk_finish_plug(&plug);

	if (!dio->write && iomi.pos >= dio->i_size)
		iov_iter_revert(args->iter, iomi.pos - dio->i_size);
	if (ret == -EFAULT && dio->size && args->dio_flags & IOMAP_DIO_PARTIAL) {
		if (!(args->iocb->ki_flags & IOCB_NOWAIT))
			wait = true;
		ret = 0;
	}
	if (ret == -ENOTBLK) {
		wait = true;
		ret = 0;
	}
	if (ret < 0)
		kshim_io_fail(&dio->io, ret);
	return dio_leave(dio, wait);
}

#ifdef KSHIM_HAVE_READ_SIMPLE
/* The same for one mapping, which the caller has made, after what else comes first. */
static ssize_t dio_submit_simple(struct kshim_dio *dio, const struct dio_args *args,
				 const struct iomap_iter *iomi)
{
	ssize_t ret;

	args->iocb->ki_flags &= ~IOCB_HIPRI;
	ret = dio_blocks(dio, iomi, args->iter);
	if (ret > 0)
		ret = dio->stop;
	if (ret < 0)
		kshim_io_fail(&dio->io, ret);
	return dio_leave(dio, is_sync_kiocb(args->iocb));
}
#endif

/* ----------------------------------------------------------------- decision */

static ssize_t dio_original(const struct dio_args *args)
{
	struct iomap_dio *dio;

	dio = __iomap_dio_rw(args->iocb, args->iter, args->ops, args->dops,
			     args->dio_flags, args->private, args->done_before);
	return IS_ERR_OR_NULL(dio) ? PTR_ERR_OR_ZERO(dio) : iomap_dio_complete(dio);
}

/*
 * Did the original way end because of the buffer? Before 7.3 it forgets the -EFAULT of
 * a write that had to zero the rest of a block, and gives 0.
 */
static bool dio_may_be_refused(const struct dio_args *args, size_t count, ssize_t ret)
{
	return ret == -EFAULT || (!ret && count && iov_iter_rw(args->iter) == WRITE);
}

/* What the filesystem wants done to its bios cannot be done without bios. */
static bool dio_plain(const struct dio_args *args)
{
	const struct iomap_dio_ops *dops = args->dops;

	if (dops && (dops->submit_io || dops->bio_set))
		return false;
	return !(args->iocb->ki_flags & IOCB_ATOMIC) &&
	       !(args->dio_flags & (IOMAP_DIO_BOUNCE | IOMAP_DIO_FSBLOCK_ALIGNED)) &&
	       !IS_ENCRYPTED(file_inode(args->iocb->ki_filp));
}

/*
 * Everything that can be refused is refused here, before the filesystem has changed
 * anything. On success the dio's disk is entered.
 */
static enum phyr_reason dio_allow(struct kshim_dio *dio, const struct dio_args *args)
{
	struct block_device *bdev = file_inode(args->iocb->ki_filp)->i_sb->s_bdev;
	enum phyr_reason reason;

	if (dio->mount && dio->mount->policy == PHYR_POLICY_OFF)
		return PHYR_POLICY;
	if (!dio_plain(args))
		return PHYR_FILESYSTEM;
	if (!bdev)
		return PHYR_NOT_NVME;
	dio->io.disk = kshim_disk_enter(bdev, &reason);
	if (!dio->io.disk)
		return reason;
	reason = kshim_iter_reach(&dio->it, &dio->io);
	dio->aligned = kshim_iter_is_aligned(&dio->it, bdev);
	/* what vanilla accepts may still be more than a PRP can say */
	if (reason == PHYR_DIRECT && !dio->aligned &&
	    kshim_user_is_aligned(bdev, args->iocb->ki_pos, args->iter))
		reason = PHYR_ALIGNMENT;
	/* vanilla looks at each range of a vector, also where two follow each other */
	dio->aligned &= iter_is_ubuf(args->iter);
	if (reason != PHYR_DIRECT) {
		kshim_disk_exit(dio->io.disk);
		dio->io.disk = NULL;
	}
	return reason;
}

static void dio_init(struct kshim_dio *dio, const struct dio_args *args,
		     struct kshim_mount *mount)
{
	kshim_io_init(&dio->io, dio_done, mount_stats(mount));
	dio->iocb = args->iocb;
	dio->dops = args->dops;
	dio->mount = mount;
	dio->i_size = i_size_read(file_inode(args->iocb->ki_filp));
	dio->size = 0;
	dio->done_before = args->done_before;
	dio->stop = 0;
	dio->end_flags = 0;
	dio->write = iov_iter_rw(args->iter) == WRITE;
	dio->need_sync = false;
	dio->write_through = false;
	dio->wait = false;
	dio->pinned = false;
	dio->waiter = current;
	phyr_vec_init(&dio->first.vec);
	dio->buf = &dio->first;
}

/* The original way was not taken, or has refused the buffer: look at it. */
static int dio_learn(struct kshim_dio *dio, const struct dio_args *args)
{
	enum phyr_reason reason = PHYR_DIRECT;
	int ret = vec_learn(&dio->first.vec, args->iter, !dio->write, &reason);

	/* neither a host buffer with a bad address nor a hole in the file is of note */
	if (ret && reason != PHYR_DIRECT)
		kshim_count(dio->io.stats, dio->write, reason, iov_iter_count(args->iter));
	/* pages that the original way refused are not for this one to take */
	if (!ret && !vec_has(&dio->first.vec, true))
		return -EFAULT;
	return ret;
}

/*
 * One I/O in scope. @tried: the original way has been, and refused the buffer. Mixed
 * buffers are looked at first: the original way would have moved a part of them.
 */
static ssize_t dio_run(struct kshim_dio *dio, const struct dio_args *args, bool tried)
{
	size_t count = iov_iter_count(args->iter);
	enum phyr_reason reason;
	unsigned long uaddr;
	ssize_t ret = 0;

	if (tried || iter_range(args->iter, &uaddr) != count ||
	    !kshim_region_known(uaddr, count, !dio->write, &dio->first.vec)) {
		if (!tried && !iter_is_known(args->iter)) {
			ret = dio_original(args);
			if (!dio_may_be_refused(args, count, ret))
				goto free_dio;
			iov_iter_revert(args->iter, count - iov_iter_count(args->iter));
			tried = true;
		}
		ret = dio_learn(dio, args);
		if (ret)
			goto free_dio;
		dio->pinned = vec_has(&dio->first.vec, false);
	}
	ret = 0;
	if (!dio->write && args->iocb->ki_pos >= dio->i_size)
		goto free_dio;
	phyr_iter_init(&dio->it, &dio->first.vec);
	reason = dio_allow(dio, args);
	if (reason == PHYR_DIRECT)
		return dio_submit(dio, args);
	ret = tried ? -EFAULT : dio_original(args);
	if (ret < 0)
		kshim_count(dio->io.stats, dio->write, reason, count);
free_dio:
	dio_free(dio, false);
	return ret;
}

static noinline ssize_t dio_run_on_stack(const struct dio_args *args,
					 struct kshim_mount *mount, bool tried)
{
	struct kshim_dio dio __uninitialized;

	dio_init(&dio, args, mount);
	dio.on_stack = true;
	return dio_run(&dio, args, tried);
}

/* For asynchronous I/O. Takes over the reference to @mount. */
static struct kshim_dio *dio_alloc(const struct dio_args *args, struct kshim_mount *mount)
{
	struct kshim_dio *dio = kmem_cache_alloc(dio_cache, GFP_KERNEL);

	if (!dio) {
		kshim_mount_put(mount);
		return NULL;
	}
	dio_init(dio, args, mount);
	INIT_WORK(&dio->work, dio_work);
	dio->on_stack = false;
	return dio;
}

/* Takes over the reference to @mount. */
static ssize_t dio_rw(const struct dio_args *args, struct kshim_mount *mount, bool tried)
{
	struct kshim_dio *dio;

	if (is_sync_kiocb(args->iocb))
		return dio_run_on_stack(args, mount, tried);
	dio = dio_alloc(args, mount);
	return dio ? dio_run(dio, args, tried) : -ENOMEM;
}

ssize_t phyr_dio_rw(struct kiocb *iocb, struct iov_iter *iter,
		    const struct iomap_ops *ops, const struct iomap_dio_ops *dops,
		    unsigned int dio_flags, void *private, size_t done_before)
{
	struct dio_args args = { iocb, iter, ops, dops, dio_flags, private, done_before };

	if (!iov_iter_count(iter) || !user_backed_iter(iter) || !current->mm)
		return dio_original(&args);
	return dio_rw(&args, kshim_mount_find(iocb->ki_filp), false);
}
EXPORT_SYMBOL_GPL(phyr_dio_rw);

/*
 * The same for registered mounts only. @count: what the iterator held at first.
 * @ret: what the original way gave, or -ENOENT before it was tried.
 */
static noinline ssize_t dio_rw_scoped(const struct dio_args *args, size_t count,
				      ssize_t ret)
{
	bool tried = ret != -ENOENT;
	struct kshim_mount *mount;

	if (tried && !dio_may_be_refused(args, count, ret))
		return ret;
	if (!count || !user_backed_iter(args->iter) || !current->mm)
		mount = NULL;
	else
		mount = kshim_mount_find(args->iocb->ki_filp);
	if (!mount)
		return tried ? ret : dio_original(args);
	if (tried)
		iov_iter_revert(args->iter, count - iov_iter_count(args->iter));
	return dio_rw(args, mount, tried);
}

/*
 * Is it one range that does not begin in device memory that is known? That goes the
 * original way first, here as in dio_run(), but without a dio.
 */
static noinline bool iter_is_plain(const struct iov_iter *iter)
{
	unsigned long uaddr;

	if (!iter_is_ubuf(iter))
		return false;
	iter_range(iter, &uaddr);
	return !kshim_region_exists(uaddr);
}

/*
 * A file that FUSE passes through, but perhaps not to a registered mount. As few
 * instructions as can be for processes that never used device memory.
 */
__no_stack_protector
ssize_t kshim_hook_dio_rw(struct kiocb *iocb, struct iov_iter *iter,
			  const struct iomap_ops *ops, const struct iomap_dio_ops *dops,
			  unsigned int dio_flags, void *private, size_t done_before)
{
	struct dio_args args = { iocb, iter, ops, dops, dio_flags, private, done_before };
	size_t count = iov_iter_count(iter);
	struct iomap_dio *dio;
	ssize_t ret = 0;

	/* once in memory the parameters need no registers to live in during the call */
	barrier_data(&args);
	kshim_user_get();
	if (unlikely(kshim_regions_maybe(current->mm)) && !iter_is_plain(iter)) {
		ret = dio_rw_scoped(&args, count, -ENOENT);
		goto out;
	}
	dio = __iomap_dio_rw(iocb, iter, ops, dops, dio_flags, private, done_before);
	if (!IS_ERR_OR_NULL(dio))
		ret = iomap_dio_complete(dio);
	else if (dio)
		ret = PTR_ERR(dio);
	if (unlikely(ret == -EFAULT || !ret))
		ret = dio_rw_scoped(&args, count, ret);
out:
	kshim_user_put();
	return ret;
}
EXPORT_SYMBOL_GPL(kshim_hook_dio_rw);

#ifdef KSHIM_HAVE_READ_SIMPLE
/* What stands before the body of a function that ftrace can trace (-mfentry). */
#define FENTRY_BYTES	(HAS_KERNEL_IBT * ENDBR_INSN_SIZE + CALL_INSN_SIZE)

/* The function that is hooked, behind the hook. */
ssize_t read_simple_body(struct kiocb *iocb, struct iov_iter *iter,
			 struct iomap_iter *iomi);
asm("	.pushsection .text, \"ax\", @progbits\n"
    "	.type read_simple_body, @function\n"
    "read_simple_body:\n"
	ASM_ENDBR
    "	jmp __iomap_dio_read_simple + " __stringify(FENTRY_BYTES) "\n"
    "	.size read_simple_body, . - read_simple_body\n"
    "	.popsection\n");

/* Does the mapping hold blocks for all of the read, and need nothing else? */
static bool mapping_is_simple(const struct iomap_iter *iomi)
{
	return iomi->iomap.type == IOMAP_MAPPED &&
	       !(iomi->iomap.flags & IOMAP_F_INTEGRITY) &&
	       iomap_length(iomi) == iomi->len;
}

/* dio_run() for what it finds out at once, and otherwise -ENOTBLK. */
static ssize_t dio_run_simple(struct kshim_dio *dio, const struct dio_args *args,
			      const struct iomap_iter *iomi)
{
	unsigned long uaddr;

	if (iter_range(args->iter, &uaddr) == iomi->len &&
	    kshim_region_known(uaddr, iomi->len, true, &dio->first.vec)) {
		phyr_iter_init(&dio->it, &dio->first.vec);
		if (dio_allow(dio, args) == PHYR_DIRECT)
			return dio_submit_simple(dio, args, iomi);
	}
	dio_free(dio, false);
	return -ENOTBLK;
}

static noinline ssize_t dio_read_simple_on_stack(const struct dio_args *args,
						 struct kshim_mount *mount,
						 const struct iomap_iter *iomi)
{
	struct kshim_dio dio __uninitialized;

	dio_init(&dio, args, mount);
	dio.on_stack = true;
	return dio_run_simple(&dio, args, iomi);
}

/* A read of not more than a block, whose buffer may be device memory. */
static noinline ssize_t dio_read_simple(struct kiocb *iocb, struct iov_iter *iter,
					const struct iomap_iter *iomi)
{
	struct dio_args args = { .iocb = iocb, .iter = iter };
	struct kshim_mount *mount;
	struct kshim_dio *dio;

	mount = mapping_is_simple(iomi) ? kshim_mount_find(iocb->ki_filp) : NULL;
	if (!mount)
		return -ENOTBLK;
	if (is_sync_kiocb(iocb))
		return dio_read_simple_on_stack(&args, mount, iomi);
	dio = dio_alloc(&args, mount);
	return dio ? dio_run_simple(dio, &args, iomi) : -ENOTBLK;
}

/*
 * Host memory goes the kernel's short way, and what is known to be device memory one of
 * its own. What is refused there goes the general way, which finds out what memory it is.
 */
ssize_t kshim_hook_read_simple(struct kiocb *iocb, struct iov_iter *iter,
			       struct iomap_iter *iomi)
{
	ssize_t ret;

	kshim_user_get();
	if (unlikely(kshim_regions_maybe(current->mm)) && !iter_is_plain(iter)) {
		ret = dio_read_simple(iocb, iter, iomi);
		if (ret == -ENOTBLK)
			inode_dio_end(iomi->inode);
	} else {
		ret = read_simple_body(iocb, iter, iomi);
		if (ret == -EFAULT)
			ret = -ENOTBLK;
	}
	kshim_user_put();
	return ret;
}
EXPORT_SYMBOL_GPL(kshim_hook_read_simple);
#endif

int kshim_dio_init(void)
{
	dio_cache = KMEM_CACHE(kshim_dio, 0);
	if (!dio_cache)
		return -ENOMEM;
	/* writeback of a filesystem in trouble may depend on it */
	dio_wq = alloc_workqueue("phyr_dio", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!dio_wq) {
		kmem_cache_destroy(dio_cache);
		return -ENOMEM;
	}
	return 0;
}

void kshim_dio_exit(void)
{
	destroy_workqueue(dio_wq);
	kmem_cache_destroy(dio_cache);
}
