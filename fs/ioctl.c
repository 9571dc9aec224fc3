// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ioctl(2): attributes of a file that lsattr(1), chattr(1) and xfs_io(8) show and set.
 * The kernel has checked whether the caller may. Others would need the caller's memory,
 * or mean this filesystem and not the source.
 */
#include "phyrfs.h"

#include <phyrfs_abi.h>

#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

/* Not the sizes in the numbers: those of FLAGS say long, and are int. */
static const struct {
	unsigned int cmd;
	unsigned int bytes;
	bool set;
} known[] = {
	{ FS_IOC_GETFLAGS, sizeof(int), false },
	{ FS_IOC_SETFLAGS, sizeof(int), true },
	{ FS_IOC_FSGETXATTR, sizeof(struct fsxattr), false },
	{ FS_IOC_FSSETXATTR, sizeof(struct fsxattr), true },
	{ FS_IOC_GETVERSION, sizeof(int), false },
};

static void reply_stats(fuse_req_t req, size_t out_bytes)
{
	struct phyrfs_stats stats;

	if (out_bytes < sizeof(stats)) {
		phyrfs_reply_err(req, -EINVAL);
		return;
	}
	phyrfs_count_get(phyrfs_of(req), &stats);
	fuse_reply_ioctl(req, 0, &stats, sizeof(stats));
}

static void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
		     struct fuse_file_info *fi, unsigned int flags, const void *in_buf,
		     size_t in_bytes, size_t out_bytes)
{
	int fd = flags & FUSE_IOCTL_DIR ? phyrfs_dir_fd(fi) : (int)fi->fh;
	union {
		struct fsxattr fsxattr;
		long number;
	} value = { 0 };
	size_t i = 0;
	int err;

	if (cmd == PHYRFS_IOC_STATS && flags & FUSE_IOCTL_DIR) {
		reply_stats(req, out_bytes);
		return;
	}
	while (i < ARRAY_SIZE(known) && known[i].cmd != cmd)
		i++;
	if (i == ARRAY_SIZE(known)) {
		phyrfs_reply_err(req, -ENOTTY);
		return;
	}
	if ((known[i].set ? in_bytes : out_bytes) < known[i].bytes) {
		phyrfs_reply_err(req, -EINVAL);
		return;
	}
	if (known[i].set)
		memcpy(&value, in_buf, known[i].bytes);
	err = ioctl(fd, cmd, &value) ? -errno : 0;
	if (known[i].set) /* which touches the file even if it fails */
		phyrfs_attr_changed(req, ino);
	if (err)
		phyrfs_reply_err(req, err);
	else
		fuse_reply_ioctl(req, 0, &value, known[i].set ? 0 : known[i].bytes);
}

void phyrfs_ioctl_ops(struct fuse_lowlevel_ops *ops)
{
	ops->ioctl = op_ioctl;
}
