// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations on names in a directory: make, link, rename, remove. Regular files that
 * are opened at once are made in file.c.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Bytes that can be written before the kernel has forgotten a file. */
#define SPACE_SHORT (64 << 20)

/* The fd of the directory @parent, to do something with @name in it. */
static int dir_get(fuse_req_t req, struct phyrfs_inode *parent, const char *name,
		   int *ret_fd)
{
	int err, fd;

	err = phyrfs_name_check(name);
	if (err)
		return err;
	fd = phyrfs_fd_get(phyrfs_of(req), parent);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

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
	else if (node->target)
		ret = symlinkat(node->target, dir_fd, name);
	else
		ret = mknodat(dir_fd, name, node->mode, node->rdev);
	return ret ? -errno : 0;
}

static void reply_lookup(fuse_req_t req, struct phyrfs_inode *parent, const char *name,
			 bool known)
{
	struct fuse_entry_param entry;
	int err;

	err = phyrfs_inode_lookup(phyrfs_of(req), parent, name, known, &entry);
	if (err)
		phyrfs_reply_err(req, err);
	else
		fuse_reply_entry(req, &entry);
}

static void name_make(fuse_req_t req, fuse_ino_t parent_ino, const char *name,
		      const struct new_node *node)
{
	struct phyrfs_inode *parent = phyrfs_inode_of(req, parent_ino);
	int dir_fd, err;

	err = phyrfs_fds_room(phyrfs_of(req));
	if (!err)
		err = dir_get(req, parent, name, &dir_fd);
	if (err) {
		phyrfs_reply_err(req, err);
		return;
	}
	err = phyrfs_maker_enter(req, node->mode);
	if (!err) {
		err = node_make(dir_fd, name, node);
		phyrfs_caller_leave();
	}
	phyrfs_fd_put(parent);
	if (err)
		phyrfs_reply_err(req, err);
	else
		reply_lookup(req, parent, name, false);
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

static int inode_link(fuse_req_t req, struct phyrfs_inode *inode, int dir_fd,
		      const char *name)
{
	char from[PHYRFS_PROC_LEN];
	int err, fd;

	fd = phyrfs_fd_get(phyrfs_of(req), inode);
	if (fd < 0)
		return fd;
	/* Follows the link in /proc, not one that it leads to. */
	phyrfs_fd_proc(fd, from);
	do {
		err = linkat(AT_FDCWD, from, dir_fd, name, AT_SYMLINK_FOLLOW) ? -errno
									      : 0;
	} while (phyrfs_caller_again(req, err));
	phyrfs_fd_put(inode);
	return err;
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent,
		    const char *name)
{
	struct phyrfs_inode *parent = phyrfs_inode_of(req, new_parent);
	int dir_fd, err;

	err = phyrfs_fds_room(phyrfs_of(req));
	if (!err)
		err = dir_get(req, parent, name, &dir_fd);
	if (!err) {
		err = inode_link(req, phyrfs_inode_of(req, ino), dir_fd, name);
		phyrfs_fd_put(parent);
	}
	if (err) {
		phyrfs_attr_changed(req, ino); /* ext4 has set its ctime before */
		phyrfs_reply_err(req, err);
	} else {
		reply_lookup(req, parent, name, true);
	}
}

/*
 * Is @name the last one of a file whose space will be missed? Then it is to be free when
 * the caller goes on, and not when the kernel comes to forget the file, a moment later.
 * Elsewhere that is early enough, and spares who has the file by O_PATH an ESTALE.
 */
static bool name_holds_space(int dir_fd, const char *name, struct stat *ret_st)
{
	struct statvfs fs;
	struct stat st;
	uint64_t bytes;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode) ||
	    st.st_nlink != 1 || !st.st_blocks || fstatvfs(dir_fd, &fs))
		return false;
	bytes = (uint64_t)st.st_blocks * 512;
	if ((uint64_t)fs.f_bavail * fs.f_frsize >
	    (bytes > SPACE_SHORT ? bytes : SPACE_SHORT))
		return false;
	*ret_st = st;
	return true;
}

static void name_remove(fuse_req_t req, fuse_ino_t parent_ino, const char *name,
			int flags)
{
	struct phyrfs_inode *parent = phyrfs_inode_of(req, parent_ino);
	bool frees = false;
	int dir_fd, err;
	struct stat st;

	err = dir_get(req, parent, name, &dir_fd);
	if (!err) {
		frees = !flags && name_holds_space(dir_fd, name, &st);
		err = unlinkat(dir_fd, name, flags) ? -errno : 0;
		phyrfs_fd_put(parent);
	}
	if (!err && frees)
		phyrfs_inode_unlinked(phyrfs_of(req), parent, &st);
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

static int dir_rename(fuse_req_t req, int old_fd, const char *old_name, int new_fd,
		      const char *new_name, unsigned int flags)
{
	int err = 0;

	if (flags & RENAME_WHITEOUT) /* a device in place of the old name */
		err = phyrfs_maker_enter(req, S_IFCHR);
	if (err)
		return err;
	do {
		err = renameat2(old_fd, old_name, new_fd, new_name, flags) ? -errno : 0;
	} while (phyrfs_caller_again(req, err));
	return err;
}

static void op_rename(fuse_req_t req, fuse_ino_t old_ino, const char *old_name,
		      fuse_ino_t new_ino, const char *new_name, unsigned int flags)
{
	struct phyrfs_inode *old_parent = phyrfs_inode_of(req, old_ino);
	struct phyrfs_inode *new_parent = phyrfs_inode_of(req, new_ino);
	int err, new_fd, old_fd;
	bool frees = false;
	struct stat st;

	err = dir_get(req, old_parent, old_name, &old_fd);
	if (err)
		goto reply;
	err = dir_get(req, new_parent, new_name, &new_fd);
	if (err)
		goto put_old;
	frees = !flags && name_holds_space(new_fd, new_name, &st);
	err = dir_rename(req, old_fd, old_name, new_fd, new_name, flags);
	phyrfs_fd_put(new_parent);
	if (!err && frees)
		phyrfs_inode_unlinked(phyrfs_of(req), new_parent, &st);
put_old:
	phyrfs_fd_put(old_parent);
reply:
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
