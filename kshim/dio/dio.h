/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Direct I/O of a file: between the files of dio/, and for the layer above it.
 */
#ifndef _KSHIM_DIO_H
#define _KSHIM_DIO_H

#include <linux/fs.h>
#include <linux/iomap.h>
#include <linux/uio.h>

#include "disk/disk.h"

/* ------------------------------------------------------------------ mount.c */

struct kshim_mount {
	struct list_head list;		/* under mounts_lock, read by RCU */
	struct backing_dev_info *bdi;	/* the superblock's own */
	struct vfsmount *source;	/* where its daemon opens the files; may be NULL */
	dev_t dev;
	u32 policy;			/* enum phyr_policy */
	struct kshim_visits __percpu *dios;
	struct kshim_stats stats;
	struct work_struct free;	/* no longer on the list, when no dio is left */
};

int kshim_mount_add(const struct phyr_mount *arg, struct kshim_mount **ret_mount);
void kshim_mount_remove(struct kshim_mount *mount);	/* takes NULL */
/* The mount through which a file was opened, for one dio; NULL: not in scope. */
struct kshim_mount *kshim_mount_find(const struct file *file);
/* The dio is over. Any context; takes NULL. */
static inline void kshim_mount_put(struct kshim_mount *mount)
{
	if (mount)
		this_cpu_inc(mount->dios->went);
}

unsigned int kshim_mount_count(void);
/*
 * Add the counters of the @nr-th mount, from 1, to @sum, and say which it is; -ENOENT.
 * 0: those of all mounts.
 */
int kshim_mount_sum(u32 nr, struct kshim_counters *sum, u32 *ret_policy, dev_t *ret_dev);

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

/* ---------------------------------------------------------------- dio_buf.c */

/* The next range of an iterator over user memory. */
static inline size_t kshim_iter_range(const struct iov_iter *iter, unsigned long *ret_uaddr)
{
	if (iter_is_ubuf(iter)) {
		*ret_uaddr = untagged_addr((unsigned long)iter->ubuf + iter->iov_offset);
		return iter->count;
	}
	*ret_uaddr = untagged_addr((unsigned long)iter_iov_addr(iter));
	return min(iter_iov_len(iter), iter->count);
}

/*
 * All of the buffer into @vec, or an error and an empty vector. Zero-length ranges are
 * passed over. Process context, may sleep.
 */
int kshim_dio_learn(struct phyr_vec *vec, const struct iov_iter *iter, bool write,
		    enum phyr_reason *ret_reason);

/* Is some of it device memory, or some of it pages? */
bool kshim_vec_has(const struct phyr_vec *vec, bool device);

/*
 * The mapping changed while the I/O was under way, perhaps only in a part that this
 * buffer does not lie in: look the rest up again. @iter stands where @dio->it stood
 * @done bytes ago.
 */
int kshim_dio_look_again(struct kshim_dio *dio, const struct iov_iter *iter, size_t done);
/* The dio's buffers are not used any more, whatever they are. */
void kshim_dio_put_many(struct kshim_dio *dio, bool dirty);
static inline void kshim_dio_put_bufs(struct kshim_dio *dio, bool dirty)
{
	/* what most are; nothing of it was allocated */
	if (likely(dio->buf == &dio->first && kshim_vec_is_region(&dio->first.vec)))
		kshim_region_put(kshim_hold_region(dio->first.vec.first_hold));
	else
		kshim_dio_put_many(dio, dirty);
}

/* -------------------------------------------------------------------- dio.c */

/* Takes over the reference to @mount, as does the next one. */
void kshim_dio_setup(struct kshim_dio *dio, const struct dio_args *args,
		     struct kshim_mount *mount);
/* For asynchronous I/O; NULL without memory. */
struct kshim_dio *kshim_dio_alloc(const struct dio_args *args, struct kshim_mount *mount);
/* Before its commands, or after: @dirty when they wrote to memory. */
void kshim_dio_free(struct kshim_dio *dio, bool dirty);

/*
 * Do it: the buffer is in @dio->it, and its disk, which is entered, reaches it. Frees the
 * dio, if need be when the commands are done.
 */
ssize_t kshim_dio_submit(struct kshim_dio *dio, const struct dio_args *args);
/* The same for one mapping, which the caller has made, after what else comes first. */
ssize_t kshim_dio_submit_simple(struct kshim_dio *dio, const struct dio_args *args,
				const struct iomap_iter *iomi);

int kshim_dio_init(void);
void kshim_dio_exit(void);

/* ----------------------------------------------------------------- dio_rw.c */

/* Is phyr_dio in force? */
bool kshim_hooked(void);

#endif /* _KSHIM_DIO_H */
