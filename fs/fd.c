// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fds of the process. Inodes have O_PATH fds, and there may be more of them than a
 * process may have fds: those that were not used for long give theirs back, and keep a
 * file handle (name_to_handle_at(2)) to get another one with. What cannot be given back
 * is pinned: fds of open files. Their number is limited, so that names always find one.
 *
 * nr_users counts who works with inode->fd. 0 to FD_CLOSING and back, both under
 * table_lock, is what one thread does that takes the fd away; others wait for fds_cond
 * meanwhile. In between it asks the source, without a lock. An fd comes back under
 * inode->lock.
 */
#include "phyrfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FD_CLOSING (-1)
#define LOOK_BATCH 256 /* fds that are looked at, for some to be given back */
#define NR_SPARE   16  /* that are given back for want of any */

/* fds that the process has room for from the start, at eight bytes each. */
#define NR_READY 65536

/* fds that open files leave, at most; for names, threads and what lasts for one call. */
#define NR_RESERVE 1024

/* fds for as long as the process lives: what it says, the session, the source. */
#define NR_BASE 16

/* Which fds are given back: each kind includes those before. */
enum fd_kind {
	FD_UNUSED,   /* lately */
	FD_UNOPENED, /* of inodes that nobody has open */
	FD_NAMED,    /* of files that still have a name */
	FD_ANY,	     /* a handle may not find the file any more */
};

/* ------------------------------------------------------------------- handles */

/* The handle of what @fd is open for, which the caller frees. */
static int handle_of(int fd, struct file_handle **ret_handle)
{
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} buf = { .handle.handle_bytes = MAX_HANDLE_SZ };
	struct file_handle *handle;
	int mount_id;

	if (name_to_handle_at(fd, "", &buf.handle, &mount_id, AT_EMPTY_PATH))
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

/* @mount_fd is of any file of the mount. */
static int handle_open(struct phyrfs *fs, int mount_fd, struct file_handle *handle)
{
	int err, fd;

	do {
		fd = open_by_handle_at(mount_fd, handle, O_PATH | O_CLOEXEC);
		err = fd < 0 ? -errno : 0;
	} while (err == -EMFILE && phyrfs_fds_spare(fs));
	return err ? err : fd;
}

/*
 * open_by_handle_at(2) wants an fd that is more than O_PATH: of a directory, since to
 * open a file may have effects. Without CAP_DAC_READ_SEARCH a handle opens nothing.
 */
