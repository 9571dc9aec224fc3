// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations on an inode by itself: references, attributes, target of a symbolic link,
 * and the filesystem's numbers.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct phyrfs *fs = phyrfs_of(req);
	bool cached = fs->opts.timeout_s > 0; /* then the kernel asks for new ones */
	struct fuse_entry_param entry;
	int err;

	err = phyrfs_fds_room(fs);
	if (!err)
		err = phyrfs_inode_lookup(fs, phyrfs_inode_of(req, parent), name, !cached,
					  &entry);
	if (err == -ENOENT && cached) {
		/* may be believed, too */
		entry = (struct fuse_entry_param){
			.entry_timeout = fs->opts.timeout_s,
		};
		err = 0;
	}
	if (err)
		phyrfs_reply_err(req, err);
	else
		fuse_reply_entry(req, &entry);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nr)
{
	phyrfs_inode_forget(phyrfs_of(req), phyrfs_inode_of(req, ino), nr);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *data)
{
	for (size_t i = 0; i < count; i++)
		phyrfs_inode_forget(phyrfs_of(req), phyrfs_inode_of(req, data[i].ino),
				    data[i].nlookup);
	fuse_reply_none(req);
}

static int attr_get(struct phyrfs *fs, int fd, struct stat *ret_st)
{
	struct stat st;
	int err;

	err = fstat(fd, &st) ? -errno : 0;
	if (!err)
		err = phyrfs_number(fs, st.st_dev, st.st_ino, &st.st_ino);
	if (!err)
		*ret_st = st;
	return err;
}

/* @err is 0 or -errno, as in all replies here; @st is needed if it is 0. */
static void reply_attr(fuse_req_t req, int err, const struct stat *st)
{
	if (err)
		phyrfs_reply_err(req, err);
	else
		fuse_reply_attr(req, st, phyrfs_of(req)->opts.timeout_s);
}

/*
 * The kernel may forget an inode once it has the reply. So whoever uses it puts its fd
 * before.
 */
static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct phyrfs_inode *inode = phyrfs_inode_of(req, ino);
	struct stat st;
	int err, fd;

	fd = phyrfs_fd_get(phyrfs_of(req), inode);
	if (fd < 0) {
		phyrfs_reply_err(req, fd);
		return;
	}
	err = attr_get(phyrfs_of(req), fd, &st);
	phyrfs_fd_put(inode);
	reply_attr(req, err, &st);
}

void phyrfs_attr_changed(fuse_req_t req, fuse_ino_t ino)
{
	struct phyrfs *fs = phyrfs_of(req);

	/* Attributes without data. An error means that it does not know the file. */
	if (fs->opts.timeout_s > 0)
		fuse_lowlevel_notify_inval_inode(fs->se, ino, -1, 0);
}

/*
 * Clears set-id bits as chown(2) does, so also when nothing is to be set. Which ones
 * depends, for a file with the set-group-id bit, on the caller's groups, of which the
 * first is known here, and on CAP_FSETID, of which only root's is.
 */
static int attr_set_owner(fuse_req_t req, int fd, const struct stat *attr, int to_set)
{
	uid_t uid = to_set & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t)-1;
	gid_t gid = to_set & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t)-1;
	int err;

	err = phyrfs_changer_enter(req, fd, fuse_req_ctx(req)->uid == 0);
	if (err)
		return err;
	err = fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) ? -errno
									      : 0;
	phyrfs_caller_leave();
	return err;
}

/* The kernel has already taken out what the caller may not set. */
static int attr_set_mode(int fd, mode_t mode)
{
	bool fsetid = mode & S_ISGID;
	char path[PHYRFS_PROC_LEN];
	int err;

	phyrfs_fd_proc(fd, path);
	if (fsetid)
		phyrfs_fsetid_raise();
	err = chmod(path, mode & ALLPERMS) ? -errno : 0;
	if (fsetid)
		phyrfs_fsetid_drop();
	return err;
}

/* Not by open(2) and ftruncate(2): filesystems may treat the two differently. */
static int attr_truncate(const struct phyrfs_inode *inode, int fd, off_t size,
			 struct fuse_file_info *fi)
{
	char path[PHYRFS_PROC_LEN];

