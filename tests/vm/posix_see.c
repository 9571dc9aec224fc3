// SPDX-License-Identifier: GPL-2.0-or-later
/* What there is to see of files: attributes, data, names. See posix.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "t.h"
#include "posix.h"

char posix_type_letter(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 'f';
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFIFO:
		return 'p';
	case S_IFSOCK:
		return 's';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	}
	return '?';
}

/* The size of a directory is the filesystem's own affair. */
static void see(const char *name, const struct stat *st, const char *target)
{
	posix_say("%s is %c %o %u:%u nlink %u size %lld rdev %u:%u%s%s", name,
		  posix_type_letter(st->st_mode), st->st_mode & ALLPERMS, st->st_uid,
		  st->st_gid, (unsigned int)st->st_nlink,
		  S_ISDIR(st->st_mode) ? 0LL : (long long)st->st_size, major(st->st_rdev),
		  minor(st->st_rdev), *target ? " -> " : "", target);
}

void posix_see(const char *path)
{
	char target[PATH_MAX] = "";
	struct stat st;

	if (lstat(path, &st)) {
		posix_say("%s is %s", path, t_errname(errno));
		return;
	}
	if (S_ISLNK(st.st_mode))
		MUST(readlink(path, target, sizeof(target) - 1));
	see(path, &st, target);
}

void posix_see_fd(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		posix_say("it is %s", t_errname(errno));
	else
		see("it", &st, "");
}

void posix_see_data_fd(int fd)
{
	static unsigned char buf[65536];
	uint64_t hash = 0xcbf29ce484222325;
	ssize_t length;
	off_t pos = 0;

	while ((length = pread(fd, buf, sizeof(buf), pos)) > 0) {
		for (ssize_t i = 0; i < length; i++)
			hash = (hash ^ buf[i]) * 0x100000001b3;
		pos += length;
	}
	if (length < 0)
		posix_say("data: %s at %lld", t_errname(errno), (long long)pos);
	else
		posix_say("data: %lld bytes, hash %016llx", (long long)pos,
			  (unsigned long long)hash);
}

void posix_see_data(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0) {
		posix_say("data: %s", t_errname(errno));
		return;
	}
	posix_see_data_fd(fd);
	close(fd);
}

static int not_dot(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

/* Sorted; the caller frees. Dies if there is no directory @path. */
static int names_read(const char *path, struct dirent ***ret_entries)
{
	return MUST(scandir(path, ret_entries, not_dot, alphasort));
}

static size_t tree_add(const char *path, char *text, size_t used, size_t size)
{
	struct dirent **entries;
	char name[PATH_MAX];
	struct stat st;
	int nr = names_read(path, &entries);

	for (int i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		free(entries[i]);
		MUST(lstat(name, &st));
		used += snprintf(text + used, size - used, " %s:%c%u", name + 2,
				 posix_type_letter(st.st_mode),
				 (unsigned int)st.st_nlink);
		if (S_ISDIR(st.st_mode))
			used = tree_add(name, text, used, size);
	}
	free(entries);
	return used;
}

void posix_see_tree(void)
{
	static char text[65536];

	*text = '\0';
	tree_add(".", text, 0, sizeof(text));
	posix_say("tree:%s", text);
}

/* One line, whatever is in the name. */
static size_t name_add(const struct dirent *entry, char *text, size_t used, size_t size)
{
	used += snprintf(text + used, size - used, " ");
	for (const char *c = entry->d_name; *c; c++)
		used += snprintf(text + used, size - used, *c < ' ' ? "<%02x>" : "%c",
				 (unsigned char)*c);
	return used + snprintf(text + used, size - used, ":%c",
			       posix_type_letter(DTTOIF(entry->d_type)));
}

void posix_see_names(const char *path)
{
	static char text[65536];
	struct dirent **entries;
	size_t used = 0;
	int nr = names_read(path, &entries);

	*text = '\0';
	for (int i = 0; i < nr; i++) {
		used = name_add(entries[i], text, used, sizeof(text));
		free(entries[i]);
	}
	free(entries);
	posix_say("%d names in %s:%s", nr, path, text);
}
