// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading directories: what is found, where, and while it changes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

#define MANY 2000

static void make_many(const char *path, char letter, int nr)
{
	int dir = MUST(open(path, O_PATH | O_DIRECTORY));
	char name[16];

	for (int i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "%c%d", letter, i);
		MUST(mknodat(dir, name, S_IFREG | 0644, 0));
	}
	close(dir);
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/* How many there are from here on, and the sum of the numbers in their names. */
static void see_rest(DIR *dir)
{
	unsigned long nr = 0, dots = 0, sum = 0;
	struct dirent *entry;

	errno = 0;
	while ((entry = readdir(dir))) {
		dots += is_dot(entry->d_name);
		nr += !is_dot(entry->d_name);
		sum += strtoul(entry->d_name + 1, NULL, 10);
	}
	posix_say("%lu names, sum %lu, %lu dots, then %s", nr, sum, dots,
		  errno ? t_errname(errno) : "the end");
}

static void sizes(void)
{
	static const int counts[] = { 0, 1, 2, 10, 100, MANY };

	for (size_t i = 0; i < t_array_size(counts); i++) {
		DIR *dir;

		posix_label("%d", counts[i]);
		MUST(mkdir("d", 0755));
		make_many("d", 'f', counts[i]);
		posix_see("d");
		dir = opendir("d");
		see_rest(dir);
		see_rest(dir);
		rewinddir(dir);
		see_rest(dir);
		closedir(dir);
		if (counts[i] < MANY)
			posix_see_names("d");
		posix_clear(".");
	}
}

/* A position leads back to the same names, in whatever order they are. */
static void positions(void)
{
	enum {
		NR = 300
	};
	static char order[NR + 2][16];
	static long places[NR + 2];
	struct dirent *entry;
	int nr = 0, wrong = 0;
	DIR *dir;

	MUST(mkdir("d", 0755));
	make_many("d", 'f', NR);
	dir = opendir("d");
	for (nr = 0; nr < NR + 2; nr++) {
		places[nr] = telldir(dir);
		entry = readdir(dir);
		if (!entry)
			break;
		strcpy(order[nr], entry->d_name);
	}
	posix_say("%d entries", nr);
	for (int i = nr - 1; i >= 0; i -= 7) {
		seekdir(dir, places[i]);
		wrong += telldir(dir) != places[i];
		entry = readdir(dir);
		wrong += !entry || strcmp(entry->d_name, order[i]);
	}
	posix_say("back: %d wrong", wrong);
	/* what is gone is not found there, but the one after it */
	seekdir(dir, places[100]);
	for (int i = 100; i < 110; i++) {
		char path[32];

		if (is_dot(order[i]))
			continue;
		snprintf(path, sizeof(path), "d/%s", order[i]);
		MUST(unlink(path));
	}
	seekdir(dir, places[110]);
	entry = readdir(dir);
	CALL(entry && !strcmp(entry->d_name, order[110]));
	make_many("d", 'g', 50);
	seekdir(dir, places[200]);
	entry = readdir(dir);
	CALL(entry && !strcmp(entry->d_name, order[200]));
	rewinddir(dir);
	for (nr = 0; readdir(dir); nr++)
		;
	posix_say("%d entries", nr);
	closedir(dir);
}

/* Each name that was there all the time is found once. */
static void changing(void)
{
	static char seen[MANY];
	struct dirent *entry;
	int missed = 0, twice = 0, nr = 0;
	DIR *dir;

	MUST(mkdir("d", 0755));
	make_many("d", 'k', 300);
	make_many("d", 'r', 300);
	dir = opendir("d");
	while ((entry = readdir(dir))) {
		char path[32];

		if (entry->d_name[0] == 'k')
			seen[atoi(entry->d_name + 1)]++;
		if (entry->d_name[0] != 'k' || nr++ >= 300)
			continue;
		snprintf(path, sizeof(path), "d/r%d", nr - 1);
		MUST(unlink(path));
		snprintf(path, sizeof(path), "d/new%d", nr);
		MUST(mknod(path, S_IFREG | 0644, 0));
	}
	for (int i = 0; i < 300; i++) {
		missed += !seen[i];
		twice += seen[i] > 1;
	}
	posix_say("%d missed, %d twice", missed, twice);
	rewinddir(dir);
	see_rest(dir);
	posix_see_names("d");
	rewinddir(dir);
	while ((entry = readdir(dir)))
		if (!is_dot(entry->d_name))
			MUST(unlinkat(dirfd(dir), entry->d_name, 0));
	rewinddir(dir);
	see_rest(dir);
	make_many("d", 'f', 3);
	see_rest(dir);
	rewinddir(dir);
	see_rest(dir);
	posix_clear("d");
	CALL(rmdir("d"));
	rewinddir(dir);
	see_rest(dir);
	closedir(dir);
}

