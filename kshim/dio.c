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
#include <linux/slab.h>
#include <linux/task_io_accounting_ops.h>

#include "kshim.h"
#include "hook.h"

/* A part of the buffer that lies in one region. */
struct dio_piece {
	struct kshim_region *region;	/* holds a reference */
	unsigned long uaddr;
	size_t len;
};

#define DIO_PIECES_INLINE	2

/* The whole buffer, and a cursor. */
struct dio_buf {
	struct dio_piece *piece;
	unsigned int nr, max;
	unsigned int at;		/* piece under the cursor */
	size_t off;			/* bytes into it */
	struct dio_piece first[DIO_PIECES_INLINE];
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
	struct kshim_io io;
	struct kiocb *iocb;
	const struct iomap_dio_ops *dops;
	struct kshim_mount *mount;	/* NULL: called without one */
	struct kshim_disk *disk;	/* entered */
	struct dio_buf buf;
	loff_t i_size;			/* when it began */
	size_t size;			/* bytes so far */
	size_t done_before;
	unsigned int end_flags;		/* IOMAP_DIO_UNWRITTEN, IOMAP_DIO_COW */
	bool write;
	bool need_sync;
	bool write_through;		/* every command so far was FUA */
	bool wait;			/* set before the submitter's reference goes */
	struct task_struct *waiter;	/* NULL when the commands are done */
	struct work_struct work;
};

static struct kmem_cache *dio_cache;
static struct workqueue_struct *dio_wq;

/* ---------------------------------------------------------------- the buffer */

static void buf_init(struct dio_buf *buf)
{
	buf->piece = buf->first;
	buf->nr = 0;
	buf->max = DIO_PIECES_INLINE;
	buf->at = 0;
	buf->off = 0;
}

static void buf_free(struct dio_buf *buf)
{
	while (buf->nr)
		kshim_region_put(buf->piece[--buf->nr].region);
	if (buf->piece != buf->first)
		kfree(buf->piece);
}

static int buf_grow(struct dio_buf *buf)
{
	struct dio_piece *piece;

	piece = kmalloc_array(buf->max * 2, sizeof(*piece), GFP_KERNEL);
	if (!piece)
		return -ENOMEM;
	memcpy(piece, buf->piece, buf->nr * sizeof(*piece));
	if (buf->piece != buf->first)
		kfree(buf->piece);
	buf->piece = piece;
	buf->max *= 2;
	return 0;
}

/* Takes over the reference, also when it fails. */
static int buf_add(struct dio_buf *buf, struct kshim_region *region, unsigned long uaddr,
		   size_t len)
{
	if (buf->nr == buf->max && buf_grow(buf)) {
		kshim_region_put(region);
		return -ENOMEM;
	}
	buf->piece[buf->nr++] = (struct dio_piece){
		.region = region, .uaddr = uaddr, .len = len,
	};
	return 0;
}

static void buf_advance(struct dio_buf *buf, size_t bytes)
{
	size_t n;

	while (bytes) {
		n = min(bytes, buf->piece[buf->at].len - buf->off);
		buf->off += n;
		bytes -= n;
		if (buf->off == buf->piece[buf->at].len) {
			buf->at++;
			buf->off = 0;
		}
	}
}

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

/* What a look at one range does: to take what is known, or to find out. */
typedef struct kshim_region *(*range_look_fn)(unsigned long uaddr, size_t len, bool write,
					      enum phyr_reason *ret_reason);

static struct kshim_region *range_known(unsigned long uaddr, size_t len, bool write,
					enum phyr_reason *ret_reason)
{
	struct kshim_region *region = kshim_region_find(uaddr);

	if (!region)
		return ERR_PTR(-ENOENT);
	len = min(len, region->end - uaddr);
	if (kshim_region_covers(region, uaddr, len, write))
		return region;
	kshim_region_put(region);
	return ERR_PTR(-ENOENT);
}

static struct kshim_region *range_learn(unsigned long uaddr, size_t len, bool write,
					enum phyr_reason *ret_reason)
{
	struct kshim_region *region;
	int ret;

	do {
		region = kshim_region_get(uaddr);
		if (IS_ERR(region))
			return region;
		ret = kshim_region_fill(region, uaddr, min(len, region->end - uaddr),
					write, ret_reason);
		if (!ret)
			return region;
		kshim_region_put(region);
	} while (ret == -ESTALE && !fatal_signal_pending(current));
	return ERR_PTR(ret == -ESTALE ? -EFAULT : ret);
}

/*
 * All of the buffer in pieces, or an error and none. Zero-length ranges of a vector
 * are passed over.
 */
