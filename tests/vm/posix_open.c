// SPDX-License-Identifier: GPL-2.0-or-later
/* open(2): each kind of file with each set of flags, and what is special about some. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

static const char *const files[] = {
	"file",	     "dir",	 "fifo", "socket", "chr",      "link",
	"dirlink",   "dangling", "loop", "none",   "dir/none", "file/none",
	"none/none", "file/",	 "dir/", "none/",
};

static const struct {
	const char *text;
	int flags;
} accesses[] = {
	{ "r", O_RDONLY },
	{ "w", O_WRONLY },
	{ "rw", O_RDWR },
	{ "none", O_ACCMODE },
};

static const struct {
	const char *text;
	int flags;
} flag_sets[] = {
	{ "", 0 },
	{ " CREAT", O_CREAT },
	{ " CREAT EXCL", O_CREAT | O_EXCL },
	{ " EXCL", O_EXCL },
	{ " TRUNC", O_TRUNC },
	{ " CREAT TRUNC", O_CREAT | O_TRUNC },
	{ " APPEND", O_APPEND },
	{ " APPEND TRUNC", O_APPEND | O_TRUNC },
	{ " DIRECTORY", O_DIRECTORY },
	{ " CREAT DIRECTORY", O_CREAT | O_DIRECTORY },
	{ " NOFOLLOW", O_NOFOLLOW },
	{ " CREAT NOFOLLOW", O_CREAT | O_NOFOLLOW },
	{ " PATH", O_PATH },
	{ " PATH NOFOLLOW", O_PATH | O_NOFOLLOW },
	{ " PATH DIRECTORY", O_PATH | O_DIRECTORY },
	{ " PATH CREAT", O_PATH | O_CREAT },
	{ " NOATIME", O_NOATIME },
	{ " DIRECT", O_DIRECT },
	{ " CREAT DIRECT", O_CREAT | O_DIRECT },
	{ " SYNC", O_SYNC },
	{ " DSYNC", O_DSYNC },
	{ " CREAT SYNC TRUNC", O_CREAT | O_SYNC | O_TRUNC },
	{ " TMPFILE", O_TMPFILE },
	{ " TMPFILE EXCL", O_TMPFILE | O_EXCL },
	{ " TMPFILE CREAT", O_TMPFILE | O_CREAT },
	{ " TMPFILE TRUNC", O_TMPFILE | O_TRUNC },
	{ " TMPFILE DIRECT", O_TMPFILE | O_DIRECT },
};

static void make_files(void)
{
	posix_types();
	MUST(symlink("dir", "dirlink"));
	MUST(symlink("none", "dangling"));
	MUST(symlink("loop", "loop"));
}

static void open_one(const char *path, const char *text, int flags)
{
	/* O_NONBLOCK: a FIFO would wait for its other end. */
	int fd = open(path, flags | O_NONBLOCK, 0640);
	struct stat st;

	if (fd < 0) {
		posix_fd(text, fd);
		return;
	}
	MUST(fstat(fd, &st));
	posix_say("%s = ok, %c %o size %lld, flags %o, data %s", text,
		  posix_type_letter(st.st_mode), st.st_mode & ALLPERMS,
		  S_ISDIR(st.st_mode) ? 0LL : (long long)st.st_size, fcntl(fd, F_GETFL),
		  read(fd, &st, 1) < 0 ? t_errname(errno) : "read");
	MUST(close(fd));
	if (flags & O_CREAT && (!unlink("none") || !unlink("dir/none")))
		posix_say("made");
	if (flags & O_TRUNC)
		posix_file("file", "text", 0644);
}

static void flags(void)
{
	char text[64];

	make_files();
	for (size_t i = 0; i < t_array_size(files); i++) {
		posix_label("%s", files[i]);
		for (size_t j = 0; j < t_array_size(flag_sets) * 4; j++) {
			snprintf(text, sizeof(text), "%s%s", accesses[j % 4].text,
				 flag_sets[j / 4].text);
			open_one(files[i], text,
				 flag_sets[j / 4].flags | accesses[j % 4].flags);
		}
	}
}

