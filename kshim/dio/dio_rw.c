// SPDX-License-Identifier: GPL-2.0-only
/*
 * A filesystem's call of iomap_dio_rw(): is its buffer device memory, and may it be
 * direct?
 *
 * Learning: nothing is known of a buffer when it comes for the first time, and to look
 * it up would cost every I/O to host memory. So the first time takes the kernel's
 * own way, which refuses page-less memory with -EFAULT before it has read or written
 * anything there; then the buffer is looked at, and from then on it is known.
 */
#include <linux/module.h>
#include <asm/ibt.h>
#include <asm/text-patching.h>

#include "dio/dio.h"
#include "dio/hook.h"

static bool hooked;

void kshim_hook_set(bool on)
{
	WRITE_ONCE(hooked, on);
}
EXPORT_SYMBOL_GPL(kshim_hook_set);

bool kshim_hooked(void)
{
	return READ_ONCE(hooked);
}

/* Is some of the buffer device memory that is known? */
static bool dio_iter_is_known(const struct iov_iter *iter)
{
	struct iov_iter it = *iter;
	struct kshim_region *region;
	unsigned long uaddr;
	size_t len;

	for (; iov_iter_count(&it); iov_iter_advance(&it, len)) {
		len = kshim_iter_range(&it, &uaddr);
		region = kshim_region_find(uaddr);
		if (!region)
			continue;
		kshim_region_put(region);
		return true;
	}
	return false;
}

static ssize_t dio_original(const struct dio_args *args)
{
	struct iomap_dio *dio;

	dio = __iomap_dio_rw(args->iocb, args->iter, args->ops, args->dops,
			     args->dio_flags, args->private, args->done_before);
	return IS_ERR_OR_NULL(dio) ? PTR_ERR_OR_ZERO(dio) : iomap_dio_complete(dio);
}

/*
 * Did the original way end because of the buffer? It may forget the -EFAULT and give 0:
 * before 7.3 for a write that had to zero the rest of a block, and since then where the
 * filesystem takes a part (IOMAP_DIO_PARTIAL) and there is none. 0 is also where it wants
 * a write to go through the page cache.
 */