static void types(void)
{
	struct dirent *entry;
	struct stat st;
	DIR *dir;
	int wrong = 0;

	posix_types();
	MUST(mknod("blk", S_IFBLK | 0600, 0));
	posix_see_names(".");
	posix_see("dir");
	dir = opendir(".");
	while ((entry = readdir(dir))) {
		MUST(lstat(entry->d_name, &st));
		/* what is above may be the root of a mount */
		if (strcmp(entry->d_name, ".."))
			wrong += st.st_ino != entry->d_ino;
		wrong += IFTODT(st.st_mode) != entry->d_type;
	}
	closedir(dir);
	CALL(wrong);
	dir = opendir("dir");
	while ((entry = readdir(dir))) {
		MUST(fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW));
		wrong += st.st_ino != entry->d_ino;
	}
	closedir(dir);
	CALL(wrong);
	CALL(mkdir("dir/sub", 0755));
	CALL(mkdir("dir/sub2", 0755));
	posix_see("dir");
	CALL(rename("dir/sub", "sub"));
	posix_see("dir");
	CALL(rmdir("dir/sub2"));
	posix_see("dir");
	CALL(rename("sub", "dir/sub"));
	posix_see("dir");
	MUST(rmdir("dir/sub"));
	posix_see("dir");
}

static void raw(void)
{
	static const unsigned int sizes[] = { 0, 1, 10, 23, 24, 32, 100, 4096 };
	static char buf[4096];
	int fd, file;

	MUST(mkdir("d", 0755));
	make_many("d", 'f', 40);
	MUST(mkdir("empty", 0755));
	file = MUST(open("d/f0", O_RDONLY));
	for (size_t i = 0; i < t_array_size(sizes); i++) {
		int nr = 0, ret;

		posix_label("%u bytes", sizes[i]);
		fd = MUST(open("d", O_RDONLY | O_DIRECTORY));
		while ((ret = syscall(SYS_getdents64, fd, buf, sizes[i])) > 0)
			for (int at = 0; at < ret; nr++)
				at += ((struct dirent64 *)(buf + at))->d_reclen;
		posix_say("%d entries, then %s", nr, ret ? t_errname(errno) : "the end");
		CALL(lseek(fd, 0, SEEK_SET));
		CALL(syscall(SYS_getdents64, file, buf, sizes[i]));
		close(fd);
	}
	posix_label("%s", "");
	fd = MUST(open("empty", O_RDONLY | O_DIRECTORY));
	CALL(syscall(SYS_getdents64, fd, buf, 4096));
	CALL(syscall(SYS_getdents64, fd, buf, 4096));
	CALL(lseek(fd, 0, SEEK_SET));
	CALL(syscall(SYS_getdents64, fd, (void *)8, 4096));
	CALL(syscall(SYS_getdents64, fd, buf, 4096));
	CALL(rmdir("empty"));
	CALL(lseek(fd, 0, SEEK_SET));
	CALL(syscall(SYS_getdents64, fd, buf, 4096));
	close(fd);
	fd = MUST(open("d", O_PATH | O_DIRECTORY));
	CALL(syscall(SYS_getdents64, fd, buf, 4096));
	close(fd);
	CALL(syscall(SYS_getdents64, -1, buf, 4096));
	close(file);
}

/* Two who read one directory, by one open file or by two, have one place or two. */
static void readers(void)
{
	int fd, fd2, copy;
	DIR *dir, *dir2;

	MUST(mkdir("d", 0755));
	make_many("d", 'f', 20);
	fd = MUST(open("d", O_RDONLY));
	copy = MUST(dup(fd));
	fd2 = MUST(open("d", O_RDONLY));
	dir = fdopendir(fd);
	see_rest(dir);
	dir2 = fdopendir(copy);
	see_rest(dir2);
	closedir(dir2);
	dir2 = fdopendir(fd2);
	see_rest(dir2);
	rewinddir(dir2);
	CALL(fchmod(fd2, 0));
	see_rest(dir2);
	make_many("d", 'g', 5);
	rewinddir(dir2);
	see_rest(dir2);
	closedir(dir2);
	closedir(dir);
}

const struct posix_script posix_dir[] = {
	{ "sizes", sizes },	  { "positions", positions },
	{ "changing", changing }, { "types", types },
	{ "raw", raw },		  { "readers", readers },
	{ NULL, NULL },
};