/* What a descriptor of O_PATH can be used for. */
static void path_only(void)
{
	struct timespec now[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } };
	char byte;
	int fd;

	make_files();
	for (const char *const *name = posix_type_names; *name; name++) {
		posix_label("%s", *name);
		fd = MUST(open(*name, O_PATH | O_NOFOLLOW));
		posix_see_fd(fd);
		CALL(read(fd, &byte, 1));
		CALL(write(fd, &byte, 1));
		CALL(lseek(fd, 0, SEEK_SET));
		CALL(fchmod(fd, 0600));
		CALL(fchown(fd, 1, 1));
		CALL(ftruncate(fd, 0));
		CALL(futimens(fd, now));
		CALL(fsync(fd));
		CALL(fchdir(fd));
		MUST(chdir(*name[0] == 'd' ? ".." : "."));
		CALL(fchownat(fd, "", 1, 2, AT_EMPTY_PATH));
		CALL(utimensat(fd, "", now, AT_EMPTY_PATH));
		CALL(fchmodat(fd, "", 0604, AT_EMPTY_PATH));
		CALL(faccessat(fd, "", R_OK, AT_EMPTY_PATH));
		CALL(linkat(fd, "", AT_FDCWD, "new", AT_EMPTY_PATH));
		SHUT(openat(fd, "", O_RDONLY));
		CALL(unlink("new"));
		posix_see_fd(fd);
		close(fd);
	}
}

