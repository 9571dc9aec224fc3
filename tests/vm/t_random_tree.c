// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is in directories, for t_random: in one of them, and in the end in all.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t_worker.h"

static void entry_check(struct t_worker *w, const struct t_node *dir,
			const struct dirent *entry, bool seen[T_NR_NAMES])
{
	const char *name = entry->d_name;
	unsigned int nr = name[1] - '0';

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return;
	if (name[0] != 'n' || nr >= T_NR_NAMES || name[2] || !dir->names[nr] || seen[nr])
		t_fail(w, name, 0, 1);
	seen[nr] = true;
	if (entry->d_type != DT_UNKNOWN)
		t_expect(w, "type", IFTODT(dir->names[nr]->mode), entry->d_type);
}

static void dir_check(struct t_worker *w, const struct t_node *dir, const char *path)
{
	bool seen[T_NR_NAMES] = { false };
	struct dirent *entry;
	DIR *stream;

	t_say(w, "readdir(%s)", path);
	stream = opendir(path);
	t_expect(w, "opendir", 0, stream ? 0 : -errno);
	for (errno = 0; (entry = readdir(stream)); errno = 0)
		entry_check(w, dir, entry, seen);
	t_expect(w, "result", 0, -errno);
	if (t_one_in(w, 16))
		t_expect(w, "fsync", 0, t_sys(fsync(dirfd(stream))));
	closedir(stream);
	for (int i = 0; i < T_NR_NAMES; i++)
		t_expect(w, "entry", !!dir->names[i], seen[i]);
}

static void op_readdir(struct t_worker *w)
{
	struct t_place at = t_any_place(w);
	char path[T_PATH_MAX];

	t_dir_path(w, at, path);
	dir_check(w, at.dir, path);
}

static void contents_check(struct t_worker *w, const struct t_node *node,
			   const char *path)
{
	int fd;

	t_say(w, "contents of %s", path);
	fd = t_sys(open(path, O_RDONLY | O_CLOEXEC));
	t_expect(w, "open", 0, t_min(fd, 0));
	t_expect(w, "read", node->size, t_sys(pread(fd, w->buf, T_FILE_MAX, 0)));
	close(fd);
	t_expect_bytes(w, node->data, w->buf, node->size);
}

static void node_check(struct t_worker *w, struct t_node *node, const char *path)
{
	struct stat st;

	t_say(w, "in the end: %s", path);
	t_expect(w, "lstat", 0, t_sys(lstat(path, &st)));
	t_stat_check(w, node, &st);
	if (S_ISREG(node->mode))
		contents_check(w, node, path);
	if (S_ISLNK(node->mode))
		return;
	t_xattrs_check(w, node, path);
}

static void tree_check(struct t_worker *w, const struct t_node *dir, const char *path)
{
	char name[T_PATH_MAX];

	dir_check(w, dir, path);
	for (int i = 0; i < T_NR_NAMES; i++) {
		struct t_node *node = dir->names[i];

		if (!node)
			continue;
		snprintf(name, sizeof(name), "%.1000s/n%d", path, i);
		node_check(w, node, name);
		if (S_ISDIR(node->mode))
			tree_check(w, node, name);
	}
}

void t_tree_check(struct t_worker *w)
{
	tree_check(w, w->model.nodes[0], w->root);
}

const struct t_op t_tree_ops[] = {
	{ op_readdir, 4 },
	{ NULL, 0 },
};
