// SPDX-License-Identifier: GPL-2.0-or-later
/* Which times of which files a call changes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

static const char *const watched[] = { "f", "d", "d/a", "e", "l", "." };

static struct stat before[t_array_size(watched)];

/* The times of files grow in ticks. */
static void wait_tick(void)
{
	struct timespec start, now;

	clock_gettime(CLOCK_REALTIME_COARSE, &start);
	do {
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
	} while (now.tv_sec == start.tv_sec && now.tv_nsec == start.tv_nsec);
}

static void make_tree(void)
{
	posix_clear(".");
	posix_file("f", "some text", 0644);
	MUST(mkdir("d", 0755));
	posix_file("d/a", "other text", 0644);
	MUST(mkdir("e", 0755));
	MUST(symlink("f", "l"));
	MUST(setxattr("f", "user.x", "x", 1, 0));
}

static char relation(struct timespec old, struct timespec new)
{
	if (new.tv_sec != old.tv_sec)
		return new.tv_sec > old.tv_sec ? '+' : '-';
	if (new.tv_nsec != old.tv_nsec)
		return new.tv_nsec > old.tv_nsec ? '+' : '-';
	return '=';
}

/* The file that a name is of now may have had another one before. */
static const struct stat *same_file(const struct stat *st)
{
	for (size_t i = 0; i < t_array_size(watched); i++)
		if (before[i].st_ino == st->st_ino)
			return &before[i];
	return NULL;
}

static void see_changes(void)
{
	char text[256] = "";
	const struct stat *old;
	struct stat st;
	int used = 0;

	for (size_t i = 0; i < t_array_size(watched); i++) {
		used += snprintf(text + used, sizeof(text) - used, "  %s:", watched[i]);
		if (lstat(watched[i], &st)) {
			used += snprintf(text + used, sizeof(text) - used, " gone");
			continue;
		}
		old = same_file(&st);
		if (!old) {
			used += snprintf(text + used, sizeof(text) - used, " new");
			continue;
		}
		used += snprintf(text + used, sizeof(text) - used, " a%c m%c c%c",
				 relation(old->st_atim, st.st_atim),
				 relation(old->st_mtim, st.st_mtim),
				 relation(old->st_ctim, st.st_ctim));
	}
	posix_say("%s", text);
}

static int with(const char *path, int flags, int (*call)(int fd))
{
	int fd = open(path, flags), ret;

	if (fd < 0)
		return fd;
	ret = call ? call(fd) : 0;
	return close(fd) ? -1 : ret;
}

static int do_read(int fd)
{
	char byte;

	return read(fd, &byte, 1);
}

static int do_read_nothing(int fd)
{
	char byte;

	return read(fd, &byte, 0);
}

static int do_read_end(int fd)
{
	char byte;

	return pread(fd, &byte, 1, 1000);
}

static int do_write(int fd)
{
	return write(fd, "x", 1);
}

static int do_write_nothing(int fd)
{
	return write(fd, "x", 0);
}

static int do_ftruncate(int fd)
{
	return ftruncate(fd, 3);
}

static int do_ftruncate_same(int fd)
{
	return ftruncate(fd, 9);
}

static int do_allocate(int fd)
{
	return fallocate(fd, 0, 0, 5000);
}

static int do_allocate_keep(int fd)
{
	return fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 50000);
}

static int do_punch(int fd)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 3);
}

static int do_copy(int fd)
{
	off_t from = 0, to = 4;

	return copy_file_range(fd, &from, fd, &to, 3, 0);
}

static int do_fchmod(int fd)
{
	return fchmod(fd, 0600);
}