int phyrfs_handles_fd(struct phyrfs *fs, int dir_fd)
{
	struct file_handle *handle;
	int fd, mount_fd;

	if (handle_of(dir_fd, &handle))
		return -1;
	mount_fd = phyrfs_openat(fs, dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	if (mount_fd >= 0) {
		fd = handle_open(fs, mount_fd, handle);
		if (fd < 0) {
			close(mount_fd);
			mount_fd = -1;
		} else {
			close(fd);
		}
	}
	free(handle);
	return mount_fd < 0 ? -1 : mount_fd;
}

void phyrfs_fd_handle(struct phyrfs_inode *inode)
{
	if (!inode->handle)
		handle_of(inode->fd, &inode->handle);
}

/* ---------------------------------------------------------------- start and end */

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

/*
 * The working directory becomes /proc/self/fd, for phyrfs_fd_proc(). It is a clone of
 * that directory's mount, so that nothing else of /proc can be reached from it; without
 * privileges, the directory itself.
 */
static int proc_enter(void)
{
	int err, fd;

	fd = open_tree(AT_FDCWD, "/proc/self/fd", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = fchdir(fd) ? -errno : 0;
	close(fd);
	return err;
}

int phyrfs_fds_init(struct phyrfs *fs)
{
	struct rlimit limit = { .rlim_cur = 1024 };
	size_t nr, reserve;
	int err;

	err = proc_enter();
	if (err) {
		phyrfs_message("/proc/self/fd: %s; /proc has to be mounted",
			       strerror(-err));
		return err;
	}
	TAILQ_INIT(&fs->fds);
	pthread_cond_init(&fs->fds_cond, NULL);
	getrlimit(RLIMIT_NOFILE, &limit);
	nr = limit.rlim_cur;
	fds_make_room(fs, nr);
	/* Half of them for inodes; open files may have more, if inodes give theirs back. */
	fs->nr_fds_max = nr / 2;
	if (fs->root.mount->fd < 0)
		nr -= fs->nr_fds_max;
	nr = nr > NR_BASE ? nr - NR_BASE : 0;
	reserve = nr / 4 < NR_RESERVE ? nr / 4 : NR_RESERVE;
	fs->nr_pinned_max = nr - reserve;
	fs->nr_pinned_max_root = nr - reserve / 2;
	return 0;
}

/* -------------------------------------------------------------------- pinned fds */

int phyrfs_fd_pin(fuse_req_t req)
{
	struct phyrfs *fs = phyrfs_of(req);
	bool root = !fuse_req_ctx(req)->uid;

	if (fs->nr_pinned++ < (root ? fs->nr_pinned_max_root : fs->nr_pinned_max))
		return 0;
	fs->nr_pinned--;
	return -ENFILE;
}

void phyrfs_fd_unpin(struct phyrfs *fs)
{
	fs->nr_pinned--;
}

int phyrfs_fds_room(const struct phyrfs *fs)
{
	return fs->nr_fds_pinned < fs->nr_fds_max ? 0 : -ENFILE;
}

/* ------------------------------------------------------------------------ take */

static bool users_change(struct phyrfs_inode *inode, int from, int to)
{
	return atomic_compare_exchange_strong(&inode->nr_users, &from, to);
}

/* A file without a name keeps its fd, unless @kind is FD_ANY. */
static bool fd_may_close(struct phyrfs_inode *inode, enum fd_kind kind)
{
	struct statx st;

	/* No more than is known on this machine: a network may not answer. */
	if (kind != FD_ANY &&
	    (statx(inode->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_NLINK, &st) ||
	     !st.stx_nlink))
		return false;
	phyrfs_fd_handle(inode);
	return inode->handle;
}

/*
 * Close the fd of @inode, if nobody uses it and it can be opened again. Under table_lock,
 * which it drops meanwhile. The kernel may forget the inode then: it is freed here.
 */
static bool fd_close(struct phyrfs *fs, struct phyrfs_inode *inode, enum fd_kind kind)
{
	bool forgotten, may_close;
	int fd = -1;

	if (!inode->listed || !users_change(inode, 0, FD_CLOSING))
		return false;
	fs->nr_closing++;
	pthread_mutex_unlock(&fs->table_lock);
	may_close = fd_may_close(inode, kind);
	pthread_mutex_lock(&fs->table_lock);
	forgotten = !inode->nr_lookups;
	if (may_close && !forgotten) {
		fd = inode->fd;
		inode->fd = -1;
		phyrfs_fds_remove(fs, inode);
	}
	inode->nr_users = 0;
	pthread_cond_broadcast(&fs->fds_cond);
	pthread_mutex_unlock(&fs->table_lock);
	if (fd >= 0)
		close(fd);
	if (forgotten)
		phyrfs_inode_free(fs, inode);
	pthread_mutex_lock(&fs->table_lock);
	fs->nr_closing--;
	pthread_cond_broadcast(&fs->fds_cond);
	return fd >= 0;
}

bool phyrfs_fd_closing(const struct phyrfs_inode *inode)
{
	return inode->nr_users == FD_CLOSING;
}

void phyrfs_fd_close_nameless(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	if (!inode->nr_opens)
		fd_close(fs, inode, FD_ANY);
}

/*
 * The clock algorithm: look at up to @nr_looks fds, until there are only @target. The
 * one that came first goes, but one that was used since it was last looked at is spared
 * once, if @kind is FD_UNUSED. Under table_lock, which it drops meanwhile.
 */
static size_t fds_shrink(struct phyrfs *fs, size_t nr_looks, size_t target,
			 enum fd_kind kind)
{
	struct phyrfs_inode *inode;
	size_t nr_closed = 0;

	for (size_t i = 0; i < nr_looks && fs->nr_fds > target; i++) {
		inode = TAILQ_FIRST(&fs->fds);
		TAILQ_REMOVE(&fs->fds, inode, fds);
		TAILQ_INSERT_TAIL(&fs->fds, inode, fds);
		if (kind == FD_UNUSED && inode->used)
			inode->used = false;
		else if (kind >= FD_NAMED || !inode->nr_opens)
			nr_closed += fd_close(fs, inode, kind);
	}
	return nr_closed;
}

bool phyrfs_fds_spare(struct phyrfs *fs)
{
	size_t nr, nr_closed = 0;
	bool some;

	pthread_mutex_lock(&fs->table_lock);
	nr = fs->nr_fds;
	for (enum fd_kind kind = FD_UNOPENED; !nr_closed && kind <= FD_ANY; kind++)
		nr_closed = fds_shrink(fs, nr, nr > NR_SPARE ? nr - NR_SPARE : 0, kind);
	some = nr_closed || fs->nr_closing;
	/* One that another thread is about to close is as good. */
	if (!nr_closed && fs->nr_closing)
		pthread_cond_wait(&fs->fds_cond, &fs->table_lock);
	pthread_mutex_unlock(&fs->table_lock);
	return some;
}

void phyrfs_fds_trim(struct phyrfs *fs)
{
	if (fs->nr_fds > fs->nr_fds_max)
		fds_shrink(fs, LOOK_BATCH, fs->nr_fds_max - fs->nr_fds_max / 8,
			   FD_UNUSED);
}

void phyrfs_fds_add(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	if (inode->mount->fd < 0) {
		fs->nr_fds_pinned++;
		return;
	}
	TAILQ_INSERT_TAIL(&fs->fds, inode, fds);
	inode->listed = true;
	fs->nr_fds++;
}

void phyrfs_fds_remove(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	if (inode->mount->fd < 0)
		fs->nr_fds_pinned--;
	if (!inode->listed)
		return;
	TAILQ_REMOVE(&fs->fds, inode, fds);
	inode->listed = false;
	fs->nr_fds--;
}

/* ------------------------------------------------------------------------- use */

/*
 * Without a clone of the source's mount, other mounts are in the way: names on them are
 * refused. Only an O_PATH fd of a name can come to one.
 */
static int fd_openat(const struct phyrfs *fs, int dir_fd, const char *name, int flags,
		     mode_t mode)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV,
	};

	if (fs->no_xdev && flags & O_PATH && dir_fd != AT_FDCWD)
		return syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
	return openat(dir_fd, name, flags | O_CLOEXEC, mode);
}

