// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reading sysfs: files of one line, links, directories. What the values mean is left
 * to bar.c and disk.c.
 */
#include "lib_private.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int sysfs_join(char *path, const char *dir, const char *name)
{
	int n = snprintf(path, PATH_MAX, "%s/%s", dir, name);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int sysfs_read(const char *dir, const char *name, char *buf, size_t size)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd, err;

	err = sysfs_join(path, dir, name);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size);
	err = n < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	if ((size_t)n == size)
		return -ENAMETOOLONG;
	while (n && isspace((unsigned char)buf[n - 1]))
		n--;
	buf[n] = '\0';
	return 0;
}

int sysfs_read_u64(const char *dir, const char *name, uint64_t *ret_value)
{
	unsigned long long value;
	char buf[64], *end;
	int err;

	err = sysfs_read(dir, name, buf, sizeof(buf));
	if (err)
		return err;
	if (!isdigit((unsigned char)buf[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(buf, &end, 0);
	if (errno)
		return -errno;
	if (*end)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

int sysfs_read_link(const char *dir, const char *name, char *buf, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *base;
	ssize_t n;
	int err;

	err = sysfs_join(path, dir, name);
	if (err)
		return err;
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	base = strrchr(target, '/');
	base = base ? base + 1 : target;
	if (strlen(base) >= size)
		return -ENAMETOOLONG;
	strcpy(buf, base);
	return 0;
}

int sysfs_for_each(const char *dir, int (*visit)(const char *name, void *ctx), void *ctx)
{
	struct dirent *entry;
	int err = 0;
	DIR *d;

	d = opendir(dir);
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (!err) {
		errno = 0;
		entry = readdir(d);
		if (!entry) {
			err = -errno;
			break;
		}
		if (entry->d_name[0] != '.')
			err = visit(entry->d_name, ctx);
	}
	closedir(d);
	return err;
}

int vec_append(struct vec *vec, const void *item, size_t item_size)
{
	if (vec->nr == vec->size) {
		size_t size = vec->size ? vec->size * 2 : 16;
		void *items = reallocarray(vec->items, size, item_size);

		if (!items)
			return -ENOMEM;
		vec->items = items;
		vec->size = size;
	}
	memcpy((char *)vec->items + vec->nr++ * item_size, item, item_size);
	return 0;
}
