// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Open directories. The offsets that the kernel gets are the source filesystem's own
 * (d_off), so a position stays valid however long it is kept.
 */
#include "phyrfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct dir_handle {
	DIR *stream;
	pthread_mutex_t lock; /* all below, and the stream's position */
	struct dirent *entry; /* read, but did not fit into the last reply */
	off_t offset;	      /* of what comes next */
};

static struct dir_handle *dir_of(const struct fuse_file_info *fi)
{
	return (struct dir_handle *)(uintptr_t)fi->fh;
}

int phyrfs_dir_fd(const struct fuse_file_info *fi)
{
	return dirfd(dir_of(fi)->stream);
}

static void dir_close(struct phyrfs *fs, struct dir_handle *dir)
{
	pthread_mutex_destroy(&dir->lock);
	closedir(dir->stream);
	phyrfs_fd_unpin(fs);
	free(dir);
}

static int dir_open(struct phyrfs *fs, struct phyrfs_inode *inode,
		    struct dir_handle **ret_dir)
{
	struct dir_handle *dir;
	int err, fd, path_fd;

	path_fd = phyrfs_fd_get(fs, inode);
	if (path_fd < 0)
		return path_fd;
	fd = phyrfs_openat(fs, path_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	phyrfs_fd_put(inode);
	if (fd < 0)
		return fd;
	err = -ENOMEM;
	dir = calloc(1, sizeof(*dir));
	if (!dir)
		goto close_fd;
	dir->stream = fdopendir(fd);
	if (!dir->stream)
		goto free_dir;
	pthread_mutex_init(&dir->lock, NULL);
	*ret_dir = dir;
	return 0;

free_dir:
	free(dir);
close_fd:
	close(fd);
	return err;
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct phyrfs *fs = phyrfs_of(req);
	struct dir_handle *dir = NULL;
	int err;

	err = phyrfs_fd_pin(req);
	if (!err) {
		err = dir_open(fs, phyrfs_inode_of(req, ino), &dir);
		if (err)
			phyrfs_fd_unpin(fs);
	}
	if (err) {
		phyrfs_reply_err(req, err);
		return;
	}
	fi->fh = (uintptr_t)dir;
	fi->cache_readdir = fi->keep_cache = fs->opts.timeout_s > 0;
	if (fuse_reply_open(req, fi) == -ENOENT)
		dir_close(fs, dir);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	dir_close(phyrfs_of(req), dir_of(fi));
	fuse_reply_err(req, 0);
}

/* Make dir->entry the entry at dir->offset, or NULL at the end. */
static int dir_next(struct dir_handle *dir)
{
	if (dir->entry)
		return 0;
	errno = 0;
	dir->entry = readdir(dir->stream);
	return dir->entry ? 0 : -errno;
}

static bool entry_is_dot(const struct dirent *entry)
{
	return !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
}

struct dir_reply {
	fuse_req_t req;
	struct phyrfs_inode *inode;
	char *buf;
	size_t size, used;
	bool plus; /* with the attributes and a reference of each entry */
};

/*
 * Attributes of an entry; without a node id if it has none to give, and then the
 * kernel asks when it needs them. What is known the kernel has asked for before, and
 * believes what it was told.
 */
static int entry_fill(struct dir_reply *reply, const struct dirent *entry,
		      struct fuse_entry_param *param)
{
	struct phyrfs *fs = phyrfs_of(reply->req);
	struct phyrfs_inode *dir = reply->inode;
	uint64_t number;
	int err;

	err = phyrfs_number(fs, dir->dev, entry->d_ino, &number);
	if (err)
		return err;
	*param = (struct fuse_entry_param){
		.attr.st_ino = number,
		.attr.st_mode = DTTOIF(entry->d_type),
	};
	if (reply->plus && !entry_is_dot(entry) && !phyrfs_fds_room(fs) &&
	    !phyrfs_inode_known(fs, dir, entry->d_ino))
		phyrfs_inode_lookup(fs, dir, entry->d_name, false, param);
	return 0;
}

/* -ENOSPC: the entry does not fit. */
static int reply_add(struct dir_reply *reply, const struct dirent *entry)
{
	size_t left = reply->size - reply->used, need;
	struct fuse_entry_param param;
	char *pos = reply->buf + reply->used;
	int err;

	need = reply->plus
		       ? fuse_add_direntry_plus(reply->req, NULL, 0, entry->d_name, NULL,
						0)
		       : fuse_add_direntry(reply->req, NULL, 0, entry->d_name, NULL, 0);
	if (need > left)
		return -ENOSPC;
	err = entry_fill(reply, entry, &param);
	if (err)
		return err;
	if (reply->plus)
		fuse_add_direntry_plus(reply->req, pos, left, entry->d_name, &param,
				       entry->d_off);
	else
		fuse_add_direntry(reply->req, pos, left, entry->d_name, &param.attr,
				  entry->d_off);
	reply->used += need;
	return 0;
}

static int reply_fill(struct dir_reply *reply, struct dir_handle *dir, off_t offset)
{
	int err;

	if (offset != dir->offset) {
		seekdir(dir->stream, offset);
		dir->entry = NULL;
		dir->offset = offset;
	}
	for (;;) {
		err = dir_next(dir);
		if (!err && dir->entry)
			err = reply_add(reply, dir->entry);
		if (err || !dir->entry)
			return err == -ENOSPC ? 0 : err;
		dir->offset = dir->entry->d_off;
		dir->entry = NULL;
	}
}

static void dir_read(struct dir_reply *reply, off_t offset, struct fuse_file_info *fi)
{
	struct dir_handle *dir = dir_of(fi);
	int err;

	reply->buf = malloc(reply->size);
	if (!reply->buf) {
		phyrfs_reply_err(reply->req, -ENOMEM);
		return;
	}
	pthread_mutex_lock(&dir->lock);
	err = reply_fill(reply, dir, offset);
	pthread_mutex_unlock(&dir->lock);
	/* What was found before an error is delivered; the next call meets it again. */
	if (err && !reply->used)
		phyrfs_reply_err(reply->req, err);
	else
		fuse_reply_buf(reply->req, reply->buf, reply->used);
	free(reply->buf);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		       struct fuse_file_info *fi)
{
	struct dir_reply reply = {
		.req = req,
		.inode = phyrfs_inode_of(req, ino),
		.size = size,
	};

	dir_read(&reply, offset, fi);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
			   struct fuse_file_info *fi)
{
	struct dir_reply reply = {
		.req = req,
		.inode = phyrfs_inode_of(req, ino),
		.size = size,
		.plus = true,
	};

	dir_read(&reply, offset, fi);
}

static void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
			struct fuse_file_info *fi)
{
	int fd = phyrfs_dir_fd(fi);

	phyrfs_reply_err(req, (datasync ? fdatasync(fd) : fsync(fd)) ? -errno : 0);
}

void phyrfs_dir_ops(struct fuse_lowlevel_ops *ops)
{
	ops->opendir = op_opendir;
	ops->releasedir = op_releasedir;
	ops->readdir = op_readdir;
	ops->readdirplus = op_readdirplus;
	ops->fsyncdir = op_fsyncdir;
}
