// SPDX-License-Identifier: GPL-2.0-only
/*
 * Direct I/O of a file whose buffer is device memory.
 *
 * The order of things, and what each undoes, is that of the kernel's own
 * fs/iomap/direct-io.c, because filesystems rely on it: page cache first, then the
 * mappings, each with its commands, then end_io, invalidation, and i_dio_count.
 *
 * Two references of an asynchronous dio: the submitter's and that of its commands,
 * together in io.refs. Whoever drops the last completes it.
 */
#include <linux/pagemap.h>
#include <linux/poison.h>
#include <linux/slab.h>
#include <linux/task_io_accounting_ops.h>

#include "dio/dio.h"
#include "dio/iter.h"

/* More commands than these are collected and sent together: for fewer it costs more. */
#define DIO_PLUG_COMMANDS	3

static struct kmem_cache *dio_cache;
static struct workqueue_struct *dio_wq;

/* --------------------------------------------------------------- completion */

void kshim_dio_free(struct kshim_dio *dio, bool dirty)
{
	kshim_dio_put_bufs(dio, dirty);
	kshim_disk_exit(dio->io.disk);
	kshim_mount_put(dio->mount);
	if (!dio->on_stack)
		kmem_cache_free(dio_cache, dio);
}

/*
 * Pages that came into the cache during the write hold old data: throw them out, after
 * end_io has made the new blocks visible.
 */
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

	/* the memory went away while the disk had no answer */
	if (ret == -ESTALE)
		ret = -EFAULT;
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
	kshim_dio_free(dio, !dio->write);
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

static void dio_zero_end_io(struct bio *bio)
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
	bio->bi_end_io = dio_zero_end_io;
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
			ret = kshim_dio_look_again(dio, iter, done);
	}
	dio->stop = ret == -EHOSTUNREACH ? -EFAULT : ret;
	return done ?: dio->stop;
}

static noinline int dio_check_part(struct block_device *bdev, loff_t pos, size_t len,
				   const struct iov_iter *iter)
{
	struct iov_iter part = *iter;

	iov_iter_truncate(&part, len);
	return kshim_user_is_aligned(bdev, pos, &part) ? 0 : -EINVAL;
}

/* What vanilla refuses too: dio_allow() has seen to the rest. */
static int dio_check_aligned(const struct kshim_dio *dio, struct block_device *bdev,
			     loff_t pos, size_t len, const struct iov_iter *iter)
{
	if ((pos | len) & (bdev_logical_block_size(bdev) - 1))
		return -EINVAL;
	return likely(dio->aligned) ? 0 : dio_check_part(bdev, pos, len, iter);
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

	if (!done || kshim_provider_is_off(dio->io.provider))
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

/*
 * For as long as the disk takes, which nobody should report as a hang: TASK_IDLE says so
 * without a timer.
 */
static void dio_wait(struct kshim_dio *dio)
{
	for (;;) {
		set_current_state(TASK_IDLE);
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

ssize_t kshim_dio_submit(struct kshim_dio *dio, const struct dio_args *args)
{
	struct iomap_iter iomi = {
		.inode = file_inode(args->iocb->ki_filp),
		.pos = args->iocb->ki_pos,
		.len = iov_iter_count(args->iter),
		.flags = IOMAP_DIRECT,
		.private = args->private,
	};
	struct blk_plug plug __uninitialized;
	unsigned int nr_mappings = 0;
	bool plugged;
	bool wait = is_sync_kiocb(args->iocb) || args->dio_flags & IOMAP_DIO_FORCE_WAIT;
	ssize_t ret;

	ret = dio_begin(dio, args, &iomi);
	if (ret) {
		kshim_dio_free(dio, false);
		return ret;
	}
	/* no bio for the caller to poll for */
	args->iocb->ki_flags &= ~IOCB_HIPRI;
	inode_dio_begin(iomi.inode);

	plugged = iomi.len > DIO_PLUG_COMMANDS * kshim_cmd_bytes(dio->io.disk);
	if (plugged)
		blk_start_plug(&plug);
	while ((ret = kshim_iomap_next(&iomi, args->ops)) > 0) {
		/* each has a command at least */
		if (nr_mappings++ == DIO_PLUG_COMMANDS && !plugged) {
			blk_start_plug(&plug);
			plugged = true;
		}
		kshim_iomap_done(&iomi, dio_mapping(dio, &iomi, args->iter));
	}
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
ssize_t kshim_dio_submit_simple(struct kshim_dio *dio, const struct dio_args *args,
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

/* ----------------------------------------------------------------- lifetime */

static struct kshim_stats *dio_mount_stats(struct kshim_mount *mount)
{
	return mount ? &mount->stats : &kshim_stats_rest;
}

void kshim_dio_setup(struct kshim_dio *dio, const struct dio_args *args,
		     struct kshim_mount *mount)
{
	kshim_io_init(&dio->io, dio_done, dio_mount_stats(mount));
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
	dio->pinned = false;
	dio->waiter = current;
	phyr_vec_init(&dio->first.vec);
	dio->buf = &dio->first;
}

/*
 * Objects with a constructor are not zeroed when they are allocated (init_on_alloc), which
 * would cost more than all of kshim_dio_setup(). So each field is set before it is used: work
 * in kshim_dio_alloc(), it in dio_run(), aligned in dio_allow(), wait in dio_leave(), all
 * others in kshim_dio_setup().
 */
static void dio_ctor(void *object)
{
	struct kshim_dio *dio = object;

	dio->on_stack = false;
}

struct kshim_dio *kshim_dio_alloc(const struct dio_args *args, struct kshim_mount *mount)
{
	struct kshim_dio *dio = kmem_cache_alloc(dio_cache, GFP_KERNEL);

	if (!dio) {
		kshim_mount_put(mount);
		return NULL;
	}
	/* Slabs with a constructor are not poisoned either: no field is to be zero by chance. */
	if (IS_ENABLED(CONFIG_KASAN)) {
		memset(dio, POISON_INUSE, sizeof(*dio));
		dio_ctor(dio);
	}
	kshim_dio_setup(dio, args, mount);
	INIT_WORK(&dio->work, dio_work);
	return dio;
}

int kshim_dio_init(void)
{
	dio_cache = kmem_cache_create("kshim_dio", sizeof(struct kshim_dio),
				      __alignof__(struct kshim_dio), 0, dio_ctor);
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
