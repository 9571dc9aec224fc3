// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the server can reach: its root directory becomes the source, and no other mount is
 * left in a mount namespace of its own. All threads change over at once, when the start,
 * which needs /dev, /proc and /sys, is over.
 *
 * The mount itself is made before, in the namespace of whoever started the daemon.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A thread that leaves the others' root directory right now would keep the old one. */
static pthread_mutex_t unshare_lock = PTHREAD_MUTEX_INITIALIZER;

int phyrfs_jail_unshare_fs(void)
{
	int err;

	pthread_mutex_lock(&unshare_lock);
	err = unshare(CLONE_FS) ? -errno : 0;
	pthread_mutex_unlock(&unshare_lock);
	return err;
}

static void jail_say(const struct phyrfs *fs, int err)
{
	phyrfs_message("cannot make %s the root directory of the process that serves "
		       "it: %s; -o sandbox=off does without",
		       fs->opts.source, strerror(-err));
}

int phyrfs_jail_prepare(const struct phyrfs *fs)
{
	int err = 0;

	/* Slave: what is unmounted outside, meanwhile, is not kept busy here. */
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL)) {
		err = -errno;
		jail_say(fs, err);
	}
	return err;
}

/*
 * pivot_root(2) moves the root of all processes that have the old one. It puts the old
 * root on top of the new one, where it is taken away with all that is mounted below.
 */
static int jail_change_root(int root_fd)
{
	if (move_mount(root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) ||
	    fchdir(root_fd) || syscall(SYS_pivot_root, ".", ".") ||
	    umount2(".", MNT_DETACH))
		return -errno;
	return 0;
}

int phyrfs_jail_enter(const struct phyrfs *fs)
{
	int err;

	/* The other threads keep their working directory. */
	err = phyrfs_jail_unshare_fs();
	if (!err) {
		pthread_mutex_lock(&unshare_lock);
		err = jail_change_root(fs->root.fd);
		pthread_mutex_unlock(&unshare_lock);
	}
	if (err)
		jail_say(fs, err);
	return err;
}