static int buf_look(struct dio_buf *buf, const struct iov_iter *iter, bool write,
		    range_look_fn look, enum phyr_reason *ret_reason)
{
	struct iov_iter it = *iter;
	struct kshim_region *region;
	unsigned long uaddr;
	size_t len;
	int ret = 0;

	buf_init(buf);
	while (!ret && iov_iter_count(&it)) {
		len = iter_range(&it, &uaddr);
		if (!len) {
			iov_iter_advance(&it, 0);
			continue;
		}
		if (uaddr + len < uaddr) {
			ret = -EFAULT;
			break;
		}
		region = look(uaddr, len, write, ret_reason);
		if (IS_ERR(region)) {
			ret = PTR_ERR(region);
			break;
		}
		len = min(len, region->end - uaddr);
		ret = buf_add(buf, region, uaddr, len);
		iov_iter_advance(&it, len);
	}
	if (ret == -ENXIO && buf->nr)
		*ret_reason = PHYR_MIXED_BUFFER;
	if (ret)
		buf_free(buf);
	return ret;
}

/* --------------------------------------------------------------- completion */

static struct kshim_stats *mount_stats(struct kshim_mount *mount)
{
	return mount ? &mount->stats : &kshim_stats_rest;
}

static void dio_free(struct kshim_dio *dio)
{
	buf_free(&dio->buf);
	kshim_disk_exit(dio->disk);
	kshim_mount_put(dio->mount);
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
	dio_free(dio);
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
static void dio_done(struct kshim_io *io)
{
	struct kshim_dio *dio = container_of(io, struct kshim_dio, io);
	struct task_struct *waiter = dio->waiter;

	if (dio->wait) {
		WRITE_ONCE(dio->waiter, NULL);
		blk_wake_io_task(waiter);
	} else if (dio->write || dio->io.error || dio->dops) {
		/* end_io, invalidation and syncing sleep */
		queue_work(dio_wq, &dio->work);
	} else {
		dio_complete_async(dio);
	}
}

/* --------------------------------------------------------------- submission */

static void zero_end_io(struct bio *bio)
{
	struct kshim_io *io = bio->bi_private;

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

/* Queue commands for @len bytes at @pos, one stretch for each piece of the buffer. */
static ssize_t dio_queue(struct kshim_dio *dio, const struct iomap *iomap, loff_t pos,
			 size_t len, bool fua)
{
	struct kshim_xfer xfer = {
		.bdev = iomap->bdev, .disk = dio->disk,
		.write = dio->write, .fua = fua,
	};
	const struct dio_piece *piece;
	size_t done = 0;
	int ret = 0;

	while (done < len && !READ_ONCE(dio->io.error)) {
		piece = &dio->buf.piece[dio->buf.at];
		xfer.sector = iomap_sector(iomap, pos + done);
		xfer.region = piece->region;
		xfer.uaddr = piece->uaddr + dio->buf.off;
		xfer.len = min(len - done, piece->len - dio->buf.off);
		ret = kshim_nvme_queue(&dio->io, &xfer);
		if (ret)
			break;
		buf_advance(&dio->buf, xfer.len);
		done += xfer.len;
	}
	return done ?: ret;
}

/* What vanilla refuses too: dio_allow() has seen to the rest. */
static int dio_check_aligned(const struct kshim_dio *dio, struct block_device *bdev,
			     loff_t pos, size_t len)
{
	unsigned int block = bdev_logical_block_size(bdev) - 1;
	unsigned int at = dio->buf.at;
	size_t off = dio->buf.off, n;

	if ((pos | len) & block)
		return -EINVAL;
	for (; len; len -= n, at++, off = 0) {
		n = min(len, dio->buf.piece[at].len - off);
		if (((dio->buf.piece[at].uaddr + off) & bdev_dma_alignment(bdev)) ||
		    (n & block))
			return -EINVAL;
	}
	return 0;
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

	if (iomap->bdev->bd_disk != dio->disk->gendisk ||
	    iomap->flags & (IOMAP_F_ANON_WRITE | IOMAP_F_ATOMIC_BIO | IOMAP_F_INTEGRITY)) {
		kshim_count(dio->io.stats, dio->write, PHYR_FILESYSTEM, len);
		return -EFAULT;
	}
	ret = dio_check_aligned(dio, iomap->bdev, iomi->pos, len);
	if (ret)
		return ret;
	if (dio->write) {
		fua = dio_write_fua(dio, iomap);
		zero = iomap->type == IOMAP_UNWRITTEN || iomap->flags & IOMAP_F_NEW;
	}
	if (zero)
		dio_zero(dio, iomap, round_down(iomi->pos, block),
			 iomi->pos & (block - 1));

	ret = dio_queue(dio, iomap, iomi->pos, len, fua);

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
	buf_advance(&dio->buf, done);
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

/* The page cache before the I/O. -ENOTBLK sends a write to buffered I/O. */
static int dio_begin(struct kshim_dio *dio, const struct dio_args *args,
		     struct iomap_iter *iomi)
{
	struct kiocb *iocb = args->iocb;
	int ret;

	if (iocb->ki_flags & IOCB_NOWAIT)
		iomi->flags |= IOMAP_NOWAIT;
	if (!dio->write)
		return kiocb_write_and_wait(iocb, iomi->len);

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

static ssize_t dio_submit(struct kshim_dio *dio, const struct dio_args *args)
{
	struct iomap_iter iomi = {
		.inode = file_inode(args->iocb->ki_filp),
		.pos = args->iocb->ki_pos,
		.len = iov_iter_count(args->iter),
		.flags = IOMAP_DIRECT,
		.private = args->private,
	};
	struct blk_plug plug;
	bool wait = is_sync_kiocb(args->iocb) || args->dio_flags & IOMAP_DIO_FORCE_WAIT;
	ssize_t ret;

	ret = dio_begin(dio, args, &iomi);
	if (ret) {
		dio_free(dio);
		return ret;
	}
	/* no bio for the caller to poll for */
	args->iocb->ki_flags &= ~IOCB_HIPRI;
	inode_dio_begin(iomi.inode);

	blk_start_plug(&plug);
	while ((ret = kshim_iomap_next(&iomi, args->ops)) > 0)
		kshim_iomap_done(&iomi, dio_mapping(dio, &iomi, args->iter));
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
	unsigned int i;

	if (!dio_plain(args))
		return PHYR_FILESYSTEM;
	if (!bdev)
		return PHYR_NOT_NVME;
	dio->disk = kshim_disk_enter(bdev, &reason);
	if (!dio->disk)
		return reason;
	reason = PHYR_DIRECT;
	for (i = 0; reason == PHYR_DIRECT && i < dio->buf.nr; i++) {
		const struct dio_piece *piece = &dio->buf.piece[i];

		reason = kshim_region_reach(piece->region, piece->uaddr, piece->len,
					    dio->disk->nvme);
		/* what vanilla accepts may still be more than a PRP can say */
		if (piece->len & (bdev_logical_block_size(bdev) - 1) &&
		    kshim_iter_is_aligned(bdev, args->iocb->ki_pos, args->iter))
			reason = PHYR_ALIGNMENT;
	}
	if (reason != PHYR_DIRECT)
		kshim_disk_exit(dio->disk);
	return reason;
}

static struct kshim_dio *dio_new(const struct dio_args *args, struct kshim_mount *mount)
{
	struct kshim_dio *dio = kmem_cache_alloc(dio_cache, GFP_KERNEL);

	if (!dio)
		return NULL;
	atomic_set(&dio->io.refs, 1);
	dio->io.error = 0;
	dio->io.done = dio_done;
	dio->io.stats = mount_stats(mount);
	dio->iocb = args->iocb;
	dio->dops = args->dops;
	dio->mount = mount;
	dio->i_size = i_size_read(file_inode(args->iocb->ki_filp));
	dio->size = 0;
	dio->done_before = args->done_before;
	dio->end_flags = 0;
	dio->write = iov_iter_rw(args->iter) == WRITE;
	dio->need_sync = false;
	dio->write_through = false;
	dio->wait = false;
	dio->waiter = current;
	INIT_WORK(&dio->work, dio_work);
	return dio;
}

/*
 * One I/O in scope. Takes over the reference to @mount. @tried: the original way has
 * been, and refused the buffer.
 */
static ssize_t dio_rw(const struct dio_args *args, struct kshim_mount *mount, bool tried)
{
	size_t count = iov_iter_count(args->iter);
	bool read = iov_iter_rw(args->iter) == READ;
	enum phyr_reason reason = PHYR_DIRECT;
	struct kshim_dio *dio;
	ssize_t ret;

	dio = dio_new(args, mount);
	if (!dio) {
		kshim_mount_put(mount);
		return -ENOMEM;
	}
	if (tried || buf_look(&dio->buf, args->iter, read, range_known, &reason)) {
		if (!tried) {
			ret = dio_original(args);
			if (!dio_may_be_refused(args, count, ret))
				goto free_dio;
			iov_iter_revert(args->iter, count - iov_iter_count(args->iter));
			tried = true;
		}
		reason = PHYR_DIRECT;
		ret = buf_look(&dio->buf, args->iter, read, range_learn, &reason);
		if (ret)
			goto refuse;
	}
	ret = 0;
	if (read && args->iocb->ki_pos >= dio->i_size)
		goto free_buf;
	reason = mount && mount->policy == PHYR_POLICY_OFF ? PHYR_POLICY :
		 dio_allow(dio, args);
	if (reason == PHYR_DIRECT)
		return dio_submit(dio, args);
	buf_free(&dio->buf);
	ret = tried ? -EFAULT : dio_original(args);
refuse:
	/* neither a host buffer with a bad address nor a hole in the file is of note */
	if (reason != PHYR_DIRECT && ret < 0)
		kshim_count(dio->io.stats, !read, reason, count);
	ret = ret == -ENXIO ? -EFAULT : ret;
	goto free_dio;

free_buf:
	buf_free(&dio->buf);
free_dio:
	kmem_cache_free(dio_cache, dio);
	kshim_mount_put(mount);
	return ret;
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
	iov_iter_revert(args->iter, count - iov_iter_count(args->iter));
	return dio_rw(args, mount, tried);
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
	if (unlikely(kshim_regions_maybe(current->mm))) {
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

ssize_t kshim_hook_read_simple(struct kiocb *iocb, struct iov_iter *iter,
			       struct iomap_iter *iomi)
{
	inode_dio_end(iomi->inode);
	return -ENOTBLK;
}
EXPORT_SYMBOL_GPL(kshim_hook_read_simple);

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