static bool dio_may_be_refused(const struct dio_args *args, size_t count, ssize_t ret)
{
	if (ret || !count)
		return ret == -EFAULT;
	return iov_iter_rw(args->iter) == WRITE || args->dio_flags & IOMAP_DIO_PARTIAL;
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
static __always_inline enum phyr_reason dio_allow(struct kshim_dio *dio,
						  const struct dio_args *args)
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

/*
 * The original way was not taken, or has refused the buffer: look at it. -ENXIO: there is
 * nothing for phyr to do, and what the original way gives stands; also when it is
 * PHYR_PERMISSION that is in the way, which is nothing at the end of the file.
 */
static int dio_learn(struct kshim_dio *dio, const struct dio_args *args,
		     enum phyr_reason *ret_reason)
{
	int ret = kshim_dio_learn(&dio->first.vec, args->iter, !dio->write, ret_reason);

	/* neither a host buffer with a bad address nor a hole in the file is of note */
	if (ret && *ret_reason != PHYR_DIRECT && *ret_reason != PHYR_PERMISSION)
		kshim_count(dio->io.stats, dio->write, *ret_reason,
			    iov_iter_count(args->iter));
	else if (ret == -EFAULT || (!ret && !kshim_vec_has(&dio->first.vec, true)))
		ret = -ENXIO;
	return ret;
}

/*
 * The same where a page fault would need what the filesystem holds: nothing is learned,
 * only counted. The filesystem comes again when it has faulted in what can be.
 */
static int dio_look(struct kshim_dio *dio, const struct dio_args *args)
{
	unsigned long uaddr;

	kshim_iter_range(args->iter, &uaddr);
	if ((dio->write || args->iocb->ki_pos < dio->i_size) && kshim_walk_is_special(uaddr))
		kshim_count(dio->io.stats, dio->write, PHYR_FILESYSTEM,
			    iov_iter_count(args->iter));
	return -ENXIO;
}

/*
 * The original way has queued a part of an asynchronous I/O, and refused what is left in
 * the iterator, as the completion will say. It cannot be taken back, only counted, and
 * learned about, so that a vector is direct the next time. The file's kiocb is still
 * there: FUSE and overlayfs keep the one that they make until this returns.
 */
static noinline void dio_rest(const struct dio_args *args, size_t count)
{
	size_t left = iov_iter_count(args->iter);
	struct inode *inode = file_inode(args->iocb->ki_filp);
	bool write = iov_iter_rw(args->iter) == WRITE;
	enum phyr_reason reason = PHYR_DIRECT;
	struct kshim_mount *mount;
	struct phyr_vec vec;

	/* at the end of the file some is left, too */
	if (!write && args->iocb->ki_pos + (count - left) >= i_size_read(inode))
		return;
	if (!user_backed_iter(args->iter) || !current->mm || args->iter->nofault)
		return;
	mount = kshim_mount_find(args->iocb->ki_filp);
	if (!mount)
		return;
	phyr_vec_init(&vec);
	if (!kshim_dio_learn(&vec, args->iter, !write, &reason) &&
	    kshim_vec_has(&vec, true))
		reason = PHYR_MIXED_BUFFER;
	put_user_phyrs(&vec, false);
	if (reason != PHYR_DIRECT)
		kshim_count(&mount->stats, write, reason, left);
	kshim_mount_put(mount);
}

/*
 * The buffer is not known, or is not one range: look at it. @vanilla, *tried: as
 * dio_run() has them. False: the I/O is over, with *ret_done. Not inline, because most I/O
 * does not come here.
 */
static noinline bool dio_look_up(struct kshim_dio *dio, const struct dio_args *args,
				 ssize_t vanilla, bool *tried, ssize_t *ret_done)
{
	size_t count = iov_iter_count(args->iter);
	enum phyr_reason reason = PHYR_DIRECT;
	bool nofault = args->iter->nofault;
	ssize_t ret;

	if (!*tried && (nofault || !dio_iter_is_known(args->iter))) {
		*ret_done = ret = dio_original(args);
		if (ret == -EIOCBQUEUED && dio->mount && iov_iter_count(args->iter))
			dio_rest(args, count);
		if (!dio_may_be_refused(args, count, ret))
			return false;
		iov_iter_revert(args->iter, count - iov_iter_count(args->iter));
		vanilla = ret;
		*tried = true;
	}
	*ret_done = ret = nofault ? dio_look(dio, args) : dio_learn(dio, args, &reason);
	if (ret == -ENXIO) {
		*ret_done = ret = *tried ? vanilla : dio_original(args);
		if (reason != PHYR_DIRECT && (*tried || ret == -EFAULT))
			kshim_count(dio->io.stats, dio->write, reason, count);
		return false;
	}
	if (ret)
		return false;
	dio->pinned = kshim_vec_has(&dio->first.vec, false);
	return true;
}

/*
 * One I/O in scope. @vanilla: what the original way gave, which was nothing but perhaps
 * a refusal, or -ENOENT before it was tried. Mixed buffers are looked at first: the
 * original way would have moved a part of them.
 */
static __always_inline ssize_t dio_run(struct kshim_dio *dio, const struct dio_args *args,
				       ssize_t vanilla)
{
	size_t count = iov_iter_count(args->iter);
	bool tried = vanilla != -ENOENT;
	enum phyr_reason reason;
	unsigned long uaddr;
	ssize_t ret;

	if ((tried || kshim_iter_range(args->iter, &uaddr) != count ||
	     !kshim_region_known(uaddr, count, !dio->write, &dio->first.vec)) &&
	    !dio_look_up(dio, args, vanilla, &tried, &ret))
		goto free_dio;
	ret = 0;
	if (!dio->write && args->iocb->ki_pos >= dio->i_size)
		goto free_dio;
	phyr_iter_init(&dio->it, &dio->first.vec);
	reason = dio_allow(dio, args);
	if (reason == PHYR_DIRECT)
		return kshim_dio_submit(dio, args);
	ret = tried ? -EFAULT : dio_original(args);
	if (ret < 0)
		kshim_count(dio->io.stats, dio->write, reason, count);
free_dio:
	kshim_dio_free(dio, false);
	return ret;
}

static noinline ssize_t dio_run_on_stack(const struct dio_args *args,
					 struct kshim_mount *mount, ssize_t vanilla)
{
	struct kshim_dio dio __uninitialized;

	kshim_dio_setup(&dio, args, mount);
	dio.on_stack = true;
	return dio_run(&dio, args, vanilla);
}

/* Takes over the reference to @mount. */
static __always_inline ssize_t dio_rw(const struct dio_args *args,
				      struct kshim_mount *mount, ssize_t vanilla)
{
	struct kshim_dio *dio;

	if (is_sync_kiocb(args->iocb))
		return dio_run_on_stack(args, mount, vanilla);
	dio = kshim_dio_alloc(args, mount);
	return dio ? dio_run(dio, args, vanilla) : -ENOMEM;
}

ssize_t phyr_dio_rw(struct kiocb *iocb, struct iov_iter *iter,
		    const struct iomap_ops *ops, const struct iomap_dio_ops *dops,
		    unsigned int dio_flags, void *private, size_t done_before)
{
	struct dio_args args = { iocb, iter, ops, dops, dio_flags, private, done_before };

	if (!iov_iter_count(iter) || !user_backed_iter(iter) || !current->mm)
		return dio_original(&args);
	return dio_rw(&args, kshim_mount_find(iocb->ki_filp), -ENOENT);
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
	return dio_rw(args, mount, ret);
}

/*
 * Is it one range that does not begin in device memory that is known? That goes the
 * original way first, here as in dio_run(), but without a dio.
 */
static bool dio_iter_is_plain(const struct iov_iter *iter)
{
	unsigned long uaddr;

	if (!iter_is_ubuf(iter))
		return false;
	kshim_iter_range(iter, &uaddr);
	return !kshim_region_exists(uaddr);
}

/* The same in a process that may have used device memory. */
static noinline ssize_t dio_rw_maybe(const struct dio_args *args, size_t count)
{
	ssize_t ret = -ENOENT;

	if (dio_iter_is_plain(args->iter)) {
		ret = dio_original(args);
		if (ret == -EIOCBQUEUED && iov_iter_count(args->iter))
			dio_rest(args, count);
		if (ret && ret != -EFAULT)
			return ret;
	}
	return dio_rw_scoped(args, count, ret);
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
		ret = dio_rw_maybe(&args, count);
		goto out;
	}
	dio = __iomap_dio_rw(iocb, iter, ops, dops, dio_flags, private, done_before);
	if (!IS_ERR_OR_NULL(dio))
		ret = iomap_dio_complete(dio);
	else if (dio)
		ret = PTR_ERR(dio);
	if (unlikely(ret == -EFAULT || !ret))
		ret = dio_rw_scoped(&args, count, ret);
	else if (ret == -EIOCBQUEUED && unlikely(iov_iter_count(iter)))
		dio_rest(&args, count);
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
static bool dio_mapping_is_simple(const struct iomap_iter *iomi)
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

	if (kshim_iter_range(args->iter, &uaddr) == iomi->len &&
	    kshim_region_known(uaddr, iomi->len, true, &dio->first.vec)) {
		phyr_iter_init(&dio->it, &dio->first.vec);
		if (dio_allow(dio, args) == PHYR_DIRECT)
			return kshim_dio_submit_simple(dio, args, iomi);
	}
	kshim_dio_free(dio, false);
	return -ENOTBLK;
}

static noinline ssize_t dio_read_simple_on_stack(const struct dio_args *args,
						 struct kshim_mount *mount,
						 const struct iomap_iter *iomi)
{
	struct kshim_dio dio __uninitialized;

	kshim_dio_setup(&dio, args, mount);
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

	mount = dio_mapping_is_simple(iomi) ? kshim_mount_find(iocb->ki_filp) : NULL;
	if (!mount)
		return -ENOTBLK;
	if (is_sync_kiocb(iocb))
		return dio_read_simple_on_stack(&args, mount, iomi);
	dio = kshim_dio_alloc(&args, mount);
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
	if (unlikely(kshim_regions_maybe(current->mm)) && !dio_iter_is_plain(iter)) {
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
