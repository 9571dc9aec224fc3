// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The O_PATH fds of inodes. There may be more inodes than a process may have fds: those
 * that were not used for long give theirs back, and keep a file handle
 * (name_to_handle_at(2)) to get another one with.
 *
 * nr_users counts who works with inode->fd. 0 to FD_CLOSING and back is the step by which
 * one thread, which holds table_lock, takes the fd away; nobody gets in meanwhile. An fd
 * comes back under inode->lock.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define FD_CLOSING (-1)
#define LOOK_BATCH 256 /* fds that are looked at, for some to be given back */
#define NR_SPARE   16  /* that are given back for want of any */

/* fds that the process has room for from the start, at eight bytes each. */
#define NR_READY 65536

/* The handle of what @fd is open for, which the caller frees. */
static int handle_of(int fd, struct file_handle **ret_handle, int *ret_mount_id)
{
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} buf = { .handle.handle_bytes = MAX_HANDLE_SZ };
	struct file_handle *handle;

	if (name_to_handle_at(fd, "", &buf.handle, ret_mount_id, AT_EMPTY_PATH))
		return -errno;
	handle = malloc(sizeof(*handle) + buf.handle.handle_bytes);
	if (!handle)
		return -ENOMEM;
	memcpy(handle, &buf, sizeof(*handle) + buf.handle.handle_bytes);
	*ret_handle = handle;
	return 0;
}

static bool handle_same(const struct file_handle *a, const struct file_handle *b)
{
	return a->handle_type == b->handle_type && a->handle_bytes == b->handle_bytes &&
	       !memcmp(a->f_handle, b->f_handle, a->handle_bytes);
}

/* ---------------------------------------------------------------------- mounts */

/* An fd by which handles of that mount are opened; -1 if there is none. */
static int mount_fd(const struct phyrfs *fs, int mount_id)
{
	for (unsigned int i = 0; i < fs->nr_mounts; i++)
		if (fs->mounts[i].id == mount_id)
			return fs->mounts[i].fd;
	return -1;
}

/* open_by_handle_at(2) wants an fd that is more than O_PATH: of a directory. */
static int mount_learn(struct phyrfs *fs, int mount_id, int dir_fd)
{
	int fd;

	if (fs->nr_mounts == PHYRFS_MOUNTS_MAX)
		return -ENOSPC;
	fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	fs->mounts[fs->nr_mounts++] = (struct phyrfs_mount){ mount_id, fd };
	return 0;
}

/*
 * When the table of fds grows, a process with threads waits until no CPU can still look
 * at the old one (synchronize_rcu()), which takes milliseconds. Without threads it does
 * not wait.
 */
static void fds_make_room(const struct phyrfs *fs, size_t nr)
{
	int fd = fcntl(fs->root.fd, F_DUPFD_CLOEXEC, (nr < NR_READY ? nr : NR_READY) - 1);

	if (fd >= 0)
		close(fd);
}

void phyrfs_fds_init(struct phyrfs *fs)
{
	struct rlimit limit = { .rlim_cur = 1024 };
	struct file_handle *handle;
	int fd, mount_id;

	TAILQ_INIT(&fs->fds);
	getrlimit(RLIMIT_NOFILE, &limit);
	fds_make_room(fs, limit.rlim_cur);
	/* The other half is for open files. */
	fs->nr_fds_max = limit.rlim_cur / 2;
	if (handle_of(fs->root.fd, &handle, &mount_id))
		return;
	/* Without CAP_DAC_READ_SEARCH a handle opens nothing. */
	if (!mount_learn(fs, mount_id, fs->root.fd)) {
		fd = open_by_handle_at(fs->mounts[0].fd, handle, O_PATH | O_CLOEXEC);
		fs->handles = fd >= 0;
		if (fd >= 0)
			close(fd);
	}
	free(handle);
}

void phyrfs_fds_exit(struct phyrfs *fs)
{
	while (fs->nr_mounts)
		close(fs->mounts[--fs->nr_mounts].fd);
}

/* ------------------------------------------------------------- take and give */

static bool users_change(struct phyrfs_inode *inode, int from, int to)
{
	return atomic_compare_exchange_strong(&inode->nr_users, &from, to);
}

/* A handle is kept only if its mount is known: the mount may be learned later. */
static int handle_keep(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	struct file_handle *handle;
	int err, mount_id;

	err = handle_of(inode->fd, &handle, &mount_id);
	if (err)
		return err;
	if (mount_fd(fs, mount_id) < 0 && inode->type == S_IFDIR)
		mount_learn(fs, mount_id, inode->fd);
	inode->mount_fd = mount_fd(fs, mount_id);
	if (inode->mount_fd < 0) {
		free(handle);
		return -ENOENT;
	}
	inode->handle = handle;
	return 0;
}

/*
 * Take the fd of an inode that nobody uses, to close it, or return -1. A file without a
 * name keeps it, unless @nameless: there is nothing else that a handle would find.
 */
static int fd_take(struct phyrfs *fs, struct phyrfs_inode *inode, bool nameless)
{
	struct stat st;
	int fd = -1;

	if (inode->fd < 0 || inode->nr_opens || !users_change(inode, 0, FD_CLOSING))
		return -1;
	if (fstat(inode->fd, &st) || !st.st_nlink != nameless)
		goto out;
	if (!inode->handle && handle_keep(fs, inode))
		goto out;
	fd = inode->fd;
	inode->fd = -1;
	phyrfs_fds_remove(fs, inode);
out:
	inode->nr_users = 0;
	return fd;
}

