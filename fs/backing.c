// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Backing ids: the kernel's handles for files whose data it reads and writes without
 * asking the daemon.
 *
 * The kernel opens the file once more for each FUSE open, by the path of what was
 * registered and with the flags of that open. So the inode's own O_PATH fd serves for
 * every way of opening it.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int phyrfs_backing_open(struct phyrfs *fs, int fd, int *ret_id)
{
	struct fuse_backing_map map = { .fd = fd };
	int id;

	/* libfuse's own call for this tells success from failure, but not why. */
	id = ioctl(fuse_session_fd(fs->se), FUSE_DEV_IOC_BACKING_OPEN, &map);
	if (id < 0)
		return -errno;
	*ret_id = id;
	return 0;
}

void phyrfs_backing_close(struct phyrfs *fs, int id)
{
	uint32_t arg = id;

	ioctl(fuse_session_fd(fs->se), FUSE_DEV_IOC_BACKING_CLOSE, &arg);
}

const char *phyrfs_backing_text(int err)
{
	switch (err) {
	case -EPERM:
		return "the kernel allows it only with CAP_SYS_ADMIN; start phyrfs as root";
	case -ELOOP:
		return "the source is on a stacked filesystem; use the one below it";
	case -ENOTTY:
		return "the kernel has no FUSE passthrough; it needs Linux 6.9 or newer "
		       "with CONFIG_FUSE_PASSTHROUGH";
	case -EMFILE:
	case -ENFILE:
		return "too many open files; raise the limit with which phyrfs is started "
		       "(ulimit -Hn, LimitNOFILE=)";
	default:
		return strerror(-err);
	}
}

/* @fd is of the file, or there is none for it. */
static void backing_log(int fd, int err)
{
	static atomic_llong next_s;
	char proc[PHYRFS_PROC_LEN], path[256];
	ssize_t len = -1;

	if (!phyrfs_message_due(&next_s))
		return;
	phyrfs_fd_proc(fd, proc);
	if (fd >= 0)
		len = readlinkat(AT_FDCWD, proc, path, sizeof(path));
	phyrfs_message("data of %.*s%s goes through the daemon, not direct: %s",
		       len < 0 ? 0 : (int)len, path, len < 0 ? "a file" : "",
		       phyrfs_backing_text(err));
}

int phyrfs_backing_get(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	int err = 0, fd = -1, id;

	if (fs->passthrough) {
		fd = phyrfs_fd_get(fs, inode);
		err = fd < 0 ? fd : 0;
	}
	pthread_mutex_lock(&inode->lock);
	if (!inode->nr_opens++ && fd >= 0)
		err = phyrfs_backing_open(fs, fd, &inode->backing_id);
	id = inode->backing_id;
	pthread_mutex_unlock(&inode->lock);
	atomic_fetch_add(id ? &fs->nr_opens_passed : &fs->nr_opens_daemon, 1);
	if (err && !id)
		backing_log(fd, err);
	if (fd >= 0)
		phyrfs_fd_put(inode);
	return id;
}

/*
 * The kernel leaves passthrough of an inode before it sends the last RELEASE, so an
 * open that follows may register the file anew.
 */
void phyrfs_backing_put(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	pthread_mutex_lock(&inode->lock);
	if (!--inode->nr_opens && inode->backing_id) {
		phyrfs_backing_close(fs, inode->backing_id);
		inode->backing_id = 0;
	}
	pthread_mutex_unlock(&inode->lock);
}
