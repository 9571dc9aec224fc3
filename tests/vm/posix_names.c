// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls on names: each with each kind of name, and with each pair for those of two. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

static char name_255[256], name_256[257], name_1100[1101], path_4095[4096],
	path_4096[4097];

/* What the names below lead to. */
static void make_tree(void)
{
	posix_types();
	posix_file("file2", "more text", 0600);
	MUST(mkdir("full", 0755));
	posix_file("full/file", "", 0644);
	MUST(mkdir("full/sub", 0755));
	MUST(link("file", "hard"));
	MUST(symlink("dir", "dirlink"));
	MUST(symlink("none", "dangling"));
	MUST(symlink("loop", "loop"));
}

static void remake_tree(void)
{
	posix_clear(".");
	make_tree();
}

static void make_long_names(void)
{
	memset(name_255, 'n', 255);
	memset(name_256, 'n', 256);
	memset(name_1100, 'n', 1100);
	memset(path_4095, '/', 4091);
	memset(path_4096, '/', 4092);
	path_4095[0] = path_4096[0] = '.';
	strcpy(path_4095 + 4091, "file");
	strcpy(path_4096 + 4092, "file");
}

static const struct {
	const char *label, *path;
} names[] = {
	{ "file", "file" },
	{ "dir", "dir" },
	{ "fifo", "fifo" },
	{ "socket", "socket" },
	{ "chr", "chr" },
	{ "link", "link" },
	{ "hard", "hard" },
	{ "full", "full" },
	{ "dirlink", "dirlink" },
	{ "dangling", "dangling" },
	{ "loop", "loop" },
	{ "none", "none" },
	{ "file/", "file/" },
	{ "dir/", "dir/" },
	{ "link/", "link/" },
	{ "dirlink/", "dirlink/" },
	{ "none/", "none/" },
	{ "dir/.", "dir/." },
	{ "dir/..", "dir/.." },
	{ "full/.", "full/." },
	{ "full/..", "full/.." },
	{ ".", "." },
	{ "empty", "" },
	{ "file/x", "file/x" },
	{ "fifo/x", "fifo/x" },
	{ "none/x", "none/x" },
	{ "loop/x", "loop/x" },
	{ "dangling/x", "dangling/x" },
	{ "full/file", "full/file" },
	{ "full/sub", "full/sub" },
	{ "full//sub", "full//sub" },
	{ "dirlink/../file", "dirlink/../file" },
	{ "name of 255", name_255 },
	{ "name of 256", name_256 },
	{ "name of 1100", name_1100 },
	{ "path of 4095", path_4095 },
	{ "path of 4096", path_4096 },
};

/* ------------------------------------------------------------------ one name */

static int do_stat(const char *path)
{
	struct stat st;

	return stat(path, &st);
}

static int do_lstat(const char *path)
{
	struct stat st;

	return lstat(path, &st);
}

static int do_access(const char *path)
{
	return access(path, R_OK | W_OK);
}

static int do_readlink(const char *path)
{
	char target[PATH_MAX];

	return readlink(path, target, sizeof(target));
}

static int do_mkdir(const char *path)
{
	return mkdir(path, 0751);
}

static int do_mknod_file(const char *path)
{
	return mknod(path, S_IFREG | 0640, 0);
}

static int do_mknod_fifo(const char *path)
{
	return mknod(path, S_IFIFO | 0604, 0);
}

static int do_mknod_socket(const char *path)
{
	return mknod(path, S_IFSOCK | 0666, 0);
}

static int do_mknod_chr(const char *path)
{
	return mknod(path, S_IFCHR | 0600, makedev(1, 5));
}

static int do_mknod_blk(const char *path)
{
	return mknod(path, S_IFBLK | 0600, makedev(259, 70000));
}

static int do_mknod_dir(const char *path)
{
	return mknod(path, S_IFDIR | 0700, 0);
}

static int do_symlink(const char *path)
{
	return symlink("some/where", path);
}

