// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations on names in a directory: make, link, rename, remove. Regular files that
 * are opened at once are made in file.c.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* What to make: a directory, a symbolic link, or anything that mknod(2) makes. */
struct new_node {
	mode_t mode;
	dev_t rdev;
	const char *target; /* of a symbolic link */
};

static int node_make(int dir_fd, const char *name, const struct new_node *node)
{
	int ret;

	if (S_ISDIR(node->mode))
		ret = mkdirat(dir_fd, name, node->mode & ALLPERMS);
	else if (S_ISLNK(node->mode))
		ret = symlinkat(node->target, dir_fd, name);
	else
		ret = mknodat(dir_fd, name, node->mode, node->rdev);
	return ret ? -errno : 0;
}

static void reply_lookup(fuse_req_t req, struct phyrfs_inode *parent, const char *name)
{
	struct fuse_entry_param entry;
	int err;

	err = phyrfs_inode_lookup(phyrfs_of(req), parent, name, &entry);
	if (err)
		phyrfs_reply_err(req, err);
	else
		fuse_reply_entry(req, &entry);
}

static void name_make(fuse_req_t req, fuse_ino_t parent_ino, const char *name,
		      const struct new_node *node)
{
	struct phyrfs_inode *parent = phyrfs_inode_of(req, parent_ino);
	int err;

	err = phyrfs_name_check(name);
	if (!err)
		err = phyrfs_caller_enter(req);
	if (err) {
		phyrfs_reply_err(req, err);
		return;
	}
	err = node_make(parent->fd, name, node);
	phyrfs_caller_leave();
	if (err)
		phyrfs_reply_err(req, err);
	else
		reply_lookup(req, parent, name);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		     dev_t rdev)
{
	name_make(req, parent, name, &(struct new_node){ .mode = mode, .rdev = rdev });
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	name_make(req, parent, name,
		  &(struct new_node){ .mode = S_IFDIR | (mode & ALLPERMS) });
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		       const char *name)
{
	name_make(req, parent, name,
		  &(struct new_node){ .mode = S_IFLNK, .target = target });
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent,
		    const char *name)
{
	struct phyrfs_inode *parent = phyrfs_inode_of(req, new_parent);
	char from[PHYRFS_PROC_LEN];
	int err;

	err = phyrfs_name_check(name);
	if (err) {
		phyrfs_reply_err(req, err);
		return;
	}
	/* Follows the link in /proc, not one that it leads to. */
	phyrfs_inode_proc(phyrfs_inode_of(req, ino), from);
	if (linkat(AT_FDCWD, from, parent->fd, name, AT_SYMLINK_FOLLOW))
		phyrfs_reply_err(req, -errno);
	else
		reply_lookup(req, parent, name);
}

static void name_remove(fuse_req_t req, fuse_ino_t parent, const char *name, int flags)
{
	int err;

	err = phyrfs_name_check(name);
	if (!err && unlinkat(phyrfs_inode_of(req, parent)->fd, name, flags))
		err = -errno;
	phyrfs_reply_err(req, err);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	name_remove(req, parent, name, 0);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	name_remove(req, parent, name, AT_REMOVEDIR);
}

static void op_rename(fuse_req_t req, fuse_ino_t old_parent, const char *old_name,
		      fuse_ino_t new_parent, const char *new_name, unsigned int flags)
{
	int err;

	err = phyrfs_name_check(old_name);
	if (!err)
		err = phyrfs_name_check(new_name);
	if (!err && renameat2(phyrfs_inode_of(req, old_parent)->fd, old_name,
			      phyrfs_inode_of(req, new_parent)->fd, new_name, flags))
		err = -errno;
	phyrfs_reply_err(req, err);
}

void phyrfs_name_ops(struct fuse_lowlevel_ops *ops)
{
	ops->mknod = op_mknod;
	ops->mkdir = op_mkdir;
	ops->symlink = op_symlink;
	ops->link = op_link;
	ops->unlink = op_unlink;
	ops->rmdir = op_rmdir;
	ops->rename = op_rename;
}
