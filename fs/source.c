// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The source: the directory that the mount shows.
 *
 * It is taken as a private clone of its mount, as a bind mount would be: filesystems that
 * are mounted below it are not there, nor is this mount, should its mountpoint be below.
 * What is kept open of the clone keeps no other mount busy. The clone has mount options
 * of its own; the kernel opens the files of passed-through data by it, too.
 *
 * With -o submounts the clone has the mounts below, too, as a slave of the source: those
 * that come and go there come and go here, as soon as it is in a mount namespace.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Say what the mount will not show, though it is there at SOURCE. */
static void source_tell_mounts(const struct phyrfs_options *opts)
{
	size_t nr = 0, len = strlen(opts->source);
	char first[PATH_MAX] = "";
	struct mntent *mount;
	FILE *mounts;

	mounts = setmntent("/proc/self/mounts", "re");
	if (!mounts)
		return;
	if (opts->source[len - 1] == '/') /* the root directory */
		len--;
	while ((mount = getmntent(mounts))) {
		if (strncmp(mount->mnt_dir, opts->source, len) ||
		    mount->mnt_dir[len] != '/' || !mount->mnt_dir[len + 1])
			continue;
		if (!nr++)
			snprintf(first, sizeof(first), "%s", mount->mnt_dir);
	}
	endmntent(mounts);
	if (nr)
		phyrfs_message("not shown: %zu filesystem%s mounted below %s, such as "
			       "%s; -o submounts shows them",
			       nr, nr > 1 ? "s" : "", opts->source, first);
}

/* -EPERM and -EINVAL: the kernel makes no clone for this process, or of this mount. */
static int source_clone(const struct phyrfs_options *opts, int dir_fd, int *ret_fd)
{
	struct mount_attr attr = {
		.attr_set = opts->mount_attrs,
		.attr_clr = opts->mount_attrs_clear,
		.propagation = opts->submounts ? MS_SLAVE : MS_PRIVATE,
	};
	unsigned int flags = AT_EMPTY_PATH | (opts->submounts ? AT_RECURSIVE : 0);
	int err, fd;

	fd = open_tree(dir_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
	if (fd < 0)
		return -errno;
	if (mount_setattr(fd, "", flags, &attr, sizeof(attr))) {
		err = -errno;
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

/* Does what is mounted below the source come to its clones, too? */
static bool source_is_shared(int dir_fd)
{
	struct libmnt_table *table;
	unsigned long propagation = 0;
	struct libmnt_fs *mount;
	struct libmnt_iter *iter;
	struct statx st;

	if (statx(dir_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st))
		return false;
	table = mnt_new_table_from_file("/proc/self/mountinfo");
	iter = mnt_new_iter(MNT_ITER_FORWARD);
	while (table && iter && !mnt_table_next_fs(table, iter, &mount))
		if ((uint64_t)mnt_fs_get_id(mount) == st.stx_mnt_id)
			mnt_fs_get_propagation(mount, &propagation);
	mnt_free_iter(iter);
	mnt_unref_table(table);
	return propagation & MS_SHARED;
}

/* Is @path below @dir? */
static bool path_is_below(const char *path, const struct stat *dir)
{
	char *parent = strdup(path), *slash;
	bool below = false;
	struct stat st;

	while (parent && !below && (slash = strrchr(parent, '/')) && slash[1]) {
		slash[slash == parent] = '\0';
		below = !stat(parent, &st) && st.st_dev == dir->st_dev &&
			st.st_ino == dir->st_ino;
	}
	free(parent);
	return below;
}

/* It would show itself, and wait for itself. */
static int submounts_check(const struct phyrfs *fs)
{
	const struct phyrfs_options *opts = &fs->opts;
	struct stat root;
	int err;

	if (!opts->mountpoint)
		return 0;
	if (fstat(fs->root.fd, &root)) {
		err = -errno;
		phyrfs_message("%s: %s", opts->source, strerror(-err));
		return err;
	}
	if (!path_is_below(opts->mountpoint, &root))
		return 0;
	phyrfs_message("%s is below %s, which -o submounts does not allow; mount it "
		       "elsewhere, or without that option",
		       opts->mountpoint, opts->source);
	return -EINVAL;
}

static int source_root(struct phyrfs *fs)
{
	int err, dir_fd, fd = -1;

	dir_fd = open(fs->opts.source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	err = source_clone(&fs->opts, dir_fd, &fd);
	if (err == -EPERM || err == -EINVAL) {
		fs->no_xdev = !fs->opts.submounts;
		fs->root.fd = dir_fd;
		return 0;
	}
	if (err) {
		close(dir_fd);
		return err;
	}
	fs->root.fd = fd;
	fs->source_fd = dir_fd;
	fs->mounts_arrive = fs->opts.submounts && source_is_shared(dir_fd);
	return 0;
}

int phyrfs_source_open(struct phyrfs *fs)
{
	int err;

	err = source_root(fs);
	if (err) {
		phyrfs_message("%s: %s", fs->opts.source, strerror(-err));
		return err;
	}
	if (fs->opts.submounts)
		err = submounts_check(fs);
	else
		source_tell_mounts(&fs->opts);
	if (err)
		phyrfs_source_close(fs);
	return err;
}

void phyrfs_source_release(struct phyrfs *fs)
{
	if (fs->source_fd >= 0)
		close(fs->source_fd);
	fs->source_fd = -1;
}

void phyrfs_source_close(struct phyrfs *fs)
{
	close(fs->root.fd);
	phyrfs_source_release(fs);
}

static void stat_of_statx(const struct statx *from, struct stat *ret_st)
{
	*ret_st = (struct stat){
		.st_dev = makedev(from->stx_dev_major, from->stx_dev_minor),
		.st_ino = from->stx_ino,
		.st_mode = from->stx_mode,
		.st_nlink = from->stx_nlink,
		.st_uid = from->stx_uid,
		.st_gid = from->stx_gid,
		.st_rdev = makedev(from->stx_rdev_major, from->stx_rdev_minor),
		.st_size = from->stx_size,
		.st_blksize = from->stx_blksize,
		.st_blocks = from->stx_blocks,
		.st_atim = { from->stx_atime.tv_sec, from->stx_atime.tv_nsec },
		.st_mtim = { from->stx_mtime.tv_sec, from->stx_mtime.tv_nsec },
		.st_ctim = { from->stx_ctime.tv_sec, from->stx_ctime.tv_nsec },
	};
}

int phyrfs_source_stat(const struct phyrfs *fs, int fd, const char *name,
		       struct stat *ret_st, uint64_t *ret_mount_id)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
	struct statx st;

	if (!fs->opts.submounts) {
		*ret_mount_id = 0;
		return fstatat(fd, name, ret_st, flags) ? -errno : 0;
	}
	if (statx(fd, name, flags, STATX_BASIC_STATS | STATX_MNT_ID, &st))
		return -errno;
	stat_of_statx(&st, ret_st);
	*ret_mount_id = st.stx_mnt_id;
	return 0;
}