	if (fi)
		return ftruncate(fi->fh, size) ? -errno : 0;
	if (inode->type != S_IFREG)
		return -EINVAL;
	phyrfs_fd_proc(fd, path);
	return truncate(path, size) ? -errno : 0;
}

/* FUSE_SET_ATTR_KILL_SUID is the kernel's FATTR_KILL_SUIDGID. */
static int attr_set_size(fuse_req_t req, const struct phyrfs_inode *inode, int fd,
			 const struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	int err;

	err = phyrfs_changer_enter(req, fd, !(to_set & FUSE_SET_ATTR_KILL_SUID));
	if (err)
		return err;
	do {
		err = attr_truncate(inode, fd, attr->st_size, fi);
	} while (phyrfs_caller_again(req, err));
	return err;
}

static int attr_set_times(int fd, const struct stat *attr, int to_set)
{
	struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_nsec = UTIME_OMIT },
	};

	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		times[0].tv_nsec = UTIME_NOW;
	else if (to_set & FUSE_SET_ATTR_ATIME)
		times[0] = attr->st_atim;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		times[1].tv_nsec = UTIME_NOW;
	else if (to_set & FUSE_SET_ATTR_MTIME)
		times[1] = attr->st_mtim;
	return utimensat(fd, "", times, AT_EMPTY_PATH) ? -errno : 0;
}

#define SET_OWNER (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)
#define SET_TIMES (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		       struct fuse_file_info *fi)
{
	struct phyrfs_inode *inode = phyrfs_inode_of(req, ino);
	int err = 0, path_fd;
	struct stat st;

	path_fd = phyrfs_fd_get(phyrfs_of(req), inode);
	if (path_fd < 0) {
		phyrfs_reply_err(req, path_fd);
		return;
	}
	/* Owner before mode: a change of owner clears set-id bits. */
	if (to_set & SET_OWNER || !to_set)
		err = attr_set_owner(req, path_fd, attr, to_set);
	if (!err && to_set & FUSE_SET_ATTR_MODE)
		err = attr_set_mode(path_fd, attr->st_mode);
	if (!err && to_set & FUSE_SET_ATTR_SIZE)
		err = attr_set_size(req, inode, path_fd, attr, to_set, fi);
	if (!err && to_set & SET_TIMES)
		err = attr_set_times(path_fd, attr, to_set);
	if (!err)
		err = attr_get(phyrfs_of(req), path_fd, &st);
	phyrfs_fd_put(inode);
	reply_attr(req, err, &st);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct phyrfs_inode *inode = phyrfs_inode_of(req, ino);
	char target[PATH_MAX];
	ssize_t len;
	int err, fd;

	fd = phyrfs_fd_get(phyrfs_of(req), inode);
	if (fd < 0) {
		phyrfs_reply_err(req, fd);
		return;
	}
	len = readlinkat(fd, "", target, sizeof(target));
	err = len < 0 ? -errno : 0;
	phyrfs_fd_put(inode);
	if (err) {
		phyrfs_reply_err(req, err);
	} else if (len == sizeof(target)) {
		phyrfs_reply_err(req, -ENAMETOOLONG);
	} else {
		target[len] = '\0';
		fuse_reply_readlink(req, target);
	}
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct phyrfs_inode *inode = phyrfs_inode_of(req, ino);
	struct statvfs st;
	int err, fd;

	fd = phyrfs_fd_get(phyrfs_of(req), inode);
	if (fd < 0) {
		phyrfs_reply_err(req, fd);
		return;
	}
	err = fstatvfs(fd, &st) ? -errno : 0;
	phyrfs_fd_put(inode);
	if (err)
		phyrfs_reply_err(req, err);
	else
		fuse_reply_statfs(req, &st);
}

void phyrfs_meta_ops(struct fuse_lowlevel_ops *ops)
{
	ops->lookup = op_lookup;
	ops->forget = op_forget;
	ops->forget_multi = op_forget_multi;
	ops->getattr = op_getattr;
	ops->setattr = op_setattr;
	ops->readlink = op_readlink;
	ops->statfs = op_statfs;
}
