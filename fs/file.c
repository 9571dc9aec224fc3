// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Open regular files. Data goes between the kernel and the source file without the
 * daemon (backing.c); op_read and op_write serve the opens that cannot have that.
 * fi->fh is an fd of the source file, opened as the caller opened his: it gives his
 * errors, and serves all that does not pass through.
 *
 * There is no poll operation on purpose: the kernel then takes files as always ready,
 * and io_uring issues requests at once instead of handing them to a worker thread.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

/*
 * Decide how data goes. Through the daemon, buffers have no alignment, and the kernel
 * says with each write whether it appends.
 */
static void file_set_backing(fuse_req_t req, struct phyrfs_inode *inode,
			     struct fuse_file_info *fi)
{
	fi->backing_id = phyrfs_backing_get(phyrfs_of(req), inode);
	if (!fi->backing_id)
		fcntl(fi->fh, F_SETFL, fi->flags & ~(O_DIRECT | O_APPEND));
}

static void file_release(struct phyrfs *fs, struct phyrfs_inode *inode, int fd)
{
	phyrfs_backing_put(fs, inode);
	close(fd);
	phyrfs_fd_unpin(fs);
}

/* The inode keeps its fd from one step to the next, though its last name may go. */
static int file_open(fuse_req_t req, struct phyrfs_inode *inode,
		     struct fuse_file_info *fi)
{
	struct phyrfs *fs = phyrfs_of(req);
	int err, fd;

	fd = phyrfs_fd_get(fs, inode);
	if (fd < 0)
		return fd;
	err = phyrfs_inode_open(fs, inode, fi->flags, &fd);
	if (!err) {
		fi->fh = fd;
		file_set_backing(req, inode, fi);
	}
	phyrfs_fd_put(inode);
	return err;
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct phyrfs_inode *inode = phyrfs_inode_of(req, ino);
	struct phyrfs *fs = phyrfs_of(req); /* a reply frees the request */
	int err;

	err = phyrfs_fd_pin(req);
	if (!err) {
		err = file_open(req, inode, fi);
		if (err)
			phyrfs_fd_unpin(fs);
	}
	if (err)
		phyrfs_reply_err(req, err);
	else if (fuse_reply_open(req, fi) == -ENOENT)
		file_release(fs, inode, fi->fh);
}

/* What is made must not fail afterwards for want of an fd, so there is to be one. */
static int file_create(fuse_req_t req, struct phyrfs_inode *parent, const char *name,
		       mode_t mode, int flags, int *ret_fd)
{
	struct phyrfs *fs = phyrfs_of(req);
	int dir_fd, err, fd;

	err = phyrfs_fds_room(fs);
	if (!err)
		err = phyrfs_fd_pin(req);
	if (err)
		return err;
	dir_fd = phyrfs_fd_get(fs, parent);
	if (dir_fd < 0) {
		err = dir_fd;
		goto unpin;
	}
	err = phyrfs_maker_enter(req, mode);
	if (err)
		goto put_dir;
	fd = phyrfs_openat(fs, dir_fd, name, flags | O_NOFOLLOW | O_NOCTTY,
			   mode & ALLPERMS);
	phyrfs_caller_leave();
	if (fd < 0)
		err = fd;
	else
		*ret_fd = fd;
put_dir:
	phyrfs_fd_put(parent);
unpin:
	if (err)
		phyrfs_fd_unpin(fs);
	return err;
}

/* The inode of an open file: its name may be another file's by now. */
static int file_adopt(struct phyrfs *fs, int fd, struct fuse_entry_param *ret_entry)
{
	char name[PHYRFS_PROC_LEN];
	int path_fd;

	phyrfs_fd_proc(fd, name);
	path_fd = phyrfs_openat(fs, AT_FDCWD, name, O_PATH, 0);
	if (path_fd < 0)
		return path_fd;
	return phyrfs_inode_adopt(fs, path_fd, ret_entry);
}

/* Reply with the new file @fd, which it owns from here on. */
static void reply_create(fuse_req_t req, int fd, struct fuse_file_info *fi)
{
	struct phyrfs *fs = phyrfs_of(req); /* a reply frees the request */
	struct fuse_entry_param entry;
	struct phyrfs_inode *inode;
	int err;

	err = file_adopt(fs, fd, &entry);
	if (err) {
		close(fd);
		phyrfs_fd_unpin(fs);
		phyrfs_reply_err(req, err);
		return;
	}
	inode = phyrfs_inode_of(req, entry.ino);
	fi->fh = fd;
	file_set_backing(req, inode, fi);
	if (fuse_reply_create(req, &entry, fi) == -ENOENT) {
		file_release(fs, inode, fd);
		phyrfs_inode_forget(fs, inode, 1);
	}
}

/*
 * Only ever make a new file: what is there already may be no regular file, and the
 * kernel has not checked the caller's permissions on it. With ESTALE it looks the name
 * up again and goes through op_open.
 */