static int do_flags(int fd)
{
	int flags = FS_NOATIME_FL;

	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

/* Fails without quotas, but may have touched the file. */
static int do_project(int fd)
{
	struct fsxattr attr = { .fsx_projid = 5 };

	return ioctl(fd, FS_IOC_FSSETXATTR, &attr);
}

static int do_fsync(int fd)
{
	return fsync(fd);
}

static int do_splice(int fd)
{
	int pipes[2], ret;

	MUST(pipe(pipes));
	ret = splice(fd, NULL, pipes[1], NULL, 4, 0);
	close(pipes[0]);
	close(pipes[1]);
	return ret;
}

static int map(int fd, int prot, int flags)
{
	char *map = mmap(NULL, 9, prot, flags, fd, 0);

	if (map == MAP_FAILED)
		return -1;
	if (prot & PROT_WRITE)
		*map = 'm';
	else
		(void)*(volatile char *)map;
	msync(map, 9, MS_SYNC);
	return munmap(map, 9);
}

static int do_map_read(int fd)
{
	return map(fd, PROT_READ, MAP_SHARED);
}

static int do_map_write(int fd)
{
	return map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static int do_map_private(int fd)
{
	return map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static int list(const char *path)
{
	DIR *dir = opendir(path);
	int nr = 0;

	while (readdir(dir))
		nr++;
	return closedir(dir) ? -1 : nr;
}

static int stats(const char *path)
{
	struct stat st;

	return stat(path, &st);
}

static int times(const char *path, long atime_nsec, long mtime_nsec)
{
	struct timespec ts[2] = { { 1000, atime_nsec }, { 2000, mtime_nsec } };

	return utimensat(AT_FDCWD, path, ts, AT_SYMLINK_NOFOLLOW);
}

static int target(const char *path)
{
	char text[16];

	return readlink(path, text, sizeof(text));
}

#define STEP(expr)                                                 \
	do {                                                       \
		make_tree();                                       \
		wait_tick();                                       \
		for (size_t i = 0; i < t_array_size(watched); i++) \
			MUST(lstat(watched[i], &before[i]));       \
		posix_call(#expr, (expr));                         \
		see_changes();                                     \
	} while (0)

static void data(void)
{
	STEP(with("f", O_RDONLY, NULL));
	STEP(with("f", O_RDWR, NULL));
	STEP(with("f", O_WRONLY | O_APPEND, NULL));
	STEP(with("f", O_RDONLY, do_read));
	STEP(with("f", O_RDONLY | O_NOATIME, do_read));
	STEP(with("f", O_RDONLY, do_read_nothing));
	STEP(with("f", O_RDONLY, do_read_end));
	STEP(with("l", O_RDONLY, do_read));
	STEP(with("d/a", O_RDONLY, do_read));
	STEP(with("f", O_WRONLY, do_write));
	STEP(with("f", O_WRONLY | O_APPEND, do_write));
	STEP(with("f", O_WRONLY, do_write_nothing));
	STEP(with("f", O_WRONLY | O_TRUNC, NULL));
	STEP(with("f", O_WRONLY | O_CREAT, NULL));
	STEP(with("f", O_WRONLY, do_ftruncate));
	STEP(with("f", O_WRONLY, do_ftruncate_same));
	STEP(truncate("f", 3));
	STEP(truncate("f", 9));
	STEP(truncate("f", 100));
	STEP(with("f", O_RDWR, do_allocate));
	STEP(with("f", O_RDWR, do_allocate_keep));
	STEP(with("f", O_RDWR, do_punch));
	STEP(with("f", O_RDWR, do_copy));
	STEP(with("f", O_RDWR, do_splice));
	STEP(with("f", O_RDWR, do_map_read));
	STEP(with("f", O_RDWR, do_map_write));
	STEP(with("f", O_RDWR, do_map_private));
	STEP(with("f", O_RDWR, do_fsync));
}

static void names(void)
{
	STEP(with("new", O_WRONLY | O_CREAT, NULL));
	STEP(with("d/new", O_WRONLY | O_CREAT, NULL));
	STEP(with("d", O_WRONLY | O_TMPFILE, do_write));
	STEP(mkdir("d/new", 0755));
	STEP(mkdir("d", 0755));
	STEP(mknod("d/new", S_IFIFO | 0644, 0));
	STEP(symlink("x", "d/new"));
	STEP(link("f", "d/new"));
	STEP(link("l", "d/new"));
	STEP(rename("f", "g"));
	STEP(rename("f", "d/f"));
	STEP(rename("f", "d/a"));
	STEP(rename("d/a", "f"));
	STEP(rename("d/a", "d/b"));
	STEP(rename("d", "e"));
	STEP(rename("d", "e/d"));
	STEP(rename("f", "f"));
	STEP(renameat2(AT_FDCWD, "f", AT_FDCWD, "d/a", RENAME_EXCHANGE));
	STEP(renameat2(AT_FDCWD, "f", AT_FDCWD, "d/a", RENAME_NOREPLACE));
	STEP(renameat2(AT_FDCWD, "d", AT_FDCWD, "e", RENAME_EXCHANGE));
	STEP(unlink("f"));
	STEP(unlink("d/a"));
	STEP(unlink("l"));
	STEP(rmdir("e"));
	STEP(rmdir("d"));
	STEP(list("d"));
	STEP(list("."));
	STEP(target("l"));
	STEP(stats("l"));
	STEP(access("d/a", R_OK));
}

static void attributes(void)
{
	STEP(chmod("f", 0600));
	STEP(chmod("f", 0644));
	STEP(chmod("d", 0700));
	STEP(with("f", O_RDONLY, do_fchmod));
	STEP(with("f", O_RDONLY, do_flags));
	STEP(with("f", O_RDONLY, do_project));
	STEP(with("d", O_RDONLY, do_flags));
	STEP(chown("f", 1, 1));
	STEP(chown("f", -1, -1));
	STEP(lchown("l", 1, 1));
	STEP(utimensat(AT_FDCWD, "f", NULL, 0));
	STEP(times("f", UTIME_NOW, UTIME_NOW));
	STEP(times("f", UTIME_NOW, UTIME_OMIT));
	STEP(times("f", UTIME_OMIT, UTIME_NOW));
	STEP(times("f", UTIME_OMIT, UTIME_OMIT));
	STEP(times("f", 0, UTIME_OMIT));
	STEP(times("f", UTIME_OMIT, 0));
	STEP(times("f", 0, UTIME_NOW));
	STEP(times("d", 0, 0));
	STEP(times("l", 0, 0));
	STEP(setxattr("f", "user.y", "y", 1, 0));
	STEP(setxattr("f", "user.x", "x", 1, 0));
	STEP(setxattr("f", "user.x", "x", 1, XATTR_CREATE));
	STEP(setxattr("d", "user.x", "x", 1, 0));
	STEP(getxattr("f", "user.x", NULL, 0));
	STEP(removexattr("f", "user.x"));
	STEP(removexattr("f", "user.none"));
	STEP(listxattr("f", NULL, 0));
	STEP(lsetxattr("l", "trusted.x", "x", 1, 0));
}

/* Seen by who has the file open, and for long. */
static void held(void)
{
	struct stat st[2];
	char byte, *memory = NULL;
	int fd, fd2;

	make_tree();
	fd = MUST(open("f", O_RDWR));
	fd2 = MUST(open("f", O_RDONLY));
#define HELD(expr)                                                               \
	do {                                                                     \
		wait_tick();                                                     \
		MUST(fstat(fd2, &st[0]));                                        \
		posix_call(#expr, (expr));                                       \
		MUST(fstat(fd2, &st[1]));                                        \
		posix_say("a%c m%c c%c", relation(st[0].st_atim, st[1].st_atim), \
			  relation(st[0].st_mtim, st[1].st_mtim),                \
			  relation(st[0].st_ctim, st[1].st_ctim));               \
	} while (0)
	HELD(read(fd2, &byte, 1));
	HELD(read(fd2, &byte, 1));
	HELD(pwrite(fd, "x", 1, 0));
	HELD(read(fd2, &byte, 1));
	memory = mmap(NULL, 9, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	HELD((memory[3] = 'y'));
	HELD(msync(memory, 9, MS_SYNC));
	HELD(chmod("f", 0611));
	HELD(link("f", "d/f"));
	HELD(unlink("f"));
	HELD(pwrite(fd, "x", 1, 100));
	HELD(rename("d/f", "d/g"));
	HELD(unlink("d/g"));
	HELD(ftruncate(fd, 5));
	HELD(futimens(fd, NULL));
	munmap(memory, 9);
	close(fd);
	close(fd2);
}

const struct posix_script posix_time[] = {
	{ "data", data }, { "names", names }, { "attributes", attributes },
	{ "held", held }, { NULL, NULL },
};
