// SPDX-License-Identifier: GPL-2.0-or-later
/* Mode, owner, times that are set, and what stat, statx and statfs tell. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

static const mode_t modes[] = {
	0,     01,    02,   04,	   010,	  020,	 040,	0100,  0200,  0400, 01000,
	02000, 04000, 0777, 07777, 02755, 02745, 04755, 06711, 01777, 0644,
};

static void chmods(void)
{
	posix_types();
	for (const char *const *name = posix_type_names; *name; name++)
		for (size_t i = 0; i < t_array_size(modes); i++) {
			posix_label("%o", modes[i]);
			posix_call(*name, chmod(*name, modes[i]));
			posix_see(*name);
		}
}

/* An owner who is not in the group of the file cannot give it the group's id. */
static void chmod_owner(void)
{
	posix_types();
	for (const char *const *name = posix_type_names; *name; name++)
		for (int group = 0; group < 2; group++) {
			MUST(lchown(*name, POSIX_OWNER, group ? 3001 : POSIX_GROUP));
			posix_become(POSIX_MAKER);
			for (size_t i = 0; i < t_array_size(modes); i++) {
				posix_label("group %d, %o", group, modes[i]);
				posix_call(*name, chmod(*name, modes[i]));
				posix_see(*name);
			}
			posix_become(POSIX_ROOT);
		}
}

static void chmod_ways(void)
{
	int fd;

	posix_types();
	fd = MUST(open("file", O_RDONLY));
	CALL(fchmod(fd, 04321));
	posix_see_fd(fd);
	close(fd);
	fd = MUST(open("dir", O_RDONLY));
	CALL(fchmod(fd, 02751));
	posix_see("dir");
	close(fd);
	CALL(fchmodat(AT_FDCWD, "file", 0600, 0));
	CALL(fchmodat(AT_FDCWD, "file", 0640, AT_SYMLINK_NOFOLLOW));
	CALL(fchmodat(AT_FDCWD, "link", 0644, AT_SYMLINK_NOFOLLOW));
	CALL(fchmodat(AT_FDCWD, "link", 0604, 0));
	CALL(fchmodat(AT_FDCWD, "file", 0600, AT_REMOVEDIR));
	CALL(chmod("file", S_IFDIR | 0611));
	CALL(fchmod(-1, 0));
	posix_see("file");
	posix_see("link");
}

static const struct {
	uid_t uid;
	gid_t gid;
} owners[] = {
	{ -1, -1 },
	{ POSIX_OWNER, -1 },
	{ -1, POSIX_GROUP },
	{ POSIX_OWNER, POSIX_GROUP },
	{ 0, 0 },
	{ -1, 3001 },
	{ 70000, 80000 },
	{ 4294967294U, 4294967294U },
};

static void chowns(void)
{
	static const mode_t bits[] = { 04755, 02755, 06777, 02767, 06644, 01777, 0640 };

	posix_types();
	for (size_t i = 0; i < t_array_size(owners) * 2 * t_array_size(bits); i++) {
		size_t owner = i / 2 / t_array_size(bits);
		uid_t uid = owners[owner].uid;
		gid_t gid = owners[owner].gid;
		int user = i / t_array_size(bits) % 2 ? POSIX_MAKER : POSIX_ROOT;
		mode_t mode = bits[i % t_array_size(bits)];

		posix_label("%s, %o, %d:%d", posix_users[user].name, mode, (int)uid,
			    (int)gid);
		for (const char *const *name = posix_type_names; *name; name++) {
			MUST(lchown(*name, POSIX_OWNER, POSIX_GROUP));
			if (strcmp(*name, "link"))
				MUST(chmod(*name, mode));
			posix_become(user);
			posix_call(*name, lchown(*name, uid, gid));
			posix_become(POSIX_ROOT);
			posix_see(*name);
		}
	}
}

static void chown_ways(void)
{
	int fd;

	posix_types();
	fd = MUST(open("file", O_RDONLY));
	CALL(fchown(fd, 1, 2));
	posix_see_fd(fd);
	CALL(fchown(fd, -1, 3));
	CALL(fchownat(fd, "", 4, -1, AT_EMPTY_PATH));
	CALL(fchownat(fd, "", 4, -1, 0));
	posix_see_fd(fd);
	close(fd);
	CALL(chown("link", 5, 6));
	CALL(lchown("link", 7, 8));
	CALL(fchownat(AT_FDCWD, "link", 9, -1, AT_SYMLINK_NOFOLLOW));
	CALL(fchownat(AT_FDCWD, "link", 9, -1, AT_REMOVEDIR));
	posix_see("file");
	posix_see("link");
}

static const struct timespec stamps[] = {
	{ 0, UTIME_NOW },
	{ 0, UTIME_OMIT },
	{ 0, 0 },
	{ 0, 1 },
	{ 1, 999999999 },
	{ 981173106, 789012345 },
	{ -1, 0 },
	{ -1, 999999999 },
	{ -1000000, 5 },
	{ -2147483648LL, 0 },
	{ -2147483649LL, 0 },
	{ 2147483647, 1 },
	{ 2147483648LL, 2 },
	{ 4294967295LL, 3 },
	{ 4294967296LL, 4 },
	{ 10000000000LL, 5 },
	{ 15032385535LL, 6 },
	{ 15032385536LL, 7 },
	{ 20000000000LL, 8 },
	{ 1LL << 40, 9 },
	{ -(1LL << 40), 9 },
	{ 0, 1000000000 },
	{ 0, -1 },
	{ 5, UTIME_NOW },
	{ 6, UTIME_OMIT },
};

