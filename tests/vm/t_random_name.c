// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations of t_random on names.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t_worker.h"

#define NR_DIRS_MAX 10

static void op_mkdir(struct t_worker *w)
{
	char path[T_PATH_MAX];
	struct t_place at = t_any_path(w, path);
	mode_t mode = t_below(w, 01000);
	int got;

	if (t_worker_full(w) || w->model.nr_dirs >= NR_DIRS_MAX)
		return;
	t_say(w, "mkdir(%s, %#o)", path, mode);
	got = t_sys(mkdir(path, mode));
	t_expect(w, "result", t_model_mkdir(&w->model, at, mode), got);
}

static void op_symlink(struct t_worker *w)
{
	char path[T_PATH_MAX], target[16];
	struct t_place at = t_any_path(w, path);
	int got;

	if (t_worker_full(w))
		return;
	snprintf(target, sizeof(target), "to-%u", (unsigned int)t_below(w, 100000));
	t_say(w, "symlink(%s, %s)", target, path);
	got = t_sys(symlink(target, path));
	t_expect(w, "result", t_model_symlink(&w->model, at, target), got);
}

static void op_readlink(struct t_worker *w)
{
	char path[T_PATH_MAX], target[64];
	struct t_node *node = t_model_at(t_any_path(w, path));
	int64_t got, want = -ENOENT;

	if (node)
		want = S_ISLNK(node->mode) ? (int64_t)node->size : -EINVAL;
	t_say(w, "readlink(%s)", path);
	got = t_sys(readlink(path, target, sizeof(target)));
	t_expect(w, "result", want, got);
	if (want > 0)
		t_expect_bytes(w, node->target, target, want);
}

static void op_link(struct t_worker *w)
{
	char from_path[T_PATH_MAX], path[T_PATH_MAX];
	struct t_node *node = t_model_at(t_any_path(w, from_path));
	struct t_place to = t_any_path(w, path);
	int got;

	t_say(w, "link(%s, %s)", from_path, path);
	got = t_sys(link(from_path, path));
	t_expect(w, "result", t_model_link(node, to), got);
}

static void op_unlink(struct t_worker *w)
{
	char path[T_PATH_MAX];
	struct t_place at = t_any_path(w, path);
	int got;

	t_say(w, "unlink(%s)", path);
	got = t_sys(unlink(path));
	t_expect(w, "result", t_model_unlink(&w->model, at), got);
}

static void op_rmdir(struct t_worker *w)
{
	char path[T_PATH_MAX];
	struct t_place at = t_any_path(w, path);
	int got;

	t_say(w, "rmdir(%s)", path);
	got = t_sys(rmdir(path));
	t_expect(w, "result", t_model_rmdir(&w->model, at), got);
}

static void op_rename(struct t_worker *w)
{
	static const unsigned int flags[] = { 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE };
	unsigned int flag = flags[t_below(w, t_array_size(flags))];
	char from_path[T_PATH_MAX], to_path[T_PATH_MAX];
	struct t_place from = t_any_path(w, from_path), to = t_any_path(w, to_path);
	int got, want;

	t_say(w, "renameat2(%s, %s, %u)", from_path, to_path, flag);
	got = t_sys(renameat2(AT_FDCWD, from_path, AT_FDCWD, to_path, flag));
	want = t_model_rename(&w->model, from, to, flag);
	/* POSIX knows two names for that, and xfs uses the other one. */
	if (want != -ENOTEMPTY || got != -EEXIST)
		t_expect(w, "result", want, got);
}

const struct t_op t_name_ops[] = {
	{ op_mkdir, 3 },  { op_symlink, 3 }, { op_readlink, 3 }, { op_link, 4 },
	{ op_unlink, 6 }, { op_rmdir, 3 },   { op_rename, 8 },	 { NULL, 0 },
};
