// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is mounted where, in this mount namespace. No mount is asked, only the kernel's
 * table is read: so one whose daemon hangs holds nobody up.
 */
#include "command.h"

#include <libmount/libmount.h>
#include <stdio.h>
#include <string.h>

struct libmnt_table *mounts_read(void)
{
	return mnt_new_table_from_file("/proc/self/mountinfo");
}

void mounts_free(struct libmnt_table *mounts)
{
	mnt_unref_table(mounts);
}

const char *mounts_path(struct libmnt_table *mounts, dev_t dev)
{
	struct libmnt_fs *fs = NULL;

	if (mounts)
		fs = mnt_table_find_devno(mounts, dev, MNT_ITER_FORWARD);
	return fs ? mnt_fs_get_target(fs) : NULL;
}

/* Is @device the disk nvme0n1, as @disk says, or its partition nvme0n1p2? */
static bool mounts_on_disk(const char *device, const struct phyr_disk *disk)
{
	size_t len = strlen(disk->path);

	return device && !strncmp(device, disk->path, len) &&
	       (!device[len] || device[len] == 'p');
}

/* The next mount of a whole filesystem on @disk, or NULL. */
static struct libmnt_fs *mounts_next(struct libmnt_table *mounts,
				     struct libmnt_iter *iter,
				     const struct phyr_disk *disk)
{
	struct libmnt_fs *fs;
	const char *root;

	while (mounts && !mnt_table_next_fs(mounts, iter, &fs)) {
		root = mnt_fs_get_root(fs);
		if (mounts_on_disk(mnt_fs_get_srcpath(fs), disk) && root &&
		    !strcmp(root, "/"))
			return fs;
	}
	return NULL;
}

void mounts_print(struct libmnt_table *mounts, const struct phyr_disk *disk)
{
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;

	while ((fs = mounts_next(mounts, iter, disk)))
		printf("      %s is mounted at %s, %s\n", mnt_fs_get_srcpath(fs),
		       mnt_fs_get_target(fs), mnt_fs_get_fstype(fs));
	mnt_free_iter(iter);
}

struct json_object *mounts_json(struct libmnt_table *mounts, const struct phyr_disk *disk)
{
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct json_object *list = json_object_new_array(), *one;
	struct libmnt_fs *fs;

	while ((fs = mounts_next(mounts, iter, disk))) {
		one = json_object_new_object();
		json_add_text(one, "device", mnt_fs_get_srcpath(fs));
		json_add_text(one, "path", mnt_fs_get_target(fs));
		json_add_text(one, "filesystem", mnt_fs_get_fstype(fs));
		json_object_array_add(list, one);
	}
	mnt_free_iter(iter);
	return list;
}
