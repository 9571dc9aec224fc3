// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Times operations on names, for tests/bench/fs: prints nanoseconds for each operation.
 *
 *	make DIR N	N empty files in DIR, which it makes
 *	stat DIR	lstat(2) of all that is below DIR, after a first look
 *	create DIR N	make and remove a file, N times
 *	list DIR	all entries of DIR with their attributes, as ls -l asks for them
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "t.h"

static uint64_t nr;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

static void put_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY, 0644);

	if (fd < 0)
		t_die("%s", name);
	close(fd);
}

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		t_die("%s", path);
	return fd;
}

static void make(const char *path, uint64_t count)
{
	char name[32];
	int dir;

	if (mkdir(path, 0755) && errno != EEXIST)
		t_die("%s", path);
	dir = open_dir(path);
	for (nr = 0; nr < count; nr++) {
		snprintf(name, sizeof(name), "file-%06llu", (unsigned long long)nr);
		put_file(dir, name);
	}
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	nr++;
	return 0;
}

static void walk(const char *path)
{
	nr = 0;
	if (nftw(path, visit, 64, FTW_PHYS))
		t_die("%s", path);
}

static void create(const char *path, uint64_t count)
{
	int dir = open_dir(path);

	for (nr = 0; nr < count; nr++) {
		put_file(dir, "new");
		if (unlinkat(dir, "new", 0))
			t_die("unlink");
	}
}

static void list(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	struct stat st;

	if (!dir)
		t_die("%s", path);
	while ((entry = readdir(dir))) {
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			t_die("%s", entry->d_name);
		nr++;
	}
	closedir(dir);
}

int main(int argc, char **argv)
{
	uint64_t count = argc == 4 ? t_number(argv[3]) : 0, start;
	const char *what = argc > 2 ? argv[1] : "";

	if (!strcmp(what, "stat"))
		walk(argv[2]);
	start = now_ns();
	if (!strcmp(what, "stat"))
		walk(argv[2]);
	else if (!strcmp(what, "list"))
		list(argv[2]);
	else if (!strcmp(what, "make") && count)
		make(argv[2], count);
	else if (!strcmp(what, "create") && count)
		create(argv[2], count);
	else
		t_usage("make DIR N | stat DIR | create DIR N | list DIR");
	printf("%llu\n", (unsigned long long)((now_ns() - start) / (nr ? nr : 1)));
	return 0;
}