int phyrfs_openat(struct phyrfs *fs, int dir_fd, const char *name, int flags, mode_t mode)
{
	int err, fd;

	do {
		fd = fd_openat(fs, dir_fd, name, flags, mode);
		err = fd < 0 ? -errno : 0;
	} while (err == -EMFILE && phyrfs_fds_spare(fs));
	return err ? err : fd;
}

static void users_wait(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	pthread_mutex_lock(&fs->table_lock);
	while (inode->nr_users == FD_CLOSING)
		pthread_cond_wait(&fs->fds_cond, &fs->table_lock);
	pthread_mutex_unlock(&fs->table_lock);
}

static void users_enter(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	int nr = inode->nr_users;

	while (nr == FD_CLOSING || !users_change(inode, nr, nr + 1)) {
		if (nr == FD_CLOSING)
			users_wait(fs, inode);
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
		fd = handle_open(fs, inode->mount->fd, inode->handle);
		if (fd >= 0)
			inode->fd = fd;
		opened = fd >= 0;
	}
	pthread_mutex_unlock(&inode->lock);
	if (opened) {
		pthread_mutex_lock(&fs->table_lock);
		phyrfs_fds_add(fs, inode);
		phyrfs_fds_trim(fs);
		pthread_mutex_unlock(&fs->table_lock);
	}
	return fd;
}

int phyrfs_fd_get(struct phyrfs *fs, struct phyrfs_inode *inode)
{
	int fd;

	users_enter(fs, inode);
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
	snprintf(buf, PHYRFS_PROC_LEN, "%d", fd);
}

bool phyrfs_fd_merge(struct phyrfs *fs, struct phyrfs_inode *inode,
		     struct phyrfs_inode *new)
{
	/* An open fd keeps the number of its file from becoming another one's. */
	if (inode->fd >= 0)
		return true;
	if (!new->handle || !handle_same(inode->handle, new->handle))
		return false;
	if (users_change(inode, 0, FD_CLOSING)) {
		inode->fd = new->fd;
		new->fd = -1;
		phyrfs_fds_add(fs, inode);
		inode->nr_users = 0;
		pthread_cond_broadcast(&fs->fds_cond);
	}
	return true;
}
