// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the server can reach: its root directory becomes the source, when the start, which
 * needs /dev, /proc and /sys, is over.
 *
 * The source is a clone that is mounted nowhere (source.c), so nothing is above or below
 * it. The mount namespace stays that of whoever started the daemon: a directory on which
 * something is mounted there cannot be removed or renamed here, as it could from any
 * other namespace, which would unmount it.
 *
 * Only with -o submounts is the clone mounted, in a namespace of its own, where mounts
 * that come and go below the source arrive, if the source's mount is shared.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The root directory is one of all threads, but for those that have left the others
 * (unshare(CLONE_FS)). Until it is changed, nobody does.
 */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t entered;
	bool pending; /* lock */
} jail = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.entered = PTHREAD_COND_INITIALIZER,
};

int phyrfs_jail_unshare_fs(void)
{
	pthread_mutex_lock(&jail.lock);
	while (jail.pending)
		pthread_cond_wait(&jail.entered, &jail.lock);
	pthread_mutex_unlock(&jail.lock);
	return unshare(CLONE_FS) ? -errno : 0;
}

static void jail_say(const struct phyrfs *fs, int err)
{
	phyrfs_message("cannot make %s the root directory of the process that serves "
		       "it: %s; -o sandbox=off does without",
		       fs->opts.source, strerror(-err));
}

int phyrfs_jail_prepare(const struct phyrfs *fs)
{
	int err;

	jail.pending = true; /* there are no threads yet */
	if (!fs->mounts_arrive)
		return 0;
	/* Slave: what is unmounted outside, meanwhile, is not kept busy here. */
	if (!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL))
		return 0;
	err = -errno;
	jail_say(fs, err);
	return err;
}

/*
 * pivot_root(2) moves the root of all who have the old one. It puts the old root on top
 * of the new one, where it is taken away with all that is mounted below. The other
 * threads keep their working directory.
 */
static int jail_pivot(const struct phyrfs *fs)
{
	if (unshare(CLONE_FS) ||
	    move_mount(fs->root.fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) ||
	    fchdir(fs->root.fd) || syscall(SYS_pivot_root, ".", ".") ||
	    umount2(".", MNT_DETACH))
		return -errno;
	return 0;
}

static int jail_chroot(const struct phyrfs *fs)
{
	char path[PHYRFS_PROC_LEN];

	phyrfs_fd_proc(fs->root.fd, path);
	return chroot(path) ? -errno : 0;
}

int phyrfs_jail_enter(const struct phyrfs *fs)
{
	int err;

	err = fs->mounts_arrive ? jail_pivot(fs) : jail_chroot(fs);
	if (err)
		jail_say(fs, err);
	pthread_mutex_lock(&jail.lock);
	jail.pending = false;
	pthread_cond_broadcast(&jail.entered);
	pthread_mutex_unlock(&jail.lock);
	return err;
}
