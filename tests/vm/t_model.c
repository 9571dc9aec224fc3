// SPDX-License-Identifier: GPL-2.0-or-later
/* See t_model.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "t.h"
#include "t_model.h"

static struct t_node *node_new(struct t_model *model, mode_t mode)
{
	struct t_node *node = calloc(1, sizeof(*node));

	if (!node || model->nr_nodes == T_NR_NODES)
		t_die("no room for a file in the model");
	node->mode = mode;
	if (S_ISREG(mode) && !(node->data = calloc(1, T_FILE_MAX)))
		t_die("memory");
	model->nr_dirs += S_ISDIR(mode);
	model->nodes[model->nr_nodes++] = node;
	return node;
}

static void node_free(struct t_node *node)
{
	free(node->data);
	free(node);
}

void t_model_put(struct t_model *model, struct t_node *node)
{
	unsigned int i = 0;

	if (node->nr_links || node->nr_opens)
		return;
	while (model->nodes[i] != node)
		i++;
	model->nodes[i] = model->nodes[--model->nr_nodes];
	model->nr_dirs -= S_ISDIR(node->mode);
	node_free(node);
}

void t_model_init(struct t_model *model)
{
	*model = (struct t_model){ 0 };
	node_new(model, S_IFDIR | 0755)->nr_links = 2;
}

void t_model_free(struct t_model *model)
{
	while (model->nr_nodes)
		node_free(model->nodes[--model->nr_nodes]);
}

void t_model_dir_path(const struct t_node *dir, char path[T_PATH_MAX])
{
	unsigned int nr = 0;
	size_t length;

	path[0] = '\0';
	if (!dir->parent)
		return;
	while (dir->parent->names[nr] != dir)
		nr++;
	t_model_dir_path(dir->parent, path);
	length = strlen(path);
	snprintf(path + length, T_PATH_MAX - length, "/n%u", nr);
}

void t_model_path(struct t_place at, char path[T_PATH_MAX])
{
	size_t length;

	t_model_dir_path(at.dir, path);
	length = strlen(path);
	snprintf(path + length, T_PATH_MAX - length, "/n%u", at.nr);
}

/* ------------------------------------------------------------------------- names */

static bool dir_is_empty(const struct t_node *dir)
{
	for (int i = 0; i < T_NR_NAMES; i++)
		if (dir->names[i])
			return false;
	return true;
}

/* Is @dir @node, or below it? */
static bool dir_is_below(const struct t_node *dir, const struct t_node *node)
{
	while (dir && dir != node)
		dir = dir->parent;
	return dir;
}

static void place_set(struct t_place at, struct t_node *node)
{
	at.dir->names[at.nr] = node;
	at.dir->mtime_known = false;
	if (node && S_ISDIR(node->mode)) {
		node->parent = at.dir;
		node->mtime_known = false; /* xfs counts ".." as a change */
		at.dir->nr_links++;
	}
}

static struct t_node *place_clear(struct t_place at)
{
	struct t_node *node = t_model_at(at);

	if (node && S_ISDIR(node->mode))
		at.dir->nr_links--;
	place_set(at, NULL);
	return node;
}

/* Whoever was there has one link less; a directory none. */
static void place_drop(struct t_model *model, struct t_place at)
{
	struct t_node *node = place_clear(at);

	if (!node)
		return;
	node->nr_links = S_ISDIR(node->mode) ? 0 : node->nr_links - 1;
	t_model_put(model, node);
}

static struct t_node *place_make(struct t_model *model, struct t_place at, mode_t mode)
{
	struct t_node *node = node_new(model, mode);

	node->nr_links = S_ISDIR(mode) ? 2 : 1;
	place_set(at, node);
	return node;
}

static int open_check(const struct t_node *node, int flags)
{
	if (flags & O_CREAT && flags & O_EXCL)
		return -EEXIST;
	if (S_ISLNK(node->mode))
		return -ELOOP; /* O_NOFOLLOW */
	if (S_ISDIR(node->mode))
		return -EISDIR;
	return 0;
}

int t_model_open(struct t_model *model, struct t_place at, int flags, mode_t mode,
		 struct t_node **ret_node)
{
	struct t_node *node = t_model_at(at);
	int err;

