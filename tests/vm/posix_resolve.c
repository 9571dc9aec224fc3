// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * openat2(2): where a path may lead. RESOLVE_CACHED is left out: nothing of phyrfs is in
 * the kernel's cache of names, as its man page says.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

static const char *const paths[] = {
	"file",	   "link",	   "dir/file",	  "dir/up",	 "dir/link",
	"dir/abs", "dirlink/file", "dir/../file", "dir/../../.", "/file",
	"none",	   "dir/./file",   "dirlink",	  "loop",
};

static const struct {
	const char *text;
	uint64_t resolve;
} resolves[] = {
	{ "none", 0 },
	{ "no symlinks", RESOLVE_NO_SYMLINKS },
	{ "no magic links", RESOLVE_NO_MAGICLINKS },
	{ "beneath", RESOLVE_BENEATH },
	{ "in root", RESOLVE_IN_ROOT },
	{ "no xdev", RESOLVE_NO_XDEV },
	{ "beneath, in root", RESOLVE_BENEATH | RESOLVE_IN_ROOT },
	{ "beneath, no symlinks", RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS },
	{ "unknown", 1 << 20 },
};

static int open2(int dir, const char *path, uint64_t flags, uint64_t mode,
		 uint64_t resolve)
{
	struct open_how how = { .flags = flags, .mode = mode, .resolve = resolve };
	int fd;

	/* a rename anywhere in the machine while ".." is looked up */
	do
		fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN);
	return fd;
}

static void where(void)
{
	int dir = MUST(open(".", O_PATH | O_DIRECTORY));

	posix_file("file", "", 0644);
	MUST(symlink("file", "link"));
	MUST(mkdir("dir", 0755));
	posix_file("dir/file", "", 0644);
	MUST(symlink("../file", "dir/up"));
	MUST(symlink("file", "dir/link"));
	MUST(symlink("/file", "dir/abs"));
	MUST(symlink("dir", "dirlink"));
	MUST(symlink("loop", "loop"));
	for (size_t i = 0; i < t_array_size(resolves); i++) {
		posix_label("%s", resolves[i].text);
		for (size_t j = 0; j < t_array_size(paths); j++)
			posix_shut(paths[j], open2(dir, paths[j], O_RDONLY, 0,
						   resolves[i].resolve));
	}
	close(dir);
}

static void how(void)
{
	posix_file("file", "", 0644);
	SHUT(open2(AT_FDCWD, "a", O_CREAT | O_WRONLY, 0600, 0));
	SHUT(open2(AT_FDCWD, "b", O_CREAT | O_WRONLY, 010000, 0));
	SHUT(open2(AT_FDCWD, "file", O_RDONLY, 0600, 0));
	SHUT(open2(AT_FDCWD, "file", 1ULL << 40, 0, 0));
	SHUT(open2(AT_FDCWD, "file", O_PATH | O_RDWR, 0, 0));
	SHUT(open2(AT_FDCWD, "file", O_PATH | O_TRUNC, 0, 0));
	SHUT(open2(AT_FDCWD, ".", O_TMPFILE | O_RDWR, 0600, 0));
	SHUT(open2(AT_FDCWD, ".", O_TMPFILE | O_RDWR, 0600, RESOLVE_BENEATH));
	SHUT(open2(AT_FDCWD, ".", O_TMPFILE & ~O_DIRECTORY, 0600, 0));
	posix_see_tree();
}

const struct posix_script posix_resolve[] = {
	{ "where", where },
	{ "how", how },
	{ NULL, NULL },
};