static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	int err, fd;

	err = phyrfs_name_check(name);
	if (!err)
		err = file_create(req, phyrfs_inode_of(req, parent), name, mode,
				  fi->flags | O_CREAT | O_EXCL, &fd);
	if (err == -EEXIST && !(fi->flags & O_EXCL))
		err = -ESTALE;
	if (err)
		phyrfs_reply_err(req, err);
	else
		reply_create(req, fd, fi);
}

static void op_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode,
		       struct fuse_file_info *fi)
{
	int err, fd, flags = fi->flags & ~(O_CREAT | O_TRUNC);

	err = file_create(req, phyrfs_inode_of(req, parent), ".", mode, flags | O_TMPFILE,
			  &fd);
	if (err)
		phyrfs_reply_err(req, err);
	else
		reply_create(req, fd, fi);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	file_release(phyrfs_of(req), phyrfs_inode_of(req, ino), fi->fh);
	fuse_reply_err(req, 0);
}

/*
 * Some filesystems report late errors of a write when a file is closed. Where none does,
 * the kernel hears that it need not ask again.
 */
static void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct phyrfs *fs = phyrfs_of(req);
	int fd;

	if (phyrfs_inode_of(req, ino)->mount->no_flush) {
		/* What it hears of one file it takes for the answer for all. */
		phyrfs_reply_err(req, fs->opts.submounts ? 0 : -ENOSYS);
		return;
	}
	fd = dup(fi->fh);
	/* Without an fd to spare there is no report, which is no error of the caller's. */
	phyrfs_reply_err(req, fd >= 0 && close(fd) ? -errno : 0);
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		     struct fuse_file_info *fi)
{
	phyrfs_reply_err(req,
			 (datasync ? fdatasync(fi->fh) : fsync(fi->fh)) ? -errno : 0);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	struct fuse_bufvec buf = FUSE_BUFVEC_INIT(size);

	buf.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	buf.buf[0].fd = fi->fh;
	buf.buf[0].pos = offset;
	fuse_reply_data(req, &buf, FUSE_BUF_SPLICE_MOVE);
}

/* @ret: bytes or -errno */
static void reply_written(fuse_req_t req, ssize_t ret)
{
	if (ret < 0)
		phyrfs_reply_err(req, ret);
	else
		fuse_reply_write(req, ret);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size,
		     off_t offset, struct fuse_file_info *fi)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
	ssize_t ret = 0;

	if (!fi->writepage) /* who has stored it in memory, nobody knows */
		ret = phyrfs_changer_enter(req, fi->fh, phyrfs_caller_fsetid(req));
	if (ret)
		goto reply;
	do {
		ret = pwritev2(fi->fh, &iov, 1, offset,
			       fi->flags & O_APPEND ? RWF_APPEND : 0);
		if (ret < 0)
			ret = -errno;
	} while (!fi->writepage && phyrfs_caller_again(req, ret));
reply:
	reply_written(req, ret);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
			 off_t len, struct fuse_file_info *fi)
{
	int err;

	err = phyrfs_changer_enter(req, fi->fh, fuse_req_ctx(req)->uid == 0);
	if (err)
		goto reply;
	do {
		err = fallocate(fi->fh, mode, offset, len) ? -errno : 0;
	} while (phyrfs_caller_again(req, err));
	if (err) /* it may have done a part */
		phyrfs_attr_changed(req, ino);
reply:
	phyrfs_reply_err(req, err);
}

static void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
		     struct fuse_file_info *fi)
{
	off_t pos = lseek(fi->fh, offset, whence);

	if (pos < 0)
		phyrfs_reply_err(req, -errno);
	else
		fuse_reply_lseek(req, pos);
}

static void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
			       struct fuse_file_info *fi_in, fuse_ino_t ino_out,
			       off_t off_out, struct fuse_file_info *fi_out, size_t len,
			       int flags)
{
	ssize_t ret;

	ret = phyrfs_changer_enter(req, fi_out->fh, fuse_req_ctx(req)->uid == 0);
	if (ret)
		goto reply;
	do {
		ret = copy_file_range(fi_in->fh, &off_in, fi_out->fh, &off_out, len,
				      flags);
		if (ret < 0)
			ret = -errno;
	} while (phyrfs_caller_again(req, ret));
	if (ret < 0)
		phyrfs_attr_changed(req, ino_out);
reply:
	reply_written(req, ret);
}

void phyrfs_file_ops(struct fuse_lowlevel_ops *ops)
{
	ops->open = op_open;
	ops->create = op_create;
	ops->tmpfile = op_tmpfile;
	ops->release = op_release;
	ops->flush = op_flush;
	ops->fsync = op_fsync;
	ops->read = op_read;
	ops->write = op_write;
	ops->fallocate = op_fallocate;
	ops->lseek = op_lseek;
	ops->copy_file_range = op_copy_file_range;
}
