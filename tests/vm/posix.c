// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A script of system calls whose results are compared between two filesystems.
 *
 *   t_posix DIR
 *
 * Prints a line for each call made below the directory DIR, which is empty before and
 * after. It judges nothing: a filesystem and phyrfs over it shall give the same lines.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

static const struct {
	const char *name;
	const struct posix_script *scripts;
} nouns[] = {
	{ "names", posix_names },     { "open", posix_open },
	{ "resolve", posix_resolve }, { "data", posix_data },
	{ "space", posix_space },     { "copy", posix_copy },
	{ "map", posix_map },	      { "handle", posix_handle },
	{ "attr", posix_attr },	      { "killpriv", posix_killpriv },
	{ "perm", posix_perm },	      { "acl", posix_acl },
	{ "dir", posix_dir },	      { "xattr", posix_xattr },
	{ "time", posix_time },	      { "lock", posix_lock },
};

const char *const posix_type_names[] = {
	"file", "dir", "fifo", "socket", "chr", "link", NULL,
};

static char script[64], label[128];

void posix_label(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(label, sizeof(label), fmt, ap);
	va_end(ap);
}

static void line_begin(void)
{
	printf("%s: %s%s", script, label, *label ? ": " : "");
}

void posix_say(const char *fmt, ...)
{
	va_list ap;

	line_begin();
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

int64_t posix_call(const char *text, int64_t ret)
{
	char result[32];
	int err = errno;

	posix_say("%s = %s", text, t_result(ret < 0 ? -err : ret, result));
	errno = err;
	return ret;
}

int posix_fd(const char *text, int fd)
{
	int err = errno;

	posix_say("%s = %s", text, fd < 0 ? t_errname(err) : "ok");
	errno = err;
	return fd;
}

int posix_shut(const char *text, int fd)
{
	if (posix_fd(text, fd) >= 0)
		close(fd);
	return fd;
}

void *posix_mmap(const char *text, void *map)
{
	posix_fd(text, map == MAP_FAILED ? -1 : 0);
	return map;
}

int64_t posix_must(const char *text, int64_t ret)
{
	if (ret < 0)
		t_die("%s: %s: %s", script, label, text);
	return ret;
}

void posix_file(const char *path, const char *text, mode_t mode)
{
	int fd = MUST(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600));

	MUST(write(fd, text, strlen(text)));
	MUST(fchmod(fd, mode));
	MUST(close(fd));
}

void posix_types(void)
{
	posix_file("file", "text", 0644);
	MUST(mkdir("dir", 0755));
	MUST(mknod("fifo", S_IFIFO | 0644, 0));
	MUST(mknod("socket", S_IFSOCK | 0644, 0));
	MUST(mknod("chr", S_IFCHR | 0644, makedev(1, 3)));
	MUST(symlink("file", "link"));
}

/* Takes @fd. By descriptor: phyrfs is asked for each part of a path each time. */
static void clear(int fd)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;

	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (!strcmp(name, ".") || !strcmp(name, "..") || !unlinkat(fd, name, 0))
			continue;
		clear(MUST(openat(fd, name, O_RDONLY | O_DIRECTORY)));
		MUST(unlinkat(fd, name, AT_REMOVEDIR));
	}
	closedir(dir);
}

void posix_clear(const char *path)
{
	clear(MUST(open(path, O_RDONLY | O_DIRECTORY)));
}

static int not_empty(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return ftw->level;
}

static void run(const char *noun, const struct posix_script *item)
{
	snprintf(script, sizeof(script), "%s %s", noun, item->name);
	posix_label("%s", "");
	umask(022);
	MUST(chown(".", 0, 0));
	MUST(chmod(".", 0755));
	item->run();
	posix_clear(".");
}

/* Is @noun in the list? All are in an empty one. */
static bool wanted(const char *noun, char **list)
{
	if (!*list)
		return true;
	while (*list && strcmp(*list, noun))
		list++;
	return *list;
}

int main(int argc, char **argv)
{
	/* A running program, of which posix_open.c needs one: lasts as long as stdin. */
	if (argc == 1)
		return read(STDIN_FILENO, &argc, 1) < 0;
	if (argc < 2)
		t_usage("DIR [NOUN...]");
	if (chdir(argv[1]))
		t_die("%s", argv[1]);
	if (nftw(".", not_empty, 4, FTW_PHYS)) {
		errno = 0;
		t_die("%s is not empty", argv[1]);
	}
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < t_array_size(nouns); i++)
		for (const struct posix_script *item = nouns[i].scripts;
		     wanted(nouns[i].name, argv + 2) && item->name; item++)
			run(nouns[i].name, item);
	return fflush(stdout) ? 2 : 0;
}
