// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations of t_random on attributes, extended ones included.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "t_worker.h"

void t_stat_check(struct t_worker *w, struct t_node *node, const struct stat *st)
{
	t_expect(w, "mode", node->mode, st->st_mode);
	t_expect(w, "links", node->nr_links, st->st_nlink);
	if (!S_ISDIR(node->mode))
		t_expect(w, "size", node->size, st->st_size);
	if (node->ino)
		t_expect(w, "inode number", node->ino, st->st_ino);
	node->ino = st->st_ino;
	if (!node->mtime_known)
		return;
	t_expect(w, "mtime", node->mtime.tv_sec, st->st_mtim.tv_sec);
	t_expect(w, "mtime, ns", node->mtime.tv_nsec, st->st_mtim.tv_nsec);
}

static void op_stat(struct t_worker *w)
{
	char path[T_PATH_MAX];
	struct t_node *node = t_model_at(t_any_path(w, path));
	struct stat st;

	t_say(w, "lstat(%s)", path);
	t_expect(w, "result", node ? 0 : -ENOENT, t_sys(lstat(path, &st)));
	if (node)
		t_stat_check(w, node, &st);
}

static void op_chmod(struct t_worker *w)
{
	char path[T_PATH_MAX];
	struct t_node *node = t_model_at(t_any_path(w, path));
	mode_t mode = t_below(w, 01000);

	if (node && S_ISLNK(node->mode))
		return;
	t_say(w, "chmod(%s, %#o)", path, mode);
	t_expect(w, "result", node ? 0 : -ENOENT, t_sys(chmod(path, mode)));
	if (node)
		node->mode = (node->mode & S_IFMT) | mode;
}

static void op_utimens(struct t_worker *w)
{
	char path[T_PATH_MAX];
	struct t_node *node = t_model_at(t_any_path(w, path));
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };

	times[1].tv_sec = t_below(w, 1 << 30);
	times[1].tv_nsec = t_below(w, 1000000000);
	t_say(w, "utimensat(%s)", path);
	t_expect(w, "result", node ? 0 : -ENOENT,
		 t_sys(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW)));
	if (!node)
		return;
	node->mtime = times[1];
	node->mtime_known = true;
}

static void op_truncate(struct t_worker *w)
{
	char path[T_PATH_MAX];
	struct t_node *node = t_model_at(t_any_path(w, path));
	size_t size = t_below(w, T_FILE_MAX);
	int want = -ENOENT;

	if (node && S_ISLNK(node->mode))
		return;
	if (node)
		want = S_ISDIR(node->mode) ? -EISDIR : 0;
	t_say(w, "truncate(%s, %zu)", path, size);
	t_expect(w, "result", want, t_sys(truncate(path, size)));
	if (!want)
		t_node_resize(node, size);
}

static const char *const xattr_names[T_NR_XATTRS] = { "user.a", "user.b" };

static void xattr_set(struct t_worker *w, const char *path, unsigned int nr,
		      struct t_xattr *xattr)
{
	static const int flags[] = { 0, 0, XATTR_CREATE, XATTR_REPLACE };
	int want = 0, flag = flags[t_below(w, t_array_size(flags))];
	struct t_xattr new = { true, 1 + t_below(w, T_XATTR_MAX), t_below(w, 256) };

	if (flag == XATTR_CREATE && xattr->set)
		want = -EEXIST;
	else if (flag == XATTR_REPLACE && !xattr->set)
		want = -ENODATA;
	memset(w->buf, new.fill, new.length);
	t_say(w, "setxattr(%s, %zu bytes, %d)", path, new.length, flag);
	t_expect(w, "result", want,
		 t_sys(lsetxattr(path, xattr_names[nr], w->buf, new.length, flag)));
	if (!want)
		*xattr = new;
}

static void xattr_get(struct t_worker *w, const char *path, unsigned int nr,
		      const struct t_xattr *xattr)
{
	int64_t want = xattr->set ? (int64_t)xattr->length : -ENODATA;

	t_say(w, "getxattr(%s, %s)", path, xattr_names[nr]);
	t_expect(w, "result", want,
		 t_sys(lgetxattr(path, xattr_names[nr], w->buf, T_XATTR_MAX)));
	if (want > 0 && t_fill_check(w->buf, want, xattr->fill) >= 0)
		t_fail(w, "contents", xattr->fill, w->buf[0]);
}

static void xattr_remove(struct t_worker *w, const char *path, unsigned int nr,
			 struct t_xattr *xattr)
{
	t_say(w, "removexattr(%s, %s)", path, xattr_names[nr]);
	t_expect(w, "result", xattr->set ? 0 : -ENODATA,
		 t_sys(lremovexattr(path, xattr_names[nr])));
	xattr->set = false;
}

/* There may be more names: of what the security modules keep. */
static void xattr_list(struct t_worker *w, const char *path, const struct t_node *node)
{
	char names[1024];
	int64_t length;

	t_say(w, "listxattr(%s)", path);
	length = t_sys(llistxattr(path, names, sizeof(names)));
	t_expect(w, "result", 0, t_min(length, 0));
	for (int nr = 0; nr < T_NR_XATTRS; nr++) {
		bool found = false;

		for (char *name = names; name < names + length; name += strlen(name) + 1)
			found |= !strcmp(name, xattr_names[nr]);
		t_expect(w, xattr_names[nr], node->xattrs[nr].set, found);
	}
}

static void op_xattr(struct t_worker *w)
{
	char path[T_PATH_MAX];
	struct t_node *node = t_model_at(t_any_path(w, path));
	unsigned int nr = t_below(w, T_NR_XATTRS);

	if (!node || S_ISLNK(node->mode))
		return;
	switch (t_below(w, 6)) {
	case 0:
		xattr_remove(w, path, nr, &node->xattrs[nr]);
		break;
	case 1:
		xattr_list(w, path, node);
		break;
	case 2:
	case 3:
		xattr_get(w, path, nr, &node->xattrs[nr]);
		break;
	default:
		xattr_set(w, path, nr, &node->xattrs[nr]);
	}
}

void t_xattrs_check(struct t_worker *w, struct t_node *node, const char *path)
{
	xattr_list(w, path, node);
	for (unsigned int nr = 0; nr < T_NR_XATTRS; nr++)
		xattr_get(w, path, nr, &node->xattrs[nr]);
}

const struct t_op t_attr_ops[] = {
	{ op_stat, 8 },	    { op_chmod, 3 }, { op_utimens, 3 },
	{ op_truncate, 3 }, { op_xattr, 8 }, { NULL, 0 },
};
