// SPDX-License-Identifier: GPL-2.0-or-later
/* Open files whose name changes or goes, and one file open in several ways. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

/* Everything that can be done with a file that has no name any more. */
static void use_nameless(int fd)
{
	struct timespec times[2] = { { 1000, 0 }, { 2000, 0 } };
	char buf[16], path[64];
	struct stat st;

	posix_see_fd(fd);
	CALL(pread(fd, buf, 4, 0));
	CALL(pwrite(fd, "more", 4, 10));
	CALL(ftruncate(fd, 12));
	CALL(fallocate(fd, 0, 0, 5000));
	CALL(fchmod(fd, 04711));
	CALL(fchown(fd, 5, 6));
	posix_see_fd(fd);
	CALL(futimens(fd, times));
	CALL(fstat(fd, &st));
	CALL(st.st_mtim.tv_sec);
	CALL(fsetxattr(fd, "user.x", "v", 1, 0));
	CALL(fgetxattr(fd, "user.x", buf, sizeof(buf)));
	CALL(flistxattr(fd, NULL, 0) > 0);
	CALL(fremovexattr(fd, "user.x"));
	CALL(fsync(fd));
	CALL(linkat(fd, "", AT_FDCWD, "again", AT_EMPTY_PATH));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	SHUT(open(path, O_RDONLY));
	SHUT(open(path, O_RDWR | O_TRUNC));
	CALL(truncate(path, 3));
	CALL(chmod(path, 0600));
	posix_see_fd(fd);
	posix_see_data_fd(fd);
}

static void unlinked(void)
{
	int fd, other;

	posix_label("unlinked");
	posix_file("f", "text", 0644);
	fd = MUST(open("f", O_RDWR));
	CALL(unlink("f"));
	use_nameless(fd);
	posix_label("replaced");
	posix_file("f", "old", 0644);
	posix_file("g", "new", 0644);
	other = MUST(open("f", O_RDWR));
	CALL(rename("g", "f"));
	use_nameless(other);
	posix_see_data("f");
	close(fd);
	close(other);
	posix_label("made anew");
	posix_file("f", "first", 0644);
	fd = MUST(open("f", O_RDWR));
	CALL(unlink("f"));
	posix_file("f", "second time", 0600);
	CALL(pwrite(fd, "FIRST", 5, 0));
	posix_see_data("f");
	posix_see_data_fd(fd);
	posix_see("f");
	posix_see_fd(fd);
	close(fd);
	posix_label("one of two links");
	MUST(link("f", "f2"));
	fd = MUST(open("f", O_RDWR));
	CALL(unlink("f"));
	posix_see_fd(fd);
	CALL(linkat(fd, "", AT_FDCWD, "f3", AT_EMPTY_PATH));
	posix_see_fd(fd);
	close(fd);
}

static void renamed(void)
{
	int fd, dir;

	posix_file("f", "text", 0644);
	MUST(mkdir("d", 0755));
	fd = MUST(open("f", O_RDWR));
	dir = MUST(open("d", O_RDONLY | O_DIRECTORY));
	CALL(rename("f", "d/g"));
	CALL(pwrite(fd, "T", 1, 0));
	posix_see_data("d/g");
	CALL(rename("d", "e"));
	CALL(renameat(dir, "g", dir, "h"));
	CALL(fchmod(fd, 0600));
	posix_see("e/h");
	CALL(truncate("e/h", 2));
	posix_see_fd(fd);
	SHUT(openat(dir, "new", O_CREAT | O_WRONLY, 0644));
	posix_see_names("e");
	posix_file("other", "other", 0644);
	CALL(renameat2(AT_FDCWD, "other", dir, "h", RENAME_EXCHANGE));
	CALL(pwrite(fd, "U", 1, 0));
	posix_see_data("other");
	posix_see_data("e/h");
	CALL(rmdir("e"));
	CALL(unlinkat(dir, "h", 0));
	CALL(unlinkat(dir, "new", 0));
	CALL(rmdir("e"));
	posix_see_fd(dir);
	SHUT(openat(dir, "x", O_CREAT | O_WRONLY, 0644));
	CALL(fchmod(dir, 0700));
	posix_see_fd(dir);
	close(dir);
	close(fd);
}

static void several(void)
{
	static const int flags[] = {
		O_RDONLY,
		O_WRONLY,
		O_RDWR,
		O_RDWR | O_APPEND,
		O_RDWR | O_SYNC,
		O_RDWR | O_DIRECT,
		O_RDONLY | O_NOATIME,
		O_PATH,
	};
	int fds[t_array_size(flags)];
	char byte;

	posix_file("f", "0123456789", 0644);
	for (size_t i = 0; i < t_array_size(flags); i++)
		fds[i] = MUST(open("f", flags[i]));
	for (size_t i = 0; i < t_array_size(flags); i++) {
		posix_label("open %zu", i);
		CALL(write(fds[i], "ab", 2));
		for (size_t j = 0; j < t_array_size(flags); j++)
			CALL(lseek(fds[j], 0, SEEK_END));
		CALL(lseek(fds[i], 1, SEEK_SET));
		CALL(read(fds[i], &byte, 1));
		posix_see_fd(fds[i]);
		posix_see_data("f");
		CALL(ftruncate(fds[i], 6 + i));
	}
	for (size_t i = 0; i < t_array_size(flags); i++) {
		posix_label("close %zu", i);
		CALL(close(fds[i]));
		SHUT(open("f", O_RDWR | O_TRUNC));
		posix_see("f");
	}
}

/* The same file has the same number by all names, and others have others. */
static void identity(void)
{
	struct stat a, b;
	int fd;

	posix_types();
	MUST(link("file", "hard"));
	MUST(stat("file", &a));
	MUST(stat("hard", &b));
	CALL(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	MUST(stat("link", &b));
	CALL(a.st_ino == b.st_ino);
	MUST(lstat("link", &b));
	CALL(a.st_ino == b.st_ino);
	fd = MUST(open("file", O_RDWR));
	MUST(rename("file", "dir/moved"));
	MUST(fstat(fd, &b));
	CALL(a.st_ino == b.st_ino);
	MUST(stat("dir/moved", &b));
	CALL(a.st_ino == b.st_ino);
	MUST(unlink("dir/moved"));
	MUST(unlink("hard"));
	posix_file("hard", "", 0644);
	MUST(stat("hard", &b));
	CALL(a.st_ino == b.st_ino);
	MUST(stat(".", &a));
	MUST(stat("dir/..", &b));
	CALL(a.st_ino == b.st_ino);
	MUST(stat("dir", &a));
	CALL(a.st_ino == b.st_ino);
	CALL(a.st_dev == b.st_dev);
	close(fd);
}

/* Who has a file by O_PATH keeps it, and can open it later. */
static void by_path(void)
{
	char path[64];
	int fd, again;

	posix_label("O_PATH");
	posix_file("f", "text", 0644);
	posix_file("g", "new", 0644);
	fd = MUST(open("f", O_PATH));
	CALL(rename("g", "f"));
	posix_see_fd(fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = CALL(open(path, O_RDWR));
	CALL(pwrite(again, "more", 4, 4));
	posix_see_data_fd(again);
	close(again);
	SHUT(open(path, O_RDONLY));
	close(fd);
}

const struct posix_script posix_handle[] = {
	{ "unlinked", unlinked }, { "by_path", by_path },   { "renamed", renamed },
	{ "several", several },	  { "identity", identity }, { NULL, NULL },
};