static void tmpfile_of(int flags)
{
	char link[64];
	int fd;

	fd = OPEN(open(".", O_TMPFILE | flags, 0640));
	if (fd < 0)
		return;
	CALL(write(fd, "nameless", 8));
	posix_see_fd(fd);
	posix_see_tree();
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	CALL(linkat(AT_FDCWD, link, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	posix_see_fd(fd);
	posix_see("named");
	posix_see_data("named");
	CALL(linkat(fd, "", AT_FDCWD, "named", AT_EMPTY_PATH));
	CALL(linkat(fd, "", AT_FDCWD, "named2", AT_EMPTY_PATH));
	posix_see_fd(fd);
	CALL(write(fd, " more", 5));
	posix_see_data("named2");
	unlink("named");
	unlink("named2");
	CALL(linkat(fd, "", AT_FDCWD, "again", AT_EMPTY_PATH));
	posix_see_fd(fd);
	close(fd);
}

static void tmpfiles(void)
{
	static const struct {
		const char *text;
		int flags;
	} kinds[] = {
		{ "rw", O_RDWR },
		{ "w", O_WRONLY },
		{ "rw excl", O_RDWR | O_EXCL },
		{ "append", O_RDWR | O_APPEND },
	};

	for (size_t i = 0; i < t_array_size(kinds); i++) {
		posix_label("%s", kinds[i].text);
		tmpfile_of(kinds[i].flags);
		posix_clear(".");
	}
	posix_label("%s", "");
	SHUT(open(".", O_TMPFILE | O_RDONLY, 0600));
	SHUT(open("none", O_TMPFILE | O_RDWR, 0600));
	posix_file("file", "", 0644);
	SHUT(open("file", O_TMPFILE | O_RDWR, 0600));
	umask(077);
	MUST(mkdir("sub", 02777));
	MUST(chown("sub", POSIX_OWNER, POSIX_GROUP));
	MUST(chmod("sub", 02777));
	posix_become(POSIX_MEMBER);
	int fd = OPEN(open("sub", O_TMPFILE | O_RDWR, 0666));
	posix_see_fd(fd);
	CALL(linkat(fd, "", AT_FDCWD, "sub/named", AT_EMPTY_PATH));
	posix_become(POSIX_ROOT);
	CALL(linkat(fd, "", AT_FDCWD, "sub/named2", AT_EMPTY_PATH));
	posix_see("sub/named2");
	close(fd);
}

static void excl(void)
{
	int fd;

	SHUT(open("f", O_CREAT | O_EXCL | O_RDWR, 0));
	posix_see("f");
	SHUT(open("f", O_CREAT | O_EXCL | O_RDWR, 0644));
	SHUT(open("f", O_CREAT | O_RDWR, 0644));
	posix_see("f");
	/* the mode binds those who come after the maker, not him */
	MUST(chmod(".", 0777));
	posix_become(POSIX_OTHER);
	fd = OPEN(open("g", O_CREAT | O_RDWR, 0));
	CALL(write(fd, "abc", 3));
	CALL(ftruncate(fd, 1));
	CALL(fchmod(fd, 0200));
	CALL(ftruncate(fd, 0));
	posix_see_fd(fd);
	close(fd);
	SHUT(open("g", O_RDONLY));
	SHUT(open("g", O_WRONLY | O_CREAT));
	SHUT(open("g", O_RDONLY | O_CREAT));
	fd = OPEN(open("h", O_CREAT | O_RDONLY | O_TRUNC, 0));
	CALL(write(fd, "x", 1));
	close(fd);
	posix_become(POSIX_ROOT);
}

static void noatime(void)
{
	posix_file("mine", "x", 0666);
	MUST(chown("mine", POSIX_OWNER, POSIX_GROUP));
	for (int user = 0; user < POSIX_USERS; user++) {
		posix_label("%s", posix_users[user].name);
		posix_become(user);
		int fd = OPEN(open("mine", O_RDONLY | O_NOATIME));
		close(fd);
		fd = OPEN(open("mine", O_RDWR));
		CALL(fcntl(fd, F_SETFL, O_NOATIME));
		CALL((fcntl(fd, F_GETFL) & O_NOATIME) != 0);
		close(fd);
		posix_become(POSIX_ROOT);
	}
}

static void copy_self(const char *path)
{
	static char buf[65536];
	int from = MUST(open("/proc/self/exe", O_RDONLY));
	int to = MUST(open(path, O_WRONLY | O_CREAT | O_EXCL, 0755));
	ssize_t length;

	while ((length = MUST(read(from, buf, sizeof(buf)))))
		MUST(write(to, buf, length));
	close(from);
	close(to);
}

static pid_t prog_pid;
static int prog_stdin; /* when this is closed, the program ends */

/* Says whether ./prog could be started. */
static void start(void)
{
	int in[2], status[2], err = 0;

	MUST(pipe2(in, O_CLOEXEC));
	MUST(pipe2(status, O_CLOEXEC));
	fflush(stdout);
	prog_pid = MUST(fork());
	if (!prog_pid) {
		dup2(in[0], STDIN_FILENO);
		execl("./prog", "t_posix", NULL);
		err = errno;
		_exit(write(status[1], &err, sizeof(err)) < 0);
	}
	close(in[0]);
	close(status[1]);
	MUST(read(status[0], &err, sizeof(err)));
	close(status[0]);
	posix_say("exec = %s", err ? t_errname(err) : "ok");
	prog_stdin = in[1];
}

static void stop(void)
{
	close(prog_stdin);
	MUST(waitpid(prog_pid, NULL, 0));
}

static void start_stop(void)
{
	start();
	stop();
}

static void busy(void)
{
	struct stat st;
	int fd;

	copy_self("prog");
	start();
	SHUT(open("prog", O_RDONLY));
	SHUT(open("prog", O_WRONLY));
	SHUT(open("prog", O_RDWR));
	CALL(truncate("prog", 0));
	CALL(chmod("prog", 0700));
	CALL(chmod("prog", 0755));
	CALL(rename("prog", "prog2"));
	SHUT(open("prog2", O_WRONLY));
	CALL(link("prog2", "prog"));
	CALL(unlink("prog2"));
	SHUT(open("prog", O_RDONLY | O_TRUNC));
	MUST(stat("prog", &st));
	CALL(st.st_size > 0);
	stop();
	fd = OPEN(open("prog", O_WRONLY));
	start_stop();
	close(fd);
	start_stop();
	CALL(chmod("prog", 0644));
	start_stop();
	CALL(truncate("prog", 0));
	CALL(chmod("prog", 0755));
	start_stop();
}

const struct posix_script posix_open[] = {
	{ "flags", flags }, { "path", path_only },  { "tmpfile", tmpfiles },
	{ "excl", excl },   { "noatime", noatime }, { "busy", busy },
	{ NULL, NULL },
};
