// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where the files of a directory are: filesystem and disk, as the kernel shows them to
 * everybody, and what in them stands in the way of direct I/O. Which device memory the
 * disk reaches is for the module to say.
 */
#include "lib_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define ZFS_SUPER_MAGIC	     0x2fc12fc1
#define BCACHEFS_SUPER_MAGIC 0xca451a4e

/* Where a filesystem keeps the data of files. */
enum home {
	HOME_DISK,    /* in blocks of a disk, as the kernel's iomap finds them */
	HOME_OWN,     /* wherever its own code puts it */
	HOME_BELOW,   /* in other filesystems */
	HOME_NOWHERE, /* on no disk of this machine */
};

static const struct filesystem {
	unsigned int magic; /* of statfs(2) */
	enum home home;
	const char *name;
} filesystems[] = {
	{ EXT4_SUPER_MAGIC, HOME_DISK, "ext4" },
	{ XFS_SUPER_MAGIC, HOME_DISK, "xfs" },
	{ BTRFS_SUPER_MAGIC, HOME_OWN, "btrfs" },
	{ F2FS_SUPER_MAGIC, HOME_OWN, "f2fs" },
	{ ZFS_SUPER_MAGIC, HOME_OWN, "zfs" },
	{ BCACHEFS_SUPER_MAGIC, HOME_OWN, "bcachefs" },
	{ MSDOS_SUPER_MAGIC, HOME_OWN, "vfat" },
	{ EXFAT_SUPER_MAGIC, HOME_OWN, "exfat" },
	{ SQUASHFS_MAGIC, HOME_OWN, "squashfs" },
	{ OVERLAYFS_SUPER_MAGIC, HOME_BELOW, "overlayfs" },
	{ ECRYPTFS_SUPER_MAGIC, HOME_BELOW, "ecryptfs" },
	{ FUSE_SUPER_MAGIC, HOME_BELOW, "FUSE" },
	{ TMPFS_MAGIC, HOME_NOWHERE, "tmpfs" },
	{ RAMFS_MAGIC, HOME_NOWHERE, "ramfs" },
	{ PROC_SUPER_MAGIC, HOME_NOWHERE, "proc" },
	{ SYSFS_MAGIC, HOME_NOWHERE, "sysfs" },
	{ NFS_SUPER_MAGIC, HOME_NOWHERE, "nfs" },
	{ SMB2_SUPER_MAGIC, HOME_NOWHERE, "cifs" },
	{ CEPH_SUPER_MAGIC, HOME_NOWHERE, "ceph" },
	{ V9FS_MAGIC, HOME_NOWHERE, "9p" },
};

/* For a filesystem that is not in the table its number has to do. */
static enum home filesystem_find(unsigned int magic, char *name, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(filesystems); i++) {
		if (filesystems[i].magic != magic)
			continue;
		snprintf(name, size, "%s", filesystems[i].name);
		return filesystems[i].home;
	}
	snprintf(name, size, "a filesystem of type 0x%x", magic);
	return HOME_OWN;
}

/*
 * Does ext4 journal the data of all files? /proc/mounts would not tell when the
 * filesystem does so by itself (tune2fs -o journal_data).
 */
static bool source_journals_data(const struct phyr_source *source)
{
	char dir[64], options[4096];
	const char *name = strrchr(source->disk_path, '/');

	snprintf(dir, sizeof(dir), "/proc/fs/ext4%s", name ? name : "/");
	return !sysfs_read(dir, "options", options, sizeof(options)) &&
	       strstr(options, "data=journal");
}

/* Sets the reason, and in @text what follows the name of the directory. */
static unsigned int source_explain(struct phyr_source *source, enum home home, char *text,
				   size_t size)
{
	const char *name = source->filesystem;
	char disk_text[DISK_TEXT_LEN];
	unsigned int reason;

	switch (home) {
	case HOME_OWN:
		snprintf(
			text, size,
			"is on %s, which phyr does not serve; only ext4 and xfs are direct",
			name);
		return PHYR_REASON_FILESYSTEM;
	case HOME_BELOW:
		snprintf(text, size,
			 "is on %s, which keeps its data in other filesystems; ask for "
			 "a directory of those",
			 name);
		return PHYR_REASON_FILESYSTEM;
	case HOME_NOWHERE:
		snprintf(text, size,
			 "is on %s, which has no disk of this machine; only ext4 and xfs "
			 "on an NVMe disk are direct",
			 name);
		return PHYR_REASON_NOT_NVME;
	case HOME_DISK:
		break;
	}
	reason = disk_explain(source->disk, source->disk_path, disk_text);
	if (reason != PHYR_REASON_DIRECT) {
		snprintf(text, size, "is on %s%s", source->disk_path, disk_text);
		return reason;
	}
	if (source_journals_data(source)) {
		snprintf(
			text, size,
			"is on ext4 with data=journal, whose data passes host memory; mount "
			"it with data=ordered");
		return PHYR_REASON_FILESYSTEM;
	}
	snprintf(text, size, "is on %s, on %s", name, source->disk_path);
	return PHYR_REASON_DIRECT;
}

int phyr_source_find(int fd, struct phyr_source *ret_source)
{
	struct phyr_source source = { 0 };
	struct statfs fs;
	struct stat st;
	enum home home;

	if (fstatfs(fd, &fs) || fstat(fd, &st))
		return -errno;
	source.disk = st.st_dev;
	home = filesystem_find(fs.f_type, source.filesystem, sizeof(source.filesystem));
	source.reason = source_explain(&source, home, source.text, sizeof(source.text));
	*ret_source = source;
	return 0;
}

/* Smaller BARs are registers, as a rule, and nothing to put data in. */
#define REACH_BYTES (1024 * 1024)

int phyr_source_reach(struct phyr_dev *dev, const struct phyr_source *source,
		      struct phyr_reach **ret_reaches, size_t *ret_nr)
{
	struct phyr_bar *bars = NULL;
	struct vec vec = { 0 };
	size_t nr_bars;
	int disk_fd, err;

	disk_fd = disk_open(source->disk);
	if (disk_fd < 0)
		return disk_fd;
	err = phyr_bar_list(&bars, &nr_bars);
	for (size_t i = 0; !err && i < nr_bars; i++) {
		struct phyr_reach reach = { .bar = bars[i] };

		if (bars[i].size_bytes < REACH_BYTES)
			continue;
		err = phyr_route(dev, disk_fd, &bars[i].addr, bars[i].bar, &reach.route);
		/* A device may be unplugged at any time. */
		if (err == -ENODEV)
			err = 0;
		else if (!err)
			err = vec_append(&vec, &reach, sizeof(reach));
	}
	free(bars);
	close(disk_fd);
	if (err) {
		free(vec.items);
		return err;
	}
	*ret_reaches = vec.items;
	*ret_nr = vec.nr;
	return 0;
}
