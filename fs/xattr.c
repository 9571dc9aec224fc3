// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Extended attributes. The system calls take no O_PATH fd, but they take its link in
 * /proc.
 */
#include "phyrfs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/xattr.h>

/* The path of @ino for a system call, or an error, which was replied. */
static int path_get(fuse_req_t req, struct phyrfs_inode *inode, char *path)
{
	int fd;

	fd = phyrfs_fd_get(phyrfs_of(req), inode);
	if (fd < 0) {
		phyrfs_reply_err(req, fd);
		return fd;
	}
	phyrfs_fd_proc(fd, path);
	return 0;
}

static void reply_value(fuse_req_t req, ssize_t len, const char *value, size_t size)
{
	if (len < 0)
		phyrfs_reply_err(req, -errno);
	else if (!size)
		fuse_reply_xattr(req, len);
	else
		fuse_reply_buf(req, value, len);
}

/* The attribute @name, or with NULL the list of names. */
static void value_get(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct phyrfs_inode *inode = phyrfs_inode_of(req, ino);
	char path[PHYRFS_PROC_LEN], *value;
	ssize_t len;

	value = malloc(size);
	if (size && !value) {
		phyrfs_reply_err(req, -ENOMEM);
		return;
	}
	if (!path_get(req, inode, path)) {
		len = name ? getxattr(path, name, value, size)
			   : listxattr(path, value, size);
		reply_value(req, len, value, size);
		phyrfs_fd_put(inode);
	}
	free(value);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	value_get(req, ino, name, size);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	value_get(req, ino, NULL, size);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			const char *value, size_t size, int flags)
{
	/* An ACL is a mode, too: root's keeps the set-group-id bit of a directory. */
	bool fsetid = fuse_req_ctx(req)->uid == 0;
	struct phyrfs_inode *inode = phyrfs_inode_of(req, ino);
	char path[PHYRFS_PROC_LEN];
	int err;

	if (path_get(req, inode, path))
		return;
	if (fsetid)
		phyrfs_fsetid_raise();
	err = setxattr(path, name, value, size, flags) ? -errno : 0;
	if (fsetid)
		phyrfs_fsetid_drop();
	phyrfs_fd_put(inode);
	phyrfs_reply_err(req, err);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct phyrfs_inode *inode = phyrfs_inode_of(req, ino);
	char path[PHYRFS_PROC_LEN];
	int err;

	if (path_get(req, inode, path))
		return;
	err = removexattr(path, name) ? -errno : 0;
	phyrfs_fd_put(inode);
	phyrfs_reply_err(req, err);
}

void phyrfs_xattr_ops(struct fuse_lowlevel_ops *ops)
{
	ops->getxattr = op_getxattr;
	ops->listxattr = op_listxattr;
	ops->setxattr = op_setxattr;
	ops->removexattr = op_removexattr;
}
