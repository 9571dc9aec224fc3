// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who may do what: each user with each mode of a file, and with each mode of the
 * directory around it. The mode under test is of the class that is the user's; the
 * other classes have the opposite, so that a check of the wrong class shows.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

static mode_t class_mode(int user, mode_t mode)
{
	mode_t others = 0111 * (~mode & 7);
	int shift = posix_users[user].shift;

	return (others & ~(7 << shift)) | mode << shift;
}

static int opens(const char *path, int flags)
{
	int fd = open(path, flags, 0640);

	return fd < 0 ? fd : close(fd);
}

static int may(const char *path, int mode)
{
	return syscall(SYS_faccessat2, AT_FDCWD, path, mode, AT_EACCESS);
}

static int times(const char *path, long atime_nsec, long mtime_nsec)
{
	struct timespec ts[2] = { { 1000, atime_nsec }, { 2000, mtime_nsec } };

	return utimensat(AT_FDCWD, path, ts, 0);
}

static int stats(const char *path)
{
	struct stat st;

	return lstat(path, &st);
}

/* What is no program ends in ENOEXEC, but only for who may execute it. */
static int execs(const char *path)
{
	return execl(path, path, NULL);
}

static int gets(const char *path, const char *name)
{
	char value[64];

	return getxattr(path, name, value, sizeof(value));
}

static int targets(const char *path)
{
	char target[64];

	return readlink(path, target, sizeof(target));
}

static int enters(const char *path)
{
	int here = MUST(open(".", O_PATH | O_DIRECTORY)), ret, err;

	ret = chdir(path);
	err = errno;
	MUST(fchdir(here));
	close(here);
	errno = err;
	return ret;
}

/*
 * After a call that succeeded, what it changed is made anew. The matrix is a macro's
 * work, as it has only expressions to tell apart.
 */
static void (*remake)(mode_t mode);
static mode_t remake_mode;
static int remake_user;

static void redo(int64_t ret)
{
	if (ret < 0)
		return;
	posix_become(POSIX_ROOT);
	remake(remake_mode);
	posix_become(remake_user);
}

#define CHANGE(expr) redo(posix_call(#expr, (expr)))

static void matrix(void (*make)(mode_t mode), void (*calls)(void))
{
	MUST(chmod(".", 0777));
	remake = make;
	for (remake_user = 0; remake_user < POSIX_USERS; remake_user++)
		for (mode_t mode = 0; mode < 8; mode++) {
			remake_mode = class_mode(remake_user, mode);
			posix_label("%s, %03o", posix_users[remake_user].name,
				    remake_mode);
			remake(remake_mode);
			posix_become(remake_user);
			calls();
			posix_become(POSIX_ROOT);
		}
}

/* -------------------------------------------------------------- mode of a file */

