// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where all threads of t_random meet: nobody knows what a call does there, only which
 * errors it may give.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t_worker.h"

static void shared_path(struct t_worker *w, char path[T_PATH_MAX])
{
	int length;

	length = snprintf(path, T_PATH_MAX, "%s/s%u", w->shared,
			  (unsigned int)t_below(w, 4));
	if (t_one_in(w, 2))
		snprintf(path + length, T_PATH_MAX - length, "/s%u",
			 (unsigned int)t_below(w, 4));
}

static int shared_open(const char *path, const char *other, unsigned int flags)
{
	static const int some[] = { O_RDONLY,
				    O_RDWR,
				    O_RDWR | O_CREAT,
				    O_RDWR | O_CREAT | O_EXCL,
				    O_RDWR | O_CREAT | O_TRUNC,
				    O_RDONLY | O_DIRECTORY };
	char bytes[4096];
	int fd;

	fd = open(path, some[flags % t_array_size(some)] | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (write(fd, "shared", 6) > 0)
		flags = pread(fd, bytes, sizeof(bytes), 0);
	close(fd);
	return 0;
}

static int shared_unlink(const char *path, const char *other, unsigned int flags)
{
	return unlink(path);
}

static int shared_mkdir(const char *path, const char *other, unsigned int flags)
{
	return mkdir(path, 0700);
}

static int shared_rmdir(const char *path, const char *other, unsigned int flags)
{
	return rmdir(path);
}

static int shared_rename(const char *path, const char *other, unsigned int flags)
{
	return renameat2(AT_FDCWD, path, AT_FDCWD, other, flags % 3);
}

static int shared_link(const char *path, const char *other, unsigned int flags)
{
	return link(path, other);
}

static int shared_symlink(const char *path, const char *other, unsigned int flags)
{
	return symlink("s1", path);
}

static int shared_stat(const char *path, const char *other, unsigned int flags)
{
	struct stat st;

	return lstat(path, &st);
}

static int shared_list(const char *path, const char *other, unsigned int flags)
{
	DIR *stream = opendir(path);
	struct stat st;

	if (!stream)
		return -1;
	for (struct dirent *entry; (entry = readdir(stream));)
		fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW);
	closedir(stream);
	return 0;
}

static const struct shared_op {
	const char *name;
	int (*call)(const char *path, const char *other, unsigned int flags);
	int errors[5]; /* besides those of any path */
} shared_ops[] = {
	{ "open", shared_open, { EEXIST, EISDIR } },
	{ "unlink", shared_unlink, { EISDIR } },
	{ "mkdir", shared_mkdir, { EEXIST } },
	{ "rmdir", shared_rmdir, { ENOTEMPTY } },
	{ "rename", shared_rename, { EEXIST, EISDIR, ENOTEMPTY, EINVAL } },
	{ "link", shared_link, { EEXIST, EPERM } },
	{ "symlink", shared_symlink, { EEXIST } },
	{ "lstat", shared_stat, { 0 } },
	{ "list", shared_list, { 0 } },
};

static bool shared_error_known(const struct shared_op *op, int err)
{
	for (size_t i = 0; i < t_array_size(op->errors) && op->errors[i]; i++)
		if (op->errors[i] == err)
			return true;
	return err == ENOENT || err == ENOTDIR || err == ELOOP;
}

static void op_shared(struct t_worker *w)
{
	const struct shared_op *op = &shared_ops[t_below(w, t_array_size(shared_ops))];
	char path[T_PATH_MAX], other[T_PATH_MAX];

	shared_path(w, path);
	shared_path(w, other);
	t_say(w, "%s(%s, %s)", op->name, path, other);
	if (op->call(path, other, t_below(w, 60)) && !shared_error_known(op, errno))
		t_fail(w, "in the shared directory", 0, -errno);
}

const struct t_op t_shared_ops[] = {
	{ op_shared, 20 },
	{ NULL, 0 },
};