/* What is of this day is not shown. */
static void see_stamp(const char *what, struct timespec ts, const struct timespec *now)
{
	if (ts.tv_sec >= now->tv_sec - 1000 && ts.tv_sec <= now->tv_sec + 1000)
		posix_say("%s now", what);
	else
		posix_say("%s %lld.%09ld", what, (long long)ts.tv_sec, ts.tv_nsec);
}

static void see_times(const char *path)
{
	struct timespec now;
	struct stat st;

	clock_gettime(CLOCK_REALTIME, &now);
	MUST(lstat(path, &st));
	see_stamp("atime", st.st_atim, &now);
	see_stamp("mtime", st.st_mtim, &now);
	see_stamp("ctime", st.st_ctim, &now);
}

static void stamp(const char *path, const struct timespec times[2])
{
	posix_call(path, utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
	see_times(path);
}

static void times(void)
{
	struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	int fd;

	posix_types();
	for (size_t i = 0; i < t_array_size(stamps); i++) {
		struct timespec both[2] = { stamps[i], stamps[i] };
		struct timespec atime[2] = { stamps[i], { 0, UTIME_OMIT } };
		struct timespec mtime[2] = { { 0, UTIME_OMIT }, stamps[i] };

		posix_label("both %zu", i);
		stamp("file", both);
		stamp("link", both);
		stamp("dir", both);
		posix_label("atime %zu", i);
		stamp("file", atime);
		posix_label("mtime %zu", i);
		stamp("file", mtime);
	}
	posix_label("%s", "");
	for (const char *const *name = posix_type_names; *name; name++)
		stamp(*name, now);
	CALL(utimensat(AT_FDCWD, "link", now, 0));
	CALL(utimensat(AT_FDCWD, "file", now, AT_REMOVEDIR));
	CALL(utimensat(AT_FDCWD, "none", now, 0));
	now[0] = (struct timespec){ 100, 200 };
	now[1] = (struct timespec){ 300, 400 };
	fd = MUST(open("file", O_RDONLY));
	CALL(futimens(fd, now));
	see_times("file");
	CALL(futimens(fd, NULL));
	see_times("file");
	close(fd);
}

static void see_statx(const char *path, int flags, unsigned int mask)
{
	struct statx stx;

	posix_label("%s, flags %x, mask %x", path, flags, mask);
	if (CALL(statx(AT_FDCWD, path, flags, mask, &stx)))
		return;
	/* what was not asked for may be told, too */
	posix_say("mask %x", stx.stx_mask & mask & STATX_BASIC_STATS);
	posix_say("%o %u:%u nlink %u size %lld", stx.stx_mode, stx.stx_uid, stx.stx_gid,
		  stx.stx_nlink, S_ISDIR(stx.stx_mode) ? 0LL : (long long)stx.stx_size);
	posix_say("blksize %u rdev %u:%u", stx.stx_blksize, stx.stx_rdev_major,
		  stx.stx_rdev_minor);
}

static void statxs(void)
{
	posix_types();
	for (const char *const *name = posix_type_names; *name; name++) {
		see_statx(*name, 0, STATX_BASIC_STATS);
		see_statx(*name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS);
		see_statx(*name, AT_STATX_FORCE_SYNC, STATX_BASIC_STATS);
	}
	see_statx("file", 0, 0x80000000);
	see_statx("file", 1, STATX_BASIC_STATS);
	see_statx("file", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_BASIC_STATS);
	see_statx("none", 0, STATX_BASIC_STATS);
	see_statx("", AT_EMPTY_PATH, STATX_BASIC_STATS);
}

static void blocks(void)
{
	struct stat st;
	int fd = MUST(open("f", O_RDWR | O_CREAT, 0644));

	CALL(fallocate(fd, 0, 0, 65536));
	MUST(fsync(fd));
	MUST(fstat(fd, &st));
	CALL(st.st_blocks);
	CALL(st.st_blksize);
	CALL(ftruncate(fd, 0));
	MUST(fsync(fd));
	MUST(fstat(fd, &st));
	CALL(st.st_blocks);
	close(fd);
}

static void filesystem(void)
{
	struct statfs st;
	int fd;

	posix_types();
	for (const char *const *name = posix_type_names; *name; name++) {
		posix_label("%s", *name);
		CALL(statfs(*name, &st));
		posix_say("namelen %ld bsize %ld frsize %ld blocks %lld files %lld",
			  st.f_namelen, st.f_bsize, st.f_frsize, (long long)st.f_blocks,
			  (long long)st.f_files);
	}
	posix_label("%s", "");
	fd = MUST(open("file", O_PATH));
	CALL(fstatfs(fd, &st));
	CALL(fpathconf(fd, _PC_NAME_MAX));
	close(fd);
	CALL(pathconf(".", _PC_LINK_MAX) > 0);
	CALL(statfs("none", &st));
	CALL(statfs("file/x", &st));
}

const struct posix_script posix_attr[] = {
	{ "chmod", chmods },	  { "chmod by owner", chmod_owner },
	{ "fchmod", chmod_ways }, { "chown", chowns },
	{ "fchown", chown_ways }, { "times", times },
	{ "statx", statxs },	  { "blocks", blocks },
	{ "statfs", filesystem }, { NULL, NULL },
};
