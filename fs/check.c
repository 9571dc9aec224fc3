// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * phyrfs --check: whether data will be direct depends on what the kernel says to a mount.
 * So one is made that is nowhere in the tree: nobody else sees it, and it goes with its
 * fd.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static int option_set(int fs_fd, const char *name, const char *format, unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), format, value);
	return fsconfig(fs_fd, FSCONFIG_SET_STRING, name, text, 0);
}

/* The options that every FUSE filesystem has to have: fuse(4). */
static int detached_mount(int fuse_fd, int *ret_fd)
{
	int err, fd = -1, fs_fd;

	fs_fd = fsopen("fuse", FSOPEN_CLOEXEC);
	if (fs_fd < 0)
		return -errno;
	if (option_set(fs_fd, "fd", "%u", fuse_fd) ||
	    option_set(fs_fd, "rootmode", "%o", S_IFDIR) ||
	    option_set(fs_fd, "user_id", "%u", getuid()) ||
	    option_set(fs_fd, "group_id", "%u", getgid()) ||
	    fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) ||
	    (fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, 0)) < 0) {
		err = -errno;
		close(fs_fd);
		return err;
	}
	close(fs_fd);
	*ret_fd = fd;
	return 0;
}

int phyrfs_check_mount(struct phyrfs_options *opts)
{
	int err, fuse_fd, mount_fd = -1;

	fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	err = fuse_fd < 0 ? -errno : detached_mount(fuse_fd, &mount_fd);
	if (err) {
		phyrfs_message("--check cannot mount: %s%s", strerror(-err),
			       err == -EPERM || err == -EACCES ? "; start it as root"
							       : "");
		return err;
	}
	/* libfuse takes this name for a mount that is there already. */
	if (asprintf(&opts->mount_arg, "/dev/fd/%d", fuse_fd) < 0 ||
	    asprintf(&opts->mountpoint, "/proc/self/fd/%d", mount_fd) < 0)
		return -ENOMEM;
	return 0;
}
