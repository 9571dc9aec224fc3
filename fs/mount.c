// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The mounts that the source consists of: its own, and with -o submounts those below it,
 * which come and go. One is known as long as an inode on it is, and kept busy that long.
 * The fd to open its handles with comes from the caller: for want of fds inodes may lose
 * theirs and be freed, and so mounts be put.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
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

static void mount_kind(struct phyrfs_mount *mount, int fd)
{
	struct statfs st;

	if (fstatfs(fd, &st))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(filesystems); i++) {
		if (filesystems[i].type != (unsigned long)st.f_type)
			continue;
		mount->stacked = filesystems[i].stacked;
		mount->no_flush = filesystems[i].no_flush;
	}
}

static void mount_free(struct phyrfs *fs, struct phyrfs_mount *mount)
{
	if (mount->fd >= 0) {
		close(mount->fd);
		fs->nr_pinned--;
	}
	free(mount);
}

/* @fd is on it. Asks the source, so not under table_lock. */
static int mount_new(struct phyrfs *fs, int fd, uint64_t id, int handles_fd,
		     struct phyrfs_mount **ret_mount)
{
	struct phyrfs_mount *mount;

	mount = calloc(1, sizeof(*mount));
	if (!mount) {
		if (handles_fd >= 0)
			close(handles_fd);
		return -ENOMEM;
	}
	mount->id = id;
	mount->nr_inodes = 1;
	mount->fd = handles_fd;
	if (mount->fd >= 0)
		fs->nr_pinned++;
	mount_kind(mount, fd);
	*ret_mount = mount;
	return 0;
}

/* With one more inode. Under table_lock. */
static struct phyrfs_mount *mount_find(struct phyrfs *fs, uint64_t id)
{
	struct phyrfs_mount *mount;

	LIST_FOREACH (mount, &fs->mounts, mounts) {
		if (mount->id != id)
			continue;
		/* Most requests in a row are about one mount. */
		LIST_REMOVE(mount, mounts);
		LIST_INSERT_HEAD(&fs->mounts, mount, mounts);
		mount->nr_inodes++;
		return mount;
	}
	return NULL;
}

struct phyrfs_mount *phyrfs_mount_get(struct phyrfs *fs, uint64_t id)
{
	struct phyrfs_mount *mount;

	if (id == fs->root.mount->id)
		return fs->root.mount;
	pthread_mutex_lock(&fs->table_lock);
	mount = mount_find(fs, id);
	pthread_mutex_unlock(&fs->table_lock);
	return mount;
}

int phyrfs_mount_add(struct phyrfs *fs, int fd, uint64_t id, int handles_fd,
		     struct phyrfs_mount **ret_mount)
{
	struct phyrfs_mount *mount, *new;
	int err;

	err = mount_new(fs, fd, id, handles_fd, &new);
	if (err)
		return err;
	pthread_mutex_lock(&fs->table_lock);
	/* Another thread may have added it meanwhile. */
	mount = mount_find(fs, id);
	if (!mount) {
		mount = new;
		LIST_INSERT_HEAD(&fs->mounts, mount, mounts);
	}
	pthread_mutex_unlock(&fs->table_lock);
	if (mount != new)
		mount_free(fs, new);
	*ret_mount = mount;
	return 0;
}

void phyrfs_mount_put(struct phyrfs *fs, struct phyrfs_mount *mount)
{
	bool last;

	if (mount == fs->root.mount)
		return;
	pthread_mutex_lock(&fs->table_lock);
	last = !--mount->nr_inodes;
	if (last)
		LIST_REMOVE(mount, mounts);
	pthread_mutex_unlock(&fs->table_lock);
	if (last)
		mount_free(fs, mount);
}

int phyrfs_mounts_init(struct phyrfs *fs, uint64_t root_id, int handles_fd)
{
	LIST_INIT(&fs->mounts);
	return mount_new(fs, fs->root.fd, root_id, handles_fd, &fs->root.mount);
}

void phyrfs_mounts_exit(struct phyrfs *fs)
{
	mount_free(fs, fs->root.mount);
}
