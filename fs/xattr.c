// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Extended attributes. The system calls take no O_PATH fd, but they take its link in
 * /proc.
 */
#include "phyrfs.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

/* As phyrfs_fd_get(), and @path for a system call. */
static int path_get(fuse_req_t req, struct phyrfs_inode *inode, char *path)
{
	int fd;

	fd = phyrfs_fd_get(phyrfs_of(req), inode);
	if (fd >= 0)
		phyrfs_fd_proc(fd, path);
	return fd;
}

#define TRUSTED "trusted."

/* Take out of a list the names that only root may see; returns the new length. */
static ssize_t list_filter(char *list, ssize_t len)
{
	ssize_t to = 0;

	for (ssize_t from = 0; from < len;) {
		size_t bytes = strlen(list + from) + 1;

		if (strncmp(list + from, TRUSTED, strlen(TRUSTED))) {
			memmove(list + to, list + from, bytes);
			to += bytes;
		}
		from += bytes;
	}
	return to;
}

/* For a caller who is not root. */
static ssize_t list_get(const char *path, char *buf, size_t size)
{
	char list[XATTR_LIST_MAX];
	ssize_t len;

	len = listxattr(path, list, sizeof(list));
	if (len < 0)
		return -errno;
	len = list_filter(list, len);
	if (!size)
		return len;
	if ((size_t)len > size)
		return -ERANGE;
	memcpy(buf, list, len);
	return len;
}

/* The attribute @name, or with NULL the list of names: its length or -errno. */
static ssize_t value_get(fuse_req_t req, struct phyrfs_inode *inode, const char *name,
			 char *buf, size_t size)
{
	char path[PHYRFS_PROC_LEN];
	ssize_t len;
	int fd;

	fd = path_get(req, inode, path);
	if (fd < 0)
		return fd;
	if (!name && fuse_req_ctx(req)->uid) {
		len = list_get(path, buf, size);
	} else {
		len = name ? getxattr(path, name, buf, size) : listxattr(path, buf, size);
		if (len < 0)
			len = -errno;
	}
	phyrfs_fd_put(inode);
	return len;
}

static void value_reply(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	char *value;
	ssize_t len;

	value = malloc(size);
	if (size && !value) {
		phyrfs_reply_err(req, -ENOMEM);
		return;
	}
	len = value_get(req, phyrfs_inode_of(req, ino), name, value, size);
	if (len < 0)
		phyrfs_reply_err(req, len);
	else if (!size)
		fuse_reply_xattr(req, len);
	else
		fuse_reply_buf(req, value, len);
	free(value);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	value_reply(req, ino, name, size);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	value_reply(req, ino, NULL, size);
}

/* An ACL is a mode, too: whether the set-group-ID bit stays depends on who sets it. */
static bool name_is_mode(const char *name)
{
	return !strcmp(name, "system.posix_acl_access");
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			const char *value, size_t size, int flags)
{
	struct phyrfs_inode *inode = phyrfs_inode_of(req, ino);
	char path[PHYRFS_PROC_LEN];
	int err = 0, fd;

	fd = path_get(req, inode, path);
	if (fd < 0) {
		phyrfs_reply_err(req, fd);
		return;
	}
	if (name_is_mode(name))
		err = phyrfs_changer_enter(req, fd, phyrfs_caller_fsetid(req));
	if (err)
		goto put_fd;
	do {
		err = setxattr(path, name, value, size, flags) ? -errno : 0;
	} while (phyrfs_caller_again(req, err));
put_fd:
	phyrfs_fd_put(inode);
	phyrfs_reply_err(req, err);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct phyrfs_inode *inode = phyrfs_inode_of(req, ino);
	char path[PHYRFS_PROC_LEN];
	int err, fd;

	fd = path_get(req, inode, path);
	if (fd < 0) {
		phyrfs_reply_err(req, fd);
		return;
	}
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