static int do_link_to(const char *path)
{
	return link("file2", path);
}

static int do_link_from(const char *path)
{
	return link(path, "new");
}

static int do_link_follow(const char *path)
{
	return linkat(AT_FDCWD, path, AT_FDCWD, "new", AT_SYMLINK_FOLLOW);
}

static int do_link_bad_flag(const char *path)
{
	return linkat(AT_FDCWD, path, AT_FDCWD, "new", AT_REMOVEDIR);
}

static int do_rename_from(const char *path)
{
	return rename(path, "new");
}

static int do_rename_to(const char *path)
{
	return rename("file2", path);
}

static int do_rename_into(const char *path)
{
	return rename(path, "full/sub/new");
}

static int do_rename_whiteout(const char *path)
{
	return renameat2(AT_FDCWD, path, AT_FDCWD, "new", RENAME_WHITEOUT);
}

static int do_unlinkat_bad_flag(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

static int do_chmod(const char *path)
{
	return chmod(path, 0711);
}

static int do_chown(const char *path)
{
	return chown(path, 11, 12);
}

static int do_lchown(const char *path)
{
	return lchown(path, 11, 12);
}

static int do_truncate(const char *path)
{
	return truncate(path, 2);
}

static int do_utimes(const char *path)
{
	return utimensat(AT_FDCWD, path, NULL, 0);
}

static int do_chdir(const char *path)
{
	int here = MUST(open(".", O_RDONLY | O_DIRECTORY));
	int ret = chdir(path), err = errno;

	MUST(fchdir(here));
	close(here);
	errno = err;
	return ret;
}

static int do_bind(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, ret, err;

	if (!*path || strlen(path) >= sizeof(addr.sun_path)) {
		errno = EINVAL;
		return -1;
	}
	strcpy(addr.sun_path, path);
	fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
	ret = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	err = errno;
	close(fd);
	errno = err;
	return ret;
}

/* What a call leaves behind, and so what is done for the one after it. */
enum effect {
	NOTHING,
	MAKES_IT,
	MAKES_NEW,
	MOVES_TO_NEW,
	REMAKE
};

static const struct {
	const char *text;
	int (*call)(const char *path);
	enum effect effect;
} calls[] = {
	{ "stat", do_stat, NOTHING },
	{ "lstat", do_lstat, NOTHING },
	{ "access", do_access, NOTHING },
	{ "readlink", do_readlink, NOTHING },
	{ "chdir", do_chdir, NOTHING },
	{ "mkdir", do_mkdir, MAKES_IT },
	{ "mknod regular", do_mknod_file, MAKES_IT },
	{ "mknod fifo", do_mknod_fifo, MAKES_IT },
	{ "mknod socket", do_mknod_socket, MAKES_IT },
	{ "mknod char", do_mknod_chr, MAKES_IT },
	{ "mknod block", do_mknod_blk, MAKES_IT },
	{ "mknod dir", do_mknod_dir, MAKES_IT },
	{ "bind", do_bind, MAKES_IT },
	{ "symlink", do_symlink, MAKES_IT },
	{ "link to", do_link_to, MAKES_IT },
	{ "link from", do_link_from, MAKES_NEW },
	{ "link following", do_link_follow, MAKES_NEW },
	{ "link with a bad flag", do_link_bad_flag, MAKES_NEW },
	{ "rename from", do_rename_from, MOVES_TO_NEW },
	{ "chmod", do_chmod, NOTHING },
	{ "chown", do_chown, NOTHING },
	{ "lchown", do_lchown, NOTHING },
	{ "truncate", do_truncate, NOTHING },
	{ "utimes", do_utimes, NOTHING },
	{ "rmdir", rmdir, REMAKE },
	{ "unlink", unlink, REMAKE },
	{ "unlinkat with a bad flag", do_unlinkat_bad_flag, REMAKE },
	{ "rename to", do_rename_to, REMAKE },
	{ "rename into", do_rename_into, REMAKE },
	{ "rename, whiteout", do_rename_whiteout, REMAKE },
};

static void see_effect(enum effect effect, const char *path)
{
	switch (effect) {
	case NOTHING:
	case MAKES_IT:
		if (strlen(path) < 32)
			posix_see(path);
		break;
	case MAKES_NEW:
	case MOVES_TO_NEW:
		posix_see("new");
		break;
	case REMAKE:
		posix_see_tree();
	}
}

static void undo(enum effect effect, const char *path)
{
	if (effect == MAKES_IT)
		MUST(remove(path));
	else if (effect == MAKES_NEW)
		MUST(unlink("new"));
	else if (effect == MOVES_TO_NEW)
		MUST(rename("new", path));
	else if (effect == REMAKE)
		remake_tree();
}

static void one_name(void)
{
	make_long_names();
	make_tree();
	for (size_t i = 0; i < t_array_size(calls); i++) {
		posix_label("%s", calls[i].text);
		for (size_t j = 0; j < t_array_size(names); j++) {
			const char *path = names[j].path;

			if (posix_call(names[j].label, calls[i].call(path)) < 0)
				continue;
			see_effect(calls[i].effect, path);
			undo(calls[i].effect, path);
		}
		posix_see_tree();
	}
}

/* ------------------------------------------------------------------ two names */

static const char *const pairs[] = {
	"file", "hard",	   "dir",  "full", "full/sub", "full/file", "fifo",
	"link", "dirlink", "none", "dir/", "none/",    "dirlink/x",
};

static const struct {
	const char *text;
	unsigned int flags;
} renames[] = {
	{ "rename", 0 },
	{ "rename, noreplace", RENAME_NOREPLACE },
	{ "rename, exchange", RENAME_EXCHANGE },
};

static void rename_one(const char *from, const char *to, unsigned int flags)
{
	bool existed = !do_lstat(to);

	if (posix_call(to, renameat2(AT_FDCWD, from, AT_FDCWD, to, flags)) < 0)
		return;
	posix_see_tree();
	if ((existed && flags != RENAME_EXCHANGE) ||
	    renameat2(AT_FDCWD, to, AT_FDCWD, from, flags))
		remake_tree();
}

static void link_one(const char *from, const char *to)
{
	if (posix_call(to, link(from, to)) < 0)
		return;
	posix_see_tree();
	MUST(unlink(to));
}

static void two_names(void)
{
	size_t nr = t_array_size(pairs);

	make_tree();
	for (size_t i = 0; i < t_array_size(renames) * nr * nr; i++) {
		posix_label("%s %s", renames[i / nr / nr].text, pairs[i / nr % nr]);
		rename_one(pairs[i / nr % nr], pairs[i % nr], renames[i / nr / nr].flags);
	}
	for (size_t i = 0; i < nr * nr; i++) {
		posix_label("link %s", pairs[i / nr]);
		link_one(pairs[i / nr], pairs[i % nr]);
	}
}

static int rename_flags(const char *from, const char *to, unsigned int flags)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void rename_more(void)
{
	make_tree();
	CALL(rename_flags("file", "none", RENAME_NOREPLACE | RENAME_EXCHANGE));
	CALL(rename_flags("file", "none", RENAME_WHITEOUT | RENAME_EXCHANGE));
	CALL(rename_flags("file", "none", 1 << 20));
	CALL(rename_flags("file", "file2", RENAME_WHITEOUT | RENAME_NOREPLACE));
	CALL(rename_flags("file", "file2", RENAME_WHITEOUT));
	posix_see("file");
	posix_see_data("file2");
	CALL(unlink("file"));
	posix_see_tree();
	/* a whiteout may be made by everybody who may rename */
	MUST(mkdir("open", 0777));
	MUST(chmod("open", 0777));
	MUST(chown("open", POSIX_OWNER, POSIX_GROUP));
	MUST(rename("file2", "open/a"));
	posix_become(POSIX_OTHER);
	CALL(rename_flags("open/a", "open/b", RENAME_WHITEOUT));
	CALL(unlink("open/a"));
	posix_become(POSIX_ROOT);
	posix_see("open/a");
	CALL(rename("full", "full/sub/deeper"));
	CALL(rename_flags("full", "full/sub", RENAME_EXCHANGE));
	CALL(rename_flags("full/sub", "full", RENAME_EXCHANGE));
	CALL(rename("full/sub", "full"));
	posix_see_tree();
}

/* ------------------------------------------------------------- odd names */

static const char *const odd_names[] = {
	" ",
	"-",
	"...",
	"\\",
	"\n",
	"a\nb",
	"\xff",
	"\xc3\x28",
	"not\xff\xfeutf8",
	"\x7f\x01\x1b",
	"%s",
	"*",
	"\"'",
	"\xf0\x9f\x98\x80",
	"UPPER",
	"upper",
};

static void odd(void)
{
	char target[PATH_MAX];

	for (size_t i = 0; i < t_array_size(odd_names); i++) {
		const char *name = odd_names[i];

		posix_label("odd name %zu", i);
		CALL(mkdir(name, 0755));
		CALL(mkdir(name, 0755));
		CALL(rmdir(name));
		SHUT(open(name, O_CREAT | O_EXCL | O_WRONLY, 0644));
		CALL(access(name, F_OK));
		CALL(symlink(name, "link"));
		CALL(readlink("link", target, sizeof(target)) == (ssize_t)strlen(name));
		CALL(!memcmp(target, name, strlen(name)));
		CALL(access("link", F_OK));
		CALL(unlink("link"));
		CALL(rename(name, "link"));
		CALL(rename("link", name));
	}
	posix_label("%s", "");
	posix_see_names(".");
}

static void long_ones(void)
{
	static const int lengths[] = { 1,   59,	  60,	61,   254,  255,  256,
				       511, 1023, 1024, 1025, 4094, 4095, 4096 };
	static char target[8192], got[8192];

	for (size_t i = 0; i < t_array_size(lengths); i++) {
		posix_label("target of %d", lengths[i]);
		memset(target, 't', lengths[i]);
		target[lengths[i]] = '\0';
		if (CALL(symlink(target, "link")))
			continue;
		CALL(readlink("link", got, sizeof(got)));
		CALL(!memcmp(target, got, lengths[i]));
		CALL(readlink("link", got, 10));
		CALL(readlink("link", got, 0));
		posix_say("size right: %d",
			  lstat("link", &(struct stat){ 0 }) == 0 &&
				  readlink("link", got, sizeof(got)) == lengths[i]);
		CALL(access("link", F_OK));
		CALL(unlink("link"));
	}
	posix_label("%s", "");
	CALL(symlink("", "link"));
}

static void loops(void)
{
	char from[8], to[8];

	posix_file("s0", "", 0644);
	for (int i = 0; i < 45; i++) {
		snprintf(from, sizeof(from), "s%d", i);
		snprintf(to, sizeof(to), "s%d", i + 1);
		MUST(symlink(from, to));
	}
	CALL(access("s39", F_OK));
	CALL(access("s40", F_OK));
	CALL(access("s41", F_OK));
	CALL(access("s45", F_OK));
	SHUT(open("s41", O_RDONLY | O_CREAT, 0644));
	posix_see("s41");
}

static void deep(void)
{
	static char path[512];
	int fds[51], at = 0;

	fds[0] = MUST(open(".", O_PATH | O_DIRECTORY));
	for (int i = 0; i < 50; i++) {
		MUST(mkdirat(fds[i], "deeper", 0755));
		fds[i + 1] = MUST(openat(fds[i], "deeper", O_PATH | O_DIRECTORY));
		at += snprintf(path + at, sizeof(path) - at, "deeper/");
	}
	CALL(mkdir(path, 0755));
	CALL(access(path, F_OK));
	CALL(symlinkat("x", fds[50], "link"));
	CALL(renameat(fds[50], "link", fds[0], "link"));
	CALL(renameat(fds[0], "link", fds[50], "link"));
	CALL(renameat(fds[0], "deeper", fds[50], "deeper"));
	CALL(renameat(fds[49], "deeper", fds[0], "moved"));
	CALL(faccessat(fds[50], "link", F_OK, AT_SYMLINK_NOFOLLOW));
	CALL(faccessat(fds[50], "../../moved/link", F_OK, AT_SYMLINK_NOFOLLOW));
	CALL(faccessat(fds[50], "../moved/link", F_OK, AT_SYMLINK_NOFOLLOW));
	CALL(unlinkat(fds[48], "deeper", AT_REMOVEDIR));
	CALL(mkdirat(fds[49], "x", 0755));
	CALL(faccessat(fds[49], "..", F_OK, 0));
	posix_see_tree();
	for (int i = 0; i <= 50; i++)
		close(fds[i]);
}

/* Calls relative to a descriptor that is not, or no longer, a directory's. */
static void relative(void)
{
	int dir, file, gone;

	make_tree();
	dir = MUST(open("dir", O_RDONLY | O_DIRECTORY));
	file = MUST(open("file", O_RDONLY));
	MUST(mkdir("gone", 0755));
	gone = MUST(open("gone", O_RDONLY | O_DIRECTORY));
	MUST(rmdir("gone"));
	CALL(mkdirat(dir, "x", 0755));
	CALL(mkdirat(file, "x", 0755));
	CALL(mkdirat(gone, "x", 0755));
	CALL(mkdirat(-1, "x", 0755));
	CALL(mknodat(dir, "y", S_IFREG | 0644, 0));
	CALL(mknodat(gone, "y", S_IFREG | 0644, 0));
	CALL(symlinkat("x", gone, "z"));
	CALL(linkat(AT_FDCWD, "file", gone, "z", 0));
	CALL(linkat(file, "", AT_FDCWD, "by-fd", AT_EMPTY_PATH));
	CALL(linkat(dir, "", AT_FDCWD, "by-fd2", AT_EMPTY_PATH));
	CALL(linkat(file, "", AT_FDCWD, "by-fd3", 0));
	CALL(renameat(dir, "y", gone, "y"));
	CALL(renameat(dir, "y", AT_FDCWD, "y"));
	CALL(unlinkat(dir, "x", 0));
	CALL(unlinkat(file, "x", 0));
	CALL(unlinkat(dir, "x", AT_REMOVEDIR));
	CALL(unlinkat(gone, "x", 0));
	CALL(faccessat(gone, ".", F_OK, 0));
	CALL(faccessat(file, ".", F_OK, 0));
	SHUT(openat(gone, "x", O_CREAT | O_WRONLY, 0644));
	SHUT(openat(gone, ".", O_TMPFILE | O_WRONLY, 0644));
	posix_see_fd(gone);
	posix_see_fd(file);
	posix_see_tree();
	close(dir);
	close(file);
	close(gone);
}

static void umasks(void)
{
	static const mode_t masks[] = { 0, 022, 027, 077, 0777, 0111, 0222, 07777 };

	for (size_t i = 0; i < t_array_size(masks); i++) {
		posix_label("umask %o", masks[i]);
		umask(masks[i]);
		CALL(mkdir("dir", 07777));
		posix_see("dir");
		CALL(mknod("node", S_IFREG | 07777, 0));
		posix_see("node");
		CALL(mknod("fifo", S_IFIFO | 07777, 0));
		posix_see("fifo");
		CALL(symlink("x", "link"));
		posix_see("link");
		SHUT(open("file", O_CREAT | O_WRONLY, 07777));
		posix_see("file");
		umask(022);
		posix_clear(".");
	}
}

const struct posix_script posix_names[] = {
	{ "one", one_name }, { "two", two_names },     { "rename", rename_more },
	{ "odd", odd },	     { "long", long_ones },    { "loop", loops },
	{ "deep", deep },    { "relative", relative }, { "umask", umasks },
	{ NULL, NULL },
};