	if (!node && !(flags & O_CREAT))
		return -ENOENT;
	if (!node) {
		*ret_node = place_make(model, at, S_IFREG | (mode & ~T_UMASK));
		return 0;
	}
	err = open_check(node, flags);
	if (err)
		return err;
	if (flags & O_TRUNC)
		t_node_resize(node, 0);
	*ret_node = node;
	return 0;
}

struct t_node *t_model_tmpfile(struct t_model *model, mode_t mode)
{
	struct t_node *node = node_new(model, S_IFREG | (mode & ~T_UMASK));

	node->linkable = true;
	return node;
}

int t_model_mkdir(struct t_model *model, struct t_place at, mode_t mode)
{
	if (t_model_at(at))
		return -EEXIST;
	place_make(model, at, S_IFDIR | (mode & ~T_UMASK));
	return 0;
}

int t_model_symlink(struct t_model *model, struct t_place at, const char *target)
{
	struct t_node *node;

	if (t_model_at(at))
		return -EEXIST;
	node = place_make(model, at, S_IFLNK | 0777);
	node->size = strlen(target);
	strcpy(node->target, target);
	return 0;
}

int t_model_link(struct t_node *node, struct t_place to)
{
	if (!node)
		return -ENOENT;
	if (t_model_at(to))
		return -EEXIST;
	if (S_ISDIR(node->mode))
		return -EPERM;
	if (!node->nr_links && !node->linkable)
		return -ENOENT;
	node->linkable = false;
	node->nr_links++;
	place_set(to, node);
	return 0;
}

int t_model_unlink(struct t_model *model, struct t_place at)
{
	if (!t_model_at(at))
		return -ENOENT;
	if (S_ISDIR(t_model_at(at)->mode))
		return -EISDIR;
	place_drop(model, at);
	return 0;
}

int t_model_rmdir(struct t_model *model, struct t_place at)
{
	if (!t_model_at(at))
		return -ENOENT;
	if (!S_ISDIR(t_model_at(at)->mode))
		return -ENOTDIR;
	if (!dir_is_empty(t_model_at(at)))
		return -ENOTEMPTY;
	place_drop(model, at);
	return 0;
}

/* In the order of the kernel, which looks at the names before it looks at the files. */
static int rename_check(struct t_place from, struct t_place to, unsigned int flags)
{
	const struct t_node *node = t_model_at(from), *other = t_model_at(to);
	bool exchange = flags & RENAME_EXCHANGE;

	if (!node || (exchange && !other))
		return -ENOENT;
	if (other && flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (dir_is_below(to.dir, node))
		return -EINVAL;
	if (other && dir_is_below(from.dir, other))
		return exchange ? -EINVAL : -ENOTEMPTY;
	if (!other || exchange || node == other)
		return 0;
	if (S_ISDIR(node->mode) != S_ISDIR(other->mode))
		return S_ISDIR(node->mode) ? -ENOTDIR : -EISDIR;
	return S_ISDIR(other->mode) && !dir_is_empty(other) ? -ENOTEMPTY : 0;
}

int t_model_rename(struct t_model *model, struct t_place from, struct t_place to,
		   unsigned int flags)
{
	struct t_node *node, *other = NULL;
	int err;

	err = rename_check(from, to, flags);
	if (err || t_model_at(from) == t_model_at(to))
		return err; /* two names of one file stay as they are */
	if (flags & RENAME_EXCHANGE)
		other = place_clear(to);
	else
		place_drop(model, to);
	node = place_clear(from);
	place_set(to, node);
	if (other)
		place_set(from, other);
	return 0;
}

/* ---------------------------------------------------------------------- contents */

void t_node_write(struct t_node *node, size_t pos, const void *data, size_t length)
{
	memcpy(node->data + pos, data, length);
	if (length && pos + length > node->size)
		node->size = pos + length;
	node->mtime_known = false;
}

void t_node_resize(struct t_node *node, size_t size)
{
	if (size < node->size)
		memset(node->data + size, 0, node->size - size);
	node->size = size;
	node->mtime_known = false;
}

void t_node_fallocate(struct t_node *node, int mode, size_t pos, size_t length)
{
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		memset(node->data + pos, 0, length);
	if (!(mode & FALLOC_FL_KEEP_SIZE) && pos + length > node->size)
		node->size = pos + length;
	node->mtime_known = false;
}