int phyrfs_fd_take_nameless(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	return fd_take(fs, inode, true);
}

static void fd_close(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	int fd = fd_take(fs, inode, false);

	if (fd >= 0)
		close(fd);
}

/*
 * The clock algorithm: look at up to @nr_looks fds, until there are only @target. The
 * one that came first goes, but one that was used since it was last looked at is spared
 * once, unless @all.
 */
static void fds_shrink(struct phyrfs *fs, size_t nr_looks, size_t target, bool all)
{
	struct phyrfs_inode *inode;

	for (size_t i = 0; i < nr_looks && fs->nr_fds > target; i++) {
		inode = TAILQ_FIRST(&fs->fds);
		TAILQ_REMOVE(&fs->fds, inode, fds);
		TAILQ_INSERT_TAIL(&fs->fds, inode, fds);
		if (inode->used && !all)
			inode->used = false;
		else
			fd_close(fs, inode);
	}
}

/* The process may open no more: give some back, used lately or not. False if it cannot. */
static bool fds_spare(struct phyrfs *fs)
{
	size_t nr;
	bool some;

	if (!fs->handles)
		return false;
	pthread_mutex_lock(&fs->table_lock);
	nr = fs->nr_fds;
	fds_shrink(fs, nr, nr > NR_SPARE ? nr - NR_SPARE : 0, true);
	some = fs->nr_fds < nr;
	pthread_mutex_unlock(&fs->table_lock);
	return some;
}

void phyrfs_fds_add(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	TAILQ_INSERT_TAIL(&fs->fds, inode, fds);
	inode->listed = true;
	if (fs->nr_fds++ >= fs->nr_fds_max && fs->handles)
		fds_shrink(fs, LOOK_BATCH, fs->nr_fds_max - fs->nr_fds_max / 8, false);
}

void phyrfs_fds_remove(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	if (!inode->listed)
		return;
	TAILQ_REMOVE(&fs->fds, inode, fds);
	inode->listed = false;
	fs->nr_fds--;
}

/* ------------------------------------------------------------------------ use */

int phyrfs_openat(struct phyrfs *fs, int dir_fd, const char *name, int flags, mode_t mode)
{
	int err, fd;

	do {
		fd = openat(dir_fd, name, flags | O_CLOEXEC, mode);
		err = fd < 0 ? -errno : 0;
	} while (err == -EMFILE && fds_spare(fs));
	return err ? err : fd;
}

static int handle_open(struct phyrfs *fs, const struct phyrfs_inode *inode)
{
	int err, fd;

	do {
		fd = open_by_handle_at(inode->mount_fd, inode->handle,
				       O_PATH | O_CLOEXEC);
		err = fd < 0 ? -errno : 0;
	} while (err == -EMFILE && fds_spare(fs));
	return err ? err : fd;
}

static void users_enter(struct phyrfs_inode *inode)
{
	int nr = inode->nr_users;

	for (;;) {
		if (nr == FD_CLOSING)
			sched_yield();
		else if (users_change(inode, nr, nr + 1))
			return;
		nr = inode->nr_users;
	}
}

/* Only who opened it adds it; others may have waited for the lock meanwhile. */
static int fd_reopen(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	bool opened = false;
	int fd;

	pthread_mutex_lock(&inode->lock);
	fd = inode->fd;
	if (fd < 0) {
		fd = handle_open(fs, inode);
		if (fd >= 0)
			inode->fd = fd;
		opened = fd >= 0;
	}
	pthread_mutex_unlock(&inode->lock);
	if (opened) {
		pthread_mutex_lock(&fs->table_lock);
		phyrfs_fds_add(fs, inode);
		pthread_mutex_unlock(&fs->table_lock);
	}
	return fd;
}

int phyrfs_fd_get(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	int fd;

	users_enter(inode);
	inode->used = true;
	fd = inode->fd;
	if (fd >= 0)
		return fd;
	fd = fd_reopen(fs, inode);
	if (fd < 0)
		phyrfs_fd_put(inode);
	return fd;
}

void phyrfs_fd_put(struct phyrfs_inode *inode)
{
	atomic_fetch_sub(&inode->nr_users, 1);
}

void phyrfs_fd_proc(int fd, char *buf)
{
	snprintf(buf, PHYRFS_PROC_LEN, "/proc/self/fd/%d", fd);
}

bool phyrfs_fd_merge(struct phyrfs *fs, struct phyrfs_inode *inode,
		     struct phyrfs_inode *new)
{
	struct file_handle *handle;
	int mount_id;
	bool same;

	/* An open fd keeps the number of its file from becoming another one's. */
	if (inode->fd >= 0)
		return true;
	if (handle_of(new->fd, &handle, &mount_id))
		return false;
	same = handle_same(inode->handle, handle);
	free(handle);
	if (same && users_change(inode, 0, FD_CLOSING)) {
		inode->fd = new->fd;
		new->fd = -1;
		phyrfs_fds_add(fs, inode);
		inode->nr_users = 0;
	}
	return same;
}

void phyrfs_fd_free(struct phyrfs_inode *inode)
{
	if (inode->fd >= 0)
		close(inode->fd);
	free(inode->handle);
}
