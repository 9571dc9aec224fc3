// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The source: the directory that the mount shows, and what its filesystem decides.
 *
 * It is taken as a private clone of its mount, as a bind mount would be: filesystems that
 * are mounted below it are not there, nor is this mount, should its mountpoint be below.
 * What is kept open of the clone keeps no other mount busy. The clone has mount options of
 * its own; the kernel opens the files of passed-through data by it, too.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <unistd.h>

static const struct {
	unsigned long type; /* of statfs(2) */
	bool stacked;
	bool no_flush;
} filesystems[] = {
	{ OVERLAYFS_SUPER_MAGIC, true, false }, { FUSE_SUPER_MAGIC, true, false },
	{ EXT4_SUPER_MAGIC, false, true },	{ XFS_SUPER_MAGIC, false, true },
	{ BTRFS_SUPER_MAGIC, false, true },	{ TMPFS_MAGIC, false, true },
};

void phyrfs_source_kind(struct phyrfs *fs, struct fuse_conn_info *conn)
{
	struct statfs st;

	conn->max_backing_stack_depth = FUSE_BACKING_STACKED_UNDER;
	if (fstatfs(fs->root.fd, &st))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(filesystems); i++) {
		if (filesystems[i].type != (unsigned long)st.f_type)
			continue;
		fs->no_flush = filesystems[i].no_flush;
		if (filesystems[i].stacked)
			conn->max_backing_stack_depth = FUSE_BACKING_STACKED_OVER;
	}
}

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
		phyrfs_message("not shown: %zu filesystem%s mounted below %s, such as %s",
			       nr, nr > 1 ? "s" : "", opts->source, first);
}

/* -EPERM and -EINVAL: the kernel makes no clone for this process, or of this mount. */
static int source_clone(const struct phyrfs_options *opts, int dir_fd, int *ret_fd)
{
	struct mount_attr attr = {
		.attr_set = opts->mount_attrs,
		.attr_clr = opts->mount_attrs_clear,
		.propagation = MS_PRIVATE,
	};
	int err, fd;

	fd = open_tree(dir_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (fd < 0)
		return -errno;
	if (mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr))) {
		err = -errno;
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

static int source_root(const struct phyrfs_options *opts, int *ret_fd)
{
	int err, fd, dir_fd;

	dir_fd = open(opts->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	err = source_clone(opts, dir_fd, &fd);
	if (err == -EPERM || err == -EINVAL) {
		*ret_fd = dir_fd;
		return 0;
	}
	close(dir_fd);
	if (err)
		return err;
	*ret_fd = fd;
	source_tell_mounts(opts);
	return 0;
}

int phyrfs_source_open(struct phyrfs *fs)
{
	int err, fd;

	fs->proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fs->proc_fd < 0) {
		err = -errno;
		phyrfs_message("/proc/self/fd: %s; /proc has to be mounted",
			       strerror(errno));
		return err;
	}
	err = source_root(&fs->opts, &fd);
	if (err)
		goto close_proc;
	err = phyrfs_table_init(fs, fd);
	if (err)
		goto close_fd;
	phyrfs_fds_init(fs);
	return 0;

close_fd:
	close(fd);
close_proc:
	close(fs->proc_fd);
	phyrfs_message("%s: %s", fs->opts.source, strerror(-err));
	return err;
}

void phyrfs_source_close(struct phyrfs *fs)
{
	phyrfs_table_free(fs);
	phyrfs_fds_exit(fs);
	close(fs->root.fd);
	close(fs->proc_fd);
}
