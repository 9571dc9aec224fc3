// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations on an inode by itself: references, attributes, extended attributes,
 * target of a symbolic link, and the filesystem's numbers.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry;
	int err;

	err = phyrfs_inode_lookup(phyrfs_of(req), phyrfs_inode_of(req, parent), name,
				  &entry);
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

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	if (fstat(phyrfs_inode_of(req, ino)->fd, &st))
		phyrfs_reply_err(req, -errno);
	else
		fuse_reply_attr(req, &st, PHYRFS_TIMEOUT_S);
}

static int attr_set_owner(struct phyrfs_inode *inode, const struct stat *attr, int to_set)
{
	uid_t uid = to_set & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t)-1;
	gid_t gid = to_set & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t)-1;

	if (fchownat(inode->fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -errno;
	return 0;
}

/* The kernel has already taken out what the caller may not set. */
static int attr_set_mode(struct phyrfs_inode *inode, mode_t mode)
{
	char path[PHYRFS_PROC_LEN];
	int err;

	phyrfs_inode_proc(inode, path);
	phyrfs_fsetid_raise();
	err = chmod(path, mode & ALLPERMS) ? -errno : 0;
	phyrfs_fsetid_drop();
	return err;
}

static int attr_set_size(struct phyrfs *fs, struct phyrfs_inode *inode, off_t size,
			 struct fuse_file_info *fi)
{
	int err, fd;

	if (fi)
		return ftruncate(fi->fh, size) ? -errno : 0;
	err = phyrfs_inode_open(fs, inode, O_WRONLY, &fd);
	if (err)
		return err;
	err = ftruncate(fd, size) ? -errno : 0;
	close(fd);
	return err;
}

static int attr_set_times(struct phyrfs_inode *inode, const struct stat *attr, int to_set)
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
	return utimensat(inode->fd, "", times, AT_EMPTY_PATH) ? -errno : 0;
}

#define SET_OWNER (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)
#define SET_TIMES (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME)

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		       struct fuse_file_info *fi)
{
	struct phyrfs_inode *inode = phyrfs_inode_of(req, ino);
	int err = 0;

	/* Owner before mode: a change of owner clears set-id bits. */
	if (to_set & SET_OWNER)
		err = attr_set_owner(inode, attr, to_set);
	if (!err && to_set & FUSE_SET_ATTR_MODE)
		err = attr_set_mode(inode, attr->st_mode);
	if (!err && to_set & FUSE_SET_ATTR_SIZE)
		err = attr_set_size(phyrfs_of(req), inode, attr->st_size, fi);
	if (!err && to_set & SET_TIMES)
		err = attr_set_times(inode, attr, to_set);
	if (err)
		phyrfs_reply_err(req, err);
	else
		op_getattr(req, ino, fi);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[PATH_MAX];
	ssize_t len;

	len = readlinkat(phyrfs_inode_of(req, ino)->fd, "", target, sizeof(target));
	if (len < 0) {
		phyrfs_reply_err(req, -errno);
		return;
	}
	if (len == sizeof(target)) {
		phyrfs_reply_err(req, -ENAMETOOLONG);
		return;
	}
	target[len] = '\0';
	fuse_reply_readlink(req, target);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;

	if (fstatvfs(phyrfs_inode_of(req, ino)->fd, &st))
		phyrfs_reply_err(req, -errno);
	else
		fuse_reply_statfs(req, &st);
}

/* ---------------------------------------------------------- extended attributes */

static void xattr_reply(fuse_req_t req, ssize_t len, const char *value, size_t size)
{
	if (len < 0)
		phyrfs_reply_err(req, -errno);
	else if (!size)
		fuse_reply_xattr(req, len);
	else
		fuse_reply_buf(req, value, len);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	char path[PHYRFS_PROC_LEN], *value;

	value = malloc(size);
	if (size && !value) {
		phyrfs_reply_err(req, -ENOMEM);
		return;
	}
	phyrfs_inode_proc(phyrfs_inode_of(req, ino), path);
	xattr_reply(req, getxattr(path, name, value, size), value, size);
	free(value);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	char path[PHYRFS_PROC_LEN], *list;

	list = malloc(size);
	if (size && !list) {
		phyrfs_reply_err(req, -ENOMEM);
		return;
	}
	phyrfs_inode_proc(phyrfs_inode_of(req, ino), path);
	xattr_reply(req, listxattr(path, list, size), list, size);
	free(list);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			const char *value, size_t size, int flags)
{
	/* An ACL is a mode, too: root's keeps the set-group-id bit of a directory. */
	bool fsetid = fuse_req_ctx(req)->uid == 0;
	char path[PHYRFS_PROC_LEN];
	int err;

	phyrfs_inode_proc(phyrfs_inode_of(req, ino), path);
	if (fsetid)
		phyrfs_fsetid_raise();
	err = setxattr(path, name, value, size, flags) ? -errno : 0;
	if (fsetid)
		phyrfs_fsetid_drop();
	phyrfs_reply_err(req, err);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	char path[PHYRFS_PROC_LEN];

	phyrfs_inode_proc(phyrfs_inode_of(req, ino), path);
	phyrfs_reply_err(req, removexattr(path, name) ? -errno : 0);
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
	ops->getxattr = op_getxattr;
	ops->listxattr = op_listxattr;
	ops->setxattr = op_setxattr;
	ops->removexattr = op_removexattr;
}