static void make_one(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	int fd;

	unlink(path);
	fd = MUST(open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
	MUST(write(fd, "text", 4));
	MUST(fchown(fd, uid, gid));
	MUST(fchmod(fd, mode));
	MUST(fsetxattr(fd, "user.a", "value", 5, 0));
	close(fd);
}

static void make_file(mode_t mode)
{
	const struct posix_user *user = &posix_users[remake_user];

	unlink("g");
	make_one("f", POSIX_OWNER, POSIX_GROUP, mode);
	if (chown("mine", user->uid, user->gid))
		make_one("mine", user->uid, user->gid, 0644);
}

static void file_calls(void)
{
	CALL(opens("f", O_RDONLY));
	CALL(opens("f", O_WRONLY));
	CALL(opens("f", O_RDWR));
	CALL(opens("f", O_ACCMODE));
	CALL(opens("f", O_PATH));
	CALL(opens("f", O_RDONLY | O_CREAT));
	CALL(opens("f", O_WRONLY | O_APPEND));
	CALL(opens("f", O_RDONLY | O_NOATIME));
	CHANGE(opens("f", O_WRONLY | O_TRUNC));
	CHANGE(opens("f", O_RDONLY | O_TRUNC));
	CALL(execs("./f"));
	CALL(stats("f"));
	CALL(access("f", F_OK));
	CALL(access("f", R_OK));
	CALL(access("f", W_OK));
	CALL(access("f", X_OK));
	CALL(access("f", R_OK | W_OK));
	CALL(may("f", R_OK));
	CALL(may("f", W_OK));
	CALL(may("f", X_OK));
	CHANGE(chmod("f", 0640));
	CHANGE(chown("f", -1, -1));
	CHANGE(chown("f", POSIX_OWNER, POSIX_GROUP));
	CHANGE(chown("f", -1, 3001));
	CHANGE(chown("f", 1004, -1));
	CHANGE(truncate("f", 2));
	CHANGE(utimensat(AT_FDCWD, "f", NULL, 0));
	CHANGE(times("f", UTIME_NOW, UTIME_NOW));
	CHANGE(times("f", 0, 0));
	CHANGE(times("f", UTIME_OMIT, UTIME_NOW));
	CHANGE(times("f", UTIME_NOW, UTIME_OMIT));
	CHANGE(times("f", UTIME_OMIT, 0));
	CALL(times("f", UTIME_OMIT, UTIME_OMIT));
	CALL(gets("f", "user.a"));
	CALL(gets("f", "user.none"));
	CALL(gets("f", "trusted.none"));
	CALL(listxattr("f", NULL, 0) > 0);
	CHANGE(setxattr("f", "user.b", "b", 1, 0));
	CHANGE(removexattr("f", "user.a"));
	CHANGE(setxattr("f", "trusted.b", "b", 1, 0));
	CHANGE(link("f", "g"));
	CHANGE(rename("f", "g"));
	CHANGE(rename("mine", "f"));
	CHANGE(unlink("f"));
}

static void files(void)
{
	matrix(make_file, file_calls);
}

/* --------------------------------------------------------- mode of a directory */

static void make_dir(mode_t mode)
{
	const struct posix_user *user = &posix_users[remake_user];

	if (!mkdir("d", 0700)) {
		MUST(symlink("f", "d/l"));
		MUST(chown("d", POSIX_OWNER, POSIX_GROUP));
	}
	remove("d/new");
	remove("out");
	unlink("d/g");
	mkdir("d/s", 0755);
	make_one("d/f", POSIX_OWNER, POSIX_GROUP, 0666);
	make_one("in", user->uid, user->gid, 0666);
	MUST(chmod("d", mode));
}

static void dir_calls(void)
{
	CALL(opens("d", O_RDONLY | O_DIRECTORY));
	CALL(opens("d", O_PATH));
	CALL(opens("d/f", O_RDONLY));
	CALL(opens("d/f", O_WRONLY));
	CALL(opens("d/f", O_RDWR | O_CREAT));
	CALL(opens("d/none", O_RDONLY));
	CALL(stats("d"));
	CALL(stats("d/f"));
	CALL(stats("d/."));
	CALL(stats("d/.."));
	CALL(stats("d/none"));
	CALL(enters("d"));
	CALL(access("d", R_OK));
	CALL(access("d", W_OK));
	CALL(access("d", X_OK));
	CALL(access("d/f", R_OK));
	CALL(may("d", R_OK | W_OK | X_OK));
	CALL(targets("d/l"));
	CALL(gets("d/f", "user.a"));
	CHANGE(chmod("d/f", 0604));
	CHANGE(truncate("d/f", 1));
	CHANGE(utimensat(AT_FDCWD, "d/f", NULL, 0));
	CHANGE(setxattr("d/f", "user.b", "b", 1, 0));
	CHANGE(chmod("d", 0700));
	CHANGE(opens("d/new", O_WRONLY | O_CREAT));
	CALL(opens("d", O_WRONLY | O_TMPFILE));
	CHANGE(mkdir("d/new", 0755));
	CHANGE(mknod("d/new", S_IFIFO | 0644, 0));
	CHANGE(mknod("d/new", S_IFCHR | 0644, 0));
	CHANGE(mknod("d/new", S_IFCHR | 0644, 0x103));
	CHANGE(symlink("x", "d/new"));
	CHANGE(symlink("x", "d/f"));
	CHANGE(link("in", "d/new"));
	CHANGE(link("d/f", "out"));
	CHANGE(rename("in", "d/new"));
	CHANGE(rename("in", "d/f"));
	CHANGE(rename("d/f", "out"));
	CHANGE(rename("d/f", "d/g"));
	CHANGE(rename("d/s", "out"));
	CHANGE(renameat2(AT_FDCWD, "in", AT_FDCWD, "d/f", RENAME_EXCHANGE));
	CHANGE(unlink("d/f"));
	CHANGE(unlink("d/none"));
	CHANGE(rmdir("d/s"));
	CHANGE(rmdir("d"));
	CALL(setxattr("d", "user.b", "b", 1, 0));
	CALL(utimensat(AT_FDCWD, "d", NULL, 0));
}

static void dirs(void)
{
	matrix(make_dir, dir_calls);
}

/* -------------------------------------------------------------------- sticky */

static void make_sticky(mode_t mode)
{
	mkdir("d", 0700);
	for (int user = 0; user < POSIX_USERS; user++) {
		char path[32];

		snprintf(path, sizeof(path), "d/%s", posix_users[user].name);
		mknod(path, S_IFREG | 0644, 0);
		MUST(chown(path, posix_users[user].uid, posix_users[user].gid));
	}
	unlink("d/new");
	mknod("d/mine", S_IFREG | 0644, 0);
	MUST(chown("d/mine", posix_users[remake_user].uid, POSIX_GROUP));
	MUST(chown("d", mode & 1 ? 0 : POSIX_OWNER, POSIX_GROUP));
	MUST(chmod("d", mode & 2 ? 01777 : 01770));
}

static void sticky_calls(void)
{
	CHANGE(unlink("d/root"));
	CHANGE(unlink("d/owner"));
	CHANGE(unlink("d/member"));
	CHANGE(unlink("d/other"));
	CHANGE(rename("d/root", "d/new"));
	CHANGE(rename("d/member", "d/new"));
	CHANGE(rename("d/mine", "d/owner"));
	CHANGE(rename("d/mine", "d/second"));
	CHANGE(rename("d/mine", "d/new"));
	CHANGE(renameat2(AT_FDCWD, "d/mine", AT_FDCWD, "d/other", RENAME_EXCHANGE));
	CHANGE(link("d/owner", "d/new"));
	CHANGE(opens("d/owner", O_WRONLY | O_CREAT));
	CHANGE(opens("d/root", O_WRONLY | O_CREAT));
	CHANGE(opens("d/new", O_WRONLY | O_CREAT));
	CALL(setxattr("d", "user.b", "b", 1, 0));
}

static void sticky(void)
{
	remake = make_sticky;
	for (remake_user = 0; remake_user < POSIX_USERS; remake_user++)
		for (remake_mode = 0; remake_mode < 4; remake_mode++) {
			posix_label("%s, %u", posix_users[remake_user].name, remake_mode);
			remake(remake_mode);
			posix_become(remake_user);
			sticky_calls();
			posix_become(POSIX_ROOT);
		}
}

/* ----------------------------------------------------- what a new file is like */

static void made(const char *name)
{
	int fd;

	posix_label("%s", name);
	CALL(mkdir("d/dir", 0777));
	CALL(mkdir("d/dir/dir", 06777));
	CALL(symlink("x", "d/link"));
	CALL(mknod("d/fifo", S_IFIFO | 0666, 0));
	CALL(mknod("d/node", S_IFREG | 0666, 0));
	SHUT(open("d/file", O_CREAT | O_WRONLY, 0666));
	fd = OPEN(open("d", O_TMPFILE | O_WRONLY, 0666));
	CALL(linkat(fd, "", AT_FDCWD, "d/tmp", AT_EMPTY_PATH));
	posix_see_fd(fd);
	close(fd);
	posix_become(POSIX_ROOT);
	posix_see("d/dir");
	posix_see("d/dir/dir");
	posix_see("d/link");
	posix_see("d/fifo");
	posix_see("d/node");
	posix_see("d/file");
	posix_clear("d");
}

static void owner(void)
{
	static const mode_t modes[] = { 0777, 02777, 02770, 03777, 06777 };
	char text[32];

	MUST(mkdir("d", 0777));
	MUST(chown("d", POSIX_OWNER, POSIX_GROUP));
	for (size_t i = 0; i < t_array_size(modes); i++)
		for (int user = 0; user < POSIX_USERS; user++) {
			MUST(chmod("d", modes[i]));
			snprintf(text, sizeof(text), "%s, %o", posix_users[user].name,
				 modes[i]);
			posix_become(user);
			made(text);
		}
}

/* Real and effective user differ: access(2) asks for the first, all else the other. */
static void effective(void)
{
	static const mode_t modes[] = { 0600, 0060, 0006, 0000, 0666 };

	posix_file("f", "text", 0600);
	MUST(chown("f", POSIX_OWNER, POSIX_GROUP));
	for (size_t i = 0; i < t_array_size(modes) * 4; i++) {
		uid_t real = i & 1 ? POSIX_OWNER : 1004;
		uid_t effective = i & 2 ? POSIX_OWNER : 1004;

		MUST(chmod("f", modes[i / 4]));
		posix_label("%o, real %u, effective %u", modes[i / 4], real, effective);
		MUST(setresgid(3004, 3004, 0));
		MUST(setresuid(real, effective, 0));
		CALL(access("f", R_OK));
		CALL(may("f", R_OK));
		CALL(opens("f", O_RDONLY));
		CALL(chmod("f", modes[i / 4]));
		CALL(access("f", W_OK));
		CALL(may("f", W_OK));
		posix_become(POSIX_ROOT);
	}
}

const struct posix_script posix_perm[] = {
	{ "file", files },	    { "dir", dirs },
	{ "sticky", sticky },	    { "owner", owner },
	{ "effective", effective }, { NULL, NULL },
};
